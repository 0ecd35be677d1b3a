"""An estimate of how good the best configuration really is: the best of many noisy results was also lucky.

Symbols: X (n, d), y (n,) results as targets (gaussian_process.py), x* the best one's configuration; f the objective without noise.

    K = s^2 (M + tau ((1 - phi) R + phi I))     M the smooth trend, R the roughness, I the noise
    R     correlated over a short distance; where configurations were run again, also: equal for the same configuration, else uncorrelated
    tau   variance of everything that the trend doesn't explain, over that of the trend
    phi   the share of it that is noise, which another run of the same configuration wouldn't repeat

What the trend doesn't explain may be roughness or noise, and hardly anything but another run of the same configuration shows which. So
neither is decided on: the posteriors of f(x*) for all (tau, phi) of a grid, and for a few stretches of the length scales, are mixed by how
likely each makes the results. The mixture's mean shrinks the best result towards what its neighbours say. Its quantiles are wide
while nothing decides between the two, and narrow once repeats have come in. A posterior needs no correction for the selection of the
best (Dawid 1994, «Selection paradoxes of Bayesian inference») as far as its prior is right: docs/explanation/stopping.md measures how
often the interval holds the truth.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.training_job import TrainingJob
from alfine.core.wording import number
from alfine.surrogate.kernel import RATIO, Geometry, cholesky, geometry_of, squared_distances
from alfine.surrogate.model import evidence_of, theta_at
from alfine.surrogate.output_scale import Scale
from alfine.surrogate.threads import one_thread

ESTIMATE: MemoKey[Estimate | None] = MemoKey(__name__, "estimate")

LEAST_RESULTS = 10
"""Least number of objectives for an estimate."""

NEAREST = 50
"""Number of results nearest to x* that the estimate rests on."""

SPREAD = 50
"""Number of further results, spread evenly over time: chosen by no result."""

TAUS = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""The grid of tau."""

PHIS = {0.0: 1.0, 0.3: 1.0, 0.6: 2.0, 0.85: 2.0, 1.0: 2.0}
"""The grid of phi, with prior weights."""

SCATTERED = 0.1
"""Prior weight of an uncorrelated roughness, as of a fixed random seed, against a correlated one."""

STRETCHES = (1.0, 2.0, 4.0)
"""Factors of the length scales: a fit to noisy results makes them too short."""

COVERED = 0.9
"""Probability of the interval."""

# No model of the grid is right (noise differs from place to place; the warp is taken as known). The next two were chosen by how often
# intervals held the truth.

TEMPER = 0.5
"""Exponent of the likelihoods."""

