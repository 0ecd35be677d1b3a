"""Search: the training jobs, or the tuning jobs, that a search expression holds for.

The work for one page is bounded. What SQL can tell at once (names, statuses, times, tags) narrows the candidates; each of these
is then shown as Describe shows it, and tested. Sorted by a column, candidates come in that order, so that the page ends as soon as
it's full: when too few of them match, the page is short, and its token goes on from there. Sorted by anything else all of them
are looked at, up to a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alfine.aws.json_protocol import Plain, api, validation_error
from alfine.aws.sagemaker import pagination, training_jobs, tuning_jobs
from alfine.aws.sagemaker.backend import Backend, Function
from alfine.aws.sagemaker.search_expressions import Properties, Property, Rank, Test, compiled, rank, time_of
from alfine.core.arns import DETACHED, TUNING_JOB
from alfine.store import queries
from alfine.store.queries import Condition, Page
from alfine.store.schema import tags
from alfine.store.schema import training_jobs as training_table
from alfine.store.schema import tuning_jobs as tuning_table

CHUNK = 200  # candidates that are read at once

Row = queries.AnyRow


@dataclass(frozen=True, slots=True)
class Resource:
    """What Search needs to know of a kind. member: its name in SearchRecord; columns: properties that the table has as they are.

    page: candidates in the order of a column; records: them as they are shown and tested, of which `wanted` names the first
    parts of all properties that are asked for. scanned: how many a page may look at; sorted: how many, when not by a column.
    """

    member: str
    shape: str
    table: sa.Table
    columns: Mapping[str, str]
    owner: Callable[[], tuple[Any, Any]]  # the columns by which tags are kept
    page: Callable[[Connection, Page, Iterable[Condition]], Sequence[Row]]
    records: Callable[[Backend, Connection, Sequence[Row], frozenset[str] | None], Iterable[Plain]]
    scanned: int
    sorted: int

    @property
    def properties(self) -> Properties:
        return _properties(self.shape)


@cache
def _properties(shape: str) -> Properties:
    return Properties(api("sagemaker").model["shapes"], shape)


RESOURCES: Mapping[str, Resource] = {
    "TrainingJob": Resource(
        "TrainingJob",
        "TrainingJob",
        training_table,
        {
            "TrainingJobName": "name",
            "TrainingJobStatus": "status",
            "CreationTime": "created_at",
            "LastModifiedTime": "modified_at",
        },
        lambda: (training_table.c.tuning_job, training_table.c.number),
        queries.training_job_page,
        training_jobs.records,
        scanned=2_000,
        sorted=10_000,
    ),
    "HyperParameterTuningJob": Resource(
        "HyperParameterTuningJob",
        "HyperParameterTuningJobSearchEntity",
        tuning_table,
        {
            "HyperParameterTuningJobName": "name",
            "HyperParameterTuningJobStatus": "status",
            "CreationTime": "created_at",
            "LastModifiedTime": "modified_at",
        },
        lambda: (tuning_table.c.id, sa.literal(0)),
        queries.tuning_job_page,
        tuning_jobs.records,
        scanned=500,
        sorted=1_000,
    ),
}


@dataclass(frozen=True, slots=True)
class Search:
    """One search, understood."""

    resource: Resource
    test: Test
    conditions: Sequence[Condition]
    sort: Property
    descending: bool
    size: int
    wanted: frozenset[str]


def search(backend: Backend, request: Plain) -> Plain:
    resource = RESOURCES.get(request["Resource"])
    if resource is None or request.get("CrossAccountFilterOption") == "CrossAccount":
        return {"Results": []}  # there are none here, and no other accounts
    asked = _understood(resource, request)
    place = pagination.opened(request["NextToken"], request) if request.get("NextToken") else None
    with backend.reading() as connection:
        find = _in_order if asked.sort.name in resource.columns else _ranked
        rows, token = find(backend, connection, asked, place)
        found = [*resource.records(backend, connection, rows, None)]
    answer: Plain = {"Results": [{resource.member: record} for record in found]}
    return answer if token is None else {**answer, "NextToken": pagination.sealed(token, request)}


def _understood(resource: Resource, request: Plain) -> Search:
    properties, expression = resource.properties, request.get("SearchExpression")
    visible = [{"Name": each["Key"], "Value": each["Value"]} for each in request.get("VisibilityConditions", ())]
    for each in visible:
        if not each["Name"].startswith("Tags."):
            raise validation_error(f"The key {each['Name']!r} of a visibility condition isn't of the form Tags.<key>.")
    tests = [] if expression is None else [compiled(expression, properties)]
    tests += [compiled({"Filters": [each]}, properties) for each in visible]
    filters = [*_needed(expression or {}), *visible]
    sort = properties.find(request.get("SortBy", "LastModifiedTime"))
    if sort.kind == "whole":
        raise validation_error(f"SortBy {sort.name}: it has no value of its own. Name a property inside it.")
    names = [*_names(expression or {}), *(each["Name"] for each in visible), sort.name]
    return Search(
        resource,
        lambda record: all(test(record) for test in tests),
        [condition for each in filters for condition in _conditions(resource, each)],
        sort,
        request.get("SortOrder", "Descending") == "Descending",
        request.get("MaxResults", pagination.DEFAULT_SIZE),
        frozenset(name.partition(".")[0] for name in names),
    )


def _names(expression: Plain) -> Iterator[str]:
    nested = expression.get("NestedFilters", ())
    for each in (*expression.get("Filters", ()), *(inner for outer in nested for inner in outer["Filters"])):
        yield each["Name"]
    for below in expression.get("SubExpressions", ()):
        yield from _names(below)


# ---- by SQL ------------------------------------------------------------------------------------------------------------


def _needed(expression: Plain) -> Iterator[Plain]:
    """The filters that must hold whatever else does."""
    parts = sum(len(expression.get(key, ())) for key in ("Filters", "NestedFilters", "SubExpressions"))
    if expression.get("Operator") != "Or" or parts == 1:
        yield from expression.get("Filters", ())
        for each in expression.get("SubExpressions", ()):
            yield from _needed(each)


def _conditions(resource: Resource, given: Plain) -> Iterator[Condition]:
    """Conditions on rows that follow from a filter: they may let through too much, never too little."""
    name, kind, text = given["Name"], given.get("Operator", "Equals"), given.get("Value", "")
    first, _, rest = name.partition(".")
    column = queries.column_of(resource.table, resource.columns[name]) if name in resource.columns else None
    if first == "Tags" and rest and kind in ("Equals", "Exists"):
        job, number = resource.owner()
        mine = (tags.c.tuning_job == job) & (tags.c.number == number) & (tags.c.key == rest)
        yield sa.exists().where(mine & (tags.c.value == text) if kind == "Equals" else mine)
    elif name == "TuningJobArn" and kind == "Equals" and resource.table is training_table:
        small, known = text.rpartition(f":{TUNING_JOB}/")[2].lower(), sa.func.lower(tuning_table.c.name)
        called = (known == small) | known.startswith(small + DETACHED, autoescape=True)
        yield training_table.c.tuning_job.in_(sa.select(tuning_table.c.id).where(called))
    elif column is not None and name.endswith("Time") and kind not in ("NotEquals", "Exists", "NotExists"):
        yield from _around(column, kind, text)
    elif column is not None and kind in ("Equals", "In"):
        yield column == text if kind == "Equals" else column.in_([each.strip() for each in text.split(",")])
    elif column is not None and kind == "Contains":
        yield column.contains(text, autoescape=True)


def _around(column: Any, kind: str, text: str) -> Iterator[Condition]:
    """A time's filter, a second wider: the test itself is exact."""
    at, slack = pagination.EPOCH + timedelta(seconds=time_of(text, "")), timedelta(seconds=1)
    if at.year in (MINYEAR, MAXYEAR):
        return
    if not kind.startswith("Less"):
        yield column > sa.literal(at - slack, column.type)
    if not kind.startswith("Greater"):
        yield column < sa.literal(at + slack, column.type)


