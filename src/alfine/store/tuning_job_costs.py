"""Adds up by SQL what tuning jobs have cost, for a list that is sorted by it. `core/cost.py` says the same of one tuning job."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alfine.store.schema import tags, training_jobs, tuning_jobs
from alfine.store.training_times import microseconds

MOST_DEFINITIONS = 10
"""Definitions of a tuning job. Source: AWS's quota; of further ones, each training job counts as one instance."""

COUNTS = (
    ("ResourceConfig", "InstanceCount"),
    ("HyperParameterTuningResourceConfig", "InstanceCount"),
    ("HyperParameterTuningResourceConfig", "InstanceConfigs", 0, "InstanceCount"),
)
"""Where a definition says how many instances a training job has."""

PRICE = "alfine:price-per-hour"
"""The tag with the price of an instance and hour."""


def costs(request: sa.ColumnElement[Any], now: datetime) -> sa.Subquery:
    """Return a table with a row for each tuning job that has launched something: its id, the `time` of one instance, and `money` if it has a price.

    Only to compare them with each other: the time is in microseconds, and the money in prices of an hour times microseconds.

    Args:
        request: The request of a tuning job as JSON.
        now: The instant up to which training jobs that run have run.
    """
    times = (
        sa.select(training_jobs.c.tuning_job, training_jobs.c.definition, microseconds(now).label("spent"))
        .group_by(training_jobs.c.tuning_job, training_jobs.c.definition)
        .subquery()
    )
    time = sa.func.sum(times.c.spent * _instances(request, times.c.definition))
    price = (
        sa.select(sa.cast(tags.c.value, sa.Float))
        .where(tags.c.tuning_job == tuning_jobs.c.id, tags.c.number == 0, tags.c.key == PRICE)
        .scalar_subquery()
    )
    return (
        sa.select(tuning_jobs.c.id, time.label("time"), (time * price).label("money"))
        .join(times, times.c.tuning_job == tuning_jobs.c.id)
        .group_by(tuning_jobs.c.id)
        .subquery()
    )


def _instances(request: sa.ColumnElement[Any], definition: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return how many instances a training job of a definition has."""
    return sa.case(
        (definition.is_(None), _count(request, ("TrainingJobDefinition",))),
        *(
            (request["TrainingJobDefinitions", at, "DefinitionName"].as_string() == definition, _count(request, path))
            for at in range(MOST_DEFINITIONS)
            for path in [("TrainingJobDefinitions", at)]
        ),
        else_=1,
    )


def _count(request: sa.ColumnElement[Any], path: tuple[str | int, ...]) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(*(request[(*path, *count)].as_integer() for count in COUNTS), 1)
