"""Possible futures of a tuning job: random continuations, on which a criterion says where it would end the job.

Symbols: q_h(e) is the probability of `improvement.py` that h more training jobs improve the best by more than e, which is made to be
right where it ends jobs; S the spread. p_h(e) is the same made to be right everywhere:

    logit p = logit q + RECALIBRATED . (1, log10(e / S), log10(e / S)^2)

1 - p_h(1 % of the best) is the chance of no improvement within h training jobs; its steps are the hazard of an improvement at each
training job. How good the hazard is differs from job to job: on each path it has another factor, log-normal.

A path supposes that training jobs succeed, that each takes as long as those that have ended did on average, and that the search goes
on as the recorded ones did that p was fitted on. bench/stopping/forecasts.py scores the forecasts that come of it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.protocols import CompletionCriterion, name_of
from alfine.criteria.improvement import (
    LEAST_RESULTS,
    WANING,
    WEIGHTS,
    Evidence,
    read_evidence,
    remaining,
    score_ahead,
    sigmoid,
    steps_ahead,
)
from alfine.criteria.simulation import simulated_end

PATHS = 400
"""Continuations that are drawn."""

SIGNIFICANT = 0.01
"""Share of the best by which a path's improvements exceed it: AMT's «1 %»."""

FRAILTY = 0.6
"""Standard deviation of the logarithm of a path's factor of the hazard; without it ranges held the end too seldom."""

RISE = 0.29
"""Rise, with an improvement, of the part of p's logit that isn't of time. By bench/stopping/fit.py, as WALK is."""

WALK = 0.96
"""Deviation of that part for each e-fold of training jobs (standard deviation)."""

RECALIBRATED = (-0.906, -1.446, -0.326)
"""By bench/stopping/forecasts.py --fit, for the weights that improvement.py has."""

LEAST_SIZE = 1e-3
"""In units of the spread: RECALIBRATED was fitted from here on, and smaller improvements are at least as likely."""

HORIZONS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 350, 600)
"""Training jobs further on at which p_h is computed; between them it's interpolated."""


