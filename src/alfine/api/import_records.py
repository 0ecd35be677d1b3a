"""Records of tuning jobs that ran elsewhere: what the importers of AWS's answers and of Optuna's studies have in
common.

An imported job can be described, replayed under other criteria, exported, and used as a parent of a warm start, like
any job that ran here. Nothing of it is run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from alfine.core.facts import Ended, Fact, Launched, Reported, Started
from alfine.core.space import Hyperparameters
from alfine.core.spec import TuningJobSpec

ORDER: dict[type[Fact], int] = {Launched: 0, Started: 1, Reported: 2, Ended: 3}
"""The order of the facts of one training job that have the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTrainingJob:
    """A training job, or a trial, as the record from elsewhere has it.

    Args:
        name: Its name.
        hyperparameters: Its configuration.
        created_at: When it was created.
        started_at: When it began to run; None if it never did.
        ended_at: When it ended.
        status: Completed, Failed or Stopped.
        objective: Its final objective, if it has one.
        failure_reason: Why it failed, if it did.
        curve: Its intermediate objectives by step.
        definition: The name of its definition, where the job has several.
    """

    name: str
    hyperparameters: Hyperparameters
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime
    status: str
    objective: float | None
    failure_reason: str | None = None
    curve: Mapping[int, float] | None = None
    definition: str | None = None


def facts_of(training_jobs: Iterable[ImportedTrainingJob], spec: TuningJobSpec) -> tuple[Fact, ...]:
    """Return all facts in the order of their times. Training jobs are numbered in the order in which they were created.

    Args:
        training_jobs: The imported training jobs, in any order.
        spec: The specification of their tuning job.
    """
    facts: list[Fact] = []
    for number, job in enumerate(sorted(training_jobs, key=lambda job: job.created_at), 1):
        start = job.started_at and max(job.created_at, job.started_at)
        end = max(job.ended_at, start or job.created_at)
        point, definition = job.hyperparameters, job.definition
        facts.append(
            Launched(at=job.created_at, number=number, name=job.name, hyperparameters=point, definition=definition)
        )
        if start is not None:
            facts.append(Started(at=start, number=number))
        facts += [  # the times of the values aren't recorded: all of them come with the end, in their order
            Reported(at=end, number=number, metric=spec.of(definition).metric, step=step, value=value)
            for step, value in sorted((job.curve or {}).items())
        ]
        objective, reason = job.objective, job.failure_reason
        facts.append(Ended(at=end, number=number, status=job.status, objective=objective, failure_reason=reason))
    return tuple(sorted(facts, key=_place))


def _place(fact: Fact) -> tuple[datetime, int, int]:
    """Return a key that sorts facts: by time, then by training job, then from launch to end."""
    return fact.at, getattr(fact, "number", 0), ORDER[type(fact)]
