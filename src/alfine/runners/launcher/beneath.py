"""Files beneath a folder that a training job could have written.

A training job may replace any file or folder of its own by a link, a named pipe or a device, at any moment. Whoever looks from outside
would follow the link out of the folder, or wait for ever at the pipe. So nobody outside uses a path that leads through such a folder.
`Beneath` holds the folder by its descriptor, and each name is looked up from there:

- No link is followed, so a name never leads out (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS; where the kernel has no openat2
  or a filter forbids it, one step a name with O_NOFOLLOW).
- Only regular files are opened. What a name stands for is looked at before it is opened (O_PATH), since opening a pipe may wait and opening
  a device may have effects. Then that very file is opened, whatever has become of its name meanwhile.
- How deep, how many and how large files may be is limited (walk.py).

This module works with Python 3.8 and imports little, as the launcher uses it too.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from .lookup import FOLDER, KERNEL, check_regular, clearer, lstat, lstat_or_none, shown

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from typing import BinaryIO, Self

O_PATH = getattr(os, "O_PATH", 0)
"""Linux only: look at what a name stands for without opening it."""

MAX_NAMES = 1_000_000
"""Names in one folder that is read."""

SWEEP_DEPTH = 32
"""Folders inside each other that `remove` goes down."""

MAX_SWEEPS = 100_000
"""Number of times that `remove` looks at a folder again: somebody may make new files meanwhile, or it is very deep."""

BATCH = 10_000
"""Names of a folder that `remove` keeps in memory at once."""


class Beneath:
    """A folder that a training job could have written, held by its descriptor. Use it in a `with`, or close it.

    Names are paths of one or several parts below it. «..» and links lead nowhere.

    Attributes:
        descriptor: Its descriptor.
        path: Its path, for messages.

    Example:
        >>> with Beneath.at("/home/me/.alfine/tuning-jobs/job/job-001") as folder, folder.open("opt/ml/output/failure") as file:
        ...     file.read(1024)
        b'lr is too large'
    """

    def __init__(self, descriptor: int, path: str) -> None:
        self.descriptor = descriptor
        self.path = path

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Self:
        """Open a folder by its path. Only its last name could have been replaced; a link isn't followed there.

        Raises:
            NotADirectoryError: Something else is there.
            OSError: It can't be opened.
        """
        text = os.fspath(path)
        try:
            return cls(os.open(text, FOLDER), text)
        except OSError as error:
            raise clearer(error, text, lstat_or_none(None, text)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)

    # -- reading --

    def folder(self, name: str) -> Beneath:
        """Open a folder below this one. Errors are those of `at`."""
        try:
            return Beneath(KERNEL.open(self.descriptor, name, FOLDER), f"{self.path}/{name}")
        except OSError as error:
            raise self._clearer(error, name) from error

    def open(self, name: str, flags: int = os.O_RDONLY) -> BinaryIO:
        """Open a regular file that exists.

        Args:
            name: The file.
            flags: How it is opened: O_RDONLY, or O_WRONLY with others.

        Raises:
            IsADirectoryError: It is a folder.
            OSError: It isn't a regular file, or can't be opened.
        """
        path = f"{self.path}/{name}"
        try:
            descriptor = self._opened(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno is None:  # a sentence of `check_regular`
                raise
            raise self._clearer(error, name) from error
        try:
            check_regular(os.fstat(descriptor), path)
            return open(descriptor, "wb") if flags & os.O_WRONLY else open(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise

    def _opened(self, name: str, flags: int) -> int:
        if not O_PATH:
            check_regular(lstat(self.descriptor, name), f"{self.path}/{name}")
            return KERNEL.open(self.descriptor, name, flags)
        looking = KERNEL.open(self.descriptor, name, O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            check_regular(os.fstat(looking), f"{self.path}/{name}")
            try:  # the very file that was looked at
                return os.open(f"/proc/self/fd/{looking}", flags & ~os.O_NOFOLLOW)
            except FileNotFoundError:  # there is no /proc
                return KERNEL.open(self.descriptor, name, flags)
        finally:
            os.close(looking)

    def _clearer(self, error: OSError, name: str) -> OSError:
        """Return an error of an open, about the first name on the way that isn't a folder."""
        parts = name.split("/")
        ways = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        way = next((way for way in ways if self.status(way) is not None and not self.is_folder(way)), name)
        return clearer(error, f"{self.path}/{way}", self.status(way))

    def status(self, name: str) -> os.stat_result | None:
        """Return what lstat says of a name; None where there is nothing, or something that isn't a folder is on the way."""
        above, _, last = name.rpartition("/")
        if not last:
            return None
        try:
            folder = KERNEL.open(self.descriptor, above, FOLDER) if above else self.descriptor
        except OSError:
            return None  # nothing is there, as the docstring says: no folder leads to it
        try:
            return lstat_or_none(folder, last)
        finally:
            if above:
                os.close(folder)

    def is_folder(self, name: str) -> bool:
        """Return whether there is a folder of this name; False for a link to one."""
        status = self.status(name)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def target(self, name: str) -> str:
        """Return where a link leads."""
        above, _, last = name.rpartition("/")
        if not above:
            return os.readlink(last, dir_fd=self.descriptor)
        with self.folder(above) as folder:
            return folder.target(last)

    def names(self, most: int | None = MAX_NAMES) -> list[str]:
        """Return the names in this folder, sorted.

        Args:
            most: How many names there may be; None: any number.

        Raises:
            OSError: It can't be read, or there are more names.
        """
        found: list[str] = []
        with os.scandir(self.descriptor) as entries:
            for entry in entries:
                found.append(entry.name)
                if most is not None and len(found) > most:
                    raise OSError(errno.E2BIG, f"there are more than {most:,} files and folders", self.path)
        return sorted(found)

    # -- writing --

    def make(self, name: str, mode: int = 0o777) -> Beneath:
        """Make a folder with its parents, and open it. Whatever else has one of these names is removed first.

        Args:
            name: The folder.
            mode: Its permissions where it is made, less the umask.
        """
        here = self
        for part in name.split("/"):
            above, here = here, here._made(part, mode)
            if above is not self:
                above.close()
        return here

    def _made(self, name: str, mode: int) -> Beneath:
        for last in (False, True):
            with suppress(FileExistsError):  # what is there is opened next, or removed if it is no folder
                os.mkdir(name, mode, dir_fd=self.descriptor)
            try:
                return self.folder(name)
            except NotADirectoryError:
                if last:
                    raise
                self.remove(name)
        raise AssertionError("the last round returns or raises")

    def create(self, name: str, mode: int = 0o666) -> BinaryIO:
        """Make a new file and open it for reading and writing. Whatever had its name is removed first.

        Args:
            name: The file, without a folder.
            mode: Its permissions, less the umask.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, mode, dir_fd=self.descriptor)
        except FileExistsError:
            self.remove(name)
            descriptor = os.open(name, flags, mode, dir_fd=self.descriptor)
        return open(descriptor, "w+b")

    def write(self, name: str, data: bytes) -> None:
        """Write a file so that a reader sees either all of it or what was there before."""
        draft = f"{name}.{os.getpid()}"
        with self.create(draft) as file:
            file.write(data)
        self.rename(draft, name)

    def rename(self, name: str, to: str) -> None:
        """Give a file or folder another name in this folder, in place of whatever has that name."""
        try:
            os.replace(name, to, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except OSError as error:
            if error.errno not in (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
                raise
            self.remove(to)
            os.replace(name, to, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def link(self, target: str, name: str) -> None:
        """Make a symbolic link, in place of whatever else has its name."""
        try:
            os.symlink(target, name, dir_fd=self.descriptor)
        except FileExistsError:
            try:
                if os.readlink(name, dir_fd=self.descriptor) == target:
                    return
            except OSError:
                pass  # it isn't a link
            self.remove(name)
            os.symlink(target, name, dir_fd=self.descriptor)

    # -- removing --

    def remove(self, name: str) -> None:
        """Remove whatever has a name, with everything below it; nothing where there is nothing. It needs few descriptors at any depth.

        Args:
            name: A file, a folder or something else.

        Raises:
            OSError: The first reason why something couldn't be removed. Everything else is removed.
        """
        above, _, last = name.rpartition("/")
        if above:
            with suppress(FileNotFoundError), self.folder(above) as inner:  # there is nothing to remove
                inner.remove(last)
            return
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return
        except OSError as error:
            if not self.is_folder(name):
                raise OSError(error.errno, error.strerror, f"{self.path}/{name}") from error
        else:
            return
        with _Sweep(self, name) as sweep:
            sweep.empty()
        os.rmdir(name, dir_fd=self.descriptor)


class _Sweep:
    """Empties a folder. A folder that lies `SWEEP_DEPTH` deep is moved up first, so that no depth costs descriptors or a long path."""

    def __init__(self, above: Beneath, name: str) -> None:
        self.top = _opened_to_empty(above, name)
        self.moved = 0
        self.trouble: OSError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.top.close()

    def empty(self) -> None:
        """Remove everything in the folder, or raise the first reason why that isn't possible."""
        self._empty(self.top, 0)
        if self.trouble is not None and _some_names(self.top):
            raise self.trouble

    def _empty(self, folder: Beneath, depth: int) -> None:
        for _ in range(MAX_SWEEPS):
            changes = [
                self._unlinked(folder, name) or self._removed(folder, name, depth) for name in _some_names(folder)
            ]
            if not any(changes):
                return

    def _unlinked(self, folder: Beneath, name: str) -> bool:
        """Remove an entry that is no folder. Return whether something changed, here and below."""
        try:
            os.unlink(name, dir_fd=folder.descriptor)
        except FileNotFoundError:
            return True
        except OSError as error:
            if not folder.is_folder(name):
                self._note(error, f"{folder.path}/{name}")
            return False
        return True

    def _removed(self, folder: Beneath, name: str, depth: int) -> bool:
        if not folder.is_folder(name):
            return False
        if depth == SWEEP_DEPTH:
            return self._moved_up(folder, name)
        try:
            with _opened_to_empty(folder, name) as inner:
                self._empty(inner, depth + 1)
            os.rmdir(name, dir_fd=folder.descriptor)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # then the reason is noted
                self._note(error, f"{folder.path}/{name}")
            return False
        return True

    def _moved_up(self, folder: Beneath, name: str) -> bool:
        for _ in range(2):
            self.moved += 1
            place = f".alfine-{os.getpid()}-{self.moved}"
            try:
                os.rename(name, place, src_dir_fd=folder.descriptor, dst_dir_fd=self.top.descriptor)
            except PermissionError:
                _allow(folder, name)  # a folder that is moved must be writable itself
            except OSError as error:
                self._note(error, f"{folder.path}/{name}")
                return False
            else:
                return True
        return False

    def _note(self, error: OSError, path: str) -> None:
        self.trouble = self.trouble or OSError(error.errno, error.strerror, shown(path))


