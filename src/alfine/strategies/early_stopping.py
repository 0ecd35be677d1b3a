"""TrainingJobEarlyStoppingType: «Off», and «Auto», which stops a training job once it will hardly become the best.

AMT's guide describes the median rule: worse than the median of the others' running averages, and it's stopped. It can't tell a
curve that starts slowly from one that ends badly, and never stops the better half, however hopeless. Auto asks the same facts (each
emission, against training jobs that ended by themselves and emitted as often) about the end instead of the moment: how likely is it
that this training job ends better than the best of those? See surrogate/running_jobs.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from alfine.core.history import History, Reported
from alfine.core.policy import EarlyStopping, Stop
from alfine.core.spec import TuningJobSpec
from alfine.surrogate.learning_curves import LEAST
from alfine.surrogate.running_jobs import hopeless

LEAST_CURVES = LEAST  # training jobs that ended by themselves, before any other is stopped


@dataclass(frozen=True, slots=True)
class Hopeless:
    """Stop a training job that will hardly end better than the best one that ended by itself.

    It's judged at each of its emissions, so nothing is missed however many arrive at once.
    """

    def stops(self, history: History) -> Iterable[Stop]:
        fact = history.facts[-1] if history.facts else None
        if isinstance(fact, Reported) and fact.metric == history.spec.metric:
            stop = hopeless(history, history.job(fact.number))
            if stop is not None:
                yield stop


def early_stopping_for(spec: TuningJobSpec) -> tuple[EarlyStopping, ...]:
    """The rules that the job asks for."""
    return (Hopeless(),) if spec.early_stopping == "Auto" else ()
