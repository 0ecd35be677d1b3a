"""Hyperband as AMT means it: asynchronous, inside running training jobs. A strategy and an early stopping in one.

A resource unit is one emission of the objective metric. At each rung (min_resource * ETA^k emissions) a training job
goes on only if it is among the best 1/ETA of all that have reached the rung; at max_resource it is stopped, having had
all that it may have. Source: Li et al. 2020, «A System for Massively Parallel Hyperparameter Tuning» (ASHA), Algorithm 2,
in the stopping variant that needs no checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from alfine.core.decide import Stop, Suggestion
from alfine.core.history import History, Reported
from alfine.core.spec import TuningJobSpec
from alfine.strategies.random import Random

ETA = 3  # reduction factor; the ASHA paper's experiments use 3 and 4


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Random configurations, the weak ones stopped at rungs.

    min_resource: emissions before which no training job is stopped. max_resource: emissions after which each is.
    """

    min_resource: int
    max_resource: int

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:
        return cls(spec.min_resource, spec.max_resource or spec.min_resource)

    def ask(self, history: History) -> Suggestion | None:
        return Random().ask(history)

    def rungs(self) -> list[int]:
        """The emissions at which training jobs are compared."""
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
        count = sum(1 for report in history.job(fact.number).reports if report.metric == metric)
        if count == self.max_resource:
            yield Stop(number=fact.number, reason=f"Reached MaxResource: {count} emissions of {metric}.")
        elif count in self.rungs():
            values = [curve[count - 1] for job in history.jobs if len(curve := job.curve(metric)) >= count]
            rank = sum(history.sign * value < history.sign * fact.value for value in values)
            keep = max(1, len(values) // ETA)
            if rank >= keep:
                yield Stop(
                    number=fact.number,
                    reason=f"Stopped at rung {count}: {metric} {fact.value:g} is number {rank + 1} of the {len(values)} training jobs "
                    f"that reached it; the best {keep} go on.",
                )
