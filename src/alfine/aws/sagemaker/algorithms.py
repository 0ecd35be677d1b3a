"""The operations on algorithms that users create, and how requests of jobs name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alfine.aws.sagemaker import pagination
from alfine.aws.sagemaker.backend import AwsBackend, Function
from alfine.aws.shape_readers import Plain
from alfine.aws.wire_error import validation_error
from alfine.core.arns import Arns
from alfine.core.errors import InUse, NotFound
from alfine.programs.images import is_algorithm
from alfine.store.algorithms import Algorithm, get_algorithm
from alfine.store.conditions import ALGORITHMS
from alfine.store.pages import algorithm_page

SORTS = {"Name": "name", "CreationTime": "created_at"}
STATUS = "Completed"
"""The status of every algorithm: alfine scans no image and runs no validation, so there is nothing to wait for."""


def create_algorithm(backend: AwsBackend, request: Plain) -> Plain:
    arn = backend.arns.algorithm(request["AlgorithmName"])
    try:
        backend.service.create_algorithm(request)
    except InUse as error:
        raise validation_error(f'Cannot create already existing algorithm "{arn}".') from error
    return {"AlgorithmArn": arn}


def describe_algorithm(backend: AwsBackend, request: Plain) -> Plain:
    name = request["AlgorithmName"].rpartition("/")[2]
    try:
        with backend.reading() as connection:
            algorithm = get_algorithm(connection, name)
    except NotFound as error:
        raise _unknown(request["AlgorithmName"]) from error
    details: Plain = {"ValidationStatuses": [], "ImageScanStatuses": []}
    return {**algorithm.request, **_shown(algorithm, backend.arns), "AlgorithmStatusDetails": details}


def list_algorithms(backend: AwsBackend, request: Plain) -> Plain:
    page = pagination.page_of(request, SORTS, "CreationTime")
    with backend.reading() as connection:
        rows = algorithm_page(connection, page, pagination.filters(request, ALGORITHMS))

    def show(algorithm: Algorithm) -> Plain:
        described = {"AlgorithmDescription": algorithm.request.get("AlgorithmDescription")}
        return {**_shown(algorithm, backend.arns), **described}

    return pagination.answered(request, page, rows, "AlgorithmSummaryList", show)


def delete_algorithm(backend: AwsBackend, request: Plain) -> Plain:
    try:
        backend.service.store.delete_algorithm(request["AlgorithmName"])
    except NotFound as error:
        raise _unknown(request["AlgorithmName"]) from error
    return {}


def _shown(algorithm: Algorithm, arns: Arns) -> Plain:
    return {
        "AlgorithmName": algorithm.name,
        "AlgorithmArn": arns.algorithm(algorithm.name),
        "CreationTime": algorithm.created_at,
        "AlgorithmStatus": STATUS,
    }


def _unknown(name: str) -> Exception:
    return validation_error(f"Algorithm {name} does not exist.")


def named_by_arn(request: Mapping[str, Any], arns: Arns) -> Plain:
    """Return the request of a job with its created algorithms named by their ARNs, as AWS describes them."""

    def named(holder: Mapping[str, Any]) -> Plain:
        specification = holder.get("AlgorithmSpecification") or {}
        name = specification.get("AlgorithmName")
        if not name or is_algorithm(name):
            return dict(holder)
        return {**holder, "AlgorithmSpecification": {**specification, "AlgorithmName": arns.algorithm(name)}}

    changed = named(request)
    if "TrainingJobDefinition" in request:
        changed["TrainingJobDefinition"] = named(request["TrainingJobDefinition"])
    if "TrainingJobDefinitions" in request:
        changed["TrainingJobDefinitions"] = [named(definition) for definition in request["TrainingJobDefinitions"]]
    return changed


OPERATIONS: Mapping[str, Function] = {
    "CreateAlgorithm": create_algorithm,
    "DescribeAlgorithm": describe_algorithm,
    "ListAlgorithms": list_algorithms,
    "DeleteAlgorithm": delete_algorithm,
}
