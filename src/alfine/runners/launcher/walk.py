"""Everything below a folder that a training job could have written, within limits."""

from __future__ import annotations

import os
import stat

from .beneath import MAX_NAMES, Beneath
from .lookup import lstat, shown

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

MAX_DEPTH = 64
"""Folders inside each other, below a folder that is read."""

MAX_ENTRIES = 1_000_000
"""Files and folders below a folder that is read."""

MAX_BYTES = 1 << 40
"""Bytes of all files below a folder that is read: 1 TiB. A file with holes may claim any size."""


class WalkedEntry:
    """A file, a folder or something else that `walk` has come to.

    Attributes:
        name: Its path below the folder that is walked, with slashes.
        status: What lstat says of it.
    """

    def __init__(self, name: str, status: os.stat_result, folder: Beneath) -> None:
        self.name = name
        self.status = status
        self._folder = folder

    @property
    def kind(self) -> int:
        """One of the keys of `KINDS`."""
        return stat.S_IFMT(self.status.st_mode)

    def open(self) -> BinaryIO:
        """Open it for reading. Only until the walk goes on."""
        return self._folder.open(self.name.rpartition("/")[2])

    def target(self) -> str:
        """Return where a link leads. Only until the walk goes on."""
        return self._folder.target(self.name.rpartition("/")[2])


def walk(folder: Beneath, left_out: Callable[[str], None] | None = None) -> Iterator[WalkedEntry]:
    """Yield everything below a folder, each folder before what is in it, sorted by name. No link is followed.

    Args:
        folder: The folder.
        left_out: Called with the name of each folder that can't be read or lies deeper than `MAX_DEPTH`, instead of raising. Number
            and bytes of files aren't limited then.

    Raises:
        OSError: A folder can't be read, or something exceeds `MAX_DEPTH`, `MAX_ENTRIES` or `MAX_BYTES`.
    """
    yield from _Walk(folder.path, left_out).below(folder, "", 1)


class _Walk:
    """One walk, with what it has seen so far."""

    def __init__(self, path: str, left_out: Callable[[str], None] | None) -> None:
        self.path = path
        self.left_out = left_out
        self.entries = 0
        self.bytes = 0

    def below(self, folder: Beneath, above: str, depth: int) -> Iterator[WalkedEntry]:
        for name in folder.names(None if self.left_out else MAX_NAMES):
            try:
                status = lstat(folder.descriptor, name)
            except FileNotFoundError:  # somebody has removed it since
                continue
            entry = WalkedEntry(f"{above}{name}", status, folder)
            self._count(status)
            yield entry
            if entry.kind == stat.S_IFDIR:
                inner = self._opened(folder, name, entry.name, depth)
                if inner is not None:
                    with inner:
                        yield from self.below(inner, f"{entry.name}/", depth + 1)

    def _opened(self, above: Beneath, name: str, path: str, depth: int) -> Beneath | None:
        """Open a folder; None where it is left out."""
        trouble = OSError(f"{shown(self.path)} has more than {MAX_DEPTH} folders inside each other.")
        if depth < MAX_DEPTH:
            try:
                return above.folder(name)
            except OSError as error:
                trouble = error
        if self.left_out is None:
            raise trouble
        self.left_out(path)
        return None

    def _count(self, status: os.stat_result) -> None:
        if self.left_out is not None:
            return
        self.entries += 1
        self.bytes += status.st_size if stat.S_ISREG(status.st_mode) else 0
        if self.entries > MAX_ENTRIES:
            raise OSError(f"{shown(self.path)} has more than {MAX_ENTRIES:,} files and folders.")
        if self.bytes > MAX_BYTES:
            raise OSError(f"{shown(self.path)} has files of more than {MAX_BYTES >> 40} TiB.")
