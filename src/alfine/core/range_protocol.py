"""The protocol of a range: values of one hyperparameter <-> a coordinate of the unit cube <-> text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from alfine.core.axis import Interval
from alfine.core.conditions import Clause, Combination
from alfine.core.errors import Fault


class Range(Protocol):
    """A range of values of one hyperparameter: one coordinate of the unit cube. The base of the three kinds."""

    @property
    def cells(self) -> float:
        """The number of distinct values; infinity for a continuous range."""

    @property
    def ordered(self) -> bool:
        """Return whether the values are numbers."""

    @property
    def requires(self) -> tuple[Combination, ...]:
        """The condition under which the hyperparameter is active: any of these combinations. Empty: it's always active."""

    @property
    def optional(self) -> bool:
        """Return whether a result may lack the hyperparameter although it's active."""

    def requiring(self, requires: tuple[Combination, ...]) -> Range:
        """Return the same range with another condition.

        Args:
            requires: Combinations of which one must hold; empty: always active.
        """

    def holds(self, clause: Clause, value: Any) -> bool:
        """Return whether a clause about this hyperparameter holds for one of its values.

        Args:
            clause: A comparison of this hyperparameter with values.
            value: One of the range's values, in its own type.
        """

    def where(self, clause: Clause) -> list[Interval]:
        """Return the parts of the axis on which a clause holds: intervals [low, high), ascending, that don't touch.

        Args:
            clause: A comparison of this hyperparameter with values.
        """

    def count(self, low: float, high: float) -> float:
        """Return how many values lie between two ends of intervals that `where` returns; infinity for a continuous range.

        Args:
            low: The lower end of an interval.
            high: Its upper end.
        """

    def clause_faults(self, clause: Clause) -> Iterator[str]:
        """Yield why a clause makes no sense for this range; nothing where it does.

        Args:
            clause: A comparison of this hyperparameter with values.
        """

    def to_unit(self, value: Any) -> float:
        """Return the coordinate of a value, in [0, 1]; numbers outside the range are moved to its nearest end.

        Args:
            value: A value in the range's own type.
        """

    def from_unit(self, u: float) -> Any:
        """Return the value in whose cell the coordinate `u` lies, in its own type.

        Args:
            u: A coordinate in [0, 1].
        """

    def to_text(self, value: Any) -> str:
        """Return a value as AMT's requests have it, a string."""

    def from_text(self, text: str) -> Any:
        """Return the value that AMT's string means. Raise ValueError where it means none."""

    def contains(self, value: Any) -> bool:
        """Return whether a value lies inside the range."""

    def faults(self, path: str) -> Iterator[Fault]:
        """Yield what is wrong with the range itself; `path` is its path in the request.

        Args:
            path: The path of the range in the request.
        """
