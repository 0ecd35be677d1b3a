"""One request to S3: what it is about, its body on the way into a file, and all checks of that body."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from alfine.aws.auth.sigv4 import CHAIN, Chain
from alfine.programs.data.buckets.bucket_store import PIECE_BYTES, Condition, ObjectWriter
from alfine.programs.data.buckets.checksums import ALGORITHMS, Digests, is_digest
from alfine.programs.data.buckets.errors import S3Error
from alfine.programs.data.buckets.objects import Object

MAX_DOCUMENT_BYTES = 8 << 20
"""Largest document: 1,000 keys of 1,024 bytes, each byte as six characters of XML, and some room."""

MAX_CHUNK_LINE_BYTES = 8 << 10
CHECKSUM = "x-amz-checksum-"
SHA256 = "x-amz-content-sha256"
TRAILER_SIGNATURE = "x-amz-trailer-signature"
# What follows the name of a checksum's header and is not an algorithm.
_NOT_ALGORITHMS = {"mode", "type", "algorithm"}
# A query by one of these names asks for something other than the bucket or object itself.
SUBRESOURCES = frozenset(
    [
        *("accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering"),
        *("inventory", "legal-hold", "lifecycle", "location", "logging", "metrics", "notification", "object-lock"),
        *("ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment"),
        *("restore", "retention", "select", "session", "tagging", "torrent", "uploadId", "uploads", "versioning"),
        *("versions", "website", "append", "renameObject", "metadataTable", "metadataConfiguration", "abac"),
    ]
)


class S3Request:
    """One request.

    Attributes:
        bucket: The bucket; "" when the request names none.
        key: The key; "" when the request names none. Bytes that aren't UTF-8 are lone surrogates.
    """

    def __init__(self, scope: Scope, receive: Receive, domains: tuple[str, ...]) -> None:
        self._request = Request(scope, receive)
        self._receive = receive
        self.headers: Headers = self._request.headers
        self.method: str = scope["method"]
        self.path: str = _text(scope.get("raw_path") or scope["path"].encode(errors="surrogateescape"))
        query = scope["query_string"].decode("latin-1")
        self.query: Mapping[str, str] = dict(parse_qsl(query, keep_blank_values=True, errors="surrogateescape"))
        root = scope.get("root_path", "")
        path = self.path.removeprefix(root) if root else self.path
        bucket = bucket_of_host(self.headers.get("host", ""), domains)
        if bucket:
            self.bucket, self.key = bucket, path.removeprefix("/")
        else:
            self.bucket, _, self.key = path.removeprefix("/").partition("/")
        self._chain: Chain | None = scope.get(CHAIN)
        self._read = False

    @property
    def level(self) -> str:
        """Return what the request is about: the service, a bucket, or an object."""
        return "object" if self.key else "bucket" if self.bucket else "service"

    @property
    def subresource(self) -> str:
        """The query parameter that names a subresource, such as `tagging`; "" without one."""
        return next((name for name in self.query if name in SUBRESOURCES), "")

    def number(self, name: str, default: int) -> int:
        """Return a query parameter as a number. Raise S3Error InvalidArgument for anything else."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise S3Error("InvalidArgument", f"Provided {name} not an integer or within integer range")
        return int(text)

    # The body

    async def document(self, *, checked: bool = True) -> bytes:
        """Return a small body as a whole, checked against its hash.

        Args:
            checked: Check it against the checksums in the headers, too.
        """
        body = bytearray()

        async def take(data: bytes) -> None:
            body.extend(data)
            if len(body) > MAX_DOCUMENT_BYTES:
                raise S3Error("MaxMessageLengthExceeded")

        trailers = await self._pour(take)
        checks = Checks(self.headers) if checked else Checks(Headers({SHA256: self.headers.get(SHA256, "")}))
        digests = Digests(checks.algorithms)
        digests.update(bytes(body))
        checks.verify(digests, trailers if checked else {})
        return bytes(body)

    async def into(self, writer: ObjectWriter, checks: Checks) -> None:
        """Write the body into the writer piece by piece, then check it. The file is written in threads."""
        pending = bytearray()

        async def take(data: bytes) -> None:
            pending.extend(data)
            if len(pending) >= PIECE_BYTES:
                await asyncio.to_thread(writer.write, bytes(pending))
                pending.clear()

        trailers = await self._pour(take)
        if pending:
            await asyncio.to_thread(writer.write, bytes(pending))
        checks.verify(writer.digests, trailers)

    async def _pour(self, take: Callable[[bytes], Awaitable[None]]) -> Mapping[str, str]:
        """Pass on the body's bytes, taken out of their chunks if it is aws-chunked. Return the trailers."""
        chunks = Chunks(self._chain) if self.is_chunked else None
        size = 0
        self._read = True
        try:
            async for data in self._request.stream():
                payload = chunks.feed(data) if chunks else data
                size += len(payload)
                await take(payload)
        except ClientDisconnect:
            raise S3Error("IncompleteBody") from None
        declared = self.headers.get("x-amz-decoded-content-length" if chunks else "content-length")
        if (chunks and not chunks.whole) or (declared is not None and declared != str(size)):
            raise S3Error("IncompleteBody")
        return chunks.trailers if chunks else {}

    @property
    def is_chunked(self) -> bool:
        """Return whether the body is aws-chunked."""
        return self.headers.get(SHA256, "").startswith("STREAMING-") or "aws-chunked" in (
            self.headers.get("content-encoding", "")
        )

    async def drain(self) -> None:
        """Read a little of a body that nobody wanted, so that its sender reads the answer."""
        if self._read:
            return
        read = 0
        while read < PIECE_BYTES:
            message = await self._receive()
            read += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return


