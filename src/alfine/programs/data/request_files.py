"""Finds the files that a request names by URIs, on this machine and in buckets, and collects what is wrong with them.

A file that can't be read when a request is created is a fault of the request. Later it is the end of the training jobs that need it, as
in SageMaker: their FailureReason says what is missing.

A folder of objects is made of hard links where possible. So it keeps the content from when the tuning job began (or alfine, after a
restart), whatever happens in the bucket meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alfine.core.errors import Fault
from alfine.programs.data.made_once import made_once
from alfine.runners.storage.locations import (
    Buckets,
    Stored,
    as_s3,
    bucket_and_key,
    is_path,
    local,
    may_pass,
    path_refusal,
    relative,
)
from alfine.store.config import Running

MAX_MANIFEST_BYTES = 64 << 20
"""Bytes of a manifest file."""

DOWNLOADS = 8
"""Objects that are downloaded at the same time."""

Objects = Mapping[str, Stored]
"""Objects by their paths inside a channel."""


class Unreadable(Exception):
    """Something can't be read. The message is a sentence."""


class Forbidden(Unreadable):
    """A request may not name it."""


@dataclass(frozen=True, slots=True)
class RequestFiles:
    """Finds what the URIs of a request name.

    Attributes:
        place: The folder for what has to be made.
        buckets: Where s3:// URIs lead.
        fetch: False only checks that everything exists: nothing is downloaded or made.
        faults: Gets a fault for everything that is wrong.
        max_decompressed_bytes: The most bytes that a channel with CompressionType Gzip may be decompressed to.
    """

    place: Path
    buckets: Buckets | None
    fetch: bool
    faults: list[Fault]
    max_decompressed_bytes: int = Running().max_decompressed_bytes

    def fault(self, where: str, message: str) -> None:
        """Add a fault of the field at the path `where` of the request."""
        self.faults.append(Fault(where, message))

    def find(self, uri: str, name: str, where: str) -> Path | None:
        """Return the file or folder behind a URI; None, with a fault, where there is none.

        Args:
            uri: The URI.
            name: What it is, for the name of a folder that has to be made.
            where: The path of the field in the request.

        Raises:
            OSError: It can't be read at present, but may be later (only with `fetch`).
        """
        try:
            # An archive has to be there to be looked into. Any other folder of links is only made to be used.
            return self.path(uri, name, make=self.fetch or uri.endswith((".gz", ".tgz", ".tar")))
        except (Unreadable, OSError) as error:
            if self.fetch and may_pass(error):
                raise
            self.fault(where, sentence(error))
            return None

    def is_there(self, uri: str) -> bool:
        """Return whether there is an object at a URI."""
        uri = as_s3(uri)
        with contextlib.suppress(OSError):  # it can't be asked for now: fetching it will tell why
            return self.buckets is not None and any(stored.uri == uri for stored in self.buckets.find(uri))
        return False

    def path(self, uri: str, name: str, *, make: bool) -> Path:
        """Return the file or folder behind a URI.

        Args:
            uri: The URI.
            name: What it is, for the name of a folder that has to be made.
            make: Whether a folder of objects is made. If not, its path means nothing.

        Raises:
            Unreadable: There is nothing, or it can't be read.
            OSError: A bucket can't be read.
        """
        uri = as_s3(uri)
        path = local(uri)
        if path is not None:
            self._check(path)
            return path
        objects = self._objects(uri)
        if not make:
            return Path()
        folder = self.folder(name, objects)
        single = len(objects) == 1 and next(iter(objects.values())).key == bucket_and_key(uri)[1]
        return folder / next(iter(objects)) if single else folder

    def listed(self, uri: str, name: str) -> Objects:
        """Return the objects that a manifest lists: [{"prefix": "s3://bucket/data/"}, "a.csv", "deep/b.csv"].

        Args:
            uri: The manifest's URI.
            name: The channel, for the name of a folder that has to be made.

        Raises:
            Unreadable: It isn't a manifest, or an object doesn't exist.
            OSError: A bucket can't be read.
        """
        manifest = self.path(uri, f"{name}-manifest", make=True)
        prefix, names = _manifest(manifest, uri)
        if local(prefix):
            paths = {name: self._check(local(f"{prefix}{name}") or Path()) for name in names}
            return {name: _stored_file(path) for name, path in paths.items()}
        common = os.path.commonprefix([f"{prefix}{name}" for name in names])  # noqa: RUF071 - of texts, as keys are
        existing = {stored.uri: stored for stored in self._bucket(common).find(common)}
        missing = [f"{prefix}{name}" for name in names if f"{prefix}{name}" not in existing]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise Unreadable(f"there is no object at {missing[0]}{more}, which the manifest {uri} lists.")
        return {name: existing[f"{prefix}{name}"] for name in names}

    def below(self, path: Path, *, asked: bool) -> Objects:
        """Return the files below a folder, or a single file, sorted by name.

        Args:
            path: The folder or file.
            asked: Whether the request names it, so that each file has to be one that requests may name.
        """
        if path.is_file():
            return {path.name: _stored_file(path)}
        files = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
        named = sorted((file.relative_to(path).as_posix(), self._check(file) if asked else file) for file in files)
        return {name: _stored_file(file) for name, file in named}

    def folder(self, name: str, objects: Objects) -> Path:
        """Return a folder that has each object at its path. It is made once for each state of the objects."""

        def fill(draft: Path) -> None:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(DOWNLOADS) as pool:
                for path, file in zip(objects, pool.map(self.file, objects.values()), strict=True):
                    _link(file, draft / path)

        return made_once(self.place, name, repr(sorted(objects.items())), fill)

    def file(self, stored: Stored) -> Path:
        """Return a local file with the content of an object."""
        return self._bucket(stored.uri).file(stored) if stored.bucket else Path(stored.key)

    def _objects(self, uri: str) -> Objects:
        """Return the objects below an s3:// prefix. Where there are none, the message is AWS's own."""
        buckets = self._bucket(uri)
        objects = dict(relative(uri, buckets.find(uri)))
        if not objects:
            raise Unreadable(
                f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists '
                f"(here: {bucket_and_key(uri)[0]!r} in {buckets.place}), and that objects exist under that S3 prefix."
            )
        odd = next((path for path in objects if not is_path(path)), None)
        if odd is not None:
            raise Unreadable(f"the key {objects[odd].key!r} under {uri} can't be the path of a file.")
        return objects

    def _bucket(self, uri: str) -> Buckets:
        if self.buckets is None or not uri.startswith("s3://"):
            raise Unreadable(f"{uri!r} can't be read here. Use file:///… or a local path.")
        return self.buckets

    def _check(self, path: Path) -> Path:
        """Return the path, if requests may name it and something is there."""
        trouble = None if self.buckets is None else path_refusal(self.buckets.roots, path)
        if trouble:
            raise Forbidden(trouble)
        if not path.exists():
            raise Unreadable(f"there is nothing at {path}.")
        return path


