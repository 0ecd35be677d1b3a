"""Tells what this machine has left for one more training job: memory, and processes, of which each thread counts as one.

A training job takes what it needs within its first seconds. So for each one that began of late some is kept free that it hasn't taken yet.
Where a limit can't be found out, there is none. Sources of the files: cgroups(7), the kernel's «Control Group v2», proc(5).
"""

from __future__ import annotations

import os
import resource
import time

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from collections.abc import Iterator

YOUNG_SECONDS = 3.0
"""Time from its start within which a training job hasn't taken yet all that it needs."""

PROCESSES = 8
"""Processes and threads that are kept free for each young training job: a sandbox takes 4, and mathematical libraries some more."""

SPARE_PROCESSES = 16
"""Processes and threads that are left to everything else."""

MEMORY = 64 << 20
"""Bytes of memory that are kept free for each young training job: an interpreter with numpy and pandas takes about as much."""

SPARE_MEMORY = 128 << 20
"""Bytes of memory that are left to everything else."""

COUNTED_LIMIT = 8192
"""A user's limit on processes from which on they aren't counted any more: that takes a look at each process of the machine."""

LOOK_SECONDS = 0.5
"""Time for which what was counted holds, apart from the training jobs that have begun since."""

GROUPS = "/sys/fs/cgroup"

UNLIMITED = 1 << 60
"""A limit from which on there is none: what version 1 of control groups writes without one lies above it."""


class Headroom:
    """Says whether there is room for one more training job, by what all training jobs of this launcher may still take."""

    def __init__(self) -> None:
        self._begun: list[float] = []
        self._looked_at = float("-inf")
        self._left = (UNLIMITED, UNLIMITED)

    def begun(self, now: float) -> None:
        """Note that a training job begins; now: monotonic seconds."""
        self._begun = [begun for begun in self._begun if begun > now - YOUNG_SECONDS]
        self._begun.append(now)

    def lack(self) -> str:
        """Return what there is too little of for one more training job, as a sentence; "" where there is enough."""
        now = time.monotonic()
        if now - self._looked_at > LOOK_SECONDS:
            self._looked_at, self._left = now, (_processes_left(), _memory_left())
        young = 1 + sum(begun > now - YOUNG_SECONDS for begun in self._begun)
        processes, memory = self._left
        if processes < PROCESSES * young + SPARE_PROCESSES:
            return f"only {max(0, processes)} more processes are allowed here."
        if memory < MEMORY * young + SPARE_MEMORY:
            return f"only {max(0, memory) >> 20} MiB of memory are left."
        return ""


def _processes_left() -> int:
    left = [limit - used for limit, used in _limits("pids", "pids.max", "pids.current")]
    allowed = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if os.geteuid() != 0 and 0 <= allowed < COUNTED_LIMIT:  # RLIM_INFINITY is -1
        left.append(allowed - _threads_of(os.getuid()))
    return min(left, default=UNLIMITED)


def _memory_left() -> int:
    left = [UNLIMITED]
    for folder in _folders("memory"):
        for most, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            limit = _number(f"{folder}/{most}")
            if limit < UNLIMITED:
                left.append(limit - _number(f"{folder}/{used}") + _field(f"{folder}/memory.stat", "inactive_file"))
    available = _field("/proc/meminfo", "MemAvailable:")
    return min(*left, available << 10 if available else UNLIMITED)


def _limits(controller: str, most: str, used: str) -> Iterator[tuple[int, int]]:
    for folder in _folders(controller):
        limit = _number(f"{folder}/{most}")
        if limit < UNLIMITED:
            yield limit, _number(f"{folder}/{used}")


def _folders(controller: str) -> Iterator[str]:
    """Yield the folders of this process's control group and those above it: all of them limit it."""
    for line in _text("/proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if names in ("", controller):
            top = f"{GROUPS}/{names}".rstrip("/")
            parts = path.strip("/").split("/") if path.strip("/") else []
            for number in range(len(parts), -1, -1):
                yield "/".join([top, *parts[:number]])


def _threads_of(user: int) -> int:
    """Return how many threads the processes of a user have; 0 where there is no /proc."""
    threads = 0
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return 0  # not Linux: its limit is met when a fork fails
    for number in numbers:
        try:
            if os.stat(f"/proc/{number}").st_uid == user:
                threads += int(_text(f"/proc/{number}/stat").rpartition(")")[2].split()[17])
        except (OSError, IndexError):
            continue  # it has ended meanwhile, so it counts no more
    return threads


def _field(path: str, name: str) -> int:
    """Return the number after a name at the beginning of a line; 0 where there is none."""
    lines = (line.split() for line in _text(path).splitlines())
    return next((int(words[1]) for words in lines if words[:1] == [name]), 0)


def _number(path: str) -> int:
    """Return the number in a file; `UNLIMITED` for «max», and where there is no such file."""
    text = _text(path).strip()
    return int(text) if text.isdigit() else UNLIMITED


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""  # this system doesn't have it: then nothing is limited by it
