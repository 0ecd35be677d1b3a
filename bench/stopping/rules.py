"""The rules that are compared: how many of a recorded search's training jobs each would have run.

A rule is a function of a `Search` that answers a number of training jobs, the whole budget when it never fires. The peers' are
written out from their source, since as libraries they want to own the loop; where each stands is said beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Rule = Callable[["Search"], int]


@dataclass(frozen=True)
class Search:
    """A recorded search: values (N,) are minimised, NaN where a training job failed; truth (N,) are without noise."""

    task: str
    sampler: str
    seed: int
    values: np.ndarray
    truth: np.ndarray
    best_known: float  # minimised
    median_random: float
    record: dict

    @property
    def budget(self) -> int:
        return len(self.values)

    def best(self, count: int) -> float:
        """The best value after so many training jobs, +inf before the first."""
        seen = self.values[:count]
        return float(np.nanmin(seen)) if np.isfinite(seen).any() else np.inf

    def up_to(self, budget: int) -> Search:
        """The same search had its budget been smaller: for samplers that don't look at the budget."""
        return Search(
            **{**self.__dict__, "values": self.values[:budget], "truth": self.truth[:budget]},
        )


def first(search: Search, fires: Callable[[int], bool], start: int = 1) -> int:
    """The first count of ended training jobs at which a rule fires."""
    return next((count for count in range(start, search.budget + 1) if fires(count)), search.budget)


def always(count: int) -> Rule:
    """The baseline that most rules don't beat."""
    return lambda search: min(count, search.budget)


def patience(count: int, significant: float = 0.0) -> Rule:
    """So many results in a row that don't improve the reference by the share `significant` of it (AMT: 1 %)."""

    def rule(search: Search) -> int:
        reference, since = None, 0
        for index, value in enumerate(search.values, 1):
            if not np.isfinite(value):
                continue
            if reference is None or (reference - value > 0 and reference - value >= significant * abs(reference)):
                reference, since = value, 0
            else:
                since += 1
            if since >= count:
                return index
        return search.budget

    return rule


def ax(window: int = 5, bar: float = 0.1, least: int = 10) -> Rule:
    """Ax, global_stopping/strategies/improvement.py: the last `window` gained less than `bar` of the interquartile range."""

    def rule(search: Search) -> int:
        def fires(count: int) -> bool:
            seen = search.values[:count]
            seen = seen[np.isfinite(seen)]
            if len(seen) < max(least, window + 1):
                return False
            spread = float(np.subtract(*np.percentile(seen, [75, 25])))
            gain = search.best(count - window) - search.best(count)
            return bool(spread > 0 and gain / spread < bar)

        return first(search, fires)

    return rule


def ray(patience_left: int = 0, top: int = 10, std: float = 0.001) -> Rule:
    """Ray Tune, stopper/experiment_plateau.py: the top 10 values differ by no more than a standard deviation of 0.001."""

    def rule(search: Search) -> int:
        quiet = 0
        for count in range(1, search.budget + 1):
            best = np.sort(search.values[:count][np.isfinite(search.values[:count])])[:top]
            quiet = quiet + 1 if len(best) == top and best.std() <= std else 0
            if quiet > patience_left:
                return count
        return search.budget

    return rule


def syne(window: int = 10, std: float = 0.001) -> Rule:
    """Syne Tune, stopping_criterion PlateauStopper: the last 10 bests differ by no more than a standard deviation of 0.001."""

    def rule(search: Search) -> int:
        bests = [search.best(count) for count in range(1, search.budget + 1)]
        return first(search, lambda count: count >= window and np.std(bests[count - window : count]) <= std)

    return rule


def oracle(share: float = 0.01) -> Rule:
    """In hindsight: the first training job within a share of the best of all."""

    def rule(search: Search) -> int:
        final = search.best(search.budget)
        return first(search, lambda count: search.best(count) - final <= share * abs(final))

    return rule


PEERS: dict[str, Rule] = {
    "patience 10": patience(10),
    "patience 30": patience(30),
    "patience 50": patience(50),
    "patience 10, 1 %": patience(10, 0.01),
    "patience 30, 1 %": patience(30, 0.01),
    "patience 50, 1 %": patience(50, 0.01),
    "Ax default": ax(),
    "Ax, window 20, bar 0.05": ax(20, 0.05, 20),
    "Ray plateau": ray(),
    "Ray plateau, patience 10": ray(10),
    "Syne Tune plateau": syne(),
    **{f"always {count}": always(count) for count in (40, 60, 80, 100, 140, 200)},
    "oracle (hindsight)": oracle(),
}
