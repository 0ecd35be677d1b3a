"""ConvergenceDetected: complete once the rest of the budget is unlikely to improve the best by more than epsilon.

Symbols (values minimised; a maximised metric is negated):

    k    training jobs ended, failed ones included       v (n,)  finite objectives in order of completion; b = min v
    rem  training jobs left in the budget                S       spread: median of the first 20 of v, minus b
    P    number of hyperparameters                       w (n,)  v without noise, as expected (surrogate/noise.py); v itself where there is none
    eps  the improvement that matters                    s       results since the best of w came within eps of today's

    eps = max(min(epsilon |b|, cap S), 0.001 S, and half of the noise's standard deviation where the results speak clearly for noise)

    p(eps) = sigmoid(w . signals) = P(the rest of the budget improves the best by more than eps);  stop when p < delta

Every signal is a ratio to eps, S or k, so one set of weights serves every metric, budget and eps.

Sources: AMT's «unlikely to improve by more than 1 % over the best objective»; the form of the promise, (eps, delta), is Wilson 2024,
«Stopping Bayesian optimization with probabilistic regret bounds». Unlike there, the surrogate's word is only one of seven signals
of a logistic model, calibrated on recorded searches: taken alone it's overconfident where the surrogate is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.policy import Outlook, Verdict
from alfine.core.ranges import Array
from alfine.core.spec import TuningJobSpec
from alfine.criteria import text_format
from alfine.criteria.amt_fields import COMPLETION_CRITERIA, section
from alfine.criteria.checks import number
from alfine.surrogate.acquisition import lattice, log_expected_improvement
from alfine.surrogate.gaussian_process import Geometry, geometry_of, one_thread, spread_of, squared_distances
from alfine.surrogate.model import Model, evidence_of, model_of, targets_at
from alfine.surrogate.noise import noise_of

VERDICT: MemoKey[Verdict] = MemoKey(__name__, "verdict")
EVIDENCE: MemoKey[tuple[Evidence, str]] = MemoKey(__name__, "evidence")
FIXED: MemoKey[Array] = MemoKey(__name__, "fixed random numbers")

NAME = "ConvergenceDetected"

# Fitted by bench/stopping/fit.py on recorded searches by the Bayesian strategy, TPE and Random: docs/explanation/stopping.md.
# Whoever changes them runs bench/stopping/forecasts.py --fit, too.
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

WANING = -1.03  # see `score_ahead`; fit.py prints it, too

# In the evidence from the beginning, as None until there is enough to judge on.
UNKNOWN_AT_FIRST = ("probability_of_improvement", "epsilon", "expected_residual_improvement")

LEAST_RESULTS = 10  # gap10 needs the 10th best, and the weights were fitted from here on
SPREAD_FLOOR = 0.001  # eps is at least this share of S, for a best near 0
# eps is at least this share of the noise, as smaller gains can't be told from luck, where its log odds (surrogate/noise.py) are above this.
NOISE_SHARE, NOISE_SURE = 0.5, 5.0
LATEST = 10  # configurations that `x_loc` looks back on
UNLIMITED_LEAST = 50  # without a limit the budget is taken as twice what was spent, and so many more at least
RESIDUAL_GRID = (0.003, 0.01, 0.03, 0.1, 0.3)  # in units of S, where p(e) is integrated

# Candidates that the surrogate is asked about: three times as many moved p by less than .01.
SPACE_POINTS, CENTRES, AROUND, STEPS, MOVED = 256, 5, 128, (0.02, 0.08, 0.25), 0.6
PROSPECTS = 16  # of the highest expected improvement, whose chances of a gain of eps are added up
LEAST_CHANCE = 1e-3  # of each: surer than that the surrogate was wrong too often, early in searches above all
PROMISE_UNKNOWN = -0.2  # the mean of recorded ones, where there is no surrogate


@dataclass(frozen=True, slots=True)
class ConvergenceDetected:
    """Complete when, with probability 1 - delta, the best found is within epsilon of what this job would still reach.

    It's a statement about the rest of this job's budget with its own strategy, not about the optimum of the space.
    epsilon: relative to the absolute value of the best objective; 0.01 is AMT's «1 %».
    delta: the probability of an improvement below which the job completes, in (0, 1).
    cap: an upper bound of the improvement that matters, as a share of the spread S between a typical and the best
        training job; None leaves AMT's rule alone. 0.1 is stricter where 1 % of the metric is a large part of its range.
    At least 10 objectives are needed. Without MaxNumberOfTrainingJobs the budget is taken as max(50, as many as have ended) more.
    """

    amt_section: ClassVar[str] = COMPLETION_CRITERIA
    more_in_tag: ClassVar[bool] = True
    ends_a_standstill: ClassVar[bool] = True
    labels: ClassVar[Mapping[str, str]] = {
        "delta": "stops below",
        "epsilon": "an improvement that counts",
        "epsilon_relative": "… of the best",
        "since_improvement": "training jobs since the last one",
        "expected_residual_improvement": "expected from the rest of the budget",
        "forecast_training_jobs": "met after so many more, if none improves",
        "noise": "noise of the objective",
        "resets_at": "an improvement is",
        "probability_after_improvement": "probability after one",
    }

    epsilon: float = 0.01
    delta: float = 0.05
    cap: float | None = None

    def __post_init__(self) -> None:
        number(self, "epsilon", above=0)
        number(self, "delta", above=0, below=1)
        if self.cap is not None:
            number(self, "cap", above=0)

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        if not spec.detect_convergence:
            return None
        return text_format.with_tag(cls, spec)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        section(request, COMPLETION_CRITERIA)[NAME] = {"CompleteOnConvergence": "Enabled"}
        text_format.write_tag(request, self)

    def check(self, history: History) -> Verdict:
        return history.remembered(VERDICT.of(self), lambda: self._judge(history), version=history.ended)

    def _judge(self, history: History) -> Verdict:
        n, rem = len(history.observations()[1]), remaining(history)
        counts = {"finished": history.ended, "remaining": rem, **dict.fromkeys(UNKNOWN_AT_FIRST)}
        if n < LEAST_RESULTS:
            sentence = (
                f"{n} of {LEAST_RESULTS} finished training jobs with an objective needed before convergence is judged."
            )
            change = f"{LEAST_RESULTS - n} more objectives; failed training jobs don't count."
            return self._continue(sentence, {**counts, "objectives": n, "needed": LEAST_RESULTS}, 0.0, change)
        if rem <= 0:
            sentence = "The budget is used up: nothing is left that could converge."
            return self._continue(sentence, counts, 1.0, "A larger budget: `alfine change --max-training-jobs`.")
        evidence, problem = read_evidence(history, rem)
        eps = self.epsilon_of(evidence)
        p = evidence.probability(eps)
        ahead, improved = forecast(evidence, eps, self.delta), evidence.improved_by(eps)
        numbers = {
            **counts,
            "probability_of_improvement": p,
            "delta": self.delta,
            "epsilon": eps,
            "epsilon_relative": eps / abs(evidence.best) if evidence.best else None,
            "expected_residual_improvement": evidence.expected_residual_improvement(),
            "since_improvement": evidence.since(eps),
            "forecast_training_jobs": ahead,
            "noise": evidence.noise,
            "resets_at": history.sign * (evidence.best - eps),
            "probability_after_improvement": improved.probability(self.epsilon_of(improved)),
        }
        change = _would_change(history, numbers)
        if p >= self.delta:
            return self._continue(
                _going_on(numbers) + problem, numbers, history.ended / (history.ended + ahead), change
            )
        sentence = _done(numbers, history.sign * evidence.best, history.spec.max_training_jobs) + problem
        return Verdict(
            outlook=Outlook.STOP,
            criterion=NAME,
            sentence=sentence,
            evidence=numbers,
            progress=1.0,
            would_change=change,
        )

    def epsilon_of(self, evidence: Evidence) -> float:
        """eps, in units of the objective."""
        S = evidence.spread  # noqa: N806
        eps = self.epsilon * abs(evidence.best)
        return max(eps if self.cap is None else min(eps, self.cap * S), SPREAD_FLOOR * S, NOISE_SHARE * evidence.noise)

    @staticmethod
    def _continue(sentence: str, evidence: dict[str, Any], progress: float, change: str) -> Verdict:
        return Verdict(
            outlook=Outlook.CONTINUE,
            criterion=NAME,
            sentence=sentence,
            evidence=evidence,
            progress=progress,
            would_change=change,
        )


def remaining(history: History) -> int:
    """rem: training jobs of the budget that haven't ended; the running ones are still to come, so they count."""
    limit, size, k = history.spec.search_limit, history.spec.size, history.ended
    rem = max(k, UNLIMITED_LEAST) if limit is None else limit - k
    return rem if size is None else max(0, min(rem, size - k))


