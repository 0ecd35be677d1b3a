"""The operations on tuning jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alfine.aws.json_protocol import Written, api
from alfine.aws.sagemaker import pagination, shapes
from alfine.aws.sagemaker.algorithms import named_by_arn
from alfine.aws.sagemaker.backend import AwsBackend, Function
from alfine.aws.sagemaker.tags import tag_list
from alfine.aws.sagemaker.unsupported_fields import check_tuning_job
from alfine.aws.shape_readers import Plain
from alfine.jobs.describe import TuningJobDescription
from alfine.jobs.describe import describe_tuning_job as describe_tuning_job_row
from alfine.store import queries
from alfine.store.conditions import TUNING_JOBS
from alfine.store.counters import counters_of
from alfine.store.database import Connection
from alfine.store.pages import tuning_job_page
from alfine.store.queries import TuningJobState
from alfine.store.records import TuningJob
from alfine.store.tags import tags_of

KEPT = 256
"""Tuning jobs whose last answer of Describe is kept in memory."""

SORTS = {"Name": "name", "Status": "status", "CreationTime": "created_at"}


@dataclass(frozen=True, slots=True)
class Shown:
    """The last answer of Describe about one tuning job, and the description that it renders."""

    description: TuningJobDescription
    answer: Plain

    def is_of(self, state: TuningJobState | TuningJob) -> bool:
        """Return whether the answer still holds: Describe is a function of the job's status and facts."""
        job = self.description.job
        return (job.id, job.status, job.facts) == (state.id, state.status, state.facts)


def create_tuning_job(backend: AwsBackend, request: Plain) -> Plain:
    check_tuning_job(request)
    job = backend.service.create(named_by_arn(request, backend.arns))
    backend.created(job.name)
    return {"HyperParameterTuningJobArn": backend.arns.tuning_job(job.name)}


def describe_tuning_job(backend: AwsBackend, request: Plain) -> Plain:
    name = request["HyperParameterTuningJobName"]
    with backend.reading() as connection:
        state = queries.state(connection, name)
        shown = backend.shown.get(name)
        if shown is None or not shown.is_of(state):
            shown = _described(backend, connection, queries.tuning_job(connection, state.id), shown)
            if len(backend.shown) >= KEPT:
                backend.shown.clear()
            backend.shown[name] = shown
    return _as_of_now(backend, shown.answer)


def records(
    backend: AwsBackend, connection: Connection, jobs: Sequence[TuningJob], wanted: frozenset[str] | None
) -> Iterator[Plain]:
    """Yield tuning jobs for Search: as Describe shows them, with their tags if those are among the `wanted` members."""
    tags = tags_of(connection, [(job.id, 0) for job in jobs]) if wanted is None or "Tags" in wanted else {}
    for job in jobs:
        shown = backend.shown.get(job.name)
        if shown is None or not shown.is_of(job):
            shown = _described(backend, connection, job, None)
        yield {**_as_of_now(backend, shown.answer), "Tags": tag_list(tags.get((job.id, 0), {}))}


def _as_of_now(backend: AwsBackend, answer: Plain) -> Plain:
    """Return the answer with the time that the job has taken so far."""
    ended = answer.get("HyperParameterTuningEndTime")
    seconds = (ended if ended is not None else backend.now.timestamp()) - answer["CreationTime"]
    return Written(answer, ConsumedResources={"RuntimeInSeconds": int(seconds)})


def _described(backend: AwsBackend, connection: Connection, job: TuningJob, before: Shown | None) -> Shown:
    description = describe_tuning_job_row(connection, job, None if before is None else before.description)
    answer = shapes.tuning_job(description, backend.arns)
    return Shown(description, api("sagemaker").operation("DescribeHyperParameterTuningJob").write(answer))


def list_tuning_jobs(backend: AwsBackend, request: Plain) -> Plain:
    page = pagination.page_of(request, SORTS, "Name")
    with backend.reading() as connection:
        rows = tuning_job_page(connection, page, pagination.filters(request, TUNING_JOBS))
        counters = counters_of(connection, [job.id for job in rows])

    def show(job: TuningJob) -> Plain:
        return shapes.tuning_job_summary(job, counters[job.id], backend.arns)

    return pagination.answered(request, page, rows, "HyperParameterTuningJobSummaries", show)


def stop_tuning_job(backend: AwsBackend, request: Plain) -> Plain:
    backend.service.request_stop(request["HyperParameterTuningJobName"])
    backend.changed()
    return {}


def delete_tuning_job(backend: AwsBackend, request: Plain) -> Plain:
    backend.service.detach(request["HyperParameterTuningJobName"])
    return {}


OPERATIONS: Mapping[str, Function] = {
    "CreateHyperParameterTuningJob": create_tuning_job,
    "DescribeHyperParameterTuningJob": describe_tuning_job,
    "ListHyperParameterTuningJobs": list_tuning_jobs,
    "StopHyperParameterTuningJob": stop_tuning_job,
    "DeleteHyperParameterTuningJob": delete_tuning_job,
}
