"""Bayesian optimisation: a surrogate predicts the objective, and the most promising point is tried next.

Symbols and shapes: points (q, d) of the unit cube; mu, s mean and standard deviation of the surrogate's posterior
(surrogate/gaussian_process.py), in targets, smaller is better; f* the incumbent: the lowest posterior mean over the observed points;
z = (f* - mu) / s.

    EI = s h(z),  h(z) = phi(z) + z Phi(z)              acquisition = ln EI + CAUTION ln P(success)

The logarithm keeps the acquisition function and its gradient informative where EI itself underflows: far from the incumbent, and
late in the search.

References: Jones et al. 1998, «Efficient global optimization of expensive black-box functions», equation 15; Ament et al. 2023,
«Unexpected improvements to expected improvement for Bayesian optimization», equation 9; Ginsbourger et al. 2010, «Kriging is
well-suited to parallelize optimization» (running training jobs as fantasies).
"""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Self

import numpy as np

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.protocols import Suggestion
from alfine.core.ranges import values_of
from alfine.core.space import ParameterSpace
from alfine.core.spec import TuningJobSpec
from alfine.strategies.expected_gain import log_expected_gain
from alfine.strategies.name_priors import name_priors
from alfine.strategies.random import Random
from alfine.strategies.transfer_learning import advised_points, own_design_index
from alfine.surrogate.acquisition import lattice, log_expected_improvement, log_h, slope_of_log_h
from alfine.surrogate.fit import theta_of
from alfine.surrogate.gaussian_process import Surrogate
from alfine.surrogate.kernel import squared_distances
from alfine.surrogate.parent_evidence import prior, related
from alfine.surrogate.running_jobs import surrogate_with_running_curves
from alfine.surrogate.threads import one_thread

LEVELS: MemoKey[list[Array | None]] = MemoKey(__name__, "levels")
EVERY: MemoKey[Array] = MemoKey(__name__, "every configuration")

LEAST_INITIAL = 4
"""Least size of the initial design."""

EXTRA_INITIAL = 2
"""Points of the initial design beyond one per hyperparameter, so that each coordinate is seen to vary."""

INITIAL_SHARE = 0.25
"""Largest share of a known budget that the initial design takes."""

LEAST_OBSERVED = 2
"""Least number of results for a surrogate."""

APART = 0.03
"""Least distance of the next point from a tried one, in cube edges times sqrt(d): the last thousandth of improvement at one place isn't
worth the training jobs that another place could have."""

FILLED = 0.3
"""Least distance where balls of that radius around n points would fill the cube: this times n^(-1/d)."""

SAME = 1e-9
"""Distance in every coordinate below which two points are the same configuration."""

DESIGN_POINTS = 1024
"""Points of the sequence that the initial design is chosen from where combinations are forbidden."""

GLOBAL_POINTS = 256
"""Candidates all over the cube."""

LOCAL_CENTRES = 5
"""Number of best points that are perturbed."""

LOCAL_POINTS = 30
"""Perturbations of each of them."""

STEPS = (0.02, 0.08, 0.25)
"""Standard deviations of a perturbation, in cube edges: refine, adjust, move away."""

MOVED = 0.6
"""Share of the coordinates that a perturbation moves."""

CONTENDERS = 32
"""Number of best candidates that compete with what the gradient ascent and the moves of discrete coordinates found."""

STARTS = 8
"""Number of candidates that the gradient ascent starts from."""

ASCENT = 7
"""Rounds of the gradient ascent."""

FIRST_STEP = 0.05
"""First step of the gradient ascent, in cube edges."""

GROW = 1.2
"""Factor of the step while the slope keeps its sign: Rprop's own."""

SHRINK = 0.5
"""Factor of the step when the slope changes its sign: Rprop's own."""

FLIPS = 3
"""Rounds of moves by one value of a discrete coordinate."""

ENUMERATED = 2000
"""A finite space with at most this many configurations is compared as a whole."""

FINE = 64
"""An integer range with more values is treated as continuous until its point is rounded."""

# P(success) is a second Gaussian process on labels +1 and -1, with fixed settings.

FAILURE_LENGTH = 0.2
"""Spread of a failure: its length scale in one dimension; it grows with sqrt(d)."""

FAILURE_NOISE = 0.05
"""Variance of a label that is chance, not caused by the configuration."""

CAUTION = 3.0
"""Weight of ln P(success). With 1, half of the points tried at the edge of a failing region fail, because improvement looks likely just
beyond it."""

MOST_PENDING = 256
"""Largest number of running training jobs that fantasies are drawn for, the latest: m of them cost O(m^3)."""

FANTASIES = 8
"""Number of fantasies about how the running training jobs end."""

FAILURES = 300
"""Largest number of failed training jobs that count, the latest: each costs as much as an observation."""


