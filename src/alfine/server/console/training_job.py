"""The page of one training job: its place in the table, metrics, the end of its log, hyperparameters, timeline and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import RedirectResponse, Response

from alfine.core.facts import is_terminal
from alfine.core.settings import in_order
from alfine.core.spec import OBJECTIVE_HYPERPARAMETER, definition_of, objective_of
from alfine.figures.metric_curve import metric_curve
from alfine.jobs.describe import Transition, transitions
from alfine.server.console.artifacts import artifacts
from alfine.server.console.logs import last_lines
from alfine.server.console.page_request import PageRequest
from alfine.server.console.table_query import TableQuery, TableState
from alfine.server.console.training_jobs import seconds_of
from alfine.store import queries
from alfine.store.database import Connection
from alfine.store.metrics import reports
from alfine.store.records import TrainingJobRow
from alfine.store.training_job_table import TablePlace, TrainingJobTable

MOST_REPORTS = 20_000
"""Metric values that are read from the store."""

MOST_METRICS = 24
"""Metrics that are drawn."""

METRIC_WIDTH = 420
"""Width of the drawing of a metric, in pixels."""

STEPS = ("Pending", "Starting", "Training", "Stopping", "Uploading")
"""Steps in the life of a training job that take time."""


def page(request: PageRequest) -> Response:
    """Render the page."""
    name, now = request.path_part("name"), request.service.clock()
    query = TableQuery.read(request.http.query_params)
    with request.service.store.reading() as connection:
        row, tuning_request = queries.training_job_and_request(connection, name)
        values = reports(connection, row.tuning_job, row.number, MOST_REPORTS)
        place = _place(connection, row, query, now) if row.listed else None
    steps = transitions(row)
    definition = definition_of(tuning_request, row.definition)
    objective = objective_of(tuning_request, row.definition).get("MetricName")
    return request.render(
        "training_job.html",
        name=name,
        row=row,
        tuning_job=row.tuning_job_name if row.listed else None,
        ended=is_terminal(row.status),
        objective=objective,
        hyperparameters=in_order(tuning_request, row.hyperparameters),
        static={
            key: value
            for key, value in (definition.get("StaticHyperParameters") or {}).items()
            if not key.startswith(("sagemaker_", "alfine", OBJECTIVE_HYPERPARAMETER))
        },
        transitions=steps,
        bar=_bar(steps, now),
        metrics=_figures(values, objective),
        left_out=max(0, len(values) - MOST_METRICS),
        seconds=seconds_of(row, now),
        log=last_lines(request, name),
        artifacts=artifacts(request, row, tuning_request),
        query=query,
        place=place,
    )


def stop(request: PageRequest) -> Response:
    """Stop the training job, and go back to its page."""
    name = request.path_part("name")
    request.service.stop_training_job(name)
    request.backend.changed()
    return RedirectResponse(f"/console/training-jobs/{name}", 303)


def _figures(values: Mapping[str, list[tuple[float, float]]], objective: str | None) -> list[Mapping[str, Any]]:
    """Draw the metrics, the objective first."""
    ordered = sorted(values, key=lambda name: name != objective)
    return [
        {
            "name": name,
            "last": values[name][-1][1],
            "count": len(values[name]),
            "drawing": metric_curve(name, values[name]).inside_page(METRIC_WIDTH),
        }
        for name in ordered[:MOST_METRICS]
    ]


def _bar(steps: Sequence[Transition], now: datetime) -> list[tuple[str, float, float]]:
    """Return the steps that take time as (status, begin, width), each in shares of 100."""
    lasting = [(step, (step.ended_at or now) - step.started_at) for step in steps if step.status in STEPS]
    whole = sum((lasted for _, lasted in lasting), timedelta())
    begin, bar = 0.0, []
    for step, lasted in lasting if whole else ():
        bar.append((step.status, begin, 100 * (lasted / whole)))
        begin += bar[-1][2]
    return bar


def _place(connection: Connection, row: TrainingJobRow, query: TableQuery, now: datetime) -> TablePlace | None:
    """Return the place of a training job in the table that the page was come from; in order of launch, if it was from none."""
    spec = queries.tuning_job(connection, row.tuning_job).spec()
    state = TableState(query if query != TableQuery() else TableQuery(order="ascending"), spec)
    return TrainingJobTable(connection, row.tuning_job, now).place(state.selection, row.name)
