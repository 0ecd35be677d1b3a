"""The page that replays a job's record with other completion criteria: when they would have ended it, what that saves and misses."""

from __future__ import annotations

from starlette.responses import Response

from alfine.core.errors import InvalidSpec
from alfine.core.protocols import CompletionCriterion
from alfine.core.spec import TuningJobSpec
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.plateau import BestObjectiveNotImproving
from alfine.criteria.target import TargetObjectiveMetricValue
from alfine.criteria.text_format import say
from alfine.jobs.analysis.replay_report import ReplayBusy, replay_rows, replay_turn
from alfine.server.console.page_request import PageRequest

SUGGESTED: tuple[CompletionCriterion, ...] = (
    ConvergenceDetected(),
    BestObjectiveNotImproving(10),
    BestObjectiveNotImproving(30),
)
"""Criteria that the empty form suggests."""


def page(request: PageRequest) -> Response:
    """Render the form and, with `criteria` in the query (one per line, or empty for the job's own), the results."""
    name, text = request.path_part("name"), request.query.get("criteria")
    spec = request.service.get(name).spec()
    if text is None:
        suggested = "\n".join(_suggested(spec))
        return request.render("replay.html", name=name, text=suggested, faults=(), rows=None, spec=spec)
    texts = [line.strip() for line in text.splitlines() if line.strip()]
    try:
        with replay_turn(texts):
            history = request.service.history(name)
            rows = replay_rows(history, texts)
    except InvalidSpec as error:
        return _refused(request, spec, text, *(str(fault) for fault in error.faults))
    except ReplayBusy as error:
        return _refused(request, spec, text, str(error))
    return request.render("replay.html", name=name, text=text, faults=(), rows=rows, history=history, spec=spec)


def _refused(request: PageRequest, spec: TuningJobSpec, text: str, *faults: str) -> Response:
    return request.render("replay.html", 422, name=spec.name, text=text, faults=faults, rows=None, spec=spec)


def _suggested(spec: TuningJobSpec) -> list[str]:
    """Return SUGGESTED as text, after the job's target where it has one."""
    target = TargetObjectiveMetricValue.from_spec(spec)
    return [*([say(target)] if target else []), *map(say, SUGGESTED)]
