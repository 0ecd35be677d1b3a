"""Files to download: the training jobs of a tuning job as a table, and its report."""

from __future__ import annotations

from starlette.responses import Response

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.wording import did_you_mean
from alfine.figures.report import report
from alfine.jobs.analysis.export_table import FORMATS, export_table
from alfine.jobs.analysis.replay_report import report_turn
from alfine.server.console.page_request import PageRequest
from alfine.server.console.sent_files import attachment
from alfine.server.console.table_query import TableQuery, TableState
from alfine.store import queries
from alfine.store.training_job_table import TrainingJobTable


def table(request: PageRequest) -> Response:
    """Answer the training jobs as CSV, JSON or Parquet. Query: filter and order of the table (`TableQuery`)."""
    name, kind = request.path_part("name"), request.path_part("kind")
    if kind not in FORMATS:
        raise InvalidSpec([Fault("table", f".{kind} isn't a format. {did_you_mean(kind, FORMATS)}")])
    numbers = _numbers(request, name) if request.http.query_params else None
    body = export_table(request.service.history(name), kind, numbers)
    return _file(body, f"{name}.{kind}", "application/octet-stream")


def _numbers(request: PageRequest, name: str) -> list[int]:
    """Return the numbers of the training jobs that the query selects, in its order."""
    query = TableQuery.read(request.http.query_params)
    with request.service.store.reading() as connection:
        job = queries.tuning_job(connection, queries.tuning_job_row(connection, name).id)
        state = TableState(query, job.spec())
        if state.asked.faults:
            raise InvalidSpec([Fault("filter", fault) for fault in state.asked.faults])
        return TrainingJobTable(connection, job.id, request.service.clock()).numbers(state.selection)


def report_page(request: PageRequest) -> Response:
    """Answer the report of a tuning job, one HTML file that needs no network."""
    name = request.path_part("name")
    job, history = request.service.get(name), request.service.history(name)
    with report_turn(()):  # it asks a criterion again and again, as a replay does
        page = report(job, history)
    return _file(page.encode(), f"{name}.html", "text/html")


def _file(body: bytes, name: str, kind: str) -> Response:
    return Response(body, media_type=kind, headers=attachment(name))
