"""The operations of S3 on multipart uploads."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from urllib.parse import quote
from xml.etree.ElementTree import Element

from starlette.responses import Response

from alfine.aws.s3 import xml
from alfine.aws.s3.operations import MAX_KEYS, answer, check_size, copied, copy_bytes, metadata_of, namer
from alfine.aws.s3.request import (
    CHECKSUM,
    Checks,
    S3Request,
    byte_range,
    check_conditions,
    known,
    sent_checksums,
    unquoted_source,
    write_condition,
)
from alfine.aws.s3.xml import element
from alfine.programs.data.buckets.bucket_store import MD5, BucketStore
from alfine.programs.data.buckets.checksums import FULL_OBJECT_BY_DEFAULT
from alfine.programs.data.buckets.errors import S3Error
from alfine.programs.data.buckets.multipart_uploads import MAX_PARTS, Upload, UploadedPart, Uploads, Wanted
from alfine.programs.data.buckets.objects import Object


async def create_multipart_upload(store: BucketStore, request: S3Request) -> Response:
    """CreateMultipartUpload."""
    named = request.headers.get("x-amz-checksum-algorithm", "")
    algorithm = known(named) if named else ""
    default = "FULL_OBJECT" if algorithm in FULL_OBJECT_BY_DEFAULT or not algorithm else "COMPOSITE"
    kind = request.headers.get("x-amz-checksum-type", default).upper()
    if kind not in ("FULL_OBJECT", "COMPOSITE"):
        raise S3Error("InvalidRequest", "The checksum type is FULL_OBJECT or COMPOSITE.")
    metadata = replace(metadata_of(request), checksum_type=kind)
    upload = await asyncio.to_thread(Uploads(store).create, request.bucket, request.key, metadata, algorithm)
    written = [element("Bucket", request.bucket), element("Key", request.key), element("UploadId", upload.id)]
    made = answer("InitiateMultipartUploadResult", written)
    if algorithm:
        made.headers["x-amz-checksum-algorithm"] = algorithm.upper()
        made.headers["x-amz-checksum-type"] = kind
    return made


async def upload_part(store: BucketStore, request: S3Request) -> Response:
    """UploadPart and UploadPartCopy."""
    upload, number = await _upload(store, request), request.number("partNumber", 0)
    if not 1 <= number <= MAX_PARTS:
        raise S3Error("InvalidArgument", f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive")
    uploads = Uploads(store)
    of_upload = {upload.algorithm} if upload.algorithm else set()
    if "x-amz-copy-source" in request.headers:
        part = await asyncio.to_thread(_copy_part, store, request, upload, number)
        return copied("CopyPartResult", part)
    checks = Checks(request.headers)
    check_size(request)
    writer = await asyncio.to_thread(store.writer, request.bucket, checks.algorithms | of_upload)
    try:
        await request.into(writer, checks)
        kept = sorted({*checks.kept, *of_upload})
        part = await asyncio.to_thread(uploads.put_part, request.bucket, upload, number, writer, kept)
    finally:
        await asyncio.to_thread(writer.close)
    checksums = {f"{CHECKSUM}{name}": value for name, value in part.checksums.items()}
    return Response(headers={"etag": f'"{part.etag}"', **checksums})


def _copy_part(store: BucketStore, request: S3Request, upload: Upload, number: int) -> UploadedPart:
    kept = [upload.algorithm] if upload.algorithm else []
    descriptor, found = store.open(*unquoted_source(request.headers["x-amz-copy-source"]))
    try:
        check_conditions(request.headers, found, "x-amz-copy-source-")
        begin, end = byte_range(request.headers.get("x-amz-copy-source-range"), found.size) or (0, found.size)
        with store.writer(request.bucket, MD5 | frozenset(kept)) as writer:
            copy_bytes(descriptor, begin, end, writer)
            return Uploads(store).put_part(request.bucket, upload, number, writer, kept)
    finally:
        os.close(descriptor)


async def complete_multipart_upload(store: BucketStore, request: S3Request) -> Response:
    """CompleteMultipartUpload."""
    upload = await _upload(store, request)
    # A checksum in this request's headers is of the object, not of the document in its body.
    expected = {name: value.partition("-")[0] for name, value in sent_checksums(request.headers).items()}
    asked = xml.parse(await request.document(checked=False), "CompleteMultipartUpload")
    wanted = [_wanted(node) for node in asked.findall("Part")]
    if not wanted or len(wanted) > MAX_PARTS:
        raise S3Error("MalformedXML")
    condition = write_condition(request.headers, request.key)

    def complete() -> Object:
        return Uploads(store).complete(request.bucket, upload, wanted, expected=expected, condition=condition)

    found = await asyncio.to_thread(complete)
    checksums = [element(f"Checksum{name.upper()}", value) for name, value in found.metadata.checksums.items()]
    return answer(
        "CompleteMultipartUploadResult",
        element("Location", f"/{request.bucket}/{quote(request.key, errors='surrogateescape')}"),
        element("Bucket", request.bucket),
        element("Key", request.key),
        element("ETag", f'"{found.etag}"'),
        checksums,
        [element("ChecksumType", found.metadata.checksum_type)] if checksums else [],
    )


def _wanted(node: Element) -> Wanted:
    number, etag = node.findtext("PartNumber", "").strip(), node.findtext("ETag", "").strip()
    if not number.isascii() or not number.isdigit() or len(number) > 5 or not etag:
        raise S3Error("MalformedXML")
    sent = {child.tag.removeprefix("Checksum").lower(): (child.text or "").strip() for child in node}
    return Wanted(
        int(number), etag, {name: value for name, value in sent.items() if name not in ("partnumber", "etag")}
    )


async def abort_multipart_upload(store: BucketStore, request: S3Request) -> Response:
    """AbortMultipartUpload."""
    upload = await _upload(store, request)
    await asyncio.to_thread(Uploads(store).abort, request.bucket, upload)
    return Response(status_code=204)


async def list_parts(store: BucketStore, request: S3Request) -> Response:
    """ListParts."""
    upload = await _upload(store, request)
    after, limit = request.number("part-number-marker", 0), min(request.number("max-parts", MAX_KEYS), MAX_KEYS)
    found = [
        each for each in await asyncio.to_thread(Uploads(store).parts, request.bucket, upload) if each.number > after
    ]
    page = found[:limit]
    head = [element("Bucket", request.bucket), element("Key", request.key), element("UploadId", upload.id)]
    head += [element("PartNumberMarker", after), element("MaxParts", limit)]
    head += [element("NextPartNumberMarker", page[-1].number)] if page else []
    head += [element("IsTruncated", len(found) > len(page)), element("StorageClass", "STANDARD")]
    if upload.algorithm:
        head += [element("ChecksumAlgorithm", upload.algorithm.upper())]
        head += [element("ChecksumType", upload.metadata.checksum_type)]
    return answer("ListPartsResult", head, [_part(each) for each in page])


def _part(part: UploadedPart) -> xml.Markup:
    return element(
        "Part",
        element("PartNumber", part.number),
        element("LastModified", xml.time(part.modified_at)),
        element("ETag", f'"{part.etag}"'),
        element("Size", part.size),
        [element(f"Checksum{name.upper()}", value) for name, value in part.checksums.items()],
    )


async def list_multipart_uploads(store: BucketStore, request: S3Request) -> Response:
    """ListMultipartUploads."""
    query, name = request.query, namer(request)
    if query.get("delimiter"):
        raise S3Error("NotImplemented", "Uploads can't be listed with a delimiter here.")
    prefix, limit = query.get("prefix", ""), min(request.number("max-uploads", MAX_KEYS), MAX_KEYS)
    marker, id_marker = query.get("key-marker", ""), query.get("upload-id-marker", "")
    found = await asyncio.to_thread(Uploads(store).under, request.bucket, prefix)
    ids = [each.id for each in found]
    if id_marker in ids:
        found = found[ids.index(id_marker) + 1 :]
    else:
        found = [each for each in found if each.key > marker or (id_marker and each.key == marker)]
    page = found[:limit]
    head = [element("Bucket", request.bucket), element("Prefix", name(prefix)), element("KeyMarker", name(marker))]
    head += [element("EncodingType", "url")] if "encoding-type" in query else []
    head += [element("MaxUploads", limit), element("IsTruncated", len(found) > len(page))]
    if len(found) > len(page) and page:
        head += [element("NextKeyMarker", name(page[-1].key)), element("NextUploadIdMarker", page[-1].id)]
    listed = [
        element(
            "Upload",
            element("Key", name(each.key)),
            element("UploadId", each.id),
            element("Initiated", xml.time(each.initiated_at)),
            element("StorageClass", "STANDARD"),
        )
        for each in page
    ]
    return answer("ListMultipartUploadsResult", head, listed)


async def _upload(store: BucketStore, request: S3Request) -> Upload:
    upload_id = request.query.get("uploadId", "")
    return await asyncio.to_thread(Uploads(store).find, request.bucket, request.key, upload_id)
