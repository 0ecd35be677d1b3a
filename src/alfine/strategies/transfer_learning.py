"""Warm start by transfer learning: what related tuning jobs, the parents, suggest to try.

A parent's objectives are on another scale and belong to another function, but good regions are often the same. Symbols, for one parent:

    z (p,)   normal scores of its objectives: the normal quantiles of their ranks. They don't depend on scale and outliers.
    mu       mean of a Gaussian process fitted to them, over the child's unit cube
    tau      Kendall's rank correlation of mu with the n objectives that the child has observed itself, from -1 to 1
    w        trust: (n tau + PRIOR) / (n + PRIOR). It is 1 at first, then follows how well the parent ranks the child's own
             results; a parent with w below TRUSTED isn't used

Every second training job of the initial design takes the parents' advice: the point with the lowest sum of w mu that is neither one
of the child's own points nor close to one. The other half is the child's own initial design, from its beginning. It shows at once
whether the parents are right, so that misleading parents cost two or three training jobs at most. Both kinds of results are
observations like any other. After the initial design only the child's own surrogate decides: it refines what the parents were right
about.

References: Feurer et al. 2018, «Practical transfer learning for Bayesian optimization» (weights by ranking); Salinas et al. 2020, «A
quantile-based approach for hyperparameter transfer learning» (normal scores).
"""

from __future__ import annotations

import numpy as np

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.surrogate.acquisition import lattice
from alfine.surrogate.chosen_observations import best_and_rest
from alfine.surrogate.fit import fit
from alfine.surrogate.gaussian_process import Surrogate
from alfine.surrogate.kernel import geometry_of
from alfine.surrogate.parent_evidence import LEAST_RELATED, contradicted_after, related

ADVISERS: MemoKey[list[Surrogate]] = MemoKey(__name__, "advisers")

PRIOR = 3.0
"""Number of the child's results that the initial trust of 1 weighs as much as."""

TRUSTED = 0.5
"""Least trust: a parent below it isn't used."""

FURTHER = 100
"""Index in the child's sequence of initial points of a launch whose turn was the parents' but who have no advice."""

FIT_POINTS = 120
"""Largest number of a parent's results that its Gaussian process is fitted to."""

POINTS = 256
"""Number of candidates spread over the whole unit cube; the parents' own points are candidates, too."""

CLOSE = 0.05
"""Root mean square of the coordinates' differences, in cube edges, below which the child's surrogate knows a point as well."""


def advised_points(history: History) -> Array | None:
    """Return the points (q, d) that the parents advise to try next in the initial design, the best first.

    Args:
        history: The child's history.

    Returns:
        None when it is the turn of the child's own design, and when no parent is trusted.
    """
    advisers = _advisers(history)
    if not advisers or history.turn % 2:
        return None
    trusts = np.array([_trust(history, adviser) for adviser in advisers])
    if not trusts.any():
        return None
    points = _candidates(history)
    predicted = sum(w * adviser.posterior(points)[0] for w, adviser in zip(trusts, advisers, strict=True))
    return _without_close(history, points[np.argsort(predicted, kind="stable")])


def own_design_index(history: History) -> int:
    """Return the index of the next point of the child's own initial design.

    The first points are for the launches that always follow the child's own design.

    Args:
        history: The child's history.
    """
    if not _advisers(history):
        return history.turn
    turn, own = divmod(history.turn, 2)
    return turn if own else FURTHER + turn


def _advisers(history: History) -> list[Surrogate]:
    """Return a Gaussian process for each parent, fitted to its normal scores. It depends on the parents only."""
    parents = [(points, values) for points, values in related(history).values() if len(values) >= LEAST_RELATED]
    return history.remembered(
        ADVISERS.of(contradicted_after(history)),
        lambda: [_adviser(history, points, values) for points, values in parents],
    )


def _adviser(history: History, points: Array, values: Array) -> Surrogate:
    geometry, chosen = geometry_of(history.spec.space), best_and_rest(values, FIT_POINTS)
    X, z = points[chosen], normal_scores(values)[chosen]  # noqa: N806
    return Surrogate.of(geometry, fit(geometry, X, z), X, z)


def normal_scores(values: Array) -> Array:
    """Return the normal scores (n,) of the values (n,): Phi^-1((rank - 1/2) / n). Equal values share the middle of their ranks.

    Args:
        values: (n,) of any scale.
    """
    from scipy.special import ndtri

    ordered = np.sort(values)
    below, upto = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return np.asarray(ndtri((below + upto) / (2 * len(values))))


def _trust(history: History, adviser: Surrogate) -> float:
    """Return w of a parent, 0 where it is below TRUSTED."""
    points, values = history.observations()
    n = len(values)
    if n < 2:
        return 1.0
    trust = (n * _kendall(adviser.posterior(points)[0], values) + PRIOR) / (n + PRIOR)
    return trust if trust >= TRUSTED else 0.0


def _kendall(a: Array, b: Array) -> float:
    """Return Kendall's rank correlation; a pair of equal values counts neither way."""
    agreement = np.sign(a[:, None] - a[None, :]) * np.sign(b[:, None] - b[None, :])
    return float(agreement.sum() / (len(a) * (len(a) - 1)))


def _candidates(history: History) -> Array:
    """Return the parents' own points and points spread over the unit cube, without those that constraints forbid."""
    parents_points = [points for points, _ in related(history).values()]
    spread = lattice(0, POINTS, history.rng(3).random(history.spec.space.dimension))
    space = history.spec.space
    return space.feasible(space.snap(np.concatenate([*parents_points, spread])))


def _without_close(history: History, points: Array) -> Array:
    """Return the points that aren't close to one launched by the child. Two categories differ by 1, or by 0 when equal."""
    space = history.spec.space
    tried = np.concatenate([history.observations()[0], history.pending(), history.failed()])
    gaps = np.abs(points[:, None, :] - tried[None, :, :])
    gaps[:, :, space.categorical] = gaps[:, :, space.categorical] > 0
    close = (np.sqrt((gaps**2).mean(2)) < CLOSE).any(1)
    return np.asarray(points[~close])
