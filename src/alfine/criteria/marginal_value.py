"""MarginalValue: complete once no number of further training jobs is expected to be worth what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from alfine.core.axis import Array
from alfine.core.errors import Fault
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook, Verdict
from alfine.core.wording import count_of, money, short
from alfine.criteria.checks import number
from alfine.criteria.future import Future, score_within
from alfine.criteria.improvement import LEAST_RESULTS, RESIDUAL_GRID, Evidence, integral, read_evidence, remaining
from alfine.criteria.tags import read_tag, write_tag
from alfine.criteria.training_job_cost import mean_cost, price_missing

VERDICT: MemoKey[Verdict] = MemoKey(__name__, "verdict")


HORIZONS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Numbers of further training jobs whose gain is compared with their cost, beside all that the budget has."""


MOST_LOOKS = 40
"""Numbers of further training jobs after which a forecast asks whether MarginalValue is met."""


@dataclass(frozen=True, slots=True)
class MarginalValue:
    """Complete when no number of further training jobs is expected to be worth what it costs.

    The expected gain of h more training jobs is the integral of p(e) over e, with a budget of h: p is the probability that they
    improve the best by more than e (improvement.py). h goes through 1, 2, 5, … up to the rest of the budget. The job goes on
    while the gain of any h is worth more than h times the mean cost so far. Ten objectives are needed.

    Args:
        worth: What an improvement by 1 % of the best objective's absolute value is worth: an amount of money above 0.

    Source: alfine's own, on ConvergenceDetected's p. Looking ahead over several horizons keeps it from stopping when one more
        training job isn't worth its cost, but ten are.
    """

    labels: ClassVar[Mapping[str, str]] = {
        "mean_of_a_training_job": "a training job costs",
        "breaks_even_at": "breaks even if 1 % is worth",
    }

    worth: float

    def __post_init__(self) -> None:
        number(self, "worth", above=0)

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        return read_tag(cls, spec)

    def check(self, history: History) -> Verdict:
        return history.remembered(VERDICT.of(self), lambda: self._judge(history), version=history.ended)

    def ends(self, future: Future) -> Array:
        """Return when no number of further training jobs is worth its cost, as `check` has it: never without evidence.

        p(e) goes on from today's as in ConvergenceDetected's forecast: with the path's improvements, and apart from them as a
        random walk.
        """
        evidence, ends = future.evidence, future.never()
        if evidence is None:
            return ends
        mean, percent = mean_cost(future.history), _percent(evidence)
        walk, sizes = future.walk(), np.array(RESIDUAL_GRID) * evidence.spread
        quiet = np.stack([future.quiet(evidence.since(size)) for size in sizes])
        for step in _looks(future):
            ahead = int(future.jobs[step])
            is_met = np.ones(len(ends), dtype=bool)
            for horizon in _horizons(future.rem - ahead):
                scores = [
                    score_within(evidence, size, horizon, quiet[row, :, step + 1], ahead) + walk[:, step]
                    for row, size in enumerate(sizes)
                ]
                gain = integral(sizes, 1.0 / (1.0 + np.exp(-np.stack(scores))))
                is_met &= gain / percent * self.worth <= horizon * mean
            ends = np.where(is_met & np.isinf(ends), float(ahead), ends)
        return ends

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        write_tag(request, self)

    def faults(self, spec: TuningJobSpec) -> Iterator[Fault]:
        return price_missing("MarginalValue", spec)

    def _judge(self, history: History) -> Verdict:
        n, rem = len(history.observations()[1]), remaining(history)
        if n < LEAST_RESULTS or rem <= 0:
            return Verdict(
                outlook=Outlook.CONTINUE,
                criterion="MarginalValue",
                sentence=f"The expected gain is estimated once there are {LEAST_RESULTS} objectives; so far: {n}."
                if rem > 0
                else "The budget is used up: no training job is left that could be worth its cost.",
                evidence={"objectives": n, "needed": LEAST_RESULTS, "remaining": rem},
                would_change=f"{count_of(LEAST_RESULTS - n, 'more objective')}; failed training jobs don't count."
                if rem > 0
                else "A larger budget: `alfine change --max-training-jobs`.",
            )
        evidence, problem = read_evidence(history, rem)
        horizons = _horizons(rem)
        percent = _percent(evidence)
        gains = {h: _gain(evidence, h) / percent * self.worth for h in horizons}
        mean = mean_cost(history)
        best = max(horizons, key=lambda h: gains[h] - h * mean)
        is_met = gains[best] <= best * mean
        # If 1 % were worth more than this, the job would go on: at this worth some h gains just what it costs.
        breaks_even = min((h * mean * self.worth / gains[h] for h in horizons if gains[h] > 0), default=None)
        numbers = {
            "horizon": best,
            "value_of_expected_gain": gains[best],
            "cost": best * mean,
            "expected_gain": gains[best] / self.worth * percent,
            "mean_of_a_training_job": mean,
            "worth": self.worth,
            "breaks_even_at": breaks_even,
        }
        return Verdict(
            outlook=Outlook.STOP if is_met else Outlook.CONTINUE,
            criterion="MarginalValue",
            sentence=f"Expected gain from the next {count_of(best)}: {short(numbers['expected_gain'])}, worth {money(gains[best])} at a "
            f"cost of {money(best * mean)}.{problem}",
            evidence=numbers,
            progress=1.0 if is_met else best * mean / gains[best],
            would_change=self._would_change(breaks_even, is_met=is_met),
        )

    def _would_change(self, breaks_even: float | None, *, is_met: bool) -> str:
        if breaks_even is None:
            return "Only an improvement: no further gain is expected, whatever 1 % is worth."
        if is_met:
            return (
                f"Going on would pay if 1 % were worth more than {money(breaks_even)}, instead of {money(self.worth)}."
            )
        return f"The job would end now if 1 % were worth {money(breaks_even)} or less, instead of {money(self.worth)}."


def _horizons(rem: int) -> list[int]:
    return sorted({min(h, rem) for h in (*HORIZONS, rem)})


def _percent(evidence: Evidence) -> float:
    """Return 1 % of the best objective; of a best of 0, the spread."""
    return 0.01 * abs(evidence.best) or evidence.spread


def _looks(future: Future) -> list[int]:
    """Return the steps after which a forecast looks: MOST_LOOKS of all but the last, the first ones close together."""
    if future.rem <= 1:
        return []
    looks = np.geomspace(1, future.rem - 1, MOST_LOOKS)
    return sorted({int(step) for step in np.searchsorted(future.jobs, looks.astype(np.int64), side="right") - 1})


def _gain(evidence: Evidence, horizon: int) -> float:
    return replace(evidence, rem=horizon).expected_residual_improvement()
