"""The files in a training job's `.alfine` folder. The package's docstring says what they mean."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from typing import Any

CONTROL = ".alfine"
"""The folder."""

LAUNCH = "launch.json"
"""What is to be started, written by alfine."""

PROCESS = "process.json"
"""The main process, written before the command runs."""

EXIT = "exit.json"
"""How the training job ended."""

LOCK = "lock"
"""Locked by the launcher that supervises the training job."""

STOP = "stop"
"""There once the training job has been asked to stop."""

CONTAINER = "container.{host}.json"
"""What the container engine said about the container of one host when it had ended, written by container_client."""

LOG = "log"
"""The output of its processes."""


def control_path(folder: str, name: str) -> str:
    """Return the path of one of these files (`LAUNCH`, `LOCK`, …) of the training job in `folder`."""
    return f"{folder}/{CONTROL}/{name}"


def read_json(path: str) -> dict[str, Any] | None:
    """Return the object in a file; None where there is no such file, {} where a crash of the machine has left it broken."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: str, value: dict[str, Any]) -> None:
    """Write a file so that a reader sees either all of it or the file before."""
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(json.dumps(value))  # json.dump would encode in Python, not in C
    os.replace(draft, path)


def flush(path: str) -> None:
    """Write a file and its name to the disk, so that they survive a power cut."""
    for name in (path, os.path.dirname(path)):
        with suppress(OSError):
            descriptor = os.open(name, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)


def take_lock(folder: str) -> int | None:
    """Take the lock of a training job.

    POSIX drops a lock when the process opens the file a second time and closes it. So call this only while not holding the lock.

    Returns:
        A file descriptor, which holds the lock until it is closed; None when another process holds the lock.
    """
    fd = os.open(control_path(folder, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd
