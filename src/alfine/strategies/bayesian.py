"""Bayesian optimisation: the surrogate says where improvement is likely, and the most promising point is tried next.

Symbols and shapes: points (q, d) of the unit cube; mu, s mean and standard deviation of the surrogate's posterior (surrogate/gaussian_process.py), in
targets, smaller is better; f* the incumbent, the lowest posterior mean over what was observed; z = (f* - mu) / s.

    EI = s h(z),  h(z) = phi(z) + z Phi(z)              acquisition = ln EI + CAUTION ln P(success)

The logarithm keeps the acquisition and its gradient informative where EI itself underflows: far from the incumbent, and late.

References: Jones et al. 1998, «Efficient global optimization of expensive black-box functions», equation 15; Ament et al. 2023,
«Unexpected improvements to expected improvement for Bayesian optimization», equation 9; Ginsbourger et al. 2010, «Kriging is
well-suited to parallelize optimization» (pending training jobs, as fantasies).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.policy import Suggestion
from alfine.core.ranges import Array, Integer
from alfine.core.space import ParameterSpace
from alfine.core.spec import TuningJobSpec
from alfine.strategies.expected_gain import log_promise
from alfine.strategies.name_priors import beliefs
from alfine.strategies.random import Random
from alfine.strategies.transfer_learning import advised, own_turn
from alfine.surrogate.acquisition import lattice, log_expected_improvement, log_h, slope_of_log_h
from alfine.surrogate.gaussian_process import Surrogate, one_thread, squared_distances, theta_of
from alfine.surrogate.parent_evidence import prior, related
from alfine.surrogate.running_jobs import foreseen

LEVELS: MemoKey[list[Array | None]] = MemoKey(__name__, "levels")
EVERY: MemoKey[Array] = MemoKey(__name__, "every configuration")

# The initial design: enough to see each coordinate vary, and at most a quarter of a known budget.
LEAST_INITIAL, EXTRA_INITIAL, INITIAL_SHARE = 4, 2, 0.25
LEAST_OBSERVED = 2  # a surrogate of one point has nothing to say

# How near to a point that was tried the next may be, in cube edges: sqrt(d) APART, and less where n balls would fill the cube.
# The last thousandth of improvement at one spot isn't worth the training jobs that another spot could have.
APART, FILLED = 0.03, 0.3
SAME = 1e-9  # nearer than this it's the same configuration

DESIGN_POINTS = 1024  # of the sequence, where combinations are forbidden: the allowed among them
GLOBAL_POINTS = 256  # candidates all over the cube
LOCAL_CENTRES, LOCAL_POINTS = 5, 30  # perturbations of the best five, so many each
STEPS = (0.02, 0.08, 0.25)  # standard deviations of a perturbation, in cube edges: refine, adjust, move away
MOVED = 0.6  # share of the coordinates that a perturbation moves
CONTENDERS = 32  # of the candidates, by acquisition: what the climb and the moves found is compared with them
STARTS, ASCENT = 8, 7  # uphill from so many contenders, so many rounds
FIRST_STEP, GROW, SHRINK = 0.05, 1.2, 0.5  # in cube edges; the factors are Rprop's own
FLIPS = 3  # rounds of moves by one value of a discrete coordinate
ENUMERATED = 2000  # a finite space with at most so many configurations is compared whole
FINE = 64  # an integer range with more values is as good as continuous until its point is snapped

# P(success) is a second Gaussian process on labels +1 and -1, with these fixed: failures spread so far (in one dimension; it grows
# with sqrt(d)), and a label is chance rather than the configuration's doing with this variance. Its logarithm counts CAUTION times:
# with 1, half of what is tried at the edge of a failing region fails, as improvement looks likely just beyond it.
FAILURE_LENGTH, FAILURE_NOISE, CAUTION = 0.2, 0.05, 3.0
BELIEVED = 256  # running training jobs, the latest: imagining how m of them end costs O(m^3)
FANTASIES = 8  # of how they end
FAILURES = 300  # the latest so many; each costs as much as an observation


Tried = set[bytes] | Array  # what was launched: in a finite space as the points' bytes, else (n, d)


@dataclass(frozen=True, slots=True)
class Bayesian:
    """Gaussian process, expected improvement, no waiting: each free slot gets an answer given what is known and what runs.

    A warm start from identical data and algorithm gives the surrogate the parents' observations; transfer.py has the other kind.
    Running training jobs count as observed at their predicted value, failed ones lower the chance of success around them.
    No configuration is suggested twice; None once a finite space is used up.
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
        if early and not related(history):  # without scipy, whose import costs more than the first training jobs
            point = _unseen(space.snap(_design(history)), tried)
        else:
            try:
                with one_thread(), np.errstate(all="ignore"):
                    advice = advised(history) if early else None
                    if advice is not None:
                        point = _unseen(advice, tried)
                    elif early:
                        point = _unseen(space.snap(_design(history)), tried)
                    else:
                        point = _search(history, tried)
            except (ArithmeticError, ValueError, np.linalg.LinAlgError):
                point = None  # whatever broke in the numerics, the job goes on: at random
        if point is None:
            return Random().ask(history)
        found = space.from_unit(point)
        return Suggestion(hyperparameters=found) if space.allows(found) else Random().ask(history)

    def promise(self, history: History, best: float, doubt: float) -> float | None:
        try:
            with one_thread(), np.errstate(all="ignore"):
                return log_promise(history, best, doubt)
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):
            return None


