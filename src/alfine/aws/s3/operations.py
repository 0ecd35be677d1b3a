"""The operations of S3 on buckets and objects: one function per operation; the table in app.py calls them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from email.utils import format_datetime
from urllib.parse import parse_qsl, quote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from alfine.aws.s3 import xml
from alfine.aws.s3.request import (
    CHECKSUM,
    Checks,
    S3Request,
    byte_range,
    check_conditions,
    known,
    unquoted_source,
    write_condition,
)
from alfine.aws.s3.xml import element
from alfine.programs.data.buckets.bucket_store import MD5, PIECE_BYTES, BucketStore, ObjectWriter
from alfine.programs.data.buckets.errors import S3Error
from alfine.programs.data.buckets.multipart_uploads import UploadedPart
from alfine.programs.data.buckets.objects import DEFAULT_CONTENT_TYPE, Metadata, Object

MAX_KEYS = 1000
"""Largest number of keys per list and per DeleteObjects."""

MAX_BUCKETS = 10_000
MAX_OBJECT_BYTES = 5 << 40
MAX_METADATA_BYTES = 2 << 10
_KEPT_HEADERS = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
# Requests with these headers are refused: ignoring them would do something else than was asked.
_REFUSED_HEADERS = ("x-amz-server-side-encryption-customer-", "x-amz-object-lock-", "x-amz-write-offset-bytes")
_CONDITIONS_OF_DELETE = ("if-match", "x-amz-if-match-last-modified-time", "x-amz-if-match-size")
UNCONDITIONAL = "Deleting can't be made conditional here."
FIRST_REGION = "us-east-1"
"""The region of buckets for which a request names none. There CreateBucket succeeds again for a bucket of the caller's own."""

_OWNER = element("Owner", element("ID", "alfine"), element("DisplayName", "alfine"))

Operation = Callable[[BucketStore, S3Request], Awaitable[Response]]


# Buckets


async def list_buckets(store: BucketStore, request: S3Request) -> Response:
    """ListBuckets."""
    query = request.query
    prefix, region = query.get("prefix", ""), query.get("bucket-region")
    limit, after = request.number("max-buckets", MAX_BUCKETS), _from_token(query.get("continuation-token", ""))
    buckets = sorted(await asyncio.to_thread(store.buckets), key=lambda bucket: bucket.name)
    asked = [
        bucket
        for bucket in buckets
        if bucket.name.startswith(prefix) and bucket.name > after and region in (None, bucket.region)
    ]
    shown = asked[:limit]
    found = [
        element(
            "Bucket",
            element("Name", bucket.name),
            element("CreationDate", xml.time(bucket.created_at)),
            element("BucketRegion", bucket.region),
        )
        for bucket in shown
    ]
    more = element("ContinuationToken", _to_token(shown[-1].name)) if shown and len(shown) < len(asked) else ""
    named = element("Prefix", prefix) if prefix else ""
    return answer("ListAllMyBucketsResult", _OWNER, element("Buckets", found), more, named)


async def create_bucket(store: BucketStore, request: S3Request) -> Response:
    """CreateBucket. As on AWS, in us-east-1 it succeeds for a bucket that is there already."""
    region = FIRST_REGION
    if body := await request.document():
        region = xml.parse(body, "CreateBucketConfiguration").findtext("LocationConstraint") or region
    try:
        await asyncio.to_thread(store.create_bucket, request.bucket, region)
    except S3Error as error:
        there = error.code == "BucketAlreadyOwnedByYou" and region == FIRST_REGION
        if not there or (await asyncio.to_thread(store.bucket, request.bucket)).region != FIRST_REGION:
            raise
    return Response(headers={"location": f"/{request.bucket}"})


async def head_bucket(store: BucketStore, request: S3Request) -> Response:
    """HeadBucket."""
    bucket = await asyncio.to_thread(store.bucket, request.bucket)
    return Response(headers={"x-amz-bucket-region": bucket.region, "content-type": "application/xml"})


async def delete_bucket(store: BucketStore, request: S3Request) -> Response:
    """DeleteBucket."""
    await asyncio.to_thread(store.delete_bucket, request.bucket)
    return Response(status_code=204)


async def get_bucket_location(store: BucketStore, request: S3Request) -> Response:
    """GetBucketLocation."""
    region = (await asyncio.to_thread(store.bucket, request.bucket)).region
    return answer("LocationConstraint", "" if region == FIRST_REGION else region)


