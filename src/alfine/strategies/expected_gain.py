"""What a definition's next training job may improve, by its own surrogate: how several definitions are compared.

Symbols, for one definition with n results:

    f*        the best of all definitions                 mu, s   of its surrogate (surrogate/gaussian_process.py), on its results alone; s^2 times `doubt`
    Z ~ mu + s t_nu,  nu = n - 1                          its next result: how far results scatter is itself known from n of them only
    E max(f* - Z, 0) = s (z F(z) + (nu + z^2) / (nu - 1) f(z)),  z = (f* - mu) / s       F, f of Student's t with nu
    P = (successes + 1) / (ended + 2)                     of its training jobs: one that fails improves nothing

The promise is ln (P E) at its best point, in units of the objective. With a normal distribution a definition whose first results happen
to be alike, and all bad, would never be tried again: its surrogate is sure of a scale that five results can't tell.

Reference: Tracey and Wolpert 2018, «Upgrading from Gaussian processes to Student's-t processes», equation 8.
"""

from __future__ import annotations

import math

import numpy as np

from alfine.core.history import History
from alfine.core.ranges import Array
from alfine.surrogate.acquisition import lattice
from alfine.surrogate.model import model_of

LEAST_FREEDOM = 2  # with one degree of freedom an improvement has no expectation
POINTS = 128  # all over the cube
CENTRES, AROUND, STEP = 5, 16, 0.1  # beside the best five, so many each, at so many cube edges (standard deviation)
NOTHING = 1e-300


def log_promise(history: History, best: float, doubt: float) -> float:
    """The promise; best: f*, minimised. Minus infinity while there is no result."""
    model = model_of(history)
    if model is None:
        return -math.inf
    pending = history.pending()
    surrogate = model.surrogate.imagining(pending, np.zeros((len(pending), 1)))
    mean, variance = surrogate.posterior(_candidates(history))
    goal, freedom = float(model.scale.targets(np.array(best))), max(LEAST_FREEDOM, len(history.observations()[1]) - 1)
    expected = expected_improvement(mean[:, 0], np.sqrt(doubt * variance), goal, freedom)
    ended = len(history.finished)
    success = (ended - len(history.failed()) + 1) / (ended + 2)
    return math.log(max(NOTHING, float(expected.max()))) + math.log(model.scale.unit * success)


def expected_improvement(mean: Array, s: Array, best: float, freedom: int) -> Array:
    """(q,) of mean + s t over best, downwards."""
    from scipy.special import gammaln, stdtr

    z = (best - mean) / s
    constant = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    density = np.exp(constant - 0.5 * (freedom + 1) * np.log1p(z * z / freedom))
    return np.asarray(s * (z * stdtr(freedom, z) + (freedom + z * z) / (freedom - 1) * density))


def _candidates(history: History) -> Array:
    """Points all over the cube, and beside the best; categories stay there."""
    space, rng = history.spec.space, history.rng(5)
    points, values = history.observations()
    centres = np.repeat(points[np.argsort(values, kind="stable")[:CENTRES]], AROUND, axis=0)
    moved = np.clip(centres + STEP * rng.standard_normal(centres.shape), 0.0, 1.0)
    beside = np.where(space.categorical, centres, moved)
    return space.snap(np.concatenate([centres, beside, lattice(0, POINTS, rng.random(space.dimension))]))
