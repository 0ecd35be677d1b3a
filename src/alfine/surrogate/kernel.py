"""The kernel of the surrogate: how points are compared, and covariances. Symbols and sources are those of gaussian_process.py."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alfine.core.axis import Array
from alfine.core.space import ParameterSpace

RATIO = 0.1
"""Length scales of the roughness over those of the trend."""

WARP_EDGE = 1e-3
"""Distance from 0 and 1 within which the warp is constant: its slope may have a pole there."""

JITTER = 1e-10
"""First jitter of a Cholesky factor, relative to the mean of the diagonal: far above the rounding of a double, far below any noise."""

JITTER_GROWTH = 100.0
"""Factor of the jitter after each failure."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """The geometry of a space: how its points are compared.

    Attributes:
        categorical: (d,) which coordinates are categories.
        cells: (d,) how many values each coordinate has; infinity for a continuous one.
        logarithmic: (d,) which coordinates are on a logarithmic scale.
    """

    categorical: npt.NDArray[np.bool_]
    cells: Array
    logarithmic: npt.NDArray[np.bool_]

    @property
    def dimension(self) -> int:
        return len(self.categorical)

    def warp(self, X: Array, theta: Array) -> Array:
        """Return w(X) (n, d) of points (n, d); categories stay as they are.

        Args:
            X: (n, d) points of the unit cube.
            theta: (3d + 3,) parameters.
        """
        a, b = self._powers(theta)
        warped = 1.0 - (1.0 - np.clip(X, WARP_EDGE, 1.0 - WARP_EDGE) ** a) ** b
        return np.where(self.categorical, X, warped) if self.categorical.any() else warped

    def warp_slope(self, X: Array, theta: Array) -> Array:
        """Return dw/dx (n, d): 0 for categories, and at the edges, where the warp is constant."""
        a, b = self._powers(theta)
        x = np.clip(X, WARP_EDGE, 1.0 - WARP_EDGE)
        slope = a * b * (1.0 - x**a) ** (b - 1.0) * x ** (a - 1.0)
        return np.where(self.categorical | (x != X), 0.0, slope)

    def warp_slopes_by_powers(self, X: Array, theta: Array) -> tuple[Array, Array]:
        """Return dw/d ln a and dw/d ln b, each (n, d): 0 for categories."""
        a, b = self._powers(theta)
        x = np.clip(X, WARP_EDGE, 1.0 - WARP_EDGE)
        u = x**a
        rest = 1.0 - u
        by_a, by_b = a * b * rest ** (b - 1.0) * u * np.log(x), -b * rest**b * np.log(rest)
        return np.where(self.categorical, 0.0, by_a), np.where(self.categorical, 0.0, by_b)

    def _powers(self, theta: Array) -> tuple[Array, Array]:
        d = self.dimension
        return np.exp(theta[d + 3 : 2 * d + 3]), np.exp(theta[2 * d + 3 :])

    def encode(self, X: Array, theta: Array) -> Array:
        """Return (n, D): X / l, categories one-hot / (sqrt(2) l), so that Euclidean distances are r. X is warped already.

        Args:
            X: (n, d) warped points.
            theta: (3d + 3,) parameters.
        """
        scaled = np.exp(-theta[: self.dimension])
        if not self.categorical.any():
            return np.asarray(X * scaled)
        columns = [X[:, ~self.categorical] * scaled[~self.categorical]]
        for j in np.flatnonzero(self.categorical):
            k = int(self.cells[j])
            chosen = np.clip((X[:, j] * k).astype(int), 0, k - 1)
            columns.append(np.eye(k)[chosen] * (scaled[j] / math.sqrt(2.0)))
        return np.concatenate(columns, axis=1)

    def differences(self, X: Array) -> Array:
        """Return D_j of all pairs, (d, n n)."""
        D = X.T[:, :, None] - X.T[:, None, :]
        D[self.categorical] = D[self.categorical] != 0.0
        return np.square(D, out=D).reshape(len(D), -1)


def geometry_of(space: ParameterSpace) -> Geometry:
    """Return the geometry of a space."""
    return Geometry(space.categorical, space.cells, space.logarithmic)


def kernel(theta: Array, d: int, r2: Array) -> Array:
    """Return s2 M + q2 R for squared distances r^2 of any shape; d is the number of dimensions.

    Args:
        theta: (3d + 3,) parameters.
        d: The number of dimensions.
        r2: Squared distances r^2, in length scales.
    """
    r = np.sqrt(r2)
    a, c = math.sqrt(5.0) * r, (math.sqrt(3.0) / RATIO) * r
    trend = math.exp(theta[d]) * (1.0 + a + a * a / 3.0) * np.exp(-a)
    return np.asarray(trend + math.exp(theta[d + 2]) * (1.0 + c) * np.exp(-c))


def kernel_and_slope(theta: Array, d: int, r2: Array) -> tuple[Array, Array, Array]:
    """Return s2 M, q2 R and slope = -2 dK/d(r^2): for any parameter p, dK/dp = -slope/2 d(r^2)/dp.

    The arguments are those of `kernel`.
    """
    r = np.sqrt(r2)
    a, c = math.sqrt(5.0) * r, (math.sqrt(3.0) / RATIO) * r
    decay, fall = math.exp(theta[d]) * np.exp(-a), math.exp(theta[d + 2]) * np.exp(-c)
    a += 1.0
    slope = (5.0 / 3.0) * a * decay + (3.0 / RATIO**2) * fall
    return (a * a + a + 1.0) / 3.0 * decay, (1.0 + c) * fall, slope  # 1 + a + a^2/3, a being one more by now


def squared_distances(A: Array, B: Array) -> Array:
    """Return the squared distances (p, q) of points (p, D) and (q, D)."""
    r2 = (A * A).sum(1)[:, None] + (B * B).sum(1)[None, :] - 2.0 * (A @ B.T)
    return np.asarray(np.maximum(r2, 0.0))


def cholesky(K: Array) -> Array:
    """Return L with L L' = K plus the least jitter that makes the factorisation succeed.

    The jitter starts at JITTER times the mean of the diagonal and grows by JITTER_GROWTH. This ends: some multiple of I makes any finite
    symmetric matrix positive definite.

    Args:
        K: (n, n) symmetric, positive semidefinite but for rounding.

    Raises:
        FloatingPointError: K isn't finite.
    """
    from scipy.linalg import lapack

    scale = float(np.trace(K)) / max(1, len(K))
    if not math.isfinite(float(K.sum())):
        raise FloatingPointError("the covariance isn't finite.")
    jitter = JITTER * max(abs(scale), 1e-30)
    while True:
        L, failed = lapack.dpotrf(K + jitter * np.eye(len(K)), lower=1, clean=1)
        if not failed:
            return np.asarray(L)
        jitter *= JITTER_GROWTH
