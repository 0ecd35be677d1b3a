"""The probability that the rest of a tuning job's budget improves the best: what ConvergenceDetected, MarginalValue and forecasts rest on.

Symbols (values minimised; a maximised metric is negated):

    k    training jobs ended, failed ones included       v (n,)  finite objectives in order of completion; b = min v
    rem  training jobs left in the budget                S       spread: median of the first 20 of v, minus b
    P    number of hyperparameters                       w (n,)  v without noise, as expected (surrogate/noise.py); v itself where there is none
    eps  the improvement that matters, above 0           s       results since the best of w came within eps of today's

    p(eps) = sigmoid(weights . signals) = P(the rest of the budget improves the best by more than eps)

Every signal is a ratio to eps, S or k, so one set of weights serves every metric, budget and eps.

Source: the form of the statement, (eps, delta), is Wilson 2024, «Stopping Bayesian optimization with probabilistic regret bounds».
Unlike there, the Gaussian process is only one of seven signals of a logistic model, calibrated on recorded searches: taken alone it's
overconfident where the surrogate is wrong. docs/explanation/stopping.md has the signals one by one, and how well p is calibrated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.surrogate.acquisition import lattice, log_expected_improvement
from alfine.surrogate.kernel import Geometry, geometry_of, squared_distances
from alfine.surrogate.model import Model, evidence_of, model_of, targets_at
from alfine.surrogate.noise import noise_of
from alfine.surrogate.output_scale import spread_of
from alfine.surrogate.threads import one_thread

EVIDENCE: MemoKey[tuple[Evidence, str]] = MemoKey(__name__, "evidence")
FIXED: MemoKey[Array] = MemoKey(__name__, "fixed random numbers")

WEIGHTS = {
    "intercept": -2.159,
    "since_rem": -0.778,
    "rem_k": 0.530,
    "gap10": 0.243,
    "crowd": -0.516,
    "x_loc": -0.469,
    "logP": 0.845,
    "promise": 0.231,
}
"""Fitted by bench/stopping/fit.py on recorded searches by the Bayesian strategy, TPE and Random. Whoever changes them runs
bench/stopping/forecasts.py --fit, too."""

WANING = -1.03
"""Change of the logit of p for each e-fold of training jobs without an improvement, apart from the signals of time: see
`score_ahead`. By bench/stopping/fit.py."""

LEAST_RESULTS = 10
"""Objectives needed before p is computed: `gap10` needs the tenth best, and the weights were fitted from here on."""

NOISE_SURE = 5.0
"""Log odds of noise (surrogate/noise.py) above which the results speak clearly for noise."""

LATEST = 10
"""Configurations that the signal `x_loc` looks back on."""

UNLIMITED_LEAST = 50
"""Training jobs: without a limit the rest of the budget is taken to be as many as have ended, and this many at least."""

DENSE_STEPS = 1000
"""Training jobs ahead after each of which a forecast looks: more than AMT's largest budget, 750."""

STEP_GROWTH = 1.02
"""By which factor each later step of a forecast reaches further than the one before."""

RESIDUAL_GRID = (0.003, 0.01, 0.03, 0.1, 0.3)
"""Improvements e, in units of S, at which p(e) is taken to integrate it."""

# Candidates that the Gaussian process is asked about: three times as many moved p by less than 0.01.
SPACE_POINTS = 256  # all over the space
CENTRES = 5  # of the configurations with the lowest posterior mean …
AROUND = 128  # … so many neighbours in all
STEPS = (0.02, 0.08, 0.25)  # distances of neighbours, in edges of the unit cube (standard deviation)
MOVED = 0.6  # share of the coordinates in which a neighbour differs

PROSPECTS = 16
"""Candidates of the highest expected improvement, whose chances of an improvement by eps are added up."""

LEAST_CHANCE = 1e-3
"""Least chance of a candidate: surer than that the Gaussian process was wrong too often, early in searches above all."""

