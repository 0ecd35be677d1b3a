"""The files of a training job's `.alfine` folder; the package's text says what they promise."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress

TYPE_CHECKING = False  # typing takes its time to import
if TYPE_CHECKING:
    from typing import Any

CONTROL = ".alfine"
LAUNCH, PROCESS, EXIT, LOCK, STOP, LOG = "launch.json", "process.json", "exit.json", "lock", "stop", "log"


def control_path(folder: str, name: str) -> str:
    """The path of one of our own files (`LAUNCH`, `LOCK`, …) of the training job in `folder`."""
    return f"{folder}/{CONTROL}/{name}"


def read_json(path: str) -> dict[str, Any] | None:
    """The object in the file; None when there is no such file, {} when a crash of the machine left it broken."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: str, value: dict[str, Any]) -> None:
    """Write the file so that a reader sees all of it or nothing."""
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(json.dumps(value))  # json.dump would walk the value in Python
    os.replace(draft, path)


def flush(path: str) -> None:
    """Make a file and its name survive a power cut."""
    for each in (path, os.path.dirname(path)):
        with suppress(OSError):
            descriptor = os.open(each, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)


def take_lock(folder: str) -> int | None:
    """Take the training job's lock; None when another process holds it. Close the number to let it go.

    Opening the lock file a second time in one process and closing it drops the lock (POSIX): ask only when not holding it.
    """
    fd = os.open(control_path(folder, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd
