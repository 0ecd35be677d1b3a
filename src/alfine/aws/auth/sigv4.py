"""Verification of AWS Signature Version 4: which key signed a request, and whether this is the request that was signed.

This isn't botocore's code, whose canonicalisation belongs to a signer: it takes a URL that it trusts. A verifier works on the bytes as
they came, and whatever it treats as equal must mean the same to the reader of the request afterwards: `+` is a space in a query,
because S3's query is read so. The tests compare it with botocore's signer.

    claim = claimed(request, …)    what the request says about itself: key, scope, time, headers; this needs no secret
    claim.check(payload)           whether its signature is right for a body with that hash
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from alfine.aws.auth import session_keys
from alfine.core.errors import AlfineError

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
SKEW = timedelta(minutes=15)
LONGEST_EXPIRY = 7 * 24 * 3600
EMPTY_SHA256 = hashlib.sha256().hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
HASH = re.compile("[0-9a-f]{64}")
CHAIN = "alfine.chain"  # in an ASGI scope: the Chain of the body's chunks, where they are signed

_TIME = "%Y%m%dT%H%M%SZ"
_PARAMETERS = ("Credential", "SignedHeaders", "Signature")
_IN_QUERY = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)
_ONCE = ("host", "authorization", "date", "content-type")  # and x-amz-*: said twice, two readers may read two things


class Refused(AlfineError):
    """A request that isn't proved to come from a key's owner.

    Attributes:
        kind: The kind of refusal; the guard answers by it.
        details: Elements of S3's answer.
    """

    def __init__(self, kind: str, message: str = "", **details: str) -> None:
        super().__init__(message or kind)
        self.kind = kind
        self.message = message
        self.details = details


@dataclass(frozen=True, slots=True)
class Unproved:
    """A request as it came.

    Attributes:
        path: As in its first line, still encoded.
        query: As in its first line, still encoded.
    """

    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]  # names in small letters

    def header(self, name: str) -> str:
        """Return the value of a header; "" without it."""
        wanted = name.encode()
        return next((value.decode("latin-1") for each, value in self.headers if each == wanted), "")


@dataclass(frozen=True, slots=True)
class Chain:
    """The signatures of an aws-chunked body; each covers the one before it.

    Attributes:
        timestamp: The request's own.
        scope: The request's own.
        key: The request's own signing key.
        trailers: Whether signed trailers follow the last chunk.
    """

    timestamp: str
    scope: str
    key: bytes = field(repr=False)
    seed: str
    trailers: bool  # signed ones follow the last chunk

    def chunk(self, before: str, sha256: str) -> str:
        """Return the signature of a chunk with this hash, after the signature `before`."""
        return _hmac(
            self.key, "\n".join([f"{ALGORITHM}-PAYLOAD", self.timestamp, self.scope, before, EMPTY_SHA256, sha256])
        ).hex()

    def trailer(self, before: str, trailers: bytes) -> str:
        """Return the signature of the trailers, one line `name:value` each, after the signature `before`."""
        sha256 = hashlib.sha256(trailers).hexdigest()
        return _hmac(self.key, "\n".join([f"{ALGORITHM}-TRAILER", self.timestamp, self.scope, before, sha256])).hex()


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim of a request about its signature: well-formed, with a known key, and recent. `check` proves it."""

    request: Unproved
    access_key: str
    scope: str
    timestamp: str
    signed_headers: tuple[str, ...]
    signature: str
    payload: str  # x-amz-content-sha256, "" where there is none
    presigned: bool
    key: bytes = field(repr=False)
    s3: bool

    def check(self, payload: str) -> None:
        """Raise Refused unless the signature is right for this request with a body of that hash."""
        text = "\n".join([ALGORITHM, self.timestamp, self.scope, hashlib.sha256(self.canonical(payload)).hexdigest()])
        if not hmac.compare_digest(_hmac(self.key, text).hex().encode(), self.signature.encode()):
            raise Refused("mismatch")

    def canonical(self, payload: str) -> bytes:
        """Return the canonical request, which is signed."""
        request = self.request
        values: dict[bytes, list[bytes]] = {}
        for name, value in request.headers:
            values.setdefault(name, []).append(b" ".join(value.split()))
        names = [name.encode("latin-1") for name in self.signed_headers]
        return b"\n".join(
            [
                request.method.encode(),
                canonical_path(request.path, s3=self.s3),
                canonical_query(request.query, without=b"X-Amz-Signature" if self.presigned else None),
                *(name + b":" + b",".join(values.get(name, [])) for name in names),
                b"",
                b";".join(names),
                payload.encode("latin-1"),
            ]
        )

    def chain(self) -> Chain | None:
        """Return what verifies the chunks' signatures; None where the body has none."""
        if self.payload not in SIGNED_CHUNKS:
            return None
        return Chain(self.timestamp, self.scope, self.key, self.signature, self.payload.endswith("TRAILER"))


