"""AMT's counters: the number of training jobs of a tuning job with each status, by SQL.

Most training jobs of a large tuning job are Completed, with an objective. These aren't looked at: the last number says how many there are in
all, and indexes lead to the others. So the counters of 100,000 training jobs take 1 ms instead of 20.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from alfine.core.facts import INTERNAL_ERROR, TRANSITIONS, is_terminal
from alfine.core.training_job import counter_of, objective_status_of
from alfine.store.database import Connection
from alfine.store.pages import LARGEST
from alfine.store.schema import training_jobs, tuning_jobs


@dataclass(frozen=True, slots=True)
class Counters:
    """The counts of a tuning job's training jobs, by AMT's TrainingJobStatusCounters and ObjectiveStatusCounters."""

    statuses: Mapping[str, int] = field(default_factory=dict)
    objectives: Mapping[str, int] = field(default_factory=dict)

    @property
    def launched(self) -> int:
        """Return the number of training jobs that were ever launched."""
        return sum(self.statuses.values())


MOST = "Completed"
"""The status of most training jobs."""

_STATUSES = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
_OBJECTIVES = ("Succeeded", "Pending", "Failed")
_FAILED = training_jobs.c.status == "Failed"
_OF_JOBS = training_jobs.c.tuning_job.in_(sa.bindparam("jobs"))
_JOB, _STATUS, _OBJECTIVE = training_jobs.c.tuning_job, training_jobs.c.status, training_jobs.c.objective
_NUMBER = sa.func.count().label("number")


def _count_of(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(_JOB, _NUMBER).where(_OF_JOBS, *conditions).group_by(_JOB)


# Training jobs are numbered from 1 without a gap. A subquery for each tuning job, since grouping would read all rows of an index.
_LAST = sa.select(sa.func.max(training_jobs.c.number)).where(tuning_jobs.c.id == _JOB).scalar_subquery()
_LAUNCHED = sa.select(tuning_jobs.c.id, _LAST).where(tuning_jobs.c.id.in_(sa.bindparam("jobs")))

_BY_STATUS = (
    sa.select(_JOB, _STATUS, _NUMBER)
    .where(_OF_JOBS, _STATUS.in_([status for status in TRANSITIONS if status != MOST]))
    .group_by(_JOB, _STATUS)
)
_ENDED = training_jobs.c.ended_fact.is_not(None)
_WITHOUT_OBJECTIVE = [
    _count_of(_OBJECTIVE.is_(None), _ENDED),
    _count_of(_OBJECTIVE > LARGEST, _ENDED),
    _count_of(_OBJECTIVE < -LARGEST, _ENDED),
]
# Plus zero: so that no database looks through all objectives, by their index, for those of the few that have failed.
_FAILED_WITH_OBJECTIVE = _count_of(_FAILED, (_OBJECTIVE + 0.0).between(-LARGEST, LARGEST))
_INTERNAL = _count_of(_FAILED, training_jobs.c.failure_reason.startswith(INTERNAL_ERROR))


def counters_of(connection: Connection, jobs: Sequence[int]) -> dict[int, Counters]:
    """Return the counters of several tuning jobs.

    Args:
        connection: An open connection.
        jobs: The ids of the tuning jobs.

    Returns:
        The counters by id; each of `jobs` is a key.
    """
    if not jobs:
        return {}
    statuses = {job: dict.fromkeys(_STATUSES, 0) for job in jobs}
    objectives = {job: dict.fromkeys(_OBJECTIVES, 0) for job in jobs}
    for job, status, number in _by_status(connection, jobs):
        statuses[job][counter_of(status, internal=False)] += number
        objectives[job][objective_status_of(ended=is_terminal(status), objective=0.0)] += number
    for query in (*_WITHOUT_OBJECTIVE, _FAILED_WITH_OBJECTIVE):
        for job, number in connection.execute(query, {"jobs": list(jobs)}):
            objectives[job]["Succeeded"] -= number
            objectives[job]["Failed"] += number
    for job, number in connection.execute(_INTERNAL, {"jobs": list(jobs)}):
        statuses[job][counter_of("Failed", internal=True)] += number
        statuses[job][counter_of("Failed", internal=False)] -= number
    return {job: Counters(statuses[job], objectives[job]) for job in jobs}


def _by_status(connection: Connection, jobs: Sequence[int]) -> Iterator[tuple[int, str, int]]:
    """Yield (id of the tuning job, status, how many training jobs have it)."""
    these = {"jobs": list(jobs)}
    most = {job: last or 0 for job, last in connection.execute(_LAUNCHED, these)}
    for job, status, number in connection.execute(_BY_STATUS, these):
        most[job] -= number
        yield job, status, number
    yield from ((job, MOST, number) for job, number in most.items())
