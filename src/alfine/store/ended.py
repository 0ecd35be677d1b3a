"""Training jobs of tuning jobs that have ended, the oldest tuning job first: what retention chooses from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from alfine.core.facts import TRANSITIONS
from alfine.store.database import Connection
from alfine.store.schema import training_jobs, tuning_jobs


class EndedTrainingJob(NamedTuple):
    """A training job that has ended, of a tuning job that has ended.

    Attributes:
        tuning_job: The id of its tuning job.
        tuning_job_name: The name of its tuning job, as it is stored (core/arns.py).
        listed: False if the tuning job was deleted, or only holds this training job.
        tuning_job_ended_at: When the tuning job ended.
        name: The training job's name.
    """

    tuning_job: int
    tuning_job_name: str
    listed: bool
    tuning_job_ended_at: datetime
    name: str


_ENDED = [status for status, after in TRANSITIONS.items() if not after]

_QUERY = (
    sa.select(tuning_jobs.c.id, tuning_jobs.c.name, tuning_jobs.c.listed, tuning_jobs.c.ended_at, training_jobs.c.name)
    .join_from(tuning_jobs, training_jobs, training_jobs.c.tuning_job == tuning_jobs.c.id)
    .where(
        tuning_jobs.c.ended_at.is_not(None),
        tuning_jobs.c.status.in_(_ENDED),
        training_jobs.c.status.in_(_ENDED),
    )
    .order_by(tuning_jobs.c.ended_at, tuning_jobs.c.id, training_jobs.c.number)
)


_UNFINISHED = sa.select(training_jobs.c.name).where(
    training_jobs.c.name.in_(sa.bindparam("names")), training_jobs.c.status.not_in(_ENDED)
)

MOST_NAMES = 1000
"""Names that one query has: databases limit them."""


def unfinished_among(connection: Connection, names: Sequence[str]) -> set[str]:
    """Return the training jobs of these names that haven't ended; those that aren't recorded are left out.

    Args:
        connection: An open connection.
        names: The names.
    """
    parts = (names[begin : begin + MOST_NAMES] for begin in range(0, len(names), MOST_NAMES))
    return {name for part in parts for name in connection.scalars(_UNFINISHED, {"names": list(part)})}


def ended_training_jobs(connection: Connection) -> list[EndedTrainingJob]:
    """Return them all, those of the tuning job that ended first before others.

    Args:
        connection: An open connection.
    """
    return [EndedTrainingJob(*row) for row in connection.execute(_QUERY)]
