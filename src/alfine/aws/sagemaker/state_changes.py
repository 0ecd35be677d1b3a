"""State changes as the events that SageMaker sends to Amazon EventBridge.

The detail is what Describe returns, with two differences that AWS's events have: instants are whole milliseconds since 1970, and Tags is a
map. Source: docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html.
"""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

from alfine.aws.json_protocol import api
from alfine.aws.sagemaker import shapes
from alfine.aws.sagemaker.backend import AwsBackend
from alfine.aws.sagemaker.training_jobs import shown_training_job
from alfine.aws.shape_readers import Plain
from alfine.core.arns import name_as_created
from alfine.core.facts import is_terminal
from alfine.jobs.describe import describe_tuning_job
from alfine.store import queries
from alfine.store.database import Connection
from alfine.store.operating_settings import TRAINING_JOB_EVENT, TUNING_JOB_EVENT
from alfine.store.records import TrainingJobRow
from alfine.store.state_changes import StateChange
from alfine.store.tags import tags_of

NAMESPACE = uuid.UUID("6ba7b814-9dad-11d1-80b4-00c04fd430c8")
"""RFC 9562's namespace for X.500 names, in which the ids of events are made from what they tell."""


def detail_type(change: StateChange) -> str:
    """Return the «detail-type» of a change's event."""
    return TUNING_JOB_EVENT if change.training_job is None else TRAINING_JOB_EVENT


def event_of(backend: AwsBackend, connection: Connection, job: int, change: StateChange) -> Plain:
    """Return the event of a state change. The same change has the same id whenever it is asked for.

    Args:
        backend: Describes jobs.
        connection: An open connection.
        job: The id of the tuning job.
        change: What has changed.

    Raises:
        NotFound: The tuning job was deleted.
    """
    arns = backend.arns
    if change.training_job is None:
        number, detail = 0, _tuning_job(backend, connection, job, change)
        arn = detail["HyperParameterTuningJobArn"]
    else:
        number, detail = change.training_job.number, _training_job(backend, connection, change.training_job)
        arn = detail["TrainingJobArn"]
    return {
        "version": "0",
        "id": str(uuid.uuid5(NAMESPACE, f"{arn} {job} {number} {change.fact} {change.status}")),
        "detail-type": detail_type(change),
        "source": "aws.sagemaker",
        "account": arns.account,
        "time": change.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": arns.region,
        "resources": [arn],
        "detail": _in_milliseconds(detail),
    }


def _tuning_job(backend: AwsBackend, connection: Connection, job: int, change: StateChange) -> Plain:
    """Return a tuning job with the status of the change; its counters and its best training job are those of now."""
    record = queries.tuning_job(connection, job)
    description = describe_tuning_job(connection, record)
    then = dataclasses.replace(record, name=name_as_created(record.name), status=change.status)
    if not is_terminal(change.status):
        then = dataclasses.replace(then, ended_at=None, failure_reason=None)
    description = dataclasses.replace(description, job=then)
    answer = shapes.tuning_job(description, backend.arns)
    tags = tags_of(connection, [(job, 0)]).get((job, 0), {})
    return {**api("sagemaker").operation("DescribeHyperParameterTuningJob").write(answer), "Tags": dict(tags)}


def _training_job(backend: AwsBackend, connection: Connection, row: TrainingJobRow) -> Plain:
    answer = shown_training_job(backend, row, queries.request_of(connection, row.tuning_job))
    owner = (row.tuning_job, row.number)
    tags = tags_of(connection, [owner]).get(owner, {})
    return {**api("sagemaker").operation("DescribeTrainingJob").write(answer), "Tags": dict(tags)}


def _in_milliseconds(value: Any, name: str = "") -> Any:
    """Return a value with each instant in whole milliseconds: in Describe's answers these are the numbers whose names end with «Time»."""
    match value:
        case dict():
            return {key: _in_milliseconds(member, key) for key, member in value.items()}
        case list():
            return [_in_milliseconds(member) for member in value]
        case int() | float() if name.endswith("Time") and not isinstance(value, bool):
            return round(value * 1000)
        case _:
            return value