async def get_bucket_versioning(store: BucketStore, request: S3Request) -> Response:
    """GetBucketVersioning: versioning is never enabled."""
    await asyncio.to_thread(store.bucket, request.bucket)
    return answer("VersioningConfiguration")  # never enabled


# Lists


async def list_objects(store: BucketStore, request: S3Request) -> Response:
    """ListObjectsV2, and ListObjects without `list-type=2`."""
    query = request.query
    second = query.get("list-type") == "2"
    name = namer(request)
    limit = min(request.number("max-keys", MAX_KEYS), MAX_KEYS)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token, marker = query.get("continuation-token", ""), query.get("marker", "")
    after = (_from_token(token) or query.get("start-after", "")) if second else marker
    page = await asyncio.to_thread(store.page, request.bucket, prefix, delimiter=delimiter, after=after, limit=limit)
    head = [element("Name", request.bucket), element("Prefix", name(prefix)), element("MaxKeys", limit)]
    head += [element("Delimiter", name(delimiter))] if delimiter else []
    head += [element("EncodingType", "url")] if "encoding-type" in query else []
    head += [element("IsTruncated", page.last is not None)]
    if second:
        head += [element("KeyCount", len(page.objects) + len(page.prefixes))]
        head += [element("ContinuationToken", token)] if token else []
        head += [element("StartAfter", name(query["start-after"]))] if "start-after" in query else []
        head += [element("NextContinuationToken", _to_token(page.last))] if page.last is not None else []
    else:
        head += [element("Marker", name(marker))]
        head += [element("NextMarker", name(page.last))] if page.last is not None and delimiter else []
    owner = _OWNER if not second or query.get("fetch-owner") == "true" else ""
    contents = [_content(each, name(each.key), owner) for each in page.objects]
    prefixes = [element("CommonPrefixes", element("Prefix", name(each))) for each in page.prefixes]
    return answer("ListBucketResult", head, contents, prefixes)


def _content(found: Object, name: str, owner: str) -> xml.Markup:
    """Return the XML of one object in a list, without `element`, which is slow for a thousand of them."""
    checksums = "".join(f"<ChecksumAlgorithm>{kind.upper()}</ChecksumAlgorithm>" for kind in found.metadata.checksums)
    return xml.Markup(
        f"<Contents><Key>{xml.text(name)}</Key><LastModified>{xml.time(found.modified_at)}</LastModified>"
        f"<ETag>&quot;{found.etag}&quot;</ETag>{checksums}<Size>{found.size}</Size>"
        f"<StorageClass>STANDARD</StorageClass>{owner}</Contents>"
    )


def namer(request: S3Request) -> Callable[[str], str]:
    """Return the function that writes keys in an answer: URL-encoded when the request asks for that."""
    encoding = request.query.get("encoding-type")
    if encoding not in (None, "url"):
        raise S3Error("InvalidArgument", "Invalid Encoding Method specified in Request")
    if encoding is None:
        return str
    return lambda text: quote(text, safe="/", errors="surrogateescape")


def _to_token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode(errors="surrogateescape")).decode("ascii")


def _from_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode(errors="surrogateescape")
    except (binascii.Error, ValueError):
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect") from None


# Objects


