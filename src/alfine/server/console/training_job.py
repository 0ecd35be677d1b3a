"""One training job: its hyperparameters, its metrics, what it went through, and its log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from alfine.aws.sagemaker import shapes
from alfine.core.errors import Fault, InvalidSpec, NotFound
from alfine.core.history import is_terminal
from alfine.core.spec import definition_of, objective_of
from alfine.figures.metric_curve import metric
from alfine.jobs.wording import printable
from alfine.runners.log_files import LogPart
from alfine.server.console.page_request import Visit
from alfine.store import queries
from alfine.store.metrics import reports
from alfine.store.records import TrainingJobRow

MOST_REPORTS = 20_000
MOST_METRICS = 24
LAST_LINES = 60
PART = 64 << 10  # bytes of a log on one page

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def page(visit: Visit) -> Response:
    name = visit.part("name")
    with visit.service.store.reading() as connection:
        row, request = queries.training_job_and_request(connection, name)
        values = reports(connection, row.tuning_job, row.number, MOST_REPORTS)
    definition = definition_of(request, row.definition)
    objective = objective_of(request, row.definition).get("MetricName")
    return visit.page(
        "training_job.html",
        name=name,
        row=row,
        tuning_job=row.tuning_job_name if row.listed else None,
        ended=is_terminal(row.status),
        objective=objective,
        hyperparameters=row.hyperparameters,
        static={
            key: value
            for key, value in (definition.get("StaticHyperParameters") or {}).items()
            if not key.startswith(("sagemaker_", "alfine"))
        },
        transitions=shapes.transitions(row),
        metrics=_figures(values, objective),
        left_out=max(0, len(values) - MOST_METRICS),
        seconds=_seconds(visit, row),
        log=_last(visit, name),
    )


def stop(visit: Visit) -> Response:
    name = visit.part("name")
    visit.service.stop_training_job(name)
    visit.backend.changed()
    return RedirectResponse(f"/console/training-jobs/{name}", 303)


def _figures(values: Mapping[str, list[tuple[float, float]]], objective: str | None) -> list[Mapping[str, Any]]:
    """The objective first."""
    ordered = sorted(values, key=lambda name: name != objective)
    return [
        {"name": name, "last": values[name][-1][1], "count": len(values[name]), "drawing": metric(name, values[name])}
        for name in ordered[:MOST_METRICS]
    ]


def _seconds(visit: Visit, row: TrainingJobRow) -> float | None:
    if row.started_at is None:
        return None
    seconds: float = ((row.ended_at or visit.service.clock()) - row.started_at).total_seconds()
    return max(0.0, seconds)


# ---- logs


def _last(visit: Visit, name: str) -> Mapping[str, Any]:
    try:
        part = visit.service.log(name, lines=LAST_LINES)
    except NotFound as error:
        return {"text": "", "why": str(error)}
    return {
        "text": text_of(part.data),
        "why": "" if part.data else "Nothing yet.",
        "begin": part.begin,
        "end": part.end,
    }


def log_page(visit: Visit) -> Response:
    """?begin=: from which byte on; a page holds whole lines where it can."""
    name, begin = visit.part("name"), _begin(visit)
    part = visit.service.log(name, begin)
    data = whole_lines(part, PART)
    end = begin + len(data)
    return visit.page(
        "log.html",
        name=name,
        path=part.path,
        text=text_of(data),
        begin=begin,
        end=end,
        earlier=_earlier(visit, name, begin) if begin else None,
        later=end if end < part.end or not part.last else None,
    )


def _earlier(visit: Visit, name: str, begin: int) -> int:
    """Where the page before begins: with a line, where there's one to begin with, so that none is torn."""
    earlier = max(0, begin - PART)
    before = visit.service.log(name, earlier).data[: begin - earlier]
    return earlier + (before.find(b"\n", 0, -1) + 1 if earlier else 0)


def log_part(visit: Visit) -> Response:
    """What was added from ?begin= on, as plain text; where it ends stands in a header."""
    begin = _begin(visit)
    part = visit.service.log(visit.part("name"), begin)
    data = whole_lines(part, PART)
    headers = {"x-alfine-end": str(begin + len(data))}
    return Response(text_of(data), headers=headers, media_type="text/plain")


def whole_lines(part: LogPart, most: int) -> bytes:
    """Up to the last line's end; what has none is shown as it is once nothing can follow."""
    data = part.data[:most]
    if part.ended and len(part.data) <= most:
        return data
    end = data.rfind(b"\n") + 1
    return data[:end] if end or len(data) < most else data


def text_of(data: bytes) -> str:
    """As a page may show it: without what commands a terminal."""
    text = data.decode(errors="replace").replace("\r\n", "\n")
    return printable(_COLOUR.sub("", text))


def _begin(visit: Visit) -> int:
    text = visit.query.get("begin", "0")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidSpec([Fault("begin", f"{text[:40]!r} must be a whole number.")])
    return int(text)
