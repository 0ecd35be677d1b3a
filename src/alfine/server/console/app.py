"""The console as an ASGI application: which page answers a request, who may ask, and what a browser may do with the answer.

Every page says what may run in it (Content-Security-Policy: this server's own style sheet and script, nothing inline) and that no
other page may frame it. What changes something is a POST with the form's token, on top of what aws/auth/guard.py asks of all.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from alfine.aws.dispatch import read_body
from alfine.aws.json_protocol import WireError
from alfine.core.errors import AlfineError, InvalidSpec, NotFound
from alfine.jobs.service import Service
from alfine.server.console import change_form, events, replay, training_job, tuning_job, tuning_jobs
from alfine.server.console.page_request import Backend, Page, Visit
from alfine.server.console.sessions import Door, NotLetIn, Session
from alfine.store.access_keys import Keys

log = logging.getLogger("alfine.server.console")

PATH = "/console"
AWS_WORDS = ("Amazon SageMaker can't find", "Requested resource not found")
MOST_FIELDS = 200
MOST_STREAMS = 200  # pages that follow at once; further ones look by themselves
HEADERS = {
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
STATIC = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}

Scope = MutableMapping[str, Any]


class Console:
    """The application. `takes` says which requests are its own; `leave` ends what would go on for ever."""

    def __init__(
        self,
        service: Service,
        keys: Keys,
        *,
        always: bool,
        run: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.backend = Backend(service, run, changed)
        self.door = Door(keys, always=always)
        self.leaving = asyncio.Event()
        self.streams: set[object] = set()
        get = {
            "/": tuning_jobs.page,
            "/tuning-jobs/{name}": tuning_job.page,
            "/tuning-jobs/{name}/change": change_form.page,
            "/tuning-jobs/{name}/replay": replay.page,
            "/training-jobs/{name}": training_job.page,
            "/training-jobs/{name}/log": training_job.log_page,
            "/training-jobs/{name}/log/part": training_job.log_part,
        }
        post = {
            "/tuning-jobs/{name}/change": change_form.change,
            "/tuning-jobs/{name}/stop": tuning_job.stop,
            "/training-jobs/{name}/stop": training_job.stop,
        }
        followed = {
            "/events": events.of_jobs,
            "/tuning-jobs/{name}/events": events.of_job,
            "/training-jobs/{name}/events": events.of_training_job,
        }
        self._app = Starlette(
            routes=[
                Mount(
                    PATH,
                    routes=[
                        Route("/static/{name}", _static, methods=["GET"]),
                        Route("/sign-in", self._sign_in, methods=["GET", "POST"]),
                        Route("/sign-out", self._sign_out, methods=["POST"]),
                        *(Route(path, self._reading(page), methods=["GET"]) for path, page in get.items()),
                        *(Route(path, self._changing(page), methods=["POST"]) for path, page in post.items()),
                        *(Route(path, self._following(look), methods=["GET"]) for path, look in followed.items()),
                    ],
                )
            ],
            exception_handlers={HTTPException: self._no_such_page},
        )

    @staticmethod
    def takes(scope: Scope) -> bool:
        """Whether a request is a browser's for the console. AWS's clients sign theirs, also for a bucket called «console»."""
        path = scope["path"]
        if path == "/":
            headers = Headers(scope=scope)
            wanted = scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")
            return wanted and not _from_aws(scope)
        return (path == PATH or path.startswith(f"{PATH}/")) and not _from_aws(scope)

    def leave(self) -> None:
        """The server ends: pages that follow are let go."""
        self.leaving.set()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                more = {**HEADERS, "cache-control": "no-store"}
                added = [(k.encode(), v.encode()) for k, v in more.items() if k.encode() not in there]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        if scope["path"] in ("/", PATH):
            await RedirectResponse(f"{PATH}/", 307)(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    # ---- who, and what came with it

    def _reading(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            session = self.door.session(request)
            if session is None:
                return self._to_the_door(request)
            return await self._answered(page, self._visit(request, session))

        return answer

    def _changing(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            session = self.door.session(request)
            if session is None:
                return self._refused(request, NotLetIn("You aren't signed in any more. Sign in, and try again."))
            form = await _form(request)
            if not _is_token(form, session):
                return self._refused(
                    request, NotLetIn("This form isn't of a page of this server. Reload the page, and try again.")
                )
            return await self._answered(page, self._visit(request, session, form))

        return answer

    def _following(self, look: Callable[[Visit], object]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            session = self.door.session(request)
            if session is None or len(self.streams) >= MOST_STREAMS or self.leaving.is_set():
                return Response(status_code=204)  # which tells an EventSource to give up
            return StreamingResponse(self._followed(request, session, look), media_type="text/event-stream")

        return answer

    async def _followed(
        self, request: Request, session: Session, look: Callable[[Visit], object]
    ) -> AsyncIterator[str]:
        """What a page is told until its session ends, or the server."""
        mine = object()
        self.streams.add(mine)
        try:
            async for told in events.stream(self._visit(request, session), look, self.leaving):
                yield told
                if self.door.session(request) is None:
                    return
        finally:
            self.streams.discard(mine)

    def _visit(self, request: Request, session: Session, form: Mapping[str, str] | None = None) -> Visit:
        return Visit(request, session, self.backend, self.door.locked, form or {})

    async def _answered(self, page: Page, visit: Visit) -> Response:
        try:
            return await run_in_threadpool(page, visit)
        except NotFound as error:
            return visit.page("error.html", 404, title="Not here", lines=[_not_here(visit, error)])
        except InvalidSpec as error:
            return visit.page("error.html", 422, title="That doesn't work", lines=[str(each) for each in error.faults])
        except (AlfineError, WireError) as error:
            return visit.page("error.html", 409, title="That doesn't work", lines=[str(error)])
        except Exception:
            log.exception("could not answer path=%s", visit.request.url.path)
            return visit.page(
                "error.html", 500, title="alfine failed", lines=["alfine failed to answer this; its log says why."]
            )

    # ---- the door

    def _to_the_door(self, request: Request) -> Response:
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{PATH}/sign-in?to={quote(back, safe='')}", 303)

    async def _sign_in(self, request: Request) -> Response:
        visit = self._visit(request, self.door.stranger)
        if request.method != "POST":
            if self.door.session(request) is not None:
                return RedirectResponse(_back(request.query_params.get("to", "")), 303)
            return visit.page("sign_in.html", to=request.query_params.get("to", ""), key="", refused="")
        form = await _form(request)
        to, key = form.get("to", ""), form.get("key", "")
        if not _is_token(form, self.door.stranger):
            return self._refused(request, NotLetIn("This form isn't of a page of this server. Go back, and try again."))
        try:
            token = await run_in_threadpool(self.door.sign_in, request, key.strip(), form.get("secret", "").strip())
        except NotLetIn as error:
            return visit.page("sign_in.html", error.status, to=to, key=key, refused=str(error))
        response = RedirectResponse(_back(to), 303)
        self.door.remember(request, response, token)
        return response

    async def _sign_out(self, request: Request) -> Response:
        session = self.door.session(request)
        if session is not None and not _is_token(await _form(request), session):
            return self._refused(request, NotLetIn("This form isn't of a page of this server."))
        self.door.sign_out(request)
        response = RedirectResponse(f"{PATH}/sign-in", 303)
        self.door.forget(request, response)
        return response

    def _refused(self, request: Request, error: NotLetIn) -> Response:
        visit = self._visit(request, self.door.stranger)
        return visit.page("error.html", error.status, title="Not let in", lines=[str(error)])

    async def _no_such_page(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        visit = self._visit(request, self.door.stranger)
        return visit.page("error.html", status, title="Not here", lines=["There is no such page."])


def _not_here(visit: Visit, error: NotFound) -> str:
    """In the console's words, where they are AWS's."""
    if not str(error).startswith(AWS_WORDS):
        return str(error)
    kind = "training job" if "/training-jobs/" in visit.request.url.path else "tuning job"
    return f"There is no {kind} called {visit.part('name')} here."


def _is_token(form: Mapping[str, str], session: Session) -> bool:
    return hmac.compare_digest(form.get("token", "").encode(), session.form_token.encode())


def _back(path: str) -> str:
    """Where to after the door: a page of the console, whatever the address said."""
    parts = urlsplit(path)
    own = not parts.scheme and not parts.netloc and path.startswith(f"{PATH}/") and "\\" not in path
    return path if own else f"{PATH}/"


async def _form(request: Request) -> Mapping[str, str]:
    """The fields of a form; of one that is there more than once the last."""
    body = await read_body(request.receive)
    try:
        pairs = parse_qsl((body or b"").decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    return dict(pairs)


def _from_aws(scope: Scope) -> bool:
    if any(name == b"authorization" or name.startswith(b"x-amz-") for name, _ in scope["headers"]):
        return True
    return b"X-Amz-" in scope["query_string"] or b"AWSAccessKeyId=" in scope["query_string"]


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in STATIC:
        raise HTTPException(404)
    return Response(_read(name), media_type=STATIC[name], headers={"cache-control": "no-cache"})


@cache
def _read(name: str) -> bytes:
    return (resources.files("alfine.server.console") / "static" / name).read_bytes()
