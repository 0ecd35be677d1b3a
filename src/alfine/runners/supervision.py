"""The files of one training job."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from alfine.runners import launcher
from alfine.runners.job_folder import Workspace

LOST = "The supervisor of this training job was killed, or the machine went down."


def was_started(folder: str) -> bool:
    return any(Path(launcher.control_path(folder, name)).exists() for name in (launcher.PROCESS, launcher.EXIT))


FLOCK_LAYOUT = "hhqqi4x" if sys.platform.startswith("linux") else "qqihh"
"""struct flock of 64-bit systems: type, whence, start, length, pid; macOS: start, length, pid, type, whence."""


def lock_holder(folder: str) -> int:
    """The process that holds the training job's lock, 0 when nobody does; asks without taking it."""
    try:
        file = os.open(launcher.control_path(folder, launcher.LOCK), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return 0
    linux = FLOCK_LAYOUT.startswith("h")
    fields = (fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0) if linux else (0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
    try:
        answer = struct.unpack(FLOCK_LAYOUT, fcntl.fcntl(file, fcntl.F_GETLK, struct.pack(FLOCK_LAYOUT, *fields)))
    finally:
        os.close(file)
    kind, holder = (answer[0], answer[4]) if linux else (answer[3], answer[2])
    return 0 if kind == fcntl.F_UNLCK else int(holder)


def is_supervised(folder: str) -> bool:
    return lock_holder(folder) != 0


def settle_lost(folder: str) -> dict[str, Any] | None:
    """Kill what a killed launcher left of the training job and write its end down; None when it has a launcher after all."""
    lock = launcher.take_lock(folder)
    if lock is None:
        return None
    try:
        process = launcher.read_json(launcher.control_path(folder, launcher.PROCESS)) or {}
        _kill_leftovers(folder, process)
        log = Path(launcher.control_path(folder, launcher.LOG))
        ended_at = log.stat().st_mtime if log.exists() else process.get("started_at")
        record = {"cause": "lost", "code": None, "signal": None, "ended_at": ended_at, "detail": LOST}
        launcher.write_json(launcher.control_path(folder, launcher.EXIT), record)
    finally:
        os.close(lock)
    return record


def _kill_leftovers(folder: str, process: dict[str, Any]) -> None:
    pid = process.get("pid")
    if pid and launcher.identity(pid) == process.get("identity"):
        launcher.kill_group(pid, signal.SIGKILL)
    for _ in range(50):
        left = _processes_of(folder)
        for each in left:
            with suppress(OSError):
                os.kill(each, signal.SIGKILL)
        if not left:
            return
        time.sleep(0.02)


def _processes_of(folder: str) -> list[int]:
    """Processes that print to the training job's log or carry its environment (Linux; elsewhere none are found)."""
    try:
        numbers = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
    except OSError:
        return []
    log = Path(launcher.control_path(folder, launcher.LOG))
    state = log.stat() if log.exists() else None
    return [pid for pid in numbers if pid != os.getpid() and _belongs(pid, folder, state)]


def _belongs(pid: int, folder: str, log: os.stat_result | None) -> bool:
    marker = f"SAGEMAKER_BASE_DIR={Workspace(Path(folder)).ml}".encode()
    try:  # not by the log's path, which in a sandbox may be another one
        if log is not None and any(os.path.samestat(Path(f"/proc/{pid}/fd/{fd}").stat(), log) for fd in (1, 2)):
            return True
        return marker in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
