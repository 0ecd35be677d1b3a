"""Open a name beneath a folder's descriptor without following any link."""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from typing import Any

SYS_OPENAT2 = 437
"""The number of openat2(2) on every architecture that Python's builds support."""

RESOLVE_NO_MAGICLINKS = 0x02
"""From <linux/openat2.h>, as the next two."""

RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08

RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags with which a folder is opened."""

KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}

SHOWN = 120
"""Characters of a path in a message, at most: the path of a deep folder may have thousands."""


class _Kernel:
    """openat2 as this process may use it: not at all where the kernel doesn't have it, or a filter forbids it."""

    def __init__(self) -> None:
        self.has_openat2 = os.uname().sysname == "Linux"
        self._libc: Any = None

    def open(self, folder: int, name: str, flags: int) -> int:
        """Open a name of one or several parts beneath a folder, by flags with O_NOFOLLOW. Raise OSError where any part is a link."""
        if "/" in name and self.has_openat2:  # for one part it would do the same as openat
            try:
                return self._openat2(folder, name, flags)
            except OSError as error:
                if error.errno not in (errno.ENOSYS, errno.EPERM):
                    raise
                self.has_openat2 = False
        *above, last = name.split("/")
        if ".." in (*above, last):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
        opened = []
        try:
            for part in above:
                folder = os.open(part, FOLDER, dir_fd=folder)
                opened.append(folder)
            return os.open(last, flags, dir_fd=folder)
        finally:
            for each in opened:
                os.close(each)

    def _openat2(self, folder: int, name: str, flags: int) -> int:
        import ctypes

        if self._libc is None:
            self._libc = ctypes.CDLL(None, use_errno=True)
        how = (ctypes.c_uint64 * 3)(flags, 0, RESOLVE)
        result: int = self._libc.syscall(SYS_OPENAT2, folder, os.fsencode(name), how, ctypes.sizeof(how))
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), name)
        return result


KERNEL = _Kernel()


def lstat(folder: int, name: str) -> os.stat_result:
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def lstat_or_none(folder: int | None, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:  # there is nothing, or nobody may look
        return None


def check_regular(status: os.stat_result, path: str) -> None:
    """Raise IsADirectoryError or OSError, with a sentence, for anything but a regular file."""
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(f"{shown(path)} is a folder, not a file.")
    if kind != stat.S_IFREG:
        raise OSError(f"{shown(path)} is {KINDS.get(kind, 'something else')}, not a file.")


def clearer(error: OSError, path: str, status: os.stat_result | None) -> OSError:
    """Return an error of an open, with the whole path; where something else than a folder is there, with a sentence that says what."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        if status is None or stat.S_ISDIR(status.st_mode):
            return NotADirectoryError(f"{shown(path)}: a link or a file stands where a folder is expected.")
        return NotADirectoryError(f"{shown(path)} is {KINDS.get(stat.S_IFMT(status.st_mode))}, not a folder.")
    return OSError(error.errno, error.strerror, shown(path))


def shown(path: str) -> str:
    return path if len(path) <= SHOWN else f"{path[: SHOWN // 2]}…{path[-SHOWN // 2 :]}"
