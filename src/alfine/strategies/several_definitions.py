"""Several training job definitions share one budget: which definition gets the next training job.

Each definition is searched by the job's own strategy, on its own history, and begins with an initial design. After that the next
training job goes to the definition with the largest expected improvement over the best result of all. The surrogates of the strategies
estimate it where they can (expected_gain.py); they know that a search may begin badly and still end well. Otherwise the latest results
estimate it. Symbols of that second estimate, for one definition:

    z (n,)   normal scores of its latest results: the normal quantiles of their ranks among the results of all definitions;
             smaller is better, a failure is the worst. They don't depend on scales and outliers.   z*  the lowest of all
    m, s     mean and standard deviation of z, with the prior N(0, 1) counted as one more result
    EI       E max(z* - Z, 0) for its next result, Z ~ N(m, s^2 (1 + 2 ln t / k)):  k of the t training jobs so far were its own

The variance that a surrogate expects is multiplied by the same factor, 1 + 2 ln t / k. Its logarithm is the one of upper confidence
bounds (Auer et al. 2002, «Finite-time analysis of the multiarmed bandit problem»), so that no definition is given up for good. The
criterion is expected improvement because the best result counts, not the sum of all results (Cicirello and Smith 2005, «The max
k-armed bandit»). Definitions with different objectives can't be compared: each gets the same share of the budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from alfine.core.axis import Array
from alfine.core.facts import OfTuningJob
from alfine.core.history import History
from alfine.core.protocols import EarlyStopping, Stop, Strategy, Suggestion, expected_gain_of
from alfine.core.spec import TuningJobSpec

INITIAL = 5
"""Training jobs of each definition before results decide. In simulations fewer misjudged definitions that start slowly."""

INITIAL_SHARE = 0.5
"""Largest share of a known budget that goes into these initial training jobs."""

LATEST = 5
"""Number of latest results that represent what a definition's search achieves now: later results are better than the first."""


@dataclass(frozen=True, slots=True)
class SeveralDefinitions:
    """One strategy per training job definition, and the choice between them.

    `ask` returns None once no strategy has anything left to try.

    Args:
        strategies: The strategy of each definition, by the definition's name.
    """

    strategies: Mapping[str, Strategy]

    def ask(self, history: History) -> Suggestion | None:
        for name in self._by_preference(history):
            suggestion = self.strategies[name].ask(history.of(name))
            if suggestion is not None:
                return replace(suggestion, definition=name)
        return None

    def stops(self, history: History) -> Iterable[Stop]:
        """Return the stops of the strategy whose training job the newest fact is about."""
        fact = history.facts[-1] if history.facts else None
        if fact is None or isinstance(fact, OfTuningJob):
            return
        name = history.job(fact.number).definition or ""
        strategy = self.strategies[name]
        if isinstance(strategy, EarlyStopping):
            yield from strategy.stops(history.of(name))

    def _by_preference(self, history: History) -> list[str]:
        """Return the names of the definitions; the one to launch next comes first."""
        spec, launches = history.spec, {name: history.of(name).launches for name in history.spec.parts}
        fewest_first = sorted(launches, key=lambda name: launches[name])  # ties keep the order of the request
        if spec.ranked is not None or launches[fewest_first[0]] < initial_size(spec):
            return fewest_first
        gains = self._gains_by_surrogates(history) or _gains_by_ranks(history)
        return sorted(fewest_first, key=lambda name: -gains[name])

    def _gains_by_surrogates(self, history: History) -> dict[str, float] | None:
        """Return the expected gain of each definition; None unless every strategy can estimate it."""
        best = history.incumbent
        if best is None or best.objective is None:
            return None
        gains: dict[str, float] = {}
        for name, strategy in self.strategies.items():
            part = history.of(name)
            gain = expected_gain_of(strategy, part, history.sign * best.objective, variance_factor(history, part))
            if gain is None or math.isnan(gain):
                return None
            gains[name] = gain
        return gains


def variance_factor(history: History, part: History) -> float:
    """Return 1 + 2 ln t / k, by which the variance that a definition's surrogate expects is multiplied.

    Args:
        history: The whole tuning job, with t launches.
        part: The history of the definition, with k launches.
    """
    return 1.0 + 2.0 * math.log(history.launches) / part.launches


def initial_size(spec: TuningJobSpec) -> int:
    """Return how many training jobs each definition gets before results decide.

    Args:
        spec: The tuning job with its definitions.
    """
    if spec.max_training_jobs is None:
        return INITIAL
    return max(1, min(INITIAL, int(INITIAL_SHARE * spec.max_training_jobs / len(spec.parts))))


def _gains_by_ranks(history: History) -> dict[str, float]:
    """Return EI of each definition by its latest results. A running training job counts as launched; its result is unknown."""
    from scipy.special import ndtri

    results = {name: _results(history.of(name)) for name in history.spec.parts}
    all_results = np.concatenate(list(results.values()))
    count = len(all_results)
    if count == 0:
        return dict.fromkeys(results, 0.0)
    ordered = np.sort(all_results)
    gains: dict[str, float] = {}
    for name, values in results.items():
        latest = values[-LATEST:]
        below, upto = np.searchsorted(ordered, latest, "left"), np.searchsorted(ordered, latest, "right")
        ranks = (below + upto) / 2  # equal results share the middle of their ranks
        z = ndtri(np.clip(ranks, 0.5, count - 0.5) / count)
        mean = float(z.sum()) / (len(z) + 1)
        variance = (float(((z - mean) ** 2).sum()) + 1.0 + mean * mean) / (len(z) + 1)
        s = math.sqrt(variance * variance_factor(history, history.of(name)))
        gains[name] = s * _h((float(ndtri(0.5 / count)) - mean) / s)
    return gains


def _results(history: History) -> Array:
    """Return the results (n,) of one definition in order of completion, minimised; infinity where there is no objective."""
    values = [math.inf if job.objective is None else history.sign * job.objective for job in history.finished]
    return np.array(values, dtype=float)


def _h(z: float) -> float:
    """Return phi(z) + z Phi(z)."""
    return math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) + 0.5 * z * math.erfc(-z / math.sqrt(2))