# -- what p rests on -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known when the k-th training job has ended, in units of the minimised objective."""

    values: Array  # v
    expected: Array  # w
    k: int
    rem: int
    hyperparameters: int  # P
    prospects: Array | None  # (m, 2) posterior mean less the incumbent's, and deviation; None without a surrogate
    noise: float  # standard deviation, 0 unless the results speak clearly for noise
    locality: float  # how far the latest configurations lie from the best, relative to points all over the space

    @property
    def best(self) -> float:
        return float(self.values.min())

    @property
    def spread(self) -> float:
        return spread_of(self.values)

    def since(self, eps: float) -> int:
        """s: results since the running best of w first came within eps of today's."""
        first = int(np.argmax(self.expected <= self.expected.min() + eps))
        return len(self.expected) - 1 - first

    def signals(self, eps: float, ahead: int = 0) -> dict[str, float]:
        """As they are, or as they would be `ahead` training jobs later if nothing else changed."""
        k, rem, s = self.k + ahead, self.rem - ahead, self.since(eps) + ahead
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
        """The ln of how many of the most promising candidates the surrogate expects to improve the incumbent by eps."""
        from scipy.special import ndtr

        if self.prospects is None:
            return PROMISE_UNKNOWN
        gap, deviation = self.prospects.T
        return math.log(float(np.maximum(ndtr((-eps - gap) / deviation), LEAST_CHANCE).sum()))

    def improved_by(self, eps: float) -> Evidence:
        """About the evidence after one more training job, better than the best by eps. A surrogate that promised less was wrong."""
        values, expected = (np.append(each, each.min() - eps) for each in (self.values, self.expected))
        prospects = self.prospects if self._promise(eps) > PROMISE_UNKNOWN else None
        return replace(
            self, values=values, expected=expected, k=self.k + 1, rem=max(0, self.rem - 1), prospects=prospects
        )

    def probability(self, eps: float) -> float:
        """p(eps)."""
        return _sigmoid(_score(self.signals(eps)))

    def expected_residual_improvement(self) -> float:
        """The integral of p(e) over e: what the rest of the budget is expected to gain, in units of the objective."""
        e = np.array(RESIDUAL_GRID) * self.spread
        p = np.array([self.probability(each) for each in e])
        return float(e[0] * p[0] + ((p[1:] + p[:-1]) / 2 * np.diff(e)).sum())


