"""The surrogate: a Gaussian process that the Bayesian strategy and ConvergenceDetected share.

Symbols and shapes:

    X (n, d)   points of the unit cube                 y (n,)   targets: objectives after `Scale`, smaller is better
    w_j(u) = 1 - (1 - u^a_j)^b_j                       the warp of a numeric coordinate: Kumaraswamy's distribution function
    l (d,)     length scales, one a coordinate         s2, q2, v2   variance of the trend, the roughness and the noise
    theta (3d + 3,) = ln l_1 … ln l_d, ln s2, ln v2, ln q2, ln a_1 … ln a_d, ln b_1 … ln b_d
    m          constant mean, profiled out by generalised least squares
    K (n, n) = s2 M(r) + q2 R(r / RATIO) + v2 I = L L'                    alpha = K^-1 (y - m)

    r^2(x, x') = sum_j D_j(x, x') / l_j^2              D_j = (w_j(x_j) - w_j(x'_j))^2; for a category 0 where equal, else 1
    M(r) = (1 + a + a^2/3) exp(-a),  a = sqrt(5) r     Matérn 5/2: Rasmussen and Williams 2006, equation 4.17
    R(r) = (1 + a) exp(-a),  a = sqrt(3) r             Matérn 3/2

The roughness is what a smooth trend can't follow and yet isn't chance: validation losses of small data jump with every
hyperparameter, but the same configuration gives the same loss. Were it taken for noise, the search would come back to the
same spot again and again. The warp lets a coordinate matter at one end of its range more than at the other.

theta is the maximum a posteriori under log-normal priors; the median length scale grows with sqrt(d), so that a typical
pair of points stays as correlated in many dimensions as in few (Hvarfner et al. 2024, «Vanilla Bayesian optimization
performs great in high dimensions»). docs/explanation/search.md says what each part gains.

References: Rasmussen and Williams 2006, «Gaussian processes for machine learning», algorithm 2.1 and equation 5.9;
Jones et al. 1998, «Efficient global optimization of expensive black-box functions», equation 15; Ament et al. 2023, «Unexpected
improvements to expected improvement for Bayesian optimization», equation 9; Snoek et al. 2014, «Input warping for Bayesian optimization
of non-stationary functions».
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from alfine.core.axis import Array
from alfine.core.space import ParameterSpace

# Priors of theta as (median, standard deviation of the logarithm), chosen by how well the surrogate predicted what searches
# evaluated next: docs/explanation/search.md. Length scales are in cube edges, in one dimension.

LOGARITHMIC_LENGTH = 0.35
"""Median length scale of a logarithmic range, where results change faster: it mostly spans more of what a hyperparameter could be."""

LINEAR_LENGTH = 0.7
"""Median length scale of any other range."""

CATEGORY_LENGTH = 1.1
"""Median length scale between categories."""

LENGTH_SIGMA = 0.5
"""Standard deviation of the logarithm of a length scale."""

SIGNAL_MEDIAN, SIGNAL_SIGMA = 1.0, 1.0
"""Prior of the trend's variance s2, in squared targets."""

NOISE_MEDIAN, NOISE_SIGMA = 1e-4, 2.0
"""Prior of the noise variance v2, in squared targets."""

ROUGH_MEDIAN, ROUGH_SIGMA = 0.03, 1.5
"""Prior of the roughness's variance q2, in squared targets."""

WARP_SIGMA = 0.3
"""Standard deviation of ln a and ln b of the warp; the median is the identity, a = b = 1."""

RATIO = 0.1
"""Length scales of the roughness over those of the trend."""

# Bounds of theta. Outside them a coordinate is irrelevant, or K is too near singular for double precision.

LENGTH_BOUNDS = (0.02, 100.0)
"""Bounds of a length scale, in cube edges."""

SIGNAL_BOUNDS = (0.02, 50.0)
"""Bounds of s2, in squared targets."""

