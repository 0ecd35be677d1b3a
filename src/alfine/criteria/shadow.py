"""Shadow: a completion criterion that only observes, and says what it would have done, so that a team can learn to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from alfine.core.axis import Array
from alfine.core.cost import spent
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.protocols import CompletionCriterion, name_of, verdict_of
from alfine.core.verdict import Outlook, Verdict
from alfine.core.wording import count_of, short
from alfine.criteria.checks import all_criteria
from alfine.criteria.future import Future
from alfine.criteria.several_times import SeveralTimes

CROSSING: MemoKey[tuple[int, Crossing | None]] = MemoKey(__name__, "crossing")  # after how many facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """The moment when the criterion would have ended the job, and what was known then.

    Attributes:
        outlook: What the criterion asked for.
        sentence: What it said.
        training_jobs: Training jobs launched.
        seconds: Since the tuning job's creation.
        training_seconds: Of the training jobs that had ended and, up to then, of those that ran: they would have been stopped.
        best: The best objective.
    """

    outlook: Outlook
    sentence: str
    training_jobs: int
    seconds: float
    training_seconds: float
    best: float | None


@dataclass(frozen=True, slots=True)
class Shadow(SeveralTimes):
    """Watch `criterion`, which doesn't end the job: the verdict says when it would have, and what that would have missed.

    Args:
        criterion: The criterion.
    """

    labels: ClassVar[Mapping[str, str]] = {
        "missed": "would have missed",
        "best_then": "best at that point",
        "would_have": "it would have said",
    }

    criterion: CompletionCriterion

    def __post_init__(self) -> None:
        all_criteria("Shadow", [self.criterion])

    @property
    def verdict_name(self) -> str:
        return f"Shadow({name_of(self.criterion)})"

    def ends(self, future: Future) -> Array:
        return future.never()

    def check(self, history: History) -> Verdict:
        verdict, crossing = verdict_of(self.criterion, history), self._crossing(history)
        if crossing is None:
            change = f"It only observes and never ends the job. {verdict.criterion}: {verdict.would_change}"
            return replace(
                verdict, criterion=self.verdict_name, outlook=Outlook.CONTINUE, watching=True, would_change=change
            )
        missed, since = _missed(history, crossing), history.launches - crossing.training_jobs
        lost = short(missed) if missed else "nothing"
        evidence = {
            "would_have": str(crossing.outlook),
            "would_have_ended_after_training_jobs": crossing.training_jobs,
            "would_have_ended_after_seconds": crossing.seconds,
            "training_seconds_then": crossing.training_seconds,
            "best_then": crossing.best,
            "training_jobs_since": since,
            "missed": missed,
        }
        return Verdict(
            outlook=Outlook.CONTINUE,
            criterion=self.verdict_name,
            sentence=f"Would have ended the job after {count_of(crossing.training_jobs)}, and would have missed {lost} so far. "
            f"{crossing.sentence}",
            evidence=evidence,
            progress=1.0,
            would_change=f"Nothing: its answer stays. What it would have missed is the gain of the {count_of(since)} launched since then.",
            watching=True,
        )

    def _crossing(self, history: History) -> Crossing | None:
        """Return the first time that it was met; the same for a whole record as for a history that grows fact by fact."""
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


def _missed(history: History, crossing: Crossing) -> float | None:
    best = history.incumbent
    if best is None or best.objective is None or crossing.best is None:
        return None
    return max(0.0, history.sign * (crossing.best - best.objective))
