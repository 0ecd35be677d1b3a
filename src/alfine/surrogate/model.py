"""The surrogate of a tuning job: a Gaussian process (gaussian_process.py) fitted to what its history has observed.

theta is fitted at rungs of n only: at 8, 16, 32, … from the prior's median, at about 8 % steps in between from the rung
before. Each fit is thus a function of a prefix of the observations, and from an empty cache at most ten are computed again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.surrogate.chosen_observations import FIT_POINTS, best_and_latest, best_and_rest
from alfine.surrogate.fit import fit, prior_of
from alfine.surrogate.gaussian_process import Surrogate
from alfine.surrogate.kernel import geometry_of
from alfine.surrogate.learning_curves import EndedCurve, as_observation, comparable, ended_curves, final_values
from alfine.surrogate.output_scale import Scale
from alfine.surrogate.parent_evidence import prior

THETA: MemoKey[Array] = MemoKey(__name__, "theta")
"""Parameters: the rung, and the number of parents' results among its observations."""

MODEL: MemoKey[Model] = MemoKey(__name__, "model")

FIRST_FIT = 8
"""Number of observations of the first fit. With fewer, theta is the prior's median: they say less about it than the prior does."""

RUNG_GROWTH = 1.08
"""Growth from one rung to the next."""

POSTERIOR_POINTS = 300
"""Largest number of observations that the posterior rests on."""


@dataclass(frozen=True, slots=True)
class Model:
    """The surrogate of a tuning job.

    Attributes:
        surrogate: The posterior given the chosen observations.
        scale: The transformation between its targets and the job's objectives.
        chosen: Indices of the observations that the surrogate rests on, among those of `evidence_of`.
    """

    surrogate: Surrogate
    scale: Scale
    chosen: npt.NDArray[np.intp]


def rung_of(n: int) -> tuple[int, int | None]:
    """Return the largest rung <= n, and the rung that its fit starts from (None: from the prior). n >= FIRST_FIT.

    Args:
        n: The number of observations.
    """
    anchor = FIRST_FIT
    while 2 * anchor <= n:
        anchor *= 2
    before, rung = None, anchor
    while (following := max(rung + 1, math.ceil(RUNG_GROWTH * rung))) <= n:
        before, rung = rung, following
    return rung, before


def evidence_of(history: History) -> tuple[Array, Array]:
    """Return all observations for the surrogate, the parents' before the job's own: points (n, d) and minimised objectives (n,)."""
    (P, p), (X, v) = prior(history), history.observations()
    return (np.concatenate([P, X]), np.concatenate([p, v])) if len(p) else (X, v)


def targets_at(history: History, n: int) -> tuple[Array, Array, Array, Scale]:
    """Return the first n observations as points (n, d), targets (n,), noise variances (n,) and their scale.

    A training job that was cut short counts as what its curve predicts (learning_curves.py), with the prediction's variance as noise. The
    noise variance of all others is 0.

    Args:
        history: The tuning job.
        n: The number of observations.
    """
    X, v = (part[:n] for part in evidence_of(history))
    parents = len(prior(history)[1])
    curves = ended_curves(history)[: max(0, n - parents)]
    if all(ended.complete for ended in curves):
        scale = Scale.of(v)
        return X, scale.targets(v), np.zeros(n), scale
    curves = [EndedCurve(v[i : i + 1], complete=True) for i in range(min(n, parents))] + comparable(curves)
    scale = Scale.of(np.array([ended.curve[-1] for ended in curves if ended.complete] or v))
    y, variance = final_values([replace(ended, curve=scale.curve(ended.curve)) for ended in curves])
    centre, width = float(y.mean()), float(y.std()) or 1.0
    scale = replace(scale, centre=scale.centre + scale.width * centre, width=scale.width * width)
    y, variance = (y - centre) / width, variance / width**2
    cut = variance > 0
    y[cut], variance[cut] = as_observation(y[cut], variance[cut])
    return X, y, variance, scale


def theta_at(history: History, n: int) -> Array:
    """Return the theta for n observations: the one of the largest rung <= n, fitted to that many observations only.

    Args:
        history: The tuning job.
        n: The number of observations.
    """
    if n < FIRST_FIT:
        return prior_of(geometry_of(history.spec.space))[0]
    rung, before = rung_of(n)

    def compute() -> Array:
        start = None if before is None else theta_at(history, before)
        X, y, own, _ = targets_at(history, rung)
        chosen = best_and_rest(y, FIT_POINTS)
        return fit(geometry_of(history.spec.space), X[chosen], y[chosen], start, own[chosen])

    return history.remembered(THETA.of(rung, len(prior(history)[1])), compute)


def model_of(history: History) -> Model | None:
    """Return the surrogate given all observations; None without any. Remembered for the latest n only."""
    n = len(evidence_of(history)[1])
    if n == 0 or history.spec.space.dimension == 0:
        return None
    return history.remembered(MODEL, lambda: _model_at(history, n), version=(n, len(prior(history)[1])))


def _model_at(history: History, n: int) -> Model:
    """Return the surrogate given the first n observations."""
    theta = theta_at(history, n)
    X, y, own, scale = targets_at(history, n)
    chosen = best_and_latest(y, POSTERIOR_POINTS)
    surrogate = Surrogate.of(geometry_of(history.spec.space), theta, X[chosen], y[chosen], own[chosen])
    return Model(surrogate, scale, chosen)
