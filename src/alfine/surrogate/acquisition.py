"""Acquisition functions: expected improvement, and an even cover of the unit cube to evaluate it on.

References: Jones et al. 1998, «Efficient global optimization of expensive black-box functions», equation 15; Ament et al. 2023, «Unexpected
improvements to expected improvement for Bayesian optimization», equation 9; Roberts 2018, «The unreasonable effectiveness of quasirandom
sequences».
"""

from __future__ import annotations

import math

import numpy as np

from alfine.core.axis import Array


def log_h(z: Array) -> Array:
    """Return ln(phi(z) + z Phi(z)), to full relative precision for every z (Ament et al. 2023, equation 9).

    Args:
        z: Improvements in standard deviations, of any shape.
    """
    from scipy.special import erfc, erfcx

    above = np.maximum(z, -1.0)
    density = np.exp(-0.5 * above**2) / math.sqrt(2 * math.pi)
    high = np.log(density + above * 0.5 * erfc(-above / math.sqrt(2)))
    low = np.clip(z, -1e6, -1.0)
    ratio = erfcx(-low / math.sqrt(2)) * -low * math.sqrt(0.5 * math.pi)  # |z| Phi(z) / phi(z), tends to 1
    # 1 - ratio cancels beyond |z| = 1000; its expansion is 1/z^2 (1 - 3/z^2).
    rest = np.where(low > -1000.0, np.log1p(-np.minimum(ratio, 1.0 - 1e-16)), -2.0 * np.log(-low))
    return np.where(z > -1.0, high, -0.5 * low**2 - 0.5 * math.log(2 * math.pi) + rest)


def slope_of_log_h(z: Array) -> Array:
    """Return the slope of `log_h`: Phi / h = R / (1 + z R) with R = Phi / phi; it tends to |z| below and to 1 / z above."""
    from scipy.special import erfcx

    z = np.clip(z, -1e4, 30.0)
    R = math.sqrt(0.5 * math.pi) * erfcx(-z / math.sqrt(2.0))
    return np.asarray(R / (1.0 + z * R))


def log_expected_improvement(mean: Array, variance: Array, best: float | Array) -> Array:
    """Return the logarithm of the expected improvement, ln E max(best - f, 0) for f ~ N(mean, variance), elementwise.

    Args:
        mean: Posterior means, of any shape.
        variance: Posterior variances.
        best: The incumbent; smaller is better.
    """
    s = np.sqrt(variance)
    return np.asarray(log_h((best - mean) / s) + np.log(s))


def lattice(start: int, count: int, shift: Array) -> Array:
    """Return `count` points of a Kronecker sequence, an even cover of the unit cube.

    x_i = frac(shift + i a), a_j = phi^-j with phi the root of phi^(d+1) = phi + 1: Roberts 2018, «The unreasonable
    effectiveness of quasirandom sequences». Unlike Sobol points it needs no import of scipy.stats, which takes 2 s.

    Args:
        start: Index of the first point.
        count: Number of points.
        shift: (d,) in the unit cube; moves the whole sequence.

    Returns:
        (count, d) points.
    """
    d = len(shift)
    phi = 2.0
    for _ in range(60):
        phi = (1.0 + phi) ** (1.0 / (d + 1))
    a = phi ** -np.arange(1.0, d + 1)
    return np.asarray((shift + np.arange(start, start + count)[:, None] * a) % 1.0)
