"""TargetObjectiveMetricValue: complete as soon as a training job ends with an objective that is good enough."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook, Verdict
from alfine.core.wording import number as number_text
from alfine.core.wording import short
from alfine.criteria.amt_fields import COMPLETION_CRITERIA, section
from alfine.criteria.checks import number
from alfine.criteria.future import Future


@dataclass(frozen=True, slots=True)
class TargetObjectiveMetricValue:
    """Complete once the best final objective reaches `target`: at most the target to minimise, at least the target to maximise.

    Only final objectives count: an intermediate value of a running training job can still get worse.

    Args:
        target: A finite number, in units of the objective.

    Source: AMT's API reference (TuningJobCompletionCriteria.TargetObjectiveMetricValue).
    """

    amt_section: ClassVar[str] = COMPLETION_CRITERIA
    labels: ClassVar[Mapping[str, str]] = {"missing": "still missing"}

    target: float

    def __post_init__(self) -> None:
        number(self, "target")

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        return None if spec.target is None else cls(spec.target)

    def check(self, history: History) -> Verdict:
        best = history.incumbent.objective if history.incumbent else None
        is_met = best is not None and history.sign * best <= history.sign * self.target
        return Verdict(
            outlook=Outlook.STOP if is_met else Outlook.CONTINUE,
            criterion="TargetObjectiveMetricValue",
            sentence=self._sentence(best, is_met=is_met),
            evidence={
                "best": best,
                "target": self.target,
                "missing": None if best is None else abs(self.target - best),
            },
            progress=1.0 if is_met else self._progress(history, best),
            would_change="Nothing: a final objective stays. `alfine change` with a better target lets the job go on."
            if is_met
            else f"One objective of {history.spec.or_better(self.target)} ends the job; nothing else does.",
        )

    def _sentence(self, best: float | None, *, is_met: bool) -> str:
        if best is None:
            return f"No objective yet; the target is {number_text(self.target)}."
        if is_met:
            return f"The best objective, {number_text(best)}, has reached the target of {number_text(self.target)}."
        missing = short(abs(self.target - best))
        return (
            f"The best objective, {number_text(best)}, is {missing} away from the target of {number_text(self.target)}."
        )

    def _progress(self, history: History, best: float | None) -> float:
        """Return the share of the way from the first objective to the target."""
        first = next((job.objective for job in history.finished if job.objective is not None), None)
        if first is None or best is None or first == self.target:
            return 0.0
        return min(0.99, max(0.0, (best - first) / (self.target - first)))

    def ends(self, future: Future) -> Array:
        """Return when the best reaches the target: never without evidence, which is before ten objectives."""
        if future.evidence is None:
            return future.never()
        return future.after_improvement(future.evidence.best - future.history.sign * self.target)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        section(request, COMPLETION_CRITERIA)["TargetObjectiveMetricValue"] = self.target
