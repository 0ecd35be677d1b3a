"""Observations: the results of a history as arrays that grow."""

from __future__ import annotations

import numpy as np

from alfine.core.axis import Array

FIRST_ROOM = 16
"""Results for which there is room at first. It doubles whenever it is used up, so that a result costs a constant time."""


class Observations:
    """Points of the unit cube with their objectives, minimised, in the order in which they were added.

    Args:
        dimension: The number of coordinates of a point, d.
    """

    def __init__(self, dimension: int) -> None:
        self._points = np.empty((0, dimension))
        self._values = np.empty(0)
        self._count = 0

    def add(self, point: Array, value: float) -> None:
        """Add a result.

        Args:
            point: (d,), its configuration in the unit cube.
        """
        if self._count == len(self._values):
            room = max(FIRST_ROOM, 2 * self._count)
            self._points = np.resize(self._points, (room, self._points.shape[1]))
            self._values = np.resize(self._values, room)
        self._points[self._count] = point
        self._values[self._count] = value
        self._count += 1

    def arrays(self) -> tuple[Array, Array]:
        """Return the points, (n, d), and the objectives, (n,). They must not be changed."""
        return self._points[: self._count], self._values[: self._count]

    def copy(self) -> Observations:
        """Return what this is now: later results don't change it. It shares the arrays, so that nothing can be added to it."""
        copy = Observations(self._points.shape[1])
        copy._points, copy._values, copy._count = self._points, self._values, self._count
        return copy
