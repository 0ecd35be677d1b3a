"""Predictions for the running training jobs, by their curves (learning_curves.py) and the surrogate together.

`stop_if_unlikely` serves early stopping, `surrogate_with_running_curves` serves the search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.protocols import Stop
from alfine.core.training_job import TrainingJob
from alfine.core.wording import number, percent
from alfine.surrogate.gaussian_process import Surrogate
from alfine.surrogate.learning_curves import (
    LEAST_CURVES,
    MOST_CURVES,
    as_observation,
    curve_of,
    ended_curves,
    has_enough_curves,
    predict_final_values,
)
from alfine.surrogate.model import Model, model_of
from alfine.surrogate.parent_evidence import prior
from alfine.surrogate.threads import one_thread

WHOLE_CURVES: MemoKey[_CompleteJobs] = MemoKey(__name__, "whole curves")

LEAST_CHANCE = 0.05
"""Chance of becoming the best below which a training job is stopped. Measured (docs/explanation/search.md): at 0.1 several times as many
of the stopped training jobs would have become the best, and that loss outweighs what is saved."""

INFORMATIVE = 0.5
"""Largest variance, as a share of that between configurations, of a predicted final value that the surrogate is given."""


@dataclass(frozen=True, slots=True)
class ChanceOfBest:
    """The chance that a training job ends better than the best complete one.

    Attributes:
        probability: The chance, from 0 to 1.
        emissions: Number of the training job's values that the prediction uses.
        best: The best complete training job's objective.
        learnt_from: Number of complete training jobs that the prediction is learnt from.
    """

    probability: float
    emissions: int
    best: float
    learnt_from: int


@dataclass(frozen=True, slots=True)
class _CompleteJobs:
    """The complete training jobs: their curves in targets, and the surrogate's prediction of each from the others."""

    curves: list[Array]
    guesses: Array
    best: float  # the last value, minimised, of the best complete training job of all

    def longer_than(self, t: int) -> tuple[list[Array], Array]:
        """Return the curves with more than t values, and their predictions: where a curve has ended, nothing is left to predict or save."""
        which = [i for i, curve in enumerate(self.curves) if len(curve) > t]
        return [self.curves[i] for i in which], self.guesses[which]


def stop_if_unlikely(history: History, job: TrainingJob) -> Stop | None:
    """Return the stop of a running training job that will hardly end better than the best complete one, else None.

    Args:
        history: The tuning job.
        job: A running training job.
    """
    chance = chance_of_best(history, job)
    if chance is None or chance.probability >= LEAST_CHANCE:
        return None
    metric = history.spec.metric
    return Stop(
        number=job.number,
        reason=f"Stopped early: chance of the best {percent(chance.probability)}. {metric} was {number(job.curve(metric)[-1])} at "
        f"emission {chance.emissions}; by the curves of {chance.learnt_from} training jobs, that is its chance of ending better than "
        f"{number(chance.best)}, the best so far.",
    )


def chance_of_best(history: History, job: TrainingJob) -> ChanceOfBest | None:
    """Return the chance that a running training job ends better than the best complete one.

    The work per report is O(MOST_CURVES), however many training jobs there are.

    Args:
        history: The tuning job.
        job: A running training job.

    Returns:
        None while there are too few complete curves, and after a numerical failure.
    """
    curve = curve_of(history, job)
    if not len(curve) or not history.ranks(job) or not has_enough_curves(history):
        return None
    try:
        with one_thread(), np.errstate(all="ignore"):
            model = model_of(history)
            if model is None:
                return None
            complete = _complete_jobs(history, model)
            further, guesses = complete.longer_than(len(curve))
            if len(further) < LEAST_CURVES:
                return None
            point = history.spec.space.to_unit(job.hyperparameters)[None, :]
            guess = model.surrogate.posterior(point)[0]
            end = predict_final_values(further, [model.scale.curve(curve)], len(curve), (guesses, guess))
            best = float(model.scale.curve(np.array([complete.best]))[0])
            probability = float(end.below(best)[0])
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        return None
    if not np.isfinite(probability):
        return None
    return ChanceOfBest(probability, len(curve), history.sign * complete.best, len(further))


def surrogate_with_running_curves(history: History) -> Surrogate | None:
    """Return the surrogate of `model_of`, conditioned also on the predicted final values of the running training jobs."""
    model = model_of(history)
    if model is None:
        return None
    running = [job for job in history.running.values() if job.reports and history.ranks(job)]
    if not running or not has_enough_curves(history):
        return model.surrogate
    complete, observed = _complete_jobs(history, model), []
    for job in running:
        curve = model.scale.curve(curve_of(history, job))
        further, _ = complete.longer_than(len(curve))
        if len(curve) and len(further) >= LEAST_CURVES:
            end = predict_final_values(further, [curve], len(curve))
            if end.variance[0] <= INFORMATIVE:
                mean, noise = as_observation(end.mean, end.variance)
                observed.append((history.spec.space.to_unit(job.hyperparameters), mean[0], noise[0]))
    return (
        model.surrogate.with_observations(*(np.array(part) for part in zip(*observed, strict=True)))
        if observed
        else model.surrogate
    )


def _complete_jobs(history: History, model: Model) -> _CompleteJobs:
    """Return the complete training jobs; there must be some. Remembered for the latest number of observations only."""
    ended = ended_curves(history)

    def compute() -> _CompleteJobs:
        parents = len(prior(history)[1])
        guesses = dict(zip((model.chosen - parents).tolist(), model.surrogate.left_out(), strict=True))
        which = [i for i, each in enumerate(ended) if each.instructive and i in guesses][-MOST_CURVES:]
        curves = [model.scale.curve(ended[i].curve) for i in which]
        best = min(float(each.curve[-1]) for each in ended if each.instructive)
        return _CompleteJobs(curves, np.array([guesses[i] for i in which]), best)

    return history.remembered(WHOLE_CURVES, compute, version=(len(ended), len(prior(history)[1])))
