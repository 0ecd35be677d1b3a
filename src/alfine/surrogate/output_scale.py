"""The output scale: objectives as the surrogate sees them, standardised and with large values tamed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from alfine.core.axis import Array

FAR = 30.0
"""Largest distance from the centre, in targets, that a value on the way counts with."""

FIRST_VALUES = 20
"""Number of first values that the spread S is measured on: any strategy draws them from all over the space."""

SMALLEST = 1e-300
"""Least spread S: a share of it must still be a number."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The transformation from minimised objectives v to targets y.

    t = (v - best) / spread, its logarithm above 1, then standardised. The spread is the median of the first 20 values minus the best: one
    absurd value hardly moves it.
    """

    best: float
    spread: float
    centre: float
    width: float

    @classmethod
    def of(cls, values: Array) -> Self:
        """Return the scale of the values (n,): finite, n >= 1.

        Args:
            values: (n,) minimised objectives in order of completion.
        """
        best = float(values.min())
        spread = spread_of(values)
        t = _tame((values - best) / spread)
        width = float(t.std())
        return cls(best, spread, float(t.mean()), width if width > 0 else 1.0)

    def targets(self, values: Array) -> Array:
        """Return the targets of minimised objectives."""
        return (_tame((values - self.best) / self.spread) - self.centre) / self.width

    def values(self, targets: Array) -> Array:
        """Return the minimised objectives of targets: the inverse of `targets`."""
        t = targets * self.width + self.centre
        return np.asarray(self.best + self.spread * np.where(t > 1.0, np.exp(np.minimum(t, FAR) - 1.0), t))

    def curve(self, values: Array) -> Array:
        """Return the targets of values on a learning curve, cut off FAR from the centre."""
        return np.clip(self.targets(values), -FAR, FAR)

    @property
    def unit(self) -> float:
        """The difference of objectives that equals a difference of 1 in targets, near the best."""
        return self.width * self.spread


def _tame(t: Array) -> Array:
    """Return t with logarithms above 1, the typical random configuration: diverged training jobs don't flatten the good region."""
    return np.where(t > 1.0, 1.0 + np.log(np.maximum(t, 1.0)), t)


def spread_of(values: Array) -> float:
    """Return S: the median of the first 20 values minus the best; if that is 0 the interquartile range; if that is 0 1e-6 |best|.

    Args:
        values: (n,) minimised objectives in order of completion, n >= 1.
    """
    best = float(values.min())
    spread = float(np.median(values[:FIRST_VALUES])) - best
    if not spread > SMALLEST:
        spread = float(np.subtract(*np.percentile(values, [75, 25])))
    return spread if spread > SMALLEST else max(1e-6 * abs(best), SMALLEST)
