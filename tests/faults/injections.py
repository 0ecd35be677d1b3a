"""The faults: each function does one kind of harm to a world, undoes it after a moment, and returns how many faults it was."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any

from tests.faults.control import ERRNOS, EVERYBODY, FOREVER, WRITING, Action, Calls, Roles
from tests.faults.world import World

WAIT_SECONDS = 2.0
"""How long an armed fault waits for a call that meets it."""

PAUSE_SECONDS = 0.01
"""Time between two looks at whether a fault was met."""

CONTROL_FILES = ("process.json", "launch.json", "exit.json", "lock", "stop", "log", "")
"""Files of `.alfine` that are removed or garbled; "" is the whole folder of a training job."""

GARBAGE = (b"", b"{", b"[]", b'{"pid": "x", "started_at": []}', b"\xff" * 100, b"null")


class Injector:
    """Does harm to one world.

    Args:
        world: What is hurt.
        rng: Decides where and when.

    Attributes:
        damaged: Training jobs whose files were removed or garbled.
        crash_points: The calls after which processes were killed.
    """

    def __init__(self, world: World, rng: Any) -> None:
        self.world, self.rng = world, rng
        self.damaged: set[str] = set()
        self._points = {role: count(rng.randrange(20), 3) for role in Roles}
        self.kinds: dict[str, tuple[int, Callable[[], int]]] = {
            "killed before a write": (14, self.crash_point),
            "killed server": (2, self.killed_server),
            "killed launcher": (6, self.killed_launcher),
            "killed training job": (6, self.killed_training_job),
            "killed CLI": (2, self.killed_cli),
            "stopped process (SIGSTOP)": (5, self.stopped_process),
            "full disk": (4, self.full_disk),
            "database locked": (3, self.database_locked),
            "database slow": (3, self.database_slow),
            "database away": (3, self.database_away),
            "clock jump": (5, self.clock_jump),
            "file removed or garbled": (7, self.damaged_file),
        }

    def one(self) -> tuple[str, int]:
        """Do one kind of harm, and return its name and how many faults it was."""
        kind = self.rng.choices([*self.kinds], [weight for weight, _ in self.kinds.values()])[0]
        return kind, self.kinds[kind][1]()

    # -- calls --

    def failing_call(self) -> tuple[str, int]:
        """Let the next few calls of some kind fail with some error."""
        number = self.rng.choice([*ERRNOS])
        calls = self.rng.choice([call for call in Calls if call & ERRNOS[number]])
        roles = self.rng.choice([EVERYBODY, Roles.SERVER, Roles.LAUNCHER | Roles.CHILD])
        part = self.rng.choice(["", "", "", "tuning-jobs", ".alfine", "alfine.db"])
        skip, times = self.rng.choice([0, 0, 1, 3, 10]), self.rng.choice([1, 1, 2, 3])
        if calls & (Calls.FORK | Calls.THREAD | Calls.CHANNEL):
            part = ""
        with self.world.control.armed(
            calls, roles, Action.FAIL, number=number, skip=skip, times=times, part=part
        ) as met:
            self._wait(lambda: met()[0] >= times)
            return f"{errno.errorcode[number]} of a system call", int(met()[0])

    def crash_point(self) -> int:
        """Kill a process before one of its writes: before the 1st, the 4th, …, so that every crash point comes up in time."""
        role = self.rng.choices([*Roles], [4, 5, 2, 1])[0]
        skip = next(self._points[role]) % {Roles.SERVER: 120, Roles.LAUNCHER: 30, Roles.CHILD: 12, Roles.CLI: 90}[role]
        calls = WRITING if self.rng.random() < 0.8 else Calls.FORK | Calls.CHANNEL
        with self.world.control.armed(calls, role, Action.KILL, skip=skip) as met:
            client = self._cli() if role is Roles.CLI else None
            self._wait(lambda: met()[0])
            self._end(client)
            return int(met()[0])

    # -- processes --

    def killed_server(self) -> int:
        self._sleep()
        self.world.server.kill()
        return 1

    def killed_launcher(self) -> int:
        return self._signalled(self.world.launchers(), signal.SIGKILL)

    def killed_training_job(self) -> int:
        return self._signalled(self.world.training_jobs(), signal.SIGKILL)

    def killed_cli(self) -> int:
        client = self._cli()
        time.sleep(self.rng.uniform(0.3, 4.0))
        alive = client.poll() is None
        self._end(client)
        return int(alive)

    def stopped_process(self) -> int:
        groups = (self.world.launchers(), self.world.training_jobs(), [self.world.server.pid])
        pids = self.rng.choice([group for group in groups if group])
        pid = self.rng.choice(pids)
        stopped = self._signalled([pid], signal.SIGSTOP)
        time.sleep(self.rng.uniform(0.1, 1.5))
        self._signalled([pid], signal.SIGCONT)
        return stopped

    def _signalled(self, pids: list[int], number: int) -> int:
        if not pids:
            return 0
        try:
            os.kill(self.rng.choice(pids), number)
        except ProcessLookupError:
            return 0
        return 1

    def _cli(self):
        """Start a command on the home: one that runs a tuning job itself, or one that only reads."""
        return self.world.tune() if self.rng.random() < 0.7 else self.world.cli("list")

    def _end(self, client) -> None:
        if client is not None:
            client.kill()
            client.wait()

    # -- the machine --

    def full_disk(self) -> int:
        """Fill the home's disk, if it has one of its own, or let every write fail as on a full disk."""
        if self.world.has_small_disk and self.rng.random() < 0.5:
            return self._filled_disk()
        calls = Calls.OPEN_TO_WRITE | Calls.WRITE | Calls.MAKE
        with self.world.control.armed(calls, EVERYBODY, Action.FAIL, number=errno.ENOSPC, times=FOREVER) as met:
            self._sleep(1.0)
            return int(met()[0] > 0)

    def _filled_disk(self) -> int:
        ballast, disk = self.world.home / "ballast", os.statvfs(self.world.home)
        try:
            with ballast.open("wb") as file, suppress(OSError):  # others write meanwhile: then it is fuller still
                os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize)
            self._sleep(1.0)
        finally:
            ballast.unlink(missing_ok=True)
        return 1

    def database_locked(self) -> int:
        with closing(sqlite3.connect(self.world.home / "alfine.db", timeout=5, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return 0
            self._sleep(2.0)
            database.execute("ROLLBACK")
        return 1

    def database_slow(self) -> int:
        calls, milliseconds = Calls.SYNC | Calls.READ, self.rng.choice([20, 100])
        words = {"number": milliseconds, "times": FOREVER, "part": "alfine.db"}
        with self.world.control.armed(calls, EVERYBODY, Action.WAIT, **words) as met:
            self._sleep(1.0)
            return int(met()[0] > 0)

    def database_away(self) -> int:
        calls, number = self.rng.choice(
            [(Calls.OPEN_TO_WRITE | Calls.OPEN_TO_READ, errno.EACCES), (Calls.READ, errno.EIO), (Calls.SYNC, errno.EIO)]
        )
        words = {"number": number, "times": FOREVER, "part": "alfine.db"}
        with self.world.control.armed(calls, EVERYBODY, Action.FAIL, **words) as met:
            self._sleep(1.0)
            return int(met()[0] > 0)

    def clock_jump(self) -> int:
        self.world.control.shift_clock(self.rng.choice([-86400, -3600, -10, -1, 1, 10, 3600, 86400]))
        self._sleep(1.0)
        self.world.control.shift_clock(0)
        return 2

    def damaged_file(self) -> int:
        """Remove or garble a file of a training job, or its folder."""
        folders = [path for path in self.world.home.glob("tuning-jobs/*/*/.alfine") if path.is_dir()]
        if not folders:
            return 0
        control, name = self.rng.choice(folders), self.rng.choice(CONTROL_FILES)
        self.damaged.add(control.parent.name)
        path = control / name if name else control.parent
        with suppress(OSError):
            if not name:
                shutil.rmtree(path)
            elif self.rng.random() < 0.5:
                path.unlink()
            else:
                path.write_bytes(self.rng.choice(GARBAGE))
            return 1
        return 0

    def _sleep(self, most: float = 0.3) -> None:
        time.sleep(self.rng.uniform(0.05, most))

    def _wait(self, condition: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
        until = time.monotonic() + seconds
        while not condition() and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)


def cli_job(world: World, mark: str) -> Path:
    """Write the job file of the tuning jobs that `alfine tune` runs."""
    path = world.folder / "cli-job.yaml"
    path.write_text(
        f"script: {world.sources[0]}\nmetric: loss\nstrategy: Random\nspace: {{x: {{min: 0.0, max: 1.0}}}}\n"
        f"max_training_jobs: 3\nmax_parallel: 2\nenvironment: {{{mark}: '{world.truth_file}'}}\n"
    )
    return path
