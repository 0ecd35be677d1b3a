"""The ends that have nothing to do with quality: how many, how long, nothing left, nothing works, and the user's own stop."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.policy import Outlook, Verdict, in_seconds
from alfine.core.ranges import Array
from alfine.core.spec import IDENTICAL, MAX_TRAINING_JOBS, TuningJobSpec
from alfine.core.wording import duration
from alfine.criteria.amt_fields import RESOURCE_LIMITS, section
from alfine.criteria.checks import number, whole_number
from alfine.criteria.future import Future

SUCCEEDED: MemoKey[int] = MemoKey(__name__, "succeeded training jobs")

FIRST_ATTEMPTS = 5  # AMT: «No training job succeeded after 5 attempts»


@dataclass(frozen=True, slots=True)
class MaxNumberOfTrainingJobs:
    """Launch at most `limit` training jobs, failed and stopped ones included; those launched run to their end.

    A job that names no limit gets AMT's quota of 750.
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
        return Verdict(
            outlook=Outlook.CONTINUE if left else Outlook.DRAIN,
            criterion="MaxNumberOfTrainingJobs",
            sentence=f"{history.launches} of at most {self.limit} training jobs launched, {history.ended} ended."
            + (f" {kept} are kept for running the best again." if kept else ""),
            evidence={"launched": history.launches, "ended": history.ended, "limit": self.limit, "left": left},
            progress=min(1.0, history.launches / (self.limit - kept)),
            would_change=f"It ends the job once {left} more have been launched, whatever they find; only another limit changes that."
            if left
            else "Only a higher limit: `alfine change --max-training-jobs`.",
        )

    def ends(self, future: Future) -> Array:
        """When the search has used up the limit: the rest of it is kept for repeats."""
        return future.after(self.limit - self._kept(future.history) - future.history.ended)

    def _kept(self, history: History) -> int:
        """How many of the training jobs are kept for running the best again."""
        repeats = history.spec.repeats
        return 0 if repeats is None else min(repeats.training_jobs, self.limit - 1)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        section(request, RESOURCE_LIMITS)["MaxNumberOfTrainingJobs"] = self.limit


@dataclass(frozen=True, slots=True)
class MaxRuntimeInSeconds:
    """Stop once the tuning job has existed for `limit` seconds of wall time, waiting and interruptions included."""

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
        left, met = max(0.0, self.limit - elapsed), elapsed >= self.limit
        return Verdict(
            outlook=Outlook.STOP if met else Outlook.CONTINUE,
            criterion="MaxRuntimeInSeconds",
            sentence=f"{duration(elapsed)} of at most {duration(self.limit)} have passed.",
            evidence={"elapsed_seconds": elapsed, "limit": self.limit, "left": left},
            progress=min(1.0, elapsed / self.limit),
            would_change="Only a higher limit: `alfine change --max-runtime-seconds`."
            if met
            else f"It ends the job in {duration(left)}, whatever is found; only another limit changes that.",
            ask_again_at=None if met else in_seconds(history.now, left),
        )

    def ends(self, future: Future) -> Array:
        return future.after_seconds(self.limit - future.history.elapsed_seconds)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        whole = int(self.limit) if float(self.limit).is_integer() else self.limit
        section(request, RESOURCE_LIMITS)["MaxRuntimeInSeconds"] = whole