NOISE_BOUNDS = (1e-6, 1.0)
"""Bounds of v2, in squared targets."""

ROUGH_BOUNDS = (1e-5, 10.0)
"""Bounds of q2, in squared targets."""

WARP_BOUNDS = (0.2, 5.0)
"""Bounds of a and b."""

WARP_EDGE = 1e-3
"""Distance from 0 and 1 within which the warp is constant: its slope may have a pole there."""

JITTER = 1e-10
"""First jitter of a Cholesky factor, relative to the mean of the diagonal: far above the rounding of a double, far below any noise."""

JITTER_GROWTH = 100.0
"""Factor of the jitter after each failure."""

COLD_ITERATIONS = 15
"""L-BFGS iterations of a fit that starts at the prior's median."""

WARM_ITERATIONS = 6
"""L-BFGS iterations of a fit that starts at the fit before."""

FIT_POINTS = 120
"""Largest number of points that theta is fitted to: an L-BFGS step costs O(n^3)."""

LATEST_SHARE = 4
"""One in this many of the points of the posterior is one of the latest; the others are the best."""

FAR = 30.0
"""Largest distance from the centre, in targets, that a value on the way counts with."""

FIRST_VALUES = 20
"""Number of first values that the spread S is measured on: any strategy draws them from all over the space."""

SMALLEST = 1e-300
"""Least spread S: a share of it must still be a number."""


@cache
def _blas() -> Any:
    import scipy.linalg  # noqa: F401 - loads its BLAS before the controller looks for libraries
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Return a context that limits BLAS to one thread.

    On a machine that trains meanwhile, a fit with two threads took 17 times as long. Looking up the libraries takes 2 ms, once; each use
    0.03 ms.
    """
    limit: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return limit


# -- the output scale ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scale:
    """The transformation from minimised objectives v to targets y.

    t = (v - best) / spread, its logarithm above 1, then standardised. The spread is the median of the first 20 values minus the best: one
    absurd value hardly moves it.
    """

    best: float
    spread: float
    centre: float
    width: float

    @classmethod
    def of(cls, values: Array) -> Self:
        """Return the scale of the values (n,): finite, n >= 1."""
        best = float(values.min())
        spread = spread_of(values)
        t = _tame((values - best) / spread)
        width = float(t.std())
        return cls(best, spread, float(t.mean()), width if width > 0 else 1.0)

    def targets(self, values: Array) -> Array:
        """Return the targets of minimised objectives."""
        return (_tame((values - self.best) / self.spread) - self.centre) / self.width

    def values(self, targets: Array) -> Array:
        """Return the minimised objectives of targets: the inverse of `targets`."""
        t = targets * self.width + self.centre
        return np.asarray(self.best + self.spread * np.where(t > 1.0, np.exp(np.minimum(t, FAR) - 1.0), t))

    def curve(self, values: Array) -> Array:
        """Return the targets of values on a learning curve, cut off FAR from the centre."""
        return np.clip(self.targets(values), -FAR, FAR)

    @property
    def unit(self) -> float:
        """The difference of objectives that equals a difference of 1 in targets, near the best."""
        return self.width * self.spread


def _tame(t: Array) -> Array:
    """Return t with logarithms above 1, the typical random configuration: diverged training jobs don't flatten the good region."""
    return np.where(t > 1.0, 1.0 + np.log(np.maximum(t, 1.0)), t)


def spread_of(values: Array) -> float:
    """Return S: the median of the first 20 values minus the best; if that is 0 the interquartile range; if that is 0 1e-6 |best|."""
    best = float(values.min())
    spread = float(np.median(values[:FIRST_VALUES])) - best
    if not spread > SMALLEST:
        spread = float(np.subtract(*np.percentile(values, [75, 25])))
    return spread if spread > SMALLEST else max(1e-6 * abs(best), SMALLEST)


