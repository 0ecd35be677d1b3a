"""Learning curves: what the values that a training job has reported so far say about the one that it will end with.

Symbols, for one training job that has reported t values (all in targets, smaller is better; see surrogate/gaussian_process.py):

    c_1 … c_t    its curve so far                    y    the value that it will end with
    z (4 or 5)   its features: c_t, c_t - c_ceil(t/2), c_t - c_1, c_t - min(c_1 … c_t), and g - c_t where there is a guess g of y
    n            training jobs that went all the way and reported at least t values; C their curves, F their last values
    A (n, 1 + 4 or 5)   a column of ones and their features, less the features' means

How it goes on is learnt from those n, by Bayesian linear regression of what is still to come, F - C_t, on the features at t:

    y | z ~ Student's t with 2 BELIEF + n degrees of freedom, around c_t + b (1, z - mean z),  b = (A'A + RIDGE I)^-1 A'(F - C_t)

The prior says: nothing more to come, give or take START (1 - t / T), T being how many values a whole curve has. It weighs as much as
2 BELIEF training jobs, so that few curves already have a say, and a metric that says nothing early on gets a wide prediction there.
Since the features hold the way that led to c_t, curves needn't be monotone, and may end worse than they once were.

The guess is what the surrogate expects of the configuration alone; the regression learns how far to trust it, and when. Of a
training job that went all the way it's what the others' results make of it.

References: Gelman et al. 2013, «Bayesian data analysis», section 14.8 (the regression); Baker et al. 2018, «Accelerating neural
architecture search using performance prediction» (regression on features of the curve, learnt in the search itself).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from alfine.core.history import History, TrainingJob
from alfine.core.memo import MemoKey
from alfine.core.ranges import Array

CURVES: MemoKey[list[EndedCurve]] = MemoKey(__name__, "curves")

LEAST = 3  # training jobs that went all the way, before anything is said about another
MOST = 100  # the latest so many are learnt from
START = 0.6  # in targets: standard deviation of what comes after the first values, by the prior
BELIEF = 1.0
RIDGE = 1.0
FLOOR = 0.01  # in targets: no prediction is surer than this
SHARE = 1 / 3  # see `as_observation`


@dataclass(frozen=True, slots=True)
class Ending:
    """What q training jobs will end with: Student's t. mean, scale: (q,) in targets."""

    mean: Array
    scale: Array
    freedom: float

    @property
    def variance(self) -> Array:
        return self.scale**2 * (self.freedom / (self.freedom - 2.0))

    def below(self, value: float) -> Array:
        """(q,) the probability of ending below `value`."""
        from scipy.special import stdtr

        return np.asarray(stdtr(self.freedom, (value - self.mean) / self.scale))


