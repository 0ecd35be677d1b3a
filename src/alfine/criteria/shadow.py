"""Shadow: a completion criterion that only watches, and says what it would have done, so that a team learns to trust it."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from alfine.core.cost import spent
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.policy import CompletionCriterion, Outlook, Verdict, name_of, verdict_of
from alfine.core.ranges import Array
from alfine.core.spec import TuningJobSpec
from alfine.criteria.checks import all_criteria
from alfine.criteria.future import Future
from alfine.criteria.tags import append_to

CROSSING: MemoKey[tuple[int, Crossing | None]] = MemoKey(__name__, "crossing")  # after how many facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Where the criterion would have ended the job: what was known then."""

    outlook: Outlook
    sentence: str
    training_jobs: int  # launched
    seconds: float  # since the job's creation
    training_seconds: float  # of those that had ended, and of those that ran, which would have been stopped
    best: float | None


@dataclass(frozen=True, slots=True)
class Shadow:
    """`criterion`, which never ends the job: its verdict tells when it would have, and what that would have missed."""

    labels: ClassVar[Mapping[str, str]] = {
        "missed": "would have missed",
        "best_then": "best at that point",
        "would_have": "it would have said",
    }

    criterion: CompletionCriterion

    def __post_init__(self) -> None:
        all_criteria("Shadow", [self.criterion])

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:  # noqa: ARG003 - read by criteria_for: a job may have several
        return None

    @property
    def verdict_name(self) -> str:
        return f"Shadow({name_of(self.criterion)})"

    def ends(self, future: Future) -> Array:
        return future.never()

    def check(self, history: History) -> Verdict:
        verdict, crossing = verdict_of(self.criterion, history), self._crossing(history)
        if crossing is None:
            change = f"Nothing ends the job by it. What it watches for: {verdict.would_change}"
            return replace(
                verdict, criterion=self.verdict_name, outlook=Outlook.CONTINUE, watching=True, would_change=change
            )
        missed = _missed(history, crossing)
        evidence = {
            "would_have": str(crossing.outlook),
            "would_have_ended_after_training_jobs": crossing.training_jobs,
            "would_have_ended_after_seconds": crossing.seconds,
            "training_seconds_then": crossing.training_seconds,
            "best_then": crossing.best,
            "training_jobs_since": history.launches - crossing.training_jobs,
            "missed": missed,
        }
        since = "and would have missed nothing so far" if not missed else f"and would have missed {missed:.4g} so far"
        return Verdict(
            outlook=Outlook.CONTINUE,
            criterion=self.verdict_name,
            sentence=f"Would have ended the job after {crossing.training_jobs} training jobs, {since}. {crossing.sentence}",
            evidence=evidence,
            progress=1.0,
            would_change=f"Nothing: what it would have done stays. {history.launches - crossing.training_jobs} training jobs "
            "launched since then tell what that would have missed.",
            watching=True,
        )

    def _crossing(self, history: History) -> Crossing | None:
        """The first time that it was met, of a whole record as of a history that grows fact by fact."""
        seen, crossing = history.recall(CROSSING.of(self), (0, None))
        if history.hypothetical:
            return crossing
        if crossing is None and len(history.facts) > seen + 1:
            for _, past in history.replayed():
                crossing = self._met(past)
                if crossing is not None:
                    break
        elif crossing is None:
            crossing = self._met(history)
        history.remember(CROSSING.of(self), (len(history.facts), crossing))
        return crossing

    def _met(self, history: History) -> Crossing | None:
        verdict = verdict_of(self.criterion, history)
        if verdict.outlook is Outlook.CONTINUE:
            return None
        best = history.incumbent
        return Crossing(
            outlook=verdict.outlook,
            sentence=verdict.sentence,
            training_jobs=history.launches,
            seconds=history.elapsed_seconds,
            training_seconds=spent(history).compute_seconds / history.spec.definition.instance_count,
            best=None if best is None else best.objective,
        )

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        append_to(request, self)


def _missed(history: History, crossing: Crossing) -> float | None:
    best = history.incumbent
    if best is None or best.objective is None or crossing.best is None:
        return None
    return max(0.0, history.sign * (crossing.best - best.objective))
