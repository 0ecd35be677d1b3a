"""The page of one tuning job: its status and reason, its criteria, its forecast, its best result and its training jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import RedirectResponse, Response

from alfine.core.history import History
from alfine.core.spec import FUNCTION
from alfine.criteria import always_present
from alfine.figures.best_so_far_chart import best_so_far
from alfine.figures.criterion_stops import stops_of_verdicts
from alfine.jobs.documents import Plain
from alfine.jobs.overview import Overview, overview
from alfine.server.console.changes import changes
from alfine.server.console.insights import Insight, drawn_figure
from alfine.server.console.page_request import PageRequest
from alfine.server.console.training_jobs import short_table
from alfine.server.console.verdict_text import expected_end, nearest

MOST_PARENTS = 5
"""Parents of a warm start that are named."""

SHOWN_ELSEWHERE = frozenset(
    {
        "BestObjective",
        "Failures",
        "Hyperparameters",
        "Standstill",
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
        "Tracking",
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
    forecast = None if ended else extra.get("Forecast")
    expected = expected_end(forecast, extra["Verdicts"])
    verdict = expected.verdict if expected else nearest(extra["Verdict"], extra["Verdicts"])
    return request.render(
        "tuning_job.html",
        name=name,
        described=described,
        seen=seen,
        spec=spec,
        is_function=any(FUNCTION in part.definition.static_hyperparameters for part in spec.definition_specs),
        most_parents=MOST_PARENTS,
        status=described["HyperParameterTuningJobStatus"],
        ended=ended,
        verdict=verdict,
        expected=expected,
        verdicts=_ordered(extra["Verdicts"], verdict.get("criterion") if ended or expected else None),
        reason=described.get("FailureReason") or verdict.get("sentence") or _unchecked(ended=ended),
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
        table=_short_table(request, seen),
    )


def _unchecked(*, ended: bool) -> str:
    return "No criterion was checked." if ended else "No criterion has been checked yet."


def draw(described: Plain, history: History) -> Insight:
    """Return what the history of a tuning job tells.

    Args:
        described: Its whole description.
        history: Its history.
    """
    extra = described["Alfine"]
    ended = "HyperParameterTuningEndTime" in described
    stops = stops_of_verdicts(extra["Verdict"], extra["Verdicts"], history if ended else None)
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


def _ordered(verdicts: Sequence[Mapping[str, Any]], first: str | None) -> list[Mapping[str, Any]]:
    """Sort verdicts: the one that ended or will probably end the job, then by progress; observers last.

    A criterion that every job has is left out until it makes progress.
    """
    shown = [verdict for verdict in verdicts if verdict["progress"] or not always_present(verdict["criterion"])]
    return sorted(
        shown,
        key=lambda verdict: (
            verdict["criterion"] != first,
            verdict.get("watching", False),
            verdict["outlook"] == "CONTINUE",
            -verdict["progress"],
        ),
    )


def _short_table(request: PageRequest, seen: Overview) -> Mapping[str, Any]:
    """Return the best and the newest training jobs."""
    description = seen.description
    best = None if description.best is None else description.best.name
    with request.service.store.reading() as connection:
        return short_table(connection, description.job, best, seen.launches, seen.now)