PROMISE_UNKNOWN = -0.2
"""The signal `promise` without a Gaussian process: its mean in recorded searches."""


def remaining(history: History) -> int:
    """Return rem: the training jobs of the budget that haven't ended. Running ones are still to come, so they count."""
    limit, size, k = history.spec.search_limit, history.spec.size, history.ended
    rem = max(k, UNLIMITED_LEAST) if limit is None else limit - k
    return max(0, rem if size is None else min(rem, size - k))


def steps_ahead(rem: int) -> Array:
    """Return (steps,), rising: after how many more training jobs a forecast looks ahead.

    After each of the first `DENSE_STEPS`, then ever more rarely, and at last after all `rem`: so the memory that a forecast takes
    doesn't grow with the job's limit.
    """
    dense = np.arange(1, min(rem, DENSE_STEPS) + 1)
    if rem <= DENSE_STEPS:
        return np.asarray(dense)
    count = 1 + math.ceil(math.log(rem / DENSE_STEPS) / math.log(STEP_GROWTH))
    later = np.unique(np.geomspace(DENSE_STEPS, rem, count + 1).round().astype(np.int64))[1:]
    return np.asarray(np.concatenate([dense, later]))


@dataclass(frozen=True, slots=True)
class Evidence:
    """The knowledge when the k-th training job has ended, in units of the minimised objective.

    Attributes:
        values: v, (n,).
        expected: w, (n,).
        k: Training jobs ended.
        rem: Training jobs left.
        hyperparameters: P.
        prospects: (m, 2), of the best candidates the posterior mean less the incumbent's, and the deviation; None without a
            Gaussian process.
        noise: Standard deviation of the objective's noise; 0 unless the results speak clearly for noise.
        locality: How far the latest configurations lie from the best, relative to points all over the space.
    """

    values: Array
    expected: Array
    k: int
    rem: int
    hyperparameters: int
    prospects: Array | None
    noise: float
    locality: float

    @property
    def best(self) -> float:
        """B."""
        return float(self.values.min())

    @property
    def spread(self) -> float:
        """S."""
        return spread_of(self.values)

    def since(self, eps: float) -> int:
        """Return s: the number of results since the running best of w first came within eps of today's.

        Args:
            eps: In units of the objective.
        """
        first = int(np.argmax(self.expected <= self.expected.min() + eps))
        return len(self.expected) - 1 - first

    def signals(self, eps: float) -> dict[str, float]:
        """Return the signals by name.

        Args:
            eps: The improvement that matters, in units of the objective.
        """
        k, rem, s = self.k, self.rem, self.since(eps)
        w, best = self.expected, float(self.expected.min())
        tenth = float(np.partition(w, LEAST_RESULTS - 1)[LEAST_RESULTS - 1])
        return {
            "intercept": 1.0,
            "since_rem": math.log1p(s / (rem + 1)),
            "rem_k": math.log((rem + 1) / k),
            "gap10": math.log10((tenth - best) / eps + 0.03),
            "crowd": math.log(float((w <= best + eps).sum())),
            "x_loc": math.log(0.02 + self.locality),
            "logP": math.log(max(1, self.hyperparameters)),
            "promise": self._promise(eps),
        }

    def _promise(self, eps: float) -> float:
        """Return the ln of how many of the best candidates the Gaussian process expects to improve the incumbent by eps."""
        from scipy.special import ndtr

        if self.prospects is None:
            return PROMISE_UNKNOWN
        gap, deviation = self.prospects.T
        return math.log(float(np.maximum(ndtr((-eps - gap) / deviation), LEAST_CHANCE).sum()))

    def improved_by(self, eps: float) -> Evidence:
        """Return about the evidence after one more training job, which is better than the best by eps.

        A Gaussian process that expected less was wrong: it is left out.
        """
        values, expected = (np.append(each, each.min() - eps) for each in (self.values, self.expected))
        prospects = self.prospects if self._promise(eps) > PROMISE_UNKNOWN else None
        return replace(
            self, values=values, expected=expected, k=self.k + 1, rem=max(0, self.rem - 1), prospects=prospects
        )

    def probability(self, eps: float) -> float:
        """Return p(eps).

        Args:
            eps: The improvement that matters, in units of the objective, above 0.
        """
        return sigmoid(self.score(eps))

    def score(self, eps: float) -> float:
        """Return the logit of p(eps): weights . signals."""
        return sum(WEIGHTS[name] * signal for name, signal in self.signals(eps).items())

    def expected_residual_improvement(self) -> float:
        """Return the integral of p(e) over e: what the rest of the budget is expected to gain, in units of the objective."""
        e = np.array(RESIDUAL_GRID) * self.spread
        return float(integral(e, np.array([self.probability(each) for each in e])))


