"""What an ARN names, and where on this machine a training job's things lie."""

from __future__ import annotations

from pathlib import Path

from alfine.aws.json_protocol import validation_error
from alfine.core.arns import TRAINING_JOB, TUNING_JOB, name_as_created
from alfine.runners.job_folder import Workspace
from alfine.store import queries
from alfine.store.database import Connection
from alfine.store.records import TrainingJobRow


def find(connection: Connection, arn: str) -> tuple[int, int]:
    """(tuning job, number of the training job or 0) behind an ARN of either kind, whatever its region and account."""
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    if kind == TUNING_JOB:
        return queries.tuning_job_id(connection, name), 0
    if kind == TRAINING_JOB:
        row = queries.training_job_in_any_case(connection, name)
        return row.tuning_job, row.number
    raise validation_error(
        f"alfine keeps tags of tuning jobs, training jobs and algorithms, and {arn} is none of them."
    )


def workspace(folder: Path, row: TrainingJobRow) -> Workspace:
    """Return the folder of a training job; `folder` holds those of all tuning jobs."""
    return Workspace(folder / name_as_created(row.tuning_job_name) / row.name)
