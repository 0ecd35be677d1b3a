"""AllOf, AnyOf, AtLeast: several completion criteria as one.

A tuning job completes as soon as any of its criteria is met. AllOf is met while all of its own are, AtLeast(2, …) while two
are; they nest. Every part is asked anew after each fact: what was met once may not be any more.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.policy import CompletionCriterion, Outlook, Verdict
from alfine.core.spec import TuningJobSpec
from alfine.criteria import text_format


class _Combination:
    """What the three share. A job may have several of each, so that criteria_for reads them from its tags."""

    __slots__ = ()

    criteria: tuple[CompletionCriterion, ...]

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:  # noqa: ARG003 - the protocol's signature
        return None

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        text_format.append_to(request, self)

    @property
    def needed(self) -> int:
        raise NotImplementedError

    def check(self, history: History) -> Verdict:
        verdicts = [criterion.check(history) for criterion in self.criteria]
        met = [verdict for verdict in verdicts if verdict.outlook is not Outlook.CONTINUE]
        # As near as its needed-th nearest part is.
        progress = sorted((verdict.progress for verdict in verdicts if verdict not in met), reverse=True)
        missing = self.needed - len(met)
        nearest = sorted((v for v in verdicts if v not in met), key=lambda each: -each.progress)[: max(0, missing)]
        return Verdict(
            outlook=max((verdict.outlook for verdict in met), key=lambda each: each.rank)
            if missing <= 0
            else Outlook.CONTINUE,
            criterion=type(self).__name__,
            sentence=f"{len(met)} of {len(verdicts)} met, {self.needed} needed: {_list(verdicts)}",
            evidence={
                "met": len(met),
                "needed": self.needed,
                "missing": max(0, missing),
                "criteria": [verdict.as_dict() for verdict in verdicts],
            },
            would_change=_would_change(met if missing <= 0 else nearest, missing),
            progress=1.0 if missing <= 0 else progress[missing - 1],
            ask_again_at=min((v.ask_again_at for v in verdicts if v.ask_again_at is not None), default=None),
        )


def _list(verdicts: Sequence[Verdict]) -> str:
    return " · ".join(f"{verdict.criterion}: {verdict.sentence}" for verdict in verdicts)


def _would_change(verdicts: Sequence[Verdict], missing: int) -> str:
    begin = f"{missing} more must be met, the nearest first" if missing > 0 else "It holds while these do"
    return f"{begin}. {' · '.join(f'{verdict.criterion}: {verdict.would_change}' for verdict in verdicts)}"


def _set(combination: _Combination, least: int, criteria: Sequence[CompletionCriterion]) -> None:
    name = type(combination).__name__
    if len(criteria) < least:
        raise InvalidSpec([Fault(name, f"has {len(criteria)} criteria; it needs {least} or more, as in {name}(…, …).")])
    if any(isinstance(each, list | tuple) for each in criteria):
        raise InvalidSpec(
            [Fault(name, f"takes its criteria one by one, {name}(…, …), or a list by name, criteria=[…, …].")]
        )
    text_format.demand(name, criteria)
    object.__setattr__(combination, "criteria", tuple(criteria))


@dataclass(frozen=True, slots=True, init=False)
class AllOf(_Combination):
    """Met while every one of its criteria is."""

    criteria: tuple[CompletionCriterion, ...]

    def __init__(self, *each: CompletionCriterion, criteria: Sequence[CompletionCriterion] = ()) -> None:
        _set(self, 1, (*each, *criteria))

    @property
    def needed(self) -> int:
        return len(self.criteria)


@dataclass(frozen=True, slots=True, init=False)
class AnyOf(_Combination):
    """Met while one of its criteria is: what a tuning job does with its own, here as a part of another."""

    criteria: tuple[CompletionCriterion, ...]

    def __init__(self, *each: CompletionCriterion, criteria: Sequence[CompletionCriterion] = ()) -> None:
        _set(self, 1, (*each, *criteria))

    @property
    def needed(self) -> int:
        return 1


@dataclass(frozen=True, slots=True, init=False)
class AtLeast(_Combination):
    """Met while `count` of its criteria are."""

    count: int
    criteria: tuple[CompletionCriterion, ...]

    def __init__(self, count: int, *each: CompletionCriterion, criteria: Sequence[CompletionCriterion] = ()) -> None:
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InvalidSpec([Fault("AtLeast", f"count {count!r} must be a whole number from 1 on.")])
        object.__setattr__(self, "count", count)
        _set(self, count, (*each, *criteria))

    @property
    def needed(self) -> int:
        return self.count
