"""What AWS would act on and alfine doesn't yet: such a request is refused, since to run it otherwise would deceive.

Fields that change nothing in what a training job computes (VpcConfig, RetryStrategy, encryption between containers, spot
capacity) are taken and returned; docs/reference/aws-compatibility.md lists them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alfine.core.errors import Fault, InvalidSpec


def refuse_what_is_not(request: Mapping[str, Any]) -> None:
    """Raise InvalidSpec for everything in a checked CreateHyperParameterTuningJob request that would silently be otherwise."""
    faults = [*_tag_faults(request)]
    if "TrainingJobDefinition" in request:
        faults += _definition_faults(request["TrainingJobDefinition"])
    if faults:
        raise InvalidSpec(faults)


def _tag_faults(request: Mapping[str, Any]) -> Iterator[Fault]:
    keys = [tag["Key"] for tag in request.get("Tags", ())]
    for key in dict.fromkeys(key for key in keys if keys.count(key) > 1):
        yield Fault("Tags", f"Duplicate tag key {key!r}. Keys must be unique.")


def _definition_faults(definition: Mapping[str, Any]) -> Iterator[Fault]:
    path = "TrainingJobDefinition"
    if definition.get("EnableNetworkIsolation"):
        yield Fault(
            f"{path}.EnableNetworkIsolation", "alfine can't cut a training job off from the network yet. Use false."
        )