# -- the kernel ------------------------------------------------------------------------------------------------------


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
        """Return w(X) (n, d) of points (n, d); categories stay as they are."""
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
        """Return (n, D): X / l, categories one-hot / (sqrt(2) l), so that Euclidean distances are r. X is warped already."""
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
    """Return s2 M + q2 R for squared distances r^2 of any shape; d is the number of dimensions."""
    r = np.sqrt(r2)
    a, c = math.sqrt(5.0) * r, (math.sqrt(3.0) / RATIO) * r
    trend = math.exp(theta[d]) * (1.0 + a + a * a / 3.0) * np.exp(-a)
    return np.asarray(trend + math.exp(theta[d + 2]) * (1.0 + c) * np.exp(-c))


def kernel_and_slope(theta: Array, d: int, r2: Array) -> tuple[Array, Array, Array]:
    """Return s2 M, q2 R and slope = -2 dK/d(r^2): for any parameter p, dK/dp = -slope/2 d(r^2)/dp."""
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


# -- fitting theta ---------------------------------------------------------------------------------------------------


def prior_of(geometry: Geometry) -> tuple[Array, Array]:
    """Return the prior's medians (as logarithms) and standard deviations of theta, each (3d + 3,)."""
    dimension = geometry.dimension
    number = np.where(geometry.logarithmic, LOGARITHMIC_LENGTH, LINEAR_LENGTH)
    length = np.where(geometry.categorical, CATEGORY_LENGTH, number)
    median = theta_of(dimension, length, SIGNAL_MEDIAN, NOISE_MEDIAN, ROUGH_MEDIAN)
    sigma = [LENGTH_SIGMA] * dimension + [SIGNAL_SIGMA, NOISE_SIGMA, ROUGH_SIGMA] + [WARP_SIGMA] * (2 * dimension)
    return median, np.array(sigma)


def theta_of(dimension: int, length: float | Array, signal: float, noise: float, rough: float) -> Array:
    """Return the theta without a warp of these length scales, given for one dimension: (d,) or one for all."""
    lengths = np.broadcast_to(np.asarray(length) * math.sqrt(max(1, dimension)), dimension)
    return np.log([*lengths, signal, noise, rough, *[1.0] * (2 * dimension)])


def _bounds(dimension: int) -> Array:
    bounds = [LENGTH_BOUNDS] * dimension + [SIGNAL_BOUNDS, NOISE_BOUNDS, ROUGH_BOUNDS] + [WARP_BOUNDS] * (2 * dimension)
    return np.log(bounds)


def negative_log_posterior(
    theta: Array, geometry: Geometry, X: Array, y: Array, noise_variances: Array | float = 0.0
) -> tuple[float, Array]:
    """Return -ln p(y | theta) - ln p(theta) up to a constant, and its gradient (3d + 3,).

    The mean is profiled, so by the envelope theorem it adds no term to the gradient.

    Args:
        theta: (3d + 3,) parameters.
        geometry: How the points are compared.
        X: (n, d) points.
        y: (n,) targets.
        noise_variances: (n,) variances of the observations' own noise, in addition to v2.
    """
    from scipy.linalg import lapack

    n, d = X.shape
    warped = geometry.warp(X, theta)
    D = geometry.differences(warped)
    w, v2 = np.exp(-2.0 * theta[:d]), math.exp(theta[d + 1])
    trend, rough, slope = kernel_and_slope(theta, d, (w @ D).reshape(n, n))
    L = cholesky(trend + rough + (v2 + noise_variances) * np.eye(n))
    lower = np.asarray(lapack.dpotri(L, lower=1)[0])
    inverse = lower + np.tril(lower, -1).T  # of K, for the traces below only; no system is solved with it
    ones = inverse.sum(1)
    residual = y - (ones @ y) / ones.sum()
    alpha = inverse @ residual
    W = inverse - np.outer(alpha, alpha)  # d(-ln p)/d theta_i = tr(W dK/d theta_i) / 2, equation 5.9
    centre, sigma = prior_of(geometry)
    z = (theta - centre) / sigma
    value = 0.5 * float(residual @ alpha) + float(np.log(L.diagonal()).sum()) + 0.5 * float(z @ z)
    gradient = z / sigma
    sloped = W * slope
    gradient[:d] += 0.5 * w * (D @ sloped.ravel())  # dK/d ln l_j = slope D_j / l_j^2
    gradient[d] += 0.5 * float((W * trend).sum())
    gradient[d + 1] += 0.5 * v2 * float(np.trace(W))
    gradient[d + 2] += 0.5 * float((W * rough).sum())
    # Each point moves its row and its column of K: d(-ln p)/d w(x_ij) = -sum_k (W slope)_ik (w(x_ij) - w(x_kj)) / l_j^2.
    moved = -(sloped.sum(1)[:, None] * warped - sloped @ warped) * w
    by_a, by_b = geometry.warp_slopes_by_powers(X, theta)
    gradient[d + 3 : 2 * d + 3] += (moved * by_a).sum(0)
    gradient[2 * d + 3 :] += (moved * by_b).sum(0)
    return value, gradient


