"""What the rest of the budget would still bring, and when which completion criterion will end the job.

Symbols: q_h(e) is ConvergenceDetected's probability that h more training jobs improve the best by more than e (see convergence.py), which
is made to be right where it ends jobs; S the spread. p_h(e) is the same made to be right everywhere:

    logit p = logit q + RECALIBRATED . (1, log10(e / S), log10(e / S)^2)

    gain        of the whole rest: p_rem is the survival function of what it gains; its 5 % and 95 % quantiles and its mean
    end         1 - p_h(1 % of the best) is the chance of no improvement within h training jobs; its steps are the hazard of an
                improvement at each, on each path by another factor, since nobody knows it so well. Paths are drawn by it, and each
                criterion says where on a path it would end the job

It's a forecast of this job with its own strategy, as good as p is calibrated; bench/stopping scores it. A criterion that it doesn't
know (another package's) is left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alfine.core import cost
from alfine.core.history import History
from alfine.core.policy import CompletionCriterion
from alfine.core.ranges import Array
from alfine.criteria.combinations import AllOf, AnyOf, AtLeast
from alfine.criteria.convergence import (
    LEAST_RESULTS,
    ConvergenceDetected,
    Evidence,
    logit,
    read_evidence,
    remaining,
    score_ahead,
)
from alfine.criteria.deadline import Deadline
from alfine.criteria.limits import MaxNumberOfTrainingJobs, MaxRuntimeInSeconds, SearchSpaceExhausted
from alfine.criteria.money import MaxCost
from alfine.criteria.not_before import NotBefore
from alfine.criteria.plateau import SIGNIFICANT, BestObjectiveNotImproving, not_improving
from alfine.criteria.steady import Steady
from alfine.criteria.target import TargetObjectiveMetricValue

PATHS = 400
LOW, HIGH = 0.05, 0.95
FRAILTY = 0.6  # standard deviation of the logarithm of a path's factor; without it ranges held the end too seldom

# Of the signals of convergence that aren't of time: how an improvement raises their part of p's logit, and how far it wanders for each
# e-fold of training jobs. Both by bench/stopping/fit.py.
RISE, WALK = 0.29, 0.96

# Of how long training jobs take: by how much the mean of what comes differs from that of what was, over the standard deviation of
# single ones; chosen by how often ranges held what came in recorded searches. Below ALIKE they all take as long.
DRIFT, LEAST_DRIFT, ALIKE = 0.45, 0.05, 1e-3
SIZES = tuple(10.0 ** (x / 6) for x in range(-18, 4))  # of gains, in units of the spread S
RECALIBRATED = (
    -0.906,
    -1.446,
    -0.326,
)  # by `bench/stopping/forecasts.py --fit`, for the weights that convergence.py has
HORIZONS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 350, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Ranges are (5 %, middle, 95 %): of gains, in units of the objective, the middle is the mean, else the median.

    gain: None before there are ten objectives. training_jobs: how many more will have ended when the job ends; None when no
    criterion that is known ends it. seconds: of wall time; money: at the job's price. chances: by criterion, of being the one.
    """

    remaining: int
    gain: tuple[float, float, float] | None
    training_jobs: tuple[float, float, float] | None
    seconds: tuple[float, float, float] | None
    money: tuple[float, float, float] | None
    chances: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        ranges = {
            "Gain": self.gain,
            "TrainingJobs": self.training_jobs,
            "Seconds": self.seconds,
            "Money": self.money,
        }
        return {
            "Remaining": self.remaining,
            **{name: dict(zip(("Low", "Middle", "High"), each, strict=True)) for name, each in ranges.items() if each},
            "Chances": dict(self.chances),
        }


def forecast_of(history: History, criteria: Sequence[CompletionCriterion]) -> Forecast:
    """The forecast for a job that runs, under these criteria."""
    rem = remaining(history)
    evidence = None
    if len(history.observations()[1]) >= LEAST_RESULTS and rem > 0:
        evidence = read_evidence(history, rem)[0]
    future = _Future(history, evidence, rem)
    ends: dict[str, Array] = {}
    for each in criteria:
        name, at = _named(each), future.ends(each)
        ends[name] = np.minimum(at, ends.get(name, at))  # of several of one kind the first to be met
    again = 0 if history.spec.repeats is None else history.spec.repeats.training_jobs
    cut = {_named(each) for each in criteria if getattr(each, "is_limit", False)} | {MaxNumberOfTrainingJobs.__name__}
    ends |= {name: at + again for name, at in ends.items() if name not in cut}
    names = [name for name, at in ends.items() if np.isfinite(at).any()]
    if not names:
        return Forecast(
            remaining=rem,
            gain=gain_of(evidence) if evidence else None,
            training_jobs=None,
            seconds=None,
            money=None,
            chances={},
        )
    table = np.stack([ends[name] for name in names])
    first, ended = table.min(0), np.isfinite(table.min(0))
    winners = Counter(names[index] for index in table.argmin(0)[ended])
    jobs = _range(first[ended])
    work = future.work(first[ended])
    seconds = None if work is None else _range(np.minimum(work / history.spec.max_parallel, _seconds_left(history)))
    price = (history.spec.price_per_hour or 0.0) / cost.HOUR
    paid = cost.compute_seconds(history) / history.training_seconds if history.training_seconds else math.nan
    return Forecast(
        remaining=rem,
        gain=gain_of(evidence) if evidence else None,
        training_jobs=jobs,
        seconds=seconds,
        money=None if work is None or not history.spec.price_per_hour else _range(work * paid * price),
        chances={name: count / PATHS for name, count in winners.most_common()},
    )


