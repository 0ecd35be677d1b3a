"""What pages, summaries and counters need, by SQL: each costs what it returns, never a whole history.

Every function takes an open connection (`with store.reading() as connection`), so that several answers are of one instant.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alfine.core.errors import NotFound
from alfine.core.history import INTERNAL_ERROR
from alfine.store.algorithms import Algorithm, algorithm_of
from alfine.store.schema import algorithms, inherited, metrics, tags, training_jobs, tuning_jobs

LARGEST = 1.7976931348623157e308

Condition = sa.ColumnElement[bool]
AnyRow = Any  # a sqlalchemy Row; its type names every column, which says nothing more than the query does

# What happened to a training job last.
MODIFIED_AT = sa.func.coalesce(
    *(training_jobs.c[name] for name in ("uploaded_at", "ended_at", "stop_asked_at", "started_at", "created_at"))
)
_GOOD = (training_jobs.c.status != "Failed") & training_jobs.c.objective.between(-LARGEST, LARGEST)


def column_of(table: sa.Table, name: str) -> Any:
    """A column by its name; `modified_at` of training jobs is made of several."""
    return MODIFIED_AT if table is training_jobs and name == "modified_at" else table.c[name]


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list: those after `after` (the sort column's value and the tie-breaker), at most `size`."""

    sort: str
    descending: bool
    size: int
    after: tuple[Any, Any] | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Training jobs by AMT's counters."""

    statuses: Mapping[str, int] = field(default_factory=dict)
    objectives: Mapping[str, int] = field(default_factory=dict)


def listed() -> Condition:
    """Return the condition that a tuning job was not deleted, and is not the holder of a single training job."""
    return tuning_jobs.c.listed == sa.true()


# -- tuning jobs -------------------------------------------------------------------------------------------------------

_STATE = sa.select(
    tuning_jobs.c.id, tuning_jobs.c.name, tuning_jobs.c.status, tuning_jobs.c.facts, tuning_jobs.c.created_at
).where(tuning_jobs.c.name == sa.bindparam("name"), listed())


def state(connection: Connection, name: str) -> AnyRow:
    """Id, status, number of facts: what everything else that is told of a tuning job is a function of."""
    row = connection.execute(_STATE, {"name": name}).first()
    if row is None:
        raise NotFound(f"Amazon SageMaker can't find a tuning job called {name}. Type another name.")
    return row


def tuning_job_called(connection: Connection, name: str) -> AnyRow:
    """A tuning job by its name in letters of any case."""
    query = sa.select(tuning_jobs.c.id, tuning_jobs.c.name, tuning_jobs.c.listed)
    row = connection.execute(query.where(sa.func.lower(tuning_jobs.c.name) == name.lower())).first()
    if row is None or not row.listed:
        raise NotFound(f"Amazon SageMaker can't find a tuning job called {name}. Type another name.")
    return row


def tuning_job_page(connection: Connection, page: Page, conditions: Iterable[Condition]) -> Sequence[AnyRow]:
    """Rows of tuning_jobs; `page.sort` is one of its columns, ties are broken by the name."""
    column = column_of(tuning_jobs, page.sort)
    query = sa.select(tuning_jobs).where(listed(), *conditions)
    return connection.execute(_paged(query, page, column, tuning_jobs.c.name)).all()


def last_change(connection: Connection) -> datetime | None:
    """When any tuning job that is listed changed last."""
    return connection.execute(sa.select(sa.func.max(tuning_jobs.c.modified_at)).where(listed())).scalar()


def verdicts_of(row: AnyRow) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The strongest verdict of a row of tuning_jobs (None before the first), and each criterion's last."""
    return json.loads(row.verdict or "null"), json.loads(row.verdicts or "[]")


# -- training jobs -----------------------------------------------------------------------------------------------------


def training_job_page(connection: Connection, page: Page, conditions: Iterable[Condition]) -> Sequence[AnyRow]:
    """Rows of training_jobs with the name of their tuning job; sorted by the objective, those without one are left out."""
    column = column_of(training_jobs, page.sort)
    query = _TRAINING_JOBS.where(*conditions)
    if page.sort == "objective":
        query = query.where(training_jobs.c.status != "Failed", *_finite(column, page))
    return connection.execute(_paged(query, page, column, training_jobs.c.name)).all()