def integral(e: Array, p: Array) -> Array:
    """Return the integral of p over e by the trapezoidal rule; from 0 to the first e p is taken to be constant.

    Args:
        e: (m,), rising, above 0.
        p: (m, …).

    Returns:
        (…).
    """
    return np.asarray(e[0] * p[0] + np.tensordot(np.diff(e), (p[1:] + p[:-1]) / 2, axes=1))


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + math.exp(-x)) if x > -700 else 0.0


def logit(p: float) -> float:
    """Return ln(p / (1 - p)), for p in (0, 1)."""
    return math.log(p / (1.0 - p))


def jobs_until(evidence: Evidence, eps: float, delta: float) -> int:
    """Return the least h with p(eps) < delta h training jobs on, if none of them improves the best; `rem` where there is none.

    Args:
        evidence: What is known now.
        eps: The improvement that matters, in units of the objective.
        delta: The probability below which the search has converged.
    """
    h = np.concatenate([[0], steps_ahead(evidence.rem)])
    below = score_ahead(evidence, eps, np.asarray(evidence.since(eps) + h, dtype=float)) < logit(delta)
    return int(h[np.argmax(below)]) if below.any() else evidence.rem


def score_ahead(evidence: Evidence, eps: float, quiet: Array) -> Array:
    """Return the logit of p(eps) now, and after each of the `steps_ahead`.

    The signals that aren't of time go on as they did on average in recorded searches: by WANING for each e-fold of training jobs.

    Args:
        evidence: What is known now.
        eps: The improvement that matters, in units of the objective.
        quiet: (…, 1 + steps) results since the last improvement: now, and after each step.

    Returns:
        (…, 1 + steps).
    """
    k, rem, now = evidence.k, evidence.rem, evidence.signals(eps)
    h = np.concatenate([[0], steps_ahead(rem)])
    since_rem, rem_k = np.log1p(quiet / (rem - h + 1)), np.log((rem - h + 1) / (k + h))
    of_time = WEIGHTS["since_rem"] * (since_rem - now["since_rem"]) + WEIGHTS["rem_k"] * (rem_k - now["rem_k"])
    return np.asarray(evidence.score(eps) + of_time + WANING * np.log((k + h) / k))


def read_evidence(history: History, rem: int) -> tuple[Evidence, str]:
    """Return the evidence, and a sentence about why the Gaussian process was left out («» where it wasn't).

    The evidence is remembered: all criteria share it.

    Args:
        history: The history, with LEAST_RESULTS objectives or more.
        rem: The rest of the budget, as `remaining` has it.
    """
    return history.remembered(EVIDENCE, lambda: _read_evidence(history, rem), version=(history.ended, rem))


def _read_evidence(history: History, rem: int) -> tuple[Evidence, str]:
    points, v = history.observations()
    problem, prospects, expected, noise = "", None, v, 0.0
    try:
        with one_thread(), np.errstate(all="ignore"):
            model = model_of(history)
            if model is not None:
                prospects = _prospects(history, model)
                expected, noise = without_noise(history, model)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
        problem = f" Judged without the surrogate, which failed: {error}."
    evidence = Evidence(
        values=v,
        expected=expected,
        k=history.ended,
        rem=rem,
        hyperparameters=max(part.space.dimension for part in history.spec.definition_specs),
        prospects=prospects,
        noise=noise,
        locality=_locality(geometry_of(history.spec.space), points, v, _everywhere(history)),
    )
    return evidence, problem


