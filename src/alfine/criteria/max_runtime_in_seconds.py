"""MaxRuntimeInSeconds: AMT's limit of the time that a tuning job lasts."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook, Verdict, in_seconds
from alfine.core.wording import duration
from alfine.criteria.amt_fields import RESOURCE_LIMITS, RUNTIME_LIMIT, section
from alfine.criteria.checks import number
from alfine.criteria.future import Future


@dataclass(frozen=True, slots=True)
class MaxRuntimeInSeconds:
    """Stop once the tuning job has existed for `limit` seconds of wall time, waiting and interruptions included.

    Args:
        limit: Seconds, above 0.

    Source: AMT's API reference (ResourceLimits.MaxRuntimeInSeconds).
    """

    amt_section: ClassVar[str] = RESOURCE_LIMITS
    is_limit: ClassVar[bool] = True

    limit: float

    def __post_init__(self) -> None:
        number(self, "limit", above=0)

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        return None if spec.max_runtime_seconds is None else cls(spec.max_runtime_seconds)

    def check(self, history: History) -> Verdict:
        elapsed = history.elapsed_seconds
        left, is_met = max(0.0, self.limit - elapsed), elapsed >= self.limit
        return Verdict(
            outlook=Outlook.STOP if is_met else Outlook.CONTINUE,
            criterion="MaxRuntimeInSeconds",
            sentence=f"The tuning job has lasted {duration(elapsed)} of at most {duration(self.limit)}.",
            evidence={"elapsed_seconds": elapsed, "limit": self.limit, "left": left},
            progress=max(0.0, min(1.0, elapsed / self.limit)),
            would_change="Only a higher limit: `alfine change --max-runtime-seconds`."
            if is_met
            else f"It ends the job in {duration(left)}, whatever the results; only another limit changes that.",
            ask_again_at=None if is_met else in_seconds(history.now, left),
        )

    def ends(self, future: Future) -> Array:
        return future.after_seconds(self.limit - future.history.elapsed_seconds)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        whole = int(self.limit) if float(self.limit).is_integer() else self.limit
        section(request, RESOURCE_LIMITS)[RUNTIME_LIMIT] = whole
