"""Search: the training jobs or tuning jobs for which a search expression holds.

The work for one page is bounded. Conditions that SQL can test (names, statuses, times, tags) narrow the candidates; each candidate is
then tested as Describe shows it. Sorted by a column, candidates are read in that order, and reading ends when the page is full, or when
a number of them was read: then the page is short, and its token goes on from there. Sorted by anything else, all candidates are read,
up to a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, timedelta
from functools import cache
from typing import Any

from alfine.aws.json_protocol import api
from alfine.aws.sagemaker import pagination, training_jobs, tuning_jobs
from alfine.aws.sagemaker.backend import AwsBackend, Function
from alfine.aws.sagemaker.search_expressions import Properties, Property, Rank, Test, compiled, rank, time_of
from alfine.aws.shape_readers import Plain
from alfine.aws.wire_error import validation_error
from alfine.core.arns import TUNING_JOB
from alfine.store import conditions
from alfine.store.conditions import TRAINING_JOBS, TUNING_JOBS, Condition, Listing
from alfine.store.database import Connection
from alfine.store.pages import Page, training_job_page, tuning_job_page

CHUNK = 200
"""Candidates that are read at once."""

Row = Any  # TrainingJobRow or TuningJob, as the resource's `page` gives them


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """A kind of resource that can be searched.

    Attributes:
        member: Its name in SearchRecord.
        shape: The name of its shape in AWS's model.
        listing: Its rows.
        columns: The columns of the properties that can be sorted by SQL.
        page: Reads candidates in the order of a column.
        records: Returns them as they are shown and tested. Given the first parts of all properties of the search, it may leave out
            what needs more queries and isn't among them.
        scanned: How many candidates are read for a page, sorted by a column.
        sorted: How many are read at most, sorted by anything else.
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
        """Return the properties that a search expression can name."""
        return _properties(self.shape)


@cache
def _properties(shape: str) -> Properties:
    return Properties(api("sagemaker").model["shapes"], shape)


