"""Conditions on the rows of lists: the filters of List requests, and what Search can leave to SQL.

A Condition is opaque outside the store: it is made here, and given to a page of store/pages.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alfine.core.arns import DETACHED
from alfine.core.facts import TUNING_TRANSITIONS
from alfine.store.schema import algorithms, tags, training_jobs, tuning_jobs

Condition = sa.ColumnElement[bool]

UNFINISHED = tuning_jobs.c.listed.in_((True, False)) & tuning_jobs.c.status.in_(
    [status for status, after in TUNING_TRANSITIONS.items() if after]
)
"""The tuning jobs that have not ended; with the column listed, because the index of statuses begins with it."""

# When something happened to a training job last.
MODIFIED_AT = sa.func.coalesce(
    *(training_jobs.c[name] for name in ("uploaded_at", "ended_at", "stop_asked_at", "started_at", "created_at"))
)


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """A table whose rows can be listed, filtered and sorted by the columns that it names.

    Attributes:
        tag_owner: The columns by which tags are kept: the tuning job's id, and the training job's number or 0.
    """

    table: sa.Table
    tag_owner: tuple[Any, Any] | None = None

    def column(self, name: str) -> sa.ColumnElement[Any]:
        """Return a column by its name; the `modified_at` of training jobs is made of several."""
        return MODIFIED_AT if self.table is training_jobs and name == "modified_at" else self.table.c[name]


TUNING_JOBS = Listing(tuning_jobs, (tuning_jobs.c.id, sa.literal(0)))
TRAINING_JOBS = Listing(training_jobs, (training_jobs.c.tuning_job, training_jobs.c.number))
ALGORITHMS = Listing(algorithms)


# -- of every list -----------------------------------------------------------------------------------------------------


def nothing() -> Condition:
    """Return the condition that no row meets."""
    return sa.false()


def after(listing: Listing, column: str, at: datetime) -> Condition:
    """Return the condition that the instant is later than `at`."""
    instants = listing.column(column)
    return instants > sa.literal(at, instants.type)


def before(listing: Listing, column: str, at: datetime) -> Condition:
    """Return the condition that the instant is earlier than `at`."""
    instants = listing.column(column)
    return instants < sa.literal(at, instants.type)


def equals(listing: Listing, column: str, value: str) -> Condition:
    """Return the condition that the text is `value`."""
    return listing.column(column) == value


def one_of(listing: Listing, column: str, values: Sequence[str]) -> Condition:
    """Return the condition that the text is one of `values`."""
    return listing.column(column).in_(values)


def contains(listing: Listing, column: str, part: str) -> Condition:
    """Return the condition that a text contains a part.

    Args:
        listing: The kind of rows.
        column: The column with the text.
        part: The part. In SQLite, ASCII letters match in any case.
    """
    return listing.column(column).contains(part, autoescape=True)


def name_contains(listing: Listing, part: str) -> Condition:
    """Return the condition that the name has a part, in letters of any case."""
    return sa.func.lower(listing.table.c.name).contains(part.lower(), autoescape=True)


def has_tag(listing: Listing, key: str, value: str | None = None) -> Condition:
    """Return the condition that a job has a tag.

    Args:
        listing: The kind of rows.
        key: The tag's key.
        value: The tag's value; None: any value.
    """
    if listing.tag_owner is None:
        raise TypeError("the tags of these rows are not in the table of tags.")
    job, number = listing.tag_owner
    same = (tags.c.tuning_job == job) & (tags.c.number == number) & (tags.c.key == key)
    return sa.exists().where(same if value is None else same & (tags.c.value == value))


# -- of tuning jobs ----------------------------------------------------------------------------------------------------


def listed() -> Condition:
    """Return the condition for tuning jobs that were not deleted and aren't holders of single training jobs."""
    return tuning_jobs.c.listed == sa.true()


# -- of training jobs --------------------------------------------------------------------------------------------------


def of_tuning_job(job: int) -> Condition:
    """Return the condition for training jobs of the tuning job with that id."""
    return training_jobs.c.tuning_job == job


def of_tuning_job_named(name: str) -> Condition:
    """Return the condition for the training jobs of a tuning job, also of deleted ones that had the name.

    Args:
        name: The tuning job's name, in letters of any case.
    """
    lower, stored = name.lower(), sa.func.lower(tuning_jobs.c.name)
    named = (stored == lower) | stored.startswith(lower + DETACHED, autoescape=True)
    return training_jobs.c.tuning_job.in_(sa.select(tuning_jobs.c.id).where(named))


def has_started() -> Condition:
    """Return the condition for training jobs that have started."""
    return training_jobs.c.started_at.is_not(None)


def name_starts_with(prefix: str) -> Condition:
    """Return the condition for training jobs whose name begins with a prefix."""
    return training_jobs.c.name.startswith(prefix, autoescape=True)


def name_from(first: str) -> Condition:
    """Return the condition for training jobs whose name is `first`, or comes after it."""
    return training_jobs.c.name >= first
