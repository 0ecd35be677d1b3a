"""The tuning job or training job that an ARN names."""

from __future__ import annotations

from alfine.aws.wire_error import validation_error
from alfine.core.arns import TRAINING_JOB, TUNING_JOB
from alfine.store import queries
from alfine.store.database import Connection


def find(connection: Connection, arn: str) -> tuple[int, int]:
    """Return (tuning job's id, training job's number or 0) for an ARN of either kind; its region and account don't matter."""
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    if kind == TUNING_JOB:
        return queries.tuning_job_id(connection, name), 0
    if kind == TRAINING_JOB:
        row = queries.training_job_in_any_case(connection, name)
        return row.tuning_job, row.number
    raise validation_error(
        f"alfine keeps tags of tuning jobs, training jobs and algorithms, and {arn} is none of them."
    )