RESOURCES: Mapping[str, ResourceKind] = {
    "TrainingJob": ResourceKind(
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
    "HyperParameterTuningJob": ResourceKind(
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
    """A search request.

    Attributes:
        resource: The kind that is searched.
        test: Whether a record matches.
        conditions: On its row, for SQL.
        sort: The property of the order.
        descending: Its direction.
        size: Records of a page.
        wanted: The first parts of all properties that the request names.
    """

    resource: ResourceKind
    test: Test
    conditions: Sequence[Condition]
    sort: Property
    descending: bool
    size: int
    wanted: frozenset[str]


def search(backend: AwsBackend, request: Plain) -> Plain:
    resource = RESOURCES.get(request["Resource"])
    if resource is None or request.get("CrossAccountFilterOption") == "CrossAccount":
        return {"Results": []}  # alfine has no other kinds, and no other accounts
    query = _read(resource, request)
    place = pagination.opened(request["NextToken"], request) if request.get("NextToken") else None
    with backend.reading() as connection:
        find = _in_order if query.sort.name in resource.columns else _ranked
        rows, token = find(backend, connection, query, place)
        records = [*resource.records(backend, connection, rows, None)]
    answer: Plain = {"Results": [{resource.member: record} for record in records]}
    return answer if token is None else {**answer, "NextToken": pagination.sealed(token, request)}


def _read(resource: ResourceKind, request: Plain) -> Search:
    properties, expression = resource.properties, request.get("SearchExpression")
    visible = [{"Name": tag["Key"], "Value": tag["Value"]} for tag in request.get("VisibilityConditions", ())]
    for tag in visible:
        if not tag["Name"].startswith("Tags."):
            raise validation_error(f"The key {tag['Name']!r} of a visibility condition isn't of the form Tags.<key>.")
    tests = [] if expression is None else [compiled(expression, properties)]
    tests += [compiled({"Filters": [tag]}, properties) for tag in visible]
    filters = [*_needed(expression or {}), *visible]
    sort = properties.find(request.get("SortBy", "LastModifiedTime"))
    if sort.kind == "whole":
        raise validation_error(f"SortBy {sort.name}: it has no value of its own. Name a property inside it.")
    names = [*_names(expression or {}), *(tag["Name"] for tag in visible), sort.name]
    return Search(
        resource,
        lambda record: all(test(record) for test in tests),
        [condition for given in filters for condition in _conditions(resource, given)],
        sort,
        request.get("SortOrder", "Descending") == "Descending",
        request.get("MaxResults", pagination.DEFAULT_SIZE),
        frozenset(name.partition(".")[0] for name in names),
    )


def _names(expression: Plain) -> Iterator[str]:
    """Yield the names of all properties of an expression."""
    nested = expression.get("NestedFilters", ())
    for given in (*expression.get("Filters", ()), *(inner for outer in nested for inner in outer["Filters"])):
        yield given["Name"]
    for below in expression.get("SubExpressions", ()):
        yield from _names(below)


# ---- by SQL ------------------------------------------------------------------------------------------------------------


def _needed(expression: Plain) -> Iterator[Plain]:
    """Yield the filters that every matching record satisfies."""
    parts = sum(len(expression.get(key, ())) for key in ("Filters", "NestedFilters", "SubExpressions"))
    if expression.get("Operator") != "Or" or parts == 1:
        yield from expression.get("Filters", ())
        for inner in expression.get("SubExpressions", ()):
            yield from _needed(inner)


def _conditions(resource: ResourceKind, given: Plain) -> Iterator[Condition]:
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

FoundPage = tuple[Sequence[Row], Any]
"""The rows of a page, and the place after which the next one begins, if there is one."""


def _in_order(backend: AwsBackend, connection: Connection, query: Search, place: Any) -> FoundPage:
    """Return a page of candidates in the order of a column."""
    resource, column = query.resource, query.resource.columns[query.sort.name]
    after = None if place is None else pagination.place_of(place, column)
    matches: list[Row] = []
    scanned = 0
    while True:
        rows = resource.page(connection, Page(column, query.descending, CHUNK, after), query.conditions)
        for row, record in zip(rows, resource.records(backend, connection, rows, query.wanted), strict=True):
            if query.test(record):
                if len(matches) == query.size:
                    return matches, pagination.place(getattr(matches[-1], column), matches[-1].name)
                matches.append(row)
        if len(rows) < CHUNK:
            return matches, None
        after = getattr(rows[-1], column), rows[-1].name
        scanned += len(rows)
        if scanned >= resource.scanned:
            return matches, pagination.place(*after)


def _ranked(backend: AwsBackend, connection: Connection, query: Search, place: Any) -> FoundPage:
    """Return a page of all candidates, sorted here by a property that is no column."""
    resource = query.resource
    last = None if place is None else _rank_of(place)
    matches: list[tuple[tuple[Rank, str], Row]] = []
    scanned, after = 0, None
    while True:
        rows = resource.page(connection, Page("name", descending=False, size=CHUNK, after=after), query.conditions)
        for row, record in zip(rows, resource.records(backend, connection, rows, query.wanted), strict=True):
            if query.test(record):
                key = rank(query.sort, record, descending=query.descending), str(row.name)
                if last is None or (key < last if query.descending else key > last):
                    matches.append((key, row))
        scanned += len(rows)
        if len(rows) < CHUNK:
            break
        if scanned >= resource.sorted:
            raise validation_error(
                f"Sorted by {query.sort.name}, the search would look at more than {resource.sorted} resources. Add a filter on "
                f"{', '.join(resource.columns)}, TuningJobArn or Tags, or sort by one of the first four."
            )
        after = rows[-1].name, rows[-1].name
    matches.sort(key=lambda match: match[0], reverse=query.descending)
    page = matches[: query.size]
    return [row for _, row in page], [*page[-1][0][0], page[-1][0][1]] if len(matches) > len(page) else None


def _rank_of(place: Any) -> tuple[Rank, str]:
    match place:
        case [bool(missing), bool(textual), int() | float() as number, str(text), str(name)]:
            return (missing, textual, float(number), text), name
    raise pagination.not_ours()


OPERATIONS: Mapping[str, Function] = {"Search": search}
