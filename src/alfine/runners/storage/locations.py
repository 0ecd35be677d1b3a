"""Locations: the objects that s3:// URIs name, and the files of this machine that file:// URIs and plain paths name.

Channels, code, artifacts and checkpoints are read and written by these functions and the protocol `Buckets`. Two classes implement
that protocol: alfine's own buckets (programs/data/buckets/local_buckets.py) and a real S3 (remote_buckets.py).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlparse

AWS_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")
"""Hosts of AWS's S3, with the bucket before them or in the path. Source: Amazon S3's user guide, «Virtual hosting of buckets»."""

S3_URI = "s3://"
"""The beginning of the URIs of objects in buckets."""


@dataclass(frozen=True, slots=True, order=True)
class Stored:
    """An object in one of its versions, or (with no bucket) a file of this machine.

    Attributes:
        bucket: Its bucket; "" for a file of this machine.
        key: Its key, or the path of the file.
        version: A text that differs when the content may differ.
    """

    bucket: str
    key: str
    version: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class BucketsUnreachable(OSError):
    """The buckets can't be reached at present, but may be later."""


def may_pass(error: Exception) -> bool:
    """Return whether the same operation may succeed later: the buckets can't be reached, or the disk is full."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or isinstance(error, BucketsUnreachable)


class Buckets(Protocol):
    """The buckets to which s3:// URIs lead. Its methods may be called from several threads.

    What fails raises OSError with a sentence as its message, or BucketsUnreachable where it may succeed later.
    """

    @property
    def place(self) -> str:
        """Return the name of these buckets for messages, for example «alfine's own buckets»."""

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders in which requests may name files of this machine. Without any, they may name every file."""

    def find(self, uri: str) -> list[Stored]:
        """Return the objects whose keys begin with the URI's, sorted by key; none where there is no such bucket."""

    def file(self, stored: Stored) -> Path:
        """Return a local file with an object's content, only to be read. If the object has changed since, it is the new content."""

    def refusal(self, uri: str) -> str | None:
        """Return why nothing can ever be stored at a URI, or None where it can."""

    def put(self, uri: str, file: BinaryIO) -> None:
        """Store a copy of an open file, from its present position on. The bucket is made if it doesn't exist."""

    def remove(self, uri: str) -> None:
        """Remove an object, if it exists."""


# ---- s3:// -------------------------------------------------------------------------------------------------------------


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Return the bucket and the key (or the prefix of keys) in an s3:// URI."""
    parsed = urlparse(uri, allow_fragments=False)
    query = f"?{parsed.query}" if parsed.query else ""
    return parsed.netloc, (parsed.path + query).removeprefix("/")


def as_s3(uri: str) -> str:
    """Return an https:// URI of an object in AWS's S3 as s3://, and any other URI as it is.

    Example:
        >>> as_s3("https://data.s3.eu-west-1.amazonaws.com/train.csv")
        's3://data/train.csv'
    """
    parsed = urlparse(uri, allow_fragments=False)
    match = AWS_HOST.fullmatch(parsed.netloc) if parsed.scheme == "https" else None
    if match is None:
        return uri
    key = unquote(parsed.path).removeprefix("/")
    return f"s3://{match['bucket']}/{key}" if match["bucket"] else f"s3://{key}"


def relative(uri: str, objects: Iterable[Stored]) -> Iterator[tuple[str, Stored]]:
    """Yield objects with their paths below a URI: the part of the key after the folder that the URI names or lies in.

    Objects that only stand for a folder (their keys end with «/») are left out, as SageMaker does.

    Args:
        uri: An s3:// URI: a folder, an object or the prefix of several.
        objects: Objects below it.
    """
    prefix = bucket_and_key(uri)[1]
    parent = prefix[: prefix.rfind("/") + 1]
    inside = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    for stored in objects:
        if not stored.key.endswith("/"):
            yield stored.key.removeprefix(inside if stored.key.startswith(inside) else parent), stored


def is_path(name: str) -> bool:
    """Return whether a text is a relative path of ordinary file names, so that a file below a folder can have that path."""
    return "\0" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


# ---- files of this machine ---------------------------------------------------------------------------------------------


def local(uri: str) -> Path | None:
    """Return the absolute path that a file:// URI or a plain path names, or None for any other kind of URI."""
    parsed = urlparse(uri)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path)).absolute()
    return Path(uri).expanduser().absolute() if "://" not in uri else None


def path_refusal(roots: Sequence[Path], path: Path) -> str | None:
    """Return why a request may not name a path, or None where it may. Links are followed.

    Args:
        roots: The folders in which requests may name files; without any they may name every file.
        path: The path.
    """
    if not roots or any(path.resolve().is_relative_to(root.resolve()) for root in roots):
        return None
    return (
        f"AccessDenied: {path} lies outside the folders that requests may name here: "
        f"{', '.join(map(str, roots))} ([files] roots in alfine.toml)."
    )
