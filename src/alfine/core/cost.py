"""What a tuning job may cost at most, has cost, and has saved by ending early: in compute seconds, and in money at a price."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.spec import TuningJobSpec

HOUR = 3600.0  # seconds

COMPUTE_SECONDS: MemoKey[float] = MemoKey(__name__, "compute seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds of instances, and money when the job has a price per instance and hour."""

    compute_seconds: float
    money: float | None


def bound(spec: TuningJobSpec) -> Cost | None:
    """What the job can cost at most; None when nothing bounds its time.

    MaxRuntimeInSeconds x MaxParallelTrainingJobs x instances (AMT's formula), or the number of training jobs times each
    one's own limit where that is less.
    """
    instances = most_instances(spec)
    bounds = []
    if spec.max_runtime_seconds is not None:
        bounds.append(spec.max_runtime_seconds * spec.max_parallel * instances)
    longest = longest_seconds(spec)
    if spec.max_training_jobs is not None and longest is not None:
        bounds.append(spec.max_training_jobs * longest * instances)
    return of_seconds(spec, min(bounds)) if bounds else None


def most_instances(spec: TuningJobSpec) -> int:
    """Of a training job, whatever its definition."""
    return max(each.definition.instance_count for each in spec.definition_specs)


def longest_seconds(spec: TuningJobSpec) -> float | None:
    """That a training job may take, whatever its definition; None when one's time isn't limited."""
    limits = [each.definition.max_runtime_seconds for each in spec.definition_specs]
    return None if None in limits else max(limit for limit in limits if limit is not None)


def spent(history: History) -> Cost:
    """What the training jobs that have ended, and those that run, have cost so far."""
    seconds = compute_seconds(history)
    for job in history.running.values():
        if job.started_at is not None:
            elapsed = max(0.0, (history.now - job.started_at).total_seconds())
            seconds += elapsed * history.spec.of(job.definition).definition.instance_count
    return of_seconds(history.spec, seconds)


def of_search(history: History) -> Cost:
    """The same without the training jobs that ran the best again."""
    again = 0.0
    for job in itertools.chain.from_iterable(history.repeated.values()):
        elapsed = max(0.0, (history.now - job.started_at).total_seconds()) if job.running and job.started_at else 0.0
        again += (job.seconds + elapsed) * history.spec.of(job.definition).definition.instance_count
    return of_seconds(history.spec, spent(history).compute_seconds - again)


def compute_seconds(history: History) -> float:
    """Training time of the ended training jobs on all their instances."""
    spec = history.spec
    instances = {
        each.definition.name if spec.parts else None: each.definition.instance_count for each in spec.definition_specs
    }
    return float(history.fold(COMPUTE_SECONDS, 0.0, lambda total, job: total + job.seconds * instances[job.definition]))


def saved(history: History) -> Cost | None:
    """About what the training jobs that were allowed but never launched would have cost, at the mean of the others.

    None without a limit on their number, or before one has ended.
    """
    limit, ended = history.spec.max_training_jobs, history.ended
    if limit is None or ended == 0:
        return None
    each = compute_seconds(history) / ended
    return of_seconds(history.spec, max(0, limit - history.launches) * each)


def of_seconds(spec: TuningJobSpec, seconds: float) -> Cost:
    """So many seconds of one instance, at the job's price."""
    price = spec.price_per_hour
    return Cost(compute_seconds=seconds, money=None if price is None else seconds / HOUR * price)