def _named(criterion: CompletionCriterion) -> str:
    """As its verdict will be: a floor and steadiness have no name of their own there."""
    return _named(criterion.criterion) if isinstance(criterion, NotBefore | Steady) else type(criterion).__name__


def chance(evidence: Evidence, size: float) -> float:
    """p(size) of the evidence's own horizon."""
    q = min(1.0 - 1e-12, max(1e-12, evidence.probability(size)))
    x = math.log10(size / evidence.spread)
    z = logit(q) + sum(weight * x**power for power, weight in enumerate(RECALIBRATED))
    return 1.0 / (1.0 + math.exp(-z))


def gain_of(evidence: Evidence) -> tuple[float, float, float]:
    """(5 %, mean, 95 %) of what the rest of the budget gains, in units of the objective."""
    sizes = np.array(SIZES) * evidence.spread
    p = np.maximum.accumulate(np.array([chance(evidence, size) for size in sizes])[::-1])[::-1]
    mean = float(sizes[0] * p[0] + float(((p[1:] + p[:-1]) / 2 * np.diff(sizes)).sum()))
    return _exceeded(sizes, p, HIGH), mean, _exceeded(sizes, p, LOW)


def _exceeded(sizes: Array, p: Array, probability: float) -> float:
    """The size that is exceeded with this probability; 0 where even the smallest is less likely."""
    if p[0] < probability:
        return 0.0
    last = int(np.flatnonzero(p >= probability)[-1])
    if last == len(sizes) - 1:
        return float(sizes[-1])
    share = (p[last] - probability) / max(p[last] - p[last + 1], 1e-12)
    return float(sizes[last] * (sizes[last + 1] / sizes[last]) ** share)


