"""MaxCost and MarginalValue: completion criteria in money, at the job's price per instance and hour.

A price is the tag `alfine:price-per-hour`, or [prices] in alfine.toml for the instance type.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from alfine.core import cost
from alfine.core.errors import Fault
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.messages import naming
from alfine.core.policy import Outlook, Verdict, in_seconds
from alfine.core.ranges import Array
from alfine.core.spec import TuningJobSpec
from alfine.core.wording import count_of, money, short
from alfine.criteria.checks import number
from alfine.criteria.future import Future, score_within
from alfine.criteria.improvement import (
    LEAST_RESULTS,
    RESIDUAL_GRID,
    Evidence,
    integral,
    read_evidence,
    remaining,
)
from alfine.criteria.tags import read_tag, write_tag

VERDICT: MemoKey[Verdict] = MemoKey(__name__, "verdict")

HORIZONS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Numbers of further training jobs whose gain is compared with their cost, beside all that the budget has."""

MOST_LOOKS = 40
"""Numbers of further training jobs after which a forecast asks whether MarginalValue is met."""


@dataclass(frozen=True, slots=True)
class MaxCost:
    """Launch no more when one more training job would cost more than is left of `limit` (DRAIN); stop what runs once it's spent (STOP).

    What the running training jobs will still cost is taken from the mean of those that have ended.

    Args:
        limit: An amount of money above 0, in US dollars.
    """

    is_limit: ClassVar[bool] = True
    labels: ClassVar[Mapping[str, str]] = {
        "with_the_next": "spent with the next training job",
        "mean_of_a_training_job": "a training job costs",
    }

    limit: float

    def __post_init__(self) -> None:
        number(self, "limit", above=0)

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        return read_tag(cls, spec)

    def check(self, history: History) -> Verdict:
        spent, mean, running = cost.spent(history).money or 0.0, _mean_cost(history), [*_running(history)]
        ahead = spent + sum(max(0.0, mean - so_far) for so_far, _ in running) + mean
        outlook = Outlook.STOP if spent >= self.limit else Outlook.DRAIN if ahead > self.limit else Outlook.CONTINUE
        left = max(0.0, self.limit - spent)
        more = math.floor(max(0.0, self.limit - ahead + mean) / mean) if mean else None
        # Time alone changes the answer: to DRAIN once running training jobs cost more than the mean, to STOP once all is spent.
        seconds_left = (
            _seconds_until(self.limit - ahead, mean, running)
            if outlook is Outlook.CONTINUE
            else _seconds_until(left, 0.0, running)
        )
        return Verdict(
            outlook=outlook,
            criterion="MaxCost",
            sentence=f"{money(spent)} of at most {money(self.limit)} spent; about {money(ahead)} with the next training job.",
            evidence={
                "spent": spent,
                "limit": self.limit,
                "with_the_next": ahead,
                "mean_of_a_training_job": mean,
                "left": left,
                "training_jobs_left": more,
            },
            progress=1.0 if outlook is not Outlook.CONTINUE else min(1.0, ahead / self.limit),
            would_change=self._would_change(outlook, left, more),
            ask_again_at=None
            if outlook is Outlook.STOP or seconds_left is None
            else in_seconds(history.now, seconds_left),
        )

    @staticmethod
    def _would_change(outlook: Outlook, left: float, more: int | None) -> str:
        if outlook is Outlook.CONTINUE:
            if more is None:
                return f"{money(left)} are left; how many training jobs that is enough for is known once one has ended."
            return f"It ends the job when less is left than one more training job costs: after about {count_of(more, 'more training job')}."
        cheaper = " Training jobs that cost less than the mean leave room for more." if outlook is Outlook.DRAIN else ""
        return f"Only a higher limit: `alfine change`.{cheaper}"

    def ends(self, future: Future) -> Array:
        """Return when what is left of the limit has been spent, at the mean cost of the training jobs that have ended."""
        mean, spent = _mean_cost(future.history), cost.spent(future.history).money or 0.0
        return future.after((self.limit - spent) / mean) if mean else future.never()

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        write_tag(request, self)

    def faults(self, spec: TuningJobSpec) -> Iterator[Fault]:
        return _price_missing("MaxCost", spec)


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
        mean, percent = _mean_cost(future.history), _percent(evidence)
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
        return _price_missing("MarginalValue", spec)

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
        mean = _mean_cost(history)
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
            progress=1.0 if is_met else min(1.0, best * mean / gains[best]),
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
    return sorted({h for h in HORIZONS if h < rem} | {rem})


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


def _mean_cost(history: History) -> float:
    """Return the mean cost of a training job that has ended."""
    price = (history.spec.price_per_hour or 0.0) / cost.HOUR
    return cost.compute_seconds(history) / history.ended * price if history.ended else 0.0


def _running(history: History) -> Iterator[tuple[float, float]]:
    """Yield what each running training job has cost so far, and what a second of it costs. Before its start both are 0."""
    price = (history.spec.price_per_hour or 0.0) / cost.HOUR
    for job in history.running.values():
        rate = 0.0 if job.started_at is None else price * history.spec.of(job.definition).definition.instance_count
        seconds = 0.0 if job.started_at is None else (history.now - job.started_at).total_seconds()
        yield max(0.0, seconds) * rate, rate


def _seconds_until(amount: float, mean: float, running: Sequence[tuple[float, float]]) -> float | None:
    """Return in how many seconds the costs of the running training jobs beyond `mean` each sum up to `amount`; None: never."""
    begins = sorted((max(0.0, mean - so_far) / rate, rate) for so_far, rate in running if rate > 0)
    seconds = total = 0.0
    for begin, rate in begins:
        if total > 0 and seconds + amount / total <= begin:
            break
        amount -= total * (begin - seconds)
        seconds, total = begin, total + rate
    return seconds + max(0.0, amount) / total if total > 0 else None


def _price_missing(criterion: str, spec: TuningJobSpec) -> Iterator[Fault]:
    if not spec.price_per_hour:
        message = "needs the price of an instance of type {}: {price_per_hour}{or_prices}."
        yield Fault(criterion, naming(message, spec.definition.instance_type))