def sentence(error: Exception) -> str:
    """Return an error as a sentence, without Python's error number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return str(error)


def _manifest(path: Path, uri: str) -> tuple[str, list[str]]:
    """Return the prefix and the names in a manifest file. uri: for messages."""
    if not path.is_file() or path.stat().st_size > MAX_MANIFEST_BYTES:
        raise Unreadable(f"{uri} isn't a manifest: it must be one file of at most {MAX_MANIFEST_BYTES >> 20} MiB.")
    try:
        entries = json.loads(path.read_bytes())
    except ValueError as error:
        raise Unreadable(f"{uri} isn't a manifest: it's no JSON ({error}).") from error
    first = entries[0] if isinstance(entries, list) and entries else None
    prefix = first.get("prefix") if isinstance(first, dict) else None
    if not isinstance(prefix, str) or not prefix.startswith(("s3://", "file:///")):
        raise Unreadable(f'{uri} isn\'t a manifest: its first element must be {{"prefix": "s3://…"}}.')
    names = entries[1:]
    odd = [name for name in names if not isinstance(name, str) or not is_path(name)]
    if odd or not names:
        wrong = f"{odd[0]!r} isn't the rest of a key" if odd else "it lists no object"
        raise Unreadable(f"{uri} isn't a manifest: {wrong}.")
    return prefix, list(dict.fromkeys(names))


def _stored_file(path: Path) -> Stored:
    """Return a file of this machine in its present version."""
    status = path.stat()
    return Stored("", str(path.absolute()), f"{status.st_mtime_ns} {status.st_size}")


def _link(file: Path, link: Path) -> None:
    """Make a hard link, or a symbolic one where the file lies on another disk."""
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file.resolve(), link)
    except OSError:
        link.symlink_to(file.absolute())
