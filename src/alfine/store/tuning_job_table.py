"""The list of tuning jobs as a table: searched, filtered, sorted by a column and cut into pages by SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alfine.store.conditions import TUNING_JOBS, Condition, has_tag, listed, name_contains
from alfine.store.database import Connection
from alfine.store.pages import LARGEST
from alfine.store.records import TuningJob, tuning_job_of
from alfine.store.schema import EPOCH, tags, training_jobs, tuning_jobs
from alfine.store.training_times import MICROSECONDS
from alfine.store.tuning_job_costs import costs

SORTS = ("created", "name", "status", "verdict", "training_jobs", "best", "duration", "cost", "changed")
"""What the list can be sorted by. `verdict`: the name of the criterion that ended a tuning job; one that runs comes last. `cost`: those with a
price first, then the others by their training time."""

OBJECTIVES = (
    ("HyperParameterTuningJobConfig", "HyperParameterTuningJobObjective", "Type"),
    ("TrainingJobDefinitions", 0, "TuningObjective", "Type"),
)
"""Where a request says whether the objective is minimised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningJobSelection:
    """The tuning jobs of a list, and their order.

    Attributes:
        texts: Texts that each occur in the name, the note, or a tag, in letters of any case.
        names: Texts that each occur in the name, in letters of any case.
        tags: (key, value) of tags that a job has; the value is None where any will do.
        statuses: The statuses that count; empty: all.
        sort: One of SORTS.
        descending: Whether the largest value, or the newest, comes first.
    """

    texts: Sequence[str] = ()
    names: Sequence[str] = ()
    tags: Sequence[tuple[str, str | None]] = ()
    statuses: Sequence[str] = ()
    sort: str = "created"
    descending: bool = True


def tuning_job_count(connection: Connection, selection: TuningJobSelection) -> int:
    """Return how many tuning jobs a selection has."""
    return connection.scalar(sa.select(sa.func.count()).select_from(tuning_jobs).where(*_conditions(selection))) or 0


def selected_tuning_jobs(
    connection: Connection, selection: TuningJobSelection, size: int, begin: int, now: datetime
) -> list[TuningJob]:
    """Return tuning jobs of a selection, in its order; one without a value of the order's column comes last.

    Args:
        connection: An open connection.
        selection: Which ones, and their order.
        size: How many at most.
        begin: How many come before.
        now: The instant up to which those that run have run.
    """
    query = sa.select(tuning_jobs).where(*_conditions(selection))
    is_postgres = connection.dialect.name == "postgresql"
    if selection.sort == "cost":
        spent = costs(_json("request", is_postgres=is_postgres), now)
        query = query.outerjoin(spent, spent.c.id == tuning_jobs.c.id)
        values: list[sa.ColumnElement[Any]] = [spent.c.money, spent.c.time]
    else:
        values = [_value(selection.sort, now, is_postgres=is_postgres)]
    order = [(value.desc() if selection.descending else value.asc()).nulls_last() for value in values]
    query = query.order_by(*order, tuning_jobs.c.id.desc())
    return [tuning_job_of(row) for row in connection.execute(query.limit(size).offset(begin))]


def _conditions(selection: TuningJobSelection) -> Iterator[Condition]:
    yield listed()
    if selection.statuses:
        yield tuning_jobs.c.status.in_(selection.statuses)
    for key, value in selection.tags:
        yield has_tag(TUNING_JOBS, key, value)
    for part in selection.names:
        yield name_contains(TUNING_JOBS, part)
    for text in selection.texts:
        yield _contains(text.lower())


def _contains(text: str) -> Condition:
    own = (tags.c.tuning_job == tuning_jobs.c.id) & (tags.c.number == 0) & ~tags.c.key.startswith("alfine:")
    tagged = [sa.func.lower(tags.c[name]).contains(text, autoescape=True) for name in ("key", "value")]
    found = [sa.func.lower(tuning_jobs.c[name]).contains(text, autoescape=True) for name in ("name", "note")]
    return sa.or_(*found, sa.exists().where(own & sa.or_(*tagged)))


def _value(sort: str, now: datetime, *, is_postgres: bool) -> sa.ColumnElement[Any]:
    columns = {"created": "created_at", "changed": "modified_at", "name": "name", "status": "status"}
    if sort in columns:
        return tuning_jobs.c[columns[sort]]
    if sort == "duration":
        created, ended = (sa.type_coerce(tuning_jobs.c[name], sa.BigInteger) for name in ("created_at", "ended_at"))
        return sa.func.coalesce(ended, round((now - EPOCH).total_seconds() * MICROSECONDS)) - created
    if sort == "verdict":
        criterion = _json("verdict", is_postgres=is_postgres)["criterion"].as_string()
        return sa.case((tuning_jobs.c.ended_at.is_not(None), criterion))
    of_job = training_jobs.c.tuning_job == tuning_jobs.c.id
    if sort == "training_jobs":
        return sa.select(sa.func.count()).select_from(training_jobs).where(of_job).scalar_subquery()
    counts = of_job & (training_jobs.c.status != "Failed") & training_jobs.c.objective.between(-LARGEST, LARGEST)
    objectives = sa.select(training_jobs.c.objective).where(counts).limit(1)  # the first one by an index
    least, greatest = (
        objectives.order_by(order).scalar_subquery()
        for order in (training_jobs.c.objective.asc(), training_jobs.c.objective.desc())
    )
    request = _json("request", is_postgres=is_postgres)
    goal = sa.func.coalesce(*(request[path].as_string() for path in OBJECTIVES))
    return sa.case((goal == "Minimize", least), else_=greatest)


def _json(column: str, *, is_postgres: bool) -> sa.ColumnElement[Any]:
    """Return a text of a tuning job as the JSON that it is."""
    return (sa.cast if is_postgres else sa.type_coerce)(tuning_jobs.c[column], sa.JSON)
