"""One port for every service: finds the service and the operation of an HTTP request, and answers it.

Routed as AWS's clients can be told apart: the prefix of X-Amz-Target for the JSON services, `Action=` in a form for the
query services, else the service in the signature's scope; what is left is S3's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from alfine.aws import query
from alfine.aws.protocol import error_body
from alfine.aws.services import JsonService, explained

MAX_BODY = 4 << 20  # the largest request that SageMaker's model allows is below 1 MiB
SCOPE = re.compile(r"Credential=[^,/]+/\d{8}/[^/,]*/([a-z0-9-]+)/aws4_request")
JSON_1_1, JSON_1_0 = "application/x-amz-json-1.1", "application/x-amz-json-1.0"
FORM = "application/x-www-form-urlencoded"

Asgi = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


class Wire:
    """The ASGI application behind the guard of server.py. s3: what answers for buckets; None until there is one."""

    def __init__(self, services: Mapping[str, JsonService], s3: Asgi | None = None) -> None:
        self.s3 = s3
        self.services = services
        self._by_target = {
            service.api.target_prefix: service for service in services.values() if service.api.target_prefix
        }

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        headers = request.headers
        if "x-amz-target" in headers:
            response = await self._json(request, headers["x-amz-target"])
        elif request.method == "POST" and headers.get("content-type", "").startswith(FORM) and scope["path"] == "/":
            response = await self._query(request)
        elif self.s3 is not None and _scope_of(headers.get("authorization", "")) in ("s3", ""):
            await self.s3(scope, receive, send)
            return
        else:
            response = _error(501, "NotImplemented", "alfine has no buckets here yet. Use file:// for data and code.")
        await response(scope, receive, send)

    async def _json(self, request: Request, target: str) -> Response:
        prefix, _, operation = target.partition(".")
        service = self._by_target.get(prefix)
        if service is None or request.method != "POST":
            return _error(400, "UnknownOperationException", f"alfine has no service for the target {target[:80]!r}.")
        body = await _body(request)
        if body is None:
            return _error(413, "RequestEntityTooLargeException", f"The body has more than {MAX_BODY} bytes.")
        status, answer = await run_in_threadpool(service.answer, operation, body)
        kind = JSON_1_0 if JSON_1_0 in request.headers.get("content-type", "") else JSON_1_1
        return _response(status, answer, kind)

    async def _query(self, request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _error(413, "RequestEntityTooLargeException", f"The body has more than {MAX_BODY} bytes.")
        status, answer = await run_in_threadpool(query.answer, self.services, body, explained)
        return _response(status, answer, "text/xml")


async def _body(request: Request) -> bytes | None:
    """The body; None when it's longer than MAX_BODY, whatever its Content-Length said."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MAX_BODY:
                return None
            parts.append(part)
    except ClientDisconnect:
        return None
    return b"".join(parts)


def _scope_of(authorization: str) -> str:
    found = SCOPE.search(authorization)
    return found.group(1) if found else ""


def _response(status: int, body: bytes, kind: str) -> Response:
    return Response(body, status, {"x-amzn-RequestId": request_id(), "content-type": kind})


def _error(status: int, code: str, message: str) -> Response:
    return _response(status, error_body(code, message), JSON_1_1)


def request_id() -> str:
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
