"""Adds up by SQL how long training jobs have run."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from alfine.core.facts import TRANSITIONS, is_terminal
from alfine.store.conditions import MODIFIED_AT
from alfine.store.database import Connection
from alfine.store.schema import EPOCH, training_jobs, tuning_jobs

MICROSECONDS = 1_000_000
"""Microseconds in a second: the store keeps instants as microseconds."""


ENDED_LAST = 1000
"""Training jobs that ended last, among which the last change is looked for: later than the end only its files are stored."""


class TrainingTime(NamedTuple):
    """The training time of one definition: of its training jobs that have ended, and of those that run, in seconds."""

    definition: str | None
    ended: float
    running: float


def training_times(connection: Connection, job: int, now: datetime) -> list[TrainingTime]:
    """Return the training time of each definition of a tuning job.

    Args:
        connection: An open connection.
        job: The tuning job's id.
        now: The instant up to which those that run have run.
    """
    started, ended = (sa.type_coerce(training_jobs.c[name], sa.BigInteger) for name in ("started_at", "ended_at"))
    until = round((now - EPOCH).total_seconds() * MICROSECONDS)
    query = sa.select(
        training_jobs.c.definition,
        sa.func.sum(sa.case((ended > started, ended - started), else_=0)),
        sa.func.sum(sa.case((ended.is_(None) & (until > started), until - started), else_=0)),
    )
    rows = connection.execute(query.where(training_jobs.c.tuning_job == job).group_by(training_jobs.c.definition))
    return [TrainingTime(row[0], int(row[1]) / MICROSECONDS, int(row[2]) / MICROSECONDS) for row in rows]


def microseconds(now: datetime) -> sa.ColumnElement[Any]:
    """Return the training time of a group of training jobs, those that run included, in microseconds.

    Args:
        now: The instant up to which those that run have run.
    """
    started, ended = (sa.type_coerce(training_jobs.c[name], sa.BigInteger) for name in ("started_at", "ended_at"))
    until = sa.func.coalesce(ended, round((now - EPOCH).total_seconds() * MICROSECONDS))
    return sa.func.sum(sa.case((until > started, until - started), else_=0))


_RUNNING = sa.select(sa.func.max(MODIFIED_AT)).where(
    training_jobs.c.tuning_job == sa.bindparam("job"),
    training_jobs.c.status.in_([status for status in TRANSITIONS if not is_terminal(status)]),
)
_LAST = (
    sa.select(MODIFIED_AT.label("at"))
    .where(training_jobs.c.tuning_job == sa.bindparam("job"), training_jobs.c.ended_fact.is_not(None))
    .order_by(training_jobs.c.ended_fact.desc())
    .limit(ENDED_LAST)
    .subquery()
)
_ENDED_LAST = sa.select(sa.func.max(_LAST.c.at))


def recorded_at(connection: Connection, job: int) -> datetime:
    """Return when something was recorded of a tuning job or its training jobs last.

    Args:
        job: The tuning job's id.
    """
    changed: datetime = connection.execute(
        sa.select(tuning_jobs.c.modified_at).where(tuning_jobs.c.id == job)
    ).scalar_one()
    answers = [connection.execute(query, {"job": job}).scalar() for query in (_RUNNING, _ENDED_LAST)]
    latest: list[datetime] = [at for at in answers if at is not None]
    return max([changed, *latest])
