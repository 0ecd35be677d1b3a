"""Pages of lists, by keyset: a page begins after the last row of the one before, whatever rows come or go meanwhile.

An index leads to every page, so that the last costs as much as the first (a test reads SQLite's plans).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from alfine.store.algorithms import Algorithm, algorithm_of
from alfine.store.conditions import ALGORITHMS, TRAINING_JOBS, TUNING_JOBS, Condition, listed
from alfine.store.database import Connection
from alfine.store.records import TrainingJobRow, TuningJob, select_training_jobs, tuning_job_of
from alfine.store.schema import algorithms, training_jobs, tuning_jobs

LARGEST = 1.7976931348623157e308  # the greatest finite double: SQL has no test for infinity


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list: which rows are read.

    Attributes:
        sort: The column of the order; ties are broken by the name.
        size: How many rows at most.
        after: The place of the last row of the page before, as its value of that column and its name.
    """

    sort: str
    descending: bool
    size: int
    after: tuple[Any, Any] | None = None


def tuning_job_page(connection: Connection, page: Page, conditions: Iterable[Condition]) -> list[TuningJob]:
    """Return a page of the list of tuning jobs.

    Args:
        connection: An open connection.
        page: Order, size and place of the page.
        conditions: Conditions that every listed job meets.
    """
    query = sa.select(tuning_jobs).where(listed(), *conditions)
    rows = connection.execute(_paged(query, page, TUNING_JOBS.column(page.sort), tuning_jobs.c.name))
    return [tuning_job_of(row) for row in rows]


def training_job_page(connection: Connection, page: Page, conditions: Iterable[Condition]) -> list[TrainingJobRow]:
    """Return a page of the list of training jobs.

    Args:
        connection: An open connection.
        page: Order, size and place of the page. Sorted by the objective, it lists only training jobs that have one.
        conditions: Conditions that every listed job meets.
    """
    column = TRAINING_JOBS.column(page.sort)
    query = select_training_jobs().where(*conditions)
    if page.sort == "objective":
        query = query.where(training_jobs.c.status != "Failed", *_finite(column, page))
    rows = connection.execute(_paged(query, page, column, training_jobs.c.name))
    return [TrainingJobRow(*row) for row in rows]


def algorithm_page(connection: Connection, page: Page, conditions: Iterable[Condition]) -> list[Algorithm]:
    """Return a page of the list of algorithms.

    Args:
        connection: An open connection.
        page: Order, size and place of the page.
        conditions: Conditions that every listed algorithm meets.
    """
    query = sa.select(algorithms).where(*conditions)
    rows = connection.execute(_paged(query, page, ALGORITHMS.column(page.sort), algorithms.c.name))
    return [algorithm_of(row) for row in rows]


def _finite(column: sa.ColumnElement[Any], page: Page) -> Iterator[Condition]:
    """Yield that there is a finite value. SQLite's index takes one bound a side, and `after` bounds one side already."""
    if page.after is None or page.descending:
        yield column >= -LARGEST
    if page.after is None or not page.descending:
        yield column <= LARGEST


def _paged(query: sa.Select[Any], page: Page, column: sa.ColumnElement[Any], name: sa.Column[str]) -> sa.Select[Any]:
    """Return the query with the order and the bounds of a page."""
    if page.after is not None:
        value, last = page.after
        if page.sort == name.name:
            query = query.where(name < last if page.descending else name > last)
        else:
            here = sa.tuple_(column, name)
            place = sa.tuple_(sa.literal(value, column.type), sa.literal(last, name.type))
            query = query.where(here < place if page.descending else here > place)
            if not isinstance(column, sa.Column):  # SQLite's index of an expression takes no pairs
                bound = sa.literal(value, column.type)
                query = query.where(column <= bound if page.descending else column >= bound)
    order = [column] if page.sort == name.name else [column, name]
    return query.order_by(*(part.desc() if page.descending else part.asc() for part in order)).limit(page.size)
