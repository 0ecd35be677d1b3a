"""Buckets as folders, objects as files. What S3 records about an object in addition to its bytes lies beside them.

    <folder>/<bucket>/<key>                            a plain key's object: a file that people and training jobs read
    <folder>/<bucket>/.alfine/odd/<encoded key>        any other key's object, or one whose place another key takes
    <folder>/<bucket>/.alfine/metadata/<encoded key>@<time>   ETag, content type, … of the object that was changed at that time
    <folder>/<bucket>/.alfine/{uploads,temporary,lock,bucket.json}

The files decide: a file that somebody puts into a bucket's folder is an object, and a file that they remove is no longer one.

A new object is written to a temporary file, synced together with its metadata, then renamed into place. The name of the metadata file
holds the object's modification time, so that renaming the one file changes both: a reader that opened the old bytes finds the old
metadata or looks again, and a crash leaves at worst a file that nothing refers to. Renaming and removing hold the bucket's lock
(between threads and processes) for microseconds; everything slow is done before or after.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Self

from alfine.programs.data.buckets.checksums import Digests
from alfine.programs.data.buckets.durable_files import make_folders, sync, unique_ns, write_durably
from alfine.programs.data.buckets.errors import S3Error
from alfine.programs.data.buckets.key_names import OURS, check_bucket_name, check_key
from alfine.programs.data.buckets.listing import ListingPage, page, walk
from alfine.programs.data.buckets.object_paths import (
    NOT_A_FILE,
    inside,
    is_object,
    metadata_file,
    places,
    remove_object,
    rename_to,
)
from alfine.programs.data.buckets.objects import (
    DEFAULT_CONTENT_TYPE,
    Bucket,
    Metadata,
    Object,
    metadata_of_mere_file,
    read_metadata,
)

PIECE_BYTES = 1 << 20

TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR})
"""Numbers of the errors that say that a folder has the name already. Source: rename(2)."""

LEFT_OVER_SECONDS = 24 * 3600
"""Age in seconds from which on a temporary file belongs to a process that died."""

MD5 = frozenset({"md5"})


Condition = Callable[[Object | None], None]  # raises when the object that is there now must not be replaced


class BucketStore:
    """All buckets of one folder. It is safe to use from several threads and several processes.

    Args:
        folder: The folder; it is made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()

    # Buckets

    def create_bucket(self, bucket: str, region: str = "us-east-1") -> None:
        """Make a bucket.

        Raises:
            S3Error: The name is taken or isn't allowed.
        """
        check_bucket_name(bucket)
        if self._exists(bucket):
            raise S3Error("BucketAlreadyOwnedByYou", BucketName=bucket)
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        made.chmod(0o755)
        (made / OURS).mkdir()
        record = {"region": region, "created_at": time.time()}
        write_durably(made / OURS / "bucket.json", json.dumps(record).encode())
        for folder in (made / OURS, made):
            sync(folder)
        try:
            made.rename(self.folder / bucket)
        except OSError as error:
            shutil.rmtree(made)
            if error.errno not in TAKEN:
                raise
            raise S3Error("BucketAlreadyOwnedByYou", BucketName=bucket) from None
        sync(self.folder)

    def bucket(self, bucket: str) -> Bucket:
        """Return a bucket. Raise S3Error NoSuchBucket when there is none of that name."""
        folder = self._bucket(bucket)
        try:
            record = json.loads((folder / OURS / "bucket.json").read_bytes())
            return Bucket(bucket, str(record["region"]), datetime.fromtimestamp(int(record["created_at"]), UTC))
        except (FileNotFoundError, ValueError, TypeError, LookupError, OverflowError):
            # A folder that somebody made by hand, or a record that is damaged, which `alfine doctor --check` says.
            return Bucket(bucket, "us-east-1", datetime.fromtimestamp(int(folder.stat().st_mtime), UTC))

    def buckets(self) -> list[Bucket]:
        """Return all buckets, sorted by name."""
        names = sorted(entry.name for entry in os.scandir(self.folder) if entry.is_dir())
        found = []
        for name in names:
            with contextlib.suppress(S3Error, FileNotFoundError):  # not a bucket, or just deleted
                found.append(self.bucket(name))
        return found

    def delete_bucket(self, bucket: str) -> None:
        """Delete an empty bucket, together with its uploads that were never completed.

        Raises:
            S3Error: BucketNotEmpty while it has objects.
        """
        with self._locked(bucket):
            if next(self._walk(bucket), None) is not None:
                raise S3Error("BucketNotEmpty", BucketName=bucket)
            gone = Path(tempfile.mkdtemp(prefix=".gone-", dir=self.folder))
            (self.folder / bucket).rename(gone)
        sync(self.folder)
        shutil.rmtree(gone, ignore_errors=True)  # what is left of it is removed by `_sweep` later

    # Objects

    def path(self, bucket: str, key: str) -> Path:
        """Return the file with the object's bytes. Read it or link it; never write to it, but put a new object."""
        return self.find(bucket, key).path

    def exists(self, bucket: str, key: str) -> bool:
        """Return whether there is an object with this key."""
        try:
            self.find(bucket, key)
        except S3Error as error:
            if error.status != 404:
                raise
            return False
        return True

    def find(self, bucket: str, key: str) -> Object:
        """Return the object with this key. Raise S3Error NoSuchKey when there is none."""
        descriptor, found = self.open(bucket, key)
        os.close(descriptor)
        return found

    def open(self, bucket: str, key: str) -> tuple[int, Object]:
        """Return a file descriptor of the object's bytes, which the caller closes, and what is recorded about exactly these bytes."""
        folder = self._bucket(bucket)
        check_key(key)
        before = -1
        while True:
            path, descriptor = self._open_file(folder, key)
            if descriptor is None:
                raise S3Error("NoSuchKey", Key=key)
            try:
                status = os.fstat(descriptor)
                metadata = read_metadata(metadata_file(folder, key, status.st_mtime_ns))
            except BaseException:
                os.close(descriptor)
                raise
            if metadata is None and status.st_mtime_ns == before:  # not replaced meanwhile: a file put there by hand
                metadata = metadata_of_mere_file(status)
            if metadata is not None:
                return descriptor, Object(key, status.st_size, status.st_mtime_ns, metadata, str(path))
            os.close(descriptor)
            before = status.st_mtime_ns

    def writer(self, bucket: str, checksums: frozenset[str] = MD5) -> ObjectWriter:
        """Return a writer for a new object's bytes; its `commit` gives them a key."""
        return ObjectWriter(self, self._bucket(bucket), bucket, checksums)

    def put_file(self, bucket: str, key: str, file: BinaryIO, content_type: str = DEFAULT_CONTENT_TYPE) -> Object:
        """Store a copy of an open file, from its present position on, as an object."""
        with self.writer(bucket) as writer:
            while data := file.read(PIECE_BYTES):
                writer.write(data)
            return writer.commit(key, Metadata(etag=writer.md5, content_type=content_type))

    def delete(self, bucket: str, *keys: str) -> None:
        """Delete objects. As in S3, a key without an object is no error."""
        changed: list[Path] = []
        self._bucket(bucket)
        for key in keys:
            check_key(key)
            with self._locked(bucket) as folder:
                for path in places(folder, key):
                    if is_object(folder, path):
                        changed += remove_object(folder, key, path)
        sync(*changed)

    def list(self, bucket: str, prefix: str = "") -> Iterator[Object]:
        """Yield every object whose key begins with the prefix, in the order of the keys."""
        for key, path in self._walk(bucket, prefix):
            if path is not None and (found := self._entry(bucket, key, path)) is not None:
                yield found

    def page(
        self, bucket: str, prefix: str = "", *, delimiter: str = "", after: str = "", limit: int = 1000
    ) -> ListingPage[Object]:
        """Return up to `limit` objects and common prefixes that follow `after`: see `listing.page`."""
        folder = self._bucket(bucket)

        def describe(key: str, path: str) -> Object | None:
            return self._entry(bucket, key, path)

        return page(folder, prefix, delimiter=delimiter, after=after, limit=limit, describe=describe)

    def folder_for_uploads(self, bucket: str) -> Path:
        """Return the folder of unfinished multipart uploads."""
        return self._bucket(bucket) / OURS / "uploads"

    # What the writer needs

    def place(
        self,
        bucket: str,
        key: str,
        temporary: Path,
        *,
        modified_ns: int,
        metadata: Metadata,
        condition: Condition | None,
    ) -> Path:
        """Rename a temporary file, which is synced, to the key's place, together with its metadata."""
        beside = Path(metadata_file(self._bucket(bucket), key, modified_ns))
        made = make_folders(beside.parent)
        write_durably(beside, json.dumps(asdict(metadata)).encode())
        sync(beside.parent, *made)
        try:
            with self._locked(bucket) as folder:
                if condition is not None:
                    condition(self._find_or_none(bucket, key))
                path, changed = rename_to(folder, key, temporary)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync(*changed)
        return path

    # Inside

    def _find_or_none(self, bucket: str, key: str) -> Object | None:
        try:
            return self.find(bucket, key)
        except S3Error as error:
            if error.code != "NoSuchKey":
                raise
            return None

    def _exists(self, bucket: str) -> bool:
        try:
            return stat.S_ISDIR((self.folder / bucket).lstat().st_mode)
        except FileNotFoundError:
            return False

    def _bucket(self, bucket: str) -> Path:
        try:
            check_bucket_name(bucket)
        except S3Error:
            raise S3Error("NoSuchBucket", BucketName=bucket) from None
        if not self._exists(bucket):
            raise S3Error("NoSuchBucket", BucketName=bucket)
        return self.folder / bucket

    def _open_file(self, folder: Path, key: str) -> tuple[Path, int | None]:
        candidates = places(folder, key)
        for path in (
            *candidates,
            *candidates[:1],
        ):  # a put may move an object from the odd to the plain place while we look
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno in NOT_A_FILE:
                    continue
                raise
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and inside(folder, path):
                return path, descriptor
            os.close(descriptor)
        return candidates[0], None

    def _walk(self, bucket: str, prefix: str = "") -> Iterator[tuple[str, str | None]]:
        return walk(self._bucket(bucket), prefix)

    def _entry(self, bucket: str, key: str, path: str) -> Object | None:
        """Return what a list says about a key; None when the object was deleted meanwhile."""
        try:
            status = os.lstat(path)
            metadata = read_metadata(metadata_file(self.folder / bucket, key, status.st_mtime_ns))
            if metadata is not None:
                return Object(key, status.st_size, status.st_mtime_ns, metadata, path)
            return self.find(bucket, key)
        except (FileNotFoundError, S3Error):
            return None

    @contextlib.contextmanager
    def _locked(self, bucket: str) -> Iterator[Path]:
        folder = self._bucket(bucket)
        (folder / OURS).mkdir(exist_ok=True)
        lock = folder / OURS / "lock"
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                same = os.path.samestat(os.fstat(descriptor), lock.stat())
            except FileNotFoundError:
                same = False
            if not same:  # the bucket was deleted while we waited
                raise S3Error("NoSuchBucket", BucketName=bucket)
            yield folder
        finally:
            os.close(descriptor)

    def _sweep(self) -> None:
        """Remove what processes left when they died: temporary files, buckets half made or half deleted."""
        old = time.time() - LEFT_OVER_SECONDS
        for left in (
            *self.folder.glob(".new-*"),
            *self.folder.glob(".gone-*"),
            *self.folder.glob(f"*/{OURS}/temporary/*"),
        ):
            with contextlib.suppress(FileNotFoundError):  # another process has swept it meanwhile
                if left.lstat().st_mtime < old:
                    # What can't be removed now is tried again at the next start.
                    shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()


