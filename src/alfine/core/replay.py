"""Judge the facts of a history one by one: the engine's newest, or a whole recorded job's.

Why one by one: judged once per poll, a later improvement in the same batch hides the plateau before it, and the same job
ends elsewhere depending on how often anybody looked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from alfine.core.history import Changed, Ended, Fact, History, StopAsked, StopRequested, TimePassed, TrainingJob
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Where a recorded job would have ended under other criteria, and what that would have meant.

    `facts`: how many facts of the record would have happened; `history` is the past as it was known then.
    `saved_training_jobs`, `saved_training_seconds`: against the whole record. `missed`: how much better (in units of the
    objective, from 0 on) the best of the whole record is than the best at that point; None when neither has one.
    """

    verdict: Verdict
    facts: int
    history: History
    best: TrainingJob | None
    training_jobs: int
    training_seconds: float
    saved_training_jobs: int
    saved_training_seconds: float
    missed: float | None


def replay(
    history: History,
    policy: Policy,
    *,
    under: History | None = None,
    changed: Callable[[TuningJobSpec], Policy] | None = None,
) -> Replayed:
    """Run a recorded history through a policy's criteria, by the engine's own code.

    under: the empty history to replay into, when the criteria come with a spec of their own. changed: what makes the policy of the
    job's own spec after a user's change; without it the policy given holds throughout, as if the user had changed nothing.
    """
    past = under if under is not None else history.under(history.first_spec)
    judge = Judge(past, policy, changed)
    judge.judge()
    last = max((n for n, fact in enumerate(history.facts, 1) if isinstance(fact, Changed)), default=0)
    searched = max((job.number for job in history.jobs if job.repeats is None), default=0)
    for count, fact in enumerate(history.facts, 1):
        if changed is None and getattr(fact, "number", 0) > searched:  # the best run again: that follows any end
            continue
        if changed is None and count <= last and isinstance(fact, Changed | StopRequested):
            continue
        ends = changed is None or count > last  # what ended before a change was gone on with
        judge.pass_time(fact.at)
        if ends and judge.verdict.outlook is not Outlook.CONTINUE:
            return _replayed(history, judge, count - 1, own=changed is not None)
        judge.record([fact])
        if ends and judge.verdict.outlook is not Outlook.CONTINUE:
            return _replayed(history, judge, count, own=changed is not None)
    judge.look(history.now)
    if changed is not None and not past.running and judge.verdict.outlook is Outlook.CONTINUE:
        judge.verdict = judge.policy.decide(
            past, judge.verdict
        ).verdict  # nothing left to try is for the strategy to say
    return _replayed(history, judge, len(history.facts), own=changed is not None)


def _replayed(record: History, judge: Judge, count: int, *, own: bool) -> Replayed:
    """count: how many facts of the record have happened. own: by the job's own policy, so that what was stopped in the record was
    stopped by this end.
    """
    past = judge.history
    if judge.verdict.outlook is not Outlook.CONTINUE:
        _let_end(record, judge, record.facts[count:], own=own)
    best, overall = past.leader, record.leader
    missed = None
    if best is not None and overall is not None and best.objective is not None and overall.objective is not None:
        missed = max(0.0, record.sign * (best.objective - overall.objective))
    return Replayed(
        verdict=judge.verdict,
        facts=count,
        history=past,
        best=best,
        training_jobs=past.searched,
        training_seconds=_spent(past),
        saved_training_jobs=record.searched - past.searched,
        saved_training_seconds=_spent(record) - _spent(past),
        missed=missed,
    )


def _let_end(record: History, judge: Judge, rest: Iterable[Fact], *, own: bool) -> None:
    """What runs at the end is let finish or is stopped, as `at_end` and verdicts that are still to come say; its results count, as
    they would have live. After a job's own end the best are run again.
    """
    past = judge.history
    stopped = set() if own else _stopped(judge)
    for fact in rest:
        if not own and not past.running:
            return
        judge.pass_time(fact.at)
        stopped |= set() if own else _stopped(judge)
        number = getattr(fact, "number", None)
        follows = (
            own if number is None else number <= past.launches or (own and _again_of(record, number, past.launches))
        )
        if follows and number not in stopped:
            judge.record([fact])
            stopped |= set() if own else _stopped(judge)


def _again_of(record: History, number: int, launched: int) -> bool:
    """Whether it's the next training job, which runs the best again."""
    return number == launched + 1 and record.job(number).repeats is not None


def _stopped(judge: Judge) -> set[int]:
    """Stop what a verdict doesn't let finish: which training jobs."""
    past = judge.history
    numbers = {stop.number for stop in judge.policy.decide(past, judge.verdict).stops}
    for number in numbers:
        job = past.job(number)
        curve = job.curve(past.spec.of(job.definition).metric)  # its last value is its result
        judge.record([Ended(at=past.now, number=number, status="Stopped", objective=curve[-1] if curve else None)])
    return numbers


def _spent(history: History) -> float:
    """Training time up to now, the running training jobs' included: they are stopped now, and were paid for."""
    running = [(history.now - job.started_at).total_seconds() for job in history.running.values() if job.started_at]
    return history.training_seconds - _again(history) + sum(running)


def _again(history: History) -> float:
    """Training time of those that ran a configuration again: replays compare searches."""
    return sum(job.seconds for jobs in history.repeated.values() for job in jobs)
