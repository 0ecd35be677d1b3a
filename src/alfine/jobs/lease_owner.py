"""Owners of leases: the engine of one process on one host that runs a tuning job, and whether that process still runs."""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path

_engines = itertools.count(1)


def new_owner() -> str:
    """Return a name for one more engine of this process: «host:process id:start of the process:number»."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}:{next(_engines)}"


def is_alive(owner: str) -> bool:
    """Return whether an owner's process runs. One on another host is taken to run, until its lease expires."""
    host, pid, started, _ = owner.rsplit(":", 3)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """Return when a process began, as the kernel counts it: a later process of the same id differs in it.

    «dead» for a process that only waits for its parent to read its exit code; empty where the system doesn't say (not Linux).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "dead" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        return ""  # the process is gone, or this isn't Linux: then its id alone counts
