"""Unpacks archives of code (sourcedir.tar.gz). They may come from anyone: nothing lands outside the folder, and their size is limited."""

from __future__ import annotations

import hashlib
import os
import tarfile
import zlib
from pathlib import Path
from typing import Self

from alfine.core.errors import Fault, InvalidSpec
from alfine.programs.data.made_once import made_once
from alfine.runners.storage.locations import may_pass

MAX_BYTES = 4 << 30
"""Bytes of an archive's files, unpacked."""

MAX_MEMBERS = 100_000
"""Files and folders in an archive."""

MAX_HEADER_BYTES = 1 << 20
"""Bytes of a long name or another extended header, which tarfile reads at once."""

EXTENDED = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
"""The types of extended headers."""


MALFORMED = (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError, LookupError)
"""What reading an archive raises: Python's tarfile doesn't catch what it meets in headers, such as a PAX header of a sparse file
whose numbers are none (ValueError), a time that no file can have (OverflowError), or a field that is missing (LookupError)."""


def is_archive(path: Path) -> bool:
    """Return whether a path is a file whose name is that of a tar archive."""
    return path.is_file() and path.name.endswith((".tar.gz", ".tgz", ".tar"))


def sha256_of(archive: Path) -> str:
    """Return the SHA-256 of a file."""
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_member(archive: Path, name: str) -> bool:
    """Return whether an archive has a file of that name.

    Raises:
        InvalidSpec: It isn't a tar archive, or is larger than alfine allows.
    """
    wanted = os.path.normpath(name)
    with _opened(archive) as members:
        return any(os.path.normpath(member.name) == wanted for member in _bounded(members, archive))


def unpacked(archive: Path, folder: Path) -> Path:
    """Return a folder with the content of an archive. It is made once for each state of the archive.

    Args:
        archive: The archive.
        folder: The folder in which that folder is made.

    Raises:
        InvalidSpec: It isn't a tar archive, is larger than alfine allows, or has a member that tarfile's filter «data» refuses: one
            that would land outside, a device, a link that leads outside; or whose name no file can have.
        OSError: It can't be unpacked at present, because the disk is full.
    """

    def fill(draft: Path) -> None:
        try:
            with _opened(archive) as members:
                _extract(members, _bounded(members, archive), draft)
        except MALFORMED as error:
            if may_pass(error):
                raise
            raise InvalidSpec([Fault(str(archive), f"can't be unpacked: {error}.")]) from error

    status = archive.stat()
    return made_once(folder, "code", f"{archive} {status.st_mtime_ns} {status.st_size}", fill)


def _extract(members: tarfile.TarFile, kept: list[tarfile.TarInfo], draft: Path) -> None:
    """Extract members by tarfile's filter «data» (PEP 706). Python 3.11.3 and older lack it: there an archive can't have links."""
    if hasattr(tarfile, "data_filter"):
        members.extractall(draft, members=kept, filter="data")
    else:
        members.extractall(draft, members=[_plain(member) for member in kept])  # noqa: S202 - checked by _plain


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a member as the user's own file or folder. Without links, a name without «..» can't lead outside."""
    if not (member.isreg() or member.isdir()):
        raise tarfile.TarError(f"{member.name!r} is neither a file nor a folder; links need Python 3.11.4 or newer")
    member.name = member.name.lstrip("/")
    if ".." in member.name.split("/"):
        raise tarfile.TarError(f"{member.name!r} would land outside")
    member.mode = member.mode & 0o755 | 0o600 if member.isreg() else 0o755
    member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
    return member


class _Member(tarfile.TarInfo):
    """A member of an archive, whose header has a limited size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if member.type in EXTENDED and member.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {member.size} bytes")
        return member


def _opened(archive: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(archive, tarinfo=_Member)
    except MALFORMED as error:
        raise InvalidSpec([Fault(str(archive), f"isn't a tar archive: {error}.")]) from error


def _bounded(members: tarfile.TarFile, archive: Path) -> list[tarfile.TarInfo]:
    """Return the members of an archive within the limits."""
    kept: list[tarfile.TarInfo] = []
    size = 0
    try:
        for member in members:
            kept.append(member)
            size += max(0, member.size)
            if size > MAX_BYTES or len(kept) > MAX_MEMBERS:
                message = f"is larger than an archive of code may be: {MAX_BYTES >> 30} GiB, or {MAX_MEMBERS:,} files and folders."
                raise InvalidSpec([Fault(str(archive), message)])
    except MALFORMED as error:
        raise InvalidSpec([Fault(str(archive), f"isn't a whole tar archive: {error}.")]) from error
    return kept
