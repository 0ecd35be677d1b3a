"""alfine as a server: one port for unmodified AWS clients and for browsers, and the engine beside it in threads.

It runs programs for whoever reaches it: who that is, aws/auth/guard.py decides.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from alfine._version import __version__
from alfine.aws.auth.guard import OWN, Gate, Guard, is_loopback
from alfine.aws.dispatch import Wire
from alfine.aws.s3 import S3App
from alfine.aws.sagemaker.backend import AwsBackend
from alfine.aws.services import services
from alfine.core.errors import AlfineError
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.server.console import Console
from alfine.server.console.page_request import ConsoleBackend
from alfine.server.limits import limited
from alfine.server.rest import Documents
from alfine.store.access_keys import Keys

LEAVE_SECONDS = 10.0  # for the engines to let go of their tuning jobs
CLOSE_SECONDS = 5  # for requests under way when told to end
MAX_CONNECTIONS = 500  # at once; further ones are answered 503
KEEP_ALIVE_SECONDS = 75  # longer than AWS's clients keep an idle connection, so that they never meet a closed one


class NotLoopback(AlfineError):
    """The address can be reached from other machines, and there are no keys to check them by."""


def refuse_other_machines(host: str, keys: Keys) -> None:
    """Raise NotLoopback unless only programs of this machine can reach the address, or requests have to be signed."""
    if not is_loopback(host) and not keys:
        raise NotLoopback(
            f"alfine serve runs programs for whoever reaches it, and {host} can be reached from other machines. Make a key, and "
            "all requests will have to be signed with it: alfine keys create. Or stay on a loopback address (--host 127.0.0.1) "
            "and forward the port: ssh -L 8765:127.0.0.1:8765 …"
        )


def make_app(home: Home, engine_pool: EnginePool, *, always_signed: bool = False) -> Starlette:
    """The application: health, the console, and AWS at every other path. always_signed: also while the home has no keys."""
    keys, changed = Keys(home.folder), home.engine().wake.set
    backend = AwsBackend(home.service, home.machine.arns, engine_pool.run, changed)
    known = services(backend)
    hosts = tuple(name.lower() for name in home.config.server.hosts)
    names = {service.api.signing_name for service in known.values()}
    families = {"json": names, "query": names, "s3": {"s3"}, OWN: {OWN}}
    console = Console(ConsoleBackend(home.service, engine_pool.run, changed), keys, always_sign_in=always_signed)
    gate = Gate(keys, home.machine.arns.region, families, hosts, always=always_signed, elsewhere=console.handles)
    wire = Wire(
        known,
        S3App(
            home.folder / "buckets",
            gate.bucket_domains,
            elsewhere=home.config.s3.endpoint,
            account=home.machine.arns.account,
        ),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        engine_pool.run_all()
        yield
        engine_pool.leave(LEAVE_SECONDS)

    async def rest(scope: Any, receive: Any, send: Any) -> None:
        await (console if console.handles(scope) else wire)(scope, receive, send)

    documents = Documents(home.service, home.config.s3, engine_pool.run, changed)
    app = Starlette(
        routes=[Route("/healthz", _health), documents.routes(), Mount("/", rest)],
        lifespan=lifespan,
    )
    app.add_middleware(Guard, gate=gate)
    app.state.leave = console.leave
    return app


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "version": __version__})


def serve(
    home: Home, host: str, port: int, *, tls: tuple[Path, Path] | None = None, ready: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C. ready: called with the URL once requests are taken. Port 0 takes any free one.

    tls: files of a certificate (with its chain) and its key. Raises NotLoopback before anything is opened, OSError when the
    port is taken or these files are none.
    """
    refuse_other_machines(host, Keys(home.folder))
    engine_pool = EnginePool(home.engine())
    with closing(_listening(host.strip("[]"), port)) as listener:
        app = make_app(home, engine_pool, always_signed=not is_loopback(host))
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            ws="none",
            http="h11",
            loop="asyncio",
            limit_concurrency=MAX_CONNECTIONS,
            ssl_certfile=tls and tls[0],
            ssl_keyfile=tls and tls[1],
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )
        limited(config)  # a certificate that is none is told before anything runs
        url = _url("https" if tls else "http", host, listener.getsockname()[1])
        _survive_own_end()
        _Server(config, partial(ready, url), app.state.leave).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Tells when it's ready: after the start of the application, with the port open; and when it leaves, before it waits for
    answers that have no end of their own.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], leave: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._leave = leave

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._leave()
        await super().shutdown(sockets)


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
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno, f"{error.strerror}. Give another port, or 0 for any free one", f"{host}:{port}"
        ) from error
    return listener


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host.strip('[]')}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
