"""Hyperband as SageMaker means it: asynchronous, inside running training jobs. It is a strategy and an early-stopping rule in one.

One unit of resource is one emission of the objective metric. Before `min_resource` emissions no training job is stopped; at
`max_resource` each one is. Between the two there are two rules:

1. Once enough training jobs have reached `max_resource` or ended by themselves, a training job is stopped when its learning curve
   leaves it hardly any chance to end better than the best of those (surrogate/running_jobs.py). The next configuration comes from
   the surrogate, which learns from all curves, complete or cut short.
2. Before that, where many training jobs run at once, ranks decide: at each rung (min_resource * ETA^k emissions) that at least CROWD
   training jobs have reached, a training job goes on only if it is among the best 1/ETA of them. Source: Li et al. 2020, «A System
   for Massively Parallel Hyperparameter Tuning» (ASHA), Algorithm 2, in the stopping variant, which needs no checkpoints.

Unlike the paper's Hyperband there is a single bracket. Several brackets, which begin to compare at different rungs, hedge against
misleading early values; the learning-curve model measures in this very job how much early values say. Ranks among few training jobs
were measured as well: they stop good training jobs that start slowly, and are worse than no stopping (docs/explanation/search.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from alfine.core.facts import Reported
from alfine.core.history import History
from alfine.core.protocols import Stop, Suggestion
from alfine.core.spec import TuningJobSpec
from alfine.core.training_job import TrainingJob
from alfine.core.wording import number
from alfine.strategies.bayesian import Bayesian
from alfine.surrogate.learning_curves import has_enough_curves
from alfine.surrogate.running_jobs import stop_if_unlikely

ETA = 3
"""Reduction factor. The ASHA paper's experiments use 3 and 4."""

CROWD = 12
"""Number of training jobs that must have reached a rung before ranks decide there."""


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Bayesian search whose unpromising training jobs are stopped early.

    Args:
        min_resource: Number of emissions before which no training job is stopped.
        max_resource: Number of emissions after which every training job is stopped.
    """

    min_resource: int
    max_resource: int

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:
        return cls(spec.min_resource, spec.max_resource or spec.min_resource)

    def ask(self, history: History) -> Suggestion | None:
        return Bayesian().ask(history)

    def rungs(self) -> list[int]:
        """Return the numbers of emissions at which training jobs are compared by rank."""
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
            stop = (
                stop_if_unlikely(history, job) if has_enough_curves(history) else self._outranked(history, job, count)
            )
            if stop is not None:
                yield stop

    def _outranked(self, history: History, job: TrainingJob, count: int) -> Stop | None:
        """Return the stop of a training job that has just reached a rung and isn't among the best 1/ETA there, else None."""
        if count not in self.rungs():
            return None
        metric = history.spec.metric
        latest = job.curve(metric)[-1]
        values = [curve[count - 1] for other in history.jobs if len(curve := other.curve(metric)) >= count]
        rank = sum(history.sign * value < history.sign * latest for value in values)
        keep = len(values) // ETA
        if len(values) < CROWD or rank < keep:
            return None
        return Stop(
            number=job.number,
            reason=f"Stopped at rung {count}: {metric} {number(latest)} is number {rank + 1} of the {len(values)} training jobs "
            f"that reached it; the best {keep} go on.",
        )
