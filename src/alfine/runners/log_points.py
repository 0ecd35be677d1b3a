"""The points of a training job: the values of its metrics, read in its log where the log is, or reported by its function."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from alfine.runners.executor import LocalObservation
from alfine.runners.launch import Launch
from alfine.runners.protocol import FAILURE_LIMIT, Point

if TYPE_CHECKING:
    from alfine.runners.log_metrics import MetricReader

MOST_POINTS = 10_000
"""Values of one metric that become points; of later ones only the last, as its final value."""

LINES_KEPT = 200
"""Lines of a log's beginning, and of its end, in which a metric's value is looked for that its regex didn't match."""


class LogPoints:
    """Reads the points of one training job, observation by observation.

    Args:
        launch: The training job.
        offset: How much of its log was read before; see `Observation.offset`.
        counts: How many values of each metric were found before.

    Attributes:
        offset: How much of its log has been read.
    """

    def __init__(self, launch: Launch, offset: int, counts: Mapping[str, int]) -> None:
        self.offset = offset
        self._launch = launch
        self._metrics: MetricReader | None = None  # made when there is a line to read
        self._counts = dict(counts)
        self._late: dict[str, Point] = {}
        self._first_lines: list[str] = []
        self._last_lines: deque[str] = deque(maxlen=LINES_KEPT)

    def read(self, seen: LocalObservation, now: datetime) -> list[Point]:
        """Return the points of an observation, in order.

        Args:
            seen: What the executor saw, from `offset` on.
            now: The present instant: a line of a log has none of its own.
        """
        points = [point for point in self._found(seen, now) if self._is_early(point)]
        self.offset = seen.offset
        if seen.exit is not None:
            points += self._late.values()
        return points

    def _is_early(self, point: Point) -> bool:
        if point.count <= MOST_POINTS:
            return True
        self._late[point.name] = point
        return False

    def _found(self, seen: LocalObservation, now: datetime) -> Iterator[Point]:
        if seen.lines and self._metrics is None:
            from alfine.runners.log_metrics import MetricReader  # imports `regex`, which most processes don't need

            self._metrics = MetricReader(self._launch.metrics)
        for line in seen.lines:
            (self._first_lines if len(self._first_lines) < LINES_KEPT else self._last_lines).append(line)
            for name, value in self._metrics.read(line) if self._metrics else ():
                yield Point(name=name, at=now, value=value, count=self._count(name))
        for point in seen.points:
            yield Point(name=point.name, at=point.at, value=point.value, count=self._count(point.name), step=point.step)

    def _count(self, name: str) -> int:
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return count

    def no_objective(self) -> str:
        """Return why the log has no value of the objective metric, with the lines that may have been meant; "" where it has one."""
        metric = self._launch.metric
        regex = dict(self._launch.metrics).get(metric)
        if regex is None or self._counts.get(metric):
            return ""
        from alfine.runners.log_metrics import nearest_lines

        remarks = "; ".join(self._metrics.remarks(metric)) if self._metrics else ""
        why = f"its regex {regex!r} matched nothing in the log."
        if remarks:
            why = f"{remarks}. A value is a finite number, found by the first group of {regex!r}."
        near = nearest_lines((metric, regex), [*self._first_lines, *self._last_lines])
        lines = "Nearest lines: " + " | ".join(near) if near else "No line of the log looks like it."
        return f"No value of the objective metric {metric!r}: {why} {lines}"[:FAILURE_LIMIT]