def fit(
    geometry: Geometry, X: Array, y: Array, start: Array | None = None, noise_variances: Array | float = 0.0
) -> Array:
    """Return the theta (3d + 3,) of highest posterior density, found by L-BFGS.

    Args:
        geometry: How the points are compared.
        X: (n, d) points.
        y: (n,) targets.
        start: The theta to start from, for a few iterations; None starts at the prior's median, for more of them.
        noise_variances: (n,) variances of the observations' own noise, in addition to v2.
    """
    from scipy.optimize import minimize

    centre, _ = prior_of(geometry)
    bounds = _bounds(geometry.dimension)
    found = minimize(
        negative_log_posterior,
        np.clip(centre if start is None else start, bounds[:, 0], bounds[:, 1]),
        args=(geometry, X, y, noise_variances),
        jac=True,
        method="L-BFGS-B",
        bounds=list(map(tuple, bounds)),
        options={"maxiter": COLD_ITERATIONS if start is None else WARM_ITERATIONS},
    )
    return np.asarray(found.x, dtype=float)


# -- the posterior ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Surrogate:
    """The posterior given X, y and theta. Means, variances and draws are of the noise-free objective, in targets."""

    geometry: Geometry
    theta: Array
    X: Array
    y: Array
    warped: Array  # (n, d)
    encoded: Array  # (n, D), of what is warped
    root: Array  # L^-1 (n, n), lower: a product with it is several times faster than a triangular solve
    mean: float
    alpha: Array  # (n,); (n, F) with fantasies, as y is

    @classmethod
    def of(cls, geometry: Geometry, theta: Array, X: Array, y: Array, noise_variances: Array | float = 0.0) -> Self:
        """Return the posterior given observations; costs O(n^3).

        Args:
            geometry: How the points are compared.
            theta: (3d + 3,) parameters.
            X: (n, d) points, n >= 1.
            y: (n,) targets.
            noise_variances: (n,) variances of the observations' own noise, in addition to v2.
        """
        from scipy.linalg import lapack

        d = geometry.dimension
        warped = geometry.warp(X, theta)
        encoded = geometry.encode(warped, theta)
        K = kernel(theta, d, squared_distances(encoded, encoded))
        L = cholesky(K + (math.exp(theta[d + 1]) + noise_variances) * np.eye(len(X)))
        root = np.ascontiguousarray(lapack.dtrtri(L, lower=1)[0])
        u, z = root.sum(1), root @ y  # L^-1 1 and L^-1 y
        mean = float(u @ z / (u @ u))
        return cls(geometry, theta, X, y, warped, encoded, root, mean, root.T @ (z - mean * u))

    @property
    def prior(self) -> float:
        """Prior variance of the objective, in squared targets."""
        d = self.geometry.dimension
        return math.exp(self.theta[d]) + math.exp(self.theta[d + 2])

    @property
    def noise(self) -> float:
        """Noise variance v2, in squared targets."""
        return math.exp(self.theta[self.geometry.dimension + 1])

    def cross(self, points: Array) -> Array:
        """Return the covariances (q, n) of points (q, d) with the observations."""
        return self._covariance(self._encoded(points), self.encoded)

    def _encoded(self, points: Array) -> Array:
        return self.geometry.encode(self.geometry.warp(points, self.theta), self.theta)

    def _covariance(self, A: Array, B: Array) -> Array:
        """Return the covariances (p, q) of encoded points (p, D) and (q, D)."""
        return kernel(self.theta, self.geometry.dimension, squared_distances(A, B))

    def posterior(self, points: Array) -> tuple[Array, Array]:
        """Return the means (q,) and variances (q,) at points (q, d). With fantasies the means are (q, F)."""
        k = self.cross(points)
        V = k @ self.root.T
        variance = self.prior - np.einsum("ij,ij->i", V, V)
        return self.mean + k @ self.alpha, np.maximum(variance, 1e-12 * self.prior)

    def gradient(self, points: Array) -> tuple[Array, Array, Array, Array]:
        """Return means (q,), variances (q,) and their gradients, each (q, d), at points (q, d). Gradients along categories are 0.

        With fantasies the means are (q, F) and their gradients (q, F, d).
        """
        d = self.geometry.dimension
        warped = self.geometry.warp(points, self.theta)
        r2 = squared_distances(self.geometry.encode(warped, self.theta), self.encoded)
        trend, rough, slope = kernel_and_slope(self.theta, d, r2)
        k = trend + rough
        V = k @ self.root.T
        by_variance = slope * (V @ self.root)  # K^-1 k = root' V'
        variance = np.maximum(self.prior - np.einsum("ij,ij->i", V, V), 1e-12 * self.prior)
        # dk/dx_j = -slope (w(x_j) - w(X_j)) w'(x_j) / l_j^2
        stretch = np.exp(-2.0 * self.theta[:d]) * self.geometry.warp_slope(points, self.theta)
        dvariance = -2.0 * stretch * (by_variance @ self.warped - warped * by_variance.sum(1)[:, None])
        if self.alpha.ndim == 1:
            by_mean = slope * self.alpha
            dmean = stretch * (by_mean @ self.warped - warped * by_mean.sum(1)[:, None])
        else:
            by_mean = slope[:, None, :] * self.alpha.T
            dmean = stretch[:, None, :] * (by_mean @ self.warped - warped[:, None, :] * by_mean.sum(2)[:, :, None])
        return self.mean + k @ self.alpha, variance, dmean, dvariance

    def with_fantasies(self, points: Array, normal: Array) -> Surrogate:
        """Return the posterior given fantasies: `points` as if they had been observed, at F joint draws of their values.

        From here on means are (q, F), one column per fantasy. The variance doesn't depend on the observed values, so that all fantasies
        share it. The factor is extended by m rows in O(n^2 m): [[L, 0], [B, C]], whose inverse is
        [[root, 0], [-C^-1 B root, C^-1]]. The draws are C normal above the posterior mean, and so
        alpha = [alpha - root' B' C'^-1 normal, C'^-1 normal]. Ginsbourger et al. 2010; Snoek et al. 2012, «Practical Bayesian
        optimization of machine learning algorithms», section 3.2.

        Args:
            points: (m, d) points.
            normal: (m, F) standard normal numbers; 0 stands for the posterior mean.
        """
        if not len(points):
            return replace(self, alpha=self.alpha[:, None])
        return self._extended(points, self._extension(points, 0.0), normal)

    def with_observations(self, points: Array, values: Array, noise_variances: Array) -> Surrogate:
        """Return the posterior given further observations: as `with_fantasies`, with C^-1 (values - means) for the normal numbers.

        Args:
            points: (m, d) points.
            values: (m,) observed targets.
            noise_variances: (m,) variances of their own noise, in addition to v2.
        """
        extension = self._extension(points, noise_variances)
        residual = values - (self.mean + extension.k @ self.alpha)
        extended = self._extended(points, extension, (extension.inverse @ residual)[:, None])
        return replace(extended, y=extended.y[:, 0], alpha=extended.alpha[:, 0])

    def left_out(self) -> Array:
        """Return the posterior mean (n,) at each observation given all others. Rasmussen and Williams 2006, equation 5.12."""
        return np.asarray(self.y - self.alpha / np.square(self.root).sum(0))

    def _extension(self, points: Array, noise_variances: Array | float) -> _Extension:
        from scipy.linalg import lapack

        k = self.cross(points)
        encoded = self._encoded(points)
        B = k @ self.root.T
        inner = self._covariance(encoded, encoded) - B @ B.T
        inner += (self.noise + noise_variances) * np.eye(len(points))
        C = cholesky(0.5 * (inner + inner.T))
        return _Extension(k, B, C, lapack.dtrtri(C, lower=1)[0])

    def _extended(self, points: Array, extension: _Extension, normal: Array) -> Surrogate:
        n, m = len(self.X), len(points)
        warped = self.geometry.warp(points, self.theta)
        root = np.zeros((n + m, n + m))
        root[:n, :n], root[n:, :n], root[n:, n:] = (
            self.root,
            -extension.inverse @ (extension.B @ self.root),
            extension.inverse,
        )
        weights = extension.inverse.T @ normal
        alpha = np.concatenate([self.alpha[:, None] - self.root.T @ (extension.B.T @ weights), weights])
        fantasies = (self.mean + extension.k @ self.alpha)[:, None] + extension.C @ normal
        observed = np.broadcast_to(self.y[:, None], (n, normal.shape[1]))
        return Surrogate(
            self.geometry,
            self.theta,
            np.concatenate([self.X, points]),
            np.concatenate([observed, fantasies]),
            np.concatenate([self.warped, warped]),
            np.concatenate([self.encoded, self.geometry.encode(warped, self.theta)]),
            root,
            self.mean,
            alpha,
        )