def features(curves: Sequence[Array], t: int) -> Array:
    """(n, 4) of curves with at least t >= 1 values each."""
    return np.array([(c[t - 1], c[t - 1] - c[(t - 1) // 2], c[t - 1] - c[0], c[t - 1] - c[:t].min()) for c in curves])


def ending(
    whole: Sequence[Array], parts: Sequence[Array], t: int, guesses: tuple[Array, Array] | None = None
) -> Ending:
    """What becomes of q `parts`, given their first t values, by the n >= 1 curves that are `whole`; each has t values or more.

    guesses: (n,) and (q,), what is expected of either without their curves.
    """
    learnt, asked = features(whole, t), features(parts, t)
    rest = np.array([curve[-1] for curve in whole]) - learnt[:, 0]
    if guesses is not None:
        learnt = np.column_stack([learnt, guesses[0] - learnt[:, 0]])
        asked = np.column_stack([asked, guesses[1] - asked[:, 0]])
    centre = learnt.mean(0)
    A = np.column_stack([np.ones(len(learnt)), learnt - centre])
    Q = np.column_stack([np.ones(len(asked)), asked - centre])
    inverse = np.linalg.inv(A.T @ A + RIDGE * np.eye(A.shape[1]))
    b = inverse @ (A.T @ rest)
    expected = (START * max(0.0, 1.0 - t / float(np.median([len(curve) for curve in whole])))) ** 2 + FLOOR**2
    freedom = 2.0 * BELIEF + len(learnt)
    squares = 2.0 * BELIEF * expected + max(0.0, float(rest @ rest - b @ (A.T @ rest)))
    variance = squares / freedom * (1.0 + np.einsum("ij,jk,ik->i", Q, inverse, Q))
    return Ending(asked[:, 0] + Q @ b, np.sqrt(np.maximum(variance, FLOOR**2)), freedom)


def as_observation(mean: Array, variance: Array) -> tuple[Array, Array]:
    """What curves say by themselves, as values observed with noise: (q,) and the variances of the noise (q,).

    `mean` and `variance`, in standardised targets, already know how configurations in general end, and so does the surrogate; told
    twice, it would draw whatever was cut short to the middle. So the N(0, 1) of configurations in general is taken out again:
    1 / noise = 1 / variance - 1, of which at least SHARE is left.
    """
    explained = np.maximum(1.0 - variance, SHARE)
    return mean / explained, np.minimum(variance, 1.0) / explained


# -- from a history --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EndedCurve:
    """A training job that ended with an objective: its curve, minimised, and whether it went all the way."""

    curve: Array
    whole: bool

    @property
    def instructive(self) -> bool:
        """Whether it shows how curves go on: one value on its own shows nothing."""
        return self.whole and len(self.curve) > 1


def ended(history: History) -> list[EndedCurve]:
    """One for each of the history's observations, in their order."""

    def step(found: list[EndedCurve], job: TrainingJob) -> list[EndedCurve]:
        if job.objective is not None and history.ranks(job):
            found.append(EndedCurve(curve_of(history, job), is_whole(history, job)))
        return found

    return history.fold(CURVES, [], step)


def enough(history: History) -> bool:
    """Whether LEAST training jobs have shown how curves go on."""
    return sum(1 for _ in islice((each for each in ended(history) if each.instructive), LEAST)) == LEAST


def curve_of(history: History, job: TrainingJob) -> Array:
    """(t,) the objective's finite values so far, minimised; they end with the objective once there is one."""
    values = [value for value in job.curve(history.spec.metric) if math.isfinite(value)]
    if job.objective is not None and (not values or values[-1] != job.objective):
        values.append(job.objective)
    return history.sign * np.array(values, dtype=float)


def is_whole(history: History, job: TrainingJob) -> bool:
    """Whether it ended by itself, or had all that Hyperband lets it have."""
    most = history.spec.max_resource
    return job.status == "Completed" or (most is not None and len(job.curve(history.spec.metric)) >= most)


def comparable(found: Sequence[EndedCurve]) -> list[EndedCurve]:
    """While fewer than LEAST went all the way, curves end where LEAST of them have got to: what got there counts as whole."""
    if sum(each.whole for each in found) >= LEAST or len(found) < LEAST:
        return list(found)
    reach = sorted((len(each.curve) for each in found), reverse=True)[LEAST - 1]
    return [EndedCurve(each.curve[:reach], len(each.curve) >= reach) for each in found]


def endings(found: Sequence[EndedCurve]) -> tuple[Array, Array]:
    """Of curves in targets: (n,) the last values, predicted where a training job was cut short, and (n,) their variances, else 0."""
    mean, variance = np.array([each.curve[-1] for each in found]), np.zeros(len(found))
    whole = [each.curve for each in found if each.instructive][-MOST:]
    lengths = np.array([0 if each.whole else len(each.curve) for each in found])
    for t in np.unique(lengths[lengths > 0]):
        which = np.flatnonzero(lengths == t)
        further = [curve for curve in whole if len(curve) >= t]
        if len(further) < LEAST:
            variance[which] = START**2
            continue
        predicted = ending(further, [found[int(i)].curve for i in which], int(t))
        mean[which], variance[which] = predicted.mean, predicted.variance
    return mean, variance
