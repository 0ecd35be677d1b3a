"""ARNs of tuning jobs, training jobs and algorithms: what AWS's clients know them by, and training jobs are told in TRAINING_JOB_ARN."""

from __future__ import annotations

from dataclasses import dataclass

TUNING_JOB, TRAINING_JOB, ALGORITHM = "hyper-parameter-tuning-job", "training-job", "algorithm"


@dataclass(frozen=True, slots=True)
class Arns:
    """ARNs of one region and account; the resource's part is in small letters, as AWS has it."""

    region: str = "us-east-1"
    account: str = "000000000000"

    def tuning_job(self, name: str) -> str:
        from alfine.store.store import (
            DETACHED,  # here, as SQLAlchemy takes longer to import than all else a Tuner needs
        )

        return self._arn(TUNING_JOB, name.partition(DETACHED)[0])

    def training_job(self, name: str) -> str:
        return self._arn(TRAINING_JOB, name)

    def algorithm(self, name: str) -> str:
        return self._arn(ALGORITHM, name)

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name.lower()}"
