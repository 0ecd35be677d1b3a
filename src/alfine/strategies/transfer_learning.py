"""Warm start by transfer learning: what related tuning jobs, the parents, suggest to try.

A parent's objectives are on another scale and of another function, but good regions are often the same. Symbols, for one parent:

    z (p,)   normal scores of its objectives: the normal quantiles of their ranks, so that no scale and no outlier matters
    mu       mean of a Gaussian process on them, over the child's cube
    tau      Kendall's rank correlation of mu with the n objectives that the child has seen by itself, 1 to -1
    w        trust: (n tau + PRIOR) / (n + PRIOR): full at first, then as much as it ranks the child's own results; below TRUSTED none

Every second training job of the initial design takes the parents' advice: the lowest sum of w mu that is none of the child's own points
nor close to one. The others are the child's own design, from its beginning: they tell at once whether the parents are right, and
see to it that parents which mislead cost two or three training jobs and no more. What comes of either is an observation like any
other, and after the design the child's own surrogate goes on alone: it refines what the parents were right about.

References: Feurer et al. 2018, «Practical transfer learning for Bayesian optimization» (weights by ranking); Salinas et al. 2020, «A
quantile-based approach for hyperparameter transfer learning» (normal scores).
"""

from __future__ import annotations

import numpy as np

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.ranges import Array
from alfine.surrogate.acquisition import lattice
from alfine.surrogate.gaussian_process import Surrogate, best_and_rest, fit, geometry_of
from alfine.surrogate.parent_evidence import LEAST_RELATED, contradicted_after, related

ADVISERS: MemoKey[list[Surrogate]] = MemoKey(__name__, "advisers")

PRIOR = 3.0  # results of the child that the parents' good name weighs as much as
TRUSTED = 0.5  # below it a parent isn't asked
FURTHER = 100  # points of the sequence that launches without advice begin after
FIT_POINTS = 120  # of a parent, as in surrogate/gaussian_process.py
POINTS = 256  # candidates all over the cube; the parents' own points are others
CLOSE = 0.05  # root mean square over the coordinates, in cube edges: the child's own surrogate knows as much


def advised(history: History) -> Array | None:
    """(q, d) points of the initial design that the parents advise to try next, the best first; None when it's the child's turn."""
    advisers = _advisers(history)
    if not advisers or history.launches % 2:
        return None
    trusts = np.array([_trust(history, each) for each in advisers])
    if not trusts.any():
        return None
    points = _candidates(history)
    order = np.argsort(
        sum(w * each.posterior(points)[0] for w, each in zip(trusts, advisers, strict=True)), kind="stable"
    )
    return _apart(history, points[order])


def own_turn(history: History) -> int:
    """Which point of the child's own design is next: the first ones are for launches that are always its own."""
    if not _advisers(history):
        return history.launches
    turn, own = divmod(history.launches, 2)
    return turn if own else FURTHER + turn


def _advisers(history: History) -> list[Surrogate]:
    """A Gaussian process of each parent's normal scores; a function of the parents alone."""
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
    """(n,) -> (n,): Phi^-1((rank - 1/2) / n), equals sharing the middle of their ranks."""
    from scipy.special import ndtri

    ordered = np.sort(values)
    below, upto = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return np.asarray(ndtri((below + upto) / (2 * len(values))))


def _trust(history: History, adviser: Surrogate) -> float:
    points, values = history.observations()
    n = len(values)
    if n < 2:
        return 1.0
    trust = (n * _kendall(adviser.posterior(points)[0], values) + PRIOR) / (n + PRIOR)
    return trust if trust >= TRUSTED else 0.0


def _kendall(a: Array, b: Array) -> float:
    """Rank correlation, pairs of equals counting as neither."""
    agreement = np.sign(a[:, None] - a[None, :]) * np.sign(b[:, None] - b[None, :])
    return float(agreement.sum() / (len(a) * (len(a) - 1)))


def _candidates(history: History) -> Array:
    own = [points for points, _ in related(history).values()]
    spread = lattice(0, POINTS, history.rng(3).random(history.spec.space.dimension))
    space = history.spec.space
    return space.feasible(space.snap(np.concatenate([*own, spread])))


def _apart(history: History, points: Array) -> Array:
    """Those that aren't close to a point launched by the child: categories differ or not, numbers by their distance."""
    space = history.spec.space
    tried = np.concatenate([history.observations()[0], history.pending(), history.failed()])
    gaps = np.abs(points[:, None, :] - tried[None, :, :])
    gaps[:, :, space.categorical] = gaps[:, :, space.categorical] > 0
    close = (np.sqrt((gaps**2).mean(2)) < CLOSE).any(1)
    return np.asarray(points[~close])
