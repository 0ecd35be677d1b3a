"""The cost of a tuning job: at most, so far, and saved by ending early. In compute seconds, and in money where there is a price."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.spec import TuningJobSpec

HOUR = 3600.0  # seconds in an hour

COMPUTE_SECONDS: MemoKey[float] = MemoKey(__name__, "compute seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """An amount of compute.

    Args:
        compute_seconds: Seconds of one instance.
        money: Their price; None where the job has no price per instance and hour.
    """

    compute_seconds: float
    money: float | None


def bound(spec: TuningJobSpec) -> Cost | None:
    """Return the largest possible cost of a tuning job; None where nothing limits its time.

    It's MaxRuntimeInSeconds x MaxParallelTrainingJobs x instances (AMT's formula), or the largest number of training jobs times the time
    limit of each x instances, whichever is less.
    """
    instances = most_instances(spec)
    bounds = []
    if spec.max_runtime_seconds is not None:
        bounds.append(spec.max_runtime_seconds * spec.max_parallel * instances)
    longest = longest_seconds(spec)
    if spec.max_training_jobs is not None and longest is not None:
        bounds.append(spec.max_training_jobs * longest * instances)
    return cost_of(spec, min(bounds)) if bounds else None


def most_instances(spec: TuningJobSpec) -> int:
    """Return the largest number of instances of a training job, over all definitions."""
    return max(part.definition.instance_count for part in spec.definition_specs)


def longest_seconds(spec: TuningJobSpec) -> float | None:
    """Return the longest time that a training job may take, over all definitions; None where one of them has no limit."""
    limits = [part.definition.max_runtime_seconds for part in spec.definition_specs]
    return None if None in limits else max(limit for limit in limits if limit is not None)


def spent(history: History) -> Cost:
    """Return the cost so far, of training jobs that have ended and of those that run."""
    seconds = compute_seconds(history)
    for job in history.running.values():
        if job.started_at is not None:
            elapsed = max(0.0, (history.now - job.started_at).total_seconds())
            seconds += elapsed * history.spec.of(job.definition).definition.instance_count
    return cost_of(history.spec, seconds)


def spent_on_search(history: History) -> Cost:
    """Return the cost so far without that of repeats."""
    repeats = 0.0
    for job in itertools.chain.from_iterable(history.repeated.values()):
        elapsed = max(0.0, (history.now - job.started_at).total_seconds()) if job.running and job.started_at else 0.0
        repeats += (job.seconds + elapsed) * history.spec.of(job.definition).definition.instance_count
    return cost_of(history.spec, spent(history).compute_seconds - repeats)


def compute_seconds(history: History) -> float:
    """Return the training time of the ended training jobs, added up over their instances."""
    spec = history.spec
    instances = {
        part.definition.name if spec.parts else None: part.definition.instance_count for part in spec.definition_specs
    }
    return float(history.fold(COMPUTE_SECONDS, 0.0, lambda total, job: total + job.seconds * instances[job.definition]))


def saved(history: History) -> Cost | None:
    """Return an estimate of what ending early has saved: the training jobs that were allowed and never launched, at the mean cost so far.

    None without a limit on the number of training jobs, and before one has ended.
    """
    return saved_by(history.spec, compute_seconds(history), history.ended, history.launches)


def saved_by(spec: TuningJobSpec, seconds: float, ended: int, launches: int) -> Cost | None:
    """Return the same by numbers.

    Args:
        spec: The tuning job.
        seconds: The instance seconds of the training jobs that have ended.
        ended: How many have.
        launches: How many were launched.
    """
    if spec.max_training_jobs is None or ended == 0:
        return None
    return cost_of(spec, max(0, spec.max_training_jobs - launches) * seconds / ended)


def cost_of(spec: TuningJobSpec, seconds: float) -> Cost:
    """Return the cost of seconds of one instance, at the price of the tuning job.

    Args:
        spec: The tuning job, or one of its definitions.
        seconds: Instance seconds.
    """
    price = spec.price_per_hour
    return Cost(compute_seconds=seconds, money=None if price is None else seconds / HOUR * price)
