"""Bases of the criteria of which a tuning job may have several: the combinations, and those around another criterion."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Self

from alfine.core.protocols import CompletionCriterion, name_of
from alfine.core.spec import TuningJobSpec
from alfine.criteria.tags import append_to


class SeveralTimes:
    """A criterion of which a job may have several. They stand in the tags `alfine:criteria`, where `criteria_for` reads them."""

    __slots__ = ()

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:  # noqa: ARG003 - the protocol's signature
        return None

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        append_to(request, self)  # type: ignore[arg-type]  # each kind of it is a criterion


class AroundAnother(SeveralTimes):
    """A criterion that delays another one: its verdicts have the other one's name, and it is a limit if the other one is."""

    __slots__ = ()

    criterion: CompletionCriterion

    @property
    def verdict_name(self) -> str:
        return name_of(self.criterion)

    @property
    def is_limit(self) -> bool:
        return getattr(self.criterion, "is_limit", False)

    @property
    def ends_a_standstill(self) -> bool:
        return getattr(self.criterion, "ends_a_standstill", False)
