"""The expected gain of a definition's next training job, by the definition's own surrogate: how several definitions are compared.

Symbols, for one definition with n results:

    f*        the best result of all definitions
    mu, s     mean and standard deviation of its surrogate (surrogate/gaussian_process.py), fitted to its own results only; s^2 is
              multiplied by a factor that the caller gives
    Z ~ mu + s t_nu,  nu = n - 1     its next result; Student's t, because n results only estimate how far results scatter
    E max(f* - Z, 0) = s (z F(z) + (nu + z^2) / (nu - 1) f(z)),  z = (f* - mu) / s       F, f of Student's t with nu
    P = (successes + 1) / (ended + 2)     chance that a training job succeeds: a failed one improves nothing

The expected gain is ln (P E) at its best point, in units of the objective. With a normal distribution instead of Student's t, a
definition whose first results happen to be alike and bad would never be tried again: its surrogate would be sure of a scale that five
results can't tell.

Reference: Tracey and Wolpert 2018, «Upgrading from Gaussian processes to Student's-t processes», equation 8.
"""

from __future__ import annotations

import math

import numpy as np

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.surrogate.acquisition import lattice
from alfine.surrogate.model import model_of

LEAST_FREEDOM = 2
"""Least degrees of freedom of Student's t. With 1 the expected improvement is infinite."""

POINTS = 128
"""Number of candidates spread over the whole unit cube."""

CENTRES = 5
"""Number of best results around which further candidates are drawn."""

AROUND = 16
"""Number of candidates around each of them."""

STEP = 0.1
"""Standard deviation of the distance of these candidates, in cube edges."""

NOTHING = 1e-300
"""Least expected improvement, so that its logarithm is finite."""


def log_expected_gain(history: History, best: float, variance_factor: float) -> float:
    """Return the expected gain ln (P E); minus infinity while the definition has no result.

    Args:
        history: The history of the definition.
        best: F*, the best objective of all definitions, minimised.
        variance_factor: Factor of the surrogate's variance.
    """
    model = model_of(history)
    if model is None:
        return -math.inf
    pending = history.pending()
    surrogate = model.surrogate.with_fantasies(pending, np.zeros((len(pending), 1)))
    mean, variance = surrogate.posterior(_candidates(history))
    target, freedom = float(model.scale.targets(np.array(best))), max(LEAST_FREEDOM, len(history.observations()[1]) - 1)
    expected = expected_improvement(mean[:, 0], np.sqrt(variance_factor * variance), target, freedom)
    ended = len(history.finished)
    success = (ended - len(history.failed()) + 1) / (ended + 2)
    return math.log(max(NOTHING, float(expected.max()))) + math.log(model.scale.unit * success)


def expected_improvement(mean: Array, s: Array, best: float, freedom: int) -> Array:
    """Return E max(best - (mean + s t), 0), with t Student's t, for each point.

    Args:
        mean: (q,) means.
        s: (q,) scales.
        best: The value to improve on; smaller is better.
        freedom: Degrees of freedom of t, at least 2.

    Returns:
        (q,) expected improvements.
    """
    from scipy.special import gammaln, stdtr

    z = (best - mean) / s
    constant = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    density = np.exp(constant - 0.5 * (freedom + 1) * np.log1p(z * z / freedom))
    return np.asarray(s * (z * stdtr(freedom, z) + (freedom + z * z) / (freedom - 1) * density))


def _candidates(history: History) -> Array:
    """Return candidates (q, d) all over the unit cube and around the best results; around those, categories stay the same."""
    space, rng = history.spec.space, history.rng(5)
    points, values = history.observations()
    centres = np.repeat(points[np.argsort(values, kind="stable")[:CENTRES]], AROUND, axis=0)
    moved = np.clip(centres + STEP * rng.standard_normal(centres.shape), 0.0, 1.0)
    around = np.where(space.categorical, centres, moved)
    return space.snap(np.concatenate([centres, around, lattice(0, POINTS, rng.random(space.dimension))]))
