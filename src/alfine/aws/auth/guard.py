"""The guard in front of everything that `alfine serve` answers. alfine runs programs for every request that passes it.

Always refused, also by a server that takes any credentials (`alfine serve --open`):

- a Host header that isn't this server's: a web page whose name an attacker points here (DNS rebinding);
- an Origin or Sec-Fetch-Site header of another site: a web page that sends requests here (CSRF). AWS's clients send neither.

Both rules hold for the web console, too. Who uses it is checked by its own sessions (server/console/sessions.py), because browsers sign
nothing.

Refused by every other server: requests that none of the home's keys signed (sigv4.py). The answers are AWS's own, in the form of the
service that was asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import ipaddress
import json
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from alfine.aws import query_protocol
from alfine.aws.auth import sigv2
from alfine.aws.auth.session_keys import signer
from alfine.aws.auth.sigv4 import (
    CHAIN,
    HASH,
    SIGNED_CHUNKS,
    UNSIGNED_CHUNKS,
    UNSIGNED_PAYLOAD,
    Refused,
    Unproved,
    claimed,
)
from alfine.aws.dispatch import JSON_1_1, MAX_BODY, family_of, read_body, request_id
from alfine.aws.s3 import xml
from alfine.aws.s3.app import DOMAINS
from alfine.aws.s3.request import bucket_of_host
from alfine.core.wording import duration
from alfine.jobs.clock import utc_now
from alfine.programs.data.buckets.errors import S3Error
from alfine.store.access_keys import Keys

OWN = "alfine"
"""Service name that requests for alfine's own documents are signed for."""

OWN_PATH = "/_alfine/"
"""Path of alfine's own documents: no bucket's name has an underscore."""

SIGNER = "alfine.signer"
"""Key of an ASGI scope for the id of the access key that signed the request."""

UNSIGNED = ("/healthz", "/readyz")
"""Paths that everybody may read: an orchestrator's probes sign nothing."""

SILENT_SECONDS = 60.0
"""Longest pause between two pieces of a body."""

DOCUMENT_SECONDS = 60.0  # for the whole body of a request that isn't S3's, before anyone is known to have signed it
DRAIN_SECONDS = 5.0
DRAINED_BYTES = 1 << 18  # of a refused body, so that its sender comes to read why
EVERYWHERE = ("iam", "sts")
"""Services that clients of any region may sign for us-east-1."""


