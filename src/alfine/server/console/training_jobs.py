"""The training jobs of a tuning job as a table: filtered, sorted by any column, page by page; the whole state is in the address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.responses import Response

from alfine.core.facts import is_terminal
from alfine.core.ranges import Continuous, Integer
from alfine.core.wording import short
from alfine.jobs.describe import best_of
from alfine.server.console.insights import SMALL, Insights
from alfine.server.console.page_request import PageRequest
from alfine.server.console.table_query import STATUSES, TableQuery, TableState
from alfine.store import queries
from alfine.store.database import Connection
from alfine.store.records import TrainingJobRow, TuningJob
from alfine.store.training_job_table import TableColumn, TableSelection, TrainingJobTable

PAGE_SIZE = 50
"""Training jobs on a page."""

SHORT = 5
"""Training jobs of each kind, best and newest, on the overview."""

SHORT_COLUMNS = 4
"""Hyperparameters on the overview."""


def page(request: PageRequest) -> Response:
    """Render the table. Query: see `TableQuery`."""
    query, now = TableQuery.read(request.http.query_params), request.service.clock()
    with request.service.store.reading() as connection:
        job = queries.tuning_job(connection, queries.tuning_job_row(connection, request.path_part("name")).id)
        state = TableState(query, job.spec())
        table = TrainingJobTable(connection, job.id, now)
        total = table.count(state.selection)
        everything = table.count(TableSelection(sort=state.sort)) if state.is_filtered else total
        rows = table.page(state.selection, PAGE_SIZE, (query.page - 1) * PAGE_SIZE)
        best = best_name(connection, job, everything, request.backend.insights)
    return request.render(
        "training_jobs.html",
        422 if state.asked.faults else 200,
        name=job.name,
        example=_example(state),
        ended=is_terminal(job.status),
        state=state,
        query=query,
        statuses=STATUSES,
        heads=[state.head(column) for column in state.shown],
        rows=[_cells(row, state, state.shown, best, now) for row in rows],
        offered=[column for column in state.columns.values() if column.source not in ("number", "objective", "status")],
        total=total,
        everything=everything,
        begin=(query.page - 1) * PAGE_SIZE,
        pages=max(1, -(-total // PAGE_SIZE)),
    )


def short_table(
    connection: Connection, job: TuningJob, best: str | None, launched: int, now: datetime
) -> Mapping[str, Any]:
    """Return the best and the newest training jobs, for the overview.

    Args:
        connection: An open connection.
        job: The tuning job.
        best: The name of its best training job.
        launched: How many training jobs there are.
        now: The instant up to which those that run have run.
    """
    state = TableState(TableQuery(), job.spec())
    objective = next(column for column in state.columns.values() if column.source == "objective")
    ranking = TableState(TableQuery(sort=objective.name), state.spec)
    table = TrainingJobTable(connection, job.id, now)
    names = [column.name for column in state.columns.values() if column.hyperparameter]
    shown = [column for column in state.shown if not column.hyperparameter or column.name in names[:SHORT_COLUMNS]]
    bests = [row for row in table.page(ranking.selection, SHORT) if row.valid_objective is not None]
    groups = [
        ("Best", ranking.query, bests if launched > SHORT else []),
        ("Newest", state.query, table.page(state.selection, SHORT)),
    ]
    return {
        "heads": [state.head(column) for column in shown],
        "groups": [
            {"title": title, "link": query.link(), "rows": [_cells(row, state, shown, best, now) for row in rows]}
            for title, query, rows in groups
            if rows
        ],
        "launched": launched,
    }


def best_name(connection: Connection, job: TuningJob, launched: int, insights: Insights) -> str | None:
    """Return the name of the best training job; None where it isn't known yet.

    Args:
        connection: An open connection.
        job: The tuning job.
        launched: How many training jobs there are.
        insights: Knows the best by its mean, where configurations are repeated and there are many training jobs.
    """
    spec = job.spec()
    if spec.repeats is None or launched <= SMALL:
        best = best_of(connection, job, spec)
    else:
        counted = insights.counted(job.name)
        best = None if counted is None else counted.best
    return None if best is None else best.name


def _example(state: TableState) -> str:
    """Return a condition that the table of this tuning job can be filtered by."""
    for part in state.spec.definition_specs:
        for name, range_ in part.space.ranges.items():
            if isinstance(range_, Continuous | Integer) and name in state.columns and " " not in name:
                return f"{name}<{short(range_.from_unit(0.5))}"
    return "duration>60"


def _cells(
    row: TrainingJobRow, state: TableState, columns: list[TableColumn], best: str | None, now: datetime
) -> Mapping[str, Any]:
    hyperparameters = row.hyperparameters
    return {
        "name": row.name,
        "number": row.number,
        "is_best": row.name == best,
        "row": row,
        "cells": [
            {"label": state.label(column), **_cell(row, column, hyperparameters, now)}
            for column in columns
            if column.source != "number"
        ],
    }


def _cell(
    row: TrainingJobRow, column: TableColumn, hyperparameters: Mapping[str, str], now: datetime
) -> Mapping[str, Any]:
    value: Any
    match column.source:
        case "hyperparameter":
            value = hyperparameters.get(column.hyperparameter)
        case "objective":
            value = row.valid_objective
        case "started":
            value = row.started_at or row.created_at
        case "duration":
            value = seconds_of(row, now)
        case "reason":
            value = row.failure_reason or row.stop_reason or ""
        case _:
            value = getattr(row, column.source)
    return {"source": column.source, "value": value, "right": column.numeric}


def seconds_of(row: TrainingJobRow, now: datetime) -> float | None:
    """Return how long a training job has run; None for one that hasn't started."""
    if row.started_at is None:
        return None
    seconds: float = ((row.ended_at or now) - row.started_at).total_seconds()
    return max(0.0, seconds)
