"""Simulation for criteria without `ends`: their `check` is asked on three simulated futures when they will end the job.

The futures have the same number of training jobs, with the same durations and costs. They differ in everything else that a criterion may
look at: results, configurations, emissions. If the criterion ends all of them after the same training job, that is the forecast. If not,
its end depends on results. Then there is no forecast, since a simulation doesn't know which results such a rule looks for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from alfine.core.facts import Ended, Fact, Launched, Reported, Started
from alfine.core.history import History
from alfine.core.protocols import CompletionCriterion
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook

MOST_CHECKS = 250
"""Training jobs simulated in each future: with three futures a forecast costs as much as judging some 200 training jobs."""

MOST_FACTS = 20_000
"""Facts of the largest history that is copied for a simulation."""


@dataclass(frozen=True, slots=True)
class _Scenario:
    """One future.

    Attributes:
        gain: By how much each result improves the best, in units of the results' spread; below 0, by how much it's worse.
        emissions: How often each training job emits the objective.
        seconds: How long a training job takes, if none has ended yet.
    """

    gain: float
    emissions: int
    seconds: float


SCENARIOS = (_Scenario(-1.0, 1, 1.0), _Scenario(0.01, 2, 60.0), _Scenario(1.0, 3, 3600.0))


def simulated_end(criterion: CompletionCriterion, history: History) -> float | None:
    """Return after how many more ended training jobs a criterion ends the job, whatever their results are.

    Training jobs are supposed to succeed, and to take as long as those that have ended did on average.

    Args:
        criterion: A criterion without `ends`.
        history: The tuning job as it is now; it isn't changed.

    Returns:
        Infinity when it doesn't end the job within its budget; None when it can't be forecast: the end depends on results, or it's too
        far off to be simulated.

    Raises:
        Exception: Whatever the criterion's `check` raises.
    """
    if len(history.facts) > MOST_FACTS or (history.spec.repeats is not None and history.spec.size is not None):
        return None
    left = history.spec.most_training_jobs - history.ended
    ends = {_end(criterion, history, scenario, min(left, MOST_CHECKS)) for scenario in SCENARIOS}
    if len(ends) > 1:
        return None
    (end,) = ends
    return None if math.isinf(end) and left > MOST_CHECKS else end


def _end(criterion: CompletionCriterion, history: History, scenario: _Scenario, most: int) -> float:
    past = history.upto(len(history.facts))
    past.now = max(past.now, history.now)
    if criterion.check(past).outlook is not Outlook.CONTINUE:
        return 0.0
    for count, facts in enumerate(_training_jobs(past, scenario, most), 1):
        for fact in facts:
            past.record(fact)
        if criterion.check(past).outlook is not Outlook.CONTINUE:
            return float(count)
    return math.inf


def _training_jobs(past: History, scenario: _Scenario, most: int) -> Iterator[list[Fact]]:
    """Yield the facts of each training job to end next: those that run now, then new ones."""
    seconds = past.training_seconds / past.ended if past.training_seconds > 0 else scenario.seconds
    begin, apart = past.now, timedelta(seconds=seconds / past.spec.max_parallel)
    values = past.observations()[1]
    best = float(values.min()) if len(values) else 1.0
    spread = max(float(np.ptp(values)) if len(values) else 0.0, 0.1 * abs(best), 1e-6)
    running, rng = list(past.running), past.rng(int(100 * scenario.gain))
    for count in range(1, most + 1):
        end = begin + count * apart
        best -= max(0.0, scenario.gain) * spread
        value = best + max(0.0, -scenario.gain) * spread * (1 + count / most)
        begun = max(past.created_at, end - timedelta(seconds=seconds))
        if running:
            number = running.pop(0)
            facts: list[Fact] = [] if past.job(number).started_at else [Started(at=begun, number=number)]
        else:
            number = past.launches + 1
            facts = [_launched(past, number, rng, begun), Started(at=begun, number=number)]
        yield [*facts, *_ended(past, number, value, scenario.emissions, end)]


def _definition(past: History, number: int) -> TuningJobSpec:
    """Return the part of the job that a training job belongs to: that of its definition; new ones take turns."""
    if number <= past.launches:
        return past.spec.of(past.job(number).definition)
    return past.spec.definition_specs[(number - 1) % len(past.spec.definition_specs)]


def _launched(past: History, number: int, rng: np.random.Generator, at: datetime) -> Launched:
    part = _definition(past, number)
    return Launched(
        at=at,
        number=number,
        name=f"#{number}",
        hyperparameters=part.space.sample(rng),
        definition=part.definition.name if past.spec.parts else None,
    )


def _ended(past: History, number: int, value: float, emissions: int, at: datetime) -> list[Fact]:
    """Return the facts of a training job that emits the value, which is minimised, and ends with it."""
    part = _definition(past, number)
    objective = part.sign * value
    before = len(past.job(number).curve(part.metric)) if number <= past.launches else 0
    emitted = range(before + 1, before + emissions + 1)
    return [
        *(Reported(at=at, number=number, metric=part.metric, step=step, value=objective) for step in emitted),
        Ended(at=at, number=number, status="Completed", objective=objective),
    ]
