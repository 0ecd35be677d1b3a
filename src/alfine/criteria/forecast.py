"""The forecast of a tuning job: what the rest of the budget would gain, and when which completion criterion will end the job.

    gain    of the whole rest: p_rem (future.py) is the survival function of what it gains; its 5 % and 95 % quantiles and its mean
    end     each criterion says where on each path of a `Future` it would end the job; the first to do so ends it

It's a forecast of this job with its own strategy, as good as p is calibrated: bench/stopping/forecasts.py scores it. Where a criterion
can't be forecast, the forecast says so and names no end.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alfine.core import cost
from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.protocols import CompletionCriterion, name_of
from alfine.core.wording import estimate, number, percent
from alfine.criteria.future import PATHS, Future, chance
from alfine.criteria.improvement import Evidence, integral

LOW, HIGH = 0.05, 0.95
"""The quantiles that a range goes from and to."""

# How long training jobs take.
DRIFT = 0.45
"""By how much the mean of those to come differs from the mean so far, over the standard deviation of single ones. Chosen by how often
ranges held what came in recorded searches."""

LEAST_DRIFT = 0.05
"""The least of that, as a share of the mean."""

ALIKE = 1e-3
"""Standard deviation over mean below which all are taken to last equally long."""

SIZES = tuple(10.0 ** (x / 6) for x in range(-18, 4))
"""Gains at which p is taken, in units of the spread S: 0.001 to 3.2."""

Range = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Forecast:
    """A forecast: what the rest of the budget would gain, and when the job will end.

    Ranges are (5 %, middle, 95 %): the middle of a gain is the mean, of all else the median.

    Attributes:
        remaining: Training jobs left in the budget.
        gain: What all of them would gain, in units of the objective; None before there are ten objectives.
        training_jobs: How many more will have ended when the job ends; None when no criterion ends it, or it can't be forecast.
        seconds: Wall time until then; None before a training job has taken any.
        money: What they will cost, at the job's price.
        chances: By criterion, the probability that it's the one that ends the job.
        unknown: Criteria that may end the job at any time, so that the job's end can't be forecast.
        errors: By criterion, what it raised when it was asked where it ends the job.
    """

    remaining: int
    gain: Range | None
    training_jobs: Range | None
    seconds: Range | None
    money: Range | None
    chances: Mapping[str, float]
    unknown: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        if self.training_jobs is None:
            return f"<Forecast: {self.unknown_reason or 'no criterion ends the job'}>"
        by, chance_of_it = next(iter(self.chances.items()))
        ahead = estimate(*self.training_jobs, write=lambda count: number(round(count)))
        return f"<Forecast: ends after {ahead} more training jobs, likely by {by} ({percent(chance_of_it)})>"

    @property
    def unknown_reason(self) -> str:
        """Return why the job's end can't be forecast, in words; "" where it can."""
        raised = [f"{name} raised {text}" for name, text in self.errors.items()]
        return "; ".join([f"{' or '.join(self.unknown)} may end the job at any time", *raised]) if self.unknown else ""

    def as_dict(self) -> dict[str, Any]:
        """Return the forecast as clients see it, in Describe's `Alfine.Forecast`."""
        ranges = {
            "Gain": self.gain,
            "TrainingJobs": self.training_jobs,
            "Seconds": self.seconds,
            "Money": self.money,
        }
        return {
            "Remaining": self.remaining,
            **{name: dict(zip(("Low", "Middle", "High"), row, strict=True)) for name, row in ranges.items() if row},
            "Chances": dict(self.chances),
            **({"Unknown": list(self.unknown), "UnknownReason": self.unknown_reason} if self.unknown else {}),
        }