def _finite(column: Any, page: Page) -> Iterator[Condition]:
    """That there is a value. The side from which the last page came is bounded by it already: SQLite takes one bound a side."""
    if page.after is None or page.descending:
        yield column >= -LARGEST
    if page.after is None or not page.descending:
        yield column <= LARGEST


_TRAINING_JOBS = sa.select(
    training_jobs, MODIFIED_AT.label("modified_at"), tuning_jobs.c.name.label("tuning_job_name")
).join_from(training_jobs, tuning_jobs, training_jobs.c.tuning_job == tuning_jobs.c.id)
_TRAINING_JOB = sa.select(
    training_jobs,
    MODIFIED_AT.label("modified_at"),
    tuning_jobs.c.name.label("tuning_job_name"),
    tuning_jobs.c.request,
    tuning_jobs.c.listed,
    tuning_jobs.c.modified_at.label("tuning_job_modified_at"),
).join_from(training_jobs, tuning_jobs, training_jobs.c.tuning_job == tuning_jobs.c.id)


def training_job(connection: Connection, name: str) -> AnyRow:
    """One training job with its tuning job's name and request. Raise NotFound when there is none of that name."""
    row = connection.execute(_TRAINING_JOB.where(training_jobs.c.name == name)).first()
    if row is None:
        raise NotFound("Requested resource not found.")
    return row


def training_job_called(connection: Connection, name: str) -> AnyRow:
    """A training job by its name in letters of any case."""
    row = connection.execute(_TRAINING_JOB.where(sa.func.lower(training_jobs.c.name) == name.lower())).first()
    if row is None:
        raise NotFound("Requested resource not found.")
    return row


def converged_at(connection: Connection, name: str, criterion: str) -> datetime | None:
    """When convergence was detected, as the verdicts on record say: `criterion` ended the job, or a shadow of it would have.

    It ended the job with the last training job that ended by itself, before the others were stopped.
    """
    row = connection.execute(sa.select(tuning_jobs).where(tuning_jobs.c.name == name)).one()
    verdict = json.loads(row.verdict or "{}")
    if verdict.get("criterion") == criterion and verdict["outlook"] != "CONTINUE":
        mine = (training_jobs.c.tuning_job == row.id) & training_jobs.c.stop_fact.is_(None)
        return connection.execute(sa.select(sa.func.max(training_jobs.c.ended_at)).where(mine)).scalar()
    for each in json.loads(row.verdicts or "[]"):
        seconds = each["evidence"].get("would_have_ended_after_seconds")
        if each.get("watching") and each["criterion"].endswith(f"({criterion})") and seconds is not None:
            return row.created_at + timedelta(seconds=seconds)  # type: ignore[no-any-return]
    return None


def best_inherited(connection: Connection, job: int, *, minimise: bool) -> AnyRow | None:
    """The best training job among those taken over from parents, the first on a tie."""
    order = inherited.c.objective.asc() if minimise else inherited.c.objective.desc()
    query = sa.select(inherited).where(inherited.c.tuning_job == job).order_by(order, inherited.c.number)
    return connection.execute(query.limit(1)).first()


@cache
def _best_query(*, minimise: bool, one: bool) -> sa.Select[Any]:
    objective = training_jobs.c.objective.asc() if minimise else training_jobs.c.objective.desc()
    mine = _TRAINING_JOBS.where(training_jobs.c.tuning_job == sa.bindparam("job"), _GOOD)
    if one:
        mine = mine.where(training_jobs.c.definition == sa.bindparam("ranked"))
    return mine.order_by(objective, training_jobs.c.ended_fact).limit(1)