def _opened_to_empty(above: Beneath, name: str) -> Beneath:
    """Open a folder whose entries are to be removed; its owner gets the permissions for that."""
    try:
        folder = above.folder(name)
    except PermissionError:
        _allow(above, name)
        return above.folder(name)
    mode = os.fstat(folder.descriptor).st_mode
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        _allow(above, name)
    return folder


def _allow(above: Beneath, name: str) -> None:
    """Give the owner of a folder all rights in it, if that is possible."""
    if not O_PATH:
        return
    try:
        looking = KERNEL.open(above.descriptor, name, O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # it is gone, or no folder any more
        return
    try:
        os.chmod(f"/proc/self/fd/{looking}", stat.S_IRWXU)
    except OSError:  # somebody else owns it: then removing says so
        pass
    finally:
        os.close(looking)


def _some_names(folder: Beneath) -> list[str]:
    found: list[str] = []
    with os.scandir(folder.descriptor) as entries:
        for entry in entries:
            found.append(entry.name)
            if len(found) == BATCH:
                break
    return found


def open_regular(path: str) -> BinaryIO:
    """Open a regular file for reading by its path, without following a link at its last name. Errors are those of `Beneath.open`.

    The folder that the file lies in must be one that no training job in a sandbox or a container sees.
    """
    if not O_PATH:
        above, _, name = path.rpartition("/")
        with Beneath.at(above or "/") as folder:
            return folder.open(name)
    looking = os.open(path, O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        check_regular(os.fstat(looking), path)
        try:
            return open(f"/proc/self/fd/{looking}", "rb")
        except FileNotFoundError:  # there is no /proc
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            return open(descriptor, "rb")
    finally:
        os.close(looking)
