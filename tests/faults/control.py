"""The control block that `faulty.c` reads: which system calls of alfine's processes fail, wait, stop or kill their process."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import struct
import subprocess
from contextlib import contextmanager
from enum import IntEnum, IntFlag
from pathlib import Path

SLOTS = 8
"""Faults at a time, as in faulty.c."""

FAULT = struct.Struct("=iiiiii4q64s")
"""armed, calls, roles, action, number, padding; skip, times, met, last; part. As `struct fault` in faulty.c."""

HEAD = struct.Struct("=q256s")
"""The shift of the clock in nanoseconds, and the home."""

FOREVER = 1 << 60
"""Calls that meet a fault until it is taken back."""


class Calls(IntFlag):
    """System calls, as faulty.c groups them."""

    OPEN_TO_READ = 1
    OPEN_TO_WRITE = 2
    READ = 4
    WRITE = 8
    RENAME = 16
    MAKE = 32
    REMOVE = 64
    SYNC = 128
    LOOK = 256
    FORK = 512
    THREAD = 1024
    CHANNEL = 2048


WRITING = Calls.OPEN_TO_WRITE | Calls.WRITE | Calls.RENAME | Calls.MAKE | Calls.REMOVE | Calls.SYNC
"""What changes files: a crash point lies before each of these calls."""

ON_PATHS = Calls.OPEN_TO_READ | Calls.OPEN_TO_WRITE | Calls.RENAME | Calls.MAKE | Calls.REMOVE | Calls.LOOK

ERRNOS = {
    errno.EMFILE: Calls.OPEN_TO_READ | Calls.OPEN_TO_WRITE | Calls.CHANNEL,
    errno.EACCES: ON_PATHS,
    errno.ENAMETOOLONG: ON_PATHS,
    errno.ENOENT: ON_PATHS,
    errno.EIO: ON_PATHS | Calls.READ | Calls.WRITE | Calls.SYNC,
    errno.ENOSPC: WRITING & ~Calls.REMOVE,
    errno.EAGAIN: Calls.FORK | Calls.THREAD,
    errno.ENOMEM: Calls.FORK | Calls.THREAD | Calls.OPEN_TO_READ,
}
"""The errors that are injected, and the calls that can fail with each."""


class Roles(IntFlag):
    """alfine's processes. A child is one that a launcher has forked, until it runs the training job's program."""

    SERVER = 1
    LAUNCHER = 2
    CHILD = 4
    CLI = 8


EVERYBODY = Roles.SERVER | Roles.LAUNCHER | Roles.CHILD | Roles.CLI


class Action(IntEnum):
    """What happens to a process that makes one of the calls."""

    FAIL = 0
    KILL = 1
    STOP = 2
    WAIT = 3


def compiler() -> str | None:
    """Return the C compiler of this machine."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compiled(folder: Path) -> Path:
    """Compile faulty.c into a folder, and return the library."""
    library = folder / "faulty.so"
    source = Path(__file__).with_name("faulty.c")
    command = [compiler() or "cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    return library


class Control:
    """The control block of the processes of one home.

    Args:
        folder: Where the block's file and the compiled library lie.
        home: Calls on paths in it can fail, and calls without a path.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.file, self.library = folder / "control", compiled(folder)
        self.file.write_bytes(HEAD.pack(0, str(home).encode()) + bytes(SLOTS * FAULT.size))
        with self.file.open("r+b") as file:
            self._block = mmap.mmap(file.fileno(), 0)

    def environment(self) -> dict[str, str]:
        """Return the environment of a process whose calls can fail."""
        return {**os.environ, "LD_PRELOAD": str(self.library), "ALFINE_FAULTS": str(self.file)}

    def shift_clock(self, seconds: float) -> None:
        """Set how far the processes' clock is ahead of the machine's."""
        struct.pack_into("=q", self._block, 0, int(seconds * 1e9))

    @contextmanager
    def armed(self, calls, roles, action, *, number=0, skip=0, times=1, part=""):
        """Arm a fault while the context is open.

        Args:
            calls: The calls that meet it.
            roles: The processes that meet it.
            action: What happens to them.
            number: The errno of FAIL, the milliseconds of WAIT.
            skip: Matching calls that go well before.
            times: Matching calls that meet it then.
            part: What the path of the call must contain.

        Yields:
            A function that returns how many calls have met it, and the process that did so last.
        """
        slot = next(slot for slot in range(SLOTS) if not self._field(slot, 0))
        values = (0, int(calls), int(roles), int(action), number, 0, skip, times, 0, 0, part.encode())
        FAULT.pack_into(self._block, self._at(slot), *values)
        struct.pack_into("=i", self._block, self._at(slot), 1)
        try:
            yield lambda: (self._field(slot, 8), self._field(slot, 9))
        finally:
            struct.pack_into("=i", self._block, self._at(slot), 0)

    def _at(self, slot):
        return HEAD.size + slot * FAULT.size

    def _field(self, slot, number):
        return FAULT.unpack_from(self._block, self._at(slot))[number]