def best(
    connection: Connection, job: int, *, minimise: bool, ranked: str | None = None, number: int | None = None
) -> AnyRow | None:
    """The training job with the best objective, the first to end on a tie: `history.incumbent`, by an index.

    ranked: the one definition whose objectives are compared. number: of the best, where it's known by other means.
    """
    if number is not None:
        query = _TRAINING_JOBS.where(training_jobs.c.tuning_job == job, training_jobs.c.number == number)
        return connection.execute(query).first()
    query = _best_query(minimise=minimise, one=ranked is not None)
    return connection.execute(query, {"job": job, "ranked": ranked}).first()


_HAS_OBJECTIVE = _GOOD & training_jobs.c.ended_at.is_not(None)
_INTERNAL = (training_jobs.c.status == "Failed") & training_jobs.c.failure_reason.startswith(INTERNAL_ERROR)
_COUNTS = (
    sa.select(
        training_jobs.c.tuning_job,
        training_jobs.c.status,
        sa.case((_HAS_OBJECTIVE, 1), else_=0).label("succeeded"),
        sa.case((_INTERNAL, 1), else_=0).label("internal"),
        sa.func.count().label("jobs"),
    )
    .where(training_jobs.c.tuning_job.in_(sa.bindparam("jobs", expanding=True)))
    .group_by(training_jobs.c.tuning_job, training_jobs.c.status, "succeeded", "internal")
)
_COUNTERS = {
    "Completed": "Completed",
    "Stopped": "Stopped",
    "Failed": "NonRetryableError",
    "InProgress": "InProgress",
    "Stopping": "InProgress",
}


def counts(connection: Connection, jobs: Sequence[int]) -> dict[int, Counts]:
    """AMT's TrainingJobStatusCounters and ObjectiveStatusCounters of several tuning jobs."""
    found = {job: Counts(dict(_NO_STATUSES), dict(_NO_OBJECTIVES)) for job in jobs}
    for row in connection.execute(_COUNTS, {"jobs": list(jobs)}) if jobs else ():
        counter = "RetryableError" if row.internal else _COUNTERS[row.status]
        _add(found[row.tuning_job].statuses, counter, row.jobs)
        objective = "Pending" if counter == "InProgress" else "Succeeded" if row.succeeded else "Failed"
        _add(found[row.tuning_job].objectives, objective, row.jobs)
    return found


