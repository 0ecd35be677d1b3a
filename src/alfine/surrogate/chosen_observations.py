"""The choice of observations that the surrogate is fitted to, where there are many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alfine.core.axis import Array

FIT_POINTS = 120
"""Largest number of points that theta is fitted to: an L-BFGS step costs O(n^3)."""

LATEST_SHARE = 4
"""One in this many of the points of the posterior is one of the latest; the others are the best."""


def best_and_rest(values: Array, count: int) -> npt.NDArray[np.intp]:
    """Return at most `count` indices of the values, ascending: half are the best, the others are spread evenly over the rest in order.

    Unlike a random choice of the rest, this needs no generator.

    Args:
        values: (n,) minimised objectives.
        count: How many to choose.
    """
    n = len(values)
    if n <= count:
        return np.arange(n)
    order = np.argsort(values, kind="stable")
    best = order[: count - count // 2]
    rest = np.sort(order[len(best) :])
    spread = rest[np.linspace(0, len(rest) - 1, count // 2).astype(int)]
    return np.sort(np.concatenate([best, spread]))


def best_and_latest(values: Array, count: int) -> npt.NDArray[np.intp]:
    """Return at most `count` indices of the values, ascending: three quarters are the best, one quarter the latest of the others.

    Args:
        values: (n,) minimised objectives, in order of completion.
        count: How many to choose.
    """
    n = len(values)
    if n <= count:
        return np.arange(n)
    order = np.argsort(values, kind="stable")
    best = order[: count - count // LATEST_SHARE]
    rest = np.sort(order[len(best) :])
    return np.sort(np.concatenate([best, rest[-(count // LATEST_SHARE) :]]))