class _Future:
    """Paths of what may come, one row each: at which training jobs the best improves by 1 % or more."""

    def __init__(self, history: History, evidence: Evidence | None, rem: int) -> None:
        self.history, self.evidence, self.rem = history, evidence, rem
        self.rng = np.random.default_rng((history.spec.seed, history.ended))
        self.improves = np.zeros((PATHS, max(rem, 1)), dtype=bool)
        if evidence is not None:
            hazard = self._hazard(max(SIGNIFICANT * abs(evidence.best), 1e-3 * evidence.spread))
            luck = np.exp(FRAILTY * self.rng.standard_normal((PATHS, 1)))
            self.improves = self.rng.random((PATHS, rem)) < 1.0 - (1.0 - hazard) ** luck

    def _within(self, size: float) -> Array:
        """(rem,) p_h(size) for h = 1 … rem."""
        assert self.evidence is not None
        horizons = sorted({h for h in HORIZONS if h < self.rem} | {self.rem})
        p = [chance(replace(self.evidence, rem=h), size) for h in horizons]
        within = np.interp(np.arange(1, self.rem + 1), [0, *horizons], [0.0, *np.maximum.accumulate(p)])
        return np.asarray(within, dtype=float)

    def _hazard(self, size: float) -> Array:
        none = np.concatenate([[1.0], 1.0 - self._within(size)])
        return np.asarray(1.0 - none[1:] / np.maximum(none[:-1], 1e-12), dtype=float)

    def work(self, jobs: Array) -> Array | None:
        """(paths,) the training time of so many more training jobs each; None before one took any.

        Their mean is that of the later half so far, which are more like what comes. How far it's off: chance, and that the
        search goes on to where training takes another time.
        """
        finished = self.history.finished
        past = np.array([job.seconds for job in finished[len(finished) // 2 :]])
        if not past.any():
            return None
        mean, spread = float(past.mean()), float(past.std(ddof=1) / past.mean()) if len(past) > 1 else 1.0
        drift = max(LEAST_DRIFT, DRIFT * spread) if spread > ALIKE else 0.0
        chance = np.log1p(spread**2 * (1.0 / np.maximum(jobs, 1.0) + 1.0 / len(past)))
        return np.asarray(jobs * mean * np.exp(np.sqrt(chance + drift**2) * self.rng.standard_normal(len(jobs))))

    def ends(self, criterion: CompletionCriterion) -> Array:
        """(PATHS,) after how many more ended training jobs the criterion ends the job; infinity for never."""
        history, never = self.history, np.full(PATHS, math.inf)
        match criterion:
            case MaxNumberOfTrainingJobs():
                return np.full(PATHS, float(max(0, criterion.limit - history.ended)))
            case SearchSpaceExhausted():
                return np.full(PATHS, float(max(0, (history.spec.size or 0) - history.ended)))
            case MaxRuntimeInSeconds():
                return self._after_seconds(criterion.limit - history.elapsed_seconds)
            case Deadline():
                return self._after_seconds(float(criterion.check(history).evidence["seconds_left"]))
            case MaxCost():
                numbers = criterion.check(history).evidence
                each = numbers["mean_of_a_training_job"]
                return np.full(PATHS, max(0.0, criterion.limit - numbers["spent"]) / each) if each else never
            case BestObjectiveNotImproving():
                count = not_improving(history, strict=criterion.strict)
                return self._after_quiet(criterion.max_number_of_training_jobs_not_improving, count)
            case ConvergenceDetected() if self.evidence is not None:
                return self._after_convergence(self.evidence, criterion)
            case TargetObjectiveMetricValue() if self.evidence is not None:
                missing = self.evidence.best - history.sign * criterion.target
                within = self._within(missing) if missing > 0 else np.ones(self.rem)
                at = np.searchsorted(within, self.rng.random(PATHS)) + 1.0
                return np.where(at > self.rem, math.inf, at)
            case _:
                return self._ends_of_parts(criterion)

    def _ends_of_parts(self, criterion: CompletionCriterion) -> Array:
        """The same of a criterion made of others."""
        history = self.history
        match criterion:
            case AllOf() | AnyOf() | AtLeast():
                parts = np.sort(np.stack([self.ends(part) for part in criterion.criteria]), axis=0)
                return np.asarray(parts[criterion.needed - 1], dtype=float)
            case NotBefore():
                floors = [0.0, criterion.training_jobs - history.ended]
                floors += list(self._after_seconds(criterion.seconds - history.elapsed_seconds)[:1])
                return np.maximum(self.ends(criterion.criterion), max(each for each in floors if math.isfinite(each)))
            case Steady():
                return self.ends(criterion.criterion) + criterion.times - 1
            case _:
                return np.full(PATHS, math.inf)

    def _after_quiet(self, needed: int, count: int) -> Array:
        """When so many training jobs in a row haven't improved the best, `count` of which are there."""
        quiet, at = np.full(PATHS, count), np.full(PATHS, math.inf)
        for job in range(self.improves.shape[1] if self.rem > 0 else 0):
            quiet = np.where(self.improves[:, job], 0, quiet + 1)
            at = np.where((quiet >= needed) & np.isinf(at), job + 1.0, at)
        return at

    def _after_convergence(self, evidence: Evidence, criterion: ConvergenceDetected) -> Array:
        """When p falls below delta: its logit goes with the path's own improvements, and for the rest as a random walk in ln k."""
        eps, jobs = criterion.epsilon_of(evidence), np.arange(1, self.rem + 1)
        last = np.maximum.accumulate(np.where(self.improves, jobs, -evidence.since(eps)), axis=1)
        quiet = np.concatenate([np.full((PATHS, 1), evidence.since(eps)), jobs - last], axis=1)
        steps = np.sqrt(np.log1p(1.0 / (evidence.k + jobs - 1)))
        walk = np.cumsum(RISE * self.improves + WALK * steps * self.rng.standard_normal((PATHS, self.rem)), axis=1)
        below = score_ahead(evidence, eps, quiet)[:, 1:] + walk < logit(criterion.delta)
        below[:, -1] = False  # by then the budget is used up
        return np.where(below.any(1), below.argmax(1) + 1.0, math.inf)

    def _after_seconds(self, seconds: float) -> Array:
        history = self.history
        if not history.ended or history.training_seconds <= 0:
            return np.full(PATHS, math.inf)
        each = history.training_seconds / history.ended / history.spec.max_parallel
        return np.full(PATHS, max(0.0, seconds) / each)


def _range(values: Array) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, (LOW, 0.5, HIGH))
    return float(low), float(middle), float(high)


def _seconds_left(history: History) -> float:
    limit = history.spec.max_runtime_seconds
    return math.inf if limit is None else max(0.0, limit - history.elapsed_seconds)
