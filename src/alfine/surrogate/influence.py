"""Influence of hyperparameters on the objective, as the surrogate of a tuning job sees it, with its own uncertainty.

Symbols of gaussian_process.py; f is the trend, the smooth part of the objective without roughness and noise, in targets.

    T_j = E[(f(x) - f(x with x_j drawn anew))^2] / (2 Var f(x))       x uniform over the search space

is the total Sobol index: the share of the variance of f that hyperparameter j causes, alone or together with others. Shares may add up to
more than 1, since a joint effect counts for each of its hyperparameters. The surrogate doesn't know f, so T_j is computed for DRAWS
functions drawn from its posterior; their spread is the uncertainty.

Sources: Jansen 1999, «Analysis of variance designs for model output», equation for the total index; Wilson et al. 2020, «Efficiently sampling
functions from Gaussian process posteriors», equation 13 (a draw from the prior, corrected by the observations); Rahimi and Recht 2007,
«Random features for large-scale kernel machines» (draws from the prior).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical
from alfine.core.training_job import TrainingJob
from alfine.surrogate.acquisition import lattice
from alfine.surrogate.gaussian_process import Surrogate
from alfine.surrogate.kernel import kernel_and_slope, squared_distances
from alfine.surrogate.model import Model, model_of
from alfine.surrogate.threads import one_thread

INFLUENCES: MemoKey[tuple[Influence, ...]] = MemoKey(__name__, "influences")

LEAST_RESULTS = 10
"""Objectives from which on the surrogate is asked: with fewer it mostly repeats what it assumed beforehand."""

DRAWS = 64
"""Functions drawn from the posterior."""

FEATURES = 512
"""Random features of a draw from the prior."""

POINTS = 512
"""Configurations that each index averages over: with more the shares of known functions don't change in the second digit."""

PLACES = 41
"""Values of a numeric hyperparameter at which an effect or a surface is computed."""

LOW, HIGH = 0.05, 0.95
"""Quantiles of an uncertainty range."""

DEVIATIONS = 1.645
"""Standard deviations from the mean to each end of a 90 % interval of a normal distribution."""

FREEDOM = 5
"""Degrees of freedom of the spectral density of a Matérn 5/2 kernel. Source: Rasmussen and Williams 2006, equation 4.15."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """The influence of one hyperparameter.

    Attributes:
        name: The hyperparameter.
        share: T_j, the mean over draws: the share of the variance of the objective that it causes, alone or together with others.
        low: The 5 % quantile over draws.
        high: The 95 % quantile over draws.
    """

    name: str
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The objective by the value of one hyperparameter, all others as in the best configuration.

    Attributes:
        name: The hyperparameter.
        values: The values at which it was computed, in ascending order; categories in the order of the range.
        mean: (m,) the objective that the surrogate expects there.
        low: (m,) the lower end of its 90 % interval, without noise.
        high: (m,) the upper end.
    """

    name: str
    values: tuple[object, ...]
    mean: Array
    low: Array
    high: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """The objective by the values of two hyperparameters, all others as in the best configuration.

    Attributes:
        names: The two hyperparameters.
        values: The values of the first and of the second.
        mean: (m, k) the objective that the surrogate expects.
    """

    names: tuple[str, str]
    values: tuple[tuple[object, ...], tuple[object, ...]]
    mean: Array


def influences(history: History) -> tuple[Influence, ...]:
    """Return the influence of each hyperparameter, the greatest first; none with fewer than `LEAST_RESULTS` objectives.

    Args:
        history: The tuning job; of one definition, where it has several (`History.of`).
    """
    with one_thread():
        model = _model(history)
        if model is None:
            return ()
        count = len(history.observations()[1])
        return history.remembered(INFLUENCES, lambda: _influences(history, model), version=count)


def effect(history: History, name: str) -> Effect | None:
    """Return the effect of one hyperparameter; None with too few results, or where no training job has the hyperparameter.

    Args:
        history: The tuning job; of one definition, where it has several.
        name: The hyperparameter.
    """
    best = _best_with(history, name)
    j, (values, places) = history.spec.space.names.index(name), _places(history.spec.space.ranges[name])
    with one_thread():
        model = _model(history)
        if model is None or best is None:
            return None
        mean, variance = model.surrogate.posterior(_moved(history, best, {j: places}))
    half = DEVIATIONS * np.sqrt(variance)
    ends = (mean, mean - half, mean + half)
    middle, first, second = (history.sign * model.scale.values(end) for end in ends)
    return Effect(name=name, values=values, mean=middle, low=np.minimum(first, second), high=np.maximum(first, second))