class Future:
    """Continuations of a tuning job, for a criterion that says where on each of them it would end the job.

    The `ends` of a criterion gets one and returns an array with one number for each path: after how many more ended training jobs
    the criterion is met. Infinity stands for never, NaN for unknown. The methods below make such arrays.

    Attributes:
        history: The history as it is now.
        rem: Training jobs left in the budget; without a limit, as many as ConvergenceDetected supposes.
        evidence: What the probabilities of improvements rest on (`improvement.py`); None before ten objectives.
        jobs: (steps,), after how many more ended training jobs each step of a path ends: 1, 2, …, rem. Where rem is large the
            later steps are several training jobs each (`steps_ahead`).
        improves: (paths, steps), whether the training jobs of a step improve the best by 1 % or more. All False without evidence.
        errors: By criterion, what it raised when it was asked where it ends the job, such as «ValueError: no rows».

    Example:
        A criterion that is met once `count` training jobs have ended:

            def ends(self, future: Future) -> Array:
                return future.after(self.count - future.history.ended)
    """

    def __init__(self, history: History) -> None:
        self.history, self.rem = history, remaining(history)
        self.evidence: Evidence | None = None
        self.jobs = steps_ahead(self.rem)
        self.errors: dict[str, str] = {}
        self.improves = np.zeros((PATHS, len(self.jobs)), dtype=bool)
        self._rng = np.random.default_rng((history.spec.seed, history.ended))
        if self.rem > 0 and len(history.observations()[1]) >= LEAST_RESULTS:
            self.evidence = read_evidence(history, self.rem)[0]
            hazard = self._hazard(SIGNIFICANT * abs(self.evidence.best))
            luck = np.exp(FRAILTY * self._rng.standard_normal((PATHS, 1)))
            self.improves = self._rng.random(self.improves.shape) < 1.0 - (1.0 - hazard) ** luck

    # -- answers -------------------------------------------------------------------------------------------------

    def never(self) -> Array:
        """Return (paths,): the criterion is met on no path."""
        return np.full(PATHS, math.inf)

    def unknown(self) -> Array:
        """Return (paths,): it can't be forecast when the criterion is met."""
        return np.full(PATHS, math.nan)

    def after(self, training_jobs: float) -> Array:
        """Return (paths,): the criterion is met once this many more training jobs have ended; at once if it's 0 or less.

        Args:
            training_jobs: How many more, in training jobs; fractions count.
        """
        return np.full(PATHS, max(0.0, float(training_jobs)))

    def after_seconds(self, seconds: float) -> Array:
        """Return (paths,): the criterion is met once this much more wall time has passed.

        Training jobs are taken to last as long as those that have ended did on average, `max_parallel` at a time. Before one has
        ended the answer is never.

        Args:
            seconds: Wall time from now on, in seconds; 0 or less: at once.
        """
        history = self.history
        if not history.ended or history.training_seconds <= 0:
            return self.never()
        return self.after(seconds / (history.training_seconds / history.ended / history.spec.max_parallel))

    def after_quiet(self, needed: int, count: int) -> Array:
        """Return (paths,): the criterion is met once `needed` training jobs in a row haven't improved the best by 1 %.

        Args:
            needed: How many.
            count: How many have gone by already.
        """
        quiet, ends, before = np.full(PATHS, count), self.never(), 0
        for step, jobs in enumerate(self.jobs):
            quiet = np.where(self.improves[:, step], 0, quiet + jobs - before)
            met = np.maximum(before + 1.0, jobs - (quiet - needed))
            ends = np.where((quiet >= needed) & np.isinf(ends), met, ends)
            before = jobs
        return ends

    def first(self, met: NDArray[np.bool_]) -> Array:
        """Return (paths,): the end of the first step at which `met`, (paths, steps), is True; infinity where it never is.

        Args:
            met: (paths, steps), whether the criterion is met at the end of a step.
        """
        return np.where(met.any(1), self.jobs[met.argmax(1)], math.inf)

    def after_improvement(self, size: float) -> Array:
        """Return (paths,): the criterion is met once the best is better than today's by `size`, in units of the objective.

        Never without evidence.

        Args:
            size: By how much the best must improve, in units of the objective, minimised; 0 or less: the next result counts.
        """
        if self.evidence is None:
            return self.never()
        within = self.within(size) if size > 0 else np.ones(len(self.jobs))
        return np.append(self.jobs, math.inf)[np.searchsorted(within, self._rng.random(PATHS))]

    def ends(self, criterion: CompletionCriterion) -> Array:
        """Return (paths,): where another criterion would end the job, for criteria that are made of others.

        A criterion without `ends` is asked on simulated futures (`simulation.py`). One that raises can't be forecast; the forecast
        tells what it raised.
        """
        try:
            return self._ends(criterion)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            self.errors[name_of(criterion)] = f"{type(error).__name__}: {error}"
            return self.unknown()

    def _ends(self, criterion: CompletionCriterion) -> Array:
        if not isinstance(criterion, Forecastable):
            end = simulated_end(criterion, self.history)
            return self.unknown() if end is None else self.after(end)
        ends = np.asarray(criterion.ends(self), dtype=float)
        return np.asarray(np.maximum(0.0, np.broadcast_to(ends, (PATHS,))))

    # -- what answers are made of --------------------------------------------------------------------------------

    def within(self, size: float) -> Array:
        """Return (steps,): p_h(size), the probability that the h training jobs up to each step improve the best by more than `size`.

        Only with evidence.

        Args:
            size: The size of the improvement, in units of the objective.
        """
        assert self.evidence is not None
        horizons = sorted({min(h, self.rem) for h in (*HORIZONS, self.rem)})
        p = [chance(replace(self.evidence, rem=h), size) for h in horizons]
        within = np.interp(self.jobs, horizons, np.maximum.accumulate(p))
        return np.asarray(within, dtype=float)

    def quiet(self, since: int) -> Array:
        """Return (paths, 1 + steps): results since the last improvement, now (`since`) and after each step.

        Args:
            since: Results since the last improvement, as of now.
        """
        last = np.maximum.accumulate(np.where(self.improves, self.jobs, -since), axis=1)
        return np.concatenate([np.full((PATHS, 1), since), self.jobs - last], axis=1)

    def walk(self) -> Array:
        """Return (paths, steps): how far p's logit has wandered by then, apart from the signals of time and from WANING.

        A random walk in ln k, which rises with the path's improvements. Drawn anew at each call. Only with evidence.
        """
        assert self.evidence is not None
        before = np.append(0, self.jobs[:-1])
        steps = np.sqrt(np.log1p((self.jobs - before) / (self.evidence.k + before)))
        drawn = self._rng.standard_normal(self.improves.shape)
        return np.asarray(np.cumsum(RISE * self.improves + WALK * steps * drawn, axis=1))

    def scores(self, eps: float) -> Array:
        """Return (paths, steps): the logit of p(eps) after each step. Only with evidence.

        Args:
            eps: The improvement that matters, in units of the objective.
        """
        assert self.evidence is not None
        return score_ahead(self.evidence, eps, self.quiet(self.evidence.since(eps)))[:, 1:] + self.walk()

    def normal(self, count: int) -> Array:
        """Return (count,) standard normal numbers, the same at every asking about one history."""
        return np.asarray(self._rng.standard_normal(count))

    def _hazard(self, size: float) -> Array:
        none = np.concatenate([[1.0], 1.0 - self.within(size)])
        return np.asarray(1.0 - none[1:] / np.maximum(none[:-1], 1e-12), dtype=float)


@runtime_checkable
class Forecastable(Protocol):
    """A criterion that says when it would end the job. It's optional: `Future.ends` has what happens without."""

    def ends(self, future: Future) -> Array:
        """Return where on each path the criterion would end the job.

        Args:
            future: What may come.

        Returns:
            (paths,), or one number for all paths: after how many more ended training jobs the criterion is met. Infinity: never.
            NaN: it can't be forecast.

        Example:
            >>> def ends(self, future):
            ...     return future.after(self.count - future.history.ended)
        """


def chance(evidence: Evidence, size: float) -> float:
    """Return p(size) of the evidence's own horizon.

    Args:
        evidence: What is known now; its `rem` is the horizon.
        size: The size of the improvement, in units of the objective; below LEAST_SIZE it's taken to be that.
    """
    size = max(size, LEAST_SIZE * evidence.spread)
    x = math.log10(size / evidence.spread)
    return sigmoid(evidence.score(size) + sum(weight * x**power for power, weight in enumerate(RECALIBRATED)))


def score_within(evidence: Evidence, eps: float, horizon: int, quiet: Array, ahead: int) -> Array:
    """Return the logit of p(eps) for a budget of `horizon` training jobs, once `ahead` more have ended.

    Args:
        evidence: What is known now.
        eps: The improvement that matters, in units of the objective.
        horizon: Training jobs of the budget that are left by then.
        quiet: (…), results since the last improvement by then.
        ahead: Training jobs that have ended by then.

    Returns:
        (…), without the random walk (`Future.walk`).
    """
    now = replace(evidence, rem=horizon)
    since_rem = np.log1p(quiet / (horizon + 1)) - now.signals(eps)["since_rem"]
    later = math.log((evidence.k + ahead) / evidence.k)
    return np.asarray(now.score(eps) + WEIGHTS["since_rem"] * since_rem + (WANING - WEIGHTS["rem_k"]) * later)
