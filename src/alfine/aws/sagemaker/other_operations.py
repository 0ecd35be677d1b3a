"""Operations that alfine doesn't have: what each belongs to, and what to do instead.

Lists of things that never exist here, such as endpoints, are empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from alfine.aws.json_protocol import Api
from alfine.aws.shape_readers import Plain
from alfine.aws.wire_error import WireError, unknown_operation

FAMILIES: tuple[tuple[str, str], ...] = (
    (r"Endpoint|Model$|Models$|Inference|TransformJob|ModelPackage|OptimizationJob|ModelCard", "hosting of models"),
    (r"ProcessingJob", "processing jobs"),
    (r"Pipeline", "pipelines"),
    (r"AutoML", "Autopilot"),
    (r"Feature", "the feature store"),
    (r"Trial|Experiment|Artifact|Association|Action|Context|Lineage", "experiments"),
    (r"Monitoring|JobDefinition", "monitoring of models"),
    (r"Labeling|Work(force|team)|HumanTask|FlowDefinition", "labelling"),
    (r"Compilation|Edge|Device", "edge devices"),
    (r"Notebook|Domain|UserProfile|App|Space|Studio|Image|CodeRepository|Project|Hub|Mlflow|Partner", "Studio"),
    (r"Cluster|ComputeQuota|TrainingPlan|ReservedCapacity|UltraServer", "clusters"),
)
"""Patterns of SageMaker's operations, by what they belong to. The first pattern that is found counts."""

MODEL_LIES = "The model of a training job lies where DescribeTrainingJob says, in ModelArtifacts.S3ModelArtifacts: `aws s3 cp` fetches it."


def family_of(name: str) -> str:
    """Return what an operation belongs to, as «hosting of models»; "" for one that isn't known."""
    return next((family for pattern, family in FAMILIES if re.search(pattern, name)), "")


def explained_operation(name: str, request: Any) -> WireError:
    """Return the error for an operation of SageMaker that alfine doesn't have: what it is, and what to do instead.

    Args:
        name: The operation.
        request: Its request. Where it names models, the error says where they lie.
    """
    family = family_of(name)
    if not family:
        return unknown_operation(name)
    models = list(dict.fromkeys(_models(request)))
    lies = f"The model of this request lies at {', '.join(models)}: `aws s3 cp` fetches it." if models else MODEL_LIES
    tail = f" {lies}" if family == FAMILIES[0][1] else ""
    return WireError(
        "UnknownOperationException",
        f"alfine doesn't have the operation {name[:80]!r}: it is part of SageMaker's {family}. alfine trains and tunes; it neither "
        f"hosts models nor runs other jobs.{tail}",
    )


def _models(value: Any) -> Iterator[str]:
    """Yield the URIs of models, wherever they stand in a request."""
    if isinstance(value, Mapping):
        source = (value.get("ModelDataSource") or {}).get("S3DataSource") or {}
        uris = (value.get("ModelDataUrl"), source.get("S3Uri"))
        yield from (uri[:1024] for uri in uris if isinstance(uri, str))
        for inner in value.values():
            yield from _models(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _models(inner)


def empty_list(api: Api, name: str) -> Plain | None:
    """Return the empty answer of an operation that lists what never exists here.

    Args:
        api: The service's model.
        name: The operation.

    Returns:
        None for an operation that isn't a list, and for one that names the thing whose parts it lists.
    """
    operation = api.model["operations"].get(name)
    if operation is None or not name.startswith("List") or "output" not in operation:
        return None
    shapes = api.model["shapes"]
    if "input" in operation and shapes[operation["input"]["shape"]].get("required"):
        return None
    members = shapes[operation["output"]["shape"]]["members"]
    lists: Plain = {member: [] for member, shape in members.items() if shapes[shape["shape"]]["type"] == "list"}
    return {**lists, **({"IsTruncated": False} if "IsTruncated" in members else {})} if lists else None
