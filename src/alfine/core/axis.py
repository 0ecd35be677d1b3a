"""The axis of a hyperparameter: the coordinate from 0 to 1 on which its values lie, its scalings and its intervals.

The scalings have AMT's names: «Linear» is uniform in x, «Logarithmic» in log x, «ReverseLogarithmic» in log(1 - x). «Auto» is
Logarithmic for a range of positive numbers that spans several decades, and Linear otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

Interval = tuple[float, float]
"""A part [low, high) of the axis."""

SCALINGS = ("Auto", "Linear", "Logarithmic", "ReverseLogarithmic")


@dataclass(frozen=True, slots=True)
class AxisScale:
    """A monotone map of [low, high] onto [0, 1] and its inverse: (forward(x) - forward(low)) / (forward(high) - forward(low))."""

    forward: Callable[[float], float]
    backward: Callable[[float], float]
    low: float
    high: float

    def to_unit(self, x: float) -> float:
        a, b = self.forward(self.low), self.forward(self.high)
        return min(1.0, max(0.0, (self.forward(x) - a) / (b - a)))

    def from_unit(self, u: float) -> float:
        a, b = self.forward(self.low), self.forward(self.high)
        return min(self.high, max(self.low, self.backward(a + u * (b - a))))


def scale_of(scaling: str, low: float, high: float) -> AxisScale:
    """Return the scale of a range from `low` to `high`.

    Args:
        scaling: «Linear», «Logarithmic» or «ReverseLogarithmic».
        low: The lower end of the axis.
        high: The upper end of the axis.
    """
    if scaling == "Logarithmic":
        return AxisScale(math.log, math.exp, low, high)
    if scaling == "ReverseLogarithmic":
        return AxisScale(lambda x: -math.log1p(-x), lambda z: -math.expm1(-z), low, high)
    return AxisScale(float, float, low, high)


def chosen_scaling(scaling: str, low: float, high: float, ratio: float) -> str:
    """Return the scaling that is meant.

    Args:
        scaling: One of SCALINGS.
        low: The smallest value.
        high: The largest value.
        ratio: The least ratio of high to low at which Auto is Logarithmic.
    """
    if scaling != "Auto":
        return scaling
    return "Logarithmic" if low > 0 and high / low >= ratio else "Linear"


def beside(operator: str, edge: float) -> Interval:
    """Return the part of the axis on one side of a place.

    Args:
        operator: One of ORDERS in core/conditions.py.
        edge: The place, in [0, 1].
    """
    return (edge, 1.0) if operator in ("above", "at-least") else (0.0, edge)


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the union of intervals, as ascending intervals that don't touch; intervals without a length are left out."""
    union: list[Interval] = []
    for low, high in sorted((low, high) for low, high in intervals if low < high):
        if union and low <= union[-1][1]:
            union[-1] = union[-1][0], max(high, union[-1][1])
        else:
            union.append((low, high))
    return union


def rest(intervals: Sequence[Interval]) -> list[Interval]:
    """Return the rest of the axis [0, 1) beside ascending intervals that don't touch."""
    ends = [0.0, *(end for interval in intervals for end in interval), 1.0]
    return [(low, high) for low, high in zip(ends[::2], ends[1::2], strict=True) if low < high]
