"""Unpacks code archives (sourcedir.tar.gz), which come from anywhere: nothing lands outside the folder, nothing is endless."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Self

from alfine.core.errors import Fault, InvalidSpec

MAX_BYTES = 4 << 30
MAX_MEMBERS = 100_000
MAX_HEADER_BYTES = 1 << 20  # of a long name or other extended header, which tarfile reads at once
EXTENDED = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


def is_archive(path: Path) -> bool:
    return path.is_file() and path.name.endswith((".tar.gz", ".tgz", ".tar"))


def has_member(archive: Path, name: str) -> bool:
    """Whether the archive has a file of that name. Raise InvalidSpec when it can't be read as one."""
    wanted = os.path.normpath(name)
    with _opened(archive) as members:
        return any(os.path.normpath(each.name) == wanted for each in _bounded(members, archive))


def unpacked(archive: Path, folder: Path) -> Path:
    """The archive's content in a folder of its own below `folder`; made once for each state of the archive.

    Members that would land outside, devices and links that lead out are refused (tarfile's «data» filter).
    """
    status = archive.stat()
    state = f"{archive} {status.st_mtime_ns} {status.st_size}"
    place = folder / f"code-{zlib.crc32(state.encode()):08x}"
    if place.is_dir():
        return place
    folder.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        with _opened(archive) as members:
            members.extractall(draft, members=_bounded(members, archive), filter="data")
        if not place.is_dir():
            draft.rename(place)
    except tarfile.TarError as error:
        raise InvalidSpec([Fault(str(archive), f"can't be unpacked: {error}.")]) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


class _Member(tarfile.TarInfo):
    """A member whose header isn't endless."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if found.type in EXTENDED and found.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {found.size} bytes")
        return found


def _opened(archive: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(archive, tarinfo=_Member)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InvalidSpec([Fault(str(archive), f"isn't a tar archive: {error}.")]) from error


def _bounded(members: tarfile.TarFile, archive: Path) -> list[tarfile.TarInfo]:
    """The members, unless they are more than a folder of code can be."""
    found: list[tarfile.TarInfo] = []
    size = 0
    try:
        for member in members:
            found.append(member)
            size += member.size
            if size > MAX_BYTES or len(found) > MAX_MEMBERS:
                raise InvalidSpec(
                    [Fault(str(archive), "holds more than a folder of code can: 4 GiB or 100,000 files.")]
                )
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InvalidSpec([Fault(str(archive), f"isn't a whole tar archive: {error}.")]) from error
    return found
