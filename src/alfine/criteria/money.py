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
    """DRAIN when one more training job would cost more than is left of `limit`, STOP when it's spent.

    What the running training jobs will still cost is taken from the mean of those that have ended.
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
        spent, each, running = _money(cost.spent(history)), _each(history), [*_running(history)]
        ahead = spent + sum(max(0.0, each - so_far) for so_far, _ in running) + each
        outlook = Outlook.STOP if spent >= self.limit else Outlook.DRAIN if ahead > self.limit else Outlook.CONTINUE
        left, more = (
            max(0.0, self.limit - spent),
            math.floor(max(0.0, self.limit - ahead + each) / each) if each else None,
        )
        # Time alone drains it once running training jobs cost more than the mean, and stops it once all is spent.
        seconds_left = (
            _seconds_until(self.limit - ahead, each, running)
            if outlook is Outlook.CONTINUE
            else _seconds_until(left, 0.0, running)
        )
        return Verdict(
            outlook=outlook,
            criterion="MaxCost",
            sentence=f"{spent:.4g} of at most {self.limit:g} spent; the next training job would bring it to about {ahead:.4g}.",
            evidence={
                "spent": spent,
                "limit": self.limit,
                "with_the_next": ahead,
                "mean_of_a_training_job": each,
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
            often = (
                "how many more training jobs that is shows once one has ended" if more is None else f"about {more} more"
            )
            return f"It ends the job when the {left:.4g} that are left are too little for one more: {often}."
        cheaper = (
            " Training jobs that end sooner than the mean leave room for more." if outlook is Outlook.DRAIN else ""
        )
        return f"Only a higher limit: `alfine change`.{cheaper}"

    def ends(self, future: Future) -> Array:
        """When what is left of the limit has been spent, at the mean cost of the training jobs that have ended."""
        each = _each(future.history)
        return future.after((self.limit - _money(cost.spent(future.history))) / each) if each else future.never()

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        write_tag(request, self)

    def faults(self, spec: TuningJobSpec) -> Iterator[Fault]:
        return _price_missing("MaxCost", spec)


@dataclass(frozen=True, slots=True)
class MarginalValue:
    """Complete when no number of further training jobs is expected to be worth what it costs.

    worth: what one per cent of the best objective's absolute value is worth, in money. For h = 1, 2, 5, … up to the rest of
    the budget the expected gain is the integral of ConvergenceDetected's p(e) with a budget of h; the job goes on while any h
    gains more than it costs at the mean cost so far. Needs 10 objectives.
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
        """When no number of further training jobs is worth its cost, as `check` has it: never without evidence.

        p(e) goes on from today's as ConvergenceDetected's does: with the path's improvements, and for the rest as a random walk.
        """
        evidence, ends = future.evidence, future.never()
        if evidence is None:
            return ends
        each, percent = _each(future.history), _percent(evidence)
        walk, sizes = future.walk(), np.array(RESIDUAL_GRID) * evidence.spread
        quiet = np.stack([future.quiet(evidence.since(size)) for size in sizes])
        for ahead in _looks(future.rem):
            is_met = np.ones(len(ends), dtype=bool)
            for horizon in _horizons(future.rem - ahead):
                scores = [
                    score_within(evidence, size, horizon, quiet[row, :, ahead], ahead) + walk[:, ahead - 1]
                    for row, size in enumerate(sizes)
                ]
                gain = integral(sizes, 1.0 / (1.0 + np.exp(-np.stack(scores))))
                is_met &= gain / percent * self.worth <= horizon * each
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
                sentence=f"{n} of {LEAST_RESULTS} objectives needed before an expected gain is worth anything."
                if rem > 0
                else "The budget is used up: no training job is left that could be worth its cost.",
                evidence={"objectives": n, "needed": LEAST_RESULTS, "remaining": rem},
                would_change=f"{LEAST_RESULTS - n} more objectives; failed training jobs don't count."
                if rem > 0
                else "A larger budget: `alfine change --max-training-jobs`.",
            )
        evidence, problem = read_evidence(history, rem)
        horizons = _horizons(rem)
        percent = _percent(evidence)
        gains = {h: _gain(evidence, h) / percent * self.worth for h in horizons}
        each = _each(history)
        best = max(horizons, key=lambda h: gains[h] - h * each)
        met = gains[best] <= best * each
        # The job would go on for whatever is worth more than this: there some h gains just what it costs.
        breaks_even = min((h * each * self.worth / gains[h] for h in horizons if gains[h] > 0), default=None)
        numbers = {
            "horizon": best,
            "value_of_expected_gain": gains[best],
            "cost": best * each,
            "expected_gain": gains[best] / self.worth * percent,
            "mean_of_a_training_job": each,
            "worth": self.worth,
            "breaks_even_at": breaks_even,
        }
        verb = "isn't" if met else "is"
        return Verdict(
            outlook=Outlook.STOP if met else Outlook.CONTINUE,
            criterion="MarginalValue",
            sentence=f"The gain expected of the next {f'{best} training jobs' if best > 1 else 'training job'}, {numbers['expected_gain']:.3g}, {verb} worth their cost: "
            f"{gains[best]:.3g} against {best * each:.3g}.{problem}",
            evidence=numbers,
            progress=1.0 if met else min(1.0, best * each / gains[best]),
            would_change=self._would_change(breaks_even, met=met),
        )

    def _would_change(self, breaks_even: float | None, *, met: bool) -> str:
        if breaks_even is None:
            return (
                f"An improvement: nothing more is expected of the budget, at {self.worth:.4g} for 1 % as at any price."
            )
        if met:
            return f"Going on would pay if 1 % were worth more than {breaks_even:.4g}, instead of {self.worth:.4g}."
        return f"The job would end now if 1 % were worth {breaks_even:.4g} or less, instead of {self.worth:.4g}."


