"""What AWS would act on and alfine doesn't yet: such a request is refused, since to run it otherwise would deceive.

Fields that change nothing in what a training job computes (VpcConfig, RetryStrategy, encryption between containers, spot
capacity) are taken and returned; docs/reference/aws-compatibility.md lists them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.spec import DEFINITION, DEFINITIONS


def refuse_what_is_not(request: Mapping[str, Any]) -> None:
    """Raise InvalidSpec for everything in a checked CreateHyperParameterTuningJob request that would silently be otherwise."""
    faults = [*_tag_faults(request)]
    several = [(f"{DEFINITIONS}[{index}].", each) for index, each in enumerate(request.get(DEFINITIONS, ()))]
    for where, definition in [(f"{DEFINITION}.", request.get(DEFINITION, {})), *several]:
        faults += _resource_faults(definition.get("ResourceConfig", {}), where)
    if faults:
        raise InvalidSpec(faults)


def refuse_of_training_job(request: Mapping[str, Any]) -> None:
    """The same for a checked CreateTrainingJob request."""
    # AWS's model has the first three optional only for serverless jobs, which there are none of here.
    faults = [Fault(name, "is missing.") for name in NEEDED if name not in request]
    faults += [
        *_tag_faults(request),
        *_serverless_faults(request),
        *_resource_faults(request.get("ResourceConfig", {})),
    ]
    if faults:
        raise InvalidSpec(faults)


NEEDED = ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition")
UNKNOWN_SERVICES = {
    "ServerlessJobConfig": "alfine has no serverless training. Describe the training job with AlgorithmSpecification.",
    "MlflowConfig": "alfine writes to no MLflow server. Let the script log there itself.",
    "ModelPackageConfig": "alfine has no model packages. Leave it out.",
}


def _serverless_faults(request: Mapping[str, Any]) -> Iterator[Fault]:
    yield from (Fault(name, why) for name, why in UNKNOWN_SERVICES.items() if name in request)
    if request.get("SessionChainingConfig", {}).get("EnableSessionTagChaining"):
        yield Fault("SessionChainingConfig.EnableSessionTagChaining", "there are no session tags here. Use false.")


def _resource_faults(resources: Mapping[str, Any], where: str = "") -> Iterator[Fault]:
    """where: the path of what holds the ResourceConfig, with its dot."""
    if resources.get("InstanceGroups"):
        yield Fault(
            f"{where}ResourceConfig.InstanceGroups", "clusters of several kinds can't be had here. Use InstanceType."
        )
    for name in ("InstancePreferences", "SelectedInstanceType", "SelectedInstanceCount"):
        if name in resources:
            yield Fault(f"{where}ResourceConfig.{name}", "there is no choice of machines here. Use InstanceType.")


def _tag_faults(request: Mapping[str, Any]) -> Iterator[Fault]:
    keys = [tag["Key"] for tag in request.get("Tags", ())]
    for key in dict.fromkeys(key for key in keys if keys.count(key) > 1):
        yield Fault("Tags", f"Duplicate tag key {key!r}. Keys must be unique.")
