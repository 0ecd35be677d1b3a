"""The socket that a server listens on, how uvicorn serves its connections, and what the signal that ends it does."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from alfine.server.limits import limited

CLOSE_SECONDS = 5
"""Seconds for open requests to finish when the server ends."""

MAX_CONNECTIONS = 500
"""Connections at the same time; further ones are answered with 503."""

KEEP_ALIVE_SECONDS = 75
"""Seconds for which an idle connection is kept: longer than AWS's clients keep theirs, so that they never meet a closed one."""


def configured(app: ASGIApp, tls: tuple[Path, Path] | None = None) -> uvicorn.Config:
    """Return how uvicorn serves an application, with the limits for unauthenticated connections.

    Args:
        app: The application.
        tls: The files of a certificate (with its chain) and of its private key; None serves plain HTTP.

    Raises:
        OSError: A file of `tls` can't be read.
    """
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
    limited(config)  # a wrong certificate is reported before anything runs
    return config


def listening(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; port 0 takes any free one.

    Raises:
        OSError: The port is taken; the message says what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's algorithm only for a socket whose protocol is named; with it, an answer takes 40 ms.
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


def survive_own_end() -> None:
    """Ignore the signal that ends the server: uvicorn raises it again after its own shutdown."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
