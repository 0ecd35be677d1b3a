"""The console as an ASGI application: its routes, who may use them, and the headers that protect its pages.

Every page has a Content-Security-Policy that allows only this server's own style sheet and script, nothing inline, and no
other page may frame it. Every change is a POST with the form's token, beside what `aws/auth/guard.py` checks of each request.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from alfine.aws.auth.guard import is_from_aws
from alfine.aws.dispatch import UNAVAILABLE, read_body
from alfine.aws.wire_error import WireError
from alfine.core.errors import AlfineError, InvalidSpec, NotFound, NoTuningJob
from alfine.core.unavailable import reason_to_try_later
from alfine.server.console import events, figures
from alfine.server.console.compression import compressed
from alfine.server.console.page_request import ConsoleBackend, Page, PageRequest
from alfine.server.console.routes import GET, LEFT, POST, STREAMS
from alfine.server.console.sessions import Session, Sessions, SignInRefused
from alfine.store.access_keys import Keys
from alfine.store.console_tokens import ConsoleTokens

log = logging.getLogger("alfine.server.console")

PATH = "/console"

AWS_WORDS = ("Amazon SageMaker can't find", "Requested resource not found")
"""Beginning of AWS's messages for a name that does not exist; the console says it in its own words."""

MOST_FIELDS = 1000
"""Fields that a form may have."""

MOST_STREAMS = 200
"""Event streams at once; further pages show the state of their loading."""

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
STATIC = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "figures.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "replay.js": "text/javascript",
}

PAGES = re.compile(
    rf"{PATH}/(?:tuning-jobs/[^/]+(?:/analysis|/change|/configuration|/notes|/replay|/training-jobs)?|compare|new(?:/file)?"
    r"|training-jobs/[^/]+(?:/log)?)?"
)
"""The paths of pages that a browser is led to after signing in."""

FOREIGN_FORM = "This form doesn't belong to a page of this server."

Scope = MutableMapping[str, Any]


