"""Free names for new jobs. Names that differ only in case count as the same."""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alfine.core.errors import InUse
from alfine.core.facts import is_terminal
from alfine.store.schema import training_jobs, tuning_jobs

_TUNING_JOB = sa.select(tuning_jobs.c.id, tuning_jobs.c.status).where(
    sa.func.lower(tuning_jobs.c.name) == sa.bindparam("name")
)
_TRAINING_JOB = sa.select(training_jobs.c.number).where(sa.func.lower(training_jobs.c.name) == sa.bindparam("name"))
_OF_TUNING_JOB = re.compile(r"(.+)-\d{3,}-[0-9a-f]{8}")  # how tuning jobs name their training jobs


def check_tuning_job_name(connection: Connection, name: str) -> None:
    """Check that a name is free for a new tuning job.

    Args:
        connection: A connection that writes.
        name: The name, which is compared in letters of any case.

    Raises:
        InUse: A tuning job has the name.
    """
    if connection.execute(_TUNING_JOB, {"name": name.lower()}).first():
        raise InUse(f"A hyperparameter tuning job with the name, {name}, already exists. Choose a different name.")


def check_training_job_name(connection: Connection, name: str) -> None:
    """Check that a name is free for a new training job.

    Args:
        connection: A connection that writes.
        name: The name, which is compared in letters of any case.

    Raises:
        InUse: A training job has the name, or a running tuning job may give it to one of its own.
    """
    lower = name.lower()
    if connection.execute(_TRAINING_JOB, {"name": lower}).first():
        raise InUse(f"A training job with the name, {name}, already exists. Choose a different name.")
    form = _OF_TUNING_JOB.fullmatch(lower)
    owner = connection.execute(_TUNING_JOB, {"name": form[1]}).first() if form else None
    if owner is not None and not is_terminal(owner.status):
        raise InUse(f"The name, {name}, is of the form that the running tuning job gives. Choose a different name.")