class ObjectResponse(Response):
    """A response that streams a part of an open file and closes it."""

    def __init__(self, descriptor: int, begin: int, end: int, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(status_code=status, headers={**headers, "content-length": str(end - begin)})
        self._descriptor, self._begin, self._end = descriptor, begin, end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 # ASGI
        gone = asyncio.create_task(_gone(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            at = self._begin
            while at < self._end and not gone.done():
                data = await asyncio.to_thread(os.pread, self._descriptor, min(PIECE_BYTES, self._end - at), at)
                if not data:  # somebody has cut the file by hand: the client sees a body too short
                    break
                at += len(data)
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            os.close(self._descriptor)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def get_object(store: BucketStore, request: S3Request) -> Response:
    """GetObject and HeadObject."""
    _check_version(request)
    if "partNumber" in request.query:
        raise S3Error("NotImplemented", "Objects can't be read by part number here. Use Range.")
    descriptor, found = await asyncio.to_thread(store.open, request.bucket, request.key)
    try:
        headers = _object_headers(found, request)
        try:
            check_conditions(request.headers, found)
        except S3Error as error:
            if error.code != "NotModified":
                raise
            os.close(descriptor)
            return Response(
                status_code=304, headers={"etag": headers["etag"], "last-modified": headers["last-modified"]}
            )
        wanted = byte_range(request.headers.get("range"), found.size)
        if wanted is None and request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            headers |= {f"{CHECKSUM}{name}": value for name, value in found.metadata.checksums.items()}
            headers |= {f"{CHECKSUM}type": found.metadata.checksum_type} if found.metadata.checksums else {}
    except BaseException:
        os.close(descriptor)
        raise
    begin, end = wanted or (0, found.size)
    if wanted is not None:
        headers["content-range"] = f"bytes {begin}-{end - 1}/{found.size}"
    status = 200 if wanted is None else 206
    if request.method == "HEAD":
        os.close(descriptor)
        return Response(status_code=status, headers={**headers, "content-length": str(end - begin)})
    return ObjectResponse(descriptor, begin, end, status, headers)


def _object_headers(found: Object, request: S3Request) -> dict[str, str]:
    metadata = found.metadata
    headers = {
        "etag": f'"{found.etag}"',
        "last-modified": format_datetime(found.modified_at, usegmt=True),
        "accept-ranges": "bytes",
        "content-type": metadata.content_type,
        **metadata.headers,
        **{f"x-amz-meta-{name}": value for name, value in metadata.user.items()},
    }
    if metadata.tagging:
        headers["x-amz-tagging-count"] = str(len(parse_qsl(metadata.tagging, keep_blank_values=True)))
    for name in ("content-type", *_KEPT_HEADERS):  # presigned URLs say what the browser shall make of it
        if (override := request.query.get(f"response-{name}")) is not None:
            headers[name] = _header_value(f"response-{name}", override)
    return headers


def _header_value(parameter: str, text: str) -> str:
    """Return the text as the value of a header, without line ends; raise S3Error for other control characters."""
    value = text.encode("latin-1", "replace").decode("latin-1").translate({10: None, 13: None})
    if _CONTROL.search(value):
        raise S3Error("InvalidArgument", "A header can't have this value.", ArgumentName=parameter)
    return value.strip()


async def put_object(store: BucketStore, request: S3Request) -> Response:
    """PutObject."""
    metadata = metadata_of(request)
    condition = write_condition(request.headers, request.key)
    checks = Checks(request.headers)
    check_size(request)
    writer = await asyncio.to_thread(store.writer, request.bucket, checks.algorithms)
    try:
        await request.into(writer, checks)
        checksums = {name: writer.digests.base64(name) for name in checks.kept}
        metadata = replace(metadata, etag=writer.md5, checksums=checksums)
        found = await asyncio.to_thread(writer.commit, request.key, metadata, condition)
    finally:
        await asyncio.to_thread(writer.close)
    headers = {"etag": f'"{found.etag}"', **{f"{CHECKSUM}{name}": value for name, value in checksums.items()}}
    return Response(headers=headers | ({f"{CHECKSUM}type": "FULL_OBJECT"} if checksums else {}))


async def copy_object(store: BucketStore, request: S3Request) -> Response:
    """CopyObject."""
    headers = request.headers
    source = unquoted_source(headers["x-amz-copy-source"])
    given = metadata_of(request)
    replaced = headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
    retagged = headers.get("x-amz-tagging-directive", "COPY").upper() == "REPLACE"
    if source == (request.bucket, request.key) and not replaced:
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    condition = write_condition(headers, request.key)
    algorithm = headers.get("x-amz-checksum-algorithm")

    def copy() -> Object:
        descriptor, found = store.open(*source)
        try:
            check_conditions(headers, found, "x-amz-copy-source-")
            kept = frozenset({known(algorithm)} if algorithm else found.metadata.checksums)
            metadata = given if replaced else found.metadata
            metadata = replace(metadata, tagging=given.tagging if retagged else found.metadata.tagging)
            with store.writer(request.bucket, kept | MD5) as writer:
                copy_bytes(descriptor, 0, found.size, writer)
                metadata = replace(
                    metadata,
                    etag=writer.md5,
                    checksum_type="FULL_OBJECT",
                    checksums={name: writer.digests.base64(name) for name in sorted(kept)},
                )
                return writer.commit(request.key, metadata, condition)
        finally:
            os.close(descriptor)

    return copied("CopyObjectResult", await asyncio.to_thread(copy))


def copy_bytes(descriptor: int, begin: int, end: int, writer: ObjectWriter) -> None:
    """Copy the bytes from `begin` up to `end` of a file into a writer."""
    while begin < end and (data := os.pread(descriptor, min(PIECE_BYTES, end - begin), begin)):
        writer.write(data)
        begin += len(data)


def copied(tag: str, made: Object | UploadedPart) -> Response:
    """Return the answer about a copy."""
    checksums = made.metadata.checksums if isinstance(made, Object) else made.checksums
    return answer(
        tag,
        element("LastModified", xml.time(made.modified_at)),
        element("ETag", f'"{made.etag}"'),
        [element(f"Checksum{name.upper()}", value) for name, value in checksums.items()],
    )


async def delete_object(store: BucketStore, request: S3Request) -> Response:
    """DeleteObject."""
    _check_version(request)
    if any(name in request.headers for name in _CONDITIONS_OF_DELETE):
        raise S3Error("NotImplemented", UNCONDITIONAL)
    await asyncio.to_thread(store.delete, request.bucket, request.key)
    return Response(status_code=204)


async def delete_objects(store: BucketStore, request: S3Request) -> Response:
    """DeleteObjects."""
    asked = xml.parse(await request.document(), "Delete")
    keys = [node.findtext("Key") or "" for node in asked.iter("Object")]
    if not keys or len(keys) > MAX_KEYS or "" in keys:
        raise S3Error("MalformedXML")
    if any(node.findtext("VersionId") not in (None, "", "null") for node in asked.iter("Object")):
        raise S3Error("NotImplemented", "Objects have no versions here.")
    if any(
        node.find(name) is not None for node in asked.iter("Object") for name in ("ETag", "LastModifiedTime", "Size")
    ):
        raise S3Error("NotImplemented", UNCONDITIONAL)
    await asyncio.to_thread(store.delete, request.bucket, *keys)
    quiet = (asked.findtext("Quiet") or "").strip().lower() == "true"
    return answer("DeleteResult", [] if quiet else [element("Deleted", element("Key", key)) for key in keys])


async def get_object_tagging(store: BucketStore, request: S3Request) -> Response:
    """GetObjectTagging."""
    found = await asyncio.to_thread(store.find, request.bucket, request.key)
    tags = parse_qsl(found.metadata.tagging, keep_blank_values=True)
    written = [element("Tag", element("Key", key), element("Value", value)) for key, value in tags]
    return answer("Tagging", element("TagSet", written))


# What they share


def metadata_of(request: S3Request) -> Metadata:
    """Return the metadata that a request gives the object that it makes; the ETag and checksums come with the bytes."""
    headers = request.headers
    for name in headers:
        if name.startswith(_REFUSED_HEADERS):
            raise S3Error("NotImplemented", f"The header {name} asks for what isn't implemented.", Header=name)
    kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
    encodings = [each.strip() for each in kept.pop("content-encoding", "").split(",")]
    if encoding := ",".join(each for each in encodings if each not in ("", "aws-chunked")):
        kept["content-encoding"] = encoding
    user = {
        name.removeprefix("x-amz-meta-"): value for name, value in headers.items() if name.startswith("x-amz-meta-")
    }
    if sum(len(name) + len(value) for name, value in user.items()) > MAX_METADATA_BYTES:
        raise S3Error("MetadataTooLarge", MaxSizeAllowed=MAX_METADATA_BYTES)
    return Metadata(
        etag="",
        content_type=headers.get("content-type") or DEFAULT_CONTENT_TYPE,
        headers=kept,
        user=user,
        tagging=headers.get("x-amz-tagging", ""),
    )


def check_size(request: S3Request) -> None:
    """Raise S3Error EntityTooLarge for more bytes than S3 takes in one request."""
    declared = request.headers.get("x-amz-decoded-content-length") or request.headers.get("content-length") or "0"
    if declared.isdigit() and int(declared) > MAX_OBJECT_BYTES:
        raise S3Error("EntityTooLarge", MaxSizeAllowed=MAX_OBJECT_BYTES)


def _check_version(request: S3Request) -> None:
    version = request.query.get("versionId", "null")
    if version != "null":
        raise S3Error("NoSuchVersion", Key=request.key, VersionId=version)


def answer(tag: str, *contents: xml.Content) -> Response:
    """Return an XML answer."""
    return Response(xml.document(tag, *contents), headers={"content-type": "application/xml"})
