"""Decisions: `Policy`, the only place where the parts that can be plugged in meet (core/protocols.py), and what follows from them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from alfine.core.history import History
from alfine.core.protocols import CompletionCriterion, EarlyStopping, Stop, Strategy, Suggestion, verdict_of
from alfine.core.training_job import TrainingJob
from alfine.core.verdict import Outlook, Verdict, strongest
from alfine.core.wording import count_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision for the engine to carry out: training jobs to stop, configurations to launch, and the verdict that led to it."""

    verdict: Verdict
    stops: tuple[Stop, ...] = ()
    launches: tuple[Suggestion, ...] = ()


MOST_LAUNCHES = 100
"""Launches of one decision. More follow at once, by the next decision: so a decision takes bounded time and memory."""

ENDS = "The tuning job ends"
"""Beginning of the reason why training jobs are stopped that run when a criterion is met."""

AT_END = ("stop", "drain", "contenders")
"""Fates of running training jobs when a completion criterion ends the tuning job. `stop` (AMT's way) stops them, `drain`
lets them finish, and `contenders` lets those finish that may still become the best (`may_win`)."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The strategy, early stopping and completion criteria of one tuning job, and what follows from them.

    Attributes:
        strategy: What to try next.
        criteria: When the job is done. On a tie the first one is named as the reason.
        early_stopping: Which running training jobs aren't worth finishing.
        max_parallel: How many training jobs may run at once.
        at_end: What becomes of running training jobs when a criterion ends the job: one of AT_END.
        nothing_left: The criterion that is named as the reason when the strategy has nothing left to try.
    """

    strategy: Strategy
    criteria: tuple[CompletionCriterion, ...]
    early_stopping: tuple[EarlyStopping, ...] = ()
    max_parallel: int = 1
    at_end: str = "stop"
    nothing_left: str = "NothingLeft"

    def verdicts(self, history: History) -> tuple[Verdict, ...]:
        """Return each criterion's verdict, in the order of the criteria."""
        return tuple(verdict_of(criterion, history) for criterion in self.criteria)

    def verdict(self, history: History) -> Verdict:
        """Return the strongest of the criteria's verdicts (`strongest`)."""
        return strongest(self.verdicts(history))

    def stops(self, history: History) -> tuple[Stop, ...]:
        """Return the training jobs to stop after the newest fact.

        Repeats aren't stopped before `max_resource`: their mean needs complete runs.
        """
        stops = (stop for rule in self.early_stopping for stop in rule.stops(history))
        return tuple(stop for stop in stops if stop.at_its_end or history.job(stop.number).repeats is None)

    def decide(self, history: History, verdict: Verdict) -> Decision:
        """Return what to do now.

        Args:
            history: The tuning job as it is now.
            verdict: The verdict that the facts have led to (see core/judge.py), which isn't always that of this instant.
        """
        if verdict.outlook is Outlook.CONTINUE:
            launches = tuple(self._launches(history))
            if launches or history.running:
                return Decision(verdict=verdict, launches=launches)
            verdict = Verdict(
                outlook=Outlook.DRAIN,
                criterion=self.nothing_left,
                sentence=f"The strategy has nothing left to try after {count_of(history.launches)}.",
                evidence={"launched": history.launches},
                progress=1.0,
            )
        limits = [limit for answer in (verdict, *self.verdicts(history)) for limit in _limits(answer)]
        cut_off = next((limit for limit in limits if limit.outlook is Outlook.STOP), None)
        stops = tuple(
            self._ended_by(cut_off or verdict, job)
            for job in history.running.values()
            if job.status == "InProgress" and not (cut_off is None and self._spared(verdict, history, job))
        )
        allowed = verdict.status == "Completed" and not limits
        return Decision(verdict=verdict, stops=stops, launches=tuple(self._again(history)) if allowed else ())

    def _again(self, history: History) -> Iterator[Suggestion]:
        """Return the best configurations again, one for each free slot, once the training jobs of the search have ended."""
        if history.spec.repeats is None or any(job.repeats is None for job in history.running.values()):
            return
        free = self.max_parallel - len(history.running)
        for job in itertools.islice(repeats_due(history), max(0, free)):
            yield Suggestion(hyperparameters=dict(job.hyperparameters), definition=job.definition)

    def _launches(self, history: History) -> Iterator[Suggestion]:
        """Return one suggestion for each free slot, up to MOST_LAUNCHES; each sees the earlier ones in its history, as running."""
        real = history
        for _ in range(MOST_LAUNCHES):
            if len(history.running) >= self.max_parallel or self.verdict(history).outlook is not Outlook.CONTINUE:
                return
            suggestion = self.strategy.ask(history)
            if suggestion is None:
                return
            yield suggestion
            if len(history.running) + 1 >= self.max_parallel:
                return
            if history is real or suggestion.definition is not None:
                history = history.with_launch(suggestion.hyperparameters, suggestion.definition)
            else:  # it is a copy already, which nobody else has
                history.record_hypothetical(suggestion.hyperparameters)

    def _spared(self, verdict: Verdict, history: History, job: TrainingJob) -> bool:
        """Return whether a running training job may finish, if no limit is met."""
        if verdict.outlook is not Outlook.STOP or job.repeats is not None:
            return True
        return self.at_end != "stop" and self._may_finish(history, job)

    def _may_finish(self, history: History, job: TrainingJob) -> bool:
        return self.at_end == "drain" or may_win(history, job)

    @staticmethod
    def _ended_by(verdict: Verdict, job: TrainingJob) -> Stop:
        return Stop(number=job.number, reason=f"{ENDS}: {verdict.sentence}")


def repeats_due(history: History) -> Iterator[TrainingJob]:
    """Yield the training jobs whose configurations are to be run again, in the order in which to launch them.

    One round of all contenders after the other, as far as the repeats asked for and MaxNumberOfTrainingJobs allow.

    Args:
        history: The tuning job, whose search has ended.
    """
    repeats, contenders, limit = history.spec.repeats, history.contenders(), history.spec.max_training_jobs
    if repeats is None:
        return
    room = repeats.training_jobs if limit is None else limit - history.launches
    for round_ in range(repeats.times):
        for job in contenders:
            if room > 0 and len(history.repeated.get(job.number, ())) <= round_:
                room -= 1
                yield job


def may_win(history: History, job: TrainingJob) -> bool:
    """Return whether a running training job may still become the best.

    Its best value so far must be no worse than that of the best training job after as many emissions. A training job that hasn't
    emitted the objective yet may become the best; while there is no best, each may.

    Args:
        history: The tuning job.
        job: One of its running training jobs.
    """
    curve, best = job.curve(history.spec.of(job.definition).metric), history.incumbent
    if not curve or best is None or best.objective is None or not history.ranks(job):
        return True
    ahead = best.curve(history.spec.metric)[: len(curve)] or [best.objective]
    return min(history.sign * value for value in curve) <= min(history.sign * value for value in ahead)


def _limits(verdict: Verdict) -> Iterator[Verdict]:
    """Yield the limits that are met and that bring this verdict about: itself, or those of its parts where one part is enough."""
    if verdict.outlook is Outlook.CONTINUE:
        return
    if verdict.is_limit:
        yield verdict
    if verdict.needed == 1:
        for part in verdict.parts:
            yield from _limits(part)
