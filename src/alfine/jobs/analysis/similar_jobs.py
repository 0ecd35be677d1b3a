"""What a tuning job will likely take, told by past jobs that were like it: training jobs, time and money.

Each past job's record is replayed under the new job's criteria and limits: where they would have ended it is what the new job may
take. A record that ends before they would have is gone on with by the forecast at its end (criteria/forecast.py). So few and so
different jobs allow no distribution: told are the middle of them and the range that they span.

Like: the same program (image, entry point), objective and names of hyperparameters. If some also have the same ranges, static
hyperparameters, channels and instances, only those are looked at.
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
from alfine.core.policy import Outlook
from alfine.core.replay import replay
from alfine.core.spec import TuningJobSpec
from alfine.criteria import criteria_for
from alfine.criteria.forecast import forecast_of
from alfine.jobs.policy_for import policy_for

Range = tuple[float, float, float]  # the least, the middle, the most

MOST_JOBS = 5  # the latest ones: older ones say less, and each takes seconds to replay
PROGRAM = ("sagemaker_program", "alfine_command", "alfine_function")  # static hyperparameters that say what runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Likely:
    """Each range spans the past jobs. same: they had the same data, settings and ranges, too. ended_by: by criterion, how many
    of them it would have ended; «forecast» where the record ends before.
    """

    jobs: tuple[str, ...]
    same: bool
    training_jobs: Range
    seconds: Range  # of wall time
    compute_seconds: Range
    money: Range | None
    ended_by: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        ranges = {
            "TrainingJobs": self.training_jobs,
            "RuntimeInSeconds": self.seconds,
            "ComputeSeconds": self.compute_seconds,
            "Money": self.money,
        }
        return {
            "FromTuningJobs": list(self.jobs),
            "SameDataAndSettings": self.same,
            **{name: dict(zip(("Low", "Middle", "High"), each, strict=True)) for name, each in ranges.items() if each},
            "EndedBy": dict(self.ended_by),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What one past job says of the new one."""

    job: str
    training_jobs: Range
    each_seconds: float
    ended_by: str


def likely(
    spec: TuningJobSpec,
    past: Sequence[TuningJobSpec],
    history_of: Callable[[str], History],
    *,
    replaying: bool = True,
) -> Likely | None:
    """None without a past job that tells. past: of jobs that have ended, the latest last; history_of: a past job's, by its name.

    replaying: False looks only at past jobs that had the criteria of this one, which takes no time.
    """
    alike = [each for each in past if is_like(spec, each)]
    same = [each for each in alike if _details(spec) == _details(each)]
    chosen = list(reversed(same or alike))
    if not replaying:
        criteria = criteria_for(spec)
        chosen = [each for each in chosen if criteria_for(each) == criteria]
    outcomes = [found for each in chosen[:MOST_JOBS] if (found := _outcome(spec, history_of(each.name))) is not None]
    if not outcomes:
        return None
    instances, price = spec.definition.instance_count, spec.price_per_hour
    seconds = _span(_times(each.training_jobs, each.each_seconds) for each in outcomes)
    if spec.max_runtime_seconds is not None:
        most = spec.max_runtime_seconds * spec.max_parallel
        seconds = (min(seconds[0], most), min(seconds[1], most), min(seconds[2], most))
    compute = _times(seconds, instances)
    return Likely(
        jobs=tuple(each.job for each in outcomes),
        same=bool(same),
        training_jobs=_span(each.training_jobs for each in outcomes),
        seconds=_times(seconds, 1.0 / spec.max_parallel),
        compute_seconds=compute,
        money=None if price is None else _times(compute, price / HOUR),
        ended_by=Counter(each.ended_by for each in outcomes),
    )


def is_like(spec: TuningJobSpec, past: TuningJobSpec) -> bool:
    """Whether a past job tells something of this one. Jobs of several definitions don't: whose turn it is depends on all."""
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


def _outcome(spec: TuningJobSpec, record: History) -> _Outcome | None:
    if record.incumbent is None or record.training_seconds <= 0:
        return None
    each = record.training_seconds / record.ended
    if criteria_for(record.spec) == criteria_for(spec) and record.stop_requested_at is None:
        jobs = float(record.launches)
        policy = policy_for(record.spec)
        return _Outcome(
            job=record.spec.name,
            training_jobs=(jobs, jobs, jobs),
            each_seconds=each,
            ended_by=policy.verdict(record).criterion,
        )
    asked = dataclasses.replace(
        record.spec,
        max_parallel=spec.max_parallel,
        max_training_jobs=spec.max_training_jobs,
        max_runtime_seconds=spec.max_runtime_seconds,
        target=spec.target,
        max_not_improving=spec.max_not_improving,
        detect_convergence=spec.detect_convergence,
        settings=spec.settings,
    )
    policy = policy_for(asked)
    replayed = replay(_unchanged(record), policy, under=record.under(asked))
    jobs, verdict = float(replayed.training_jobs), replayed.verdict
    if verdict.outlook is not Outlook.CONTINUE and verdict.status != "Stopped":
        return _Outcome(
            job=record.spec.name, training_jobs=(jobs, jobs, jobs), each_seconds=each, ended_by=verdict.criterion
        )
    allowed = float(spec.most_training_jobs)
    low, middle, high = forecast_of(replayed.history, policy.criteria).training_jobs or (0.0, allowed, allowed)
    ended = float(replayed.history.ended)
    gone_on = (min(ended + low, allowed), min(ended + middle, allowed), min(ended + high, allowed))
    return _Outcome(job=record.spec.name, training_jobs=gone_on, each_seconds=each, ended_by="forecast")


def _unchanged(record: History) -> History:
    """The record without the user's changes of limits and criteria, which the new job's take the place of."""
    if not any(isinstance(fact, Changed) for fact in record.facts):
        return record
    plain = record.under(record.first_spec)
    for fact in record.facts:
        if not isinstance(fact, Changed):
            plain.record(fact)
    return plain


def _span(ranges: Iterable[Range]) -> Range:
    lows, middles, highs = zip(*ranges, strict=True)
    return min(lows), float(median(middles)), max(highs)


def _times(values: Range, factor: float) -> Range:
    low, middle, high = values
    return low * factor, middle * factor, high * factor
