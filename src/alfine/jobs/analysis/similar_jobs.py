"""Estimates of what a tuning job will take, from similar past jobs: training jobs, time and money.

Each past job's record is replayed under the new job's criteria and limits. Where they would have ended it is what the new job may take.
If they wouldn't have ended it, the forecast at the end of the record is added (criteria/forecast.py). The estimate is the median of a
few past jobs, with the range that they span: so few and so different jobs allow no distribution.

Similar are jobs with the same program (image, entry point), objective and names of hyperparameters. If some also have the same
ranges, static hyperparameters, channels and instances, only those are used.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from alfine.core.cost import HOUR
from alfine.core.facts import Changed
from alfine.core.history import History
from alfine.core.replay import replay
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook
from alfine.criteria import criteria_for
from alfine.criteria.forecast import forecast_of
from alfine.jobs.policy_for import policy_for

Span = tuple[float, float, float]
"""The least, the middle and the greatest value."""

MOST_JOBS = 5
"""Similar jobs that are used, the latest: older ones say less, and each takes seconds to replay."""

PROGRAM = ("sagemaker_program", "alfine_command", "alfine_function")
"""Static hyperparameters that say what runs."""

FORECAST = "forecast"
"""The key in `ended_by` for jobs whose end isn't known: the criteria would not have ended a past job before its record ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceEstimate:
    """An estimate of what a tuning job will take.

    Attributes:
        jobs: The names of the past jobs that it rests on.
        same: Whether they had the same data, settings and ranges, too.
        training_jobs: How many it will launch.
        seconds: Wall time.
        compute_seconds: Training time of all instances.
        money: What that costs; None without a price.
        ended_by: How many of the past jobs each criterion would have ended.
    """

    jobs: tuple[str, ...]
    same: bool
    training_jobs: Span
    seconds: Span
    compute_seconds: Span
    money: Span | None
    ended_by: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate as data that JSON can hold."""
        spans = {
            "TrainingJobs": self.training_jobs,
            "RuntimeInSeconds": self.seconds,
            "ComputeSeconds": self.compute_seconds,
            "Money": self.money,
        }
        return {
            "FromTuningJobs": list(self.jobs),
            "SameDataAndSettings": self.same,
            **{name: dict(zip(("Low", "Middle", "High"), span, strict=True)) for name, span in spans.items() if span},
            "EndedBy": dict(self.ended_by),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _PastJob:
    """Findings about the new job from one past job.

    Attributes:
        seconds: The mean training time of a training job.
    """

    job: str
    training_jobs: Span
    seconds: float
    ended_by: str


def estimate_from_similar_jobs(
    spec: TuningJobSpec,
    past: Sequence[TuningJobSpec],
    history_of: Callable[[str], History],
    *,
    replaying: bool = True,
) -> ResourceEstimate | None:
    """Return what a tuning job will likely take.

    Args:
        spec: The new job.
        past: Jobs that have ended, the latest last.
        history_of: Returns the history of a past job, by its name.
        replaying: False uses only past jobs that had the criteria of this one, which takes no time.

    Returns:
        None without a similar job that has results.
    """
    similar = [job for job in past if is_similar(spec, job)]
    same = [job for job in similar if _details(spec) == _details(job)]
    latest = list(reversed(same or similar))
    if not replaying:
        criteria = criteria_for(spec)
        latest = [job for job in latest if criteria_for(job) == criteria]
    judged = [_judged(spec, history_of(job.name)) for job in latest[:MOST_JOBS]]
    jobs = [job for job in judged if job is not None]
    if not jobs:
        return None
    instances, price = spec.definition.instance_count, spec.price_per_hour
    seconds = _span(_times(job.training_jobs, job.seconds) for job in jobs)
    if spec.max_runtime_seconds is not None:
        most = spec.max_runtime_seconds * spec.max_parallel
        seconds = (min(seconds[0], most), min(seconds[1], most), min(seconds[2], most))
    compute = _times(seconds, instances)
    return ResourceEstimate(
        jobs=tuple(job.job for job in jobs),
        same=bool(same),
        training_jobs=_span(job.training_jobs for job in jobs),
        seconds=_times(seconds, 1.0 / spec.max_parallel),
        compute_seconds=compute,
        money=None if price is None else _times(compute, price / HOUR),
        ended_by=Counter(job.ended_by for job in jobs),
    )


def is_similar(spec: TuningJobSpec, past: TuningJobSpec) -> bool:
    """Return whether a past job says something about a new one.

    Jobs with several definitions don't: which definition gets the next training job depends on all of them.
    """
    if spec.parts or past.parts or spec.name == past.name:
        return False
    return _kind(spec) == _kind(past)


def _kind(spec: TuningJobSpec) -> tuple[object, ...]:
    static = spec.definition.static_hyperparameters
    program = tuple(static.get(name) for name in PROGRAM)
    return spec.definition.image, program, spec.goal, spec.metric, frozenset(spec.space.names)


def _details(spec: TuningJobSpec) -> tuple[object, ...]:
    definition = spec.definition
    static = {k: v for k, v in definition.static_hyperparameters.items() if not k.startswith("_")}
    instances = (definition.instance_type, definition.instance_count)
    return spec.space.ranges, static, frozenset(definition.channels), instances, spec.strategy


def _judged(spec: TuningJobSpec, record: History) -> _PastJob | None:
    """Return what one past job says about the new one; None if it has no results."""
    if record.incumbent is None or record.training_seconds <= 0:
        return None
    name, seconds = record.spec.name, record.training_seconds / record.ended
    if criteria_for(record.spec) == criteria_for(spec) and record.stop_requested_at is None:
        ended_by = policy_for(record.spec).verdict(record).criterion
        return _PastJob(job=name, training_jobs=_exactly(record.launches), seconds=seconds, ended_by=ended_by)
    changed = _with_limits_of(spec, record.spec)
    policy = policy_for(changed)
    replayed = replay(_without_changes(record), policy, under=record.under(changed))
    verdict = replayed.verdict
    if verdict.outlook is not Outlook.CONTINUE and verdict.status != "Stopped":
        jobs = _exactly(replayed.training_jobs)
        return _PastJob(job=name, training_jobs=jobs, seconds=seconds, ended_by=verdict.criterion)
    allowed, ended = float(spec.most_training_jobs), float(replayed.history.ended)
    further = forecast_of(replayed.history, policy.criteria).training_jobs or (0.0, allowed, allowed)
    low, middle, high = (min(ended + jobs, allowed) for jobs in further)
    return _PastJob(job=name, training_jobs=(low, middle, high), seconds=seconds, ended_by=FORECAST)


def _exactly(count: int) -> Span:
    return float(count), float(count), float(count)


def _with_limits_of(spec: TuningJobSpec, past: TuningJobSpec) -> TuningJobSpec:
    """Return the spec of a past job with the criteria and limits of the new one."""
    return dataclasses.replace(
        past,
        max_parallel=spec.max_parallel,
        max_training_jobs=spec.max_training_jobs,
        max_runtime_seconds=spec.max_runtime_seconds,
        target=spec.target,
        max_not_improving=spec.max_not_improving,
        detect_convergence=spec.detect_convergence,
        settings=spec.settings,
    )


def _without_changes(record: History) -> History:
    """Return a record without the user's changes of limits and criteria: the new job's replace them."""
    if not any(isinstance(fact, Changed) for fact in record.facts):
        return record
    plain = record.under(record.first_spec)
    for fact in record.facts:
        if not isinstance(fact, Changed):
            plain.record(fact)
    return plain


def _span(ranges: Iterable[Span]) -> Span:
    lows, middles, highs = zip(*ranges, strict=True)
    return min(lows), float(median(middles)), max(highs)


def _times(values: Span, factor: float) -> Span:
    low, middle, high = values
    return low * factor, middle * factor, high * factor
