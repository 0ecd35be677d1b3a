"""The table of a tuning job's training jobs: filtered, sorted by any column and cut into pages by SQL.

No index leads to the values of hyperparameters: a page costs one look at each training job of the tuning job, some 3 µs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from alfine.store.conditions import Condition, of_tuning_job
from alfine.store.database import Connection
from alfine.store.pages import LARGEST
from alfine.store.records import TrainingJobRow, select_training_jobs
from alfine.store.schema import EPOCH, training_jobs
from alfine.store.training_times import MICROSECONDS

OPERATORS = {"<": lt, "<=": le, ">": gt, ">=": ge, "=": eq, "!=": ne}
"""What a value can be compared by."""

NUMBER = r"^[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?$"
"""A number as PostgreSQL reads it."""

Source = Literal[
    "hyperparameter", "number", "objective", "status", "definition", "name", "started", "duration", "reason"
]
"""Where the values of a column come from."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of the table.

    Attributes:
        name: How people call it: in the head, in a filter, in an address.
        source: Where its values come from.
        numeric: Whether its values are numbers; else they are texts.
        hyperparameter: The name of the hyperparameter, if it is one's.
    """

    name: str
    source: Source
    numeric: bool = False
    hyperparameter: str = ""


class Comparison(NamedTuple):
    """A condition on the values of a column. A training job without a value meets none, except «!=» of a text."""

    column: TableColumn
    operator: str
    value: float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSelection:
    """The rows of the table, and their order.

    Attributes:
        sort: The column of the order. Training jobs without a value there come last; ties are in order of launch.
        descending: Whether the largest value comes first.
        comparisons: Conditions on columns, which all hold.
        texts: Texts that each occur in the name, in the status, in a reason or in the value of a hyperparameter, in letters of any case.
        statuses: The statuses that count; empty: all.
    """

    sort: TableColumn
    descending: bool = False
    comparisons: Sequence[Comparison] = ()
    texts: Sequence[str] = ()
    statuses: Sequence[str] = ()


class TablePlace(NamedTuple):
    """The place of a training job in the table: its position from 1, how many rows there are, and the names of its neighbours."""

    position: int
    total: int
    previous: str | None
    following: str | None


class TrainingJobTable:
    """The table of one tuning job.

    Args:
        connection: An open connection.
        job: The tuning job's id.
        now: The instant up to which training jobs that run have run.
    """

    def __init__(self, connection: Connection, job: int, now: datetime) -> None:
        self._connection = connection
        self._job = job
        self._now = now
        self._is_postgres = connection.dialect.name == "postgresql"

    def count(self, selection: TableSelection) -> int:
        """Return how many rows there are."""
        query = sa.select(sa.func.count()).select_from(training_jobs).where(*self._conditions(selection))
        return self._connection.scalar(query) or 0

    def page(self, selection: TableSelection, size: int, begin: int = 0) -> list[TrainingJobRow]:
        """Return rows of the table.

        Args:
            selection: The rows and their order.
            size: How many at most.
            begin: How many rows come before.
        """
        query = select_training_jobs().where(*self._conditions(selection)).order_by(*self._order(selection))
        return [TrainingJobRow(*row) for row in self._connection.execute(query.limit(size).offset(begin))]

    def numbers(self, selection: TableSelection) -> list[int]:
        """Return the numbers of all training jobs of the table, in its order."""
        query = sa.select(training_jobs.c.number).where(*self._conditions(selection))
        return list(self._connection.scalars(query.order_by(*self._order(selection))))

    def place(self, selection: TableSelection, name: str) -> TablePlace | None:
        """Return the place of a training job; None where the table hasn't got it."""
        query = sa.select(training_jobs.c.name).where(*self._conditions(selection)).order_by(*self._order(selection))
        names = list(self._connection.scalars(query))
        if name not in names:
            return None
        at = names.index(name)
        following = names[at + 1] if at + 1 < len(names) else None
        return TablePlace(at + 1, len(names), names[at - 1] if at else None, following)

    # -- order and conditions --

    def _order(self, selection: TableSelection) -> Iterator[sa.ColumnElement[Any]]:
        value = self._value(selection.sort)
        if selection.sort.source != "number":
            yield (value.desc() if selection.descending else value.asc()).nulls_last()
        by_number = selection.sort.source == "number" and selection.descending
        yield training_jobs.c.number.desc() if by_number else training_jobs.c.number.asc()

    def _conditions(self, selection: TableSelection) -> Iterator[Condition]:
        yield of_tuning_job(self._job)
        if selection.statuses:
            yield training_jobs.c.status.in_(selection.statuses)
        for column, operator, value in selection.comparisons:
            if column.numeric:
                yield OPERATORS[operator](self._value(column), value)
            else:  # what isn't there differs from every text
                written = sa.func.lower(sa.func.coalesce(self._value(column), ""))
                yield OPERATORS[operator](written, str(value).lower())
        for text in selection.texts:
            yield self._contains(text.lower())

    def _contains(self, text: str) -> Condition:
        columns = ("name", "status", "definition", "failure_reason", "stop_reason")
        found = [sa.func.lower(training_jobs.c[name]).contains(text, autoescape=True) for name in columns]
        hyperparameters: sa.ColumnElement[Any] = training_jobs.c.hyperparameters
        written = json.dumps(text)[1:-1].lower()
        near = sa.func.lower(hyperparameters).contains(written, autoescape=True)  # cheap: few need a look at each value
        each_of = sa.func.json_each_text if self._is_postgres else sa.func.json_each
        entries = sa.cast(hyperparameters, sa.JSON) if self._is_postgres else hyperparameters
        values = each_of(entries).table_valued("value", name="entries")
        value = sa.func.lower(sa.cast(values.c.value, sa.Text))
        within = sa.select(sa.literal(1)).select_from(values).where(value.contains(text, autoescape=True))
        return sa.or_(*found, near & within.exists())

    # -- values of columns --

    def _value(self, column: TableColumn) -> sa.ColumnElement[Any]:
        match column.source:
            case "hyperparameter":
                return self._hyperparameter(column)
            case "objective":
                counts = (training_jobs.c.status != "Failed") & training_jobs.c.objective.between(-LARGEST, LARGEST)
                return sa.case((counts, training_jobs.c.objective))
            case "started":
                return sa.func.coalesce(training_jobs.c.started_at, training_jobs.c.created_at)
            case "duration":
                return self._seconds()
            case "reason":
                return sa.func.coalesce(training_jobs.c.failure_reason, training_jobs.c.stop_reason)
            case source:
                return training_jobs.c[source]

    def _seconds(self) -> sa.ColumnElement[Any]:
        started, ended = (sa.type_coerce(training_jobs.c[name], sa.BigInteger) for name in ("started_at", "ended_at"))
        now = round((self._now - EPOCH).total_seconds() * MICROSECONDS)
        return (sa.func.coalesce(ended, now) - started) / float(MICROSECONDS)

    def _hyperparameter(self, column: TableColumn) -> sa.ColumnElement[Any]:
        name, texts = column.hyperparameter, training_jobs.c.hyperparameters
        if self._is_postgres:
            text: sa.ColumnElement[Any] = sa.cast(texts, sa.JSON).op("->>", return_type=sa.Text())(name)
            is_number = text.regexp_match(NUMBER)  # one other text would end the whole query
            return sa.case((is_number, sa.cast(text, sa.Float))) if column.numeric else text
        # SQLite's paths can't have every name; the keys of an object can.
        entries = sa.func.json_each(texts).table_valued("key", "value", name="entries")
        value = sa.select(entries.c.value).where(entries.c.key == name).scalar_subquery()
        return sa.cast(value, sa.Float) if column.numeric else value
