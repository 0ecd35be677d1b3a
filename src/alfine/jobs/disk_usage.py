"""Measures the disk that folders take. What training jobs could have written is walked by descriptors, and no link is followed."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from alfine.runners.launcher.beneath import Beneath

BLOCK = 512
"""Bytes of a block of `st_blocks`. Source: POSIX, sys/stat.h."""

DEEPEST = 64
"""Folders inside each other that are looked into; what is deeper counts as nothing."""

MEASURED_SECONDS = 300.0
"""Age in seconds from which on a home is measured again: a home of a million files takes some seconds."""


def size_of(folder: Path) -> int:
    """Return how many bytes of the disk a folder takes; 0 where there is none. A file with several names counts a share of each."""
    try:
        with Beneath.at(folder) as opened:
            return sum(_sizes(opened, 1))
    except OSError:
        return 0  # it is gone, isn't a folder, or can't be opened: what nobody can look at isn't counted


def _sizes(folder: Beneath, depth: int) -> Iterator[int]:
    try:
        names = folder.names() if depth <= DEEPEST else []
    except OSError:  # it can't be read, or has more than a million names: that isn't what this is about
        return
    for name in names:
        status = folder.status(name)
        if status is None:
            continue
        yield status.st_blocks * BLOCK // (1 if stat.S_ISDIR(status.st_mode) else max(1, status.st_nlink))
        if stat.S_ISDIR(status.st_mode):
            yield _size_below(folder, name, depth)


def _size_below(folder: Beneath, name: str, depth: int) -> int:
    try:
        with folder.folder(name) as inner:
            return sum(_sizes(inner, depth + 1))
    except OSError:
        return 0  # it was removed or replaced meanwhile, or can't be opened


class HomeSize:
    """The size of a home, which is measured from time to time.

    Args:
        home: The home's folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._mutex = threading.Lock()
        self._bytes: int | None = None
        self._measured_at = 0.0

    def bytes(self) -> int:
        """Return how many bytes the home took when it was measured last. Only the first call waits for a measurement."""
        if self._bytes is None:
            self._measure()
        elif time.monotonic() - self._measured_at > MEASURED_SECONDS:
            threading.Thread(target=self._measure, name="alfine-disk", daemon=True).start()
        return self._bytes or 0

    def known(self) -> int | None:
        """Return the last measurement; None before the first."""
        return self._bytes

    def _measure(self) -> None:
        if self._mutex.acquire(blocking=self._bytes is None):  # another thread measures already
            try:
                self._bytes, self._measured_at = size_of(self._home), time.monotonic()
            finally:
                self._mutex.release()
