"""The page of one tuning job: its status and reason, its criteria, its forecast, its best result and its training jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from alfine.aws.sagemaker import pagination
from alfine.core.history import History
from alfine.core.spec import TuningJobSpec
from alfine.criteria import always_present
from alfine.figures.best_so_far_chart import best_so_far
from alfine.figures.criterion_stops import stops_of_verdicts
from alfine.jobs.documents import Plain
from alfine.jobs.overview import Overview, overview
from alfine.server.console.changes import changes
from alfine.server.console.insights import Insight, drawn_figure
from alfine.server.console.page_request import PageRequest
from alfine.server.console.verdict_text import nearest
from alfine.store.conditions import of_tuning_job
from alfine.store.pages import training_job_page
from alfine.store.records import TrainingJobRow
from alfine.store.training_times import without_objective

PAGE_SIZE = 25
"""Training jobs in the table."""

MOST_COLUMNS = 6
"""Hyperparameters in the table; the others are on the pages of the training jobs."""

MOST_PARENTS = 5
"""Parents of a warm start that are named."""

SORTS = {"number": "number", "objective": "objective", "status": "status"}
"""Sort keys of the table and their columns in the store."""

SHOWN_ELSEWHERE = frozenset(
    {
        "BestObjective",
        "Failures",
        "Verdict",
        "Verdicts",
        "Cost",
        "Forecast",
        "Changes",
        "Space",
        "Best",
        "Repeats",
        "WarmStart",
        "AutoScaling",
        "Note",
        "Tags",
    }
)
"""Parts of the «Alfine» document that have a place of their own on the page; all others are listed below."""


def page(request: PageRequest) -> Response:
    """Render the page."""
    name = request.path_part("name")
    insights = request.backend.insights
    seen = overview(request.service.store, name, request.service.clock(), insights.counted(name))
    insight, fresh = insights.of(seen)
    described, spec = seen.described, seen.spec
    extra = {**(insight.extra if insight else {}), **described["Alfine"]}
    ended = "HyperParameterTuningEndTime" in described
    verdict = nearest(extra["Verdict"], extra["Verdicts"])
    forecast = None if ended else extra.get("Forecast")
    return request.render(
        "tuning_job.html",
        name=name,
        described=described,
        seen=seen,
        spec=spec,
        most_parents=MOST_PARENTS,
        page_size=PAGE_SIZE,
        status=described["HyperParameterTuningJobStatus"],
        ended=ended,
        verdict=verdict,
        verdicts=_ordered(extra["Verdicts"], verdict.get("criterion") if ended else None),
        reason=described.get("FailureReason") or verdict.get("sentence") or "No criterion has been checked yet.",
        allowed=spec.most_training_jobs,
        counters=described["TrainingJobStatusCounters"],
        cost=extra["Cost"],
        forecast=forecast,
        insight=insight,
        fresh=fresh,
        figure=insight and insight.figure,
        changes=insight and insight.changes,
        warm_start=extra.get("WarmStart"),
        failures=seen.description.failures,
        remarks=extra.get("Space", []),
        estimate=extra.get("Best"),
        repeats=extra.get("Repeats"),
        more={key: value for key, value in extra.items() if key not in SHOWN_ELSEWHERE and value},
        table=_table(request, seen),
    )


def draw(described: Plain, history: History) -> Insight:
    """Return what the history of a tuning job tells.

    Args:
        described: Its whole description.
        history: Its history.
    """
    extra = described["Alfine"]
    ended = history.ended if "HyperParameterTuningEndTime" in described else None
    stops = stops_of_verdicts(extra["Verdict"], extra["Verdicts"], ended)
    chart = best_so_far({"": history}, forecast=None if ended else extra.get("Forecast"), stops=list(stops))
    return Insight(
        extra=extra,
        figure=drawn_figure(chart),
        changes=changes(history),
        at=history.now,
    )


def stop(request: PageRequest) -> Response:
    """Stop the tuning job, and go back to its page."""
    name = request.path_part("name")
    request.service.request_stop(name)
    request.backend.changed()
    return RedirectResponse(f"/console/tuning-jobs/{name}", 303)


def force_stop(request: PageRequest) -> Response:
    """Stop the tuning job by force, and go back to its page."""
    name = request.path_part("name")
    request.backend.force_stop(name)
    request.backend.changed()
    return RedirectResponse(f"/console/tuning-jobs/{name}", 303)


def _ordered(verdicts: Sequence[Mapping[str, Any]], ended_by: str | None) -> list[Mapping[str, Any]]:
    """Sort verdicts: the one that ended the job, then by progress; observers last.

    A criterion that every job has is left out until it makes progress.
    """
    shown = [verdict for verdict in verdicts if verdict["progress"] or not always_present(verdict["criterion"])]
    return sorted(
        shown,
        key=lambda verdict: (
            verdict["criterion"] != ended_by,
            verdict.get("watching", False),
            verdict["outlook"] == "CONTINUE",
            -verdict["progress"],
        ),
    )


def _table(request: PageRequest, seen: Overview) -> Mapping[str, Any]:
    """Return one page of the table of training jobs, with the links to sort it and to the other pages."""
    sort = request.query.get("sort", "number")
    sort = sort if sort in SORTS else "number"
    spec, job = seen.spec, seen.description.job
    descending = request.query.get("order", _first_order(sort, spec)) == "descending"
    listing: dict[str, Any] = {"SortBy": sort, "SortOrder": "Descending" if descending else "Ascending"}
    listing |= {"MaxResults": PAGE_SIZE, "Job": spec.name}
    listing |= {"NextToken": request.query["after"]} if request.query.get("after") else {}
    keyset = pagination.page_of(listing, SORTS, "number")
    with request.service.store.reading() as connection:
        rows = training_job_page(connection, keyset, [of_tuning_job(job.id)])
        without = without_objective(connection, job.id) if sort == "objective" else 0
    token = pagination.answered(listing, keyset, rows, "rows", lambda row: row.name).get("NextToken")
    order = "descending" if descending else "ascending"
    query = {"sort": sort, "order": order}
    names = [name for part in spec.definition_specs for name in part.space.names]
    columns = list(dict.fromkeys(names))[:MOST_COLUMNS]
    return {
        "rows": [_row(row, seen) for row in rows[:PAGE_SIZE]],
        "columns": columns,
        "hidden": len(set(names)) - len(columns),
        "sort": sort,
        "order": order,
        "links": {key: _link(key, sort, spec, descending=descending) for key in SORTS},
        "first_link": f"?{urlencode(query)}#training-jobs" if "NextToken" in listing else None,
        "next_link": f"?{urlencode({**query, 'after': token})}#training-jobs" if token else None,
        "without": without,
    }


def _first_order(sort: str, spec: TuningJobSpec) -> str:
    """Return the order of a column that was not sorted before: the newest or the best first."""
    if sort == "objective":
        return "ascending" if spec.sign > 0 else "descending"
    return "descending" if sort == "number" else "ascending"


def _link(key: str, sort: str, spec: TuningJobSpec, *, descending: bool) -> str:
    order = _first_order(key, spec)
    if key == sort:
        order = "ascending" if descending else "descending"
    return f"?{urlencode({'sort': key, 'order': order})}#training-jobs"


def _row(row: TrainingJobRow, seen: Overview) -> Mapping[str, Any]:
    best = seen.description.best
    return {
        "number": row.number,
        "name": row.name,
        "definition": row.definition,
        "status": row.status,
        "objective": row.objective,
        "best": best is not None and best.name == row.name,
        "hyperparameters": row.hyperparameters,
        "started_at": row.started_at or row.created_at,
        "seconds": _seconds(row, seen.now),
        "row": row,
    }


def _seconds(row: TrainingJobRow, now: datetime) -> float | None:
    if row.started_at is None:
        return None
    seconds: float = ((row.ended_at or now) - row.started_at).total_seconds()
    return max(0.0, seconds)
