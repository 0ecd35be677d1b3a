"""The ASGI application for every bucket of a folder, with the table of its operations.

An operation that isn't in the table is answered NotImplemented.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from alfine.aws.s3 import multipart, operations, xml
from alfine.aws.s3.request import S3Request
from alfine.core.unavailable import UNAVAILABLE_CODE, reason_to_try_later
from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.errors import S3Error

DOMAINS = ("localhost",)
"""Hosts that a bucket's name may precede: boto3 writes «bucket.localhost» for an endpoint named localhost."""


_log = logging.getLogger(__name__)


OPERATIONS: Mapping[tuple[str, str, str], operations.Operation] = {
    # method, what it's about, subresource
    ("GET", "service", ""): operations.list_buckets,
    ("PUT", "bucket", ""): operations.create_bucket,
    ("HEAD", "bucket", ""): operations.head_bucket,
    ("DELETE", "bucket", ""): operations.delete_bucket,
    ("GET", "bucket", ""): operations.list_objects,
    ("GET", "bucket", "location"): operations.get_bucket_location,
    ("GET", "bucket", "versioning"): operations.get_bucket_versioning,
    ("GET", "bucket", "uploads"): multipart.list_multipart_uploads,
    ("POST", "bucket", "delete"): operations.delete_objects,
    ("GET", "object", ""): operations.get_object,
    ("HEAD", "object", ""): operations.get_object,
    ("PUT", "object", ""): operations.put_object,
    ("DELETE", "object", ""): operations.delete_object,
    ("GET", "object", "tagging"): operations.get_object_tagging,
    ("POST", "object", "uploads"): multipart.create_multipart_upload,
    ("PUT", "object", "uploadId"): multipart.upload_part,
    ("POST", "object", "uploadId"): multipart.complete_multipart_upload,
    ("DELETE", "object", "uploadId"): multipart.abort_multipart_upload,
    ("GET", "object", "uploadId"): multipart.list_parts,
}


class S3App:
    """Serves the folder's buckets at /bucket/key, and at /key of the host `<bucket>.<domain>`.

    It verifies no signature, no Host and no Origin: the server that it is mounted in does.

    Args:
        account: The account that owns all buckets; without one x-amz-expected-bucket-owner isn't checked.
        elsewhere: The endpoint that s3:// means instead; every request is refused with its name. "": this application is meant.
    """

    def __init__(
        self, folder: Path, domains: tuple[str, ...] = DOMAINS, *, elsewhere: str = "", account: str = ""
    ) -> None:
        self.store = BucketStore(folder)
        self._domains = domains
        self._elsewhere = elsewhere
        self._account = account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = S3Request(scope, receive, self._domains)
        request_id = uuid.uuid4().hex[:16].upper()
        try:
            self._refuse_to_stand_in()
            self._check_owner(request)
            response = await _operation(request)(self.store, request)
        except Exception as error:  # noqa: BLE001 - the rim: whatever went wrong, the client gets S3's answer
            refusal = _refusal(error, request)
            await request.drain()
            response = _answer(refusal, request, request_id)
        response.headers["x-amz-request-id"] = request_id
        response.headers["content-security-policy"] = (
            "sandbox"  # a page in a bucket gets no part in this server's origin
        )
        await response(scope, receive, send)

    def _refuse_to_stand_in(self) -> None:
        """Refuse requests while s3:// means another endpoint: nobody would find there what is put here."""
        if self._elsewhere:
            raise S3Error(
                "NotImplemented",
                f"This alfine keeps its objects at {self._elsewhere} ([s3] in alfine.toml). Point S3 clients there: "
                f"AWS_ENDPOINT_URL_S3={self._elsewhere}",
            )

    def _check_owner(self, request: S3Request) -> None:
        """Refuse a request that expects another account to own the bucket: one account owns them all."""
        for name in ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"):
            if self._account and request.headers.get(name, self._account) != self._account:
                raise S3Error("AccessDenied")


def _refusal(error: Exception, request: S3Request) -> S3Error:
    if isinstance(error, S3Error):
        return error
    if reason := reason_to_try_later(error):
        _log.warning("%s %s can't be answered at present: %s", request.method, ascii(request.path), error)
        return S3Error(UNAVAILABLE_CODE, reason)
    _log.error("%s %s failed", request.method, ascii(request.path), exc_info=error)
    return S3Error("InternalError")


def _answer(error: S3Error, request: S3Request, request_id: str) -> Response:
    body = b"" if request.method == "HEAD" else xml.error_document(error, request.path, request_id)
    headers = {"content-type": "application/xml"}
    if error.code == "InvalidRange":
        headers["content-range"] = f"bytes */{error.details['ActualObjectSize']}"
    return Response(body, status_code=error.status, headers=headers)


def _operation(request: S3Request) -> operations.Operation:
    found = OPERATIONS.get((request.method, request.level, request.subresource))
    if found is operations.put_object and "x-amz-copy-source" in request.headers:
        return operations.copy_object
    return found or _refuse(request)


def _refuse(request: S3Request) -> NoReturn:
    if request.subresource or (request.method, request.level) == ("POST", "object"):
        raise S3Error("NotImplemented")
    raise S3Error("MethodNotAllowed", Method=request.method, ResourceType=request.level.upper())