Tried = AbstractSet[bytes] | Array
"""The points that were launched: in a finite space as bytes, else (n, d)."""


@dataclass(frozen=True, slots=True)
class Bayesian:
    """Bayesian search with a Gaussian process and expected improvement.

    It never waits: each free slot gets a configuration, given the results so far and the training jobs that run. A running training
    job counts as observed at its predicted value; a failed one lowers the chance of success around it. A warm start from
    identical data and algorithm gives the surrogate the parents' observations; transfer_learning.py is the other kind of warm start.
    No configuration is suggested twice; `ask` returns None once a finite space is used up.
    """

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:  # noqa: ARG003 - the protocol's signature
        return cls()

    def ask(self, history: History) -> Suggestion | None:
        space = history.spec.space
        if space.size is not None and len(history.configurations) >= space.size:
            return None
        tried = _tried(history)
        design, known = initial_size(history.spec), len(prior(history)[1])
        early = history.launches + known < design or len(history.observations()[1]) + known < LEAST_OBSERVED
        if early and not related(history):  # avoids the import of scipy, which takes longer than short training jobs
            point = _unseen(space.snap(_design(history)), tried)
        else:
            try:
                with one_thread(), np.errstate(all="ignore"):
                    advice = advised_points(history) if early else None
                    if advice is not None:
                        point = _unseen(advice, tried)
                    elif early:
                        point = _unseen(space.snap(_design(history)), tried)
                    else:
                        point = _search(history, tried)
            except (ArithmeticError, ValueError, np.linalg.LinAlgError):
                point = None  # numerical failure: this one configuration is drawn at random instead
        if point is None:
            return Random().ask(history)
        values = space.from_unit(point)
        return Suggestion(hyperparameters=values) if space.allows(values) else Random().ask(history)

    def expected_gain(self, history: History, best: float, variance_factor: float) -> float | None:
        """Return the expected gain of the next training job (expected_gain.py); None after a numerical failure."""
        try:
            with one_thread(), np.errstate(all="ignore"):
                return log_expected_gain(history, best, variance_factor)
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):
            return None


def initial_size(spec: TuningJobSpec) -> int:
    """Return the size of the initial design: the number of training jobs launched before the surrogate is used."""
    size = spec.space.dimension + EXTRA_INITIAL
    if spec.max_training_jobs is not None:
        size = min(size, int(INITIAL_SHARE * spec.max_training_jobs))
    return max(LEAST_INITIAL, size)


def _design(history: History) -> Array:
    """Return the next points (5, d) of the initial design: one sequence per tuning job, its shift drawn from the seed.

    It begins with the best guess, and is denser where good values of well-known hyperparameters mostly lie (name_priors.py).
    """
    space, first = history.spec.space, own_design_index(history)
    shift = np.random.default_rng((history.spec.seed, 0)).random(space.dimension)
    priors = name_priors(space)
    start, count = (0, DESIGN_POINTS) if space.forbidden else (first, 5)
    points = priors.applied(lattice(start, count, shift))
    if start == 0:
        points[0] = priors.best_guess(points[0])
    return space.feasible(points)[first : first + 5] if space.forbidden else points


# -- acquisition -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Acquisition:
    """The acquisition function ln EI + CAUTION ln P(success). EI is the mean over the fantasies; without failures P is 1.

    Attributes:
        surrogate: The posterior, with the running training jobs as F fantasies.
        best: (F,) the incumbent of each fantasy.
        labels: The process on success and failure; None without failures.
    """

    surrogate: Surrogate
    best: Array
    labels: Surrogate | None

    def __call__(self, points: Array) -> Array:
        from scipy.special import log_ndtr

        mean, variance = self.surrogate.posterior(points)
        value = _log_of_mean(log_expected_improvement(mean, variance[:, None], self.best))
        if self.labels is None:
            return value
        mean, variance = self.labels.posterior(points)
        return np.asarray(value + CAUTION * log_ndtr(mean / np.sqrt(variance + FAILURE_NOISE)))

    def risky(self, points: Array) -> Array:
        """Return (q,) 1 where failure is likelier than success, else 0."""
        if self.labels is None:
            return np.zeros(len(points))
        return np.asarray(self.labels.posterior(points)[0] < 0.0, dtype=float)

    def gradient(self, points: Array) -> Array:
        """Return the gradient (q, d). With g = Phi(z) / h(z) = d ln h / dz:  d ln EI = (1 - g z) ds / s - g dmu / s.

        The gradient of ln mean EI is the mean of these over the fantasies, weighted by their EI.
        """
        from scipy.special import log_ndtr

        mean, variance, dmean, dvariance = self.surrogate.gradient(points)
        s = np.sqrt(variance)[:, None]
        z = (self.best - mean) / s
        g = slope_of_log_h(z)
        log_improvement = log_h(z)
        weight = np.exp(log_improvement - log_improvement.max(1, keepdims=True))
        weight /= weight.sum(1, keepdims=True)
        by_variance = (weight * (1.0 - g * z)).sum(1) / (2 * variance)
        slope = by_variance[:, None] * dvariance - ((weight * g / s)[:, None, :] @ dmean)[:, 0]
        if self.labels is None:
            return np.asarray(slope)
        mean, variance, dmean, dvariance = self.labels.gradient(points)
        s = np.sqrt(variance + FAILURE_NOISE)
        z = mean / s
        g = np.exp(-0.5 * z * z - 0.5 * math.log(2 * math.pi) - log_ndtr(z))  # d ln Phi / dz
        return np.asarray(slope + (CAUTION * g / s)[:, None] * (dmean - (z / (2 * s))[:, None] * dvariance))


