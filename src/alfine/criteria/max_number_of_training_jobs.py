"""MaxNumberOfTrainingJobs: AMT's limit of the number of training jobs."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.spec import MAX_TRAINING_JOBS, TuningJobSpec
from alfine.core.verdict import Outlook, Verdict
from alfine.core.wording import count_of
from alfine.criteria.amt_fields import NUMBER_LIMIT, RESOURCE_LIMITS, section
from alfine.criteria.checks import whole_number
from alfine.criteria.future import Future


@dataclass(frozen=True, slots=True)
class MaxNumberOfTrainingJobs:
    """Launch at most `limit` training jobs, failed and stopped ones included; those launched run to their end.

    Args:
        limit: How many; a whole number from 1 on. The default is AMT's quota, 750.

    Source: AMT's API reference (ResourceLimits.MaxNumberOfTrainingJobs).
    """

    amt_section: ClassVar[str] = RESOURCE_LIMITS

    limit: int = MAX_TRAINING_JOBS

    def __post_init__(self) -> None:
        whole_number(self, "limit", least=1)

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:
        return cls(spec.max_training_jobs or MAX_TRAINING_JOBS)

    def check(self, history: History) -> Verdict:
        kept = self._kept(history)
        left = max(0, self.limit - kept - history.launches)
        reserved = f" Reserved for repeats: {kept}." if kept else ""
        return Verdict(
            outlook=Outlook.CONTINUE if left else Outlook.DRAIN,
            criterion="MaxNumberOfTrainingJobs",
            sentence=f"{self._launched(history.launches)}, {history.ended} ended.{reserved}",
            evidence={"launched": history.launches, "ended": history.ended, "limit": self.limit, "left": left},
            progress=min(1.0, history.launches / (self.limit - kept)),
            would_change=f"It ends the job after {count_of(left, 'more training job')}, whatever the results; only another limit changes that."
            if left
            else "Only a higher limit: `alfine change --max-training-jobs`.",
        )

    def ends(self, future: Future) -> Array:
        """Return when the search has used up its share of the limit; the rest is reserved for repeats."""
        return future.after(self.limit - self._kept(future.history) - future.history.ended)

    def _launched(self, count: int) -> str:
        """Return the number of launches beside the limit, which may have been lowered below it since."""
        if count > self.limit:
            return f"{count_of(count)} launched (the limit is {self.limit})"
        return f"{count} of at most {count_of(self.limit)} launched"

    def _kept(self, history: History) -> int:
        """Return the number of training jobs that are reserved for repeats."""
        repeats = history.spec.repeats
        return 0 if repeats is None else min(repeats.training_jobs, self.limit - 1)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        section(request, RESOURCE_LIMITS)[NUMBER_LIMIT] = self.limit
