"""The form of a backup on disk: a folder, or a .tar, .tar.gz or .tgz file, with a list of its files and their checksums.

The list, `alfine-backup.json`, comes last: a backup without it isn't complete. Links are kept as links, never followed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast

from alfine.core.errors import AlfineError

MANIFEST = "alfine-backup.json"
FORMAT = 1
"""Version of the form of a backup; a reader refuses those that it doesn't know."""

ARCHIVES = (".tar", ".tar.gz", ".tgz")
"""Endings of the names of backups that are one file."""

Progress = Callable[[str, int, int], None]
"""Called with what is being copied, how much of it is done, and how much there is (0: not known)."""

PIECE_BYTES = 1 << 20
PACKING_LEVEL = 1
"""Compression level of gzip: models hardly compress, and level 9 takes ten times as long."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


class BadBackup(AlfineError):
    """A backup is incomplete or damaged, or isn't one."""

    code = "ValidationException"


@dataclass(frozen=True, slots=True)
class BackupEntry:
    """One file, link or folder of a backup.

    Attributes:
        path: Below the home, with `/`.
        mode: Its permissions.
        modified_ns: When it was changed; a bucket finds an object's record by it.
        bytes: Size of a file.
        sha256: Checksum of a file, in hexadecimal.
        link: Where a link leads.
        folder: Whether it is a folder.
    """

    path: str
    mode: int = 0o600
    modified_ns: int = 0
    bytes: int = 0
    sha256: str = ""
    link: str | None = None
    folder: bool = False


class Readable(Protocol):
    """A source of the bytes of a file."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes; none at the end."""


class Target(Protocol):
    """The place where a backup is written."""

    def write(self, entry: BackupEntry, data: Readable) -> None:
        """Write a file of `entry.bytes` bytes."""

    def link(self, entry: BackupEntry) -> None:
        """Write a link."""

    def folder(self, entry: BackupEntry) -> None:
        """Write a folder."""


