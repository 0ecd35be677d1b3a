"""Decisions: the protocols of the parts that can be plugged in, and `Policy`, the only place where they meet.

`Strategy`, `EarlyStopping` and `CompletionCriterion` are protocols: a plug-in needs no base class. Everything here is a pure function of
the history: it answers the same when it's asked twice, and after a restart; how often it's asked changes nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, Self, runtime_checkable

from alfine.core.errors import Fault
from alfine.core.history import History
from alfine.core.space import Hyperparameters
from alfine.core.spec import TuningJobSpec
from alfine.core.training_job import TrainingJob
from alfine.core.wording import count_of


class Outlook(StrEnum):
    """The request of a verdict, from the weakest to the strongest."""

    CONTINUE = "CONTINUE"
    DRAIN = "DRAIN"  # launch no more; let the running training jobs finish
    STOP = "STOP"  # launch no more; stop the running ones too

    @property
    def rank(self) -> int:
        """0 for the weakest."""
        return _RANKS[self]


PARTS = "criteria"
"""The key in a verdict's evidence, as JSON, for the verdicts of a combination's parts."""

_STATUS_RANKS = {"Completed": 0, "Failed": 1, "Stopped": 2}
_RANKS = {outlook: rank for rank, outlook in enumerate(Outlook)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A configuration to try next, and the definition that it's for, where the job has several."""

    hyperparameters: Hyperparameters
    definition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A training job to stop.

    Attributes:
        number: Of the training job.
        reason: Why, for people.
        at_its_end: Whether it has reached `max_resource`, which no training job may exceed. Repeats are stopped for no other reason.
    """

    number: int
    reason: str
    at_its_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer of a completion criterion: an outlook, a sentence for people, and the numbers that the sentence rests on.

    A criterion answers in full while it lets the job continue, too: people read why the job goes on.

    Attributes:
        outlook: What the criterion asks for.
        criterion: The name of the criterion's class.
        sentence: What the criterion found, for people. A limit's sentence becomes the reason why training jobs were stopped.
        evidence: The numbers, as JSON can hold them. The class may name them for people (`CompletionCriterion.labels`).
        status: The status that the tuning job ends with, if it ends by this verdict.
        progress: How near the end is, from 0 (far) to 1 (there).
        would_change: What would change the answer, as a sentence.
        ask_again_at: The instant at which time alone could change the answer; None when only a new fact can.
        watching: Whether the criterion only observes: it never ends the job.
        is_limit: Whether the criterion is a limit (`CompletionCriterion.is_limit`); `verdict_of` sets it.
        parts: The verdicts of the criteria that a combination is made of.
        needed: How many of `parts` must be met; 0 without parts.
    """

    outlook: Outlook
    criterion: str
    sentence: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    status: str = "Completed"
    progress: float = 0.0
    would_change: str = ""
    ask_again_at: datetime | None = None
    watching: bool = False
    is_limit: bool = False
    parts: tuple[Verdict, ...] = ()
    needed: int = 0

    @property
    def strength(self) -> tuple[int, int]:
        """Return a key for comparing verdicts: the outlook, then the user's stop before a failure before what completes the job."""
        return self.outlook.rank, 0 if self.outlook is Outlook.CONTINUE else _STATUS_RANKS[self.status]

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as the store keeps it and clients see it; the parts stand in the evidence, as `criteria`."""
        parts = {PARTS: [part.as_dict() for part in self.parts]} if self.parts else {}
        flags = {"watching": self.watching, "is_limit": self.is_limit}
        return {
            "outlook": str(self.outlook),
            "criterion": self.criterion,
            "sentence": self.sentence,
            "evidence": {**self.evidence, **parts},
            "status": self.status,
            "progress": self.progress,
            "would_change": self.would_change,
            **{name: True for name, flag in flags.items() if flag},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Verdict:
        """Return the verdict that `as_dict` wrote, in this version or an earlier one."""
        evidence: dict[str, Any] = dict(values["evidence"])
        parts: tuple[Verdict, ...] = ()
        if _are_verdicts(evidence.get(PARTS)):
            parts = tuple(cls.from_dict(part) for part in evidence.pop(PARTS))
        return cls(
            **{
                **values,
                "outlook": Outlook(values["outlook"]),
                "evidence": evidence,
                "parts": parts,
                "needed": evidence.get("needed", 0) if parts else 0,
            }
        )


def _are_verdicts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, Mapping) and "outlook" in each for each in values)


UNDECIDED = Verdict(outlook=Outlook.CONTINUE, criterion="None", sentence="No completion criterion is set.")
"""The verdict of a job without criteria."""


class Strategy(Protocol):
    """A search strategy chooses what to try next: one of the five seams.

    There is no `tell`: a result is a new fact in the history. A strategy must decide alike for one history, however often it is asked:
    random numbers come from `history.rng`, and what takes time to compute is kept with `history.remembered`.

    Example:
        A search at random:

        >>> class Anywhere:
        ...     def ask(self, history):
        ...         return Suggestion(hyperparameters=history.spec.space.sample(history.rng()))
    """

    def ask(self, history: History) -> Suggestion | None:
        """Return the configuration to try next.

        Args:
            history: The tuning job as it is now. Of several launches at once each sees those before it, as running.

        Returns:
            The configuration, which lies in `history.spec.space`; None when nothing is left to try.

        Raises:
            Exception: Whatever it raises fails this tuning job, and no other.
        """


class NamedStrategy(Strategy, Protocol):
    """A strategy that a job can name: one of the table in alfine/strategies/__init__.py."""

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:
        """Return the strategy with the settings that the job gives it.

        Raises:
            InvalidSpec: The strategy can't search this job's space.
        """


@runtime_checkable
class ExpectedGain(Protocol):
    """A strategy that can estimate what its next suggestion gains: how several definitions of one job are compared."""

    def expected_gain(self, history: History, best: float, variance_factor: float) -> float | None:
        """Return the natural logarithm of the expected improvement over `best` by the next training job.

        Args:
            history: The history of the strategy's own definition.
            best: The best objective of all definitions, minimised: negated where the goal is to maximise.
            variance_factor: By what the variance of the strategy's own prediction is multiplied, from 1 on. It grows for a definition
                that got few training jobs, so that none is given up for good.

        Returns:
            In units of the objective, so that definitions can be compared; minus infinity while there is no result; None when
            the strategy can't estimate it. Then definitions are compared by their results.
        """


def expected_gain_of(strategy: Strategy, history: History, best: float, variance_factor: float) -> float | None:
    """Return what `ExpectedGain.expected_gain` returns; None for a strategy without it.

    Plug-ins that were written when the method was called `promise` are asked by that name.
    """
    if isinstance(strategy, ExpectedGain):
        return strategy.expected_gain(history, best, variance_factor)
    earlier: Callable[[History, float, float], float | None] | None = getattr(strategy, "promise", None)
    return None if earlier is None else earlier(history, best, variance_factor)


@runtime_checkable
class EarlyStopping(Protocol):
    """An early stopping rule ends running training jobs that aren't worth finishing: one of the five seams. A strategy may be one, too.

    Example:
        No training job may report a value above 10:

        >>> class Diverged:
        ...     def stops(self, history):
        ...         fact = history.facts[-1] if history.facts else None
        ...         if isinstance(fact, Reported) and fact.value > 10:
        ...             yield Stop(number=fact.number, reason=f"Diverged: {fact.value:g}.")
    """

    def stops(self, history: History) -> Iterable[Stop]:
        """Return the training jobs to stop.

        It's asked after every fact, and its answers are kept: what it returned once needn't be returned again.

        Args:
            history: The history, whose last fact is the new one.

        Returns:
            Stops of training jobs that run.

        Raises:
            Nothing: A rule that can't judge returns no stops.
        """


class CompletionCriterion(Protocol):
    """A completion criterion says when the whole tuning job is done: one of the five seams.

    A criterion is a frozen dataclass whose fields are its settings. Beside the three methods below, its class may have:

    `ends(future)`
        When it will end the job, for the forecast: `alfine.criteria.future.Forecastable`.
    `faults(spec)`
        What a job lacks for it: `ChecksSpec`.
    `is_limit = True`
        The criterion is a limit, like the user's stop, time and money: when it is met, it stops the running training jobs in
        any case, whatever the job's `at_end` says.
    `always_present = True`
        Every job has the criterion, without asking for it. People see it only once it has made progress.
    `ends_a_standstill = True`
        The criterion is meant to end a job that improves no more, so that `alfine check` says where it never can.
    `labels = {"key": "words"}`
        The names for people of the numbers in its evidence.
    `amt_section = "TuningJobCompletionCriteria"`, `more_in_tag = True`
        The part of AMT's request that asks for the criterion, where AMT has it; and whether a tag adds settings to that.

    Example:
        docs/how-to/add-a-criterion.md has one in full.
    """

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        """Return the criterion with the settings of the job; None when the job doesn't ask for it.

        Raises:
            InvalidSpec: A setting makes no sense. Any other exception is turned into one that names the criterion's tag.

        Example:
            >>> def from_spec(cls, spec):
            ...     return read_tag(cls, spec)  # alfine.criteria.tags
        """

    def check(self, history: History) -> Verdict:
        """Return the verdict on the history as it is: a pure function of it.

        It's asked after every fact, so it must be fast: what takes time is kept with `history.remembered`.

        Args:
            history: The tuning job as it is now; `history.now` is the time.

        Returns:
            The verdict. Its progress lies in [0, 1], and no number of things in its sentences or its evidence is negative.

        Raises:
            Exception: Whatever it raises becomes a verdict that says so; the tuning job goes on.
        """

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Write the criterion and its settings into a CreateHyperParameterTuningJob request, for `from_spec`.

        Args:
            request: The request, which is changed.

        Example:
            >>> def to_request(self, request):
            ...     write_tag(request, self)  # alfine.criteria.tags
        """


