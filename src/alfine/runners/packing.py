"""Access to what a training job left, for everybody outside of it: the packed model, the packed output, files one by one.

Everything is read through `launcher.beneath`, so nothing outside the folder is ever read, whatever the training job put in its place.

A link that leads to something in the same folder stays a link in an archive, and is stored in a bucket as a copy of the file. Everything
else that isn't a file or a folder (a link that leads out, a pipe, a socket, a device) is left out, and a line in the training job's log
says so. Where the folder itself is a link, nothing can be packed, and the training job fails.
"""

from __future__ import annotations

import gzip
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from alfine.runners.job_folder import Workspace
from alfine.runners.launcher import Beneath
from alfine.runners.launcher.lookup import KINDS
from alfine.runners.launcher.walk import WalkedEntry, walk
from alfine.runners.log_files import note_in_log

if TYPE_CHECKING:
    import tarfile

MODEL = "opt/ml/model"
OUTPUT = "opt/ml/output/data"

INSIDE = "/"
"""The path at which a training job in a sandbox or a container sees its folder: absolute links in its model begin so."""

PACKING_LEVEL = 1
"""Compression level of gzip. Weights hardly compress, and level 9 takes ten times as long."""

EMPTY_TAR = bytes(10240)
"""A tar file without members: one record of zeros."""

SMALL_ENTRIES = 1000
"""Files and folders of a model that is packed at once, at most."""

NAMED = 5
"""Names of what was left out that the line in the log has."""

MOST_LINKS = 8
"""Links that lead to each other and are followed, to store a copy of the file."""


def is_small(space: Workspace, most_bytes: int) -> bool:
    """Return whether a model is packed within milliseconds: at most so many bytes, and few files.

    Raises:
        OSError: It can't be read, or `model` isn't a folder.
    """
    size = 0
    with _opened(space, MODEL) as folder:
        for number, entry in enumerate(walk(folder) if folder else (), 1):
            size += entry.status.st_size if entry.kind == stat.S_IFREG else 0
            if size > most_bytes or number > SMALL_ENTRIES:
                return False
    return True


def is_packed(space: Workspace) -> bool:
    """Return whether there is a packed model."""
    with Beneath.at(space.folder) if space.folder.is_dir() else nullcontext() as folder:
        status = folder.status("output/model.tar.gz") if folder else None
    return status is not None and stat.S_ISREG(status.st_mode)


def pack_model(space: Workspace) -> Path:
    """Pack `model/` into `output/model.tar.gz`, unless that was done before.

    The same files give the same bytes. An empty model is packed too, as SageMaker does. A crash leaves no incomplete archive.

    Returns:
        The archive.

    Raises:
        OSError: The model can't be read, or the archive can't be written.
    """
    if not is_packed(space):
        space.folder.mkdir(parents=True, exist_ok=True)
        with Beneath.at(space.folder) as folder, folder.make("output") as output:
            draft = f".model.tar.gz.{os.getpid()}"
            with _opened(space, MODEL) as model, output.create(draft) as file:
                if model is None or not model.names():
                    file.write(_empty_archive())
                else:
                    _Packing(space, MODEL, model).into(file)
            output.rename(draft, space.archive.name)
    return space.archive


@contextmanager
def packed_model(space: Workspace) -> Iterator[BinaryIO | None]:
    """Give the packed model as an open file; None where it couldn't be packed."""
    with Beneath.at(space.folder) as folder:
        try:
            file = folder.open("output/model.tar.gz")
        except FileNotFoundError:
            yield None
            return
    with file:
        yield file


@contextmanager
def packed_output(space: Workspace) -> Iterator[BinaryIO | None]:
    """Give `output/data`, packed, as an open file that has no name; None where there is nothing in it.

    Raises:
        OSError: It can't be read or packed, or `output` or `data` isn't a folder.
    """
    with _opened(space, OUTPUT) as data:
        if data is None or not data.names():
            yield None
            return
        with Beneath.at(space.folder) as folder, folder.make("output") as output:
            draft = f".output.tar.gz.{os.getpid()}"
            with output.create(draft) as file:
                output.remove(draft)
                _Packing(space, OUTPUT, data, root="./").into(file)
                file.seek(0)
                yield file


def files_left(space: Workspace, name: str, *, noting: bool = True) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the files below a folder of the training job, each open until the next one is asked for.

    Args:
        space: The training job's folder.
        name: The folder, such as «opt/ml/checkpoints». Where there is nothing of that name, there are no files.
        noting: Whether the training job's log gets a line about what isn't stored. Only one that has ended may have it.

    Yields:
        The path below that folder, with slashes, and the file.

    Raises:
        OSError: A file can't be read, or something else than a folder has that name.
    """
    left_out: list[str] = []
    with _opened(space, name) as folder:
        for entry in walk(folder) if folder else ():
            if entry.kind == stat.S_IFDIR:
                continue
            file = _file_of(entry, folder, f"{INSIDE}{name}") if folder else None
            if file is None:
                left_out.append(_described(entry))
                continue
            with file:
                yield entry.name, file
    if noting:
        _note_left_out(space, name, left_out)


def folder_exists(space: Workspace, name: str) -> bool:
    """Return whether there is something of that name in the training job's folder: a folder, or what stands in its place."""
    with Beneath.at(space.folder) as folder:
        return folder.status(name) is not None


