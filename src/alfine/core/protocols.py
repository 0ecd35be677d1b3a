"""Protocols of the parts that decide and can be plugged in: strategies, early stopping and completion criteria.

A plug-in needs no base class. Everything that it answers is a pure function of the history: the same when it's asked twice, and after a
restart; how often it's asked changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, runtime_checkable

from alfine.core.errors import Fault
from alfine.core.history import History
from alfine.core.space import Hyperparameters
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook, Verdict


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


def name_of(criterion: CompletionCriterion) -> str:
    """Return the name that a criterion's verdicts have: its class's, or, of one around another, what `verdict_name` says.

    Args:
        criterion: Any criterion.
    """
    name: str = getattr(criterion, "verdict_name", type(criterion).__name__)
    return name


def verdict_of(criterion: CompletionCriterion, history: History) -> Verdict:
    """Return a criterion's verdict, marked as a limit's where the class says so.

    A criterion that raises doesn't take the job with it: the verdict says that it could not be judged, and the job goes on.

    Args:
        criterion: Any criterion.
        history: The tuning job as it is now.
    """
    try:
        verdict = criterion.check(history)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        name = name_of(criterion)
        return Verdict(
            outlook=Outlook.CONTINUE,
            criterion=name,
            sentence=f"{name} could not be judged: {type(error).__name__}: {error}",
            evidence={"error": type(error).__name__},
        )
    return replace(verdict, is_limit=True) if getattr(criterion, "is_limit", False) else verdict
