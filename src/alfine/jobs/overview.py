"""A tuning job at a glance, read by SQL: everything that needs no history, so that it costs the same however many training jobs there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alfine.core.spec import TuningJobSpec
from alfine.jobs import documents
from alfine.jobs.annotations import own_tags
from alfine.jobs.assessment import assessment_without_history
from alfine.jobs.describe import TuningJobDescription, describe_tuning_job
from alfine.jobs.documents import Plain
from alfine.store import queries
from alfine.store.store import Store
from alfine.store.tags import read_tags
from alfine.store.tracker_cursors import tracker_states
from alfine.store.training_times import training_times


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A tuning job at an instant.

    Attributes:
        described: DescribeHyperParameterTuningJob's answer as plain data, without what only its history tells: forecast, search space,
            estimate of the best, repeats, warm start.
        description: The same as values; the next overview counts on from it.
        now: The end of the tuning job, or the present instant.
    """

    described: Plain
    description: TuningJobDescription
    now: datetime

    @property
    def spec(self) -> TuningJobSpec:
        """The request, as it was changed last."""
        return self.description.spec

    @property
    def launches(self) -> int:
        """The number of training jobs that were launched."""
        return self.description.counters.launched

    @property
    def ended(self) -> int:
        """The number of training jobs that have ended."""
        return self.launches - self.description.counters.statuses["InProgress"]

    @property
    def elapsed_seconds(self) -> float:
        """The seconds since the tuning job was created, until its end."""
        return (self.now - self.description.job.created_at).total_seconds()


def overview(store: Store, name: str, now: datetime, before: TuningJobDescription | None = None) -> Overview:
    """Return a tuning job at a glance.

    Args:
        store: Where it is recorded.
        name: The tuning job.
        now: The present instant.
        before: The description of an earlier overview: what that counted isn't counted again.

    Raises:
        NotFound: There is none of that name.
    """
    with store.reading() as connection:
        row = queries.tuning_job_row(connection, name)
        job = queries.tuning_job(connection, row.id)
        description = describe_tuning_job(connection, job, before)
        until = description.until(now)
        times = training_times(connection, job.id, until)
        changed_at = [*queries.changed_at(connection, job.id).values()]
        tags = own_tags(read_tags(connection, job.id, 0))
        trackers = tracker_states(connection, job.id)
    assessment = assessment_without_history(description, times, changed_at)
    described = documents.tuning_job(description, assessment, now, tags, trackers)
    return Overview(described=described, description=description, now=until)
