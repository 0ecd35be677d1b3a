"""A training job, as the facts of a history have it so far."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from datetime import datetime

from alfine.core.facts import INTERNAL_ERROR, Reported, is_terminal
from alfine.core.space import Hyperparameters


def valid_objective(status: str, objective: float | None) -> float | None:
    """Return the objective with which a training job ended if it counts: it is finite, and the training job didn't fail."""
    return objective if objective is not None and math.isfinite(objective) and status != "Failed" else None


def objective_status_of(*, ended: bool, objective: float | None) -> str:
    """Return AMT's ObjectiveStatus of a training job: Pending, Succeeded or Failed. objective: its valid one."""
    if not ended:
        return "Pending"
    return "Succeeded" if objective is not None else "Failed"


def counter_of(status: str, *, internal: bool) -> str:
    """Return which of AMT's TrainingJobStatusCounters counts a training job.

    internal: whether its failure wasn't its own (INTERNAL_ERROR); nothing else is counted as RetryableError.
    """
    if status == "Failed":
        return "RetryableError" if internal else "NonRetryableError"
    return status if is_terminal(status) else "InProgress"


@dataclass(slots=True, kw_only=True)
class TrainingJob:
    """One training job as the facts have it so far. Only `History.record` changes it."""

    number: int
    name: str
    hyperparameters: Hyperparameters
    created_at: datetime
    definition: str | None = None
    status: str = "InProgress"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    objective: float | None = None
    failure_reason: str | None = None
    stop_reason: str | None = None
    # The number of the first training job of the same configuration, where repeats are asked for.
    repeats: int | None = None
    reports: list[Reported] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Launched and not ended, one that is stopping included."""
        return self.ended_at is None

    @property
    def objective_status(self) -> str:
        """AMT's ObjectiveStatus: Pending, Succeeded or Failed."""
        return objective_status_of(ended=not self.running, objective=self.objective)

    @property
    def counter(self) -> str:
        """Where AMT's TrainingJobStatusCounters count it."""
        return counter_of(self.status, internal=(self.failure_reason or "").startswith(INTERNAL_ERROR))

    @property
    def seconds(self) -> float:
        """Training time: from the start of the program to its end; 0 while it runs or when it never started."""
        if self.started_at is None or self.ended_at is None:
            return 0.0
        return max(0.0, (self.ended_at - self.started_at).total_seconds())

    def curve(self, metric: str) -> list[float]:
        """The values of a metric in the order they were emitted."""
        return [report.value for report in self.reports if report.metric == metric]


def training_job_name(tuning_job: str, number: int, created_at: datetime) -> str:
    """AMT's form «<tuning job>-<NNN>-<8 hex digits>», a function of its arguments.

    The digits keep a later tuning job of the same name from meeting the folders of an earlier one.
    """
    digits = zlib.crc32(f"{tuning_job} {created_at.isoformat()} {number}".encode())
    return f"{tuning_job}-{number:03d}-{digits:08x}"
