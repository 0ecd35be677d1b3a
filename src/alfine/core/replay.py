"""Find out where a recorded tuning job would have ended under other completion criteria, by the engine's own code (core/judge.py)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TypeVar

from alfine.core.facts import Changed, Ended, Fact, TuningJobStopAsked
from alfine.core.history import History
from alfine.core.judge import Judge
from alfine.core.policy import Policy
from alfine.core.spec import TuningJobSpec
from alfine.core.training_job import TrainingJob
from alfine.core.verdict import Outlook, Verdict
from alfine.core.wording import short

Finished = TypeVar("Finished")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Replayed:
    """The end of a recorded tuning job under other completion criteria, and what that would have saved and missed.

    Repeats of the best configurations don't count: what is compared are two searches.

    Args:
        verdict: The verdict that would have ended the job; CONTINUE where nothing would have.
        facts: The number of facts of the record that would have happened before the end.
        history: The history at the end.
        best: The best training job at the end.
        training_jobs: The number of training jobs launched until the end.
        training_seconds: Their training time.
        saved_training_jobs: The number of training jobs of the record that wouldn't have been launched.
        saved_training_seconds: Their training time, in seconds.
        missed: How much better the best result of the whole record is than the best result at the end, in units of the objective, from
            0 on; None where one of them is missing.
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

    def __repr__(self) -> str:
        ends = (
            "doesn't end earlier" if self.verdict.outlook is Outlook.CONTINUE else f"ends by {self.verdict.criterion}"
        )
        saved = f"{self.saved_training_jobs} saved" + ("" if self.missed is None else f", misses {short(self.missed)}")
        return f"<Replayed: {ends}, after {self.training_jobs} training jobs, {saved}>"


def replay(
    history: History,
    policy: Policy,
    *,
    under: History | None = None,
    changed: Callable[[TuningJobSpec], Policy] | None = None,
) -> Replayed:
    """Replay a recorded history under the completion criteria of a policy.

    Args:
        history: The record.
        policy: Has the criteria.
        under: The empty history to replay into, where the criteria come with a specification of their own; by default one of the
            record's first specification.
        changed: Returns the policy of a specification that the user has changed, to replay a job under its own criteria. Without it the
            given policy is used throughout, as if the user had changed nothing.
    """
    return finished(replay_steps(history, policy, under=under, changed=changed))


def finished(steps: Generator[int, None, Finished], told: Callable[[int], object] = lambda _: None) -> Finished:
    """Take all steps of a generator, and return its result.

    Args:
        steps: The generator.
        told: Is told what each step yields.
    """
    while True:
        try:
            told(next(steps))
        except StopIteration as end:
            result: Finished = end.value
            return result


def replay_steps(
    history: History,
    policy: Policy,
    *,
    under: History | None = None,
    changed: Callable[[TuningJobSpec], Policy] | None = None,
) -> Generator[int, None, Replayed]:
    """Replay step by step: yield how many facts of the record are judged, after each of them. Arguments and result: see `replay`."""
    past = under if under is not None else history.under(history.first_spec)
    judge = Judge(past, policy, changed)
    judge.judge()
    last = max((n for n, fact in enumerate(history.facts, 1) if isinstance(fact, Changed)), default=0)
    searched = max((job.number for job in history.jobs if job.repeats is None), default=0)
    for count, fact in enumerate(history.facts, 1):
        if changed is None and getattr(fact, "number", 0) > searched:  # a repeat, which follows the end of any search
            continue
        if changed is None and count <= last and isinstance(fact, Changed | TuningJobStopAsked):
            continue
        yield count
        ends = changed is None or count > last  # a job that had ended before the user changed it went on
        judge.pass_time(fact.at)
        if ends and judge.verdict.outlook is not Outlook.CONTINUE:
            return _replayed(history, judge, count - 1, as_recorded=changed is not None)
        judge.record([fact])
        if ends and judge.verdict.outlook is not Outlook.CONTINUE:
            return _replayed(history, judge, count, as_recorded=changed is not None)
    judge.pass_time(history.now)
    if changed is not None or judge.verdict.outlook is Outlook.CONTINUE:
        judge.look(history.now)  # otherwise what runs is stopped at the end that was found, not now
    if changed is not None and not past.running and judge.verdict.outlook is Outlook.CONTINUE:
        # Only the strategy can say that nothing is left to try.
        judge.verdict = judge.policy.decide(past, judge.verdict).verdict
    return _replayed(history, judge, len(history.facts), as_recorded=changed is not None)


def _replayed(record: History, judge: Judge, count: int, *, as_recorded: bool) -> Replayed:
    """Return the result of a replay.

    count: the number of facts of the record that have happened. as_recorded: whether the job's own policy judged, so that training jobs which
    were stopped in the record were stopped by this end.
    """
    past = judge.history
    if judge.verdict.outlook is not Outlook.CONTINUE:
        _let_end(record, judge, record.facts[count:], as_recorded=as_recorded)
    best, overall = past.best_first_result, record.best_first_result
    missed = None
    if best is not None and overall is not None and best.objective is not None and overall.objective is not None:
        missed = max(0.0, record.sign * (best.objective - overall.objective))
    return Replayed(
        verdict=judge.verdict,
        facts=count,
        history=past,
        best=best,
        training_jobs=past.searched,
        training_seconds=search_seconds(past),
        saved_training_jobs=record.searched - past.searched,
        saved_training_seconds=search_seconds(record) - search_seconds(past),
        missed=missed,
    )


def _let_end(record: History, judge: Judge, rest: Iterable[Fact], *, as_recorded: bool) -> None:
    """Let running training jobs finish, or stop them, as `at_end` and later verdicts say. Their results count, as in a live job.

    After the end by its own policy the job's repeats follow. rest: the facts of the record that haven't happened yet.
    """
    past = judge.history
    stopped = set() if as_recorded else _stop(judge)
    for fact in rest:
        if not as_recorded and not past.running:
            return
        judge.pass_time(fact.at)
        stopped |= set() if as_recorded else _stop(judge)
        number = getattr(fact, "number", None)
        follows = (
            as_recorded
            if number is None
            else number <= past.launches or (as_recorded and _is_next_repeat(record, number, past.launches))
        )
        if follows and number not in stopped:
            judge.record([fact])
            stopped |= set() if as_recorded else _stop(judge)


def _is_next_repeat(record: History, number: int, launched: int) -> bool:
    """Return whether a training job is the next one, and a repeat."""
    return number == launched + 1 and record.job(number).repeats is not None


def _stop(judge: Judge) -> set[int]:
    """Stop the training jobs that the verdict doesn't let finish, and return their numbers."""
    past = judge.history
    numbers = {stop.number for stop in judge.policy.decide(past, judge.verdict).stops}
    for number in numbers:
        job = past.job(number)
        curve = job.curve(
            past.spec.of(job.definition).metric
        )  # a stopped training job has its last value as its objective
        judge.record([Ended(at=past.now, number=number, status="Stopped", objective=curve[-1] if curve else None)])
    return numbers


def search_seconds(history: History) -> float:
    """Return the training time of the search up to now, with that of running training jobs, which have to be paid, and without repeats.

    Args:
        history: A record, or a replay of one: their times compare.
    """
    searching = (job for job in history.running.values() if job.repeats is None)
    running = [(history.now - job.started_at).total_seconds() for job in searching if job.started_at]
    return history.training_seconds - _repeating_seconds(history) + sum(running)


def _repeating_seconds(history: History) -> float:
    """Return the training time of the repeats."""
    return sum(job.seconds for jobs in history.repeated.values() for job in jobs)