def forecast_of(history: History, criteria: Sequence[CompletionCriterion]) -> Forecast:
    """Return the forecast for a job that runs.

    Args:
        history: The history as it is now.
        criteria: The job's completion criteria.
    """
    future = Future(history)
    gain = gain_of(future.evidence) if future.evidence else None
    ends: dict[str, Array] = {}
    for criterion in criteria:
        name, end = name_of(criterion), future.ends(criterion)
        ends[name] = np.minimum(end, ends.get(name, end))  # of several of one kind the first to be met
    unknown = tuple(name for name, end in ends.items() if np.isnan(end).any())
    possible = {name: end for name, end in ends.items() if np.isfinite(end).any()}
    if unknown or not possible:
        return Forecast(
            remaining=future.rem,
            gain=gain,
            training_jobs=None,
            seconds=None,
            money=None,
            chances={},
            unknown=unknown,
            errors=future.errors,
        )
    limits = {name_of(criterion) for criterion in criteria if getattr(criterion, "is_limit", False)}
    jobs, winners = _first(history, possible, limits)
    work, parallel = _work(future, jobs), history.spec.max_parallel
    if work is not None:
        work = np.minimum(work, _seconds_left(history) * parallel)
    price = history.spec.price_per_hour
    paid = cost.compute_seconds(history) / history.training_seconds if history.training_seconds else math.nan
    return Forecast(
        remaining=future.rem,
        gain=gain,
        training_jobs=_range(jobs),
        seconds=None if work is None else _range(work / parallel),
        money=None if work is None or not price else _range(work * paid * price / cost.HOUR),
        chances={name: count / PATHS for name, count in winners.most_common()},
    )


def _first(history: History, ends: Mapping[str, Array], limits: set[str]) -> tuple[Array, Counter[str]]:
    """Return after how many more training jobs the paths end, (m,), and how often each criterion is the first.

    Once the search has ended, the best may be run again: that takes more training jobs, unless a limit ends or cuts it short.
    """
    names, table = list(ends), np.stack(list(ends.values()))
    first, by = table.min(0), table.argmin(0)
    repeats, limit = history.spec.repeats, history.spec.max_training_jobs
    is_limit = np.array([name in limits for name in names])
    if repeats is not None:
        cut = np.min(table[is_limit], axis=0, initial=math.inf if limit is None else max(0, limit - history.ended))
        first = np.where(is_limit[by], first, np.minimum(first + repeats.training_jobs, cut))
    ended = np.isfinite(table.min(0))
    return first[ended], Counter(names[index] for index in by[ended])


def _work(future: Future, jobs: Array) -> Array | None:
    """Return the training time, in seconds, of so many more training jobs each, (m,); None before one took any.

    Their mean is that of the later half so far, which are more like what comes. How far it's off: chance, and that the
    search goes on to where training takes another time.
    """
    finished = future.history.finished
    past = np.array([job.seconds for job in finished[len(finished) // 2 :]])
    if not past.any():
        return None
    mean, spread = float(past.mean()), float(past.std(ddof=1) / past.mean()) if len(past) > 1 else 1.0
    drift = max(LEAST_DRIFT, DRIFT * spread) if spread > ALIKE else 0.0
    by_chance = np.log1p(spread**2 * (1.0 / np.maximum(jobs, 1.0) + 1.0 / len(past)))
    return np.asarray(jobs * mean * np.exp(np.sqrt(by_chance + drift**2) * future.normal(len(jobs))))


def gain_of(evidence: Evidence) -> Range:
    """Return what the rest of the budget gains, in units of the objective: its 5 % quantile, mean and 95 % quantile."""
    sizes = np.array(SIZES) * evidence.spread
    p = np.maximum.accumulate(np.array([chance(evidence, size) for size in sizes])[::-1])[::-1]
    return _exceeded(sizes, p, HIGH), float(integral(sizes, p)), _exceeded(sizes, p, LOW)


def _exceeded(sizes: Array, p: Array, probability: float) -> float:
    """Return the size that is exceeded with this probability; 0 where even the smallest is less likely."""
    if p[0] < probability:
        return 0.0
    last = int(np.flatnonzero(p >= probability)[-1])
    if last == len(sizes) - 1:
        return float(sizes[-1])
    share = (p[last] - probability) / max(p[last] - p[last + 1], 1e-12)
    return float(sizes[last] * (sizes[last + 1] / sizes[last]) ** share)


def _range(values: Array) -> Range:
    low, middle, high = np.quantile(values, (LOW, 0.5, HIGH))
    return float(low), float(middle), float(high)


def _seconds_left(history: History) -> float:
    limit = history.spec.max_runtime_seconds
    return math.inf if limit is None else max(0.0, limit - history.elapsed_seconds)