def _score(signals: dict[str, float]) -> float:
    return sum(WEIGHTS[name] * value for name, value in signals.items())


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x > -700 else 0.0


def forecast(evidence: Evidence, eps: float, delta: float) -> int:
    """The least h with p < delta h training jobs on, if none of them improves the best; `rem` when there's none below."""
    h = np.arange(evidence.rem + 1)
    below = score_ahead(evidence, eps, np.asarray(evidence.since(eps) + h, dtype=float)) < logit(delta)
    return int(np.argmax(below)) if below.any() else evidence.rem


def score_ahead(evidence: Evidence, eps: float, quiet: Array) -> Array:
    """(…, rem + 1) the logit of p h = 0 … rem training jobs on, where `quiet` of them have passed since the last improvement by then.

    The signals that aren't of time go on as they did on average in recorded searches: by WANING for each e-fold of training jobs.
    """
    k, rem, now = evidence.k, evidence.rem, evidence.signals(eps)
    h = np.arange(rem + 1)
    since_rem, rem_k = np.log1p(quiet / (rem - h + 1)), np.log((rem - h + 1) / (k + h))
    of_time = WEIGHTS["since_rem"] * (since_rem - now["since_rem"]) + WEIGHTS["rem_k"] * (rem_k - now["rem_k"])
    return np.asarray(_score(now) + of_time + WANING * np.log((k + h) / k))


def logit(p: float) -> float:
    return math.log(p / (1.0 - p))


def read_evidence(history: History, rem: int) -> tuple[Evidence, str]:
    """The evidence, and a sentence on what kept the surrogate from speaking (or nothing). The same for every criterion."""
    return history.remembered(EVIDENCE, lambda: _read_evidence(history, rem), version=(history.ended, rem))


def _read_evidence(history: History, rem: int) -> tuple[Evidence, str]:
    points, v = history.observations()
    problem, prospects, expected, noise = "", None, v, 0.0
    try:
        with one_thread(), np.errstate(all="ignore"):
            model = model_of(history)
            if model is not None:
                prospects = _surrogate_says(history, model)
                expected, noise = without_noise(history, model)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
        problem = f" Judged without the surrogate, which failed: {error}."
    evidence = Evidence(
        values=v,
        expected=expected,
        k=history.ended,
        rem=rem,
        hyperparameters=max(each.space.dimension for each in history.spec.each),
        prospects=prospects,
        noise=noise,
        locality=_locality(geometry_of(history.spec.space), points, v, _everywhere(history)),
    )
    return evidence, problem


