"""Turns what a runner observed of one training job into facts: its start, its metrics, its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from alfine.core.facts import Ended, Fact, Reported, Started
from alfine.core.spec import FUNCTION, TuningJobSpec
from alfine.core.training_job import TrainingJob
from alfine.runners.protocol import Exit, Observation


class ObservedFacts:
    """Reads the observations of one training job, one after the other.

    Args:
        spec: The tuning job's; with several definitions, that of the training job's.
        job: The training job, as far as it is recorded.
        offset: How much of its log was read before; see `Observation.offset`.

    Attributes:
        counts: How many values of each metric were observed.
        storing: Whether it has ended, and what it leaves is being stored.
    """

    def __init__(self, spec: TuningJobSpec, job: TrainingJob, offset: int) -> None:
        self.spec, self.job, self.offset = spec, job, offset
        self.counts: dict[str, int] = {}
        self.storing = False
        self._started = job.started_at is not None
        self._last: float | None = None
        for report in job.reports:
            self.counts[report.metric] = int(report.step)
            self._keep(report)

    def read(self, seen: Observation, now: datetime) -> Iterator[Fact]:
        """Yield the facts of an observation, in order.

        Args:
            seen: What the runner saw, from `offset` on.
            now: The instant of the poll.
        """
        if seen.started_at is not None and not self._started:
            self._started = True
            yield Started(at=seen.started_at, number=self.job.number)
        for point in seen.points:
            if point.count <= self.counts.get(point.name, 0):
                continue  # it was delivered before
            self.counts[point.name] = point.count
            fact = Reported(at=point.at, number=self.job.number, metric=point.name, step=point.count, value=point.value)
            self._keep(fact)
            yield fact
        self.offset, self.storing = seen.offset, seen.storing
        if seen.exit is not None:
            yield self._ended(seen, seen.exit, now)

    def _keep(self, report: Reported) -> None:
        if report.metric == self.spec.metric:
            self._last = report.value

    def _ended(self, seen: Observation, end: Exit, now: datetime) -> Ended:
        status, reason = _status(self.job, end), end.reason()
        if self._last is None and status == "Completed" and not self.spec.single_training_job:
            reason = self._no_objective(seen, end)
        begun = self.job.started_at or seen.started_at or self.job.created_at
        return Ended(
            at=max(seen.ended_at or now, begun),
            number=self.job.number,
            status=status,
            objective=None if status == "Failed" else self._last,
            failure_reason=reason,
            uploaded_at=now if seen.stored else None,
        )

    def _no_objective(self, seen: Observation, end: Exit) -> str:
        """Return why a training job that succeeded has no objective."""
        if FUNCTION in self.spec.definition.static_hyperparameters:
            return f"The function has no objective. {end.detail or 'It must return one, or report one on its way.'}"
        return seen.no_objective or f"No value of the objective metric {self.spec.metric!r}."


def _status(job: TrainingJob, end: Exit) -> str:
    if end.succeeded:
        return "Completed"
    if end.cause == "not_stored":
        return "Failed"
    if end.cause in ("stopped", "max_runtime") or job.status == "Stopping":
        return "Stopped"
    return "Failed"
