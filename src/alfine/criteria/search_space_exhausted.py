"""SearchSpaceExhausted: no configuration of a finite search space is left to try."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.spec import IDENTICAL, TuningJobSpec
from alfine.core.verdict import Outlook, Verdict
from alfine.core.wording import count_of
from alfine.criteria.future import Future


@dataclass(frozen=True, slots=True)
class SearchSpaceExhausted:
    """Launch no more once every configuration of a finite search space has been launched. Every job with such a space has it."""

    labels: ClassVar[Mapping[str, str]] = {"size": "configurations in the space"}

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        return None if spec.size is None else cls()

    def check(self, history: History) -> Verdict:
        size = history.spec.size
        launched = len(history.configurations)
        left = max(0, (size or 0) - launched)
        is_met = size is not None and not left
        by_parents = ", here or by a parent" if history.spec.warm_start == IDENTICAL and history.inherited else ""
        have = "has" if launched == 1 else "have"
        return Verdict(
            outlook=Outlook.DRAIN if is_met else Outlook.CONTINUE,
            criterion="SearchSpaceExhausted",
            sentence=f"{launched} of the {count_of(size or 0, 'configuration')} of the search space {have} been launched{by_parents}.",
            evidence={"launched": launched, "size": size, "left": left},
            progress=min(1.0, launched / size) if size else 0.0,
            would_change="Nothing: a search space stays as it is. A wider one is a new tuning job, warm-started from this one."
            if is_met
            else f"It ends the job after {count_of(left, 'other configuration')}, whatever the results.",
        )

    def ends(self, future: Future) -> Array:
        return future.after((future.history.spec.size or 0) - future.history.ended)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Return nothing: the job has it without asking for it."""
