"""Reading and writing AMT's own completion criteria and limits in a CreateHyperParameterTuningJob request."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

COMPLETION_CRITERIA = "TuningJobCompletionCriteria"
RESOURCE_LIMITS = "ResourceLimits"
NUMBER_LIMIT = "MaxNumberOfTrainingJobs"  # in RESOURCE_LIMITS
RUNTIME_LIMIT = "MaxRuntimeInSeconds"  # in RESOURCE_LIMITS


def section(request: MutableMapping[str, Any], name: str) -> dict[str, Any]:
    """Return the section of this name in the request's HyperParameterTuningJobConfig; an empty one is added where there is none.

    Args:
        request: The request, which may be changed.
        name: The section's name, such as ResourceLimits.
    """
    found: dict[str, Any] = request.setdefault("HyperParameterTuningJobConfig", {}).setdefault(name, {})
    return found


def put_limits(request: MutableMapping[str, Any], **limits: Any) -> None:
    """Write limits that are given beside criteria, by AMT's names. Where a criterion has written one too, the lower one holds.

    Args:
        request: The request, which is changed.
        **limits: The limits by AMT's names; None: not given.
    """
    written = section(request, RESOURCE_LIMITS)
    for name, limit in limits.items():
        other = written.get(name)
        if limit is not None and not (other is not None and isinstance(limit, int | float) and other < limit):
            written[name] = limit
