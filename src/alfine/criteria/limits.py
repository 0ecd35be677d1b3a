"""Budget limits and user stop: how many training jobs, how long, no configuration left, no success, and the user's stop."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.policy import Outlook, Verdict, in_seconds
from alfine.core.ranges import Array
from alfine.core.spec import IDENTICAL, MAX_TRAINING_JOBS, TuningJobSpec
from alfine.core.wording import count_of, duration
from alfine.criteria.amt_fields import NUMBER_LIMIT, RESOURCE_LIMITS, RUNTIME_LIMIT, section
from alfine.criteria.checks import number, whole_number
from alfine.criteria.future import Future

SUCCEEDED: MemoKey[int] = MemoKey(__name__, "succeeded training jobs")

FIRST_ATTEMPTS = 5
"""Training jobs. AMT: «No training job succeeded after 5 attempts»."""


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
            sentence=f"{history.launches} of at most {count_of(self.limit)} launched, {history.ended} ended.{reserved}",
            evidence={"launched": history.launches, "ended": history.ended, "limit": self.limit, "left": left},
            progress=min(1.0, history.launches / (self.limit - kept)),
            would_change=f"It ends the job after {count_of(left, 'more training job')}, whatever the results; only another limit changes that."
            if left
            else "Only a higher limit: `alfine change --max-training-jobs`.",
        )

    def ends(self, future: Future) -> Array:
        """Return when the search has used up its share of the limit; the rest is reserved for repeats."""
        return future.after(self.limit - self._kept(future.history) - future.history.ended)

    def _kept(self, history: History) -> int:
        """Return the number of training jobs that are reserved for repeats."""
        repeats = history.spec.repeats
        return 0 if repeats is None else min(repeats.training_jobs, self.limit - 1)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        section(request, RESOURCE_LIMITS)[NUMBER_LIMIT] = self.limit


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


@dataclass(frozen=True, slots=True)
class SearchSpaceExhausted:
    """Launch no more once every configuration of a finite search space has been launched. Every job with such a space has it."""

    labels: ClassVar[Mapping[str, str]] = {"size": "configurations in the space"}

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        return None if spec.size is None else cls()

    def check(self, history: History) -> Verdict:
        size = history.spec.size
        launched = len(history.configurations)
        left = max(0, (size or 0) - launched)
        is_met = size is not None and not left
        by_parents = ", here or by a parent" if history.spec.warm_start == IDENTICAL and history.inherited else ""
        have = "has" if launched == 1 else "have"
        return Verdict(
            outlook=Outlook.DRAIN if is_met else Outlook.CONTINUE,
            criterion="SearchSpaceExhausted",
            sentence=f"{launched} of the {count_of(size or 0, 'configuration')} of the search space {have} been launched{by_parents}.",
            evidence={"launched": launched, "size": size, "left": left},
            progress=min(1.0, launched / size) if size else 0.0,
            would_change="Nothing: a search space stays as it is. A wider one is a new tuning job, warm-started from this one."
            if is_met
            else f"It ends the job after {count_of(left, 'other configuration')}, whatever the results.",
        )

    def ends(self, future: Future) -> Array:
        return future.after((future.history.spec.size or 0) - future.history.ended)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Return nothing: the job has it without asking for it."""


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
