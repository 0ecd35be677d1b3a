"""Judge the facts of a history one by one: the engine's newest facts, or those of a whole recorded job.

If facts were judged once per poll, a later improvement in the same batch would hide the plateau before it, and how often the engine
polls would decide where a job ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from alfine.core.facts import Changed, Fact, TimePassed
from alfine.core.history import History
from alfine.core.policy import Policy
from alfine.core.protocols import Stop
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import UNDECIDED, Outlook, Verdict, strongest


@dataclass(slots=True)
class Judge:
    """Records facts into a history, and keeps the verdict and the early stops that they have led to.

    The first verdict that isn't CONTINUE stays; only a stronger one replaces it, such as a target that is reached while the last
    training jobs finish, or the user's stop. When the user changes the job, judging begins anew.

    Args:
        history: The history into which facts are recorded.
        policy: Judges it.
        changed: Returns the policy of a specification that the user has changed; without it the policy stays.
        verdict: The verdict on the tuning job.
        verdicts: The latest verdict of each completion criterion.
        judged_at: The number of facts after which a verdict that isn't CONTINUE was reached; None before.
        stops: Early stops that were decided, by the training job's number; `due` returns those that are to be carried out.
    """

    history: History
    policy: Policy
    changed: Callable[[TuningJobSpec], Policy] | None = None
    verdict: Verdict = UNDECIDED
    verdicts: tuple[Verdict, ...] = ()
    judged_at: int | None = None
    stops: dict[int, Stop] = field(default_factory=dict)

    def record(self, facts: Iterable[Fact]) -> None:
        """Record facts, and judge after each of them.

        Args:
            facts: The facts, in the order in which they happened.
        """
        for fact in facts:
            self.pass_time(fact.at)
            self.history.record(fact)
            if isinstance(fact, Changed):
                self.verdict, self.judged_at = UNDECIDED, None
                self.policy = self.changed(self.history.spec) if self.changed else self.policy
            for stop in self.policy.stops(self.history):
                self.stops.setdefault(stop.number, stop)
            self.judge()

    def pass_time(self, until: datetime) -> None:
        """Let time pass until an instant, and judge at each instant in between that a criterion has named (`ask_again_at`).

        Args:
            until: The instant; one before `history.now` changes nothing.
        """
        while self.verdict.outlook is not Outlook.STOP:
            named = (verdict.ask_again_at for verdict in self.verdicts)
            due = [at for at in named if at is not None and self.history.now < at <= until]
            if not due:
                return
            self.history.now = min(due)
            self.judge()

    def look(self, now: datetime) -> list[Fact]:
        """Judge the history as of an instant at which nothing has happened.

        Args:
            now: The instant.

        Returns:
            The fact TimePassed where time alone has made the verdict stronger. It's recorded into the history already, and has to be
            stored: without it a replay would believe that facts which are recorded later were known when the verdict was reached.
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
        else:  # verdicts stay as they were at the end of the search, except those that depend on time
            both = zip(self.verdicts, verdicts, strict=True)
            self.verdicts = tuple(new if old.ask_again_at or new.ask_again_at else old for old, new in both)
        if latest.strength > self.verdict.strength:
            self.judged_at = len(self.history.facts)
            self.verdict = latest
        elif self.verdict.outlook is Outlook.CONTINUE:
            self.verdict = latest
        elif not self.repeating:  # the same verdict, with its present numbers
            kept = self.verdict.criterion, self.verdict.strength
            same = (verdict for verdict in verdicts if (verdict.criterion, verdict.strength) == kept)
            self.verdict = next(same, self.verdict)

    @property
    def repeating(self) -> bool:
        """Return whether the search has ended and the best configurations are being run again."""
        jobs = self.history.jobs
        return self.verdict.outlook is not Outlook.CONTINUE and bool(jobs) and jobs[-1].repeats is not None

    def due(self) -> tuple[Stop, ...]:
        """Return the early stops that are decided and not carried out yet, of training jobs that still run."""
        running = self.history.running
        return tuple(
            stop for number, stop in self.stops.items() if number in running and running[number].status == "InProgress"
        )
