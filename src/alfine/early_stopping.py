"""TrainingJobEarlyStoppingType: «Off», and «Auto», the median rule on running averages.

Source: Golovin et al. 2017, «Google Vizier», §3.2.1 (median stopping rule), as AMT's developer guide describes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from alfine.core.decide import EarlyStopping, Stop
from alfine.core.history import History, Reported, TrainingJob
from alfine.core.spec import TuningJobSpec

# AMT's paper waits for some ten completed training jobs; with fewer, a median of curves is mostly chance.
LEAST_CURVES = 10


@dataclass(frozen=True, slots=True)
class MedianRule:
    """Stop a training job whose objective is worse than the median of the others' running averages at the same emission.

    The others are those that ended by themselves and emitted the objective at least as often. A training job is judged at
    each of its emissions, so nothing is missed however many arrive at once.
    """

    least_curves: int = LEAST_CURVES

    def stops(self, history: History) -> Iterable[Stop]:
        fact = history.facts[-1] if history.facts else None
        metric = history.spec.metric
        if not isinstance(fact, Reported) or fact.metric != metric:
            return
        job = history.job(fact.number)
        count = sum(1 for report in job.reports if report.metric == metric)
        averages = [curve[count - 1] for curve in self._averages(history) if len(curve) >= count]
        if len(averages) < self.least_curves:
            return
        middle = median(averages)
        if history.sign * fact.value > history.sign * middle:
            yield Stop(
                number=job.number,
                reason=f"Stopped early: {metric} was {fact.value:g} at emission {count}, worse than {middle:g}, the median of the "
                f"running averages of {len(averages)} training jobs.",
            )

    def _averages(self, history: History) -> list[list[float]]:
        """The running averages of each completed training job's objective."""
        metric = history.spec.metric

        def step(curves: list[list[float]], job: TrainingJob) -> list[list[float]]:
            if job.status != "Completed" or job.objective is None:
                return curves
            total, averages = 0.0, []
            for index, value in enumerate(job.curve(metric), 1):
                total += value
                averages.append(total / index)
            if len(averages) > 1:
                curves.append(averages)
            return curves

        return history.fold("running averages", [], step)


def early_stopping_for(spec: TuningJobSpec) -> tuple[EarlyStopping, ...]:
    """The rules that the job asks for."""
    return (MedianRule(),) if spec.early_stopping == "Auto" else ()