def without_noise(history: History, model: Model) -> tuple[Array, float]:
    """Return w, (n,), and the noise's standard deviation where there clearly is some, else 0; in units of the objective.

    Raises:
        FloatingPointError: The noise-free values aren't finite.
    """
    points, v = history.observations()
    noise_variances = targets_at(history, len(evidence_of(history)[1]))[2][model.chosen]
    noise = noise_of(model.surrogate, points, noise_variances)
    w = v + noise.chance * (model.scale.values(noise.trend) - v)
    if not np.isfinite(w).all():
        raise FloatingPointError("its trend is no number.")
    return w, noise.deviation * model.scale.unit if noise.log_odds > NOISE_SURE else 0.0


def _prospects(history: History, model: Model) -> Array:
    """Return the candidates of highest expected improvement over the lowest posterior mean, (m, 2), in units of the objective."""
    surrogate, unit = model.surrogate, model.scale.unit
    mean = surrogate.posterior(surrogate.X)[0]
    order = np.argsort(mean, kind="stable")
    centres = surrogate.X[order[np.arange(AROUND) % min(CENTRES, len(order))]]
    numeric = ~history.spec.space.categorical
    moved = np.where(numeric, np.clip(centres + _moves(history), 0.0, 1.0), centres)
    candidates = history.spec.space.feasible(np.concatenate([_everywhere(history), moved]))
    there, variance = surrogate.posterior(candidates)
    incumbent = float(mean[order[0]])
    highest = np.argsort(-log_expected_improvement(there, variance, incumbent), kind="stable")[:PROSPECTS]
    prospects = np.stack([there[highest] - incumbent, np.sqrt(variance[highest])], axis=1) * unit
    if not (np.isfinite(prospects).all() and prospects[:, 1].all()):  # a deviation of 0 has underflowed
        raise FloatingPointError("its predictions are no numbers.")
    return np.asarray(prospects)


def _locality(geometry: Geometry, tried: Array, v: Array, everywhere: Array) -> float:
    """Return the median distance of the latest configurations to the best one, over that of points all over the space."""
    if geometry.dimension == 0:
        return 1.0
    plain = np.zeros(geometry.dimension)  # all length scales 1
    best = geometry.encode(tried[[int(np.argmin(v))]], plain)
    near, far = (geometry.encode(points, plain) for points in (tried[-LATEST:], everywhere))
    typical = float(np.median(np.sqrt(squared_distances(far, best))))
    return float(np.median(np.sqrt(squared_distances(near, best)))) / typical if typical > 0 else 1.0


# -- randomness that is the same at every check ----------------------------------------------------------------------


def _fixed(history: History, what: str, draw: Callable[[np.random.Generator], Array]) -> Array:
    """Return random numbers that depend on the job's seed alone, so that p moves with the facts and not with them."""
    return history.remembered(FIXED.of(what), lambda: draw(np.random.default_rng((history.spec.seed, *what.encode()))))


def _everywhere(history: History) -> Array:
    """Return an even cover of the cube, (256, d)."""
    d = history.spec.space.dimension
    return _fixed(history, "everywhere", lambda rng: lattice(0, SPACE_POINTS, rng.random(d)))


def _moves(history: History) -> Array:
    """Return moves of some coordinates, of three sizes, (128, d)."""
    shape = (AROUND, history.spec.space.dimension)
    return _fixed(
        history,
        "moves",
        lambda rng: rng.choice(STEPS, size=(AROUND, 1)) * rng.standard_normal(shape) * (rng.random(shape) < MOVED),
    )
