"""Learning curves: what the values that a training job has reported so far say about the value it will end with.

Symbols, for one training job that has reported t values (all in targets, smaller is better; see surrogate/gaussian_process.py):

    c_1 … c_t    its curve so far                    y    the value that it will end with
    z (4 or 5)   its features: c_t, c_t - c_ceil(t/2), c_t - c_1, c_t - min(c_1 … c_t), and g - c_t where there is a guess g of y
    n            complete training jobs with at least t values; C their curves, F their last values
    A (n, 1 + 4 or 5)   a column of ones and their features, less the features' means

How the curve continues is learnt from those n by Bayesian linear regression of the rest, F - C_t, on the features at t:

    y | z ~ Student's t with 2 PRIOR_WEIGHT + n degrees of freedom, around c_t + b (1, z - mean z),
    b = (A'A + RIDGE I)^-1 A'(F - C_t)

By the prior the curve stays where it is, with standard deviation START (1 - t / T); T is the number of values of a complete curve. The
prior weighs as much as 2 PRIOR_WEIGHT training jobs, so that a few curves already count, and a metric whose early values say nothing
gets a wide prediction there. The features hold the way that led to c_t, so curves needn't be monotone and may end worse than they once
were.

The guess g is what the surrogate predicts for the configuration alone; the regression learns how far to trust it, and when. For a
complete training job it is the surrogate's prediction from all others' results.

References: Gelman et al. 2013, «Bayesian data analysis», section 14.8 (the regression); Baker et al. 2018, «Accelerating neural
architecture search using performance prediction» (regression on features of the curve, learnt in the search itself).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.training_job import TrainingJob

CURVES: MemoKey[list[EndedCurve]] = MemoKey(__name__, "curves")

LEAST_CURVES = 3
"""Number of complete training jobs needed before anything is predicted about another one."""

MOST_CURVES = 100
"""Largest number of complete training jobs to learn from, the latest."""

START = 0.6
"""Prior standard deviation of what follows the first value, in targets."""

PRIOR_WEIGHT = 1.0
"""Half the number of training jobs that the prior weighs as much as."""

RIDGE = 1.0
"""Ridge of the regression: the prior precision of its coefficients."""

FLOOR = 0.01
"""Least standard deviation of a prediction, in targets."""

SHARE = 1 / 3
"""Least share of the precision that a curve keeps as an observation: see `as_observation`."""


@dataclass(frozen=True, slots=True)
class FinalValues:
    """Predicted final values of q training jobs: Student's t distributions.

    Attributes:
        mean: (q,) in targets.
        scale: (q,) in targets.
        freedom: Degrees of freedom.
    """

    mean: Array
    scale: Array
    freedom: float

    @property
    def variance(self) -> Array:
        """(q,) variances, in squared targets."""
        return self.scale**2 * (self.freedom / (self.freedom - 2.0))

    def below(self, value: float) -> Array:
        """Return the probabilities (q,) of ending below `value`, in targets."""
        from scipy.special import stdtr

        return np.asarray(stdtr(self.freedom, (value - self.mean) / self.scale))


def features(curves: Sequence[Array], t: int) -> Array:
    """Return the features (n, 4) at t >= 1 of n curves with at least t values each.

    Args:
        curves: The values of each curve, in targets.
        t: How many values of each are used, from 1 on.
    """
    return np.array([(c[t - 1], c[t - 1] - c[(t - 1) // 2], c[t - 1] - c[0], c[t - 1] - c[:t].min()) for c in curves])


def predict_final_values(
    complete: Sequence[Array], partial: Sequence[Array], t: int, guesses: tuple[Array, Array] | None = None
) -> FinalValues:
    """Return the predicted final values of q partial curves, from their first t values.

    Args:
        complete: N >= 1 curves of complete training jobs, in targets, with at least t values each.
        partial: Q curves to continue, with at least t values each.
        t: The number of values to predict from.
        guesses: (n,) and (q,) final values predicted without the curves; None without any.
    """
    learnt, asked = features(complete, t), features(partial, t)
    rest = np.array([curve[-1] for curve in complete]) - learnt[:, 0]
    if guesses is not None:
        learnt = np.column_stack([learnt, guesses[0] - learnt[:, 0]])
        asked = np.column_stack([asked, guesses[1] - asked[:, 0]])
    centre = learnt.mean(0)
    A = np.column_stack([np.ones(len(learnt)), learnt - centre])
    Q = np.column_stack([np.ones(len(asked)), asked - centre])
    inverse = np.linalg.inv(A.T @ A + RIDGE * np.eye(A.shape[1]))
    b = inverse @ (A.T @ rest)
    expected = (START * max(0.0, 1.0 - t / float(np.median([len(curve) for curve in complete])))) ** 2 + FLOOR**2
    freedom = 2.0 * PRIOR_WEIGHT + len(learnt)
    squares = 2.0 * PRIOR_WEIGHT * expected + max(0.0, float(rest @ rest - b @ (A.T @ rest)))
    variance = squares / freedom * (1.0 + np.einsum("ij,jk,ik->i", Q, inverse, Q))
    return FinalValues(asked[:, 0] + Q @ b, np.sqrt(np.maximum(variance, FLOOR**2)), freedom)


def as_observation(mean: Array, variance: Array) -> tuple[Array, Array]:
    """Return predictions as noisy observations for the surrogate.

    A prediction already contains how configurations in general end, N(0, 1) in standardised targets, and so does the surrogate. Counted
    twice, it would pull every cut-short training job to the middle. So it is taken out again: 1 / noise = 1 / variance - 1, of which at
    least SHARE is left.

    Args:
        mean: (q,) predicted means, in standardised targets.
        variance: (q,) their variances.

    Returns:
        (q,) observed values and (q,) noise variances.
    """
    explained = np.maximum(1.0 - variance, SHARE)
    return mean / explained, np.minimum(variance, 1.0) / explained


# -- from a history --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EndedCurve:
    """The curve of a training job that ended with an objective.

    Attributes:
        curve: (t,) its values, minimised; the last is the objective.
        complete: Whether the training job ended by itself or had all the resource that Hyperband gives.
    """

    curve: Array
    complete: bool

    @property
    def instructive(self) -> bool:
        """Return whether it shows how curves continue: it is complete and has more than one value."""
        return self.complete and len(self.curve) > 1


def ended_curves(history: History) -> list[EndedCurve]:
    """Return one curve per observation of the history, in their order. Treat the list as read-only."""

    def step(curves: list[EndedCurve], job: TrainingJob) -> list[EndedCurve]:
        if job.objective is not None and history.ranks(job):
            curves.append(EndedCurve(curve_of(history, job), is_complete(history, job)))
        return curves

    return history.fold(CURVES, [], step)


def has_enough_curves(history: History) -> bool:
    """Return whether LEAST_CURVES training jobs have shown how curves continue."""
    return (
        sum(1 for _ in islice((ended for ended in ended_curves(history) if ended.instructive), LEAST_CURVES))
        == LEAST_CURVES
    )


def curve_of(history: History, job: TrainingJob) -> Array:
    """Return the finite values (t,) of the objective metric so far, minimised; the objective itself is the last once it is known.

    Args:
        history: The tuning job.
        job: The training job.
    """
    values = [value for value in job.curve(history.spec.metric) if math.isfinite(value)]
    if job.objective is not None and (not values or values[-1] != job.objective):
        values.append(job.objective)
    return history.sign * np.array(values, dtype=float)


def is_complete(history: History, job: TrainingJob) -> bool:
    """Return whether a training job ended by itself or had all the resource that Hyperband gives.

    Args:
        history: The tuning job.
        job: The training job.
    """
    most = history.spec.max_resource
    return job.status == "Completed" or (most is not None and len(job.curve(history.spec.metric)) >= most)


def comparable(curves: Sequence[EndedCurve]) -> list[EndedCurve]:
    """Return the curves, cut to a common length while fewer than LEAST_CURVES are complete.

    The common length is the one that LEAST_CURVES curves have reached; a curve that reached it counts as complete.
    """
    if sum(ended.complete for ended in curves) >= LEAST_CURVES or len(curves) < LEAST_CURVES:
        return list(curves)
    reach = sorted((len(ended.curve) for ended in curves), reverse=True)[LEAST_CURVES - 1]
    return [EndedCurve(ended.curve[:reach], len(ended.curve) >= reach) for ended in curves]


def final_values(curves: Sequence[EndedCurve]) -> tuple[Array, Array]:
    """Return the final values of n curves in targets, predicted where a training job was cut short.

    Returns:
        (n,) values and (n,) their variances: 0 for complete curves.
    """
    mean, variance = np.array([ended.curve[-1] for ended in curves]), np.zeros(len(curves))
    instructive = [ended.curve for ended in curves if ended.instructive][-MOST_CURVES:]
    lengths = np.array([0 if ended.complete else len(ended.curve) for ended in curves])
    for t in np.unique(lengths[lengths > 0]):
        which = np.flatnonzero(lengths == t)
        long_enough = [curve for curve in instructive if len(curve) >= t]
        if len(long_enough) < LEAST_CURVES:
            variance[which] = START**2
            continue
        predicted = predict_final_values(long_enough, [curves[int(i)].curve for i in which], int(t))
        mean[which], variance[which] = predicted.mean, predicted.variance
    return mean, variance
