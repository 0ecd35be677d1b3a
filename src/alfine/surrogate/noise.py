"""Noise of the objective: how likely it is, and the results without it, as far as a history shows.

Symbols, as in gaussian_process.py: M covariances (n, n) of the smooth trend, R those of the roughness, both unscaled; t = q2 + v2, what the
surrogate gives roughness and noise together.

    p(y | s2 M + t I)  against  p(y | s2 M + t R)      everything that the trend doesn't explain is noise, or all of it is roughness
    ln odds = ln of their ratio - DOUBT
    expected value = value + chance (trend's posterior mean - value)

A rough objective and noise look the same until configurations lie near each other: then roughness is alike, and noise isn't. The surrogate
itself takes nearly everything for roughness until late, because its priors serve the search: a search that believes in noise returns to
places where it has been. Here both have the same prior odds except for DOUBT, because most objectives that people tune give the
same result again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alfine.core.axis import Array
from alfine.surrogate.gaussian_process import Surrogate
from alfine.surrogate.kernel import cholesky, kernel_and_slope, squared_distances

DOUBT = 1.0
"""Prior log odds of roughness against noise."""


@dataclass(frozen=True, slots=True)
class Noise:
    """An estimate of the noise of an objective.

    Attributes:
        log_odds: Log odds of noise against roughness.
        deviation: The noise's standard deviation in targets, if it is noise.
        trend: (q,) the objective without it, in targets.
    """

    log_odds: float
    deviation: float
    trend: Array

    @property
    def chance(self) -> float:
        """The probability of noise, from 0 to 1."""
        return 1.0 / (1.0 + math.exp(-min(max(self.log_odds, -500.0), 500.0)))


def noise_of(surrogate: Surrogate, points: Array, noise_variances: Array | float = 0.0) -> Noise:
    """Return what the surrogate's observations say about noise; costs O(n^3).

    Args:
        surrogate: The posterior of the objective.
        points: (q, d) points where the trend is wanted.
        noise_variances: (n,) variances of the observations' own noise, in addition to v2.
    """
    from scipy.linalg import lapack

    theta, d, n = surrogate.theta, surrogate.geometry.dimension, len(surrogate.y)
    trend, rough, _ = kernel_and_slope(theta, d, squared_distances(surrogate.encoded, surrogate.encoded))
    rest = math.exp(theta[d + 1]) + math.exp(theta[d + 2])
    logs = []
    for unexplained in (
        rough * (rest / math.exp(theta[d + 2])),
        rest * np.eye(n),
    ):  # noise last: its solution is used below
        L = cholesky(trend + unexplained + noise_variances * np.eye(n))
        u, z = lapack.dtrtrs(L, np.column_stack([np.ones(n), surrogate.y]), lower=1)[0].T
        mean = float(u @ z / (u @ u))
        residual = z - mean * u
        logs.append(-0.5 * float(residual @ residual + math.log(u @ u)) - float(np.log(L.diagonal()).sum()))
    alpha = lapack.dtrtrs(L, residual, lower=1, trans=1)[0]
    encoded = surrogate.geometry.encode(surrogate.geometry.warp(points, theta), theta)
    across = kernel_and_slope(theta, d, squared_distances(encoded, surrogate.encoded))[0]
    return Noise(logs[1] - logs[0] - DOUBT, math.sqrt(rest), mean + across @ alpha)
