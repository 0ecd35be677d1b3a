"""NoTrainingJobSucceeded: the tuning job fails when none of its first training jobs has an objective."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook, Verdict
from alfine.core.wording import count_of
from alfine.criteria.future import Future

SUCCEEDED: MemoKey[int] = MemoKey(__name__, "succeeded training jobs")


FIRST_ATTEMPTS = 5
"""Training jobs. AMT: «No training job succeeded after 5 attempts»."""


@dataclass(frozen=True, slots=True)
class NoTrainingJobSucceeded:
    """Fail the tuning job when its first training jobs have all ended without an objective. One success lifts the rule.

    Args:
        attempts: How many training jobs: five, or all of them where the job allows fewer.

    Source: AMT's message «No training job succeeded after 5 attempts». docs/reference/criteria.md says what AMT leaves open.
    """

    always_present: ClassVar[bool] = True

    attempts: int = FIRST_ATTEMPTS

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        if spec.single_training_job:
            return None
        return cls(min(FIRST_ATTEMPTS, spec.max_training_jobs or FIRST_ATTEMPTS, spec.size or FIRST_ATTEMPTS))

    def check(self, history: History) -> Verdict:
        succeeded = _succeeded(history)
        failed = 0 if succeeded else history.ended
        left = max(0, self.attempts - failed)
        return Verdict(
            outlook=Outlook.CONTINUE if left else Outlook.DRAIN,
            criterion="NoTrainingJobSucceeded",
            sentence=self._sentence(history, succeeded, failed),
            evidence={
                "failed": failed,
                "limit": self.attempts,
                "succeeded": succeeded,
                "left": None if succeeded else left,
            },
            status="Failed",
            progress=min(1.0, failed / self.attempts),
            would_change=_lifted_by(succeeded, left),
        )

    def _sentence(self, history: History, succeeded: int, failed: int) -> str:
        if succeeded:
            return (
                f"The rule no longer applies: {count_of(succeeded)} {'has' if succeeded == 1 else 'have'} an objective."
            )
        if not failed:
            return "No training job has ended yet."
        if failed < self.attempts:
            return f"{failed} of the first {count_of(self.attempts)} failed, and none succeeded."
        last = history.finished[-1]
        reason = last.failure_reason or "no objective metric was found"
        return (
            f"No training job succeeded after {count_of(self.attempts, 'attempt')}. Please take a look at the training job failures to "
            f"get more details. The last one ({last.name}): {reason.rstrip('. ')}."
        )

    def ends(self, future: Future) -> Array:
        """Return never, but unknown while training jobs have ended and none has succeeded."""
        history = future.history
        return future.unknown() if history.ended and not _succeeded(history) else future.never()

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Return nothing: the job has it without asking for it."""


def _succeeded(history: History) -> int:
    """Return the number of training jobs with an objective."""
    return history.fold(SUCCEEDED, 0, lambda count, job: count + (job.objective is not None))


def _lifted_by(succeeded: int, left: int) -> str:
    if succeeded:
        return "Nothing: the rule only applies until the first objective."
    if not left:
        return "Nothing: the job has failed. `alfine change` lets it go on."
    return f"One objective lifts the rule; without one the job fails after {count_of(left, 'more failure')}."