def _horizons(rem: int) -> list[int]:
    return sorted({h for h in HORIZONS if h < rem} | {rem})


def _percent(evidence: Evidence) -> float:
    """1 % of the best objective; of a best of 0, the spread."""
    return 0.01 * abs(evidence.best) or evidence.spread


def _looks(rem: int) -> list[int]:
    """After how many more training jobs a forecast looks: at most MOST_LOOKS of 1 … rem - 1, the first ones close together."""
    return sorted({int(ahead) for ahead in np.geomspace(1, rem - 1, MOST_LOOKS)}) if rem > 1 else []


def _gain(evidence: Evidence, horizon: int) -> float:
    return replace(evidence, rem=horizon).expected_residual_improvement()


def _each(history: History) -> float:
    """The mean cost of a training job that has ended."""
    price = (history.spec.price_per_hour or 0.0) / cost.HOUR
    return cost.compute_seconds(history) / history.ended * price if history.ended else 0.0


def _running(history: History) -> Iterator[tuple[float, float]]:
    """Of each training job that runs: what it has cost so far, and what a second of it costs; nothing before it has started."""
    price = (history.spec.price_per_hour or 0.0) / cost.HOUR
    for job in history.running.values():
        rate = 0.0 if job.started_at is None else price * history.spec.of(job.definition).definition.instance_count
        seconds = 0.0 if job.started_at is None else (history.now - job.started_at).total_seconds()
        yield max(0.0, seconds) * rate, rate


def _seconds_until(money: float, each: float, running: Sequence[tuple[float, float]]) -> float | None:
    """Until the running training jobs have cost so much more, of each only what goes beyond `each`; None for never."""
    begins = sorted((max(0.0, each - so_far) / rate, rate) for so_far, rate in running if rate > 0)
    seconds = total = 0.0
    for begin, rate in begins:
        if total > 0 and seconds + money / total <= begin:
            break
        money -= total * (begin - seconds)
        seconds, total = begin, total + rate
    return seconds + max(0.0, money) / total if total > 0 else None


def _money(spent: cost.Cost) -> float:
    return spent.money or 0.0


def _price_missing(criterion: str, spec: TuningJobSpec) -> Iterator[Fault]:
    if not spec.price_per_hour:
        message = "needs the price of an instance of type {}: {price_per_hour}{or_prices}."
        yield Fault(criterion, naming(message, spec.definition.instance_type))
