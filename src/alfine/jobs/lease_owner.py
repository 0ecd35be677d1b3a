"""Owners of leases: the engine of one process on one machine that runs a tuning job, and whether that process still runs."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import uuid
from functools import cache
from pathlib import Path

MACHINE_DIGITS = 12
"""Hexadecimal digits by which a machine is told from others, whatever their names."""


def new_owner() -> str:
    """Return a name for one more engine of this process: «host:process id:start of the process:machine-random»."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_started(pid)}:{machine()}-{secrets.token_hex(6)}"


def is_alive(owner: str) -> bool:
    """Return whether an owner's process runs. One of another machine is taken to run, until it is silent for too long."""
    host, pid, started, last = owner.rsplit(":", 3)
    where, dash, _ = last.partition("-")
    if where != machine() if dash else host != socket.gethostname():  # an earlier version recorded no machine
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _started(int(pid)) == started


@cache
def machine() -> str:
    """Return what tells this machine from others: where process ids are the same, and since when.

    Two containers on one machine differ in it, as do two machines with one name, and a machine before and after a restart.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        where = f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        where = f"{socket.gethostname()} {uuid.getnode()}"
    return hashlib.sha256(where.encode()).hexdigest()[:MACHINE_DIGITS]


def node_of(folder: Path) -> str:
    """Return the name of a node: a folder of training jobs on a machine, «host:digits». Restarts of the machine don't change it.

    Args:
        folder: The folder with the folders of tuning jobs.
    """
    digits = hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:MACHINE_DIGITS]
    return f"{socket.gethostname()}:{digits}"


def _started(pid: int) -> str:
    """Return when a process began, as the kernel counts it: a later process of the same id differs in it.

    «dead» for a process that only waits for its parent to read its exit code; empty where the system doesn't say (not Linux).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "dead" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        return ""  # the process is gone, or this isn't Linux: then its id alone counts
