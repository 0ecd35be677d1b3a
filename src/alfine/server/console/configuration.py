"""The page of a tuning job's configuration: what it was asked to do, and the code that asks for the same again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from alfine.core.range_protocol import Range
from alfine.core.range_words import scaling_of, values_in_words
from alfine.core.spec import FUNCTION, LOCAL_IMAGE, TuningJobSpec, describe_ranges
from alfine.server.console.page_request import PageRequest

NEW_NAME = "-again"
"""What is added to the name of a job in the code to copy, since a name can't be used twice."""

LONGEST_NAME = 32
"""Characters of a tuning job's name. Source: CreateHyperParameterTuningJob in SageMaker's API reference."""


OF_PROGRAM = ("sagemaker_", "alfine_")
"""How hyperparameters begin that say what runs."""

ONE_LINE = 70
"""Letters of a value that stays on one line of code."""

MOST_METRICS = 8
"""Metrics of a definition that are shown; the request below has all."""


def page(request: PageRequest) -> Response:
    """Render the page."""
    name = request.path_part("name")
    job = request.service.get(name)
    spec, again = job.spec(), _again(job.request)
    is_function = any(FUNCTION in part.definition.static_hyperparameters for part in spec.definition_specs)
    return request.render(
        "configuration.html",
        name=name,
        spec=spec,
        local_image=LOCAL_IMAGE,
        ranges=describe_ranges(spec, _range).items(),
        static=[pair for part in spec.definition_specs for pair in _own(part).items()],
        programs=[_program(part) for part in spec.definition_specs],
        early_stopping=spec.early_stopping,
        most_metrics=MOST_METRICS,
        is_function=is_function,
        codes=[*_of_function(request, again)] if is_function else [*_codes(request, again)],
        changed=dict(job.request) != dict(request.service.store.original(name)),
    )


def _own(spec: TuningJobSpec) -> dict[str, str]:
    """Return the fixed hyperparameters that don't say what runs."""
    texts = spec.definition.static_hyperparameters
    return {key: text for key, text in texts.items() if not key.startswith(OF_PROGRAM)}


def _program(spec: TuningJobSpec) -> str:
    """Return what runs, where the hyperparameters say it; «» where the image does."""
    texts = spec.definition.static_hyperparameters
    script, folder = texts.get("sagemaker_program"), texts.get("sagemaker_submit_directory", "")
    if script:
        return f"{folder.removeprefix('file://').rstrip('/')}/{script}" if folder else script
    command = texts.get("alfine_command")
    return shlex.join(json.loads(command)) if command else texts.get(FUNCTION, "")


@dataclass(frozen=True, slots=True)
class Code:
    """A text to copy that asks for a job.

    Attributes:
        title: What it is.
        text: The text.
        hint: How to use it; "" where nothing needs saying.
    """

    title: str
    text: str
    hint: str = ""


def _codes(request: PageRequest, again: Mapping[str, Any]) -> Iterator[Code]:
    """Yield what asks for a job that runs a program: a job file, a Python program where it can say the same, boto3, and the AWS CLI."""
    files = request.backend.job_files
    yield Code("Job file (YAML)", files.yaml(files.document_of(again) or again), "Run it with: alfine create job.yaml")
    if python := files.python(again):
        yield Code("Python", python)
    yield Code("boto3", _boto3(again))
    cli = "aws sagemaker create-hyper-parameter-tuning-job --cli-input-json"
    yield Code("AWS CLI", f"{cli} '{_quoted(json.dumps(again, indent=2, ensure_ascii=False))}'\n")


def _of_function(request: PageRequest, again: Mapping[str, Any]) -> Iterator[Code]:
    """Yield the Python program that tunes the function again: nothing else can run it."""
    if python := request.backend.job_files.python(again):
        yield Code("Python", python, "The job tunes a Python function, which only a Python program can run.")


def _quoted(text: str) -> str:
    """Return a text as it stands between the single quotes of a shell."""
    return text.replace("'", "'\\''")


def _again(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request of a job with a name that is free."""
    name = str(asked["HyperParameterTuningJobName"])
    return {**asked, "HyperParameterTuningJobName": f"{name[: LONGEST_NAME - len(NEW_NAME)]}{NEW_NAME}"}


def _boto3(asked: Mapping[str, Any]) -> str:
    """Return a Python program that creates the job with boto3."""
    arguments = "".join(f"    {key}={_python(value)},\n" for key, value in asked.items())
    return (
        'import boto3\n\nsagemaker = boto3.client("sagemaker")\n'
        f"sagemaker.create_hyper_parameter_tuning_job(\n{arguments})\n"
    )


def _python(value: Any, depth: int = 1) -> str:
    """Write a value as Python code, with a line for each entry of what doesn't fit into one."""
    text = repr(value)
    if len(text) <= ONE_LINE or not isinstance(value, Mapping | list) or not value:
        return text
    space, ends = "    " * (depth + 1), "{}" if isinstance(value, Mapping) else "[]"
    entries = (
        [f"{key!r}: {_python(each, depth + 1)}" for key, each in value.items()]
        if isinstance(value, Mapping)
        else [_python(each, depth + 1) for each in value]
    )
    inner = "".join(f"{space}{entry},\n" for entry in entries)
    return f"{ends[0]}\n{inner}{space[4:]}{ends[1]}"


def _range(found: Range) -> str:
    scaling = scaling_of(found)
    return f"{values_in_words(found)}{f', {scaling}' if scaling else ''}"
