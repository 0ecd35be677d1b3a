"""alfine as a server: one port that unmodified AWS clients talk to, and the engine beside it in threads.

What the guard refuses, and why (this server runs programs for whoever reaches it):

- a Host that isn't this machine's: a web page whose name an attacker lets point to 127.0.0.1 (DNS rebinding);
- an Origin, or Sec-Fetch-Site, of another site: a web page that sends requests here (CSRF). AWS's clients send neither;
- an address that others can reach: until keys can be configured, everybody there could run programs here.
"""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable, MutableMapping
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from alfine import __version__
from alfine.aws.backend import Backend
from alfine.aws.s3 import S3App
from alfine.aws.services import services
from alfine.aws.wire import Wire
from alfine.core.errors import AlfineError
from alfine.home import Home
from alfine.hosting import Hosting

LEAVE_SECONDS = 10.0  # for the engines to let go of their tuning jobs
CLOSE_SECONDS = 5  # for requests under way when told to end
KEEP_ALIVE_SECONDS = 75  # longer than AWS's clients keep an idle connection, so that they never meet a closed one

Scope = MutableMapping[str, Any]


class NotLoopback(AlfineError):
    """The address can be reached from other machines, and there are no keys to check them by."""


def refuse_other_machines(host: str) -> None:
    """Raise NotLoopback unless only programs of this machine can reach the address."""
    if not _is_loopback(host):
        raise NotLoopback(
            f"alfine serve runs programs for whoever reaches it, and {host} can be reached from other machines. It listens on "
            "loopback addresses only (--host 127.0.0.1); to use it from elsewhere, forward the port: ssh -L 8765:127.0.0.1:8765 …"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Guard:
    """Lets requests through that come from programs of this machine, and no web page's. Raw ASGI: it sees every request."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            reason = refusal(scope["headers"])
            if reason:
                await Response(json.dumps({"__type": "AccessDeniedException", "Message": reason}), 403)(
                    scope, receive, send
                )
                return
        elif scope["type"] == "websocket":
            return
        await self.app(scope, receive, send)


def refusal(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Why a request with these headers is refused; "" for one that is let through."""
    known: dict[bytes, str] = {}
    for name, value in headers:
        if name in (b"host", b"origin", b"sec-fetch-site"):
            if name in known:
                return f"There are two {name.decode()} headers."
            known[name] = value.decode("latin-1")
    host = known.get(b"host", "")
    if not _is_loopback(_hostname(host)):
        return f"The Host header {host[:80]!r} isn't this machine's. Use 127.0.0.1 or localhost."
    origin = known.get(b"origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return "Web pages of other sites may not use alfine (Origin)."
    if known.get(b"sec-fetch-site", "none") not in ("none", "same-origin"):
        return "Web pages of other sites may not use alfine (Sec-Fetch-Site)."
    return ""


def _hostname(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0][1:]
    return host.partition(":")[0].lower()


def make_app(home: Home, hosting: Hosting) -> Starlette:
    """The application: health, and AWS at every other path."""
    backend = Backend(home.service, home.arns, hosting.run, home.engine().wake.set)
    wire = Wire(services(backend), S3App(home.folder / "buckets"))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        hosting.run_all()
        yield
        hosting.leave(LEAVE_SECONDS)

    app = Starlette(routes=[Route("/healthz", _health), Mount("/", wire)], lifespan=lifespan)
    app.add_middleware(Guard)
    return app


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "version": __version__})


def serve(home: Home, host: str, port: int, *, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C. ready: called with the URL once requests are taken. Port 0 takes any free one.

    Raises NotLoopback before anything is opened, OSError when the port is taken.
    """
    refuse_other_machines(host)
    hosting = Hosting(home.engine())
    with closing(_listening(host.strip("[]"), port)) as listener:
        app = make_app(home, hosting)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )
        url = _url(host, listener.getsockname()[1])
        _survive_own_end()
        _Server(config, partial(ready, url)).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Tells when it's ready: after the start of the application, with the port open."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _survive_own_end() -> None:
    """Ending on a signal, uvicorn raises it again for whoever handled it before: that's nobody but us."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: asyncio turns off Nagle only then, and with it on an answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _url(host: str, port: int) -> str:
    return f"http://[{host.strip('[]')}]:{port}" if ":" in host else f"http://{host}:{port}"
