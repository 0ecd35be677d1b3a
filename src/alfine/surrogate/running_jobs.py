"""What the running training jobs will come to, by their curves (surrogate/learning_curves.py) and the surrogate (surrogate/gaussian_process.py) together.

`hopeless` is for whoever stops training jobs, `foreseen` for whoever launches them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alfine.core.history import History, TrainingJob
from alfine.core.memo import MemoKey
from alfine.core.policy import Stop
from alfine.core.ranges import Array
from alfine.surrogate.gaussian_process import Surrogate, one_thread
from alfine.surrogate.learning_curves import LEAST, MOST, as_observation, curve_of, ended, ending, enough
from alfine.surrogate.model import Model, model_of
from alfine.surrogate.parent_evidence import prior

WHOLE_CURVES: MemoKey[_Learnt] = MemoKey(__name__, "whole curves")

# Below this chance of becoming the best a training job is stopped. Measured (docs/explanation/search.md): at 0.1 several times as many
# of those that were stopped would have become the best, and what is lost with them outweighs what is saved.
LEAST_CHANCE = 0.05

TELLING = 0.5  # a running curve that leaves more of the variance between configurations open isn't told


@dataclass(frozen=True, slots=True)
class Chance:
    """That a training job ends better than the best that went all the way."""

    probability: float
    emissions: int  # that it rests on
    best: float  # in units of the objective
    learnt_from: int  # training jobs that went all the way


@dataclass(frozen=True, slots=True)
class _Learnt:
    """The training jobs that went all the way: their curves in targets, and what the surrogate makes of each from the others."""

    curves: list[Array]
    guesses: Array
    best: float  # the last value, minimised, of the best that ever went all the way

    def upto(self, t: int) -> tuple[list[Array], Array]:
        """Those with more than t values: where they had ended, there's nothing left to foresee, nor to save."""
        which = [i for i, curve in enumerate(self.curves) if len(curve) > t]
        return [self.curves[i] for i in which], self.guesses[which]


def hopeless(history: History, job: TrainingJob) -> Stop | None:
    """The running training job, to be stopped, if it will hardly end better than the best that went all the way."""
    found = chance(history, job)
    if found is None or found.probability >= LEAST_CHANCE:
        return None
    metric = history.spec.metric
    return Stop(
        number=job.number,
        reason=f"Stopped early: {metric} was {job.curve(metric)[-1]:g} at emission {found.emissions}. By the curves of "
        f"{found.learnt_from} training jobs, its chance of ending better than {found.best:g}, the best so far, is "
        f"{found.probability:.1%}.",
    )


def chance(history: History, job: TrainingJob) -> Chance | None:
    """None while there is too little to learn from, or where the numerics fail. Work a report: O(MOST), whatever n."""
    curve = curve_of(history, job)
    if not len(curve) or not history.ranks(job) or not enough(history):
        return None
    try:
        with one_thread(), np.errstate(all="ignore"):
            model = model_of(history)
            if model is None:
                return None
            learnt = _learnt(history, model)
            further, guesses = learnt.upto(len(curve))
            if len(further) < LEAST:
                return None
            point = history.spec.space.to_unit(job.hyperparameters)[None, :]
            guess = model.surrogate.posterior(point)[0]
            end = ending(further, [model.scale.curve(curve)], len(curve), (guesses, guess))
            best = float(model.scale.curve(np.array([learnt.best]))[0])
            probability = float(end.below(best)[0])
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        return None
    if not np.isfinite(probability):
        return None
    return Chance(probability, len(curve), history.sign * learnt.best, len(further))


def foreseen(history: History) -> Surrogate | None:
    """The surrogate of `model_of`, told also what the curves of the running training jobs promise."""
    model = model_of(history)
    if model is None:
        return None
    running = [job for job in history.running.values() if job.reports and history.ranks(job)]
    if not running or not enough(history):
        return model.surrogate
    learnt, told = _learnt(history, model), []
    for job in running:
        curve = model.scale.curve(curve_of(history, job))
        further, _ = learnt.upto(len(curve))
        if len(curve) and len(further) >= LEAST:
            end = ending(further, [curve], len(curve))
            if end.variance[0] <= TELLING:
                mean, noise = as_observation(end.mean, end.variance)
                told.append((history.spec.space.to_unit(job.hyperparameters), mean[0], noise[0]))
    return model.surrogate.told(*(np.array(part) for part in zip(*told, strict=True))) if told else model.surrogate


def _learnt(history: History, model: Model) -> _Learnt:
    """Given that some went all the way. Kept in the memo for the latest number of observations only."""
    found = ended(history)

    def compute() -> _Learnt:
        parents = len(prior(history)[1])
        guesses = dict(zip((model.chosen - parents).tolist(), model.surrogate.left_out(), strict=True))
        which = [i for i, each in enumerate(found) if each.instructive and i in guesses][-MOST:]
        curves = [model.scale.curve(found[i].curve) for i in which]
        best = min(float(each.curve[-1]) for each in found if each.instructive)
        return _Learnt(curves, np.array([guesses[i] for i in which]), best)

    return history.remembered(WHOLE_CURVES, compute, version=(len(found), len(prior(history)[1])))
