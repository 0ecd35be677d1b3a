"""Every crash point, one after the other: the process dies before its first write, before its second, … until a job needs no more writes."""

from __future__ import annotations

import errno
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count

from tests.faults.control import ERRNOS, WRITING, Action, Calls, Roles
from tests.faults.rounds import Rounds
from tests.faults.traffic import NAME

LATE_SECONDS = 60.0
"""How long a tuning job may take to end after a crash."""

IN_LAUNCHERS = Roles.LAUNCHER | Roles.CHILD


class Sweep:
    """Goes through the crash points of one world.

    Args:
        rounds: Has the world, and gets the violations.
    """

    def __init__(self, rounds: Rounds) -> None:
        self.rounds, self.world, self.traffic = rounds, rounds.world, rounds.traffic
        self.points: Counter[str] = Counter()
        self.complete: set[str] = set()

    def run(self, until: float) -> None:
        """Go through the crash points of all processes in turn, and then through the errors of launchers, until the time is over."""
        deaths = [self._points(f"death of {role.name}", WRITING, role, Action.KILL) for role in Roles]
        errors = [
            self._points(f"{errno.errorcode[number]} in launchers", calls, IN_LAUNCHERS, Action.FAIL, number=number)
            for number, calls in ERRNOS.items()
        ]
        for points in (deaths, errors):
            left = points
            while left and time.monotonic() < until:
                left = [each for each in left if time.monotonic() < until and next(each, False)]
        self.rounds.check()

    def _points(self, name: str, calls: Calls, roles: Roles, action: Action, *, number: int = 0) -> Iterator[bool]:
        """Go to the next crash point with each step, to the last one that a tuning job meets."""
        for skip in count():
            if not self._one(calls, roles, action, skip=skip, number=number):
                self.complete.add(name)
                return
            self.points[name] += 1
            self.rounds.faults[
                "crash point, in order" if action is Action.KILL else "error of each call, in order"
            ] += 1
            yield True

    def _one(self, calls: Calls, roles: Roles, action: Action, *, skip: int, number: int) -> bool:
        """Let one tuning job meet the fault, and return whether it did."""
        self.world.start()
        with self.traffic.disturbing(), self.world.control.armed(calls, roles, action, number=number, skip=skip) as met:
            name = (
                "" if roles is Roles.CLI else self.traffic.create(skip % 2, most=1, long=False, warm=skip % 4 < 2).name
            )
            client = self.world.tune() if roles is Roles.CLI else None
            late = time.monotonic() + LATE_SECONDS
            while (
                not met()[0]
                and time.monotonic() < late
                and not (client.poll() is not None if client else self._ended(name))
            ):
                time.sleep(0.02)
            if client is not None:
                client.wait()
            hit = bool(met()[0])
        while not self._ended(name) and time.monotonic() < late:
            self.world.start()  # each time: a process that was just killed is seen for a moment
            time.sleep(0.05)
        if not self._ended(name):
            self.rounds.violations.append(f"{name} hasn't ended after {roles!r} {action!r} at call {skip}")
        return hit

    def _ended(self, name: str) -> bool:
        """Whether a tuning job has ended, or, without a name, all have."""
        if not self.world.answers():
            return False
        if not name:
            return not self.rounds.running()
        if not self.traffic.asked[name].created:
            return True
        answer = self.traffic.ask("describe_hyper_parameter_tuning_job", **{NAME: name})
        return bool(answer) and answer["HyperParameterTuningJobStatus"] not in ("InProgress", "Stopping")

    def report(self) -> str:
        """Return how many crash points there were."""
        lines = [f"  {points:6d}  {name}{': all' * (name in self.complete)}" for name, points in self.points.items()]
        return "\n".join([f"{self.points.total()} crash points in order", *lines])