class Checks:
    """Every checksum that a request declares for its body, in headers or in trailers that follow."""

    def __init__(self, headers: Headers) -> None:
        self._md5 = headers.get("content-md5")
        self._sha256 = headers.get(SHA256, "")
        if not re.fullmatch("[0-9a-f]{64}", self._sha256):
            self._sha256 = ""
        self.sent = sent_checksums(headers)
        self._trailing = _algorithms(headers.get("x-amz-trailer", ""))
        if self._md5 is not None and not is_digest("md5", self._md5):
            raise S3Error("InvalidDigest", "The Content-MD5 you specified is not valid.")

    @property
    def kept(self) -> tuple[str, ...]:
        """The algorithms whose checksums the object keeps."""
        return tuple(sorted({*self.sent, *self._trailing}))

    @property
    def algorithms(self) -> frozenset[str]:
        """All algorithms that the body is digested with."""
        return frozenset({*self.kept, *({"sha256"} if self._sha256 else ()), "md5"})

    def verify(self, digests: Digests, trailers: Mapping[str, str]) -> None:
        """Raise S3Error unless the digests are the declared ones."""
        sent = {**self.sent, **sent_checksums(trailers)}
        for name, value in sent.items():
            if name not in self.kept:
                raise S3Error("InvalidRequest", f"The trailer {CHECKSUM}{name} was not declared in x-amz-trailer.")
            if digests.base64(name) != value:
                raise S3Error("BadDigest", f"The {name.upper()} you specified did not match the calculated checksum.")
        if missing := self._trailing - sent.keys():
            raise S3Error("InvalidRequest", f"The trailer {CHECKSUM}{min(missing)} was declared but not sent.")
        if self._md5 is not None and digests.base64("md5") != self._md5:
            raise S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.")
        if self._sha256 and digests["sha256"].hex() != self._sha256:
            raise S3Error("XAmzContentSHA256Mismatch")


def sent_checksums(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the checksums in the headers, in base64, by algorithm. Raise S3Error for one that can't be a checksum of its algorithm."""
    sent = {}
    for name, value in headers.items():
        algorithm = name.removeprefix(CHECKSUM)
        if algorithm == name or algorithm in _NOT_ALGORITHMS:
            continue
        if not is_digest(known(algorithm), value.partition("-")[0]):
            raise S3Error("InvalidRequest", f"Value for {name} header is invalid.")
        sent[algorithm] = value
    return sent


def known(algorithm: str) -> str:
    """Return the algorithm in small letters. Raise S3Error for an unknown one."""
    if algorithm.lower() not in ALGORITHMS:
        raise S3Error("NotImplemented", f"No checksums by {algorithm} here; there are {', '.join(ALGORITHMS)}.")
    return algorithm.lower()


def _algorithms(trailer: str) -> set[str]:
    names = {name.strip().lower() for name in trailer.split(",")}
    return {known(name.removeprefix(CHECKSUM)) for name in names if name.startswith(CHECKSUM)}


class Chunks:
    """The decoder of aws-chunked: `<hex size>[;chunk-signature=…]`, the bytes, …, a chunk of size 0, then trailers.

    Args:
        chain: What the signatures of the chunks and the trailers are compared with; without one they are skipped.
    """

    def __init__(self, chain: Chain | None = None) -> None:
        self.trailers: dict[str, str] = {}
        self._chain = chain
        self._before = chain.seed if chain else ""
        self._signature = ""  # of this chunk, as its header says
        self._hash = hashlib.sha256()
        self._is_signed = False  # the trailers
        self.complete = False
        self._ended = False
        self._buffer = bytearray()
        self._left = 0  # of this chunk's bytes
        self._at_end_of_chunk = False

    @property
    def whole(self) -> bool:
        """Return whether the whole announced body has come and every signature was right."""
        return self.complete and (self._chain is None or not self._chain.trailers or self._is_signed)

    def feed(self, data: bytes) -> bytes:
        """Return the content of the next bytes of the body."""
        self._buffer += data
        payload = bytearray()
        while not self._ended:
            if self._left:
                taken = self._buffer[: self._left]
                if not taken:
                    break
                payload += taken
                if self._chain:
                    self._hash.update(taken)
                del self._buffer[: len(taken)]
                self._left -= len(taken)
                self._at_end_of_chunk = True
            elif (line := self._line()) is None:
                break
            elif self._at_end_of_chunk:
                if line:
                    raise S3Error("InvalidRequest", "A chunk is longer than it says.")
                self._at_end_of_chunk = False
                self._check_chunk()
            elif self.complete:
                self._trailer(line)
            else:
                self._left = self._size(line)
                if not self._left:
                    self._check_chunk()
                    self.complete = True
        return bytes(payload)

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n", 0, MAX_CHUNK_LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_CHUNK_LINE_BYTES:
                raise S3Error("InvalidRequest", "A chunk's header is too long.")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _size(self, line: bytes) -> int:
        size, _, extension = line.partition(b";")
        size, self._signature = size.strip(), extension.decode("latin-1").removeprefix("chunk-signature=").strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,12}", size):
            raise S3Error("InvalidRequest", "A chunk's header has no size.")
        return int(size, 16)

    def _check_chunk(self) -> None:
        if self._chain is None:
            return
        wanted = self._chain.chunk(self._before, self._hash.hexdigest())
        _check_signature(wanted, self._signature)
        self._before, self._hash = wanted, hashlib.sha256()

    def _trailer(self, line: bytes) -> None:
        name, _, value = line.decode("latin-1").partition(":")
        if not line:
            self._ended = True
        elif self._chain and not self._chain.trailers:
            raise S3Error("InvalidRequest", "Trailers were not announced by x-amz-content-sha256.")
        elif self._chain and name.strip().lower() == TRAILER_SIGNATURE:
            said = "".join(f"{name}:{value}\n" for name, value in self.trailers.items())
            _check_signature(self._chain.trailer(self._before, said.encode("latin-1")), value.strip())
            self._is_signed = self._ended = True
        else:
            self.trailers[name.strip().lower()] = value.strip()
            self._ended = len(self.trailers) > 16


