"""SageMaker's operations: a table from the name to a function of the checked request.

Each function asks the service or the store's queries and puts the rows into AWS's shapes. Texts that clients look for are
AWS's own; what differs from AWS is said in docs/reference/aws-compatibility.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alfine import queries
from alfine.aws import pages, shapes
from alfine.aws.honoured import refuse_what_is_not
from alfine.aws.names import Arns, find, workspace
from alfine.aws.protocol import Plain, Written, api, epoch_seconds, validation_error
from alfine.core.errors import NotFound
from alfine.core.spec import TuningJobSpec
from alfine.criteria.plateau import NOTHING, State, counted
from alfine.service import Service
from alfine.store import training_jobs, tuning_jobs

MAX_TAGS = 50
DEFAULT_TAGS = 50  # a page of ListTags
KEPT = 256  # tuning jobs whose Describe is kept

Function = Callable[["Backend", Plain], Plain]


@dataclass(slots=True)
class Shown:
    """What Describe answered last of one tuning job, and all that it is a function of: the job's status and facts."""

    job: int
    status: str
    facts: int
    answer: Plain
    fold: tuple[int, State]  # the facts up to here are in the count of training jobs that didn't improve


@dataclass(slots=True)
class Backend:
    """What the operations work on. created: called with the name of a tuning job that was made; changed: there is news."""

    service: Service
    arns: Arns
    created: Callable[[str], None]
    changed: Callable[[], None]
    shown: dict[str, Shown] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.service.clock()

    def reading(self) -> Any:
        return self.service.store.reading()


# ---- tuning jobs -------------------------------------------------------------------------------------------------------


def create_tuning_job(backend: Backend, request: Plain) -> Plain:
    refuse_what_is_not(request)
    job = backend.service.create(request)
    backend.created(job.name)
    return {"HyperParameterTuningJobArn": backend.arns.tuning_job(job.name)}


def describe_tuning_job(backend: Backend, request: Plain) -> Plain:
    name = request["HyperParameterTuningJobName"]
    with backend.reading() as connection:
        state = queries.state(connection, name)
        shown = backend.shown.get(name)
        if shown is None or (shown.job, shown.status, shown.facts) != (state.id, state.status, state.facts):
            shown = _described(backend, connection, state, shown)
            if len(backend.shown) >= KEPT:
                backend.shown.clear()
            backend.shown[name] = shown
    answer = shown.answer
    ended = answer.get("HyperParameterTuningEndTime")
    seconds = (ended if ended is not None else backend.now.timestamp()) - answer["CreationTime"]
    return Written(answer, ConsumedResources={"RuntimeInSeconds": int(seconds)})


def _described(backend: Backend, connection: Connection, state: queries.AnyRow, before: Shown | None) -> Shown:
    row = connection.execute(sa.select(tuning_jobs).where(tuning_jobs.c.id == state.id)).one()
    request = queries.request_of(row)
    spec = TuningJobSpec.from_request(request)
    fold = before.fold if before is not None and before.job == state.id else (0, NOTHING)
    fold = _not_improving(connection, state.id, spec.sign, fold)
    answer: Plain = {
        "HyperParameterTuningJobName": row.name,
        "HyperParameterTuningJobArn": backend.arns.tuning_job(row.name),
        "HyperParameterTuningJobConfig": shapes.config(request, spec),
        "TrainingJobDefinition": shapes.definition(request, spec),
        "HyperParameterTuningJobStatus": row.status,
        "CreationTime": epoch_seconds(row.created_at),
        "LastModifiedTime": row.modified_at,
        **shapes.counters(queries.counts(connection, [state.id])[state.id]),
        "TuningJobCompletionDetails": {"NumberOfTrainingJobsObjectiveNotImproving": fold[1][1]},
    }
    best = queries.best(connection, state.id, minimise=spec.sign > 0)
    optional = {
        "HyperParameterTuningEndTime": None if row.ended_at is None else epoch_seconds(row.ended_at),
        "FailureReason": row.failure_reason and row.failure_reason[:1024],
        "BestTrainingJob": best
        and shapes.training_job_summary(best, (spec.goal, spec.metric), backend.arns, best=True),
    }
    answer |= {key: value for key, value in optional.items() if value is not None}
    written = api("sagemaker").operation("DescribeHyperParameterTuningJob").write(answer)
    return Shown(state.id, state.status, state.facts, written, fold)