def without_noise(history: History, model: Model) -> tuple[Array, float]:
    """w, and the noise's standard deviation where there clearly is some; in units of the objective."""
    points, v = history.observations()
    own = targets_at(history, len(evidence_of(history)[1]))[2][model.chosen]
    found = noise_of(model.surrogate, points, own)
    w = v + found.chance * (model.scale.values(found.trend) - v)
    if not np.isfinite(w).all():
        raise FloatingPointError("its trend is no number.")
    return w, found.deviation * model.scale.unit if found.log_odds > NOISE_SURE else 0.0


def _surrogate_says(history: History, model: Model) -> Array:
    """The prospects, in units of the objective: the candidates of highest expected improvement over the lowest posterior mean."""
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
    """Median distance of the latest configurations to the best one, over that of points all over the space."""
    if geometry.dimension == 0:
        return 1.0
    plain = np.zeros(geometry.dimension)  # all length scales 1
    best = geometry.encode(tried[[int(np.argmin(v))]], plain)
    near, far = (geometry.encode(points, plain) for points in (tried[-LATEST:], everywhere))
    typical = float(np.median(np.sqrt(squared_distances(far, best))))
    return float(np.median(np.sqrt(squared_distances(near, best)))) / typical if typical > 0 else 1.0


# -- randomness that is the same at every check ----------------------------------------------------------------------


def _fixed(history: History, what: str, draw: Callable[[np.random.Generator], Array]) -> Array:
    """Random numbers that depend on the job's seed alone, so that p moves with the facts and not with them."""
    return history.remembered(FIXED.of(what), lambda: draw(np.random.default_rng((history.spec.seed, *what.encode()))))


def _everywhere(history: History) -> Array:
    """(256, d) an even cover of the cube."""
    d = history.spec.space.dimension
    return _fixed(history, "everywhere", lambda rng: lattice(0, SPACE_POINTS, rng.random(d)))


def _moves(history: History) -> Array:
    """(128, d) moves of some coordinates, of three sizes."""
    shape = (AROUND, history.spec.space.dimension)
    return _fixed(
        history,
        "moves",
        lambda rng: rng.choice(STEPS, size=(AROUND, 1)) * rng.standard_normal(shape) * (rng.random(shape) < MOVED),
    )


# -- words -----------------------------------------------------------------------------------------------------------


def _amount(numbers: dict[str, Any]) -> str:
    relative = numbers["epsilon_relative"]  # of a best near 0 it says nothing
    return f"{numbers['epsilon']:.3g}" + ("" if relative is None or relative > 1 else f" ({100 * relative:.2g} %)")


def _going_on(numbers: dict[str, Any]) -> str:
    p, rem, ahead = (
        100 * numbers["probability_of_improvement"],
        numbers["remaining"],
        numbers["forecast_training_jobs"],
    )
    when = (
        f"expected at about training job {numbers['finished'] + ahead}"
        if ahead < rem
        else "not expected within the budget"
    )
    return (
        f"{p:.2g} % chance that the remaining {rem} training jobs improve the best by more than {_amount(numbers)}; "
        f"completes below {100 * numbers['delta']:g} %, {when}."
    )


def _would_change(history: History, numbers: dict[str, Any]) -> str:
    rem, ahead, then = numbers["remaining"], numbers["forecast_training_jobs"], numbers["probability_after_improvement"]
    better = (
        f"An objective of {history.spec.or_better(numbers['resets_at'])} is an improvement, after which the chance is about "
        f"{100 * then:.2g} %"
    )
    if ahead == 0:
        return f"{better}; a larger budget raises it too."
    if ahead >= rem:
        return f"{better}; without one the {rem} that are left don't bring it below {100 * numbers['delta']:g} %."
    return f"{better}; about {ahead} more training jobs without one bring it below {100 * numbers['delta']:g} %."


def _done(numbers: dict[str, Any], best: float, limit: int | None) -> str:
    rem = numbers["remaining"]
    budget = f"within its budget of {limit} training jobs" if limit is not None else f"with {rem} more training jobs"
    return (
        f"With probability >= {100 * (1 - numbers['delta']):g} % the best found, {best:.6g}, is within {_amount(numbers)} "
        f"of the best this job would still reach {budget}."
    )
