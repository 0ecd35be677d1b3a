"""The operations on training jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from alfine.aws.sagemaker import pagination, shapes
from alfine.aws.sagemaker.algorithms import named_by_arn
from alfine.aws.sagemaker.backend import AwsBackend, Function
from alfine.aws.sagemaker.tags import tag_list
from alfine.aws.sagemaker.unsupported_fields import check_training_job
from alfine.aws.shape_readers import Plain
from alfine.aws.wire_error import validation_error
from alfine.core.errors import NotFound
from alfine.core.spec import definition_of
from alfine.jobs.describe import training_job_summaries
from alfine.jobs.training_job_log import workspace_of
from alfine.runners.storage.artifacts import artifact
from alfine.store import queries
from alfine.store.conditions import TRAINING_JOBS, nothing, of_tuning_job
from alfine.store.database import Connection
from alfine.store.metrics import MetricValue, last_metrics, last_metrics_of
from alfine.store.pages import training_job_page
from alfine.store.records import TrainingJobRow
from alfine.store.tags import tags_of

SORTS_OF_TUNING_JOB = {
    "Name": "name",
    "Status": "status",
    "CreationTime": "number",
    "FinalObjectiveMetricValue": "objective",
}
SORTS = {"Name": "name", "Status": "status", "CreationTime": "created_at"}


def list_training_jobs_of_tuning_job(backend: AwsBackend, request: Plain) -> Plain:
    page = pagination.page_of(request, SORTS_OF_TUNING_JOB, "Name")
    with backend.reading() as connection:
        job = queries.state(connection, request["HyperParameterTuningJobName"]).id
        conditions = [of_tuning_job(job), *pagination.filters(request, TRAINING_JOBS)]
        rows = training_job_page(connection, page, conditions)
        tuning_job = queries.request_of(connection, job)
    summaries = {summary.name: summary for summary in training_job_summaries(rows, tuning_job)}

    def show(row: TrainingJobRow) -> Plain:
        return shapes.training_job_summary(summaries[row.name], backend.arns)

    return pagination.answered(request, page, rows, "TrainingJobSummaries", show)


def list_training_jobs(backend: AwsBackend, request: Plain) -> Plain:
    page = pagination.page_of(request, SORTS, "CreationTime")
    unknown = [key for key in ("WarmPoolStatusEquals", "TrainingPlanArnEquals") if key in request]
    none = [nothing()] if unknown else []  # there are no warm pools and no training plans here
    conditions = [*pagination.filters(request, TRAINING_JOBS), *none]
    with backend.reading() as connection:
        rows = training_job_page(connection, page, conditions)

    def show(row: TrainingJobRow) -> Plain:
        return shapes.training_job_row(row, backend.arns)

    return pagination.answered(request, page, rows, "TrainingJobSummaries", show)


def create_training_job(backend: AwsBackend, request: Plain) -> Plain:
    check_training_job(request)
    job = backend.service.create_training_job(named_by_arn(request, backend.arns))
    backend.created(job.name)
    return {"TrainingJobArn": backend.arns.training_job(request["TrainingJobName"])}


def describe_training_job(backend: AwsBackend, request: Plain) -> Plain:
    with backend.reading() as connection:
        row = _training_job(connection, request["TrainingJobName"])
        tuning_job = queries.request_of(connection, row.tuning_job)
        last = last_metrics(connection, row.tuning_job, row.number)
    answer = shown_training_job(backend, row, tuning_job)
    return {**answer, **_final_metrics(last)}


def shown_training_job(backend: AwsBackend, row: TrainingJobRow, request: Plain) -> Plain:
    """Return a training job as Describe shows it, without its metrics."""
    output = definition_of(request, row.definition).get("OutputDataConfig", {})
    packed, space = output.get("CompressionType") != "NONE", workspace_of(backend.service.folder, row)
    here = space.archive if packed else space.model
    model = artifact(output.get("S3OutputPath", ""), row.name, packed=packed, attempt=row.attempt) or here.as_uri()
    return shapes.training_job(row, request, backend.arns, model)


def _final_metrics(last: Iterable[MetricValue]) -> Plain:
    points = [{"MetricName": one.metric, "Value": one.value, "Timestamp": one.at} for one in last]
    return {"FinalMetricDataList": points} if points else {}


def records(
    backend: AwsBackend, connection: Connection, rows: Sequence[TrainingJobRow], wanted: frozenset[str] | None
) -> Iterator[Plain]:
    """Yield training jobs for Search: as Describe shows them, with metrics and tags if those are among the `wanted` members."""
    owners = [(row.tuning_job, row.number) for row in rows]
    requests = queries.requests_of(connection, (row.tuning_job for row in rows))
    with_metrics = wanted is None or wanted & {"Metrics", "FinalMetricDataList"}
    last = last_metrics_of(connection, owners) if with_metrics else {}
    tags = tags_of(connection, owners) if wanted is None or "Tags" in wanted else {}
    for row, owner in zip(rows, owners, strict=True):
        shown = shown_training_job(backend, row, requests[row.tuning_job])
        yield {**shown, **_final_metrics(last.get(owner, ())), "Tags": tag_list(tags.get(owner, {}))}


def _training_job(connection: Connection, name: str) -> TrainingJobRow:
    """Return a training job. Like AWS, answer ValidationException if there is none, though its model names ResourceNotFound."""
    try:
        return queries.training_job(connection, name)
    except NotFound as error:
        raise validation_error(str(error)) from error


def delete_training_job(backend: AwsBackend, request: Plain) -> Plain:
    backend.service.delete_training_job(request["TrainingJobName"])
    return {}


def stop_training_job(backend: AwsBackend, request: Plain) -> Plain:
    name = request["TrainingJobName"]
    with backend.reading() as connection:
        _training_job(connection, name)
    backend.service.stop_training_job(name)
    backend.changed()
    return {}


def update_training_job(backend: AwsBackend, request: Plain) -> Plain:
    """Return the ARN of a training job. Profiling, remote debugging and warm pools, which AWS changes, have no effect here."""
    with backend.reading() as connection:
        row = _training_job(connection, request["TrainingJobName"])
    return {"TrainingJobArn": backend.arns.training_job(row.name)}


OPERATIONS: Mapping[str, Function] = {
    "CreateTrainingJob": create_training_job,
    "ListTrainingJobsForHyperParameterTuningJob": list_training_jobs_of_tuning_job,
    "DescribeTrainingJob": describe_training_job,
    "ListTrainingJobs": list_training_jobs,
    "UpdateTrainingJob": update_training_job,
    "StopTrainingJob": stop_training_job,
    "DeleteTrainingJob": delete_training_job,
}
