"""What a tuning job may cost at most, has cost, and has saved by ending early: in compute seconds, and in money at a price."""

from __future__ import annotations

from dataclasses import dataclass

from alfine.core.history import History
from alfine.core.spec import TuningJobSpec

HOUR = 3600.0


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
    instances = spec.definition.instance_count
    bounds = []
    if spec.max_runtime_seconds is not None:
        bounds.append(spec.max_runtime_seconds * spec.max_parallel * instances)
    if spec.max_training_jobs is not None and spec.definition.max_runtime_seconds is not None:
        bounds.append(spec.max_training_jobs * spec.definition.max_runtime_seconds * instances)
    return _cost(spec, min(bounds)) if bounds else None


def spent(history: History) -> Cost:
    """What the training jobs that have ended, and those that run, have cost so far."""
    running = [(history.now - job.started_at).total_seconds() for job in history.running.values() if job.started_at]
    seconds = history.training_seconds + sum(max(0.0, each) for each in running)
    return _cost(history.spec, seconds * history.spec.definition.instance_count)


def saved(history: History) -> Cost | None:
    """About what the training jobs that were allowed but never launched would have cost, at the mean of the others.

    None without a limit on their number, or before one has ended.
    """
    limit, ended = history.spec.max_training_jobs, history.ended
    if limit is None or ended == 0:
        return None
    each = history.training_seconds / ended
    return _cost(history.spec, max(0, limit - history.launches) * each * history.spec.definition.instance_count)


def _cost(spec: TuningJobSpec, seconds: float) -> Cost:
    price = spec.price_per_hour
    return Cost(compute_seconds=seconds, money=None if price is None else seconds / HOUR * price)
