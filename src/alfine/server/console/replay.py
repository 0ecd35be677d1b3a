"""The record of a job judged by other criteria: when each would have ended it, saved what and missed what."""

from __future__ import annotations

from starlette.responses import Response

from alfine.core.errors import InvalidSpec
from alfine.core.policy import CompletionCriterion
from alfine.core.spec import TuningJobSpec
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.plateau import BestObjectiveNotImproving
from alfine.criteria.target import TargetObjectiveMetricValue
from alfine.criteria.text_format import say
from alfine.jobs.analysis.replay_report import Busy, replays, turn
from alfine.server.console.page_request import Visit

SUGGESTED: tuple[CompletionCriterion, ...] = (
    ConvergenceDetected(),
    BestObjectiveNotImproving(10),
    BestObjectiveNotImproving(30),
)


def page(visit: Visit) -> Response:
    """?criteria=: one a line; none: the form alone."""
    name, text = visit.part("name"), visit.query.get("criteria")
    spec = visit.service.get(name).spec()
    if text is None:
        return visit.page("replay.html", name=name, text="\n".join(_suggested(spec)), faults=(), rows=None, spec=spec)
    texts = [line.strip() for line in text.splitlines() if line.strip()]
    try:
        with turn(texts):
            history = visit.service.history(name)
            rows = replays(history, texts)
    except InvalidSpec as error:
        return _refused(visit, spec, text, *(str(fault) for fault in error.faults))
    except Busy as error:
        return _refused(visit, spec, text, str(error))
    return visit.page("replay.html", name=name, text=text, faults=(), rows=rows, history=history, spec=spec)


def _refused(visit: Visit, spec: TuningJobSpec, text: str, *faults: str) -> Response:
    return visit.page("replay.html", 422, name=spec.name, text=text, faults=faults, rows=None, spec=spec)


def _suggested(spec: TuningJobSpec) -> list[str]:
    """The usual ones, and the job's target where it has one."""
    target = TargetObjectiveMetricValue.from_spec(spec)
    return [*([say(target)] if target else []), *map(say, SUGGESTED)]
