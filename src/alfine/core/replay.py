"""Where a recorded tuning job would have ended under other completion criteria, by the engine's own code (core/judge.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from alfine.core.history import Changed, Ended, Fact, History, TrainingJob, TuningJobStopAsked
from alfine.core.judge import Judge
from alfine.core.policy import Outlook, Policy, Verdict
from alfine.core.spec import TuningJobSpec


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
        if changed is None and count <= last and isinstance(fact, Changed | TuningJobStopAsked):
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
