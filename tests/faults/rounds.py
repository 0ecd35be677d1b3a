"""Rounds of faults: users work, faults are injected, then all is quiet and everything is checked."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.faults.injections import Injector, cli_job
from tests.faults.invariants import Invariants
from tests.faults.traffic import NAME, Asked, Traffic
from tests.faults.world import MARK, SOURCES, World

REST_SECONDS = 90.0
"""How long it may take until every tuning job has ended, once no fault is left and all are asked to stop."""

INJECTORS = 2
"""Threads that do harm of every kind."""

ERRORS = 5
"""Threads that let system calls fail; with the others no more than there are slots in the control block."""

USERS = 3
"""Threads that send requests."""

DYING_SECONDS = 0.5
"""How long a process that was killed may still be seen."""

MOST_MEGABYTES = 400
"""Of memory that a server may hold at rest; about 110 after its start."""

MOST_DESCRIPTORS = 150
"""That a server may hold at rest: connections of clients and to the database, and sockets of launchers."""

LAUNCHER_SECONDS = 10.0
"""How long launchers may take to end after their server, once no training job is left."""

STORM_EVERY = 4
"""Every so many rounds a tuning job of each source is created at once."""


class Rounds:
    """Rounds of faults in one world.

    Args:
        folder: The world's folder.
        seed: Decides what happens; the instants at which it happens are the machine's.
        say: Called with each line of the report.
        small_disk: Whether the home gets a disk of its own.

    Attributes:
        faults: How many were injected, by kind.
        checked: How often each invariant was checked.
        violations: What didn't hold.
    """

    def __init__(
        self, folder: Path, seed: int, say: Callable[[str], None] = lambda _: None, *, small_disk: bool = False
    ) -> None:
        self.seed, self.say = seed, say
        self.rng = random.Random(seed)
        self.world = World(folder, small_disk=small_disk)
        cli_job(self.world, MARK)
        self.traffic = Traffic(self.world, random.Random(self.rng.random()))
        self.injector = Injector(self.world, random.Random(self.rng.random()))
        self.faults: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.violations: list[str] = []
        self.rounds = 0
        self.mutex = threading.Lock()
        self._going = threading.Event()

    def round(self, seconds: float, jobs: int, kinds: tuple[str, ...] = ()) -> None:
        """Run one round.

        Args:
            seconds: How long faults are injected.
            jobs: Tuning jobs to begin with.
            kinds: The kinds of faults; none stands for all.
        """
        self.rounds += 1
        self.world.start()
        self._going.set()
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._keep, args=(until, work))
            for work in [*[self._hurt] * INJECTORS, *[self._err] * ERRORS, *[self.traffic.one] * USERS, self._revive]
        ]
        sources = random.Random(self.rng.random()).sample(range(SOURCES), jobs)
        for source in sources:
            self.traffic.create(source)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._rest()
        self.check()

    def _keep(self, until: float, work: Callable[[], None]) -> None:
        while time.monotonic() < until:
            work()

    def _err(self) -> None:
        self._hurt(self.injector.failing_call)

    def _hurt(self, harm: Callable[[], tuple[str, int]] | None = None) -> None:
        with self.traffic.disturbing():
            kind, count = (harm or self.injector.one)()
        with self.mutex:
            self.faults[kind] += count

    def _revive(self) -> None:
        if not self.world.answers():
            self.world.start()
        time.sleep(0.02)

    # -- after the faults --

    def _rest(self) -> None:
        """Stop what would run for minutes, and wait until every tuning job has ended."""
        time.sleep(DYING_SECONDS)
        self.world.start()
        until = time.monotonic() + REST_SECONDS
        while time.monotonic() < until:
            if not self.world.answers():
                self.violations.append(f"the server ended although nothing was disturbed:\n{self.world.tail()}")
                self.world.start()
            running = self.running()
            if not running:
                return
            for name, status in running:
                if status == "InProgress" and (name not in self.traffic.asked or self.traffic.asked[name].long):
                    self.traffic.ask("stop_hyper_parameter_tuning_job", **{NAME: name})
            time.sleep(0.1)
        self.violations += [
            f"{name} is still {status} after {REST_SECONDS:g} s: {self._told(name)}" for name, status in self.running()
        ]

    def status_at_end(self, asked: Asked) -> str:
        """Return the status of the only training job of a tuning job, once it has ended."""
        until = time.monotonic() + REST_SECONDS
        while any(name == asked.name for name, _ in self.running()):
            assert time.monotonic() < until, f"{asked.name} doesn't end: {self._told(asked.name)}"
            time.sleep(0.02)
        rows = self.traffic.ask("list_training_jobs_for_hyper_parameter_tuning_job", **{NAME: asked.name})
        return str(rows["TrainingJobSummaries"][0]["TrainingJobStatus"])

    def running(self) -> list[tuple[str, str]]:
        """Return the tuning jobs that have not ended, with their status."""
        found = []
        for status in ("InProgress", "Stopping"):
            answer = self.traffic.ask("list_hyper_parameter_tuning_jobs", StatusEquals=status, MaxResults=100) or {}
            rows = answer.get("HyperParameterTuningJobSummaries", [{NAME: "?"}] if not answer else [])
            found += [(row[NAME], status) for row in rows]
        return found

    def _told(self, name: str) -> str:
        rows = self.traffic.ask("list_training_jobs_for_hyper_parameter_tuning_job", **{NAME: name}) or {}
        return str([(row["TrainingJobName"], row["TrainingJobStatus"]) for row in rows.get("TrainingJobSummaries", ())])

    def check(self) -> None:
        """Check every invariant."""
        invariants = Invariants(self.world, self.traffic, self.injector.damaged)
        found = [*invariants.violations(), *(f"{count} times: {one}" for one, count in self.traffic.violations.items())]
        self.traffic.violations.clear()
        self.violations += [one for one in found if one not in self.violations]
        self.checked.update(invariants.checked)
        self.seen = invariants.seen
        self.violations += self._bounded()
        self.say(
            f"round {self.rounds}: {self.faults.total()} faults, {self.checked.total()} checks, "
            f"{len(self.violations)} violations; server: {self.world.memory() >> 20} MB, "
            f"{self.world.descriptors()} descriptors, {self.world.starts} starts"
        )
        for one in found:
            self.say(f"  VIOLATION {one}")

    def _bounded(self) -> list[str]:
        """What the server holds too much of, at rest."""
        self.checked["memory and descriptors bounded"] += 1
        megabytes, descriptors = self.world.memory() >> 20, self.world.descriptors()
        bounded = megabytes <= MOST_MEGABYTES and descriptors <= MOST_DESCRIPTORS
        return [] if bounded else [f"the server holds {megabytes} MB and {descriptors} descriptors"]

    def end(self) -> None:
        """End the server, and check that its launchers end too."""
        self.world.end(keep=bool(self.violations))
        until = time.monotonic() + LAUNCHER_SECONDS
        while (left := self.world.launchers()) and time.monotonic() < until:
            time.sleep(0.1)
        self.checked["no launcher left"] += 1
        if left:
            self.violations.append(f"no launcher left: {[self.world.described(pid) for pid in left]}")

    def report(self) -> str:
        """Return what was done, and what held."""
        lines = [f"seed {self.seed}, {self.rounds} rounds", "", f"{self.faults.total()} faults"]
        lines += [f"  {count:6d}  {kind}" for kind, count in self.faults.most_common()]
        lines += ["", f"{self.checked.total()} invariants checked"]
        lines += [f"  {count:6d}  {what}" for what, count in self.checked.most_common()]
        statuses = ", ".join(f"{count} {status}" for status, count in self.seen.most_common())
        answers = ", ".join(f"{count} {kind}" for kind, count in self.traffic.answers.most_common())
        lines += ["", f"training jobs: {statuses}", f"answers: {answers}", "", f"{len(self.violations)} violations"]
        return "\n".join([*lines, *(f"  {one}" for one in self.violations)])