def _not_improving(connection: Connection, job: int, sign: float, fold: tuple[int, State]) -> tuple[int, State]:
    fact, state = fold
    for ended, objective in queries.objectives_after(connection, job, fact):
        fact = ended
        state = state if objective is None else counted(state, sign * objective)
    return fact, state


TUNING_SORTS = {"Name": "name", "Status": "status", "CreationTime": "created_at"}


def list_tuning_jobs(backend: Backend, request: Plain) -> Plain:
    page = pages.page_of(request, TUNING_SORTS, "Name")
    with backend.reading() as connection:
        rows = queries.tuning_job_page(connection, page, _filters(request, tuning_jobs))
        counts = queries.counts(connection, [row.id for row in rows])

    def show(row: queries.AnyRow) -> Plain:
        return shapes.tuning_job_summary(row, queries.request_of(row), counts[row.id], backend.arns)

    return pages.answered(request, page, rows, "HyperParameterTuningJobSummaries", show)


def stop_tuning_job(backend: Backend, request: Plain) -> Plain:
    backend.service.request_stop(request["HyperParameterTuningJobName"])
    backend.changed()
    return {}


def delete_tuning_job(backend: Backend, request: Plain) -> Plain:
    backend.service.detach(request["HyperParameterTuningJobName"])
    return {}


# ---- training jobs -----------------------------------------------------------------------------------------------------

WITHIN_SORTS = {"Name": "name", "Status": "status", "CreationTime": "number", "FinalObjectiveMetricValue": "objective"}
TRAINING_SORTS = {"Name": "name", "Status": "status", "CreationTime": "created_at"}


def list_training_jobs_of_tuning_job(backend: Backend, request: Plain) -> Plain:
    page = pages.page_of(request, WITHIN_SORTS, "Name")
    with backend.reading() as connection:
        job = queries.state(connection, request["HyperParameterTuningJobName"]).id
        conditions = [training_jobs.c.tuning_job == job, *_filters(request, training_jobs)]
        rows = queries.training_job_page(connection, page, conditions)
        objective = _objective(connection, job)

    def show(row: queries.AnyRow) -> Plain:
        return shapes.training_job_summary(row, objective, backend.arns)

    return pages.answered(request, page, rows, "TrainingJobSummaries", show)


