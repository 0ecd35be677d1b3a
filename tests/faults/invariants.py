"""What must hold once the faults are over: each function looks at one tuning job, or at the world, and yields what is wrong."""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from alfine.core.facts import Ended, Launched, StopAsked, is_terminal
from alfine.jobs.home import Home
from tests.faults.traffic import Asked, Traffic
from tests.faults.world import Truth, World

GIVEN_UP = "alfine could not go on with this training job"
"""In the FailureReason of a training job whose log couldn't be read to its end."""

ORPHAN_SECONDS = 3.0
"""How long the processes of training jobs that have ended may be seen."""

PAGES = 5
"""Of how many tuning jobs the page is looked at."""

VALUE = re.compile(rb"loss=([-\d.]+)\n")

CLI_MOST, CLI_PARALLEL = 3, 2
"""Limits of the tuning jobs that `alfine tune` runs (injections.cli_job)."""


class Invariants:
    """Checks everything that is recorded of one world.

    Args:
        world: The world, at rest.
        traffic: What users asked of it.
        damaged: Training jobs whose files were damaged on purpose: they end, and no more is asked of them.
    """

    def __init__(self, world: World, traffic: Traffic, damaged: set[str]) -> None:
        self.world, self.traffic, self.damaged = world, traffic, damaged
        self.truth = Truth(world.truth_file)
        self.checked: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()  # statuses of training jobs

    def violations(self) -> Iterator[str]:
        """Yield a sentence for everything that is wrong."""
        with Home(self.world.home) as home:
            self.listed = Counter(job.name for job in home.store.list())
            recorded: set[str] = set()
            for name in self.listed:
                job, history = home.store.get(name), home.store.history(name)
                recorded |= {each.name for each in history.jobs}
                asked = self.traffic.asked.get(name) or Asked(name, CLI_MOST, CLI_PARALLEL, 0, long=False, by_cli=True)
                for sentence in self._tuning_job(asked, job, history):
                    yield f"{name}: {sentence}"
            yield from self._lists(recorded)
        yield from self._machine()

    def _check(self, what: str, holds: Any, wrong: str) -> Iterator[str]:
        self.checked[what] += 1
        if not holds:
            yield f"{what}: {wrong}"

    def _tuning_job(self, asked: Asked, job: Any, history: Any) -> Iterator[str]:
        yield from self._check("ended", job.ended, f"status {job.status}")
        launches = len(history.jobs)
        yield from self._check("limit of training jobs", launches <= asked.most, f"{launches} of {asked.most}")
        most = self._parallel([each.name for each in history.jobs])
        yield from self._check("limit of parallel training jobs", most <= asked.parallel, f"{most} of {asked.parallel}")
        yield from self._check("legal history", *self._legal(history))
        for each in history.jobs:
            self.seen[each.status] += 1
            yield from self._training_job(asked, each)

    def _training_job(self, asked: Asked, job: Any) -> Iterator[str]:
        begins, ends = len(self.truth.begins[job.name]), len(self.truth.ends[job.name])
        yield from self._check("no training job runs on", is_terminal(job.status), f"{job.name} {job.status}")
        if job.name in self.damaged:
            return
        yield from self._check("started once", begins <= 1 + asked.retries, f"{job.name} began {begins} times")
        if job.status == "Completed":
            yield from self._check("completed means ended", ends, f"{job.name} never came to its end")
        curve = job.curve("loss")
        if GIVEN_UP not in (job.failure_reason or ""):
            logged = self._logged(asked.name, job.name)
            yield from self._check(
                "every metric kept", logged is None or curve == logged, f"{job.name} {curve} {logged}"
            )
        if job.status == "Completed":
            told = self.truth.values[job.name]
            yield from self._check("metrics are true", curve == told, f"{job.name} {curve} {told}")

    def _legal(self, history: Any) -> tuple[bool, str]:
        """Whether every training job was launched once, with the next number, and ended once, with nothing after its end."""
        launched: list[int] = []
        ended: set[int] = set()
        for fact in history.facts:
            number = getattr(fact, "number", None)
            if number in ended or (isinstance(fact, StopAsked) and number not in launched):
                return False, f"{fact} after its end"
            if isinstance(fact, Launched):
                launched.append(fact.number)
            if isinstance(fact, Ended):
                ended.add(fact.number)
        names = [job.name for job in history.jobs]
        return launched == [*range(1, len(launched) + 1)] and len({*names}) == len(
            names
        ), f"launched {launched} {names}"

    def _parallel(self, names: list[str]) -> int:
        """The most training jobs that ran at the same time, of those that came to their end."""
        instants: list[tuple[int, int]] = []
        for name in names:
            begins, ends = self.truth.begins[name], self.truth.ends[name]
            if len(begins) == len(ends) == 1:
                instants += [(begins[0], 1), (ends[0], -1)]
        running = most = 0
        for _, change in sorted(instants):
            running += change
            most = max(most, running)
        return most

    def _logged(self, tuning_job: str, name: str) -> list[float] | None:
        try:
            log = (self.world.home / "tuning-jobs" / tuning_job / name / ".alfine" / "log").read_bytes()
        except OSError:
            return None
        return [float(value) for value in VALUE.findall(log)]

    def _lists(self, recorded: set[str]) -> Iterator[str]:
        deleted = {asked.name for asked in self.traffic.asked.values() if asked.deletes}
        for asked in self.traffic.asked.values():
            times = self.listed[asked.name]
            if asked.created and not asked.deletes:
                yield from self._check("there once", times == 1, f"{asked.name} is listed {times} times")
            if asked.deleted:
                yield from self._check("deleted means gone", times == 0, f"{asked.name} is listed")
        for name in self.truth.begins:
            gone = any(name.startswith(f"{one}-") for one in deleted)
            yield from self._check("none unrecorded", gone or name in recorded, f"{name} ran and isn't recorded")

    def _orphans(self) -> list[str]:
        """Processes of training jobs, which have ended, and what they are."""
        until = time.monotonic() + ORPHAN_SECONDS
        while (alive := self.world.training_jobs()) and time.monotonic() < until:
            time.sleep(0.1)
        return [self.world.described(pid) for pid in alive]

    def _machine(self) -> Iterator[str]:
        alive = self._orphans()
        yield from self._check("no orphan", not alive, f"processes still run: {alive}")
        with closing(sqlite3.connect(self.world.home / "alfine.db")) as database:
            said = database.execute("PRAGMA integrity_check").fetchone()[0]
        yield from self._check("database whole", said == "ok", said)
        for path in ("/console/", *(f"/console/tuning-jobs/{name}" for name in [*self.listed][-PAGES:])):
            yield from self._check("console answers", self.traffic.page(path) is not None, path)
