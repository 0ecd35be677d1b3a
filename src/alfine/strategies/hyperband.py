"""Hyperband as AMT means it: asynchronous, inside running training jobs. A strategy and an early stopping in one.

A resource unit is one emission of the objective metric: before min_resource of them no training job is stopped, at max_resource each
is, having had all that it may have. In between, as soon as some have gone all the way, a training job is stopped once its curve
leaves it hardly a chance to end better than the best of them (surrogate/running_jobs.py), and what is tried next comes from the surrogate,
which learns from all curves, cut short or not.

Before that, ranks decide, where many run at once: at each rung (min_resource * ETA^k emissions) that CROWD training jobs have
reached, one goes on only if it is among the best 1/ETA of them. Source: Li et al. 2020, «A System for Massively Parallel
Hyperparameter Tuning» (ASHA), Algorithm 2, in the stopping variant that needs no checkpoints.

Several brackets, which begin to compare at different rungs, are how Hyperband hedges against early values that mislead. The curve
model knows from this very job how much early values say, and a single bracket is left. Ranks among few were measured, too: they stop
good training jobs that start slowly, and are worse than no stopping (docs/explanation/search.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from alfine.core.history import History, Reported, TrainingJob
from alfine.core.policy import Stop, Suggestion
from alfine.core.spec import TuningJobSpec
from alfine.strategies.bayesian import Bayesian
from alfine.surrogate.learning_curves import enough
from alfine.surrogate.running_jobs import hopeless

ETA = 3  # reduction factor; the ASHA paper's experiments use 3 and 4
CROWD = 12  # training jobs that reached a rung, before ranks decide there


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Configurations from the surrogate, the hopeless ones stopped on their way.

    min_resource: emissions before which no training job is stopped. max_resource: emissions after which each is.
    """

    min_resource: int
    max_resource: int

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:
        return cls(spec.min_resource, spec.max_resource or spec.min_resource)

    def ask(self, history: History) -> Suggestion | None:
        return Bayesian().ask(history)

    def rungs(self) -> list[int]:
        """The emissions at which training jobs are compared by rank."""
        rungs, resource = [], self.min_resource
        while resource < self.max_resource:
            rungs.append(resource)
            resource *= ETA
        return rungs

    def stops(self, history: History) -> Iterable[Stop]:
        fact = history.facts[-1] if history.facts else None
        metric = history.spec.metric
        if not isinstance(fact, Reported) or fact.metric != metric:
            return
        job = history.job(fact.number)
        count = sum(1 for report in job.reports if report.metric == metric)
        if count >= self.max_resource:
            reason = f"Reached MaxResource: {count} emissions of {metric}."
            yield Stop(number=fact.number, reason=reason, at_its_end=True)
        elif count >= self.min_resource:
            stop = hopeless(history, job) if enough(history) else self._outranked(history, job, count)
            if stop is not None:
                yield stop

    def _outranked(self, history: History, job: TrainingJob, count: int) -> Stop | None:
        if count not in self.rungs():
            return None
        metric = history.spec.metric
        own = job.curve(metric)[-1]
        values = [curve[count - 1] for each in history.jobs if len(curve := each.curve(metric)) >= count]
        rank = sum(history.sign * value < history.sign * own for value in values)
        keep = len(values) // ETA
        if len(values) < CROWD or rank < keep:
            return None
        return Stop(
            number=job.number,
            reason=f"Stopped at rung {count}: {metric} {own:g} is number {rank + 1} of the {len(values)} training jobs "
            f"that reached it; the best {keep} go on.",
        )
