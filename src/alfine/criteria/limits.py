"""The ends that have nothing to do with quality: how many, how long, nothing left, nothing works, and the user's own stop."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from alfine.core.decide import Outlook, Verdict
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.spec import MAX_TRAINING_JOBS, TuningJobSpec

FIRST_ATTEMPTS = 5  # AMT: «No training job succeeded after 5 attempts»


@dataclass(frozen=True, slots=True)
class MaxNumberOfTrainingJobs:
    """Launch at most `limit` training jobs, failed and stopped ones included; those launched run to their end.

    A job that names no limit gets AMT's quota of 750.
    """

    limit: int = MAX_TRAINING_JOBS

    def __post_init__(self) -> None:
        _at_least("MaxNumberOfTrainingJobs", self.limit, 1)

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:
        return cls(spec.max_training_jobs or MAX_TRAINING_JOBS)

    def check(self, history: History) -> Verdict:
        met = history.launches >= self.limit
        return Verdict(
            outlook=Outlook.DRAIN if met else Outlook.CONTINUE,
            criterion="MaxNumberOfTrainingJobs",
            sentence=f"{history.launches} of at most {self.limit} training jobs launched, {history.ended} ended.",
            evidence={"launched": history.launches, "ended": history.ended, "limit": self.limit},
            progress=min(1.0, history.launches / self.limit),
        )

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        _section(request, "ResourceLimits")["MaxNumberOfTrainingJobs"] = self.limit


@dataclass(frozen=True, slots=True)
class MaxRuntimeInSeconds:
    """Stop once the tuning job has existed for `limit` seconds of wall time, waiting and interruptions included."""

    limit: float

    def __post_init__(self) -> None:
        _at_least("MaxRuntimeInSeconds", self.limit, 0)

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        return None if spec.max_runtime_seconds is None else cls(spec.max_runtime_seconds)

    def check(self, history: History) -> Verdict:
        elapsed = history.elapsed_seconds
        met = elapsed >= self.limit
        return Verdict(
            outlook=Outlook.STOP if met else Outlook.CONTINUE,
            criterion="MaxRuntimeInSeconds",
            sentence=f"{elapsed:.0f} of at most {self.limit:g} seconds have passed.",
            evidence={"elapsed_seconds": elapsed, "limit": self.limit},
            progress=min(1.0, elapsed / self.limit),
            ask_again_at=None if met else history.created_at + timedelta(seconds=self.limit),
        )

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        whole = int(self.limit) if float(self.limit).is_integer() else self.limit
        _section(request, "ResourceLimits")["MaxRuntimeInSeconds"] = whole


@dataclass(frozen=True, slots=True)
class SearchSpaceExhausted:
    """Launch no more once every configuration of a finite space has been launched."""

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
            f"{', here or by a parent' if len(history.prior()[1]) else ''}.",
            evidence={"launched": tried, "size": size},
            progress=min(1.0, tried / size) if size else 0.0,
        )

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Always on where the space is finite."""


@dataclass(frozen=True, slots=True)
class NoTrainingJobSucceeded:
    """Fail the tuning job when its first training jobs all ended without an objective; one success lifts the rule.

    AMT's rule and text; with fewer than five training jobs in all, it holds for all of them (see
    docs/reference/criteria.md for what AMT leaves open).
    """

    attempts: int = FIRST_ATTEMPTS

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        if spec.alone:
            return None
        return cls(min(FIRST_ATTEMPTS, spec.max_training_jobs or FIRST_ATTEMPTS, spec.size or FIRST_ATTEMPTS))

    def check(self, history: History) -> Verdict:
        succeeded = history.fold("succeeded", 0, lambda count, job: count + (job.objective is not None))
        failed = 0 if succeeded else history.ended
        met = failed >= self.attempts
        return Verdict(
            outlook=Outlook.DRAIN if met else Outlook.CONTINUE,
            criterion="NoTrainingJobSucceeded",
            sentence=self._sentence(history, failed, met=met),
            evidence={"failed": failed, "limit": self.attempts},
            status="Failed",
            progress=min(1.0, failed / self.attempts),
        )

    def _sentence(self, history: History, failed: int, *, met: bool) -> str:
        if not met:
            return (
                f"{failed} of the first {self.attempts} training jobs failed and none succeeded."
                if failed
                else "None failed yet."
            )
        reason = history.finished[-1].failure_reason or "no objective metric was found"
        return (
            f"No training job succeeded after {self.attempts} attempts. Please take a look at the training job failures to "
            f"get more details. The last one ({history.finished[-1].name}): {reason.rstrip('. ')}."
        )

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Always on."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The user asked to stop: status Stopped, not Completed."""

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:  # noqa: ARG003 - the protocol's signature
        return cls()

    def check(self, history: History) -> Verdict:
        met = history.stop_requested_at is not None
        return Verdict(
            outlook=Outlook.STOP if met else Outlook.CONTINUE,
            criterion="StopRequested",
            sentence="The user asked to stop." if met else "Nobody asked to stop.",
            status="Stopped",
            progress=1.0 if met else 0.0,
        )

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Always on."""


def _section(request: MutableMapping[str, Any], name: str) -> dict[str, Any]:
    section: dict[str, Any] = request.setdefault("HyperParameterTuningJobConfig", {}).setdefault(name, {})
    return section


def _at_least(name: str, value: float, least: float) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not value >= least
        or (least == 0 and value == 0)
    ):
        raise InvalidSpec(
            [Fault(name, f"{value!r} must be a number {'above 0' if least == 0 else f'from {least} on'}.")]
        )
