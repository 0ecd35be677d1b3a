"""Is it noise? What training jobs would have come to without chance, as far as a history tells.

Symbols, as in surrogate/gaussian_process.py: M the smooth trend's covariances (n, n), R those of the roughness, unscaled; t = q2 + v2 what the surrogate
gives both roughness and noise.

    p(y | s2 M + t I)  against  p(y | s2 M + t R)      all that the trend doesn't explain is noise, or all of it roughness
    ln odds = ln of their ratio - DOUBT
    expected value = value + chance (trend's posterior mean - value)

A rough objective and noise look the same until configurations lie near to each other: then roughness is alike, and noise isn't. The
surrogate itself takes nearly all for roughness until late, as its priors are for what makes a search good: one that believes in
noise comes back to where it has been. Here both get the same chance but for DOUBT, as most objectives that are tuned give the same again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alfine.core.ranges import Array
from alfine.surrogate.gaussian_process import Surrogate, cholesky, kernel_and_slope, squared_distances

DOUBT = 1.0


@dataclass(frozen=True, slots=True)
class Noise:
    """In targets. log_odds: of noise; deviation: its standard deviation, were it noise; trend: (q,) the objective without it."""

    log_odds: float
    deviation: float
    trend: Array

    @property
    def chance(self) -> float:
        return 1.0 / (1.0 + math.exp(-min(max(self.log_odds, -500.0), 500.0)))


def noise_of(surrogate: Surrogate, points: Array, own: Array | float = 0.0) -> Noise:
    """points: (q, d) where the trend is wanted; own: (n,) noise variances that observations have beside v2. O(n^3)."""
    from scipy.linalg import lapack

    theta, d, n = surrogate.theta, surrogate.geometry.dimension, len(surrogate.y)
    trend, rough, _ = kernel_and_slope(theta, d, squared_distances(surrogate.encoded, surrogate.encoded))
    rest = math.exp(theta[d + 1]) + math.exp(theta[d + 2])
    logs = []
    for unexplained in (
        rough * (rest / math.exp(theta[d + 2])),
        rest * np.eye(n),
    ):  # noise last: its solution is used below
        L = cholesky(trend + unexplained + own * np.eye(n))
        u, z = lapack.dtrtrs(L, np.column_stack([np.ones(n), surrogate.y]), lower=1)[0].T
        mean = float(u @ z / (u @ u))
        residual = z - mean * u
        logs.append(-0.5 * float(residual @ residual + math.log(u @ u)) - float(np.log(L.diagonal()).sum()))
    alpha = lapack.dtrtrs(L, residual, lower=1, trans=1)[0]
    encoded = surrogate.geometry.encode(surrogate.geometry.warp(points, theta), theta)
    across = kernel_and_slope(theta, d, squared_distances(encoded, surrogate.encoded))[0]
    return Noise(logs[1] - logs[0] - DOUBT, math.sqrt(rest), mean + across @ alpha)
