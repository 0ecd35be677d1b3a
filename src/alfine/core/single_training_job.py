"""A training job on its own: CreateTrainingJob's request as a tuning job of one training job with nothing to search for.

So engine, store and runners know one kind of job. Its name begins with a character that no tuning job's name can, so that it's
never met where tuning jobs are asked for; the training job itself has the name that was asked for.
"""

from __future__ import annotations

import zlib
from datetime import datetime
from typing import Any

from alfine.core.errors import Fault
from alfine.core.spec import SINGLE_JOB_PREFIX, Request

DEFINITION, STATIC = "TrainingJobDefinition", "StaticHyperParameters"


def tuning_job_of(request: Request, created_at: datetime) -> dict[str, Any]:
    """The tuning job that stands for a training job.

    The digits in its name keep a later training job of the same name from meeting the folder of an earlier one.
    """
    definition = {
        key: value for key, value in request.items() if key not in ("TrainingJobName", "HyperParameters", "Tags")
    }
    name = str(request.get("TrainingJobName"))
    digits = zlib.crc32(f"{name} {created_at.isoformat()}".encode())
    limits = {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1}
    return {
        "TrainingJobName": name,
        "HyperParameterTuningJobName": f"{SINGLE_JOB_PREFIX}{name}-{digits:08x}",
        "HyperParameterTuningJobConfig": {"Strategy": "Random", "ResourceLimits": limits},
        DEFINITION: {**definition, STATIC: request.get("HyperParameters") or {}},
        "Tags": request.get("Tags") or [],
    }


def as_asked(fault: Fault) -> Fault:
    """A fault of that tuning job by its path in CreateTrainingJob's request."""
    path = fault.path.removeprefix(f"{DEFINITION}.")
    return Fault(f"HyperParameters{path.removeprefix(STATIC)}" if path.startswith(STATIC) else path, fault.message)