def initial_size(spec: TuningJobSpec) -> int:
    """How many training jobs are launched before the surrogate is asked."""
    size = spec.space.dimension + EXTRA_INITIAL
    if spec.max_training_jobs is not None:
        size = min(size, int(INITIAL_SHARE * spec.max_training_jobs))
    return max(LEAST_INITIAL, size)


def _design(history: History) -> Array:
    """(5, d) the next points of the initial design: one sequence a tuning job, its shift drawn from the seed.

    It begins with the best guess, and is denser where good values of well-known hyperparameters mostly lie (beliefs.py).
    """
    space, first = history.spec.space, own_turn(history)
    shift = np.random.default_rng((history.spec.seed, 0)).random(space.dimension)
    believed = beliefs(space)
    start, count = (0, DESIGN_POINTS) if space.forbidden else (first, 5)
    points = believed.drawn(lattice(start, count, shift))
    if start == 0:
        points[0] = believed.middle(points[0])
    return space.feasible(points)[first : first + 5] if space.forbidden else points


# -- acquisition -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Acquisition:
    """ln EI + CAUTION ln P(success), EI averaged over the fantasies; without failures P is 1.

    best: (F,) the incumbent of each fantasy.
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
        """(q,) 1 where failure is likelier than success."""
        if self.labels is None:
            return np.zeros(len(points))
        return np.asarray(self.labels.posterior(points)[0] < 0.0, dtype=float)

    def gradient(self, points: Array) -> Array:
        """(q, d). With g = Phi(z) / h(z) = d ln h / dz:  d ln EI = (1 - g z) ds / s - g dmu / s.

        The slope of ln mean EI is the mean of these, each fantasy weighing as much as its EI.
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
    """(q, F) -> (q,)."""
    highest = logarithms.max(1)
    return np.asarray(highest + np.log(np.exp(logarithms - highest[:, None]).mean(1)))


