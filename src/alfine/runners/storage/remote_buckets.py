"""Buckets of a real S3, or of a server with S3's API (MinIO, Ceph, Garage), behind the `Buckets` protocol.

Requests go through botocore. Keys come from the environment or a profile, as for every AWS client; alfine stores them nowhere. Each object
is downloaded once per ETag into a cache that all tuning jobs share. Jobs hold what they use by hard links, so that the cache may be
emptied at any time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from alfine.runners.node_cache import ANY, CacheLimits
from alfine.runners.storage.locations import BucketsUnreachable, Stored, bucket_and_key
from alfine.runners.storage.object_cache import ObjectCache, alone

log = logging.getLogger("alfine.runners.storage.remote_buckets")

T = TypeVar("T")

ATTEMPTS = 3
"""Number of times that botocore sends a request, and that a download is begun whose connection breaks."""

CONNECT_SECONDS = 5
"""Longest time for a connection to the service."""

READ_SECONDS = 60
"""Longest time between two pieces of an answer."""

PIECE_BYTES = 1 << 20
"""Bytes of a download that are copied at once."""

PART_BYTES = 64 << 20
"""Larger files are sent in parts of at least so many bytes: S3 takes 5 GiB at once."""

MOST_PARTS = 10_000
"""Parts of a file. Source: «Amazon S3 multipart upload limits» in Amazon S3's user guide."""

MISSING = ("404", "NoSuchBucket", "NoSuchKey", "NotFound")
"""Codes of errors that say that there is no such bucket or object; HEAD has only the status."""

CHANGED = ("412", "PreconditionFailed")
"""Codes of errors that say that an object has another ETag than the request names."""

FIRST_5XX = 500
"""From this HTTP status on an error is the service's own: the same request may succeed later."""


class Endpoint(Protocol):
    """A service with S3's API, as the table [s3] of alfine.toml names it."""

    @property
    def endpoint(self) -> str:
        """The URL of the service."""

    @property
    def region(self) -> str:
        """The region in the signatures of requests to the service."""

    @property
    def profile(self) -> str | None:
        """The profile of ~/.aws whose keys are used. None: botocore finds them."""


