"""News of a tuning job for a tracker: the training jobs of which it wasn't told everything, and the values of their metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from alfine.core.facts import is_terminal
from alfine.core.training_job import valid_objective
from alfine.store import queries
from alfine.store.counters import Counters, counters_of
from alfine.store.database import Connection
from alfine.store.records import TrainingJobRow, TuningJob, select_training_jobs
from alfine.store.schema import metrics, training_jobs
from alfine.store.state_changes import Told, state_changes


class MetricPoint(NamedTuple):
    """A value of a metric of a training job.

    Attributes:
        metric: The metric's name.
        step: The step, or the epoch, that the training job gave it.
        value: The value.
        at: When it was reported.
    """

    metric: str
    step: float
    value: float
    at: datetime


class End(NamedTuple):
    """The end of a training job.

    Attributes:
        name: The training job's name.
        definition: The name of its definition, if that has one.
        objective: Its objective; None where there is none that counts.
        at: When it ended.
    """

    name: str
    definition: str | None
    objective: float | None
    at: datetime


@dataclass(frozen=True, slots=True)
class TrainingJobNews:
    """A training job with news.

    Attributes:
        row: The training job as it is now.
        points: The new values of its metrics, in order; all of them where it is whole.
        is_whole: Whether `points` begins with its first value.
    """

    row: TrainingJobRow
    points: Sequence[MetricPoint]
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerNews:
    """The news of a tuning job.

    Attributes:
        job: The tuning job as it is now.
        training_jobs: Its training jobs with news, in order of launch.
        ends: The ends of its training jobs, in order.
        counters: How many of its training jobs have each status.
        told: The place up to which the news lead.
        is_all: Whether there is no more news at present.
    """

    job: TuningJob
    training_jobs: Sequence[TrainingJobNews]
    ends: Sequence[End]
    counters: Counters
    told: Told
    is_all: bool


def tracker_news(connection: Connection, job: int, told: Told, opened: Collection[int], ends_after: int) -> TrackerNews:
    """Return the next news of a tuning job.

    Args:
        connection: An open connection.
        job: The tuning job's id.
        told: The place from which on they are wanted.
        opened: The numbers of the training jobs of which only new values are wanted; of others all are.
        ends_after: The fact after which ends of training jobs are wanted.

    Raises:
        NotFound: The tuning job was deleted.
    """
    row = queries.tuning_job(connection, job)
    changes, then = state_changes(connection, job, told)
    numbers = {change.training_job.number for change in changes if change.training_job is not None}
    in_window = (metrics.c.tuning_job == job) & (metrics.c.fact > told.fact) & (metrics.c.fact <= then.fact)
    numbers |= set(connection.execute(sa.select(metrics.c.number).where(in_window).distinct()).scalars())
    points = _points(connection, job, (told.fact, then.fact), numbers, opened)
    training = [
        TrainingJobNews(training_job, points[training_job.number], training_job.number not in opened)
        for training_job in _rows(connection, job, numbers)
    ]
    return TrackerNews(
        job=row,
        training_jobs=training,
        ends=_ends(connection, job, ends_after, then.fact),
        counters=counters_of(connection, [job])[job],
        told=then,
        is_all=then.fact == row.facts and (then.status == row.status or not is_terminal(row.status)),
    )


def _rows(connection: Connection, job: int, numbers: Collection[int]) -> list[TrainingJobRow]:
    mine = (training_jobs.c.tuning_job == job) & training_jobs.c.number.in_(numbers)
    query = select_training_jobs().where(mine).order_by(training_jobs.c.number)
    return [TrainingJobRow(*row) for row in connection.execute(query)]


def _ends(connection: Connection, job: int, after: int, last: int) -> list[End]:
    columns = training_jobs.c
    query = (
        sa.select(columns.name, columns.definition, columns.status, columns.objective, columns.ended_at)
        .where(columns.tuning_job == job, columns.ended_fact > after, columns.ended_fact <= last)
        .order_by(columns.ended_fact)
    )
    return [
        End(row.name, row.definition, valid_objective(row.status, row.objective), row.ended_at)
        for row in connection.execute(query)
    ]


def _points(
    connection: Connection, job: int, window: tuple[int, int], numbers: Collection[int], opened: Collection[int]
) -> Mapping[int, list[MetricPoint]]:
    """Return the new values of each training job, in order; of those that aren't opened all values up to the end of the window."""
    after, last = window
    is_wanted = (metrics.c.fact > after) | metrics.c.number.not_in([number for number in numbers if number in opened])
    query = (
        sa.select(metrics.c.number, metrics.c.metric, metrics.c.step, metrics.c.value, metrics.c.at)
        .where(metrics.c.tuning_job == job, metrics.c.number.in_(numbers), metrics.c.fact <= last, is_wanted)
        .order_by(metrics.c.fact)
    )
    points: dict[int, list[MetricPoint]] = {number: [] for number in numbers}
    for number, *values in connection.execute(query):
        points[number].append(MetricPoint(*values))
    return points
