"""Buckets and objects as they are found, and what is recorded about an object beside its bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

MAX_METADATA_FILE_BYTES = 1 << 15
"""Largest metadata file that is read, in bytes: HTTP headers hold far less."""

DEFAULT_CONTENT_TYPE = "binary/octet-stream"
"""The type of an object of which none is said. Source: S3."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of an object: everything recorded in addition to its bytes, size and time."""

    etag: str
    content_type: str = DEFAULT_CONTENT_TYPE
    headers: Mapping[str, str] = field(
        default_factory=dict
    )  # Cache-Control, Content-Encoding, …, given back as they came
    user: Mapping[str, str] = field(default_factory=dict)  # x-amz-meta-…
    checksums: Mapping[str, str] = field(default_factory=dict)  # by algorithm, in base64
    checksum_type: str = "FULL_OBJECT"
    tagging: str = ""  # as a URL's query


@dataclass(frozen=True, slots=True)
class Object:
    """One version of an object, as it was found."""

    key: str
    size: int
    modified_ns: int
    metadata: Metadata
    file: str

    @property
    def path(self) -> Path:
        """The file with the bytes."""
        return Path(self.file)

    @property
    def etag(self) -> str:
        """The ETag without quotes."""
        return self.metadata.etag

    @property
    def modified_at(self) -> datetime:
        return datetime.fromtimestamp(self.modified_ns // 10**9, UTC)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, as ListBuckets has it."""

    name: str
    region: str
    created_at: datetime


def read_metadata(path: str) -> Metadata | None:
    """Return the metadata in a file; None where there is none, or somebody has edited it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # not Path.read_bytes: a list reads thousands
        try:
            data = os.read(descriptor, MAX_METADATA_FILE_BYTES)
        finally:
            os.close(descriptor)
        return Metadata(**json.loads(data))
    except (FileNotFoundError, ValueError, TypeError):  # somebody has edited the file
        return None


def metadata_of_mere_file(status: os.stat_result) -> Metadata:
    """Return the metadata of a file that didn't come through S3. The dash tells clients that its ETag isn't an MD5."""
    return Metadata(etag=f"{status.st_ino:012x}{status.st_size:08x}{status.st_mtime_ns:016x}"[-32:].zfill(32) + "-1")
