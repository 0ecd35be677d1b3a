"""What a training job reads: the files behind a request's URIs, and its input channels made of them.

What can't be read is a fault of the request when it's created. Later it's the end of the training jobs that need it, as on
SageMaker: their FailureReason says what is gone.

A folder of objects is made of hard links where that can be, so that it holds what was there when the tuning job (or alfine,
after a restart) began, whatever becomes of the bucket meanwhile.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alfine.core.channels import Channel
from alfine.core.errors import Fault
from alfine.core.spec import TuningJobSpec
from alfine.programs.data.locations import Buckets, Stored, as_s3, beyond, is_path, local, may_pass, parts, relative
from alfine.runners import protocol
from alfine.store.config import Running

INPUTS = ".inputs"  # in a tuning job's folder: unpacked code, links to objects
MAX_MANIFEST_BYTES = 64 << 20
PIECE_BYTES = 1 << 20
DOWNLOADS = 8  # at once
LEFT_FREE_BYTES = 1 << 30  # on the disk, by what is decompressed: a few KiB can become any number of GiB

Objects = Mapping[str, Stored]  # by their path inside the channel


class Unreadable(Exception):
    """Why something can't be read, in a sentence."""


class Forbidden(Unreadable):
    """The request may not name it."""


@dataclass(frozen=True, slots=True)
class RequestFiles:
    """Finds what a request's URIs name, and collects what is wrong with them.

    place: the folder for what has to be made. fetch: False only looks whether all is there. max_decompressed_bytes: of a channel.
    """

    place: Path
    buckets: Buckets | None
    fetch: bool
    faults: list[Fault]
    max_decompressed_bytes: int = Running().max_decompressed_bytes

    def fault(self, where: str, message: str) -> None:
        self.faults.append(Fault(where, message))

    def find(self, uri: str, name: str, where: str) -> Path | None:
        """The file or folder behind a URI, None with a fault when there is none."""
        try:
            # To look into an archive takes no more than its own file; a folder of links is made only to be used.
            return self.path(uri, name, make=self.fetch or uri.endswith((".gz", ".tgz", ".tar")))
        except (Unreadable, OSError) as error:
            if self.fetch and may_pass(error):
                raise
            self.fault(where, _sentence(error))
            return None

    def is_there(self, uri: str) -> bool:
        uri = as_s3(uri)
        with contextlib.suppress(OSError):
            return self.buckets is not None and any(each.uri == uri for each in self.buckets.find(uri))
        return False

    def path(self, uri: str, name: str, *, make: bool) -> Path:
        """The file or folder behind a URI; without `make` anything at all for a folder of objects."""
        uri = as_s3(uri)
        path = local(uri)
        if path is not None:
            self._check(path)
            return path
        objects = self._objects(uri)
        if not make:
            return Path()
        folder = self.folder(name, objects)
        alone = len(objects) == 1 and next(iter(objects.values())).key == parts(uri)[1]
        return folder / next(iter(objects)) if alone else folder

    def listed(self, uri: str, name: str) -> Objects:
        """What a manifest lists: [{"prefix": "s3://bucket/data/"}, "a.csv", "deep/b.csv"]."""
        manifest = self.path(uri, f"{name}-manifest", make=True)
        prefix, names = _manifest(manifest, uri)
        if local(prefix):
            found = {name: self._check(local(f"{prefix}{name}") or Path()) for name in names}
            return {name: _of(path) for name, path in found.items()}
        common = os.path.commonprefix([f"{prefix}{name}" for name in names])  # noqa: RUF071 - of texts, as keys are
        there = {each.uri: each for each in self._bucket(common).find(common)}
        missing = [f"{prefix}{name}" for name in names if f"{prefix}{name}" not in there]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise Unreadable(f"there is no object at {missing[0]}{more}, which the manifest {uri} lists.")
        return {name: there[f"{prefix}{name}"] for name in names}

    def below(self, path: Path, *, asked: bool) -> Objects:
        """The files below a folder, or a lone file, in the order of their names. asked: by the request, so that links count."""
        if path.is_file():
            return {path.name: _of(path)}
        found = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
        named = sorted((each.relative_to(path).as_posix(), self._check(each) if asked else each) for each in found)
        return {name: _of(each) for name, each in named}

    def folder(self, name: str, objects: Objects) -> Path:
        """A folder that has each of the objects under its name."""

        def fill(draft: Path) -> None:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(DOWNLOADS) as pool:
                for path, file in zip(objects, pool.map(self.file, objects.values()), strict=True):
                    _link(file, draft / path)

        return made_once(self.place, name, sorted(objects.items()), fill)

    def file(self, stored: Stored) -> Path:
        return self._bucket(stored.uri).file(stored) if stored.bucket else Path(stored.key)

    def _objects(self, uri: str) -> Objects:
        """What lies under an s3:// prefix; when nothing does, in AWS's words."""
        buckets = self._bucket(uri)
        objects = dict(relative(uri, buckets.find(uri)))
        if not objects:
            raise Unreadable(
                f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists '
                f"(here: {parts(uri)[0]!r} in {buckets.place}), and that objects exist under that S3 prefix."
            )
        odd = next((path for path in objects if not is_path(path)), None)
        if odd is not None:
            raise Unreadable(f"The key {objects[odd].key!r} under {uri} can't be the path of a file.")
        return objects

    def _bucket(self, uri: str) -> Buckets:
        if self.buckets is None or not uri.startswith("s3://"):
            raise Unreadable(f"{uri!r} can't be read here. Use file:///… or a local path.")
        return self.buckets

    def _check(self, path: Path) -> Path:
        """The path, which the request may name and where something is."""
        trouble = None if self.buckets is None else beyond(self.buckets.roots, path)
        if trouble:
            raise Forbidden(trouble)
        if not path.exists():
            raise Unreadable(f"there is nothing at {path}.")
        return path


