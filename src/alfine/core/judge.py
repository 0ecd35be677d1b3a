"""Judge the facts of a history one by one: the engine's newest, or a whole recorded job's.

Why one by one: judged once per poll, a later improvement in the same batch hides the plateau before it, and the same job
ends elsewhere depending on how often anybody looked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from alfine.core.history import Changed, Fact, History, StopAsked, TimePassed
from alfine.core.policy import UNDECIDED, Outlook, Policy, Stop, Verdict, strongest
from alfine.core.spec import TuningJobSpec


@dataclass(slots=True)
class Judge:
    """Records facts into a history and keeps the verdict that they have led to.

    The first verdict that isn't CONTINUE stands; only a stronger one replaces it (a target reached while the last training
    jobs finish, or the user's own stop). `judged_at` is the number of facts that it rests on. A user's change begins anew with the
    policy that `changed` makes of the new spec.
    """

    history: History
    policy: Policy
    changed: Callable[[TuningJobSpec], Policy] | None = None
    verdict: Verdict = UNDECIDED
    verdicts: tuple[Verdict, ...] = ()
    judged_at: int | None = None
    stops: dict[int, Stop] = field(default_factory=dict)

    def record(self, facts: Iterable[Fact]) -> None:
        """Record facts, judging after each."""
        for fact in facts:
            self.pass_time(fact.at)
            self.history.record(fact)
            if isinstance(fact, StopAsked):
                self.stops.pop(fact.number, None)
            if isinstance(fact, Changed):
                self.verdict, self.judged_at = UNDECIDED, None
                self.policy = self.changed(self.history.spec) if self.changed else self.policy
            for stop in self.policy.stops(self.history):
                self.stops.setdefault(stop.number, stop)
            self.judge()

    def pass_time(self, until: datetime) -> None:
        """Let time pass, judging at each instant at which a criterion asked to be asked again."""
        while self.verdict.outlook is not Outlook.STOP:
            asked = (verdict.ask_again_at for verdict in self.verdicts)
            due = [at for at in asked if at is not None and self.history.now < at <= until]
            if not due:
                return
            self.history.now = min(due)
            self.judge()

    def look(self, now: datetime) -> list[Fact]:
        """Judge as of now; a fact to be kept, which is recorded already, where time alone has made the verdict stronger.

        Without it a replay would take what is recorded later, and happened before, for known.
        """
        before = self.verdict.strength
        self.pass_time(now)
        self.history.now = max(self.history.now, now)
        self.judge()
        passed: list[Fact] = [TimePassed(at=self.history.now)] if self.verdict.strength > before else []
        self.record(passed)
        return passed

    def judge(self) -> None:
        """Judge the history as it is now."""
        verdicts = self.policy.verdicts(self.history)
        latest = strongest(verdicts)
        if not self.repeating or latest.strength > self.verdict.strength or len(verdicts) != len(self.verdicts):
            self.verdicts = verdicts
        else:  # they stay as the search left them, but for those that time goes on for
            both = zip(self.verdicts, verdicts, strict=True)
            self.verdicts = tuple(new if old.ask_again_at or new.ask_again_at else old for old, new in both)
        if latest.strength > self.verdict.strength:
            self.judged_at = len(self.history.facts)
            self.verdict = latest
        elif self.verdict.outlook is Outlook.CONTINUE:
            self.verdict = latest
        elif not self.repeating:  # the reason stands; its numbers are those of now
            same = (
                v
                for v in self.verdicts
                if v.criterion == self.verdict.criterion and v.strength == self.verdict.strength
            )
            self.verdict = next(same, self.verdict)

    @property
    def repeating(self) -> bool:
        """Whether the search has ended and its best are run again."""
        jobs = self.history.jobs
        return self.verdict.outlook is not Outlook.CONTINUE and bool(jobs) and jobs[-1].repeats is not None

    def due(self) -> tuple[Stop, ...]:
        """Early stops found and not carried out yet, of training jobs that still run."""
        running = self.history.running
        return tuple(s for n, s in self.stops.items() if n in running and running[n].status == "InProgress")
