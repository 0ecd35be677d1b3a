"""TrainingJobEarlyStoppingType: `Off`, or `Auto`, which stops a training job that will hardly become the best.

AMT's guide describes the median rule: a training job is stopped when its value is worse than the median of the others' running averages.
That rule can't tell a curve that starts slowly from one that ends badly, and it never stops the better half, however unpromising.
`Auto` here looks at the same facts (each emission, compared with training jobs that ended by themselves and emitted as often) and
asks about the end of the curve: how likely is it that this training job ends better than the best of those? See
surrogate/running_jobs.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from alfine.core.facts import Reported
from alfine.core.history import History
from alfine.core.protocols import EarlyStopping, Stop
from alfine.core.spec import TuningJobSpec
from alfine.surrogate.running_jobs import stop_if_unlikely


@dataclass(frozen=True, slots=True)
class AutoEarlyStopping:
    """Stop a training job that will hardly end better than the best one that ended by itself.

    The rule looks at every emission, also when several arrive at once.
    """

    def stops(self, history: History) -> Iterable[Stop]:
        fact = history.facts[-1] if history.facts else None
        if isinstance(fact, Reported) and fact.metric == history.spec.metric:
            stop = stop_if_unlikely(history, history.job(fact.number))
            if stop is not None:
                yield stop


def early_stopping_for(spec: TuningJobSpec) -> tuple[EarlyStopping, ...]:
    """Return the early-stopping rules that the job asks for.

    Args:
        spec: The tuning job.
    """
    return (AutoEarlyStopping(),) if spec.early_stopping == "Auto" else ()