def _check_signature(wanted: str, said: str) -> None:
    if not hmac.compare_digest(wanted.encode(), said.encode()):
        raise S3Error("SignatureDoesNotMatch")


# Conditions


def check_conditions(headers: Mapping[str, str], found: Object, prefix: str = "") -> None:
    """Raise S3Error unless the conditions in the headers (If-Match, …) hold for the object that was found.

    Args:
        headers: The request's headers.
        found: The object.
        prefix: `x-amz-copy-source-` for the source of a copy, which is refused, never «not modified».
    """
    match, none_match = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    if match is not None:
        if not _names(match, found.etag):
            raise S3Error("PreconditionFailed", Condition="If-Match")
    elif (since := _date(headers.get(f"{prefix}if-unmodified-since"))) is not None and found.modified_at > since:
        raise S3Error("PreconditionFailed", Condition="If-Unmodified-Since")
    if none_match is not None:
        changed = not _names(none_match, found.etag)
    else:
        since = _date(headers.get(f"{prefix}if-modified-since"))
        changed = since is None or found.modified_at > since
    if not changed:
        raise S3Error("PreconditionFailed" if prefix else "NotModified")


def write_condition(headers: Mapping[str, str], key: str) -> Condition | None:
    """Return the condition under which the request may replace an object; None without one."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if match is None and none_match is None:
        return None
    if none_match not in (None, "*"):
        raise S3Error("NotImplemented", "A write can be made conditional on If-None-Match: * only.")

    def check(found: Object | None) -> None:
        if none_match is not None and found is not None:
            raise S3Error("PreconditionFailed", Condition="If-None-Match")
        if match is not None and found is None:
            raise S3Error("NoSuchKey", Key=key)
        if match is not None and found is not None and not _names(match, found.etag):
            raise S3Error("PreconditionFailed", Condition="If-Match")

    return check


def _names(header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or etag in tags


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return date.replace(tzinfo=date.tzinfo or UTC) if date else None


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return (first, one past the last) of the bytes asked for; None for all of them, also when the header makes no sense."""
    found = re.fullmatch(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})", header or "", re.ASCII)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first and last and int(last) < int(first):
        return None
    begin = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1 if first and last else size)
    if begin >= end:
        raise S3Error("InvalidRange", RangeRequested=header or "", ActualObjectSize=size)
    return begin, end


def _text(raw: bytes) -> str:
    return unquote_to_bytes(raw).decode(errors="surrogateescape")


def bucket_of_host(host: str, domains: tuple[str, ...]) -> str:
    """Return the bucket that a Host header names; "" when the path names it."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    for domain in domains:
        if name.endswith(f".{domain}"):
            return name.removesuffix(f".{domain}")
    return ""


def unquoted_source(header: str) -> tuple[str, str]:
    """Return (bucket, key) of `x-amz-copy-source`."""
    path, _, version = header.partition("?versionId=")
    bucket, _, key = _text(path.encode("latin-1")).removeprefix("/").partition("/")
    if not bucket or not key:
        raise S3Error("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    if version not in ("", "null"):
        raise S3Error("NoSuchVersion", Key=key, VersionId=version)
    return bucket, key
