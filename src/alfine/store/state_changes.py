"""State changes of a tuning job and its training jobs, read from the facts after a given one, in the order in which they were recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from alfine.core.arns import DETACHED
from alfine.core.facts import TRANSITIONS, is_terminal
from alfine.store.database import Connection
from alfine.store.records import TrainingJobRow, select_training_jobs
from alfine.store.schema import training_jobs, tuning_jobs

WINDOW = 1000
"""Facts of one tuning job that are read at once: some 300 state changes."""

_RUNNING = [status for status, after in TRANSITIONS.items() if after]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """One change of the status of a tuning job, or of one of its training jobs.

    Attributes:
        fact: The number of the fact; for the beginning of a tuning job 0, for its end that of the last fact.
        status: The new status.
        at: When it changed.
        training_job: The training job as it was then; None for the tuning job itself.
    """

    fact: int
    status: str
    at: datetime
    training_job: TrainingJobRow | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """The place in a tuning job's history up to which someone was told.

    Attributes:
        fact: The number of the last fact.
        status: The tuning job's status that was told last; None for none.
    """

    fact: int = 0
    status: str | None = None


_WINDOW_OF_FACTS = (
    select_training_jobs()
    .add_columns(training_jobs.c.created_fact, training_jobs.c.stop_fact, training_jobs.c.ended_fact)
    .where(
        training_jobs.c.tuning_job == sa.bindparam("job"),
        training_jobs.c.created_fact <= sa.bindparam("last"),
        training_jobs.c.status.in_(_RUNNING) | (training_jobs.c.ended_fact > sa.bindparam("told")),
    )
)


def state_changes(connection: Connection, job: int, told: Told, window: int = WINDOW) -> tuple[list[StateChange], Told]:
    """Return the next state changes of a tuning job, and the place up to which they lead.

    Args:
        connection: An open connection.
        job: The tuning job's id.
        told: The place from which on they are wanted.
        window: The number of facts that are read.

    Returns:
        At most those of `window` facts. There are no more where the returned place equals the given one.
    """
    row = connection.execute(sa.select(tuning_jobs).where(tuning_jobs.c.id == job)).first()
    if row is None:
        return [], told
    last = min(told.fact + window, row.facts)
    changes = [*_of_training_jobs(connection, job, told.fact, last)]
    if not row.listed and DETACHED not in row.name:  # it only holds a single training job
        return sorted(changes, key=attrgetter("fact")), Told(last, row.status)
    begin, end = _of_tuning_job(row, told, last)
    stop = [StateChange(fact=row.stop_fact, status="Stopping", at=row.stop_requested_at)] if row.stop_fact else []
    changes += [change for change in stop if told.fact < change.fact <= last]
    changes.sort(key=attrgetter("fact"))
    status = row.status if last == row.facts else "InProgress"
    return [*begin, *changes, *end], Told(last, status)


def _of_tuning_job(row: Row[Any], told: Told, last: int) -> tuple[list[StateChange], list[StateChange]]:
    """Return how a tuning job began or was resumed, and how it ended, as far as that wasn't told."""
    begin, end = [], []
    was_over = told.status is not None and is_terminal(told.status)
    resumed = was_over and (row.facts > told.fact or row.status != told.status)
    if told.status is None:
        begin.append(StateChange(fact=0, status="InProgress", at=row.created_at))
    elif resumed:  # a user changed the ended job; the instant is that of its last change
        begin.append(StateChange(fact=told.fact, status="InProgress", at=row.modified_at))
    if is_terminal(row.status) and last == row.facts and (resumed or told.status != row.status):
        end.append(StateChange(fact=row.facts, status=row.status, at=row.ended_at or row.modified_at))
    return begin, end


def _of_training_jobs(connection: Connection, job: int, told: int, last: int) -> Iterator[StateChange]:
    for found in connection.execute(_WINDOW_OF_FACTS, {"job": job, "told": told, "last": last}):
        *columns, created, stopped, ended = found
        row = TrainingJobRow(*columns)
        then = row._replace(ended_at=None, objective=None, failure_reason=None, uploaded_at=None)
        if told < created <= last:
            at = row.created_at
            begun = then._replace(started_at=None, stop_asked_at=None, stop_reason=None, modified_at=at)
            yield _change(created, begun._replace(status="InProgress"), at)
        if stopped is not None and told < stopped <= last and row.stop_asked_at is not None:
            at = row.stop_asked_at
            started = row.started_at if row.started_at is not None and row.started_at <= at else None
            stopping = then._replace(status="Stopping", started_at=started, modified_at=at)
            yield _change(stopped, stopping, at)
        if ended is not None and ended <= last and row.ended_at is not None:  # rows of earlier ends aren't read
            yield _change(ended, row, row.ended_at)


def _change(fact: int, row: TrainingJobRow, at: datetime) -> StateChange:
    return StateChange(fact=fact, status=row.status, at=at, training_job=row)
