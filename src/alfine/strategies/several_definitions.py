"""Several training job definitions share one budget: which of them gets the next training job.

Each is searched by the job's own strategy, on its own history, and begins with an initial design. Then the next training job goes where
the expected improvement over the best of all is largest: by the surrogates of strategies that have one (promise.py), which know that
a search may begin badly and get far, else by the latest results. Symbols of the latter, for one definition:

    z (n,)   normal scores of its latest results: the normal quantiles of their ranks among the results of all definitions,
             smaller is better, a failure the worst. No scale and no outlier matters to them.   z*  the lowest of all
    m, s     their mean and standard deviation, as if one more result had been seen, of the prior N(0, 1)
    EI       E max(z* - Z, 0) for its next result, Z ~ N(m, s^2 (1 + 2 ln t / k)):  k of the t training jobs so far were its own

The variances that surrogates expect are multiplied by the same factor. Its logarithm is that of upper confidence bounds (Auer et al.
2002, «Finite-time analysis of the multiarmed bandit problem»): none is given up for good. Expected improvement, since the best
result counts and not the sum (Cicirello and Smith 2005, «The max k-armed bandit»). Where objectives differ, results can't be
compared, and every definition gets the same share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from alfine.core.history import History, OfTuningJob
from alfine.core.policy import EarlyStopping, Promising, Stop, Strategy, Suggestion
from alfine.core.ranges import Array
from alfine.core.spec import TuningJobSpec

INITIAL = 5  # training jobs of each before results decide; fewer misjudged slow starters in simulations
INITIAL_SHARE = 0.5  # of a known budget at most goes into them
LATEST = 5  # results that stand for what a definition's search gives now: later ones are better than the first


@dataclass(frozen=True, slots=True)
class Definitions:
    """A strategy for each definition, and the choice between them. None once none has anything left to try."""

    strategies: Mapping[str, Strategy]

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:
        from alfine.strategies import strategy_for

        return cls({name: strategy_for(part) for name, part in spec.parts.items()})

    def ask(self, history: History) -> Suggestion | None:
        for name in self._preference(history):
            suggestion = self.strategies[name].ask(history.of(name))
            if suggestion is not None:
                return replace(suggestion, definition=name)
        return None

    def stops(self, history: History) -> Iterable[Stop]:
        """Those of the strategy whose training job the newest fact is about."""
        fact = history.facts[-1] if history.facts else None
        if fact is None or isinstance(fact, OfTuningJob):
            return
        name = history.job(fact.number).definition or ""
        strategy = self.strategies[name]
        if isinstance(strategy, EarlyStopping):
            yield from strategy.stops(history.of(name))

    def _preference(self, history: History) -> list[str]:
        """The definitions, the one to launch next first."""
        spec, launched = history.spec, {name: history.of(name).launches for name in history.spec.parts}
        fewest = sorted(launched, key=lambda name: launched[name])  # ties in the order of the request
        if spec.ranked is not None or launched[fewest[0]] < initial_size(spec):
            return fewest
        promise = self._told(history) or _promises(history)
        return sorted(fewest, key=lambda name: -promise[name])

    def _told(self, history: History) -> dict[str, float] | None:
        """What the strategies promise; None unless all of them can say."""
        best = history.incumbent
        if best is None or best.objective is None:
            return None
        told: dict[str, float] = {}
        for name, strategy in self.strategies.items():
            if not isinstance(strategy, Promising):
                return None
            own = history.of(name)
            said = strategy.promise(own, history.sign * best.objective, doubt(history, own))
            if said is None or math.isnan(said):
                return None
            told[name] = said
        return told


def doubt(history: History, own: History) -> float:
    """How many times its variance a definition's own expectation has."""
    return 1.0 + 2.0 * math.log(history.launches) / own.launches


def initial_size(spec: TuningJobSpec) -> int:
    """How many training jobs each definition gets before results decide."""
    if spec.max_training_jobs is None:
        return INITIAL
    return max(1, min(INITIAL, int(INITIAL_SHARE * spec.max_training_jobs / len(spec.parts))))


def _promises(history: History) -> dict[str, float]:
    """EI of each definition; what runs counts as launched, its result is still open."""
    from scipy.special import ndtri

    results = {name: _results(history.of(name)) for name in history.spec.parts}
    everything = np.concatenate(list(results.values()))
    count = len(everything)
    if count == 0:
        return dict.fromkeys(results, 0.0)
    ordered = np.sort(everything)
    promises: dict[str, float] = {}
    for name, values in results.items():
        latest = values[-LATEST:]
        below, upto = np.searchsorted(ordered, latest, "left"), np.searchsorted(ordered, latest, "right")
        ranks = (below + upto) / 2  # of equals the middle one
        z = ndtri(np.clip(ranks, 0.5, count - 0.5) / count)
        mean = float(z.sum()) / (len(z) + 1)
        variance = (float(((z - mean) ** 2).sum()) + 1.0 + mean * mean) / (len(z) + 1)
        s = math.sqrt(variance * doubt(history, history.of(name)))
        promises[name] = s * _h((float(ndtri(0.5 / count)) - mean) / s)
    return promises


def _results(history: History) -> Array:
    """The results of one definition in order of completion, minimised; infinity for a training job without an objective."""
    values = [math.inf if job.objective is None else history.sign * job.objective for job in history.finished]
    return np.array(values, dtype=float)


def _h(z: float) -> float:
    """phi(z) + z Phi(z)."""
    return math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) + 0.5 * z * math.erfc(-z / math.sqrt(2))
