"""The fit of the surrogate: theta, the maximum a posteriori. Symbols and sources are those of gaussian_process.py."""

from __future__ import annotations

import math

import numpy as np

from alfine.core.axis import Array
from alfine.surrogate.kernel import Geometry, cholesky, kernel_and_slope

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

COLD_ITERATIONS = 15
"""L-BFGS iterations of a fit that starts at the prior's median."""

WARM_ITERATIONS = 6
"""L-BFGS iterations of a fit that starts at the fit before."""


def prior_of(geometry: Geometry) -> tuple[Array, Array]:
    """Return the prior's medians (as logarithms) and standard deviations of theta, each (3d + 3,).

    Args:
        geometry: The geometry of the space.
    """
    dimension = geometry.dimension
    number = np.where(geometry.logarithmic, LOGARITHMIC_LENGTH, LINEAR_LENGTH)
    length = np.where(geometry.categorical, CATEGORY_LENGTH, number)
    median = theta_of(dimension, length, SIGNAL_MEDIAN, NOISE_MEDIAN, ROUGH_MEDIAN)
    sigma = [LENGTH_SIGMA] * dimension + [SIGNAL_SIGMA, NOISE_SIGMA, ROUGH_SIGMA] + [WARP_SIGMA] * (2 * dimension)
    return median, np.array(sigma)


def theta_of(dimension: int, length: float | Array, signal: float, noise: float, rough: float) -> Array:
    """Return the theta without a warp of these length scales, given for one dimension: (d,) or one for all.

    Args:
        dimension: D.
        length: The length scales in cube edges.
        signal: S2.
        noise: V2.
        rough: Q2.
    """
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
