"""The values of metrics that training jobs reported."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from alfine.store.database import Connection
from alfine.store.schema import metrics, training_jobs


class MetricValue(NamedTuple):
    """A value of a metric, and when it was reported."""

    metric: str
    value: float
    at: datetime


def last_metrics(connection: Connection, job: int, number: int) -> list[MetricValue]:
    """Return the last value of each metric of a training job, in the order of the metrics' names.

    Args:
        connection: An open connection.
        job: The tuning job's id.
        number: The training job's number.
    """
    one = (metrics.c.tuning_job == job) & (metrics.c.number == number)
    last = sa.select(sa.func.max(metrics.c.fact)).where(one).group_by(metrics.c.metric).scalar_subquery()
    query = sa.select(metrics.c.metric, metrics.c.value, metrics.c.at).where(one, metrics.c.fact.in_(last))
    return [MetricValue(*row) for row in connection.execute(query.order_by(metrics.c.metric))]


def last_metrics_of(
    connection: Connection, training: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], list[MetricValue]]:
    """Return the last value of each metric of several training jobs.

    Args:
        connection: An open connection.
        training: The (tuning job's id, number) of each.

    Returns:
        The values by (tuning job's id, number); each of `training` is a key.
    """
    values: dict[tuple[int, int], list[MetricValue]] = {one: [] for one in training}
    several = sa.tuple_(metrics.c.tuning_job, metrics.c.number).in_(training)
    last = sa.select(metrics.c.tuning_job, sa.func.max(metrics.c.fact)).where(several)
    last = last.group_by(metrics.c.tuning_job, metrics.c.number, metrics.c.metric)
    query = sa.select(metrics).where(sa.tuple_(metrics.c.tuning_job, metrics.c.fact).in_(last))
    for row in connection.execute(query.order_by(metrics.c.metric)):
        values[row.tuning_job, row.number].append(MetricValue(row.metric, row.value, row.at))
    return values


def reports(connection: Connection, job: int, number: int, most: int) -> dict[str, list[tuple[float, float]]]:
    """Return the last values of the metrics of a training job.

    Args:
        connection: An open connection.
        job: The tuning job's id.
        number: The training job's number.
        most: The largest number of values, of all metrics together.

    Returns:
        (step, value) by metric, in the order in which they were emitted.
    """
    one = (metrics.c.tuning_job == job) & (metrics.c.number == number)
    query = sa.select(metrics.c.metric, metrics.c.step, metrics.c.value).where(one)
    by_metric: dict[str, list[tuple[float, float]]] = {}
    for row in reversed(connection.execute(query.order_by(metrics.c.fact.desc()).limit(most)).all()):
        by_metric.setdefault(row.metric, []).append((row.step, row.value))
    return by_metric


def metric_values(
    connection: Connection, job: int, number: int, metric: str, within: tuple[datetime, datetime]
) -> list[tuple[datetime, float]]:
    """Return the values of one metric that a training job emitted in a span of time.

    Args:
        connection: An open connection.
        job: The tuning job's id.
        number: The training job's number.
        metric: The metric's name.
        within: The span: its first instant, and the first instant after it.

    Returns:
        (instant, value), in order.
    """
    since, until = within
    one = (metrics.c.tuning_job == job) & (metrics.c.number == number) & (metrics.c.metric == metric)
    query = sa.select(metrics.c.at, metrics.c.value).where(one, metrics.c.at >= since, metrics.c.at < until)
    return [(row.at, row.value) for row in connection.execute(query.order_by(metrics.c.fact))]


def metric_names(
    connection: Connection,
    size: int,
    *,
    after: str = "",
    training_job: str | None = None,
    metric: str | None = None,
    since: datetime | None = None,
) -> list[tuple[str, str]]:
    """Return (training job, metric) for all metrics that were reported, in this order.

    Args:
        connection: An open connection.
        size: How many pairs at most.
        after: Only training jobs whose name comes after this one.
        training_job: Only this training job.
        metric: Only this metric.
        since: Only metrics with a value from this instant on.
    """
    same = (metrics.c.tuning_job == training_jobs.c.tuning_job) & (metrics.c.number == training_jobs.c.number)
    query = sa.select(training_jobs.c.name, metrics.c.metric).distinct().join_from(training_jobs, metrics, same)
    query = query.where(training_jobs.c.name > after)
    if training_job is not None:
        query = query.where(training_jobs.c.name == training_job)
    if metric is not None:
        query = query.where(metrics.c.metric == metric)
    if since is not None:
        query = query.where(metrics.c.at >= since)
    rows = connection.execute(query.order_by(training_jobs.c.name, metrics.c.metric).limit(size))
    return [(row.name, row.metric) for row in rows]
