"""The values of a range with a step, and their places on its axis: each value lies in a cell of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from alfine.core.axis import AxisScale, Interval, joined, rest, scale_of
from alfine.core.conditions import ORDERS, Clause

INSIDE = 1e-6
"""Tolerance in steps: a value may lie this far from the grid, since it may be the result of a calculation."""

MOST_STEPS = 2**53
"""Steps of a range at most: so many whole numbers are told apart by a float."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The values low, low + step, … of a range, up to its high end.

    Between two values the axis is divided in the middle. Beyond the first and the last value lies half a step, so that their cells are as
    large as the others; where the scale has no room for that, less.

    Attributes:
        low: The first value.
        step: The distance between two values, above 0.
        count: The number of values.
        scale: The map onto the axis.
    """

    low: float
    step: float
    count: int
    scale: AxisScale

    def value(self, index: int) -> float:
        """Return the value of that index, as a decimal number is written: 0.3 and not 0.30000000000000004."""
        return float(Decimal(repr(self.low)) + index * Decimal(repr(self.step)))

    def index(self, value: float) -> int:
        """Return the index of the nearest value."""
        return min(self.count - 1, max(0, math.floor((value - self.low) / self.step + 0.5)))

    def nearest(self, value: float) -> float:
        """Return the nearest value."""
        return self.value(self.index(value))

    def has(self, value: float) -> bool:
        """Return whether the number is one of the values, to rounding."""
        return math.isfinite(value) and abs(value - self.nearest(value)) <= INSIDE * self.step

    def to_unit(self, value: float) -> float:
        """Return the place of the nearest value on the axis."""
        return self.scale.to_unit(self.nearest(value)) if self.count > 1 else 0.5

    def from_unit(self, u: float) -> float:
        """Return the value in whose cell the place lies."""
        return self.nearest(self.scale.from_unit(u))

    def values(self) -> Iterator[float]:
        """Yield all values, ascending."""
        return (self.value(index) for index in range(self.count))

    def covered(self, low: float, high: float) -> int:
        """Return how many values' cells lie between two places, each an end of a cell."""
        first, beyond = (round((self.scale.from_unit(end) - self.low) / self.step + 0.5) for end in (low, high))
        return beyond - first

    def where(self, clause: Clause) -> list[Interval]:
        """Return the parts of the axis on which a clause holds, as `Range.where`."""
        cells = joined(self._cells(*self._holding(clause.operator, float(value))) for value in clause.values)
        return rest(cells) if clause.operator == "is-not" else cells

    def _holding(self, operator: str, value: float) -> tuple[int, int]:
        """Return the indices, from the first to before the last, of the values for which a comparison holds; equality for «is-not»."""
        place = (value - self.low) / self.step
        below = min(self.count, max(0, math.ceil(place - INSIDE)))
        upto = min(self.count, max(0, math.floor(place + INSIDE) + 1))
        if operator not in ORDERS:
            return below, upto
        return {
            "above": (upto, self.count),
            "at-least": (below, self.count),
            "below": (0, below),
            "at-most": (0, upto),
        }[operator]

    def _cells(self, first: int, end: int) -> Interval:
        return self._edge(first), self._edge(end)

    def _edge(self, index: int) -> float:
        """Return the lower end of a value's cell; 1 beyond the last."""
        if index in (0, self.count):
            return float(index > 0)
        return self.scale.to_unit(self.value(index) - 0.5 * self.step)


@lru_cache(maxsize=256)
def steps_of(low: float, high: float, step: float, scaling: str) -> Steps:
    """Return the values of a range without faults.

    Args:
        low: The smallest value.
        high: An upper bound of the values.
        step: The distance between two values, above 0.
        scaling: «Linear», «Logarithmic» or «ReverseLogarithmic».
    """
    count = math.floor((high - low) / step + INSIDE) + 1
    last = low + (count - 1) * step
    below = min(step, low) if scaling == "Logarithmic" else step
    above = min(step, 1.0 - last) if scaling == "ReverseLogarithmic" else step
    return Steps(low, step, count, scale_of(scaling, low - 0.5 * below, last + 0.5 * above))


def step_faults(low: float, high: float, step: float | None, *, whole: bool) -> Sequence[str]:
    """Return why a step isn't one for a range: none or one sentence.

    Args:
        low: The smallest value.
        high: The largest value.
        step: The distance between two values; None for none.
        whole: Whether the values are whole numbers.
    """
    if step is None:
        return ()
    is_number = isinstance(step, int | float) and not isinstance(step, bool) and math.isfinite(step)
    if not is_number or step <= 0 or (whole and step != int(step)):
        return (f"the step {step!r} must be a {'whole ' if whole else ''}number above 0.",)
    if high - low > MOST_STEPS * step:
        return (
            f"the step {step!r} is too short for the range from {low} to {high}: its values couldn't be told apart.",
        )
    if step > high - low > 0:
        return (
            f"the step {step!r} is longer than the range from {low} to {high}, which would have one value. Use a shorter one.",
        )
    return ()
