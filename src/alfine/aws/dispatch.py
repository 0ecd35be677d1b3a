"""One port for every service: finds the service and the operation of an HTTP request, and answers it.

AWS's clients are told apart by the prefix of X-Amz-Target for the JSON services, by `Action=` in a form for the query services, else by the
service in the signature's scope. Everything else is for S3.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Literal
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from alfine.aws import query_protocol
from alfine.aws.json_protocol import error_body
from alfine.aws.sagemaker.other_operations import MODEL_LIES
from alfine.aws.services import JsonService, explained

MAX_BODY = 4 << 20
"""Largest body in bytes: the largest request that SageMaker's model allows is below 1 MiB."""

UNAVAILABLE = 503
"""The HTTP status that AWS's clients and alfine's own try again after."""

RETRY_SECONDS = 2
"""After how many seconds a client is asked to try again."""

SCOPE = re.compile(r"Credential=[^,/]+/\d{8}/[^/,]*/([a-z0-9-]+)/aws4_request")
INVOCATION = re.compile(r"/endpoints/[^/]+/")
"""The paths of InvokeEndpoint, an operation of SageMaker's runtime, which has a protocol of its own."""

JSON_1_1, JSON_1_0 = "application/x-amz-json-1.1", "application/x-amz-json-1.0"
FORM = "application/x-www-form-urlencoded"

Asgi = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]
Family = Literal["json", "query", "s3"]


class Wire:
    """The ASGI application behind the guard of server/app.py.

    Args:
        s3: The application that answers for buckets; None without one.
    """

    def __init__(self, services: Mapping[str, JsonService], s3: Asgi | None = None) -> None:
        self.s3 = s3
        self.services = services
        self._by_target = {
            service.api.target_prefix: service for service in services.values() if service.api.target_prefix
        }

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        family = family_of(scope)
        if family == "s3" and self.s3 is not None:
            await self.s3(scope, receive, send)
            return
        response = await (self._query if family == "query" else self._json)(Request(scope, receive))
        await response(scope, receive, send)

    async def _json(self, request: Request) -> Response:
        target = request.headers.get("x-amz-target", "")
        prefix, _, operation = target.partition(".")
        service = self._by_target.get(prefix)
        if service is None or request.method != "POST":
            return _error(400, "UnknownOperationException", _unknown_target(request, target))
        body = await read_body(request.receive)
        if body is None:
            return _error(413, "RequestEntityTooLargeException", f"The body has more than {MAX_BODY} bytes.")
        status, answer = await run_in_threadpool(service.answer, operation, body)
        kind = JSON_1_0 if JSON_1_0 in request.headers.get("content-type", "") else JSON_1_1
        return _response(status, answer, kind)

    async def _query(self, request: Request) -> Response:
        body = await read_body(request.receive)
        if body is None:
            return _error(413, "RequestEntityTooLargeException", f"The body has more than {MAX_BODY} bytes.")
        status, answer = await run_in_threadpool(query_protocol.answer, self.services, body, explained)
        return _response(status, answer, "text/xml")


def family_of(scope: MutableMapping[str, Any]) -> Family:
    """Return the kind of service that a request is for."""
    headers = Headers(scope=scope)
    if "x-amz-target" in headers:
        return "json"
    if scope["method"] == "POST" and headers.get("content-type", "").startswith(FORM) and scope["path"] == "/":
        return "query"
    credential = parse_qs(scope["query_string"].decode("latin-1")).get("X-Amz-Credential", [""])[0]
    found = SCOPE.search(headers.get("authorization", "") or f"Credential={credential}")
    return "s3" if found is None or found.group(1) == "s3" else "json"


async def read_body(receive: Callable[[], Awaitable[Mapping[str, Any]]]) -> bytes | None:
    """Return the body; None when it is longer than MAX_BODY, whatever Content-Length says, or when its sender has gone."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _unknown_target(request: Request, target: str) -> str:
    if not target and INVOCATION.match(request.url.path):
        return "InvokeEndpoint asks a hosted model for a prediction, and alfine hosts none. " + MODEL_LIES
    return f"alfine has no service for the target {target[:80]!r}."


def _response(status: int, body: bytes, kind: str) -> Response:
    return Response(body, status, {"x-amzn-RequestId": request_id(), "content-type": kind, **retry_headers(status)})


def retry_headers(status: int) -> dict[str, str]:
    """Return the headers that say when to try again, for an answer with this status."""
    return {"retry-after": str(RETRY_SECONDS)} if status == UNAVAILABLE else {}


def _error(status: int, code: str, message: str) -> Response:
    return _response(status, error_body(code, message), JSON_1_1)


def request_id() -> str:
    """Return a new id for an answer."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
