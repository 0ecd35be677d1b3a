"""Fields of requests that AWS acts on and alfine can't: such a request is refused, since to ignore them would change its meaning.

What AWS's documentation forbids and its model doesn't is refused here, too.

Fields that don't change what a training job computes (VpcConfig, encryption between containers, spot capacity) are accepted and
returned; docs/reference/aws-compatibility.md lists them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.spec import DEFINITION, DEFINITIONS


def check_tuning_job(request: Mapping[str, Any]) -> None:
    """Raise InvalidSpec for all unsupported fields of a CreateHyperParameterTuningJob request, and for missing resources."""
    faults = [*_tag_faults(request)]
    several = [(f"{DEFINITIONS}[{index}].", one) for index, one in enumerate(request.get(DEFINITIONS, ()))]
    single = [(f"{DEFINITION}.", request[DEFINITION])] if DEFINITION in request else []
    for where, definition in [*single, *several]:
        faults += _resource_faults(definition.get("ResourceConfig", {}), where)
        faults += _time_faults(definition.get("StoppingCondition", {}), where)
        if not (definition.get("ResourceConfig") or definition.get(TUNING_RESOURCES)):
            faults.append(Fault(where.rstrip("."), f"needs ResourceConfig or {TUNING_RESOURCES}."))
    if faults:
        raise InvalidSpec(faults)


def check_training_job(request: Mapping[str, Any]) -> None:
    """Raise InvalidSpec for all unsupported fields of a CreateTrainingJob request, and for missing ones."""
    faults = [Fault(name, "is missing.") for name in NEEDED if name not in request]
    faults += [
        *_tag_faults(request),
        *_serverless_faults(request),
        *_resource_faults(request.get("ResourceConfig", {})),
        *_time_faults(request.get("StoppingCondition", {})),
    ]
    if faults:
        raise InvalidSpec(faults)


# In AWS's model they are optional, for serverless training jobs only.
NEEDED = ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition")
LONGEST_TRAINING_SECONDS = 28 * 24 * 60 * 60
"""AWS's API reference, StoppingCondition: «The maximum value is 28 days.» Its model has no number for it."""

TUNING_RESOURCES = "HyperParameterTuningResourceConfig"
UNKNOWN_SERVICES = {
    "ServerlessJobConfig": "alfine has no serverless training. Describe the training job with AlgorithmSpecification.",
    "MlflowConfig": "alfine writes to no MLflow server. Let the script log there itself.",
    "ModelPackageConfig": "alfine has no model packages. Leave it out.",
}


def _serverless_faults(request: Mapping[str, Any]) -> Iterator[Fault]:
    yield from (Fault(name, why) for name, why in UNKNOWN_SERVICES.items() if name in request)
    if request.get("SessionChainingConfig", {}).get("EnableSessionTagChaining"):
        yield Fault("SessionChainingConfig.EnableSessionTagChaining", "alfine has no session tags. Use false.")


def _resource_faults(resources: Mapping[str, Any], where: str = "") -> Iterator[Fault]:
    """Yield faults of a ResourceConfig; where: the path of its definition, with a dot."""
    if resources.get("InstanceGroups"):
        yield Fault(
            f"{where}ResourceConfig.InstanceGroups",
            "alfine has no clusters of several instance types. Use InstanceType.",
        )
    for name in ("InstancePreferences", "SelectedInstanceType", "SelectedInstanceCount"):
        if name in resources:
            yield Fault(
                f"{where}ResourceConfig.{name}", "alfine can't choose between instance types. Use InstanceType."
            )


def _time_faults(stopping: Mapping[str, Any], where: str = "") -> Iterator[Fault]:
    """Yield faults of a StoppingCondition; where: the path of its definition, with a dot."""
    seconds = stopping.get("MaxRuntimeInSeconds", 0)
    if seconds > LONGEST_TRAINING_SECONDS:
        yield Fault(
            f"{where}StoppingCondition.MaxRuntimeInSeconds",
            f"{seconds} is more than {LONGEST_TRAINING_SECONDS} (28 days), the longest that AWS lets a training job run. Use a smaller one.",
        )


def _tag_faults(request: Mapping[str, Any]) -> Iterator[Fault]:
    keys = [tag["Key"] for tag in request.get("Tags", ())]
    for key in dict.fromkeys(key for key in keys if keys.count(key) > 1):
        yield Fault("Tags", f"Duplicate tag key {key!r}. Keys must be unique.")
