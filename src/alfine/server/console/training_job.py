"""The pages of one training job: hyperparameters, metrics, timeline and log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from alfine.core.errors import Fault, InvalidSpec, NotFound
from alfine.core.facts import is_terminal
from alfine.core.settings import in_order
from alfine.core.spec import OBJECTIVE_HYPERPARAMETER, definition_of, objective_of
from alfine.figures.metric_curve import metric_curve
from alfine.jobs.describe import transitions
from alfine.jobs.wording import printable
from alfine.runners.log_files import LogPart
from alfine.server.console.page_request import PageRequest
from alfine.store import queries
from alfine.store.metrics import reports
from alfine.store.records import TrainingJobRow

MOST_REPORTS = 20_000
"""Metric values that are read from the store."""

MOST_METRICS = 24
"""Metrics that are drawn."""

METRIC_WIDTH = 420
"""Width of the drawing of a metric, in pixels."""

LAST_LINES = 60
"""Lines of the log on the page of the training job."""

LOG_PAGE_BYTES = 64 << 10
"""Bytes of the log on one page of it."""

LONGEST_OFFSET = 18
"""Digits of a byte offset in a URL: any that fits into 64 bits."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def page(request: PageRequest) -> Response:
    """Render the page."""
    name = request.path_part("name")
    with request.service.store.reading() as connection:
        row, tuning_request = queries.training_job_and_request(connection, name)
        values = reports(connection, row.tuning_job, row.number, MOST_REPORTS)
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
        transitions=transitions(row),
        metrics=_figures(values, objective),
        left_out=max(0, len(values) - MOST_METRICS),
        seconds=_seconds(request, row),
        log=_last_lines(request, name),
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


def _seconds(request: PageRequest, row: TrainingJobRow) -> float | None:
    if row.started_at is None:
        return None
    seconds: float = ((row.ended_at or request.service.clock()) - row.started_at).total_seconds()
    return max(0.0, seconds)


# ---- logs


def _last_lines(request: PageRequest, name: str) -> Mapping[str, Any]:
    try:
        part = request.service.log(name, lines=LAST_LINES)
    except NotFound as error:
        return {"text": "", "note": str(error)}
    return {
        "text": text_of(part.data),
        "note": "" if part.data else "The log is empty so far.",
        "begin": part.begin,
        "end": part.end,
    }


def log_page(request: PageRequest) -> Response:
    """Render a page of the log. Query: `begin`, its first byte. A page ends with a whole line where that is possible."""
    name, begin = request.path_part("name"), _begin(request)
    part = request.service.log(name, begin)
    data = whole_lines(part, LOG_PAGE_BYTES)
    end = begin + len(data)
    return request.render(
        "log.html",
        name=name,
        path=part.path,
        text=text_of(data),
        begin=begin,
        end=end,
        earlier=_earlier(request, name, begin) if begin else None,
        later=end if end < part.end or not part.last else None,
    )


def _earlier(request: PageRequest, name: str, begin: int) -> int:
    """Return the first byte of the page before, which begins with a whole line where that is possible."""
    earlier = max(0, begin - LOG_PAGE_BYTES)
    before = request.service.log(name, earlier).data[: begin - earlier]
    return earlier + (before.find(b"\n", 0, -1) + 1 if earlier else 0)


def log_part(request: PageRequest) -> Response:
    """Return what was added to the log, as plain text. Query: `begin`. The header `x-alfine-end` has the next byte."""
    begin = _begin(request)
    part = request.service.log(request.path_part("name"), begin)
    data = whole_lines(part, LOG_PAGE_BYTES)
    headers = {"x-alfine-end": str(begin + len(data))}
    return Response(text_of(data), headers=headers, media_type="text/plain")


def whole_lines(part: LogPart, max_bytes: int) -> bytes:
    """Return the data up to the end of its last line; all of it when the log has ended or has no line end there."""
    data = part.data[:max_bytes]
    if part.ended and len(part.data) <= max_bytes:
        return data
    end = data.rfind(b"\n") + 1
    return data[:end] if end or len(data) < max_bytes else data


def text_of(data: bytes) -> str:
    """Decode a log for a page: without colours and other terminal control characters."""
    text = data.decode(errors="replace").replace("\r\n", "\n")
    return printable(_COLOUR.sub("", text))


def _begin(request: PageRequest) -> int:
    text = request.query.get("begin", "0")
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_OFFSET:
        raise InvalidSpec([Fault("begin", f"{text[:40]!r} must be a whole number.")])
    return int(text)
