"""Multipart uploads: parts are kept aside until they are put together into one object.

uploads/<id>/upload.json          the key, and the metadata that the object will have
uploads/<id>/00007.json           the seventh part, and the file with its bytes; replaced as a whole
uploads/<id>/00007-<time>         those bytes
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import logging
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from alfine.programs.data.buckets.bucket_store import PIECE_BYTES, BucketStore, Condition, ObjectWriter
from alfine.programs.data.buckets.checksums import ALGORITHMS
from alfine.programs.data.buckets.durable_files import make_folders, sync, unique_ns, write_durably
from alfine.programs.data.buckets.errors import S3Error
from alfine.programs.data.buckets.key_names import check_key
from alfine.programs.data.buckets.objects import Metadata, Object

log = logging.getLogger("alfine.programs.data.buckets.multipart_uploads")

LONGEST_ID = 64
"""Characters of an upload's id that are looked up; ours have 32."""

MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that wasn't completed yet.

    Attributes:
        algorithm: The checksum that each part and the object get; "" for none.
    """

    id: str
    key: str
    initiated_ns: int
    metadata: Metadata
    algorithm: str = ""

    @property
    def initiated_at(self) -> datetime:
        return datetime.fromtimestamp(self.initiated_ns // 10**9, UTC)


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """One part of an upload."""

    number: int
    size: int
    etag: str
    modified_ns: int
    checksums: Mapping[str, str]

    @property
    def file(self) -> str:
        return f"{self.number:05d}-{self.modified_ns}"

    @property
    def modified_at(self) -> datetime:
        return datetime.fromtimestamp(self.modified_ns // 10**9, UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A part as the client lists it when it completes the upload."""

    number: int
    etag: str
    checksums: Mapping[str, str]


