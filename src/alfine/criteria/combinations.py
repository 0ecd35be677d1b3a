"""AllOf, AnyOf, AtLeast: several completion criteria as one.

A tuning job completes as soon as any of its criteria is met. AllOf is met while all of its parts are, AtLeast(2, …) while two
are; they nest. Every part is judged again after each fact: what was met once need not stay so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from alfine.core.axis import Array
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.protocols import CompletionCriterion, verdict_of
from alfine.core.verdict import Outlook, Verdict
from alfine.criteria.checks import all_criteria, whole_number
from alfine.criteria.future import Future
from alfine.criteria.several_times import SeveralTimes


class _Combination(SeveralTimes, ABC):
    """The base of AllOf, AnyOf and AtLeast.

    Args:
        each: The criteria.
        criteria: More of them, as a list.
    """

    __slots__ = ()

    labels: ClassVar[Mapping[str, str]] = {"missing": "still missing"}

    criteria: tuple[CompletionCriterion, ...]

    def __init__(self, *each: CompletionCriterion, criteria: Sequence[CompletionCriterion] = ()) -> None:
        _set(self, 1, (*each, *criteria))

    @property
    @abstractmethod
    def needed(self) -> int:
        """The number of parts that must be met."""

    def ends(self, future: Future) -> Array:
        """Return when as many parts as needed have been met; parts that are met are supposed to stay so."""
        ends = np.stack([future.ends(part) for part in self.criteria])
        return np.where(np.isnan(ends).any(axis=0), np.nan, np.sort(ends, axis=0)[self.needed - 1])

    def check(self, history: History) -> Verdict:
        verdicts = tuple(verdict_of(criterion, history) for criterion in self.criteria)
        met = [verdict for verdict in verdicts if verdict.outlook is not Outlook.CONTINUE]
        waiting = sorted((verdict for verdict in verdicts if verdict not in met), key=lambda verdict: -verdict.progress)
        missing = max(0, self.needed - len(met))
        return Verdict(
            outlook=Outlook.CONTINUE if missing else max((v.outlook for v in met), key=lambda outlook: outlook.rank),
            criterion=type(self).__name__,
            sentence=f"{len(met)} of {len(verdicts)} met, {self.needed} needed: {_list(verdicts)}",
            evidence={"met": len(met), "needed": self.needed, "missing": missing},
            progress=waiting[missing - 1].progress if missing else 1.0,  # as near as the last one that it needs
            would_change=_would_change(waiting[:missing] if missing else met, missing),
            ask_again_at=min((v.ask_again_at for v in verdicts if v.ask_again_at is not None), default=None),
            parts=verdicts,
            needed=self.needed,
        )


def _list(verdicts: Sequence[Verdict]) -> str:
    return " · ".join(f"{verdict.criterion}: {verdict.sentence}" for verdict in verdicts)


def _would_change(verdicts: Sequence[Verdict], missing: int) -> str:
    begin = f"{missing} more must be met, the nearest first" if missing > 0 else "It stays met while these do"
    return f"{begin}. {' · '.join(f'{verdict.criterion}: {verdict.would_change}' for verdict in verdicts)}"


def _set(combination: _Combination, least: int, criteria: Sequence[CompletionCriterion]) -> None:
    name = type(combination).__name__
    if len(criteria) < least:
        given = "1 criterion" if len(criteria) == 1 else f"{len(criteria)} criteria"
        message = f"has {given}; it needs {least} or more, as in {name}(…, …)."
        raise InvalidSpec([Fault(name, message)])
    if any(isinstance(part, list | tuple) for part in criteria):
        raise InvalidSpec(
            [Fault(name, f"takes its criteria one by one, {name}(…, …), or a list by name, criteria=[…, …].")]
        )
    all_criteria(name, criteria)
    object.__setattr__(combination, "criteria", tuple(criteria))


@dataclass(frozen=True, slots=True, init=False)
class AllOf(_Combination):
    """Met while all of its criteria are.

    Args:
        each: The criteria.
        criteria: More of them, as a list.
    """

    criteria: tuple[CompletionCriterion, ...]

    @property
    def needed(self) -> int:
        return len(self.criteria)


@dataclass(frozen=True, slots=True, init=False)
class AnyOf(_Combination):
    """Met while one of its criteria is. A tuning job treats its criteria like this, so that it's of use inside others only.

    Args:
        each: The criteria.
        criteria: More of them, as a list.
    """

    criteria: tuple[CompletionCriterion, ...]

    @property
    def needed(self) -> int:
        return 1


@dataclass(frozen=True, slots=True, init=False)
class AtLeast(_Combination):
    """Met while at least `count` of its criteria are.

    Args:
        count: How many; a whole number from 1 on.
        each: The criteria, at least `count` of them.
        criteria: More of them, as a list.
    """

    count: int
    criteria: tuple[CompletionCriterion, ...]

    def __init__(self, count: int, *each: CompletionCriterion, criteria: Sequence[CompletionCriterion] = ()) -> None:
        object.__setattr__(self, "count", count)
        whole_number(self, "count", least=1)
        _set(self, count, (*each, *criteria))

    @property
    def needed(self) -> int:
        return self.count
