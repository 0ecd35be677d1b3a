"""Files and folders made durable: what a crash must not lose is synced before anything refers to it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """Write a new file; not atomically, so nothing may refer to it yet."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def make_folders(folder: Path) -> list[Path]:
    """Make the folder and those above it; the folders that got a new entry, to be synced."""
    if folder.is_dir():
        return []
    above = make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    return [*above, folder.parent]


def sync(*folders: Path) -> None:
    """Make what was renamed into these folders, or removed from them, durable."""
    for folder in dict.fromkeys(folders):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # emptied and removed meanwhile
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


_clock = threading.Lock()
_last_ns = 0


def unique_ns() -> int:
    """The time, never twice the same in this process."""
    global _last_ns  # noqa: PLW0603 # one clock for all stores
    with _clock:
        _last_ns = max(time.time_ns(), _last_ns + 1)
        return _last_ns
