"""The seam of experiment trackers: what a tracker is told, and what it has to do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol

from alfine.core.verdict import Verdict
from alfine.store.tracker_news import MetricPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedJob:
    """A tuning job, as a tracker is told of it: the parent run.

    Attributes:
        name: Its name.
        key: A name that no other tuning job has, in no home: a run with this key is the one of this tuning job.
        status: InProgress, Stopping, Completed, Stopped or Failed.
        created_at: When it was created.
        ended_at: When it ended; None while it hasn't.
        parameters: What it was asked for: strategy, goal, limits, ranges.
        metric: The name of the objective metric.
        counts: How many training jobs there are of each status.
        best: The best training job and its objective; None while there is none.
        best_so_far: The best objective after each training job that has ended, (number of ended training jobs, objective, when); those
            that the tracker wasn't told of yet.
        is_whole: Whether `best_so_far` begins with the first one.
        verdict: The strongest verdict; None before the first.
        verdicts: The last verdict of each completion criterion.
        failure_reason: Why it failed; None unless it did.
    """

    name: str
    key: str
    status: str
    created_at: datetime
    ended_at: datetime | None
    parameters: Mapping[str, str]
    metric: str
    counts: Mapping[str, int]
    best: tuple[str, float] | None
    best_so_far: Sequence[tuple[int, float, datetime]]
    is_whole: bool
    verdict: Verdict | None
    verdicts: Sequence[Verdict]
    failure_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedTrainingJob:
    """A training job, as a tracker is told of it: a child run.

    Attributes:
        name: Its name.
        key: A name that no other training job has, in no home.
        number: Its number, from 1, in the order of launch.
        status: InProgress, Stopping, Completed, Stopped or Failed.
        created_at: When it was launched.
        started_at: When it began; None before.
        ended_at: When it ended; None while it hasn't.
        hyperparameters: What was tuned: numbers and texts.
        static: The fixed hyperparameters.
        metric: The name of the objective metric.
        objective: The objective; None while there is none that counts.
        points: The values of its metrics that the tracker wasn't told of yet, in order.
        first: How many values came before `points`. 0: these are all of them so far, perhaps once more.
        reason: Why it failed, or why it was stopped; None where nothing is to be said.
        artifact_uri: Where its model is; None while there is none.
        artifact: A copy of its model, only for the time of the call; None where there is none, or it is too large to be passed on.
    """

    name: str
    key: str
    number: int
    status: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    hyperparameters: Mapping[str, float | str]
    static: Mapping[str, str]
    metric: str
    objective: float | None
    points: Sequence[MetricPoint]
    first: int
    reason: str | None
    artifact_uri: str | None
    artifact: Path | None


class Tracker(Protocol):
    """An experiment tracker. One thread calls it, and waits for a while only: it may take its time, hang and raise.

    What it is told may come again, after a crash or after it raised: then it finds the run by its key and adds nothing twice. A tuning
    job is always told before its training jobs.

    Attributes:
        package: The module that it needs.
        extra: alfine's extra that installs it.

    Args:
        place: Where it keeps runs (`[track] places` in alfine.toml); "" leaves that to the tool and its environment variables.
        home: The home's folder.
    """

    package: ClassVar[str]
    extra: ClassVar[str]

    def __init__(self, place: str, home: Path) -> None: ...

    @staticmethod
    def why_not() -> str:
        """Return why the tool can't be used as this process's environment is, and what to do; "" where it can. The tool isn't imported."""

    def tuning_job(self, job: TrackedJob) -> str:
        """Write what is new of a tuning job; return where a user looks at it, as a URL or a path."""

    def training_job(self, job: TrackedTrainingJob, parent: TrackedJob) -> None:
        """Write what is new of a training job."""

    def close(self) -> None:
        """Write what is still in memory, and let go of everything."""