def _objective(connection: Connection, job: int) -> tuple[str, str]:
    request = connection.execute(sa.select(tuning_jobs.c.request).where(tuning_jobs.c.id == job)).scalar_one()
    objective = json.loads(request)["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    return objective["Type"], objective["MetricName"]


def list_training_jobs(backend: Backend, request: Plain) -> Plain:
    page = pages.page_of(request, TRAINING_SORTS, "CreationTime")
    unknown = [key for key in ("WarmPoolStatusEquals", "TrainingPlanArnEquals") if key in request]
    conditions = [
        *_filters(request, training_jobs),
        *([sa.false()] if unknown else []),
    ]  # there are none of either here
    with backend.reading() as connection:
        rows = queries.training_job_page(connection, page, conditions)

    def show(row: queries.AnyRow) -> Plain:
        return shapes.training_job_row(row, backend.arns)

    return pages.answered(request, page, rows, "TrainingJobSummaries", show)


def describe_training_job(backend: Backend, request: Plain) -> Plain:
    with backend.reading() as connection:
        row = _training_job(connection, request["TrainingJobName"])
        last = queries.last_metrics(connection, row.tuning_job, row.number)
    request = queries.request_of(row)
    uri = request["TrainingJobDefinition"].get("OutputDataConfig", {}).get("S3OutputPath", "")
    artifact = f"{uri.rstrip('/')}/{row.name}/output/model.tar.gz"
    if not uri.startswith("s3://"):  # it isn't copied anywhere
        artifact = workspace(backend.service.folder, row).archive.as_uri()
    answer = shapes.training_job(row, request, backend.arns, artifact)
    points = [{"MetricName": each.metric, "Value": each.value, "Timestamp": each.at} for each in last]
    return {**answer, "FinalMetricDataList": points} if points else answer


def _training_job(connection: Connection, name: str) -> queries.AnyRow:
    """AWS answers an unknown training job with a ValidationException, though its model has ResourceNotFound."""
    try:
        return queries.training_job(connection, name)
    except NotFound as error:
        raise validation_error(str(error)) from error


def stop_training_job(backend: Backend, request: Plain) -> Plain:
    name = request["TrainingJobName"]
    with backend.reading() as connection:
        _training_job(connection, name)
    backend.service.stop_training_job(name)
    backend.changed()
    return {}


def _filters(request: Plain, table: sa.Table) -> list[queries.Condition]:
    """The filters that all lists of jobs share; «after» and «before» leave out the instant itself."""
    modified = table.c.get("modified_at", sa.func.coalesce(*(table.c.get(name, sa.null()) for name in _CHANGES)))
    conditions: list[queries.Condition] = []
    for key, column in (("CreationTime", table.c.created_at), ("LastModifiedTime", modified)):
        if f"{key}After" in request:
            conditions.append(column > sa.literal(request[f"{key}After"], table.c.created_at.type))
        if f"{key}Before" in request:
            conditions.append(column < sa.literal(request[f"{key}Before"], table.c.created_at.type))
    if "NameContains" in request:
        conditions.append(sa.func.lower(table.c.name).contains(request["NameContains"].lower(), autoescape=True))
    if "StatusEquals" in request:
        conditions.append(table.c.status == request["StatusEquals"])
    return conditions


_CHANGES = ("ended_at", "stop_asked_at", "started_at", "created_at")


# ---- tags --------------------------------------------------------------------------------------------------------------


def add_tags(backend: Backend, request: Plain) -> Plain:
    with backend.reading() as connection:
        job, number = find(connection, request["ResourceArn"])
        known = backend.service.store.tags(job, number, connection)
    changes = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    if len({**known, **changes}) > MAX_TAGS:
        raise validation_error(f"A resource has at most {MAX_TAGS} tags; this would make {len({**known, **changes})}.")
    return {"Tags": _tag_list(backend.service.store.tag(job, number, changes))}


def list_tags(backend: Backend, request: Plain) -> Plain:
    """All of them: a resource has at most as many as the smallest page that may be asked for."""
    with backend.reading() as connection:
        job, number = find(connection, request["ResourceArn"])
        return {"Tags": _tag_list(backend.service.store.tags(job, number, connection))}


def delete_tags(backend: Backend, request: Plain) -> Plain:
    with backend.reading() as connection:
        job, number = find(connection, request["ResourceArn"])
    backend.service.store.tag(job, number, dict.fromkeys(request["TagKeys"]))
    return {}


def _tag_list(tags: Mapping[str, str]) -> list[Plain]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


# ---- the table ---------------------------------------------------------------------------------------------------------

OPERATIONS: Mapping[str, Function] = {
    "CreateHyperParameterTuningJob": create_tuning_job,
    "DescribeHyperParameterTuningJob": describe_tuning_job,
    "ListHyperParameterTuningJobs": list_tuning_jobs,
    "StopHyperParameterTuningJob": stop_tuning_job,
    "DeleteHyperParameterTuningJob": delete_tuning_job,
    "ListTrainingJobsForHyperParameterTuningJob": list_training_jobs_of_tuning_job,
    "DescribeTrainingJob": describe_training_job,
    "ListTrainingJobs": list_training_jobs,
    "StopTrainingJob": stop_training_job,
    "AddTags": add_tags,
    "ListTags": list_tags,
    "DeleteTags": delete_tags,
}
