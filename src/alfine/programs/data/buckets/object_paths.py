"""Where in a bucket's folder an object's file lies, how it gets there and how it goes.

What changes a bucket here is done under its lock; what it returns are folders, to be synced once the lock is free.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from alfine.programs.data.buckets.durable_files import make_folders
from alfine.programs.data.buckets.errors import S3Error
from alfine.programs.data.buckets.key_names import OURS, encoded, is_plain

# A place in the plain tree can't hold the key: a folder is there, a file is where a folder must be, the name is too long.
NO_PLACE = {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
NOT_A_FILE = NO_PLACE | {errno.ELOOP, errno.ENXIO}  # a link, a socket


def places(folder: Path, key: str) -> list[Path]:
    """Where the key's object can be, the first one first."""
    odd = folder / OURS / "odd" / encoded(key)
    return [folder / key, odd] if is_plain(key) else [odd]


def inside(folder: Path, path: Path) -> bool:
    """Whether no link leads the path out of the bucket's folder."""
    return path.parent.resolve().is_relative_to(folder.resolve())


def is_object(folder: Path, path: Path) -> bool:
    status = _status(path)
    return status is not None and stat.S_ISREG(status.st_mode) and inside(folder, path)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError as error:
        if error.errno in NO_PLACE | {errno.ENOENT}:
            return None
        raise


def rename_to(folder: Path, key: str, temporary: Path) -> tuple[Path, list[Path]]:
    """The place taken, and the folders whose change must be made durable."""
    for path in places(folder, key):
        try:
            if not inside(folder, path):
                continue
            made = make_folders(path.parent)
            before = _status(path)
            temporary.rename(path)
        except OSError as error:
            if error.errno in NO_PLACE:
                continue
            raise
        changed = [path.parent, *made]
        if before is not None and before.st_mtime_ns != path.lstat().st_mtime_ns:
            Path(metadata_file(folder, key, before.st_mtime_ns)).unlink(missing_ok=True)
        for other in places(folder, key):
            if other != path and is_object(folder, other):
                changed += remove_object(folder, key, other)
        return path, changed
    raise S3Error("InternalError", f"There is no place for the key {key!r} under {folder}.")


def remove_object(folder: Path, key: str, path: Path) -> list[Path]:
    """Remove a file, its metadata, and the folders that it leaves empty; the folder that changed."""
    beside = Path(metadata_file(folder, key, path.lstat().st_mtime_ns))
    path.unlink()
    beside.unlink(missing_ok=True)
    parent = path.parent
    with contextlib.suppress(OSError):  # not empty
        while parent not in (folder, folder / OURS / "odd"):
            parent.rmdir()
            parent = parent.parent
    return [parent]


def metadata_file(folder: Path, key: str, modified_ns: int) -> str:
    """A plain string: a list asks for thousands."""
    return f"{folder}/{OURS}/metadata/{encoded(key)}@{modified_ns}"