def _log_of_mean(logarithms: Array) -> Array:
    """Return ln of the mean (q,) over the columns of logarithms (q, F)."""
    highest = logarithms.max(1)
    return np.asarray(highest + np.log(np.exp(logarithms - highest[:, None]).mean(1)))


def _with_fantasies(history: History, surrogate: Surrogate) -> Surrogate:
    """Return the surrogate with FANTASIES of how the running training jobs end; half of them mirror the other half."""
    pending = history.pending()[-MOST_PENDING:]
    normal = history.rng(4).standard_normal((len(pending), FANTASIES // 2))
    return surrogate.with_fantasies(pending, np.concatenate([normal, -normal], axis=1))


def _labelled(surrogate: Surrogate, history: History) -> Surrogate | None:
    """Return the process on +1 for success and -1 for failure: least-squares classification with a variance; None without failures."""
    if not len(failed := history.failed()):
        return None
    geometry, d = surrogate.geometry, surrogate.geometry.dimension
    theta = theta_of(d, FAILURE_LENGTH, 1.0, FAILURE_NOISE, 1e-9)
    failed = failed[-FAILURES:]
    labels = np.concatenate([np.ones(len(surrogate.X)), -np.ones(len(failed))])
    return Surrogate.of(geometry, theta, np.concatenate([surrogate.X, failed]), labels)


# -- search ----------------------------------------------------------------------------------------------------------


def _search(history: History, tried: Tried) -> Array | None:
    """Return the best point found by acquisition that is neither tried nor too near to a tried one; None when there is none."""
    space, surrogate = history.spec.space, surrogate_with_running_curves(history)
    if surrogate is None:
        return None
    fantasies = _with_fantasies(history, surrogate)
    best = fantasies.posterior(fantasies.X)[0].min(0)
    acquisition = _Acquisition(fantasies, best, _labelled(surrogate, history))
    if space.size is not None and space.size <= ENUMERATED:
        return _unseen(_ranked(acquisition, _all(history)), tried)
    levels = _levels(history)
    known = history.launches + len(prior(history)[1])  # after a warm start `launches` may be 0
    radius = min(APART * math.sqrt(space.dimension), FILLED * math.exp(-math.log(known) / space.dimension))
    near = np.concatenate([surrogate.X, history.pending()])

    def preferred(points: Array) -> Array:
        """Sort by falling acquisition; points too near to a tried one come later, likely failures come last."""
        ranked = _ranked(acquisition, points)
        late = 2 * acquisition.risky(ranked) + (_gaps(ranked, near) < radius)
        return ranked[np.argsort(late, kind="stable")]

    candidates = space.feasible(_rounded(_candidates(history, surrogate), space, levels))
    if not len(candidates):
        return None
    contenders = _ranked(acquisition, candidates)[:CONTENDERS]
    refined = _climb(acquisition, contenders[:STARTS], levels, space)
    found = np.concatenate([contenders, refined, *_flips(acquisition, _ranked(acquisition, refined)[0], space, levels)])
    if space.structure or any(level is None and math.isfinite(k) for level, k in zip(levels, space.cells, strict=True)):
        found = space.feasible(space.snap(found))
    return _unseen(preferred(found), tried)


def _gaps(points: Array, tried: Array) -> Array:
    """Return (q,) the Euclidean distance of points (q, d) to the nearest tried point (n, d)."""
    return np.asarray(np.sqrt(squared_distances(points, tried).min(1)))


def _ranked(acquisition: _Acquisition, points: Array) -> Array:
    """Return the points sorted by falling acquisition."""
    value = acquisition(points)
    return points[np.argsort(-np.where(np.isnan(value), -np.inf, value), kind="stable")]


def _candidates(history: History, surrogate: Surrogate) -> Array:
    """Return candidates (q, d): points all over the cube, and perturbations of the best observed points."""
    rng, d = history.rng(1), history.spec.space.dimension
    spread = lattice(0, GLOBAL_POINTS, rng.random(d))
    centres = surrogate.X[np.argsort(surrogate.posterior(surrogate.X)[0], kind="stable")[:LOCAL_CENTRES]]
    around = np.repeat(centres, LOCAL_POINTS, axis=0)
    step = np.array(STEPS)[rng.integers(len(STEPS), size=(len(around), 1))] * rng.standard_normal(around.shape)
    fresh = rng.random(around.shape)
    moves = rng.random(around.shape) < MOVED
    # A category has no neighbours: instead of a move it is drawn anew, and less often than a number is moved.
    redrawn = history.spec.space.categorical & (rng.random(around.shape) < 1.0 / max(2, d))
    moved = np.clip(around + step * moves, 0.0, 1.0)
    moved = np.where(history.spec.space.categorical, np.where(redrawn, fresh, around), moved)
    if history.spec.space.forbidden:  # enough candidates remain where few points are allowed
        spread = history.spec.space.draw(rng, GLOBAL_POINTS)
    return np.concatenate([spread, moved])


def _climb(acquisition: _Acquisition, starts: Array, levels: list[Array | None], space: ParameterSpace) -> Array:
    """Return the starts (q, d) after gradient ascent along their active continuous coordinates.

    Rprop (Riedmiller and Braun 1993): a coordinate's step grows while its slope keeps its sign and shrinks when the sign changes. Unlike
    L-BFGS it moves all starts in one matrix product per round, and slopes of very different size don't matter.
    """
    free = np.array([level is None for level in levels]) & space.active(starts)
    points, value = starts.copy(), acquisition(starts)
    step, before = np.where(free, FIRST_STEP, 0.0) * np.ones_like(points), np.zeros_like(points)
    for _ in range(ASCENT if free.any() else 0):
        slope = np.sign(acquisition.gradient(points))
        step *= np.where(slope * before > 0, GROW, np.where(slope * before < 0, SHRINK, 1.0))
        points, before = np.clip(points + slope * step, 0.0, 1.0), slope
    ended = acquisition(points)
    return np.where((ended > value)[:, None], points, starts)


def _flips(acquisition: _Acquisition, point: Array, space: ParameterSpace, levels: list[Array | None]) -> list[Array]:
    """Return the points (q, d) of each round of moves by one value: a category to any other, an integer to its neighbours."""
    visited: list[Array] = []
    for _ in range(FLIPS):
        moves = []
        for j, level in enumerate(levels):
            if level is None:
                continue
            at = int(np.argmin(np.abs(level - point[j])))
            others = range(len(level)) if space.categorical[j] else (at - 1, at + 1)
            moves += [
                np.where(np.arange(len(point)) == j, level[i], point) for i in others if i != at and 0 <= i < len(level)
            ]
        if not moves:
            break
        visited.append(np.array([point, *moves]))
        best = _ranked(acquisition, visited[-1])[0]
        if np.array_equal(best, point):
            break
        point = best
    return visited


# -- discrete coordinates --------------------------------------------------------------------------------------------


def _levels(history: History) -> list[Array | None]:
    """Return for each coordinate with few values their places on the axis, ascending; None for a (nearly) continuous one."""

    def compute() -> list[Array | None]:
        levels: list[Array | None] = []
        for r, k in zip(history.spec.space.ranges.values(), history.spec.space.cells, strict=True):
            if r.ordered:
                levels.append(np.array([r.to_unit(value) for value in values_of(r)]) if k <= FINE else None)
            else:
                levels.append((np.arange(k) + 0.5) / k)
        return levels

    return history.remembered(LEVELS, compute)


def _rounded(points: Array, space: ParameterSpace, levels: list[Array | None]) -> Array:
    """Return the points with discrete coordinates moved to the nearest value; `space.snap` for all points would take 10 ms."""
    rounded = points.copy()
    for j, level in enumerate(levels):
        if level is None:
            continue
        if space.categorical[j]:
            chosen = np.minimum((points[:, j] * len(level)).astype(int), len(level) - 1)
        else:
            chosen = np.searchsorted(0.5 * (level[1:] + level[:-1]), points[:, j])
        rounded[:, j] = level[chosen]
    return rounded


def _all(history: History) -> Array:
    """Return every configuration (size, d) of a small finite space."""
    space = history.spec.space
    return history.remembered(EVERY, lambda: np.array([space.to_unit(values) for values in space.grid()]))


def _tried(history: History) -> Tried:
    """Return the points launched so far, and those of parents with the same function."""
    if history.spec.space.size is not None:
        return history.configurations
    return np.concatenate([prior(history)[0], history.observations()[0], history.pending(), history.failed()])


def _unseen(points: Array, tried: Tried) -> Array | None:
    """Return the first point that wasn't launched; None when all were."""
    if isinstance(tried, AbstractSet):
        return next((point for point in points if point.tobytes() not in tried), None)
    return next((point for point in points if not (np.abs(tried - point).max(axis=1) < SAME).any()), None)
