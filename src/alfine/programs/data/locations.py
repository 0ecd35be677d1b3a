"""Where URIs lead: s3:// to a bucket store, of which alfine asks few things whichever it is, file:// to this machine's files.

Channels, code, models and checkpoints are built on these (programs/data/channels.py, programs/data/artifacts.py); alfine's own buckets
(programs/data/buckets/local_buckets.py) and a real S3 answer them.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlparse


@dataclass(frozen=True, slots=True, order=True)
class Stored:
    """One object, in one version of it. version: differs when the content may differ."""

    bucket: str
    key: str
    version: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class BucketsUnreachable(OSError):
    """The bucket store can't be asked for the time being; later it may be."""


def may_pass(error: Exception) -> bool:
    """Whether to try again later is better than to give up: a store that's away, a full disk."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or isinstance(error, BucketsUnreachable)


class Buckets(Protocol):
    """Safe to use from several threads. What fails raises OSError with a sentence, BucketsUnreachable when it may pass."""

    @property
    def place(self) -> str:
        """What to call it in a message: «alfine's own buckets»."""

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders below which requests may name files of this machine; none: any file that alfine's user can reach."""

    def find(self, uri: str) -> list[Stored]:
        """Every object whose key begins with the URI's, sorted by key; none where there is no such bucket."""

    def file(self, stored: Stored) -> Path:
        """A local file with the object's bytes, to be read only; at a later version's bytes when it has changed since."""

    def refusal(self, uri: str) -> str | None:
        """Why nothing could ever be put there; None when it could."""

    def put(self, uri: str, file: Path) -> None:
        """Store a copy of the file; the bucket is made where there is none."""

    def remove(self, uri: str) -> None:
        """Remove one object; one that isn't there is no error."""


def parts(uri: str) -> tuple[str, str]:
    """(bucket, key or prefix) of an s3:// URI."""
    parsed = urlparse(uri, allow_fragments=False)
    query = f"?{parsed.query}" if parsed.query else ""
    return parsed.netloc, (parsed.path + query).removeprefix("/")


AWS_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")


def as_s3(uri: str) -> str:
    """An https:// URI of AWS's S3, which names bucket and key, as s3://; any other URI as it is."""
    parsed = urlparse(uri, allow_fragments=False)
    found = AWS_HOST.fullmatch(parsed.netloc) if parsed.scheme == "https" else None
    if found is None:
        return uri
    key = unquote(parsed.path).removeprefix("/")
    return f"s3://{found['bucket']}/{key}" if found["bucket"] else f"s3://{key}"


def relative(uri: str, objects: Iterable[Stored]) -> Iterator[tuple[str, Stored]]:
    """Each object with its path below the URI: its key after the folder that the prefix names or lies in.

    Objects that only stand for a folder (their key ends with «/») are left out, as SageMaker does.
    """
    prefix = parts(uri)[1]
    parent = prefix[: prefix.rfind("/") + 1]
    inside = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    for each in objects:
        if not each.key.endswith("/"):
            yield each.key.removeprefix(inside if each.key.startswith(inside) else parent), each


def is_path(name: str) -> bool:
    """Whether a key is a relative path of ordinary file names, so that a file below a folder can bear it."""
    return "\0" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


# ---- files of this machine ---------------------------------------------------------------------------------------------


def local(uri: str) -> Path | None:
    """The path behind a file URI or a plain path; None for any other kind of URI."""
    parsed = urlparse(uri)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path)).absolute()
    return Path(uri).expanduser().absolute() if "://" not in uri else None


def beyond(roots: Sequence[Path], path: Path) -> str | None:
    """Why a request may not name the path, wherever its links lead; None when it may."""
    if not roots or any(path.resolve().is_relative_to(root.resolve()) for root in roots):
        return None
    return (
        f"AccessDenied: {path} lies outside the folders that requests may name here: "
        f"{', '.join(map(str, roots))} ([files] roots in alfine.toml)."
    )
