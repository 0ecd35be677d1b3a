"""Turns what a runner observed of one training job into facts: its start, its metrics, its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime

from alfine.core.facts import Ended, Fact, Reported, Started
from alfine.core.spec import FUNCTION, TuningJobSpec
from alfine.core.training_job import TrainingJob
from alfine.runners.log_metrics import MetricReader, nearest_lines
from alfine.runners.protocol import FAILURE_LIMIT, Exit, Observation

MAX_EMISSIONS = 10_000
"""Values of one metric that are recorded of a training job; of later ones only the last, as its final value."""

LINES_KEPT = 200
"""Lines of a log's beginning, and of its end, in which a metric's value is looked for that its regex didn't match."""


class ObservedFacts:
    """Reads the observations of one training job, one after the other.

    Args:
        spec: The tuning job's; with several definitions, that of the training job's.
        job: The training job, as far as it is recorded.
        offset: How much of its log was read before; see `Observation.offset`.
    """

    def __init__(self, spec: TuningJobSpec, job: TrainingJob, offset: int) -> None:
        self.spec, self.job, self.offset = spec, job, offset
        self._started = job.started_at is not None
        self._metrics: MetricReader | None = None  # made when there is a line to read
        self._emitted: dict[str, int] = {}  # values so far, by metric
        for report in job.reports:
            self._emitted[report.metric] = int(report.step)
        self._recorded = dict(self._emitted)
        self._last: dict[str, Reported] = {}
        self._first_lines: list[str] = []
        self._last_lines: deque[str] = deque(maxlen=LINES_KEPT)

    def read(self, seen: Observation, now: datetime) -> Iterator[Fact]:
        """Yield the facts of an observation, in order.

        Args:
            seen: What the runner saw, from `offset` on.
            now: The instant of the poll: a line of a log has none of its own.
        """
        if seen.started_at is not None and not self._started:
            self._started = True
            yield Started(at=seen.started_at, number=self.job.number)
        for at, name, value in self._values(seen, now):
            count = self._emitted[name] = self._emitted.get(name, 0) + 1
            fact = Reported(at=at, number=self.job.number, metric=name, step=count, value=value)
            self._last[name] = fact
            if count <= MAX_EMISSIONS:
                self._recorded[name] = count
                yield fact
        self.offset = seen.offset
        if seen.exit is not None:
            yield from (fact for name, fact in self._last.items() if self._emitted[name] > self._recorded.get(name, 0))
            yield self._ended(seen, seen.exit, now)

    def _values(self, seen: Observation, now: datetime) -> Iterator[tuple[datetime, str, float]]:
        if seen.lines and self._metrics is None:
            definitions = self.spec.definition.metric_definitions
            self._metrics = MetricReader([(metric.name, metric.regex) for metric in definitions])
        for line in seen.lines:
            (self._first_lines if len(self._first_lines) < LINES_KEPT else self._last_lines).append(line)
            for name, value in self._metrics.read(line) if self._metrics else ():
                yield now, name, value
        for point in seen.points:
            yield point.at, point.name, point.value

    def _ended(self, seen: Observation, end: Exit, now: datetime) -> Ended:
        last, recorded = self._last.get(self.spec.metric), self.job.curve(self.spec.metric)
        objective = last.value if last else recorded[-1] if recorded else None
        status, reason = _status(self.job, end), end.reason()
        if objective is None and status == "Completed" and not self.spec.single_training_job:
            reason = self._no_objective(end)
        begun = self.job.started_at or seen.started_at or self.job.created_at
        return Ended(
            at=max(seen.ended_at or now, begun),
            number=self.job.number,
            status=status,
            objective=None if status == "Failed" else objective,
            failure_reason=reason,
        )

    def _no_objective(self, end: Exit) -> str:
        """Return why a training job that succeeded has no objective, with the lines that may have been meant."""
        if FUNCTION in self.spec.definition.static_hyperparameters:
            return f"The function has no objective. {end.detail or 'It must return one, or report one on its way.'}"
        metric = self.spec.metric
        regex = next(one.regex for one in self.spec.definition.metric_definitions if one.name == metric)
        remarks = "; ".join(self._metrics.remarks(metric)) if self._metrics else ""
        why = f"its regex {regex!r} matched nothing in the log."
        if remarks:
            why = f"{remarks}. A value is a finite number, found by the first group of {regex!r}."
        near = nearest_lines((metric, regex), [*self._first_lines, *self._last_lines])
        lines = "Nearest lines: " + " | ".join(near) if near else "No line of the log looks like it."
        return f"No value of the objective metric {metric!r}: {why} {lines}"[:FAILURE_LIMIT]


def _status(job: TrainingJob, end: Exit) -> str:
    if end.succeeded:
        return "Completed"
    if end.cause in ("stopped", "max_runtime") or job.status == "Stopping":
        return "Stopped"
    return "Failed"