Scope = MutableMapping[str, Any]

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your {} and signing method."
)
_INVALID = "The security token included in the request is invalid."
# Kind of refusal -> code and text ("": the refusal's own text), first for JSON (status 400), then for query services (status 403).
_JSON = {
    "none": ("MissingAuthenticationTokenException", "Missing Authentication Token"),
    "unknown-key": ("UnrecognizedClientException", _INVALID),
    "token": ("UnrecognizedClientException", _INVALID),
    "mismatch": (
        "InvalidSignatureException",
        f"{_MISMATCH.format('AWS Secret Access Key')} Consult the service documentation for details.",
    ),
    "region": ("InvalidSignatureException", "Credential should be scoped to a valid region: "),
    "scope": ("InvalidSignatureException", ""),
    "skewed": ("InvalidSignatureException", ""),
    "presigned-late": ("InvalidSignatureException", "Signature expired."),
    "presigned-early": ("InvalidSignatureException", "Signature not yet current."),
    "unsigned-headers": ("InvalidSignatureException", ""),
}
_QUERY = {
    "none": ("MissingAuthenticationToken", "Request is missing Authentication Token"),
    "unknown-key": ("InvalidClientTokenId", _INVALID),
    "token": ("InvalidClientTokenId", _INVALID),
    **{kind: ("SignatureDoesNotMatch", text) for kind, (code, text) in _JSON.items() if code.startswith("InvalidSig")},
}
_BODIES = {"too-long": ("RequestEntityTooLargeException", 413), "too-slow": ("RequestTimeoutException", 408)}
_S3 = {
    "none": ("AccessDenied", "Access Denied"),
    "unknown-key": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
    "token": ("InvalidToken", "The provided token is malformed or otherwise invalid."),
    "mismatch": ("SignatureDoesNotMatch", _MISMATCH.format("key")),
    "region": ("AuthorizationHeaderMalformed", "The authorization header is malformed; "),
    "scope": ("AuthorizationHeaderMalformed", "The authorization header is malformed; "),
    "incomplete": ("AuthorizationHeaderMalformed", "The authorization header is malformed; "),
    "query": ("AuthorizationQueryParametersError", ""),
    "skewed": (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
    "presigned-late": ("AccessDenied", "Request has expired"),
    "presigned-early": ("AccessDenied", "Request is not valid yet"),
    "date": ("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"),
    "unsigned-headers": ("AccessDenied", "There were headers present in the request which were not signed"),
    "version-2": (
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    ),
    "two-ways": (
        "InvalidArgument",
        (
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or "
            "the Authorization header should be specified"
        ),
    ),
    "no-payload": ("InvalidRequest", "Missing required header for this request: x-amz-content-sha256"),
    "payload": (
        "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or a valid sha256 value.",
    ),
}


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules of the guard: which requests it lets in.

    Attributes:
        hosts: Further names of this server.
        services: The signing names of the services, by family.
        is_open: Whether any credentials are taken, and none.
        elsewhere: Returns, for a request, whether its sender is checked behind the guard.
    """

    keys: Keys
    region: str
    services: Mapping[str, Collection[str]] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    is_open: bool = False
    elsewhere: Callable[[Scope], bool] = field(default=lambda _: False)

    @property
    def bucket_domains(self) -> tuple[str, ...]:
        """The names of this server in front of which a bucket's name may stand."""
        return (*DOMAINS, *self.hosts)

    def regions_of(self, service: str) -> tuple[str, ...]:
        """Return the regions that a service may be signed for."""
        return (self.region, "us-east-1") if service in EVERYWHERE else (self.region,)


class Guard:
    """The guard, as a raw ASGI application around everything else: it sees every request."""

    def __init__(self, app: Any, gate: Gate) -> None:
        self.app = app
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            return
        if scope["type"] == "http":
            reason = refusal(scope["headers"], (*self.gate.hosts, str((scope.get("server") or [""])[0])))
            if reason:
                await _denied(scope, reason)(scope, receive, send)
                return
            receive = body = _Body(receive)
            if not (self.gate.is_open or scope["path"] in UNSIGNED or self.gate.elsewhere(scope)):
                try:
                    receive = await self._proved(scope, body)
                except Refused as error:
                    await body.drain()
                    await _answer(error, scope)(scope, receive, send)
                    return
        await self.app(scope, receive, send)

    async def _proved(self, scope: Scope, receive: Any) -> Any:
        """Return what to receive the body from, once the request is proved to be signed by a key.

        Raises:
            Refused: It isn't.
        """
        family = _family(scope)
        request = Unproved(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"])
        if family == "s3" and sigv2.is_presigned(request):
            bucket = bucket_of_host(request.header("host"), self.gate.bucket_domains)
            sigv2.check(request, self.gate.keys.secret, utc_now(), bucket=bucket)
            return receive
        claim = claimed(
            request,
            self.gate.keys.secret,
            utc_now(),
            regions_of=self.gate.regions_of,
            services=self.gate.services[family],
        )
        scope[SIGNER] = claim.access_key
        signer.set(claim.access_key)
        if family == "s3":
            claim.check(_payload(claim.payload, presigned=claim.presigned))
            scope[CHAIN] = claim.chain()
            return receive
        try:
            async with asyncio.timeout(DOCUMENT_SECONDS):
                body = await read_body(receive)
        except TimeoutError:
            raise Refused("too-slow", f"The body took more than {duration(DOCUMENT_SECONDS)}.") from None
        if body is None:
            raise Refused("too-long", f"The body has more than {MAX_BODY} bytes, or its sender has gone.")
        claim.check(hashlib.sha256(body).hexdigest())
        return _Replayed(body, receive)


def _payload(named: str, *, presigned: bool) -> str:
    """Return what an S3 request's signature says about its body. The body itself is compared with it while it is read."""
    if presigned and not named:
        return UNSIGNED_PAYLOAD
    if not named:
        raise Refused("no-payload")
    if named not in (UNSIGNED_PAYLOAD, UNSIGNED_CHUNKS, *SIGNED_CHUNKS) and not HASH.fullmatch(named):
        raise Refused("payload", ArgumentName="x-amz-content-sha256", ArgumentValue=named[:200])
    return named


class _Body:
    """A body that records whether all of it was received. A sender that is silent for too long counts as gone."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._is_read = False

    async def __call__(self) -> Any:
        if self._is_read:
            return await self._receive()
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                message = await self._receive()
        except TimeoutError:
            message = {"type": "http.disconnect"}
        self._is_read = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read a little of a body that nobody wanted, so that its sender reads the answer."""
        read = 0
        with suppress(TimeoutError):  # a client that goes on sending is cut off: it's refused already
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._is_read and read < DRAINED_BYTES:
                    read += len((await self()).get("body", b""))


class _Replayed:
    """A body that was read already, followed by whatever comes after it."""

    def __init__(self, body: bytes, receive: Any) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Any:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _family(scope: Scope) -> str:
    return OWN if scope["path"].startswith(OWN_PATH) else family_of(scope)


def _denied(scope: Scope, reason: str) -> Response:
    """Send the refusal in AWS's form; to a person who followed a link from elsewhere, a page with a safe way in."""
    if not any(name == b"accept" and b"text/html" in value for name, value in scope["headers"]):
        denied = {"__type": "AccessDeniedException", "Message": reason}
        return Response(json.dumps(denied), 403, media_type=JSON_1_1)
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>alfine</title><p>{html.escape(reason)}</p>'
        '<p>If you meant to come here: <a href="/console/">open alfine</a>.</p></html>'
    )
    headers = {"content-security-policy": "default-src 'none'; frame-ancestors 'none'", "x-frame-options": "DENY"}
    return Response(page, 403, headers, media_type="text/html")


def _answer(error: Refused, scope: Scope) -> Response:
    family = _family(scope)
    headers = {"x-amzn-RequestId": request_id()}
    if family == "s3":
        code, text = _S3.get(error.kind, ("AccessDenied", ""))
        text = _with(text, error)
        if code == "AuthorizationHeaderMalformed" and b"X-Amz-Signature" in scope["query_string"]:
            code, text = (
                "AuthorizationQueryParametersError",
                f"Error parsing the X-Amz-Credential parameter; {error.message}",
            )
        refused = S3Error(code, text, **error.details)
        body = xml.error_document(refused, scope["path"], headers["x-amzn-RequestId"])
        return Response(body, refused.status, headers, media_type="application/xml")
    table, other, status = (
        (_QUERY, "IncompleteSignature", 403) if family == "query" else (_JSON, "IncompleteSignatureException", 400)
    )
    if error.kind in _BODIES:
        (other, status), table = _BODIES[error.kind], {}
    code, text = table.get(error.kind, (other, ""))
    text = _with(text, error)
    if family == "query":
        return Response(query_protocol.error_xml(code, text), status, headers, media_type="text/xml")
    return Response(json.dumps({"__type": code, "Message": text}), status, headers, media_type=JSON_1_1)


def _with(text: str, error: Refused) -> str:
    return text if text and not text.endswith(" ") else text + error.message


def is_from_aws(scope: Scope) -> bool:
    """Return whether a request is signed, or has another mark of AWS's clients: then it may be for a bucket of any name."""
    if any(
        name.startswith(b"x-amz-") or (name == b"authorization" and not _is_basic(value))
        for name, value in scope["headers"]
    ):
        return True
    return b"X-Amz-" in scope["query_string"] or b"AWSAccessKeyId=" in scope["query_string"]


def _is_basic(header: bytes) -> bool:
    """Return whether a header has a user and a password (RFC 7617), as no client of AWS sends them."""
    return header[:6].lower() == b"basic "


# ---- Host and Origin ---------------------------------------------------------------------------------------------------


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def refusal(headers: Iterable[tuple[bytes, bytes]], hosts: Collection[str] = ()) -> str:
    """Return why a request with these headers is refused; "" for one that is let through.

    Args:
        headers: The request's headers.
        hosts: Names and addresses of this server.
    """
    known: dict[bytes, str] = {}
    for name, value in headers:
        if name in (b"host", b"origin", b"sec-fetch-site"):
            if name in known:
                return f"There are two {name.decode()} headers."
            known[name] = value.decode("latin-1")
    host = known.get(b"host", "")
    if not _is_ours(_hostname(host), hosts):
        return (
            f"The Host header {host[:80]!r} isn't this server's. Use its address, 127.0.0.1 or localhost on its own machine, or "
            "a name listed under [server] hosts in alfine.toml."
        )
    origin = known.get(b"origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return "Web pages of other sites may not use alfine (Origin)."
    if known.get(b"sec-fetch-site", "none") not in ("none", "same-origin"):
        return "Web pages of other sites may not use alfine (Sec-Fetch-Site)."
    return ""


def _is_ours(name: str, hosts: Collection[str]) -> bool:
    """Return whether a Host is this server's. A bucket's name may stand in front of a name (virtual-host style), not of an address."""
    address = _address(name)
    if address is not None:
        return address.is_loopback or any(address == _address(host) for host in hosts)
    return is_loopback(name) or any(name == host or name.endswith(f".{host}") for host in hosts if host)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (found.version == 6 and found.ipv4_mapped) or found


def _hostname(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0][1:].lower()
    return host.partition(":")[0].lower()