class RemoteBuckets:
    """The buckets of a real S3.

    Args:
        settings: The service.
        cache: The folder for downloaded objects.
        roots: See `Buckets`.
        limits: The limits of the objects there that no tuning job has linked.
    """

    def __init__(
        self, settings: Endpoint, cache: Path, roots: tuple[Path, ...] = (), limits: CacheLimits = ANY
    ) -> None:
        self.place = f"the buckets at {settings.endpoint}"
        self.roots = roots
        self._settings = settings
        self._cache = cache
        self._kept = ObjectCache(cache, limits)

    @cached_property
    def _client(self) -> Any:
        config = Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            signature_version="s3v4",
            s3={"addressing_style": "auto" if self._settings.endpoint.endswith("amazonaws.com") else "path"},
            request_checksum_calculation="when_required",  # what isn't AWS may not know the newer checksums
            response_checksum_validation="when_required",
        )
        session = Session(profile=self._settings.profile)
        region, endpoint = self._settings.region, self._settings.endpoint
        return session.create_client("s3", region_name=region, endpoint_url=endpoint, config=config)

    # -- what is there -----------------------------------------------------------------------------------------------

    def find(self, uri: str) -> list[Stored]:
        bucket, prefix = bucket_and_key(uri)

        def listed() -> list[Stored]:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [Stored(bucket, each["Key"], each["ETag"]) for page in pages for each in page.get("Contents", ())]

        return self._asked(uri, listed, missing=[])

    def file(self, stored: Stored) -> Path:
        path = self._place(stored)
        with alone(path.parent):  # several training jobs want the same one: the first downloads it
            if path.exists():
                used_at = time.time_ns()
                os.utime(path, ns=(used_at, path.stat().st_mtime_ns))  # its content is as old as it was
                return path
            try:
                self._asked(stored.uri, lambda: self._download(stored, path))
                newer = None
            except _Changed:
                newer = self._newer(stored)
        if newer is not None:
            return self.file(newer)
        self._kept.sweep_if_due()
        return path

    def _newer(self, stored: Stored) -> Stored:
        """Return what an object is now that has changed."""
        now = next((each for each in self.find(stored.uri) if each.key == stored.key), stored)
        if now == stored:  # or it is gone
            raise FileNotFoundError(f"{stored.uri} has changed while it was read.")
        return now

    def _place(self, stored: Stored) -> Path:
        words = (self._settings.endpoint, stored.bucket, stored.key, stored.version)
        name = hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()
        return self._cache / name[:2] / name

    def _download(self, stored: Stored, path: Path) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            answer = self._client.get_object(Bucket=stored.bucket, Key=stored.key, IfMatch=stored.version)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as draft:
                try:
                    shutil.copyfileobj(answer["Body"], draft, PIECE_BYTES)
                    draft.flush()
                    os.fsync(draft.fileno())
                    os.fchmod(draft.fileno(), 0o444)  # all training jobs share these bytes
                    Path(draft.name).rename(path)
                    return
                except BotoCoreError:  # the connection broke
                    if attempt == ATTEMPTS:
                        raise
                finally:
                    answer["Body"].close()
                    Path(draft.name).unlink(missing_ok=True)

    # -- what is put there -------------------------------------------------------------------------------------------

    def refusal(self, uri: str) -> str | None:
        bucket, _ = bucket_and_key(uri)
        try:
            there = self._asked(uri, lambda: bool(self._client.head_bucket(Bucket=bucket)), missing=False)
        except OSError as error:
            return str(error)
        return None if there else f"there is no bucket {bucket!r} in {self.place}. Make it first."

    def put(self, uri: str, file: BinaryIO) -> None:
        bucket, key = bucket_and_key(uri)
        size = os.fstat(file.fileno()).st_size
        if size <= PART_BYTES:
            self._asked(uri, lambda: self._client.put_object(Bucket=bucket, Key=key, Body=file))
        else:
            self._asked(uri, lambda: self._put_parts({"Bucket": bucket, "Key": key}, file, size))

    def _put_parts(self, where: dict[str, str], body: Any, size: int) -> None:
        each = max(PART_BYTES, -(-size // MOST_PARTS))
        upload = {**where, "UploadId": self._client.create_multipart_upload(**where)["UploadId"]}
        try:
            sent: list[dict[str, Any]] = []
            while data := body.read(each):
                number = len(sent) + 1
                part = self._client.upload_part(**upload, PartNumber=number, Body=data)
                sent.append({"PartNumber": number, "ETag": part["ETag"]})
            self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": sent})
        except BaseException:
            try:
                self._client.abort_multipart_upload(**upload)
            except (
                BotoCoreError,
                ClientError,
            ) as error:  # the first error is raised; this one costs room in the bucket
                log.warning("the parts of an upload to %s stay there: %s", where, error)
            raise

    def remove(self, uri: str) -> None:
        bucket, key = bucket_and_key(uri)
        self._asked(uri, lambda: self._client.delete_object(Bucket=bucket, Key=key))

    def _asked(self, uri: str, ask: Callable[[], T], *, missing: T | None = None) -> T:
        """Return the answer to one request.

        Args:
            uri: What the request is about, for the error message.
            ask: Sends the request.
            missing: The answer when there is no such bucket or object; without it that is an error.

        Raises:
            OSError: The request failed; Unreachable when it may succeed later.
        """
        try:
            return ask()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in CHANGED:
                raise _Changed from error
            if code in MISSING and missing is not None:
                return missing
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            kind = FileNotFoundError if code in MISSING else BucketsUnreachable if status >= FIRST_5XX else OSError
            raise kind(f"{uri}: {self.place} answered {code}: {error.response['Error'].get('Message', '')}") from error
        except (BotoCoreError, ValueError) as error:
            raise BucketsUnreachable(f"{uri}: {self.place} can't be asked: {error}") from error


class _Changed(Exception):
    """The object has other bytes now than when it was found."""
