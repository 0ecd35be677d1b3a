"""Measurements of a running engine, for /metrics: how long its steps and its decisions take."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the buckets of durations, in seconds: Prometheus's customary ones, from 1 ms to half a minute."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram as it was when it was read.

    Attributes:
        bounds: The upper bounds of its buckets, ascending; the last bucket has none.
        counts: How many values are in each bucket, one more than there are bounds.
        total: The sum of all values.
    """

    bounds: Sequence[float]
    counts: Sequence[int]
    total: float


class Histogram:
    """Counts of values by size. Any thread may add to it.

    Args:
        bounds: The upper bounds of its buckets, ascending.
    """

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0
        self._mutex = threading.Lock()

    def add(self, value: float) -> None:
        """Count one value."""
        with self._mutex:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._total += value

    def read(self) -> Distribution:
        """Return what was counted so far."""
        with self._mutex:
            return Distribution(self._bounds, tuple(self._counts), self._total)


class EngineMeasures:
    """The measurements of one engine since its process began.

    Attributes:
        steps: Durations of steps: observe, decide, record, act.
        suggestions: Durations of decisions that launched at least one training job.
    """

    def __init__(self) -> None:
        self.steps = Histogram()
        self.suggestions = Histogram()
        self._begun: dict[int, float] = {}  # by thread: when its step began; a step runs in one thread

    @contextmanager
    def step(self) -> Iterator[None]:
        """Measure the step that runs inside the block."""
        thread, begun = threading.get_ident(), time.monotonic()
        self._begun[thread] = begun
        try:
            yield
        finally:
            self._begun.pop(thread, None)
            self.steps.add(time.monotonic() - begun)

    @property
    def longest_step_seconds(self) -> float:
        """The age of the oldest step that runs now; 0 while none runs."""
        now = time.monotonic()
        return max((now - begun for begun in self._begun.copy().values()), default=0.0)
