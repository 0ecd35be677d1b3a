"""Whether the results of a tuning job contradict its parents', which are said to be of the same function (IdenticalDataAndAlgorithm).

Other data, another version of the program, another metric under the same name: then the parents' results, taken for the job's own, would
mislead its search to the end. Symbols, for the job's own n results at points x_i:

    mu, s    posterior of a Gaussian process on the parents' results alone (surrogate/gaussian_process.py), s^2 with the noise
    z_i = (y_i - mu(x_i)) / s(x_i)          the job contradicts its parents when the median of |z_i| is above LIMIT

The median, since single results may well surprise a surrogate. Of x_i those only that lie no more than BESIDE of an axis outside of what
the parents tried: beyond, it knows nothing and doesn't say so, and a job in a wider space would contradict its parents at once. It's looked
at after so many results as LOOKS says. By measurement (docs/explanation/search.md) parents on the same function stay below 3.5, and most
on other data are above 5 at the first look. BESIDE is more than the gap that a few parents leave at an end of an axis: the job's own search
may stay there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from alfine.surrogate.gaussian_process import Scale, Surrogate, best_and_rest, fit, geometry_of, one_thread

if TYPE_CHECKING:
    from alfine.core.history import History
    from alfine.core.ranges import Array

LOOKS = (5, 8, 12, 20)
LEAST = 8  # results of the parents, for a surrogate that may contradict anything
LIMIT = 5.0
BESIDE = 0.1
FIT_POINTS = 120


def contradicts(history: History, points: Array, values: Array) -> bool:
    """By the results so far. points (p, d), values (p,): what the parents found, minimised."""
    if len(values) < LEAST or history.spec.space.dimension == 0:
        return False
    chosen, scale, geometry = best_and_rest(values, FIT_POINTS), Scale.of(values), geometry_of(history.spec.space)
    X, y = points[chosen], scale.targets(values[chosen])
    own, told = history.observations()
    known = ((own >= points.min(0) - BESIDE) & (own <= points.max(0) + BESIDE)).all(1)
    own, told = own[known], told[known]
    if len(told) < LOOKS[0]:
        return False
    try:
        with one_thread(), np.errstate(all="ignore"):
            surrogate = Surrogate.of(geometry, fit(geometry, X, y), X, y)
            mean, variance = surrogate.posterior(own)
            z = (scale.targets(told) - mean) / np.sqrt(variance + surrogate.noise)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        return False  # whatever broke in the numerics contradicts nobody
    return bool(np.median(np.abs(z)) > LIMIT)
