"""Paths of objects in a bucket's folder: find, put and remove an object's file.

What changes a bucket here is called under its lock. It returns folders, which the caller syncs after the lock is released.
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

# Errors that say that a place in the plain tree can't hold the key: a folder is there, a file is where a folder must be, or the name is
# too long.
NO_PLACE = {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
NOT_A_FILE = NO_PLACE | {errno.ELOOP, errno.ENXIO}  # a link, a socket


def places(folder: Path, key: str) -> list[Path]:
    """Return the places where the key's object can be, the preferred one first."""
    odd = folder / OURS / "odd" / encoded(key)
    return [folder / key, odd] if is_plain(key) else [odd]


def inside(folder: Path, path: Path) -> bool:
    """Return whether the path stays inside the bucket's folder, links resolved."""
    return path.parent.resolve().is_relative_to(folder.resolve())


def is_object(folder: Path, path: Path) -> bool:
    """Return whether the path is a regular file inside the bucket's folder."""
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
    """Rename a file to the key's place. Return the place, and the folders to sync."""
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
    """Remove a file, its metadata and the folders that it leaves empty. Return the folder to sync."""
    beside = Path(metadata_file(folder, key, path.lstat().st_mtime_ns))
    path.unlink()
    beside.unlink(missing_ok=True)
    parent = path.parent
    with contextlib.suppress(OSError):  # the folder isn't empty, so it stays
        while parent not in (folder, folder / OURS / "odd"):
            parent.rmdir()
            parent = parent.parent
    return [parent]


def metadata_file(folder: Path, key: str, modified_ns: int) -> str:
    """Return the path of the metadata file as a string: a list asks for thousands, and Path objects are slow."""
    return f"{folder}/{OURS}/metadata/{encoded(key)}@{modified_ns}"
