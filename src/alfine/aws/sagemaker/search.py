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

from alfine.aws.json_protocol import Plain, api, validation_error
from alfine.aws.sagemaker import pagination, training_jobs, tuning_jobs
from alfine.aws.sagemaker.backend import AwsBackend, Function
from alfine.aws.sagemaker.search_expressions import Properties, Property, Rank, Test, compiled, rank, time_of
from alfine.core.arns import TUNING_JOB
from alfine.store import conditions
from alfine.store.conditions import TRAINING_JOBS, TUNING_JOBS, Condition, Listing
from alfine.store.database import Connection
from alfine.store.pages import Page, training_job_page, tuning_job_page

CHUNK = 200  # candidates that are read at once

Row = Any  # TrainingJobRow or TuningJob, as the resource's `page` gives them


@dataclass(frozen=True, slots=True)
class Resource:
    """What Search needs to know of a kind. member: its name in SearchRecord; columns: properties that the table has as they are.

    page: candidates in the order of a column; records: them as they are shown and tested, of which `wanted` names the first
    parts of all properties that are asked for. scanned: how many a page may look at; sorted: how many, when not by a column.
    """

    member: str
    shape: str
    listing: Listing
    columns: Mapping[str, str]
    page: Callable[[Connection, Page, Iterable[Condition]], Sequence[Row]]
    records: Callable[[AwsBackend, Connection, Sequence[Row], frozenset[str] | None], Iterable[Plain]]
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
        TRAINING_JOBS,
        {
            "TrainingJobName": "name",
            "TrainingJobStatus": "status",
            "CreationTime": "created_at",
            "LastModifiedTime": "modified_at",
        },
        training_job_page,
        training_jobs.records,
        scanned=2_000,
        sorted=10_000,
    ),
    "HyperParameterTuningJob": Resource(
        "HyperParameterTuningJob",
        "HyperParameterTuningJobSearchEntity",
        TUNING_JOBS,
        {
            "HyperParameterTuningJobName": "name",
            "HyperParameterTuningJobStatus": "status",
            "CreationTime": "created_at",
            "LastModifiedTime": "modified_at",
        },
        tuning_job_page,
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


def search(backend: AwsBackend, request: Plain) -> Plain:
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
    """Yield conditions on rows that follow from a filter: they may let through too many rows, never too few."""
    name, operator, text = given["Name"], given.get("Operator", "Equals"), given.get("Value", "")
    first, _, key = name.partition(".")
    listing, column = resource.listing, resource.columns.get(name)
    if first == "Tags" and key and operator in ("Equals", "Exists"):
        yield conditions.has_tag(listing, key, text if operator == "Equals" else None)
    elif name == "TuningJobArn" and operator == "Equals" and listing is TRAINING_JOBS:
        yield conditions.of_tuning_job_named(text.rpartition(f":{TUNING_JOB}/")[2])
    elif column is None or operator in ("NotEquals", "Exists", "NotExists"):
        return
    elif name.endswith("Time"):
        yield from _around(listing, column, operator, text)
    elif operator == "Equals":
        yield conditions.equals(listing, column, text)
    elif operator == "In":
        yield conditions.one_of(listing, column, [value.strip() for value in text.split(",")])
    elif operator == "Contains":
        yield conditions.contains(listing, column, text)


def _around(listing: Listing, column: str, operator: str, text: str) -> Iterator[Condition]:
    """Yield the bounds of a filter on an instant, a second wider: the test itself is exact."""
    at, slack = pagination.EPOCH + timedelta(seconds=time_of(text, "")), timedelta(seconds=1)
    if at.year in (MINYEAR, MAXYEAR):
        return
    if not operator.startswith("Less"):
        yield conditions.after(listing, column, at - slack)
    if not operator.startswith("Greater"):
        yield conditions.before(listing, column, at + slack)


# ---- pages -------------------------------------------------------------------------------------------------------------

Found = tuple[Sequence[Row], Any]  # the rows of a page, and the place that the next one goes on from


def _in_order(backend: AwsBackend, connection: Connection, asked: Search, place: Any) -> Found:
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


def _ranked(backend: AwsBackend, connection: Connection, asked: Search, place: Any) -> Found:
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
