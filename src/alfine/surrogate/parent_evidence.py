"""The parents' results as evidence: whether a job may use them as its own, as those of a related function, or not at all.

With IdenticalDataAndAlgorithm the parents' results are said to be of the same function. Other data, another version of the program,
another metric under the same name: then they would mislead the search to its end. Symbols, for the job's own n results at points x_i:

    mu, s    posterior of a Gaussian process on the parents' results alone (surrogate/gaussian_process.py), s^2 with the noise
    z_i = (y_i - mu(x_i)) / s(x_i)          the job contradicts its parents when the median of |z_i| is above LIMIT

It's the median, since single results may well surprise a surrogate. Only those x_i count that lie at most BESIDE outside of what the
parents tried, on each axis: further away the surrogate knows nothing without being unsure, and a job in a wider space would contradict
its parents at once. The parents are judged after as many results of the job as LOOKS has. Measured (docs/explanation/search.md): for
parents of the same function the median stays below 3.5, and for most on other data it's above 5 at the first look.

Everything here is a function of a prefix of the history's facts.
"""

from __future__ import annotations

import numpy as np

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.inherited import IGNORING, points_of
from alfine.core.memo import MemoKey
from alfine.core.spec import IDENTICAL, TRANSFER
from alfine.surrogate.chosen_observations import best_and_rest
from alfine.surrogate.fit import fit
from alfine.surrogate.gaussian_process import Surrogate
from alfine.surrogate.kernel import geometry_of
from alfine.surrogate.output_scale import Scale
from alfine.surrogate.threads import one_thread

LOOKS = (5, 8, 12, 20)  # numbers of the job's own results after which the parents are judged
LEAST_RESULTS = 8  # of the parents: a surrogate of fewer contradicts nothing
LEAST_RELATED = 4  # results of one parent: a related parent with fewer isn't used
LIMIT = 5.0  # of the median of |z|
BESIDE = (
    0.1  # in cube edges: more than the gap that a few parents leave at the end of an axis, where the search may stay
)
FIT_POINTS = 120  # of the parents' results, as many as the surrogate is fitted to

CONTRADICTION: MemoKey[bool] = MemoKey(__name__, "contradiction")
RESULTS: MemoKey[tuple[Array, Array]] = MemoKey(__name__, "parents' results")


def prior(history: History) -> tuple[Array, Array]:
    """Return the parents' results that count as the job's own.

    Returns:
        (p, d) points of the unit cube and (p,) objectives, minimised. p is 0 without a warm start of type
        IdenticalDataAndAlgorithm, and from where the job's own results contradict the parents'.
    """
    points, values = _results(history, None) if history.spec.warm_start == IDENTICAL else _nothing(history)
    return (points, values) if contradicted_after(history) is None else (points[:0], values[:0])


def related(history: History) -> dict[str, tuple[Array, Array]]:
    """Return the results of each parent whose function is a related one, by the parent's name.

    Those are all parents of a warm start of type TransferLearning, and of type IdenticalDataAndAlgorithm from where the job's own
    results contradict them.

    Returns:
        For each parent (p, d) points of the unit cube and (p,) objectives, minimised; p may be 0.
    """
    if history.spec.warm_start != TRANSFER and contradicted_after(history) is None:
        return {}
    parents = dict.fromkeys(result.parent for result in history.inherited)
    return {parent: _results(history, parent) for parent in parents}


def contradicted_after(history: History) -> int | None:
    """Return after how many of its own results the job contradicts its parents, one of LOOKS; None while it doesn't.

    A value derived from `prior` or `related` changes at that result: what is remembered of it needs this number, or the number of
    prior results, in its key (`History.remembered`).
    """
    if not history.inherited or history.spec.warm_start != IDENTICAL:
        return None
    observed = len(history.observations()[1])
    return next((look for look in LOOKS if look <= observed and _contradicts(history, look)), None)


def _results(history: History, parent: str | None) -> tuple[Array, Array]:
    """Return the places of the results of one parent, or of all, in the job's own space, and their values."""

    def compute() -> tuple[Array, Array]:
        return points_of(history.spec, [result for result in history.inherited if parent in (None, result.parent)])

    return history.remembered(RESULTS.of(parent), compute)


def _nothing(history: History) -> tuple[Array, Array]:
    return np.empty((0, history.spec.space.dimension)), np.empty(0)


def _contradicts(history: History, n: int) -> bool:
    return history.remembered(CONTRADICTION.of(n), lambda: _judged(history, n))


def _judged(history: History, n: int) -> bool:
    """Return whether the job's first n results contradict the parents'."""
    points, values = _results(history, None)
    if len(values) < LEAST_RESULTS or history.spec.space.dimension == 0:
        return False
    chosen, scale, geometry = best_and_rest(values, FIT_POINTS), Scale.of(values), geometry_of(history.spec.space)
    X, y = points[chosen], scale.targets(values[chosen])
    own_points, own_values = (part[:n] for part in history.observations())
    near = ((own_points >= points.min(0) - BESIDE) & (own_points <= points.max(0) + BESIDE)).all(1)
    own_points, own_values = own_points[near], own_values[near]
    if len(own_values) < LOOKS[0]:
        return False
    try:
        with one_thread(), np.errstate(all="ignore"):
            surrogate = Surrogate.of(geometry, fit(geometry, X, y), X, y)
            mean, variance = surrogate.posterior(own_points)
            z = (scale.targets(own_values) - mean) / np.sqrt(variance + surrogate.noise)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        return False  # a numerical failure is no contradiction
    return bool(np.median(np.abs(z)) > LIMIT)


# -- for people ------------------------------------------------------------------------------------------------------


def sentence(history: History) -> str | None:
    """Return a sentence on how the parents' results are used; None without parents."""
    spec, count = history.spec, len(history.inherited)
    if not spec.parents:
        return None
    contradicted = contradicted_after(history)
    if contradicted is not None:
        return (
            f"The first {contradicted} objectives contradict the parents' results, which are said to be of the same data and "
            "algorithm. From there on only what is good by them counts, as with TransferLearning."
        )
    if spec.strategy in IGNORING or (spec.strategy == "Random" and spec.warm_start == TRANSFER):
        return f"{spec.strategy} takes nothing from its parents."
    others = "the others have values that this job doesn't"
    if spec.warm_start == IDENTICAL:
        used, use = len(prior(history)[1]), "count as the job's own"
    else:
        counts = [len(values) for _, values in related(history).values()]
        used, use = sum(n for n in counts if n >= LEAST_RELATED), "say where to begin"
        others += f", or are fewer than {LEAST_RELATED} of their parent"
    if used == count:
        return f"All {count} objectives of the parents {use}."
    if used == 0:
        return f"Of the {count} objectives of the parents none can be used: {others.replace('the others', 'they')}. The job searches as without parents."
    return f"{used} of the {count} objectives of the parents {use}: {others}."
