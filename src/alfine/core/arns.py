"""Amazon Resource Names (ARNs) of tuning jobs, training jobs and algorithms.

Clients of the AWS API name resources by them, and a training job finds its own in the environment variable TRAINING_JOB_ARN.
"""

from __future__ import annotations

from dataclasses import dataclass

TUNING_JOB, TRAINING_JOB, ALGORITHM = "hyper-parameter-tuning-job", "training-job", "algorithm"

# In the store, the name of a deleted tuning job whose training jobs are kept ends with this sign and a number. No request can
# name a tuning job so.
DETACHED = "#"


def name_as_created(stored: str) -> str:
    """Return the name with which a tuning job was created: a deleted one is stored as «name#id»."""
    return stored.partition(DETACHED)[0]


@dataclass(frozen=True, slots=True)
class Arns:
    """The ARNs of one region and account. As on AWS, the name of the resource is in lower case."""

    region: str = "us-east-1"
    account: str = "000000000000"

    def tuning_job(self, name: str) -> str:
        """Return the ARN of a tuning job.

        Args:
            name: The tuning job's name as the store has it; a mark of deletion (DETACHED) is left out.
        """
        return self._arn(TUNING_JOB, name_as_created(name))

    def training_job(self, name: str) -> str:
        """Return the ARN of the training job of that name."""
        return self._arn(TRAINING_JOB, name)

    def algorithm(self, name: str) -> str:
        """Return the ARN of the algorithm of that name."""
        return self._arn(ALGORITHM, name)

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name.lower()}"
