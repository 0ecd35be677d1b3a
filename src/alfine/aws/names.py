"""ARNs, and where on this machine a training job's things lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Connection, Row

from alfine import queries
from alfine.aws.protocol import validation_error
from alfine.runners.workspace import Workspace
from alfine.store import DETACHED

TUNING_JOB, TRAINING_JOB = "hyper-parameter-tuning-job", "training-job"


@dataclass(frozen=True, slots=True)
class Arns:
    """ARNs of one region and account; the resource's part is in small letters, as AWS has it."""

    region: str
    account: str

    def tuning_job(self, name: str) -> str:
        return self._arn(TUNING_JOB, name.partition(DETACHED)[0])

    def training_job(self, name: str) -> str:
        return self._arn(TRAINING_JOB, name)

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name.lower()}"


def find(connection: Connection, arn: str) -> tuple[int, int]:
    """(tuning job, number of the training job or 0) behind an ARN of either kind, whatever its region and account."""
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    if kind == TUNING_JOB:
        return queries.tuning_job_called(connection, name).id, 0
    if kind == TRAINING_JOB:
        row = queries.training_job_called(connection, name)
        return row.tuning_job, row.number
    raise validation_error(f"alfine keeps tags of tuning jobs and training jobs, and {arn} is neither.")


def workspace(folder: Path, row: Row[tuple[object, ...]]) -> Workspace:
    """The folder of a training job. row: as queries.training_job gives it; folder: of all tuning jobs."""
    return Workspace(folder / str(row.tuning_job_name).partition(DETACHED)[0] / str(row.name))
