"""StopRequested: the user's request to stop the tuning job."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook, Verdict
from alfine.criteria.future import Future


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The user stopped the tuning job: it ends as Stopped, not Completed. Every job has the rule."""

    is_limit: ClassVar[bool] = True
    always_present: ClassVar[bool] = True

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:  # noqa: ARG003 - the protocol's signature
        return cls()

    def check(self, history: History) -> Verdict:
        requested = history.stop_requested_at
        is_met = requested is not None
        seconds = None if requested is None else (requested - history.created_at).total_seconds()
        return Verdict(
            outlook=Outlook.STOP if is_met else Outlook.CONTINUE,
            criterion="StopRequested",
            sentence="The user stopped the tuning job." if is_met else "The user hasn't stopped the tuning job.",
            evidence={"asked_after_seconds": seconds},
            status="Stopped",
            progress=1.0 if is_met else 0.0,
            would_change="`alfine change` lets the job go on once it has ended."
            if is_met
            else "`alfine stop` stops the job.",
        )

    def ends(self, future: Future) -> Array:
        return future.never() if future.history.stop_requested_at is None else future.after(0)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Return nothing: the job has it without asking for it."""
