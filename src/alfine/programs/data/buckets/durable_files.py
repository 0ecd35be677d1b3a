"""Files and folders made durable: whatever a crash must not lose is synced before anything refers to it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """Write a new file and sync it. The write is not atomic, so nothing may refer to the file yet."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def make_folders(folder: Path) -> list[Path]:
    """Make the folder and its parents. Return the folders that got a new entry, which the caller syncs."""
    if folder.is_dir():
        return []
    above = make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    return [*above, folder.parent]


def sync(*folders: Path) -> None:
    """Sync these folders, so that what was renamed into them or removed from them is durable."""
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
    """Return the time in nanoseconds, never the same number twice in this process."""
    global _last_ns  # noqa: PLW0603 # one clock for all stores
    with _clock:
        _last_ns = max(time.time_ns(), _last_ns + 1)
        return _last_ns