@contextmanager
def _opened(space: Workspace, name: str) -> Iterator[Beneath | None]:
    try:
        with Beneath.at(space.folder) as folder:
            opened = folder.folder(name)
    except FileNotFoundError:
        yield None
        return
    with opened:
        yield opened


class _Packing:
    """Packs a folder.

    Args:
        space: The training job's folder.
        name: The path of the folder to pack below that one.
        folder: The folder to pack.
        root: What the members' names begin with; with «./» the folder itself is a member too.
    """

    def __init__(self, space: Workspace, name: str, folder: Beneath, root: str = "") -> None:
        self.space = space
        self.name = name
        self.folder = folder
        self.root = root
        self.left_out: list[str] = []

    def into(self, file: BinaryIO) -> None:
        """Write the archive to an open file, and a line about what was left out to the training job's log."""
        import tarfile  # takes 10 ms, and most tuning jobs don't need it

        with gzip.GzipFile("", "wb", PACKING_LEVEL, file, mtime=0) as packed:
            archive = tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
            if self.root:
                archive.addfile(_member(tarfile.TarInfo("."), os.fstat(self.folder.descriptor), tarfile.DIRTYPE))
            for entry in walk(self.folder):
                self._add(archive, entry)
            archive.close()
        _note_left_out(self.space, self.name, self.left_out)

    def _add(self, archive: tarfile.TarFile, entry: WalkedEntry) -> None:
        import tarfile

        member = tarfile.TarInfo(f"{self.root}{entry.name}")
        if entry.kind == stat.S_IFREG:
            with entry.open() as file:
                member = archive.gettarinfo(arcname=member.name, fileobj=file)
                archive.addfile(_anonymous(member), file)
        elif entry.kind == stat.S_IFDIR:
            archive.addfile(_member(member, entry.status, tarfile.DIRTYPE))
        elif to := _leads_to(entry, self.folder, f"{INSIDE}{self.name}"):
            member.linkname = posixpath.relpath(to, posixpath.dirname(entry.name) or ".")
            archive.addfile(_member(member, entry.status, tarfile.SYMTYPE))
        else:
            self.left_out.append(_described(entry))


def _member(member: tarfile.TarInfo, status: os.stat_result, kind: bytes) -> tarfile.TarInfo:
    member.type = kind
    member.mode = status.st_mode
    return _anonymous(member)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return the archive member without its owner and its times, which differ from run to run."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def _leads_to(entry: WalkedEntry, folder: Beneath, seen: str) -> str:
    """Return where a link leads, as a path below the folder; "" for anything else, and for a link that leads out."""
    if entry.kind != stat.S_IFLNK:
        return ""
    return _below(entry.name, entry.target(), (seen, folder.path))


def _below(name: str, target: str, places: tuple[str, ...]) -> str:
    """Return the path below a folder to which a link's text leads; "" where it leads out.

    Args:
        name: The link's own path below the folder.
        target: Its text.
        places: The absolute paths of the folder.
    """
    if target.startswith("/"):
        place = next((place for place in places if target.startswith(f"{place}/")), None)
        if place is None:
            return ""
        path = target[len(place) + 1 :]
    else:
        path = posixpath.join(posixpath.dirname(name), target)
    path = posixpath.normpath(path)
    return "" if path == "." or path.split("/")[0] == ".." else path


def _file_of(entry: WalkedEntry, folder: Beneath, seen: str) -> BinaryIO | None:
    """Return the file that is stored for an entry: it itself, or the file in the same folder that a link leads to. None: there is none."""
    if entry.kind == stat.S_IFREG:
        return entry.open()
    path = _leads_to(entry, folder, seen)
    for _ in range(MOST_LINKS if path else 0):
        status = folder.status(path)
        if status is None or not stat.S_ISLNK(status.st_mode):
            break
        with suppress(OSError):  # it is another link, or none any more, which `open` finds
            path = _below(path, folder.target(path), (seen, folder.path))
    try:
        return folder.open(path) if path else None
    except OSError:  # it leads to a folder, or to nothing
        return None


def _described(entry: WalkedEntry) -> str:
    kind = KINDS.get(entry.kind, "something else")
    return f"{entry.name} ({kind})"


def _note_left_out(space: Workspace, name: str, left_out: list[str]) -> None:
    if left_out:
        more = f" and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
        names = ", ".join(left_out[:NAMED])
        note_in_log(
            space.log,
            f"/{name}: {names}{more} wasn't stored: only files, folders and links to files in the same folder are. Copy what you need.",
        )


@cache
def _empty_archive() -> bytes:
    return gzip.compress(EMPTY_TAR, mtime=0)
