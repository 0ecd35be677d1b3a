"""Supervision of training jobs: who supervises one, and how one ends whose supervisor was killed.

A launcher holds the lock of a training job (a POSIX record lock on `.alfine/lock`) for as long as it supervises it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from alfine.runners import launcher
from alfine.runners.job_folder import Workspace, make_control
from alfine.runners.log_files import log_status
from alfine.runners.shortages import is_shortage

LOST = "The supervisor of this training job was killed, or the machine went down."

FLOCK_LAYOUT = "hhqqi4x" if sys.platform.startswith("linux") else "qqihh"
"""struct flock of 64-bit systems, fcntl(2). Linux: type, whence, start, length, pid; macOS: start, length, pid, type, whence."""

KILL_ROUNDS = 50
"""How often the processes of a lost training job are looked for and killed, since they may start new ones meanwhile."""

SETTLE_SECONDS = 60.0
"""Longest time, in seconds, that the program that removes containers may take."""

KILL_PAUSE_SECONDS = 0.02
"""Time between two of these rounds."""


def was_started(folder: str) -> bool:
    """Return whether a training job has begun, whether or not it has ended."""
    return any(Path(launcher.control_path(folder, name)).exists() for name in (launcher.PROCESS, launcher.EXIT))


def has_ended(folder: str) -> bool:
    """Return whether the end of a training job is written: then none of its processes is left."""
    return Path(launcher.control_path(folder, launcher.EXIT)).exists()


def lock_holder(folder: str) -> int:
    """Return the id of the process that holds a training job's lock; 0 where nobody does. The lock isn't taken.

    Raises:
        OSError: The lock can't be opened: nobody knows whether it is held.
    """
    try:
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(launcher.control_path(folder, launcher.LOCK), flags)
    except (FileNotFoundError, NotADirectoryError):
        return 0  # without a file there is no lock, so nobody holds it
    linux = FLOCK_LAYOUT.startswith("h")
    fields = (fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0) if linux else (0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
    try:
        answer = struct.unpack(FLOCK_LAYOUT, fcntl.fcntl(file, fcntl.F_GETLK, struct.pack(FLOCK_LAYOUT, *fields)))
    finally:
        os.close(file)
    kind, holder = (answer[0], answer[4]) if linux else (answer[3], answer[2])
    return 0 if kind == fcntl.F_UNLCK else int(holder)


def is_supervised(folder: str) -> bool:
    """Return whether a launcher supervises the training job."""
    return lock_holder(folder) != 0


def settle_lost(folder: str) -> dict[str, Any] | None:
    """Kill the processes of a training job whose launcher was killed, and write its exit.json.

    Returns:
        The content of exit.json, or None when a launcher supervises the training job after all.
    """
    lock = launcher.take_lock(folder)
    if lock is None:
        return None
    try:
        process = launcher.read_json(launcher.control_path(folder, launcher.PROCESS)) or {}
        # A client of a container engine is in a group of its own. It isn't killed before its container is removed: while it begins a
        # container, it would leave the container's network behind. But nothing that could start another client may be left by then.
        _kill_main_group(process)
        _settle_containers(folder)
        _kill_leftovers(folder, process)
        log = log_status(Path(launcher.control_path(folder, launcher.LOG)))
        ended_at = process.get("started_at") if log is None else log.st_mtime
        record = {"cause": "lost", "code": None, "signal": None, "ended_at": ended_at, "detail": LOST}
        launcher.write_json(launcher.control_path(folder, launcher.EXIT), record)
    finally:
        os.close(lock)
    return record


def kill_processes(folder: str) -> bool:
    """Kill the processes of a training job without its launcher's help.

    Returns:
        Whether none is left, as far as this machine can tell.
    """
    try:
        process = launcher.read_json(launcher.control_path(folder, launcher.PROCESS)) or {}
    except (OSError, RecursionError):  # whatever is in the file, its processes are also found without it
        process = {}
    _kill_leftovers(folder, process)
    return not _processes_of(folder)


def settle_removed(folder: str) -> dict[str, Any] | None:
    """Kill the processes of a training job whose folder was removed, and write its exit.json in a new one.

    Returns:
        The content of exit.json, or None when its folder is there, or it has no processes: then it was never started, or a retry is to
        start it.
    """
    if launcher.read_json(launcher.control_path(folder, launcher.LAUNCH)) is not None or not _processes_of(folder):
        return None
    _kill_leftovers(folder, {})
    make_control(Path(folder))
    record = {"cause": "removed", "code": None, "signal": None, "ended_at": time.time(), "detail": launcher.REMOVED}
    launcher.write_json(launcher.control_path(folder, launcher.EXIT), record)
    return record


def _kill_main_group(process: dict[str, Any]) -> None:
    pid = process.get("pid")
    if isinstance(pid, int) and pid > 1 and launcher.identity(pid) == process.get("identity") is not None:
        launcher.kill_group(pid, signal.SIGKILL)


def _kill_leftovers(folder: str, process: dict[str, Any]) -> None:
    _kill_main_group(process)
    for _ in range(KILL_ROUNDS):
        leftovers = _processes_of(folder)
        for leftover in leftovers:
            with suppress(OSError):  # it has ended meanwhile; what can't be killed is looked for again
                os.kill(leftover, signal.SIGKILL)
        if not leftovers:
            return
        time.sleep(KILL_PAUSE_SECONDS)


def _settle_containers(folder: str) -> None:
    """Remove the containers of a lost training job, which run on without their client."""
    spec = launcher.read_json(launcher.control_path(folder, launcher.LAUNCH)) or {}
    if spec.get("settle") and spec.get("processes"):
        with suppress(
            OSError, subprocess.TimeoutExpired
        ):  # an engine that doesn't answer mustn't keep the end from being recorded
            subprocess.run(
                spec["settle"],
                env=spec["processes"][0]["env"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SETTLE_SECONDS,
                check=False,
            )


def _processes_of(folder: str) -> list[int]:
    """Return processes that have the training job's mark or environment, or print to its log. On Linux only; elsewhere none are found.

    Raises:
        OSError: The machine is too short of something to look.
    """
    try:
        numbers = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
    except FileNotFoundError:
        return []  # there is no /proc
    log, mark = log_status(Path(launcher.control_path(folder, launcher.LOG))), launcher.mark_of(folder)
    return [pid for pid in numbers if pid != os.getpid() and (_has_mark(pid, mark) or _belongs(pid, folder, log))]


def _has_mark(pid: int, mark: int) -> bool:
    """Return whether a process has a training job's mark, and does anything: one that its parent doesn't reap keeps the mark."""
    return launcher.mark_on(pid) == mark and launcher.identity(pid) is not None


def _belongs(pid: int, folder: str, log: os.stat_result | None) -> bool:
    marker = f"SAGEMAKER_BASE_DIR={Workspace(Path(folder)).ml}".encode()
    if log is not None and any(_is_file(f"/proc/{pid}/fd/{descriptor}", log) for descriptor in (1, 2)):
        return True
    try:
        return marker in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError as error:
        if is_shortage(error):
            raise
        return False  # it has ended, or is another user's


def _is_file(path: str, file: os.stat_result) -> bool:
    """Return whether a path leads to a file; by its inode, because in a sandbox the log may have another path."""
    try:
        return os.path.samestat(Path(path).stat(), file)
    except OSError:
        return False  # the process has closed it, or has ended: a look needs no descriptor