def claimed(
    request: Unproved,
    secret_of: Callable[[str], str | None],
    now: datetime,
    *,
    regions_of: Callable[[str], Sequence[str]],
    services: Collection[str],
) -> Claim:
    """Return what the request claims, checked as far as that is possible without its body.

    Args:
        request: The request as it came.
        secret_of: Returns the secret of an access key id; None for an unknown one.
        now: The present time.
        regions_of: Returns the regions that a service may be signed for.
        services: The signing names of the services whose requests look like this one.

    Raises:
        Refused: The claim is malformed, names an unknown key, or isn't recent.
    """
    repeated = [
        name.decode("latin-1") for name, count in Counter(name for name, _ in request.headers).items() if count > 1
    ]
    if twice := [name for name in repeated if name in _ONCE or name.startswith("x-amz-")]:
        raise Refused("incomplete", f"The header '{twice[0]}' is there more than once.")
    parts, presigned = _parts(request)
    access_key, date, region, service, terminator = _credential(parts["Credential"])
    timestamp, at = _time(parts.get("Date", ""), request)
    token = parts.get("Security-Token") or request.header("x-amz-security-token")
    if token:
        session = session_keys.find(access_key, token, secret_of, now)
        if session is None:
            raise Refused("token")
        access_key, secret = session
    else:
        known = secret_of(access_key)
        if known is None:
            raise Refused("unknown-key", AWSAccessKeyId=access_key)
        secret = known
    if service not in services or terminator != TERMINATOR:
        raise Refused("scope", f"Credential should be scoped to correct service: '{min(services)}'.")
    if region not in regions_of(service):
        right = regions_of(service)[0]
        raise Refused("region", f"the region '{region}' is wrong; expecting '{right}'", Region=right)
    if date != timestamp[:8]:
        raise Refused(
            "scope",
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{date}' != '{timestamp[:8]}'.",
        )
    _check_time(at, now, parts.get("Expires"))
    headers = tuple(parts["SignedHeaders"].split(";"))
    _check_headers(headers, request, needs_date=not presigned)
    payload = request.header("x-amz-content-sha256")
    scope = f"{date}/{region}/{service}/{TERMINATOR}"
    key = signing_key(secret, date, region, service)
    return Claim(
        request, access_key, scope, timestamp, headers, parts["Signature"], payload, presigned, key, service == "s3"
    )


@lru_cache(maxsize=64)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Return the signing key of a secret for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for word in (date, region, service, TERMINATOR):
        key = _hmac(key, word)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


# ---- what the request says ---------------------------------------------------------------------------------------------


def _parts(request: Unproved) -> tuple[Mapping[str, str], bool]:
    """Return Credential, SignedHeaders and Signature, for a presigned URL also Date and Expires; and whether it is presigned."""
    authorization = request.header("authorization")
    pairs = [(unquote_to_bytes(name).decode("latin-1"), value) for name, value in parameters(request.query)]
    found = {name: unquote_to_bytes(value).decode("latin-1") for name, value in pairs if name.startswith("X-Amz-")}
    presigned = "X-Amz-Algorithm" in found or "X-Amz-Signature" in found
    if presigned and authorization:
        raise Refused("two-ways")
    if presigned:
        return _from_query(found, [name for name, _ in pairs]), True
    if any(name in ("Signature", "AWSAccessKeyId") for name, _ in pairs) or authorization.startswith("AWS "):
        raise Refused("version-2")
    if not authorization:
        raise Refused("none")
    return _from_header(authorization), False


