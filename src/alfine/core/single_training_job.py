"""A training job on its own (CreateTrainingJob), as a tuning job with one training job and nothing to search.

This way engine, store and runners have one kind of job. The tuning job's name begins with a character that requests can't use, so that
no list of tuning jobs has it; the training job has the name that was asked for.
"""

from __future__ import annotations

import zlib
from datetime import datetime
from typing import Any

from alfine.core.errors import Fault
from alfine.core.spec import SINGLE_JOB_PREFIX, Request

DEFINITION, STATIC = "TrainingJobDefinition", "StaticHyperParameters"


def tuning_job_of(request: Request, created_at: datetime) -> dict[str, Any]:
    """Return the request of the tuning job that stands for a training job.

    Args:
        request: A CreateTrainingJob request.
        created_at: When the training job is created. It's part of the tuning job's name, so that a later training job of the same name
            gets another folder.
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
    """Return a fault of that tuning job's request with its path in the CreateTrainingJob request."""
    path = fault.path.removeprefix(f"{DEFINITION}.")
    return Fault(f"HyperParameters{path.removeprefix(STATIC)}" if path.startswith(STATIC) else path, fault.message)
