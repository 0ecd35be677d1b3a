"""Optuna's studies, read: trials as results, distributions as ranges, and the tree of a define-by-run space.

The import of a study and whoever follows a study that goes on read it by this file. It imports nothing of Optuna.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from alfine.core.conditions import Combination, alternatives
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical, Continuous, Integer

Condition = tuple[Combination, ...]
"""What a range requires: any of the combinations. Empty: nothing."""

Values = Mapping[str, Any]

STATUSES = {"COMPLETE": "Completed", "PRUNED": "Stopped", "FAIL": "Failed"}
"""The status of a training job by the state of an ended trial."""

CONSTRAINTS = "constraints"
"""Beginning of the names of the system attributes in which Optuna keeps a trial's constraints; above 0 one is violated."""


# -- trials --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """An ended trial as alfine reads it.

    Attributes:
        number: The trial's number.
        params: The parameters that it asked for, with Optuna's values.
        status: Completed, Stopped (by a pruner), or Failed, which a trial that violates a constraint counts as, too.
        objective: Its value; of a pruned trial the last intermediate one; None of one that failed, or was pruned before its first.
        failure_reason: Why it has no objective.
        curve: Its intermediate values by step.
        started_at: When it began.
        ended_at: When it ended.
    """

    number: int
    params: Values
    status: str
    objective: float | None
    failure_reason: str | None
    curve: Mapping[int, float]
    started_at: datetime
    ended_at: datetime

    @property
    def seconds(self) -> float:
        return max(0.0, (self.ended_at - self.started_at).total_seconds())


def result_of(trial: Any) -> TrialResult:
    """Return a trial that has ended.

    Args:
        trial: One of Optuna's FrozenTrials.
    """
    curve = {int(step): float(value) for step, value in trial.intermediate_values.items()}
    status = STATUSES[trial.state.name]
    final = trial.value if status == "Completed" else curve[max(curve)] if curve else None
    reason = "The trial failed in Optuna." if status == "Failed" else None
    if reason is None and final is None:
        reason = "The trial was pruned before it reported a value."
    if reason is None and any(map(_is_violated, trial.system_attrs.items())):
        status, reason = "Failed", "The trial violates a constraint."
    start = trial.datetime_start or trial.datetime_complete
    return TrialResult(
        number=trial.number,
        params=trial.params,
        status=status,
        objective=final if reason is None else None,
        failure_reason=reason,
        curve=curve,
        started_at=start.astimezone(UTC),  # Optuna keeps local time
        ended_at=(trial.datetime_complete or start).astimezone(UTC),
    )


def _is_violated(attribute: tuple[str, Any]) -> bool:
    name, value = attribute
    if name.partition(":")[0] != CONSTRAINTS:
        return False
    return any(number > 0 for number in (value if isinstance(value, list | tuple) else [value]))


def ended_trials(trials: Iterable[Any]) -> list[Any]:
    """Return the trials that have ended, in the order of their ends."""
    ended = [trial for trial in trials if trial.state.name in STATUSES]
    return sorted(ended, key=lambda trial: (trial.datetime_complete or trial.datetime_start, trial.number))


# -- parameters ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """A parameter of a study, with all its distributions, and how its values are written for alfine.

    Args:
        kinds: Its distributions in the trials that have it, in their order. They are all of one class.
    """

    kinds: tuple[Any, ...]

    @cached_property
    def choices(self) -> tuple[Any, ...] | None:
        """The choices of a categorical parameter; None of a number."""
        return tuple(self.kinds[-1].choices) if hasattr(self.kinds[-1], "choices") else None

    @cached_property
    def is_by_index(self) -> bool:
        """Return whether alfine gets the indices of the choices, since the choices themselves can't be categories."""
        try:
            return self.choices is not None and any(Categorical(self.choices).faults(""))
        except TypeError:  # a choice that JSON can't hold
            return True

    @cached_property
    def latest(self) -> Range:
        """The range of the latest distribution."""
        return self._range(self.kinds[-1:])

    @cached_property
    def union(self) -> Range:
        """The range that holds all distributions: those of numbers may change between trials."""
        return self._range(self.kinds)

    def _range(self, kinds: Sequence[Any]) -> Range:
        if self.choices is not None:
            return Categorical([*range(len(self.choices))] if self.is_by_index else self.choices)
        last = kinds[-1]
        low, high = min(kind.low for kind in kinds), max(kind.high for kind in kinds)
        scaling = "Logarithmic" if last.log else "Linear"
        if type(last).__name__ == "IntDistribution":
            return Integer(low, high, scaling=scaling, step=None if last.step == 1 else last.step)
        return Continuous(low, high, scaling=scaling, step=last.step)

    def encoded(self, value: Any) -> Any:
        """Return one of Optuna's values as alfine gets it."""
        return int(self.kinds[-1].to_internal_repr(value)) if self.is_by_index else value

    def decoded(self, value: Any) -> Any:
        """Return a value of alfine's as Optuna has it."""
        return self.choices[value] if self.choices is not None and self.is_by_index else value