def _from_query(found: Mapping[str, str], names: Sequence[str]) -> Mapping[str, str]:
    if missing := [name for name in _IN_QUERY if not found.get(name)]:
        raise Refused(
            "query",
            f"Query-string authentication version 4 requires the {', '.join(_IN_QUERY)} parameters; {missing[0]} is missing.",
        )
    if twice := [name for name in names if name.startswith("X-Amz-") and names.count(name) > 1]:
        raise Refused("query", f"The parameter {twice[0]} is there more than once.")
    if found["X-Amz-Algorithm"] != ALGORITHM:
        raise Refused("query", f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    expires = found["X-Amz-Expires"]
    if not re.fullmatch("[0-9]{1,9}", expires):
        raise Refused("query", "X-Amz-Expires should be a number")
    if not 0 < int(expires) <= LONGEST_EXPIRY:
        raise Refused("query", f"X-Amz-Expires must be between 1 and {LONGEST_EXPIRY} seconds (a week)")
    parts = {name.removeprefix("X-Amz-"): found[name] for name in _IN_QUERY}
    token = found.get("X-Amz-Security-Token")
    return parts if token is None else {**parts, "Security-Token": token or "none"}


def _from_header(authorization: str) -> Mapping[str, str]:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise Refused("incomplete", f"Unsupported AWS 'algorithm': '{algorithm[:40]}'.")
    pairs = [each.strip().partition("=") for each in rest.split(",")]
    parts = {name: value for name, _, value in pairs}
    if len(parts) != len(pairs) or (missing := [name for name in _PARAMETERS if not parts.get(name)]):
        raise Refused(
            "incomplete",
            " ".join(
                f"Authorization header requires '{name}' parameter."
                for name in (missing if len(parts) == len(pairs) else _PARAMETERS)
            ),
        )
    return parts


def _credential(text: str) -> list[str]:
    parts = text.split("/")
    if len(parts) != 5 or not all(parts):
        raise Refused(
            "incomplete",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
        )
    return parts


def _time(stated: str, request: Unproved) -> tuple[str, datetime]:
    """Return the time that was signed, as text and as a datetime."""
    stated = stated or request.header("x-amz-date")
    try:
        at = _instant(stated) if stated else parsedate_to_datetime(request.header("date"))
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        at = datetime.min.replace(tzinfo=UTC)
    if not 2000 <= at.year < 9000:  # beyond that Python can't count days on
        raise Refused("date", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    return at.strftime(_TIME), at


def _instant(text: str) -> datetime:
    if not re.fullmatch("[0-9]{8}T[0-9]{6}Z", text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def _check_time(at: datetime, now: datetime, expires: str | None) -> None:
    if expires is not None:
        if now < at - SKEW:
            raise Refused("presigned-early")
        if now > at + timedelta(seconds=int(expires)):
            raise Refused("presigned-late", Expires=iso(at + timedelta(seconds=int(expires))), ServerTime=iso(now))
    elif now > at + SKEW:
        old = f"{at:{_TIME}} is now earlier than {now - SKEW:{_TIME}} ({now:{_TIME}} - 15 min.)"
        raise Refused("skewed", f"Signature expired: {old}", RequestTime=f"{at:{_TIME}}", ServerTime=iso(now))
    elif now < at - SKEW:
        new = f"{at:{_TIME}} is still later than {now + SKEW:{_TIME}} ({now:{_TIME}} + 15 min.)"
        raise Refused("skewed", f"Signature not yet current: {new}", RequestTime=f"{at:{_TIME}}", ServerTime=iso(now))


def iso(at: datetime) -> str:
    """Return the time as S3's errors write it."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _check_headers(signed: Sequence[str], request: Unproved, *, needs_date: bool) -> None:
    """Raise Refused unless everything that changes the request's meaning is signed: the host, the time, and AWS's own headers."""
    there = {name.decode("latin-1") for name, _ in request.headers}
    needed = {"host", *(name for name in there if name.startswith("x-amz-"))}
    needed |= {"date"} if needs_date and "x-amz-date" not in there else set()
    if missing := sorted(needed - set(signed)):
        raise Refused(
            "unsigned-headers",
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(missing),
        )
    if list(signed) != sorted(set(signed)):
        raise Refused("incomplete", "SignedHeaders must be in small letters, in order, each once.")


# ---- the canonical form ------------------------------------------------------------------------------------------------


def canonical_path(path: bytes, *, s3: bool) -> bytes:
    """Return the path in canonical form. S3: the key's bytes, encoded once. Elsewhere: the encoded path without dots, encoded again."""
    if s3:
        return quote(unquote_to_bytes(path), safe="/-_.~").encode()
    names: list[bytes] = []
    for name in path.split(b"/"):
        if name == b"..":
            names = names[:-1]
        elif name not in (b"", b"."):
            names.append(name)
    last = b"/" if path.endswith(b"/") and names else b""
    return quote(b"/" + b"/".join(names) + last, safe="/-_.~").encode()


def canonical_query(query: bytes, *, without: bytes | None = None) -> bytes:
    """Return the query in canonical form: parameters decoded and encoded again, sorted by name and value."""
    pairs = sorted((_encoded(name), _encoded(value)) for name, value in parameters(query))
    return b"&".join(name + b"=" + value for name, value in pairs if name != without)


def parameters(query: bytes) -> list[tuple[bytes, bytes]]:
    """Return the names and values of a query, as they came."""
    return [(name, value) for name, _, value in (each.partition(b"=") for each in query.split(b"&") if each)]


def _encoded(text: bytes) -> bytes:
    return quote(unquote_to_bytes(text.replace(b"+", b" ")), safe="-_.~").encode()
