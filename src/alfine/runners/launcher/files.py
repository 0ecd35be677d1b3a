"""The files in a training job's `.alfine` folder. The package's docstring says what they mean."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import suppress

from .beneath import Beneath, open_regular
from .lookup import check_regular

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from typing import Any

CONTROL = ".alfine"
"""The folder."""

LAUNCH = "launch.json"
"""Name of the file that says what is to be started, written by alfine."""

PROCESS = "process.json"
"""The main process, written before the command runs."""

EXIT = "exit.json"
"""Name of the file that says how the training job ended."""

LOCK = "lock"
"""Locked by the launcher that supervises the training job."""

DELETED = b"deleted"
"""Content of the lock, which is empty otherwise, once alfine removes the training job's folder."""

STOP = "stop"
"""There once the training job has been asked to stop."""

HEARD = "heard.json"
"""Written when the training job's machine hears of alfine; its time of change counts, for a training job on a leash."""

CONTAINER = "container.{host}.json"
"""What the container engine said about the container of one host when it had ended, written by container_client."""

LOG = "log"
"""The output of its processes."""


def control_path(folder: str, name: str) -> str:
    """Return the path of one of these files (`LAUNCH`, `LOCK`, …) of the training job in `folder`."""
    return f"{folder}/{CONTROL}/{name}"


def read_json(path: str) -> dict[str, Any] | None:
    """Return the object in a file; None where there is no such file, {} where a crash of the machine has left it broken.

    Raises:
        OSError: It can't be read, or isn't a regular file: a training job in a plain process may have replaced it.
    """
    try:
        with open_regular(path) as file:
            value = json.loads(file.read())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: str, value: dict[str, Any]) -> None:
    """Write a file so that a reader sees either all of it or the file before."""
    above, _, name = path.rpartition("/")
    with Beneath.at(above) as folder:
        folder.write(name, json.dumps(value).encode())


def flush(path: str) -> None:
    """Write a file and its name to the disk, so that they survive a power cut."""
    for name in (path, os.path.dirname(path)):
        with suppress(
            OSError
        ):  # the file was removed, or the file system can't: only a power cut would show the difference
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            os.fsync(descriptor)
            os.close(descriptor)


def take_lock(folder: str) -> int | None:
    """Take the lock of a training job.

    POSIX drops a lock when the process opens the file a second time and closes it. So call this only while not holding the lock.

    Returns:
        A file descriptor, which holds the lock until it is closed; None when another process holds the lock.

    Raises:
        OSError: The lock can't be opened, or can't be asked for: nobody knows whether another process holds it.
    """
    fd = os.open(
        control_path(folder, LOCK), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644
    )
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if error.errno not in (errno.EACCES, errno.EAGAIN):  # a file system without locks, for example
            raise
        return None
    return fd


def open_log(folder: str) -> int:
    """Open the log of a training job for writing at its end, and return the descriptor.

    Raises:
        OSError: It can't be opened, or isn't a regular file: nobody would read a pipe.
    """
    path = control_path(folder, LOG)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    try:
        check_regular(os.fstat(fd), path)
    except OSError:
        os.close(fd)
        raise
    os.set_blocking(fd, True)
    return fd