def parameters_of(trials: Iterable[Any]) -> dict[str, Parameter]:
    """Return the parameters of trials by name, in the order of their first appearance."""
    kinds: dict[str, list[Any]] = {}
    for trial in trials:
        for name, kind in trial.distributions.items():
            kinds.setdefault(name, []).append(kind)
    return {name: Parameter(tuple(each)) for name, each in kinds.items()}


# -- the tree of a space ---------------------------------------------------------------------------------------------------


def presences(configurations: Sequence[Values], ranges: Mapping[str, Range]) -> dict[str, list[Condition]]:
    """Return for each parameter the conditions of which each explains which configurations have it.

    First come the parameters that every configuration has, then those whose presence is decided by the value of one that was found before:
    by categories, or else by a bound of whole numbers, or else of real ones. Where every configuration with the deciding parameter has the
    other one, too, both have the same condition.

    Args:
        configurations: The configurations of trials that got as far as their last parameter.
        ranges: The range of each parameter.

    Returns:
        By name: `[()]` for a parameter that all have, an empty list for one whose presence isn't decided by any other.
    """
    found: dict[str, list[Condition]] = {
        name: [()] for name in ranges if all(name in configuration for configuration in configurations)
    }
    while True:
        waiting = [name for name in ranges if name not in found]
        explained = {
            name: conditions for name in waiting if (conditions := _explained(name, configurations, found, ranges))
        }
        if not explained:
            return {name: found.get(name, []) for name in ranges}
        found |= explained


def _explained(
    name: str, configurations: Sequence[Values], found: Mapping[str, Sequence[Condition]], ranges: Mapping[str, Range]
) -> list[Condition]:
    having = [configuration for configuration in configurations if name in configuration]
    lacking = [configuration for configuration in configurations if name not in configuration]
    kinds: list[list[Condition]] = [[], [], [], []]
    for key in found:
        if not having or not all(key in configuration for configuration in having):
            continue
        there = [configuration[key] for configuration in having]
        elsewhere = [configuration[key] for configuration in lacking if key in configuration]
        if not elsewhere:
            kinds[3].append(found[key][0])
        elif isinstance(ranges[key], Categorical):
            kinds[0] += _by_category(key, there, elsewhere, ranges[key].to_text)
        else:
            kinds[1 if isinstance(ranges[key], Integer) else 2] += _by_bound(key, there, elsewhere)
    return next((conditions for conditions in kinds if conditions), [])


def _by_category(
    key: str, there: Sequence[Any], elsewhere: Sequence[Any], to_text: Callable[[Any], str]
) -> Iterator[Condition]:
    texts = {*map(to_text, there)}
    if texts.isdisjoint(map(to_text, elsewhere)):
        yield alternatives({key: sorted(texts)})


def _by_bound(key: str, there: Sequence[Any], elsewhere: Sequence[Any]) -> Iterator[Condition]:
    if min(there) > max(elsewhere):
        yield alternatives({key: f">= {min(there)}"})
    elif max(there) < min(elsewhere):
        yield alternatives({key: f"<= {max(there)}"})


def tree_of(ranges: Mapping[str, Range], conditions: Mapping[str, Sequence[Condition]]) -> dict[str, Range]:
    """Return the ranges with the first condition of each that has one; those without any are optional.

    Args:
        ranges: The range of each parameter.
        conditions: What `presences` returns.
    """
    return {
        name: range_.requiring(conditions[name][0]) if conditions[name] else as_optional(range_)
        for name, range_ in ranges.items()
    }


def as_optional(range_: Range) -> Range:
    """Return the range as that of a hyperparameter that results may lack."""
    return replace(range_, optional=True, requires=None)  # type: ignore[type-var]  # all kinds are dataclasses
