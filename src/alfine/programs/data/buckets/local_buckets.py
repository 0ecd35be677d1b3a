"""alfine's own buckets for training jobs: objects are local files already, so nothing is copied in."""

from __future__ import annotations

import errno
import mimetypes
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.errors import S3Error
from alfine.programs.data.buckets.key_names import check_bucket_name, check_key
from alfine.programs.data.buckets.objects import DEFAULT_CONTENT_TYPE
from alfine.runners.storage.locations import Stored, bucket_and_key


class LocalBuckets:
    """The bucket store of a home, behind the `Buckets` protocol."""

    place = "alfine's own buckets"

    def __init__(self, store: BucketStore, roots: tuple[Path, ...] = ()) -> None:
        self._store = store
        self.roots = roots

    def find(self, uri: str) -> list[Stored]:
        bucket, prefix = bucket_and_key(uri)
        try:
            return [Stored(bucket, each.key, str(each.modified_ns)) for each in self._store.list(bucket, prefix)]
        except S3Error:
            return []

    def file(self, stored: Stored) -> Path:
        try:
            return self._store.find(stored.bucket, stored.key).path
        except S3Error as error:
            raise FileNotFoundError(f"{stored.uri}: {error}") from error

    def refusal(self, uri: str) -> str | None:
        bucket, prefix = bucket_and_key(uri)
        try:
            check_bucket_name(bucket)
            if prefix:
                check_key(prefix)
        except S3Error as error:
            return str(error)
        return None

    def put(self, uri: str, file: BinaryIO) -> None:
        bucket, key = bucket_and_key(uri)
        try:
            self._make(bucket)
            kind = mimetypes.guess_type(key)[0] or DEFAULT_CONTENT_TYPE
            self._store.put_file(bucket, key, file, kind)
        except S3Error as error:
            full = (errno.ENOSPC,) if error.code == "ServiceUnavailable" else ()
            raise OSError(*full, f"{uri}: {error}") from error

    def _make(self, bucket: str) -> None:
        try:
            self._store.create_bucket(bucket)
        except S3Error as error:
            if error.code != "BucketAlreadyOwnedByYou":
                raise

    def remove(self, uri: str) -> None:
        try:
            self._store.delete(*bucket_and_key(uri))
        except S3Error as error:
            if error.status != HTTPStatus.NOT_FOUND:  # else there is nothing to remove
                raise OSError(f"{uri}: {error}") from error