# ---- pages -------------------------------------------------------------------------------------------------------------

Found = tuple[Sequence[Row], Any]  # the rows of a page, and the place that the next one goes on from


def _in_order(backend: Backend, connection: Connection, asked: Search, place: Any) -> Found:
    """Candidates in the order of a column, until the page is full or as many were looked at as may be."""
    resource, column = asked.resource, asked.resource.columns[asked.sort.name]
    after = None if place is None else pagination.place_of(place, column)
    found: list[Row] = []
    scanned = 0
    while True:
        rows = resource.page(connection, Page(column, asked.descending, CHUNK, after), asked.conditions)
        for row, record in zip(rows, resource.records(backend, connection, rows, asked.wanted), strict=True):
            if asked.test(record):
                if len(found) == asked.size:
                    return found, pagination.place(getattr(found[-1], column), found[-1].name)
                found.append(row)
        if len(rows) < CHUNK:
            return found, None
        after = getattr(rows[-1], column), rows[-1].name
        scanned += len(rows)
        if scanned >= resource.scanned:
            return found, pagination.place(*after)


def _ranked(backend: Backend, connection: Connection, asked: Search, place: Any) -> Found:
    """All candidates, sorted here."""
    resource = asked.resource
    last = None if place is None else _rank_of(place)
    matches: list[tuple[tuple[Rank, str], Row]] = []
    scanned, after = 0, None
    while True:
        rows = resource.page(connection, Page("name", descending=False, size=CHUNK, after=after), asked.conditions)
        for row, record in zip(rows, resource.records(backend, connection, rows, asked.wanted), strict=True):
            if asked.test(record):
                key = rank(asked.sort, record, descending=asked.descending), str(row.name)
                if last is None or (key < last if asked.descending else key > last):
                    matches.append((key, row))
        scanned += len(rows)
        if len(rows) < CHUNK:
            break
        if scanned >= resource.sorted:
            raise validation_error(
                f"Sorted by {asked.sort.name}, the search would look at more than {resource.sorted} resources. Add a filter on "
                f"{', '.join(resource.columns)}, TuningJobArn or Tags, or sort by one of the first four."
            )
        after = rows[-1].name, rows[-1].name
    matches.sort(key=lambda match: match[0], reverse=asked.descending)
    page = matches[: asked.size]
    return [row for _, row in page], [*page[-1][0][0], page[-1][0][1]] if len(matches) > len(page) else None


def _rank_of(place: Any) -> tuple[Rank, str]:
    match place:
        case [bool(missing), bool(textual), int() | float() as number, str(text), str(name)]:
            return (missing, textual, float(number), text), name
    raise pagination.not_ours()


OPERATIONS: Mapping[str, Function] = {"Search": search}
