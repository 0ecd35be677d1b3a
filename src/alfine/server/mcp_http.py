"""HTTP for agents: serves an application of the Model Context Protocol, and tells clients without a valid access key what to send.

The protocol's authorization is OAuth and optional; alfine has access keys instead. The official SDK answers a wrong key with 401 and the
words «Authentication required». Many clients then look for OAuth: they ask for `/.well-known/oauth-protected-resource` and
`/.well-known/oauth-authorization-server`, and then register at `/register` (RFC 7591) although neither document exists. They show the
description of the error that they get there (RFC 6749, section 5.2).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing

import uvicorn
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alfine.server.connections import configured, listening, survive_own_end

PATH = "/mcp"
"""Where the application answers."""

UNAUTHORIZED = 401


def serve_agents(app: ASGIApp, host: str, port: int, how_to_sign: str, ready: Callable[[int], None]) -> None:
    """Serve an application of the Model Context Protocol until SIGTERM or Ctrl-C.

    Args:
        app: The SDK's application, which checks the access keys.
        host: The address to listen on.
        port: The port to listen on; 0 takes any free one.
        how_to_sign: What a request needs, and where to get it: a sentence in ASCII without double quotes.
        ready: Called with the port once it is taken.

    Raises:
        OSError: The port is taken.
    """
    with closing(listening(host, port)) as listener:
        ready(listener.getsockname()[1])
        config = configured(KeyExplained(app, how_to_sign))
        survive_own_end()
        uvicorn.Server(config).run(sockets=[listener])


class KeyExplained:
    """Answers what has no valid access key with a sentence that says what is wrong and what to do, and passes on everything else."""

    def __init__(self, app: ASGIApp, how_to_sign: str) -> None:
        self._app = app
        self._how_to_sign = how_to_sign

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to another path than the application's, or let the application answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].rstrip("/") != PATH:
            await self._no_oauth()(scope, receive, send)
        else:
            await self._explained(scope, receive, send)

    def _no_oauth(self) -> Response:
        return _refusal(
            404,
            "access_denied",
            f"alfine serves agents at {PATH} only and has no OAuth: if you were sent here, your access key is missing or wrong. "
            + self._how_to_sign,
        )

    async def _explained(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer; replace its 401."""
        refused = False

        async def explain(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] == UNAUTHORIZED:
                refused = True
                await self._unauthorized(scope)(scope, receive, send)
            elif not refused:
                await send(message)

        await self._app(scope, receive, explain)

    def _unauthorized(self, scope: Scope) -> Response:
        """Return the 401 of a request: RFC 6750, section 3, wants no error code where no key was sent."""
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return _refusal(UNAUTHORIZED, "invalid_request", f"The request has no access key. {self._how_to_sign}", "")
        fault = (
            "is wrong: no key has this id and this secret"
            if "." in key
            else "isn't of the form ID.SECRET: it has no point"
        )
        sentence = f"The access key {fault}. {self._how_to_sign}"
        challenge = f', error="invalid_token", error_description="{sentence}"'
        return _refusal(UNAUTHORIZED, "invalid_token", sentence, challenge)


def _refusal(status: int, error: str, sentence: str, challenge: str | None = None) -> Response:
    """Return an answer whose body is an error of OAuth: that's the form whose description clients show."""
    headers = {} if challenge is None else {"WWW-Authenticate": f'Bearer realm="alfine"{challenge}'}
    body = json.dumps({"error": error, "error_description": sentence})
    return Response(body, status, headers, "application/json")
