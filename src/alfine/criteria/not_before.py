"""NotBefore: a completion criterion that can't end the tuning job before a number of training jobs or seconds, its floor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.protocols import CompletionCriterion, verdict_of
from alfine.core.verdict import Outlook, Verdict, in_seconds
from alfine.core.wording import count_of, duration
from alfine.criteria.checks import all_criteria, number
from alfine.criteria.future import Future
from alfine.criteria.several_times import AroundAnother


@dataclass(frozen=True, slots=True)
class NotBefore(AroundAnother):
    """A criterion that can't end the job before a number of training jobs have ended and a time has passed.

    Args:
        criterion: The criterion.
        training_jobs: How many training jobs must have ended, from 0 on.
        seconds: How much time must have passed since the tuning job's creation, from 0 on.
    """

    criterion: CompletionCriterion
    training_jobs: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        all_criteria("NotBefore", [self.criterion])
        number(self, "training_jobs", least=0)
        number(self, "seconds", least=0)

    def ends(self, future: Future) -> Array:
        """Return when its criterion is met, or the floor if that is later. Before a training job has ended the seconds are left out."""
        history = future.history
        floor = np.maximum(future.after(self.training_jobs - history.ended), self._after_seconds(future))
        return np.maximum(future.ends(self.criterion), floor)

    def _after_seconds(self, future: Future) -> Array:
        after = future.after_seconds(self.seconds - future.history.elapsed_seconds)
        return np.where(np.isinf(after), 0.0, after)

    def check(self, history: History) -> Verdict:
        verdict = verdict_of(self.criterion, history)
        waiting = []
        if history.ended < self.training_jobs:
            waiting.append(f"after {count_of(self.training_jobs)} at the earliest; {history.ended} ended")
        if history.elapsed_seconds < self.seconds:
            waiting.append(
                f"after {duration(self.seconds)} at the earliest; {duration(history.elapsed_seconds)} passed"
            )
        evidence = {
            **verdict.evidence,
            "not_before_training_jobs": self.training_jobs,
            "not_before_seconds": self.seconds,
            "training_jobs_to_floor": max(0, self.training_jobs - history.ended),
            "seconds_to_floor": max(0.0, self.seconds - history.elapsed_seconds),
        }
        if not waiting or verdict.outlook is Outlook.CONTINUE:
            return replace(verdict, evidence=evidence)
        return replace(
            verdict,
            outlook=Outlook.CONTINUE,
            sentence=f"Met, but it ends the job {', and '.join(waiting)}.",
            evidence=evidence,
            progress=min(verdict.progress, self._share(history)),
            would_change=f"Then it ends the job if {verdict.criterion} is still met. {verdict.would_change}",
            ask_again_at=in_seconds(history.now, self.seconds - history.elapsed_seconds)
            if history.elapsed_seconds < self.seconds
            else verdict.ask_again_at,
        )

    def _share(self, history: History) -> float:
        """Return the share of the floor that has been reached."""
        jobs = history.ended / self.training_jobs if self.training_jobs else 1.0
        seconds = history.elapsed_seconds / self.seconds if self.seconds else 1.0
        return min(1.0, jobs, max(0.0, seconds))
