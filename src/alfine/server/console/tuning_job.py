"""One tuning job: why it goes on or why it ended, how near each criterion is, what is to come, its best and all its training jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from alfine.aws.sagemaker import pagination
from alfine.core.history import History
from alfine.criteria import always_present
from alfine.figures.best_so_far_svg import best_so_far
from alfine.figures.slices import slices
from alfine.server.console.changes import changes
from alfine.server.console.page_request import Visit
from alfine.server.console.verdict_text import nearest, span
from alfine.store import queries
from alfine.store.conditions import of_tuning_job
from alfine.store.pages import training_job_page
from alfine.store.records import TrainingJobRow

PAGE_SIZE = 25
MOST_COLUMNS = 6  # hyperparameters in the table of training jobs
SORTS = {"number": "number", "objective": "objective", "status": "status"}
MOST_PARENTS = 5  # that are named
KNOWN = {
    "Verdict",
    "Verdicts",
    "Cost",
    "Forecast",
    "Changes",
    "Space",
    "Best",
    "Repeats",
    "WarmStart",
    "AutoScaling",  # the slices have it
}  # of the «Alfine» document, shown in places of their own


def page(visit: Visit) -> Response:
    name = visit.part("name")
    described, history = visit.service.seen(name)
    told = described["Alfine"]
    ended = "HyperParameterTuningEndTime" in described
    verdict = nearest(told["Verdict"], told["Verdicts"])
    drawn, left_out = slices(history)
    return visit.page(
        "tuning_job.html",
        name=name,
        described=described,
        history=history,
        spec=history.spec,
        most_parents=MOST_PARENTS,
        status=described["HyperParameterTuningJobStatus"],
        ended=ended,
        verdict=verdict,
        verdicts=_ordered(told["Verdicts"], verdict.get("criterion") if ended else None),
        reason=described.get("FailureReason") or verdict.get("sentence") or "Nothing has been judged yet.",
        allowed=history.spec.most_training_jobs,
        counters=described["TrainingJobStatusCounters"],
        cost=told["Cost"],
        forecast=_forecast(told.get("Forecast"), described),
        figure=best_so_far(history, told.get("Forecast")),
        slices=drawn,
        slices_left_out=left_out,
        changes=changes(history),
        remarks=told.get("Space", []),
        real=told.get("Best"),
        repeats=told.get("Repeats"),
        more={key: value for key, value in told.items() if key not in KNOWN and value},
        table=_table(visit, history),
    )


def stop(visit: Visit) -> Response:
    name = visit.part("name")
    visit.service.request_stop(name)
    visit.backend.changed()
    return RedirectResponse(f"/console/tuning-jobs/{name}", 303)


def _ordered(verdicts: Sequence[Mapping[str, Any]], ender: str | None) -> list[Mapping[str, Any]]:
    """The one that ended the job, then the nearest to its end; those that only watch last. Rules that every job has: once they speak."""
    shown = [each for each in verdicts if each["progress"] or not always_present(each["criterion"])]
    return sorted(
        shown,
        key=lambda each: (
            each["criterion"] != ender,
            each.get("watching", False),
            each["outlook"] == "CONTINUE",
            -each["progress"],
        ),
    )


def _forecast(forecast: Mapping[str, Any] | None, described: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """With its numbers as pairs of words: (middle, range)."""
    if not forecast:
        return None
    found: dict[str, Any] = {"remaining": forecast["Remaining"], "chances": forecast["Chances"]}
    jobs = forecast.get("TrainingJobs")
    if jobs:
        found["jobs"] = span(jobs["Low"], jobs["Middle"], jobs["High"])
    found |= {key.lower(): forecast[key] for key in ("Seconds", "Money", "Gain") if key in forecast}
    best = described.get("BestTrainingJob")
    if best:
        found["best"] = best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    return found


def _table(visit: Visit, history: History) -> Mapping[str, Any]:
    """A page of the training jobs."""
    sort = visit.query.get("sort", "number")
    sort = sort if sort in SORTS else "number"
    descending = visit.query.get("order", _first_order(sort, history)) == "descending"
    asked: dict[str, Any] = {"SortBy": sort, "SortOrder": "Descending" if descending else "Ascending"}
    asked |= {"MaxResults": PAGE_SIZE, "Job": history.spec.name}
    asked |= {"NextToken": visit.query["after"]} if visit.query.get("after") else {}
    keyset = pagination.page_of(asked, SORTS, "number")
    with visit.service.store.reading() as connection:
        job = queries.state(connection, history.spec.name).id
        rows = training_job_page(connection, keyset, [of_tuning_job(job)])
    token = pagination.answered(asked, keyset, rows, "rows", lambda row: row.name).get("NextToken")
    order = "descending" if descending else "ascending"
    here = {"sort": sort, "order": order}
    names = [name for spec in history.spec.each for name in spec.space.names]
    columns = list(dict.fromkeys(names))[:MOST_COLUMNS]
    return {
        "rows": [_row(row, history) for row in rows[:PAGE_SIZE]],
        "columns": columns,
        "hidden": len(set(names)) - len(columns),
        "sort": sort,
        "order": order,
        "links": {key: _link(key, sort, history, descending=descending) for key in SORTS},
        "first": f"?{urlencode(here)}#training-jobs" if "NextToken" in asked else None,
        "further": f"?{urlencode({**here, 'after': token})}#training-jobs" if token else None,
        "without": sum(each.objective is None for each in history.jobs) if sort == "objective" else 0,
    }


def _first_order(sort: str, history: History) -> str:
    """The newest or the best first."""
    if sort == "objective":
        return "ascending" if history.sign > 0 else "descending"
    return "descending" if sort == "number" else "ascending"


def _link(key: str, sort: str, history: History, *, descending: bool) -> str:
    order = _first_order(key, history)
    if key == sort:
        order = "ascending" if descending else "descending"
    return f"?{urlencode({'sort': key, 'order': order})}#training-jobs"


def _row(row: TrainingJobRow, history: History) -> Mapping[str, Any]:
    best = history.incumbent
    return {
        "number": row.number,
        "name": row.name,
        "definition": row.definition,
        "status": row.status,
        "objective": row.objective,
        "best": best is not None and best.number == row.number,
        "hyperparameters": row.hyperparameters,
        "started_at": row.started_at or row.created_at,
        "seconds": _seconds(row, history),
        "why": row.failure_reason or row.stop_reason,
    }


def _seconds(row: TrainingJobRow, history: History) -> float | None:
    if row.started_at is None:
        return None
    seconds: float = ((row.ended_at or history.now) - row.started_at).total_seconds()
    return max(0.0, seconds)