def _imagined(history: History, surrogate: Surrogate) -> Surrogate:
    """Given what runs: FANTASIES of how it ends, half of them the other half's mirror images."""
    pending = history.pending()[-BELIEVED:]
    normal = history.rng(4).standard_normal((len(pending), FANTASIES // 2))
    return surrogate.imagining(pending, np.concatenate([normal, -normal], axis=1))


def _labelled(surrogate: Surrogate, history: History) -> Surrogate | None:
    """The process on +1 for what succeeded and -1 for what failed: least-squares classification, with the variance kept."""
    if not len(failed := history.failed()):
        return None
    geometry, d = surrogate.geometry, surrogate.geometry.dimension
    theta = theta_of(d, FAILURE_LENGTH, 1.0, FAILURE_NOISE, 1e-9)
    failed = failed[-FAILURES:]
    labels = np.concatenate([np.ones(len(surrogate.X)), -np.ones(len(failed))])
    return Surrogate.of(geometry, theta, np.concatenate([surrogate.X, failed]), labels)


# -- search ----------------------------------------------------------------------------------------------------------


def _search(history: History, tried: Tried) -> Array | None:
    """The point of highest acquisition that is neither tried nor too near to one that was, as far as it is found."""
    space, surrogate = history.spec.space, foreseen(history)
    if surrogate is None:
        return None
    imagined = _imagined(history, surrogate)
    best = imagined.posterior(imagined.X)[0].min(0)
    acquisition = _Acquisition(imagined, best, _labelled(surrogate, history))
    if space.size is not None and space.size <= ENUMERATED:
        return _unseen(_ranked(acquisition, _all(history)), tried)
    levels = _levels(history)
    known = history.launches + len(prior(history)[1])  # by a warm start it's asked before anything was launched
    radius = min(APART * math.sqrt(space.dimension), FILLED * math.exp(-math.log(known) / space.dimension))
    near = np.concatenate([surrogate.X, history.pending()])

    def preferred(points: Array) -> Array:
        """By falling acquisition; what is too near to a tried point later, where failure is likelier than success last."""
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
    """(q, d), (n, d) -> (q,) the Euclidean distance to the nearest tried point."""
    return np.asarray(np.sqrt(squared_distances(points, tried).min(1)))


def _ranked(acquisition: _Acquisition, points: Array) -> Array:
    """The points by falling acquisition."""
    value = acquisition(points)
    return points[np.argsort(-np.where(np.isnan(value), -np.inf, value), kind="stable")]


def _candidates(history: History, surrogate: Surrogate) -> Array:
    """Points all over the cube, and perturbations of the best observed."""
    rng, d = history.rng(1), history.spec.space.dimension
    spread = lattice(0, GLOBAL_POINTS, rng.random(d))
    centres = surrogate.X[np.argsort(surrogate.posterior(surrogate.X)[0], kind="stable")[:LOCAL_CENTRES]]
    around = np.repeat(centres, LOCAL_POINTS, axis=0)
    step = np.array(STEPS)[rng.integers(len(STEPS), size=(len(around), 1))] * rng.standard_normal(around.shape)
    fresh = rng.random(around.shape)
    moves = rng.random(around.shape) < MOVED
    # A category has no neighbours: where one is moved, it's drawn anew, and less often than a number.
    redrawn = history.spec.space.categorical & (rng.random(around.shape) < 1.0 / max(2, d))
    moved = np.clip(around + step * moves, 0.0, 1.0)
    moved = np.where(history.spec.space.categorical, np.where(redrawn, fresh, around), moved)
    if history.spec.space.forbidden:  # so that enough are left where little is allowed
        spread = history.spec.space.draw(rng, GLOBAL_POINTS)
    return np.concatenate([spread, moved])


def _climb(acquisition: _Acquisition, starts: Array, levels: list[Array | None], space: ParameterSpace) -> Array:
    """(q, d) -> (q, d) all starts moved uphill at once along the active coordinates without levels.

    Rprop: a coordinate's step grows while its slope keeps its sign and shrinks when that changes. Unlike L-BFGS it takes all
    starts in one product a round, and slopes that span many orders of magnitude don't matter (Riedmiller and Braun 1993).
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
    """Rounds of moves by one value: categories to any other, integers to their neighbours. The points met, (q, d) a round."""
    met: list[Array] = []
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
        met.append(np.array([point, *moves]))
        best = _ranked(acquisition, met[-1])[0]
        if np.array_equal(best, point):
            break
        point = best
    return met


# -- discrete coordinates --------------------------------------------------------------------------------------------


def _levels(history: History) -> list[Array | None]:
    """For each coordinate with few values their places on the axis, ascending; None where it is as good as continuous."""

    def compute() -> list[Array | None]:
        levels: list[Array | None] = []
        for r, k in zip(history.spec.space.ranges.values(), history.spec.space.cells, strict=True):
            if isinstance(r, Integer):
                few = k <= FINE
                levels.append(np.array([r.to_unit(v) for v in range(r.low, r.high + 1)]) if few else None)
            else:
                levels.append(None if math.isinf(k) else (np.arange(k) + 0.5) / k)
        return levels

    return history.remembered(LEVELS, compute)


def _rounded(points: Array, space: ParameterSpace, levels: list[Array | None]) -> Array:
    """Categories and integers with few values at the nearest of them; `space.snap` for all points would cost 10 ms."""
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
    """(size, d) every configuration of a small finite space."""
    space = history.spec.space
    return history.remembered(EVERY, lambda: np.array([space.to_unit(values) for values in space.grid()]))


def _tried(history: History) -> Tried:
    """The points launched so far, and those that parents know of."""
    if history.spec.space.size is not None:
        return history.configurations
    return np.concatenate([prior(history)[0], history.observations()[0], history.pending(), history.failed()])


def _unseen(points: Array, tried: Tried) -> Array | None:
    """The first point that wasn't launched; None when all were."""
    if isinstance(tried, set):
        return next((point for point in points if point.tobytes() not in tried), None)
    return next((point for point in points if not (np.abs(tried - point).max(axis=1) < SAME).any()), None)