class Console:
    """The console's ASGI application.

    Args:
        backend: What its pages read and change.
        keys: The access keys of the home.
        is_open: Whether nobody has to sign in.
    """

    def __init__(self, backend: ConsoleBackend, keys: Keys, *, is_open: bool) -> None:
        self.backend = backend
        self.sessions = Sessions(keys, ConsoleTokens(backend.service.store.database), is_open=is_open)
        self.leaving = asyncio.Event()
        self.streams: set[object] = set()
        self._app = Starlette(
            routes=[
                Mount(
                    PATH,
                    routes=[
                        Route("/static/{name}", _static, methods=["GET"]),
                        Route("/open", self._open, methods=["GET"]),
                        Route("/sign-in", self._sign_in, methods=["GET", "POST"]),
                        Route("/sign-out", self._sign_out, methods=["POST"]),
                        *(Route(path, self._get(page), methods=["GET"]) for path, page in GET.items()),
                        *(Route(path, self._post(page), methods=["POST"]) for path, page in POST.items()),
                        *(Route(path, self._events(state), methods=["GET"]) for path, state in STREAMS.items()),
                    ],
                )
            ],
            exception_handlers={HTTPException: self._no_such_page},
        )

    @staticmethod
    def handles(scope: Scope) -> bool:
        """Return whether a request is one of a browser for the console, and not one of an AWS client for a bucket called «console»."""
        path = scope["path"]
        if path == "/":
            headers = Headers(scope=scope)
            wanted = scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")
            return wanted and not is_from_aws(scope)
        return (path == PATH or path.startswith(f"{PATH}/")) and not is_from_aws(scope)

    def link(self, key: str) -> str:
        """Return the path of a new one-time link for the access key with this id; on an open server the console's own path."""
        return f"{PATH}/open?token={self.sessions.links.new(key)}" if self.sessions.needs_sign_in else f"{PATH}/"

    def leave(self) -> None:
        """End all event streams, because the server shuts down."""
        self.leaving.set()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                wanted = {**SECURITY_HEADERS, "cache-control": "no-store"}
                added = [(k.encode(), v.encode()) for k, v in wanted.items() if k.encode() not in present]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        if scope["path"] in ("/", PATH):
            await RedirectResponse(f"{PATH}/", 307)(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    # ---- pages and forms

    def _get(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            session = await self._session(request)
            if session is None:
                return self._redirect_to_sign_in(request)
            return await self._answer(page, self._page_request(request, session))

        return answer

    def _post(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            session = await self._session(request)
            if session is None:
                return self._refused(request, SignInRefused("You aren't signed in any more. Sign in, and try again."))
            form = await _form(request)
            if not _has_token(form, session):
                return self._refused(request, SignInRefused(f"{FOREIGN_FORM} Reload the page, and try again."))
            return await self._answer(page, self._page_request(request, session, form))

        return answer

    def _events(self, state: Callable[[PageRequest], object]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            session = await self._session(request)
            if session is None or len(self.streams) >= MOST_STREAMS or self.leaving.is_set():
                return Response(status_code=204)  # an EventSource doesn't connect again after 204
            return StreamingResponse(self._stream(request, session, state), media_type="text/event-stream")

        return answer

    async def _stream(
        self, request: Request, session: Session, state: Callable[[PageRequest], object]
    ) -> AsyncIterator[str]:
        """Yield the events of a page until its session ends or the server shuts down."""
        mark, page = object(), self._page_request(request, session)
        self.streams.add(mark)
        try:
            async for event in events.stream(page, state, self.leaving):
                yield event
                if await self._session(request) is None:
                    return
        finally:
            self.streams.discard(mark)
            if state in LEFT:
                LEFT[state](page)

    async def _session(self, request: Request) -> Session | None:
        return await run_in_threadpool(self.sessions.session, request)

    def _page_request(self, request: Request, session: Session, form: Mapping[str, str] | None = None) -> PageRequest:
        return PageRequest(request, session, self.backend, self.sessions.needs_sign_in, form or {})

    async def _answer(self, page: Page, request: PageRequest) -> Response:
        try:
            return await run_in_threadpool(lambda: compressed(page(request), request.http))
        except NotFound as error:
            return request.render("error.html", 404, title="Not found", lines=[_not_found(request, error)])
        except InvalidSpec as error:
            lines = [str(fault) for fault in error.faults]
            return request.render("error.html", 422, title="This isn't possible", lines=lines)
        except WireError as error:
            return request.render("error.html", 409, title="This isn't possible", lines=[str(error)])
        except Exception as error:  # the rim: logged with its traceback, and told to whoever asked
            if reason := reason_to_try_later(error):
                return request.render("error.html", UNAVAILABLE, title="This isn't possible at present", lines=[reason])
            if isinstance(error, AlfineError):
                return request.render("error.html", 409, title="This isn't possible", lines=[str(error)])
            log.exception("could not answer path=%s", request.http.url.path)
            lines = ["alfine could not answer this request. The server's log has the reason."]
            return request.render("error.html", 500, title="Internal error", lines=lines)

    # ---- signing in and out

    def _redirect_to_sign_in(self, request: Request) -> Response:
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{PATH}/sign-in?to={quote(back, safe='')}", 303)

    async def _sign_in(self, request: Request) -> Response:
        anonymous = self._page_request(request, self.sessions.anonymous)
        if request.method != "POST":
            if await self._session(request) is not None:
                return RedirectResponse(_safe_target(request.query_params.get("to", "")), 303)
            return anonymous.render("sign_in.html", to=request.query_params.get("to", ""), key="", refused="")
        form = await _form(request)
        to, key = form.get("to", ""), form.get("key", "")
        if not _has_token(form, self.sessions.anonymous):
            return self._refused(request, SignInRefused(f"{FOREIGN_FORM} Go back, and try again."))
        try:
            token = await run_in_threadpool(self.sessions.sign_in, request, key.strip(), form.get("secret", "").strip())
        except SignInRefused as error:
            return anonymous.render("sign_in.html", error.status, to=to, key=key, refused=str(error))
        response = RedirectResponse(_safe_target(to), 303)
        self.sessions.set_cookie(request, response, token)
        return response

    async def _open(self, request: Request) -> Response:
        """Open a one-time link, and lead to the page that it names with `to`. A HEAD, as previews send it, leaves the link as it is."""
        if request.method != "GET":
            return Response(status_code=405, headers={"allow": "GET"})
        response = RedirectResponse(_safe_target(request.query_params.get("to", "")), 303)
        if self.sessions.needs_sign_in:
            try:
                link = request.query_params.get("token", "")
                token = await run_in_threadpool(self.sessions.follow, request, link)
            except SignInRefused as error:
                return response if await self._session(request) else self._refused(request, error)
            self.sessions.set_cookie(request, response, token)
        return response

    async def _sign_out(self, request: Request) -> Response:
        session = await self._session(request)
        if session is not None and not _has_token(await _form(request), session):
            return self._refused(request, SignInRefused(FOREIGN_FORM))
        await run_in_threadpool(self.sessions.sign_out, request)
        response = RedirectResponse(f"{PATH}/sign-in", 303)
        self.sessions.delete_cookie(request, response)
        return response

    def _refused(self, request: Request, error: SignInRefused) -> Response:
        anonymous = self._page_request(request, self.sessions.anonymous)
        return anonymous.render("error.html", error.status, title="Access denied", lines=[str(error)])

    async def _no_such_page(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        anonymous = self._page_request(request, self.sessions.anonymous)
        return anonymous.render("error.html", status, title="Not found", lines=["There is no such page."])


def _not_found(request: PageRequest, error: NotFound) -> str:
    """Return the message, in the console's words where the error has AWS's."""
    if not str(error).startswith(AWS_WORDS):
        return str(error)
    if isinstance(error, NoTuningJob):
        return f"This home has no tuning job called {error.name}.{error.hint}"
    kind = "training job" if "/training-jobs/" in request.http.url.path else "tuning job"
    return f"This home has no {kind} called {request.path_part('name')}."


def _has_token(form: Mapping[str, str], session: Session) -> bool:
    return hmac.compare_digest(form.get("token", "").encode(), session.form_token.encode())


def _safe_target(path: str) -> str:
    """Return the page to show after signing in: the path if it is a page of the console, else the list of tuning jobs.

    Browsers read `..`, also written %2e%2e, as a step out of the console, and a backslash as a slash.
    """
    try:
        parts = urlsplit(path)
    except ValueError:
        return f"{PATH}/"
    plain = unquote(parts.path)
    steps_out = "\\" in plain or any(part in {".", ".."} for part in plain.split("/"))
    is_page = not parts.scheme and not parts.netloc and not steps_out and PAGES.fullmatch(plain)
    return path if is_page else f"{PATH}/"


async def _form(request: Request) -> Mapping[str, str]:
    """Return the fields of a submitted form; the last value of a field that occurs more than once."""
    body = await read_body(request.receive)
    try:
        pairs = parse_qsl((body or b"").decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    return dict(pairs)


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name == figures.LIBRARY:
        return await run_in_threadpool(lambda: compressed(figures.library(), request))
    if name not in STATIC:
        raise HTTPException(404)
    return compressed(Response(_read(name), media_type=STATIC[name], headers={"cache-control": "no-cache"}), request)


@cache
def _read(name: str) -> bytes:
    return (resources.files("alfine.server.console") / "static" / name).read_bytes()