# ---- channels ----------------------------------------------------------------------------------------------------------


def channels(spec: TuningJobSpec, files: RequestFiles) -> Iterator[protocol.LocalChannel]:
    """The input channels of every training job of the spec; what is wrong with them goes to `files`."""
    for channel in spec.definition.channels:
        trouble, path = "", Path()
        shards: tuple[Path, ...] = ()
        try:
            path, shards = _paths(channel, files, spec.definition.instance_count)
        except (Unreadable, OSError, EOFError, zlib.error) as error:
            if files.fetch and may_pass(error):
                raise
            trouble = _sentence(error)
            if isinstance(error, Forbidden) or not files.fetch:
                files.fault(f"TrainingJobDefinition.InputDataConfig ({channel.name})", trouble)
        yield protocol.LocalChannel(
            name=channel.name,
            path=path,
            content_type=channel.content_type,
            input_mode=channel.input_mode,
            sharded=channel.sharded,
            shards=shards,
            gzip=channel.gzip,
            record_io=channel.record_io,
            seed=channel.shuffle_seed,
            trouble=trouble,
        )


def _paths(channel: Channel, files: RequestFiles, hosts: int) -> tuple[Path, tuple[Path, ...]]:
    """What every host sees, and what each sees when they share the data."""
    name = f"channel-{channel.name}"
    if channel.manifest:
        objects = files.listed(channel.uri, name)
        path = files.folder(name, objects) if files.fetch else Path()
    else:
        path = files.path(channel.uri, name, make=files.fetch)
    if channel.input_mode == "Pipe":  # what is to be done to the data is done on their way
        return path, ()
    asked, split = path == local(channel.uri), channel.sharded and hosts > 1
    if not files.fetch:
        if asked and (channel.gzip or split):
            files.below(path, asked=True)
        return path, ()
    if channel.gzip:
        path, asked = _decompressed(files, f"{name}-plain", files.below(path, asked=asked)), False
    if not split:
        return path, ()
    objects = files.below(path, asked=asked)
    return path, tuple(
        files.folder(f"{name}-{host + 1}-of-{hosts}", {each: objects[each] for each in mine})
        for host, mine in enumerate(shares(list(objects), hosts, channel.shuffle_seed))
    )


def shares(names: Sequence[str], hosts: int, seed: int | None) -> list[list[str]]:
    """Who of several hosts gets what: by turns, in the order of the keys or, with a seed, in one shuffled by it."""
    order = list(names)
    if seed is not None:
        random.Random(seed).shuffle(order)
    return [order[host::hosts] for host in range(hosts)]


def _manifest(path: Path, uri: str) -> tuple[str, list[str]]:
    """(prefix, names) of a manifest file."""
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
    odd = [each for each in names if not isinstance(each, str) or not is_path(each)]
    if odd or not names:
        wrong = f"{odd[0]!r} isn't the rest of a key" if odd else "it lists no object"
        raise Unreadable(f"{uri} isn't a manifest: {wrong}.")
    return prefix, list(dict.fromkeys(names))


def _decompressed(files: RequestFiles, name: str, objects: Objects) -> Path:
    """A folder of the files' decompressed contents, their names without .gz."""

    def fill(draft: Path) -> None:
        left = files.max_decompressed_bytes
        for packed, each in objects.items():
            plain = draft / packed.removesuffix(".gz")
            plain.parent.mkdir(parents=True, exist_ok=True)
            try:
                with gzip.open(files.file(each)) as source, plain.open("xb") as target:
                    while piece := source.read(PIECE_BYTES):
                        left -= len(piece)
                        _check_room(draft, left, files.max_decompressed_bytes)
                        target.write(piece)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise Unreadable(f"CompressionType is Gzip, but {packed} isn't a whole gzip file: {error}.") from error
            except FileExistsError as error:
                raise Unreadable(f"decompressed, two files would be called {packed.removesuffix('.gz')}.") from error

    return made_once(files.place, name, list(objects.items()), fill)


def _check_room(folder: Path, left: int, most: int) -> None:
    """Raise Unreadable when a channel's decompressed data exceed what they may be, or what the disk can spare."""
    if left < 0:
        raise Unreadable(
            f"decompressed, its files are more than {most} bytes. Where they may be, raise max_decompressed_bytes under [run] in "
            "alfine.toml; Pipe mode decompresses on the way and stores nothing."
        )
    if shutil.disk_usage(folder).free < LEFT_FREE_BYTES:
        raise Unreadable(
            f"decompressed, its files leave less than {LEFT_FREE_BYTES >> 30} GiB free on the disk of {folder.parent}. Make room, "
            "or use Pipe mode, which decompresses on the way and stores nothing."
        )


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return str(error)


# ---- folders that are made once ----------------------------------------------------------------------------------------


def made_once(place: Path, name: str, state: Sequence[object], fill: Callable[[Path], None]) -> Path:
    """A folder that `fill` has filled: one for each state of what it's made from.

    It takes its name when it's complete, whoever else makes the same one meanwhile.
    """
    folder = place / f"{name}-{zlib.crc32(repr(state).encode(errors='surrogateescape')):08x}"
    if folder.is_dir():
        return folder
    place.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=place))
    draft.chmod(0o755)
    try:
        fill(draft)
        with contextlib.suppress(OSError):
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _of(path: Path) -> Stored:
    """A file of this machine as it is now."""
    status = path.stat()
    return Stored("", str(path.absolute()), f"{status.st_mtime_ns} {status.st_size}")


def _link(file: Path, link: Path) -> None:
    """A hard link, or a symbolic one where the file lies on another disk."""
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file.resolve(), link)
    except OSError:
        link.symlink_to(file.absolute())
