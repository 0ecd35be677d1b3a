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
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from alfine.core.axis import Array
from alfine.surrogate.kernel import Geometry, cholesky, kernel, kernel_and_slope, squared_distances


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
        """Return the covariances (q, n) of points (q, d) with the observations.

        Args:
            points: (q, d) points of the unit cube.
        """
        return self._covariance(self._encoded(points), self.encoded)

    def _encoded(self, points: Array) -> Array:
        return self.geometry.encode(self.geometry.warp(points, self.theta), self.theta)

    def _covariance(self, A: Array, B: Array) -> Array:
        """Return the covariances (p, q) of encoded points (p, D) and (q, D)."""
        return kernel(self.theta, self.geometry.dimension, squared_distances(A, B))

    def posterior(self, points: Array) -> tuple[Array, Array]:
        """Return the means (q,) and variances (q,) at points (q, d). With fantasies the means are (q, F).

        Args:
            points: (q, d) points of the unit cube.
        """
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