WIDER = 1.2
"""Factor of the standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Estimate:
    """An estimate of the best training job's true worth, in units of the objective.

    Attributes:
        training_job: Its name.
        observed: Its objective.
        value: The estimate of its objective without noise.
        low: Lower end of the 90 % interval.
        high: Upper end of the 90 % interval.
        luck: By how much the estimate is worse than the observed objective.
        noise: Standard deviation of one result around the objective without noise.
        runs: How often its configuration gave an objective.
    """

    training_job: str
    observed: float
    value: float
    low: float
    high: float
    luck: float
    noise: float
    runs: int

    def __repr__(self) -> str:
        return f"<Estimate {number(self.value)}, 90 % range {number(self.low)} to {number(self.high)}>"

    def as_dict(self) -> dict[str, Any]:
        return {
            "TrainingJobName": self.training_job,
            "Observed": self.observed,
            "Value": self.value,
            "Low": self.low,
            "High": self.high,
            "Luck": self.luck,
            "Noise": self.noise,
            "Runs": self.runs,
        }


def estimate(history: History) -> Estimate | None:
    """Return what the best training job is really worth; None before ten objectives, and without hyperparameters to tune."""
    best = history.incumbent
    if best is None or best.objective is None:
        return None
    part = history.of(best.definition)
    if len(part.observations()[1]) < LEAST_RESULTS or part.spec.space.dimension == 0:
        return None
    observed = best.objective

    def compute() -> Estimate | None:
        try:
            with one_thread(), np.errstate(all="ignore"):
                return _estimated(part, best, observed)
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):
            return None

    return history.remembered(ESTIMATE.of(part.ended, best.number), compute)


def _estimated(history: History, best: TrainingJob, observed: float) -> Estimate | None:
    X, v = evidence_of(history)
    point, scale = history.spec.space.to_unit(best.hyperparameters), Scale.of(v)
    if np.ptp(v) == 0.0:
        return None
    chosen = _chosen(X, point)
    mean, variance, weights, noise = mixture(
        geometry_of(history.spec.space), theta_at(history, len(v)), X[chosen], scale.targets(v[chosen]), point
    )
    ends = [quantile(mean, variance, weights, 0.5 * (1.0 + side * COVERED)) for side in (-1, 1)]
    middle = min(max(float(weights @ mean), ends[0]), ends[1])  # models of no weight can pull the mean far out
    low, value, high = (
        scale.best + scale.spread * (scale.width * target + scale.centre) for target in (ends[0], middle, ends[1])
    )
    sign = history.sign
    ends = sorted((sign * low, sign * high))
    return Estimate(
        training_job=best.name,
        observed=observed,
        value=sign * value,
        low=ends[0],
        high=ends[1],
        luck=value - sign * observed,
        noise=float(weights @ noise) * scale.unit,
        runs=int((np.abs(history.observations()[0] - point).max(1) == 0.0).sum()),
    )


def _chosen(X: Array, point: Array) -> npt.NDArray[np.intp]:
    n = len(X)
    near = np.argsort(np.abs(X - point).sum(1), kind="stable")[:NEAREST]
    return np.union1d(near, np.linspace(0, n - 1, min(n, SPREAD)).astype(int))


def mixture(geometry: Geometry, theta: Array, X: Array, y: Array, point: Array) -> tuple[Array, Array, Array, Array]:
    """Return the means and variances of f(point) for every model of the grid, their weights, and the noise's standard deviations.

    All are (models,) and in targets.

    Args:
        geometry: How the points are compared.
        theta: (3d + 3,) parameters of the surrogate.
        X: (n, d) points.
        y: (n,) targets.
        point: (d,) the best configuration.
    """
    from scipy.linalg import lapack

    n = len(y)
    encoded = geometry.encode(geometry.warp(np.concatenate([X, point[None]]), theta), theta)
    r = np.sqrt(squared_distances(encoded, encoded))
    same = (encoded[:, None] == encoded[None]).all(2)
    r[same] = 0.0
    c = (math.sqrt(3.0) / RATIO) * r
    roughs = [((1.0 + c) * np.exp(-c), 1.0)]
    if same[:n, :n].sum() > n:  # without repeats it looks like noise
        roughs.append((same.astype(float), SCATTERED))
    models = []
    for stretch, (R, prior) in itertools.product(STRETCHES, roughs):
        a = math.sqrt(5.0) / stretch * r
        M = (1.0 + a + a * a / 3.0) * np.exp(-a)
        for tau, phi in itertools.product(TAUS, PHIS):
            f = M + tau * (1.0 - phi) * R
            L = cholesky(f[:n, :n] + tau * phi * np.eye(n))
            solved, _ = lapack.dtrtrs(L, np.column_stack([np.ones(n), y, f[:n, n]]), lower=1)
            u, z, k = solved.T
            mean = float(u @ z / (u @ u))
            residual = z - mean * u
            s2 = float(residual @ residual) / max(1, n - 1)
            log = -0.5 * ((n - 1) * math.log(s2) + math.log(float(u @ u))) - float(np.log(L.diagonal()).sum())
            rest = float(1.0 - u @ k)
            variance = s2 * (float(f[n, n] - k @ k) + rest * rest / float(u @ u))
            log = TEMPER * log + math.log(PHIS[phi] * prior)
            models.append((mean + float(k @ residual), WIDER**2 * max(variance, 0.0), log, math.sqrt(s2 * tau * phi)))
    means, variances, logs, noises = np.array(models).T
    weights = np.exp(logs - logs.max())
    return means, variances, weights / weights.sum(), noises


def quantile(mean: Array, variance: Array, weights: Array, share: float) -> float:
    """Return the quantile of a mixture of normal distributions, found by bisection.

    Args:
        mean: (models,) means.
        variance: (models,) variances.
        weights: (models,) weights with sum 1.
        share: The probability below the quantile.
    """
    from scipy.special import ndtr

    sigma = np.sqrt(variance) + 1e-12
    low, high = float((mean - 9.0 * sigma).min()), float((mean + 9.0 * sigma).max())
    for _ in range(60):
        middle = 0.5 * (low + high)
        below = float(weights @ ndtr((middle - mean) / sigma))
        low, high = (middle, high) if below < share else (low, middle)
    return 0.5 * (low + high)