_NO_STATUSES = dict.fromkeys(("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0)
_NO_OBJECTIVES = dict.fromkeys(("Succeeded", "Pending", "Failed"), 0)


def _add(counters: Mapping[str, int], name: str, number: int) -> None:
    assert isinstance(counters, dict)
    counters[name] += number


_ENDED = (
    sa.select(training_jobs.c.ended_fact, training_jobs.c.objective, training_jobs.c.status, training_jobs.c.definition)
    .where(training_jobs.c.tuning_job == sa.bindparam("job"), training_jobs.c.ended_fact > sa.bindparam("after"))
    .order_by(training_jobs.c.ended_fact)
)


def objectives_after(
    connection: Connection, job: int, fact: int, ranked: str | None = None
) -> Sequence[tuple[int, float | None]]:
    """(fact, objective or None) of the training jobs that ended after a fact, in order of completion; ranked: as in `best`."""
    rows = connection.execute(_ENDED, {"job": job, "after": fact})
    return [
        (row.ended_fact, row.objective if _counts_as_one(row) and ranked in (None, row.definition) else None)
        for row in rows
    ]


def _counts_as_one(row: AnyRow) -> bool:
    return row.status != "Failed" and row.objective is not None and math.isfinite(row.objective)


# -- algorithms --------------------------------------------------------------------------------------------------------


def algorithm_page(connection: Connection, page: Page, conditions: Iterable[Condition]) -> Sequence[Algorithm]:
    """Return a page of algorithms; `page.sort` is a column of their table, ties are broken by the name."""
    query = sa.select(algorithms).where(*conditions)
    rows = connection.execute(_paged(query, page, algorithms.c[page.sort], algorithms.c.name))
    return [algorithm_of(row) for row in rows]


# -- metrics -----------------------------------------------------------------------------------------------------------


def last_metrics(connection: Connection, job: int, number: int) -> Sequence[AnyRow]:
    """The last value of each metric of a training job: (metric, value, at)."""
    mine = (metrics.c.tuning_job == job) & (metrics.c.number == number)
    last = sa.select(sa.func.max(metrics.c.fact)).where(mine).group_by(metrics.c.metric).scalar_subquery()
    query = sa.select(metrics.c.metric, metrics.c.value, metrics.c.at).where(mine, metrics.c.fact.in_(last))
    return connection.execute(query.order_by(metrics.c.metric)).all()


def last_metrics_of(connection: Connection, training: Sequence[tuple[int, int]]) -> Sequence[AnyRow]:
    """The same of several training jobs, by (tuning job, number): (tuning_job, number, metric, value, at)."""
    mine = sa.tuple_(metrics.c.tuning_job, metrics.c.number).in_(training)
    last = sa.select(metrics.c.tuning_job, sa.func.max(metrics.c.fact)).where(mine)
    last = last.group_by(metrics.c.tuning_job, metrics.c.number, metrics.c.metric)
    query = sa.select(metrics).where(sa.tuple_(metrics.c.tuning_job, metrics.c.fact).in_(last))
    return connection.execute(query.order_by(metrics.c.metric)).all()


def tags_of(connection: Connection, owners: Sequence[tuple[int, int]]) -> Sequence[AnyRow]:
    """The tags of several jobs, by (tuning job, number of the training job or 0): (tuning_job, number, key, value)."""
    query = sa.select(tags).where(sa.tuple_(tags.c.tuning_job, tags.c.number).in_(owners))
    return connection.execute(query.order_by(tags.c.key)).all()


def requests_of(connection: Connection, jobs: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The requests of several tuning jobs."""
    query = sa.select(tuning_jobs.c.id, tuning_jobs.c.request).where(tuning_jobs.c.id.in_(set(jobs)))
    return {row.id: request_of(row) for row in connection.execute(query)}


def reports(connection: Connection, job: int, number: int, most: int) -> dict[str, list[tuple[float, float]]]:
    """(step, value) of each metric of a training job in order, the last `most` values of all."""
    mine = (metrics.c.tuning_job == job) & (metrics.c.number == number)
    query = sa.select(metrics.c.metric, metrics.c.step, metrics.c.value).where(mine)
    found: dict[str, list[tuple[float, float]]] = {}
    for row in reversed(connection.execute(query.order_by(metrics.c.fact.desc()).limit(most)).all()):
        found.setdefault(row.metric, []).append((row.step, row.value))
    return found


def metric_values(
    connection: Connection, job: int, number: int, metric: str, within: tuple[datetime, datetime]
) -> Sequence[tuple[datetime, float]]:
    """(at, value) of one metric of a training job, in order; of the two instants the first is included."""
    since, until = within
    mine = (metrics.c.tuning_job == job) & (metrics.c.number == number) & (metrics.c.metric == metric)
    query = sa.select(metrics.c.at, metrics.c.value).where(mine, metrics.c.at >= since, metrics.c.at < until)
    return [(row.at, row.value) for row in connection.execute(query.order_by(metrics.c.fact))]


# -- underneath --------------------------------------------------------------------------------------------------------


def _paged(query: sa.Select[Any], page: Page, column: Any, tie: Any) -> sa.Select[Any]:
    """Keyset: from where the last page ended, whatever came or went before it meanwhile."""
    if page.after is not None:
        value, name = page.after
        if page.sort == tie.name:
            query = query.where(tie < name if page.descending else tie > name)
        else:
            here = sa.tuple_(column, tie)
            there = sa.tuple_(sa.literal(value, column.type), sa.literal(name, tie.type))
            query = query.where(here < there if page.descending else here > there)
            if not isinstance(column, sa.Column):  # SQLite's index of an expression takes no pairs
                bound = sa.literal(value, column.type)
                query = query.where(column <= bound if page.descending else column >= bound)
    order = [column] if page.sort == tie.name else [column, tie]
    return query.order_by(*(each.desc() if page.descending else each.asc() for each in order)).limit(page.size)


def request_of(row: AnyRow) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(row.request)
    return request