class BackupWriter:
    """Writes a backup entry by entry. `writing` makes one."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.entries: list[BackupEntry] = []

    def file(self, path: str, data: Readable, status: os.stat_result) -> None:
        """Write a file; one that shrinks meanwhile is filled up with zeros, one that grows is cut."""
        checked = _Checked(data, status.st_size)
        self._target.write(BackupEntry(path, stat.S_IMODE(status.st_mode), status.st_mtime_ns, status.st_size), checked)
        self.entries.append(
            BackupEntry(
                path, stat.S_IMODE(status.st_mode), status.st_mtime_ns, status.st_size, checked.digest.hexdigest()
            )
        )

    def data(self, path: str, data: bytes, modified_ns: int = 0) -> None:
        """Write a small file."""
        entry = BackupEntry(path, 0o600, modified_ns, len(data), hashlib.sha256(data).hexdigest())
        self._target.write(entry, io.BytesIO(data))
        self.entries.append(entry)

    def link(self, path: str, to: str) -> None:
        """Write a link."""
        self.entries.append(entry := BackupEntry(path, link=to))
        self._target.link(entry)

    def folder(self, path: str, status: os.stat_result) -> None:
        """Write a folder."""
        self.entries.append(entry := BackupEntry(path, stat.S_IMODE(status.st_mode), folder=True))
        self._target.folder(entry)

    def finish(self, told: Mapping[str, Any]) -> None:
        """Write the list of all files, with what is told about the backup."""
        record = {"Format": FORMAT, **told, "Entries": [asdict(entry) for entry in self.entries]}
        data = json.dumps(record, indent=1).encode()
        self._target.write(BackupEntry(MANIFEST, 0o600, 0, len(data)), io.BytesIO(data))


class _Checked:
    """Reads exactly `size` bytes, and computes their checksum."""

    def __init__(self, data: Readable, size: int) -> None:
        self._data, self._left = data, size
        self.digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        piece = self._data.read(wanted)
        piece += bytes(wanted - len(piece)) if len(piece) < wanted else b""
        self._left -= len(piece)
        self.digest.update(piece)
        return piece


@contextmanager
def writing(place: Path) -> Iterator[BackupWriter]:
    """Write a backup at a place where nothing is yet. It has its name only once it is complete."""
    if place.exists() or place.is_symlink():
        raise AlfineError(f"{place} is there already. Give another name, or remove it.")
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        if place.name.endswith(ARCHIVES):
            with draft.open("xb") as file:
                draft.chmod(0o600)
                with tarfile.open(fileobj=file, **_packing(place)) as archive:
                    yield BackupWriter(_Tar(archive))
                file.flush()
                os.fsync(file.fileno())
        else:
            draft.mkdir(mode=0o700)
            yield BackupWriter(_Folder(draft))
            os.sync()
        draft.rename(place)
    finally:
        if draft.is_dir():
            shutil.rmtree(draft)
        draft.unlink(missing_ok=True)


def _packing(place: Path) -> dict[str, Any]:
    packed = not place.name.endswith(".tar")
    settings: dict[str, Any] = {"compresslevel": PACKING_LEVEL} if packed else {}
    return {"mode": "w:gz" if packed else "w", "format": tarfile.PAX_FORMAT, **settings}


class _Tar:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def write(self, entry: BackupEntry, data: Readable) -> None:
        member = self._member(entry)
        member.size = entry.bytes
        self._archive.addfile(member, cast("IO[bytes]", data))

    def link(self, entry: BackupEntry) -> None:
        member = self._member(entry)
        member.type, member.linkname = tarfile.SYMTYPE, entry.link or ""
        self._archive.addfile(member)

    def folder(self, entry: BackupEntry) -> None:
        member = self._member(entry)
        member.type = tarfile.DIRTYPE
        self._archive.addfile(member)

    def _member(self, entry: BackupEntry) -> tarfile.TarInfo:
        member = tarfile.TarInfo(entry.path)
        member.mode, member.mtime = entry.mode, entry.modified_ns // 10**9
        return member


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, entry: BackupEntry, data: Readable) -> None:
        place = self._place(entry)
        with place.open("xb") as file:
            place.chmod(0o600)
            shutil.copyfileobj(data, file, PIECE_BYTES)
        os.utime(place, ns=(entry.modified_ns, entry.modified_ns))

    def link(self, entry: BackupEntry) -> None:
        self._place(entry).symlink_to(entry.link or "")

    def folder(self, entry: BackupEntry) -> None:
        self._place(entry).mkdir(exist_ok=True)

    def _place(self, entry: BackupEntry) -> Path:
        place = self._folder / entry.path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place


# -- reading -----------------------------------------------------------------------------------------------------------


def entries_of(place: Path) -> Iterator[tuple[BackupEntry, IO[bytes] | None]]:
    """Yield what is in a backup, with the data of files; checksums aren't known here.

    Raises:
        BadBackup: It can't be read, or something in it is neither file, link nor folder.
    """
    try:
        if place.is_dir():
            yield from _entries_of_folder(place)
        else:
            with tarfile.open(place) as archive:
                yield from _entries_of_tar(archive)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadBackup(f"{place} can't be read as a backup: {error}.") from error


def _entries_of_tar(archive: tarfile.TarFile) -> Iterator[tuple[BackupEntry, IO[bytes] | None]]:
    for member in archive:
        if member.isreg():
            yield BackupEntry(member.name, bytes=member.size), archive.extractfile(member)
        elif member.issym():
            yield BackupEntry(member.name, link=member.linkname), None
        elif member.isdir():
            yield BackupEntry(member.name, folder=True), None
        else:
            raise BadBackup(f"{archive.name!s}: {member.name!r} is neither a file nor a link nor a folder.")


def _entries_of_folder(place: Path) -> Iterator[tuple[BackupEntry, IO[bytes] | None]]:
    for top, folders, names in os.walk(place):
        for name in sorted([*folders, *names]):
            path = Path(top, name)
            inside = path.relative_to(place).as_posix()
            if path.is_symlink():
                yield BackupEntry(inside, link=str(path.readlink())), None
            elif path.is_dir():
                yield BackupEntry(inside, folder=True), None
            elif path.is_file():
                with path.open("rb") as data:
                    yield BackupEntry(inside, bytes=path.stat().st_size), data
            else:
                raise BadBackup(f"{path} is neither a file nor a link nor a folder.")


def digest_of(data: IO[bytes], into: IO[bytes] | None = None) -> str:
    """Return the checksum of data, which is copied on the way."""
    digest = hashlib.sha256()
    while piece := data.read(PIECE_BYTES):
        digest.update(piece)
        if into is not None:
            into.write(piece)
    return digest.hexdigest()


def read_manifest(data: IO[bytes], place: Path) -> tuple[Mapping[str, Any], dict[str, BackupEntry]]:
    """Return what is told about a backup, and its entries by path."""
    try:
        record = json.load(data)
        if record["Format"] != FORMAT:
            raise BadBackup(f"{place}: another version of alfine made this backup (format {record['Format']}).")
        return record, {entry["path"]: BackupEntry(**entry) for entry in record["Entries"]}
    except (ValueError, KeyError, TypeError) as error:
        raise BadBackup(f"{place}: its list of files ({MANIFEST}) can't be read: {error}.") from error


def check_complete(place: Path, found: Mapping[str, BackupEntry], listed: Mapping[str, BackupEntry]) -> None:
    """Raise BadBackup, with the first differences, unless a backup has exactly the entries of its list."""
    wrong = [] if listed else [f"it has no list of its files ({MANIFEST})"]
    wrong += [f"{path} is missing" for path in listed if path not in found]
    wrong += [f"{path} isn't listed" for path, entry in found.items() if path not in listed and not entry.folder]
    wrong += [f"{path} is damaged" for path, entry in found.items() if path in listed and _differs(entry, listed[path])]
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise BadBackup(f"{place} is incomplete or damaged: {', '.join(wrong[:3])}{more}.")


def _differs(found: BackupEntry, listed: BackupEntry) -> bool:
    return (found.bytes, found.sha256, found.link, found.folder) != (
        listed.bytes,
        listed.sha256,
        listed.link,
        listed.folder,
    )