class ObjectWriter:
    """The bytes of a new object, written to a temporary file. Leaving the `with` block without `commit` discards them."""

    def __init__(self, store: BucketStore, folder: Path, bucket: str, checksums: frozenset[str]) -> None:
        self._store = store
        self._bucket = bucket
        self.digests = Digests(checksums)
        self.size = 0
        aside = folder / OURS / "temporary"
        aside.mkdir(parents=True, exist_ok=True)
        self.path = aside / f"{os.getpid()}-{threading.get_ident()}-{unique_ns()}"
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    @property
    def md5(self) -> str:
        """The MD5 of the bytes so far, in hexadecimal."""
        return self.digests["md5"].hex()

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self.digests.update(data)
        self.size += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def make_durable(self) -> int:
        """Sync the file and return its modification time in nanoseconds, which no other object of this bucket has."""
        now = unique_ns()
        os.utime(self._descriptor, ns=(now, now))
        os.fsync(self._descriptor)
        return os.fstat(self._descriptor).st_mtime_ns  # as coarse as the file system keeps it

    def commit(self, key: str, metadata: Metadata, condition: Condition | None = None) -> Object:
        """Make the bytes the key's object, durably. `condition` is asked while nothing else can change the bucket."""
        check_key(key)
        try:
            modified_ns = self.make_durable()
            path = self._store.place(
                self._bucket, key, self.path, modified_ns=modified_ns, metadata=metadata, condition=condition
            )
        except FileNotFoundError:
            raise S3Error("NoSuchBucket", BucketName=self._bucket) from None
        return Object(key, self.size, modified_ns, metadata, str(path))

    def close(self) -> None:
        """Close the temporary file, and remove it unless it was committed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
