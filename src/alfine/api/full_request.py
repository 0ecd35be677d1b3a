"""A job file that is a full CreateHyperParameterTuningJob request: its form is checked, its local paths are made
absolute.

The form is that of botocore's own model of the operation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from alfine.api.local_paths import absolute_uri, anchored_word
from alfine.api.read_values import shown
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.fields import unknown
from alfine.core.spec import DEFINITION, DEFINITIONS
from alfine.programs.hyperparameter_text import unquoted

Request = dict[str, Any]

REQUEST_KEYS = ("HyperParameterTuningJobName", "HyperParameterTuningJobConfig")
"""A document with one of these keys is a request, not a job file in shorter words."""

TYPE_NAMES = {
    "str": "a text, in quotes",
    "int": "a whole number",
    "bool": "true or false",
    "dict": "keys and values",
    "list": "a list",
}
"""Names of botocore's Python types for messages. Every number that may be a float is «a number»."""


def is_request(document: Mapping[str, Any]) -> bool:
    """Return whether a document is a CreateHyperParameterTuningJob request, not a job file in shorter words."""
    return any(key in document for key in REQUEST_KEYS)


def check_request(request: Request, *, form_only: bool) -> None:
    """Raise InvalidSpec for what botocore's model of the operation doesn't allow.

    Args:
        request: The request.
        form_only: Check members and their types, but neither least values nor least lengths.
    """
    from botocore.loaders import Loader
    from botocore.model import ServiceModel
    from botocore.validate import ParamValidator

    service = ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")
    shape = service.operation_model("CreateHyperParameterTuningJob").input_shape
    report = ParamValidator().validate(request, shape)
    errors = report._errors  # noqa: SLF001 - the public report is prose; here are the paths
    faults = [
        _model_fault(*error) for error in errors if not (form_only and error[0] in ("invalid range", "invalid length"))
    ]
    if faults:
        raise InvalidSpec(faults)


def _model_fault(kind: str, name: str, details: Mapping[str, Any]) -> Fault:
    path = name.lstrip(".")
    inside = f"{path}." if path else ""
    match kind:
        case "unknown field":
            return Fault(inside + details["unknown_param"], unknown(details["unknown_param"], details["valid_names"]))
        case "missing required field":
            return Fault(inside + details["required_name"], "is missing, and a request needs it.")
        case "invalid type":
            return Fault(path, f"{shown(details['param'])} must be {_type_names(details['valid_types'])}.")
        case "invalid range" | "invalid length":
            what = "at least" if kind == "invalid range" else "of a length of at least"
            return Fault(path, f"{shown(details['param'])} must be {what} {details['min_allowed']}.")
        case _:
            return Fault(path, f"{kind}: {', '.join(map(str, details.values()))}.")


def _type_names(types: Iterable[str]) -> str:
    names = [re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text) for text in types]
    return "a number" if "float" in names else " or ".join(TYPE_NAMES[name] for name in names if name in TYPE_NAMES)


def anchored(request: Request, folder: Path) -> Request:
    """Return the request with its local paths made absolute, so that it's the same job from wherever it is started.

    Args:
        request: A request from a file.
        folder: The file's folder, from which relative paths are meant.
    """
    request = deepcopy(request)
    for definition in (request.get(DEFINITION) or {}, *(request.get(DEFINITIONS) or ())):
        _anchor(definition, folder)
    return request


def _anchor(definition: dict[str, Any], folder: Path) -> None:
    static = definition.get("StaticHyperParameters") or {}
    if "sagemaker_program" in static:
        given = unquoted(static.get("sagemaker_submit_directory", "."))
        static["sagemaker_submit_directory"] = absolute_uri(given, folder)
    if "alfine_command" in static:
        words = _json_or_none(static["alfine_command"])
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            static["alfine_command"] = json.dumps([anchored_word(word, folder) for word in words])
    for channel in definition.get("InputDataConfig") or []:
        source = (channel.get("DataSource") or {}).get("S3DataSource") or {}
        if "S3Uri" in source:
            source["S3Uri"] = absolute_uri(source["S3Uri"], folder)


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None