@dataclass(frozen=True, slots=True)
class SearchSpaceExhausted:
    """Launch no more once every configuration of a finite space has been launched."""

    labels: ClassVar[Mapping[str, str]] = {"size": "configurations in the space"}

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        return None if spec.size is None else cls()

    def check(self, history: History) -> Verdict:
        size = history.spec.size
        tried = len(history.configurations)
        met = size is not None and tried >= size
        return Verdict(
            outlook=Outlook.DRAIN if met else Outlook.CONTINUE,
            criterion="SearchSpaceExhausted",
            sentence=f"{tried} of the {size} configurations of the search space have been launched"
            f"{', here or by a parent' if history.spec.warm_start == IDENTICAL and history.inherited else ''}.",
            evidence={"launched": tried, "size": size, "left": max(0, (size or 0) - tried)},
            progress=min(1.0, tried / size) if size else 0.0,
            would_change="Nothing: a search space stays as it is. A wider one is a new tuning job, warm-started from this one."
            if met
            else f"It ends the job once the other {(size or 0) - tried} have been launched, whatever they find.",
        )

    def ends(self, future: Future) -> Array:
        return future.after((future.history.spec.size or 0) - future.history.ended)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Always on where the space is finite."""


@dataclass(frozen=True, slots=True)
class NoTrainingJobSucceeded:
    """Fail the tuning job when its first training jobs all ended without an objective; one success lifts the rule.

    AMT's rule and text; with fewer than five training jobs in all, it holds for all of them (see
    docs/reference/criteria.md for what AMT leaves open).
    """

    always_present: ClassVar[bool] = True

    attempts: int = FIRST_ATTEMPTS

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        if spec.single_training_job:
            return None
        return cls(min(FIRST_ATTEMPTS, spec.max_training_jobs or FIRST_ATTEMPTS, spec.size or FIRST_ATTEMPTS))

    def check(self, history: History) -> Verdict:
        succeeded = self._succeeded(history)
        failed = 0 if succeeded else history.ended
        met = failed >= self.attempts
        return Verdict(
            outlook=Outlook.DRAIN if met else Outlook.CONTINUE,
            criterion="NoTrainingJobSucceeded",
            sentence=self._sentence(history, failed, met=met),
            evidence={
                "failed": failed,
                "limit": self.attempts,
                "succeeded": succeeded,
                "left": None if succeeded else max(0, self.attempts - failed),
            },
            status="Failed",
            progress=min(1.0, failed / self.attempts),
            would_change=self._would_change(succeeded, failed),
        )

    @staticmethod
    def _succeeded(history: History) -> int:
        return history.fold(SUCCEEDED, 0, lambda count, job: count + (job.objective is not None))

    def _would_change(self, succeeded: int, failed: int) -> str:
        if succeeded:
            return f"Nothing any more: {succeeded} training jobs have an objective, and one lifts the rule."
        return (
            f"One objective lifts the rule; without one it fails the job after {self.attempts - failed} more failures."
        )

    def _sentence(self, history: History, failed: int, *, met: bool) -> str:
        if not met:
            return (
                f"{failed} of the first {self.attempts} training jobs failed and none succeeded."
                if failed or not history.finished
                else f"The rule is lifted: {history.ended} training jobs have ended, and not all without an objective."
            )
        reason = history.finished[-1].failure_reason or "no objective metric was found"
        return (
            f"No training job succeeded after {self.attempts} attempts. Please take a look at the training job failures to "
            f"get more details. The last one ({history.finished[-1].name}): {reason.rstrip('. ')}."
        )

    def ends(self, future: Future) -> Array:
        """Never; but it can't be told while training jobs have ended and none has succeeded."""
        history = future.history
        return future.unknown() if history.ended and not self._succeeded(history) else future.never()

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Always on."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The user asked to stop: status Stopped, not Completed."""

    is_limit: ClassVar[bool] = True
    always_present: ClassVar[bool] = True

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:  # noqa: ARG003 - the protocol's signature
        return cls()

    def check(self, history: History) -> Verdict:
        met = history.stop_requested_at is not None
        return Verdict(
            outlook=Outlook.STOP if met else Outlook.CONTINUE,
            criterion="StopRequested",
            sentence="The user asked to stop." if met else "Nobody asked to stop.",
            evidence={"asked_after_seconds": self._seconds(history)},
            status="Stopped",
            progress=1.0 if met else 0.0,
            would_change="`alfine change`, once the job has ended: it then goes on." if met else "`alfine stop`.",
        )

    @staticmethod
    def _seconds(history: History) -> float | None:
        """After how many seconds of the job's life it was asked to stop."""
        asked = history.stop_requested_at
        return None if asked is None else (asked - history.created_at).total_seconds()

    def ends(self, future: Future) -> Array:
        return future.never() if future.history.stop_requested_at is None else future.after(0)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Always on."""