class Uploads:
    """The multipart uploads of all buckets."""

    def __init__(self, store: BucketStore) -> None:
        self._store = store

    def create(self, bucket: str, key: str, metadata: Metadata, algorithm: str = "") -> Upload:
        """Begin an upload."""
        check_key(key)
        upload = Upload(uuid.uuid4().hex, key, unique_ns(), metadata, algorithm)
        folder = self._store.folder_for_uploads(bucket) / upload.id
        made = make_folders(folder)
        write_durably(folder / "upload.json", json.dumps(asdict(upload)).encode())
        sync(folder, *made)
        return upload

    def find(self, bucket: str, key: str, upload_id: str) -> Upload:
        """Return an upload. Raise S3Error NoSuchUpload when there is none with this id and key."""
        upload = self._read(self._store.folder_for_uploads(bucket), upload_id)
        if upload is None or upload.key != key:
            raise S3Error("NoSuchUpload", UploadId=upload_id)
        return upload

    def under(self, bucket: str, prefix: str = "") -> list[Upload]:
        """Return the uploads whose key begins with the prefix, sorted by key and time."""
        top = self._store.folder_for_uploads(bucket)
        found = [self._read(top, folder.name) for folder in top.glob("*")]
        return sorted(
            (upload for upload in found if upload is not None and upload.key.startswith(prefix)),
            key=lambda upload: (upload.key, upload.initiated_ns),
        )

    def put_part(
        self, bucket: str, upload: Upload, number: int, writer: ObjectWriter, checksums: Sequence[str]
    ) -> UploadedPart:
        """Store one part, replacing an earlier one of the same number.

        Args:
            bucket: The bucket.
            upload: The upload.
            number: The part's number, from 1.
            writer: Its bytes.
            checksums: The algorithms whose digests the writer has and the part keeps.
        """
        folder = self._store.folder_for_uploads(bucket) / upload.id
        part = UploadedPart(
            number,
            writer.size,
            writer.md5,
            writer.make_durable(),
            {name: writer.digests.base64(name) for name in checksums},
        )
        before = self._part(folder, number)
        described = writer.path.with_name(f"{writer.path.name}.json")
        try:
            writer.path.rename(folder / part.file)
            write_durably(described, json.dumps(asdict(part)).encode())
            described.rename(folder / f"{number:05d}.json")
        except FileNotFoundError:  # aborted or completed meanwhile
            described.unlink(missing_ok=True)
            raise S3Error("NoSuchUpload", UploadId=upload.id) from None
        sync(folder)
        if before is not None:
            (folder / before.file).unlink(missing_ok=True)
        return part

    def parts(self, bucket: str, upload: Upload) -> list[UploadedPart]:
        """Return the parts so far, sorted by number."""
        folder = self._store.folder_for_uploads(bucket) / upload.id
        found = [self._part(folder, int(path.stem)) for path in sorted(folder.glob("[0-9]*.json"))]
        return [part for part in found if part is not None]

    def complete(
        self,
        bucket: str,
        upload: Upload,
        wanted: Sequence[Wanted],
        *,
        expected: Mapping[str, str],
        condition: Condition | None,
    ) -> Object:
        """Put the parts together into the object.

        Args:
            bucket: The bucket.
            upload: The upload.
            wanted: The parts as the client lists them.
            expected: Checksums of the whole object that the client has computed, by algorithm.
        """
        folder = self._store.folder_for_uploads(bucket) / upload.id
        parts = self._chosen(bucket, upload, wanted)
        full = upload.metadata.checksum_type == "FULL_OBJECT"
        names = frozenset(expected) | ({upload.algorithm} if upload.algorithm else set()) if full else frozenset()
        with self._store.writer(bucket, frozenset(names)) as writer:
            for part in parts:
                self._append(writer, folder / part.file, upload)
            checksums = {name: writer.digests.base64(name) for name in names}
            if not full and upload.algorithm:
                checksums[upload.algorithm] = _of_parts(upload.algorithm, parts)
            for name, value in expected.items():
                if checksums.get(name, value) not in (value, f"{value}-{len(parts)}"):
                    raise S3Error("BadDigest", f"The {name.upper()} you specified did not match the object.")
            joined = b"".join(bytes.fromhex(part.etag) for part in parts)
            etag = f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"
            metadata = replace(upload.metadata, etag=etag, checksums=checksums)
            found = writer.commit(upload.key, metadata, condition)
        self._remove(folder)
        return found

    def abort(self, bucket: str, upload: Upload) -> None:
        """Discard an upload with its parts."""
        top = self._store.folder_for_uploads(bucket)
        self._remove(top / upload.id)
        sync(top)

    def _remove(self, folder: Path) -> None:
        """Remove the parts of an upload that is over. The client has its answer; that parts still take up room is logged."""
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            pass  # another request was faster
        except OSError as error:
            log.warning("the parts of an upload that is over can't be removed: %s", error)

    def _chosen(self, bucket: str, upload: Upload, wanted: Sequence[Wanted]) -> list[UploadedPart]:
        there = {part.number: part for part in self.parts(bucket, upload)}
        chosen = []
        for each in wanted:
            part = there.get(each.number)
            if part is None or part.etag != each.etag.strip('"') or _differ(part.checksums, each.checksums):
                raise S3Error("InvalidPart", UploadId=upload.id, PartNumber=each.number, ETag=each.etag)
            chosen.append(part)
        numbers = [each.number for each in wanted]
        if numbers != sorted(set(numbers)):
            raise S3Error("InvalidPartOrder", UploadId=upload.id)
        return chosen

    def _append(self, writer: ObjectWriter, path: Path, upload: Upload) -> None:
        try:
            with path.open("rb") as file:
                while data := file.read(PIECE_BYTES):
                    writer.write(data)
        except FileNotFoundError:  # aborted, or completed by another request
            raise S3Error("NoSuchUpload", UploadId=upload.id) from None

    def _read(self, top: Path, upload_id: str) -> Upload | None:
        if not upload_id.isalnum() or not upload_id.isascii() or len(upload_id) > LONGEST_ID:
            return None
        # No such upload, or one that a crash left half written: for the client there is none.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError):
            record = json.loads((top / upload_id / "upload.json").read_bytes())
            return Upload(**{**record, "metadata": Metadata(**record["metadata"])})
        return None

    def _part(self, folder: Path, number: int) -> UploadedPart | None:
        with contextlib.suppress(FileNotFoundError):  # such a part wasn't uploaded: the answer is None
            return UploadedPart(**json.loads((folder / f"{number:05d}.json").read_bytes()))
        return None


def _differ(stored: Mapping[str, str], sent: Mapping[str, str]) -> bool:
    return any(stored.get(name, value) != value for name, value in sent.items())


def _of_parts(algorithm: str, parts: Sequence[UploadedPart]) -> str:
    """Return a composite checksum: one of the parts' checksums, followed by the number of parts."""
    digest = ALGORITHMS[algorithm]()
    digest.update(b"".join(base64.b64decode(part.checksums[algorithm]) for part in parts))
    return f"{base64.b64encode(digest.digest()).decode('ascii')}-{len(parts)}"