@runtime_checkable
class ChecksSpec(Protocol):
    """A criterion that not every job can have."""

    def faults(self, spec: TuningJobSpec) -> Iterable[Fault]:
        """Return what the job lacks for the criterion, such as a price.

        Args:
            spec: The job that asks for it.

        Returns:
            The faults, at the criterion's name; none where the job can have it.
        """


FOREVER_SECONDS = 1e9
"""Seconds, some 32 years: a time that no tuning job waits for. Python's instants end in the year 9999."""


def in_seconds(now: datetime, seconds: float) -> datetime:
    """Return the first instant after `now` by which this many seconds have passed, in whole microseconds: for `ask_again_at`."""
    return now + timedelta(microseconds=max(1, math.ceil(min(seconds, FOREVER_SECONDS) * 1e6)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision for the engine to carry out: training jobs to stop, configurations to launch, and the verdict that led to it."""

    verdict: Verdict
    stops: tuple[Stop, ...] = ()
    launches: tuple[Suggestion, ...] = ()


MOST_LAUNCHES = 100
"""Launches of one decision. More follow at once, by the next decision: so a decision takes bounded time and memory."""

AT_END = ("stop", "drain", "contenders")
"""What may become of running training jobs when a completion criterion ends the tuning job. `stop` (AMT's way) stops them, `drain`
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
        for _ in range(MOST_LAUNCHES):
            if len(history.running) >= self.max_parallel or self.verdict(history).outlook is not Outlook.CONTINUE:
                return
            suggestion = self.strategy.ask(history)
            if suggestion is None:
                return
            yield suggestion
            if len(history.running) + 1 >= self.max_parallel:
                return
            history = history.with_launch(suggestion.hyperparameters, suggestion.definition)

    def _spared(self, verdict: Verdict, history: History, job: TrainingJob) -> bool:
        """Return whether a running training job may finish, if no limit is met."""
        if verdict.outlook is not Outlook.STOP or job.repeats is not None:
            return True
        return self.at_end != "stop" and self._may_finish(history, job)

    def _may_finish(self, history: History, job: TrainingJob) -> bool:
        return self.at_end == "drain" or may_win(history, job)

    @staticmethod
    def _ended_by(verdict: Verdict, job: TrainingJob) -> Stop:
        return Stop(number=job.number, reason=f"The tuning job ends: {verdict.sentence}")


def repeats_due(history: History) -> Iterator[TrainingJob]:
    """Yield the training jobs whose configurations are to be run again, in the order in which to launch them.

    One round of all contenders after the other, as far as the repeats asked for and MaxNumberOfTrainingJobs allow.
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


def strongest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the strongest verdict; among CONTINUEs the one with the most progress; on a tie the first. UNDECIDED if there is none."""
    best: Verdict | None = None
    for verdict in verdicts:
        if best is None or (verdict.strength, _nearness(verdict)) > (best.strength, _nearness(best)):
            best = verdict
    return best or UNDECIDED


def as_it_ended(verdict: Verdict | None, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Return each criterion's last verdict, but the one that ended the job as it was when it did.

    Criteria are judged until the last training job has ended. By then a criterion may no longer be met that ended the job.

    Args:
        verdict: The verdict that ended the job; None, or a CONTINUE, while it goes on.
        verdicts: Each criterion's last verdict.
    """
    if verdict is None or verdict.outlook is Outlook.CONTINUE:
        return tuple(verdicts)
    same = [last for last in verdicts if last.criterion == verdict.criterion]
    is_weaker = len(same) == 1 and same[0].strength < verdict.strength
    return tuple(verdict if is_weaker and last is same[0] else last for last in verdicts)


def _nearness(verdict: Verdict) -> float:
    return verdict.progress if verdict.outlook is Outlook.CONTINUE and not verdict.watching else 0.0


def name_of(criterion: CompletionCriterion) -> str:
    """Return the name that a criterion's verdicts have: its class's, or, of one around another, what `verdict_name` says."""
    name: str = getattr(criterion, "verdict_name", type(criterion).__name__)
    return name


def verdict_of(criterion: CompletionCriterion, history: History) -> Verdict:
    """Return a criterion's verdict, marked as a limit's where the class says so.

    A criterion that raises doesn't take the job with it: the verdict says that it could not be judged, and the job goes on.
    """
    try:
        verdict = criterion.check(history)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        name = type(criterion).__name__
        return Verdict(
            outlook=Outlook.CONTINUE,
            criterion=name,
            sentence=f"{name} could not be judged: {type(error).__name__}: {error}",
            evidence={"error": type(error).__name__},
        )
    return replace(verdict, is_limit=True) if getattr(criterion, "is_limit", False) else verdict