def surface(history: History, first: str, second: str) -> Surface | None:
    """Return the joint effect of two hyperparameters; None where `effect` is None for one of them.

    Args:
        history: The tuning job; of one definition, where it has several.
        first: One hyperparameter.
        second: Another one.
    """
    best = _best_with(history, first, second)
    names = history.spec.space.names
    (values, places), (others, heights) = (_places(history.spec.space.ranges[name]) for name in (first, second))
    grid = {
        names.index(first): np.repeat(places, len(heights)),
        names.index(second): np.tile(heights, len(places)),
    }
    with one_thread():
        model = _model(history)
        if model is None or best is None:
            return None
        mean, _ = model.surrogate.posterior(_moved(history, best, grid))
    objective = history.sign * model.scale.values(mean)
    return Surface(names=(first, second), values=(values, others), mean=objective.reshape(len(values), len(others)))


def _model(history: History) -> Model | None:
    return model_of(history) if len(history.observations()[1]) >= LEAST_RESULTS else None


def _influences(history: History, model: Model) -> tuple[Influence, ...]:
    space, rng = history.spec.space, np.random.default_rng(0)
    first, second = np.split(lattice(0, POINTS, rng.random(2 * space.dimension)), 2, axis=1)
    tables = [space.snap(first)]
    for j in range(space.dimension):
        moved = first.copy()
        moved[:, j] = second[:, j]
        tables.append(space.snap(moved))
    drawn = _draws(model.surrogate, np.concatenate(tables), rng).reshape(len(tables), POINTS, DRAWS)
    variance = np.maximum(drawn[0].var(0), 1e-12)
    shares = np.minimum(1.0, ((drawn[1:] - drawn[0]) ** 2).mean(1) / (2.0 * variance))  # (d, DRAWS)
    low, high = np.quantile(shares, (LOW, HIGH), axis=1)
    rows = zip(space.names, shares.mean(1), low, high, strict=True)
    found = [Influence(name=name, share=float(s), low=float(a), high=float(b)) for name, s, a, b in rows]
    return tuple(sorted(found, key=lambda influence: -influence.share))


def _draws(surrogate: Surrogate, points: Array, rng: np.random.Generator) -> Array:
    """Return (m, DRAWS): functions drawn from the posterior of the trend, at points (m, d)."""
    theta, d = surrogate.theta, surrogate.geometry.dimension
    encoded = surrogate.geometry.encode(surrogate.geometry.warp(points, theta), theta)
    stretch = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, FEATURES))
    frequencies = rng.standard_normal((encoded.shape[1], FEATURES)) * stretch
    phases, weights = 2.0 * math.pi * rng.random(FEATURES), rng.standard_normal((FEATURES, DRAWS))
    height = math.sqrt(2.0 * math.exp(theta[d]) / FEATURES)
    prior = height * np.cos(encoded @ frequencies + phases) @ weights
    at_observations = height * np.cos(surrogate.encoded @ frequencies + phases) @ weights
    trend, rough, _ = kernel_and_slope(theta, d, squared_distances(surrogate.encoded, surrogate.encoded))
    K = np.linalg.inv(surrogate.root)
    rest = K @ K.T - trend - rough  # the variance of each observation's own noise, on the diagonal
    other = rough + np.diag(np.maximum(np.diag(rest), 0.0))
    at_observations += np.linalg.cholesky(other + 1e-9 * np.eye(len(other))) @ rng.standard_normal((len(other), DRAWS))
    residual = surrogate.root.T @ (surrogate.root @ (surrogate.y[:, None] - surrogate.mean - at_observations))
    across, _, _ = kernel_and_slope(theta, d, squared_distances(encoded, surrogate.encoded))
    return np.asarray(prior + across @ residual)


def _best_with(history: History, *names: str) -> TrainingJob | None:
    """Return the best training job in which the hyperparameters are active."""
    jobs = [j for j in history.finished if j.objective is not None and all(name in j.hyperparameters for name in names)]
    return min(jobs, key=lambda job: history.sign * (job.objective or 0.0), default=None)


def _places(range_: Range) -> tuple[tuple[object, ...], Array]:
    """Return the values at which a hyperparameter is looked at, and their places on its axis, (m,)."""
    cells = range_.cells
    if isinstance(range_, Categorical) or cells <= PLACES:
        count = int(cells)
        values = tuple(dict.fromkeys(range_.from_unit((i + 0.5) / count) for i in range(count)))
    else:
        values = tuple(dict.fromkeys(range_.from_unit(u) for u in np.linspace(0.0, 1.0, PLACES)))
    return values, np.array([range_.to_unit(value) for value in values])


def _moved(history: History, job: TrainingJob, places: dict[int, Array]) -> Array:
    """Return the configuration of a training job with some of its coordinates moved to other places, (m, d)."""
    space = history.spec.space
    points = np.tile(space.to_unit(job.hyperparameters), (len(next(iter(places.values()))), 1))
    for j, column in places.items():
        stretch = 1.0 if space.structure is None else space.structure.stretch[j]
        points[:, j] = column * stretch
    return space.settle(points)