@dataclass(frozen=True, slots=True)
class _Extension:
    """An extension of a surrogate's factor by m points: [[L, 0], [B, C]].

    Attributes:
        k: (m, n) covariances of the new points with the observations.
        B: (m, n), k L'^-1.
        C: (m, m), a Cholesky factor.
        inverse: (m, m), C^-1.
    """

    k: Array
    B: Array
    C: Array
    inverse: Array


# -- which observations ----------------------------------------------------------------------------------------------


def best_and_rest(values: Array, count: int) -> npt.NDArray[np.intp]:
    """Return at most `count` indices of the values, ascending: half are the best, the others are spread evenly over the rest in order.

    Unlike a random choice of the rest, this needs no generator.
    """
    n = len(values)
    if n <= count:
        return np.arange(n)
    order = np.argsort(values, kind="stable")
    best = order[: count - count // 2]
    rest = np.sort(order[len(best) :])
    spread = rest[np.linspace(0, len(rest) - 1, count // 2).astype(int)]
    return np.sort(np.concatenate([best, spread]))


def best_and_latest(values: Array, count: int) -> npt.NDArray[np.intp]:
    """Return at most `count` indices of the values, ascending: three quarters are the best, one quarter the latest of the others."""
    n = len(values)
    if n <= count:
        return np.arange(n)
    order = np.argsort(values, kind="stable")
    best = order[: count - count // LATEST_SHARE]
    rest = np.sort(order[len(best) :])
    return np.sort(np.concatenate([best, rest[-(count // LATEST_SHARE) :]]))
