"""A training job, as the facts of a history have it so far."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from datetime import datetime

from alfine.core.facts import INTERNAL_ERROR, Reported, is_terminal
from alfine.core.space import Hyperparameters
from alfine.core.wording import configuration, number


def valid_objective(status: str, objective: float | None) -> float | None:
    """Return the objective of an ended training job; None where it isn't finite, or the training job failed."""
    return objective if objective is not None and math.isfinite(objective) and status != "Failed" else None


def objective_status_of(*, ended: bool, objective: float | None) -> str:
    """Return AMT's ObjectiveStatus of a training job: Pending, Succeeded or Failed.

    Args:
        ended: Whether the training job has ended.
        objective: Its objective (`valid_objective`).
    """
    if not ended:
        return "Pending"
    return "Succeeded" if objective is not None else "Failed"


def counter_of(status: str, *, internal: bool) -> str:
    """Return which of AMT's TrainingJobStatusCounters counts a training job.

    Args:
        status: The training job's status.
        internal: Whether its failure is an internal error (INTERNAL_ERROR), which alone counts as RetryableError.
    """
    if status == "Failed":
        return "RetryableError" if internal else "NonRetryableError"
    return status if is_terminal(status) else "InProgress"


@dataclass(slots=True, kw_only=True, repr=False)
class TrainingJob:
    """One training job, as it is after the facts so far. Only `History.record` changes it."""

    number: int  # from 1, in order of launch
    name: str
    hyperparameters: Hyperparameters  # the configuration, without static hyperparameters
    created_at: datetime
    definition: str | None = None
    status: str = "InProgress"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    objective: float | None = None
    failure_reason: str | None = None
    stop_reason: str | None = None
    repeats: int | None = (
        None  # the number of the training job whose configuration it runs again, in a job with repeats
    )
    reports: list[Reported] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Return whether it was launched and hasn't ended. It may be stopping."""
        return self.ended_at is None

    @property
    def has_place(self) -> bool:
        """Return whether its configuration is known. Only that of a failed one may not be."""
        return bool(self.hyperparameters) or self.objective is not None

    @property
    def objective_status(self) -> str:
        """AMT's ObjectiveStatus: Pending, Succeeded or Failed."""
        return objective_status_of(ended=not self.running, objective=self.objective)

    @property
    def counter(self) -> str:
        """Return the name of the AMT TrainingJobStatusCounter that counts it, such as «Completed» or «NonRetryableError»."""
        return counter_of(self.status, internal=(self.failure_reason or "").startswith(INTERNAL_ERROR))

    @property
    def seconds(self) -> float:
        """The training time: the seconds from the start of its program to its end; 0 while it runs, and where it never started."""
        if self.started_at is None or self.ended_at is None:
            return 0.0
        return max(0.0, (self.ended_at - self.started_at).total_seconds())

    @property
    def metrics(self) -> dict[str, list[float]]:
        """The values of each metric, in the order in which they were reported."""
        values: dict[str, list[float]] = {}
        for report in self.reports:
            values.setdefault(report.metric, []).append(report.value)
        return values

    def curve(self, metric: str) -> list[float]:
        """Return the values of a metric in the order in which they were reported."""
        return [report.value for report in self.reports if report.metric == metric]

    def __repr__(self) -> str:
        objective = "no objective" if self.objective is None else f"objective {number(self.objective)}"
        return f"<TrainingJob {self.number}: {self.status}, {objective}, {configuration(self.hyperparameters)}>"


def training_job_name(tuning_job: str, number: int, created_at: datetime) -> str:
    """Return the name of a training job in AMT's form «<tuning job>-<NNN>-<8 hex digits>».

    Args:
        tuning_job: The tuning job's name.
        number: The training job's number.
        created_at: When the tuning job was created: a later one of the same name gets other digits, and so other folders.
    """
    digits = zlib.crc32(f"{tuning_job} {created_at.isoformat()} {number}".encode())
    return f"{tuning_job}-{number:03d}-{digits:08x}"
