"""Every constraint of botocore's model of what creates something, violated once: named by its path, nothing stored."""

import copy
import json
import tracemalloc

import botocore.session
import pytest
import regex
from botocore.loaders import Loader

from alfine.aws.json_protocol import TAKEN_TOO, api, parse
from alfine.aws.service_models import service_model
from alfine.aws.services import TABLES
from alfine.aws.wire_error import WireError
from tests.aws.test_guard import post

OPERATION = "CreateHyperParameterTuningJob"
MODEL = botocore.session.get_session().get_service_model("sagemaker")
SHAPE = MODEL.operation_model(OPERATION).input_shape


def headers(operation):
    return {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}


HEADERS = headers(OPERATION)
TEXTS = [
    *("a", "name", "s3://bucket/key", "arn:aws:iam::000000000000:role/some-role", "fs-12345678"),
    *(
        "arn:aws:sagemaker:us-east-1:000000000000:training-plan/a",
        "arn:aws:sagemaker:us-east-1:aws:hub-content/a/DataSet/b/1.0.0",
        "arn:aws:sagemaker:us-east-1:aws:hub-content/a/Model/b/1.0.0",
        "arn:aws:sagemaker:us-east-1:000000000000:mlflow-app/a",
        "arn:aws:sagemaker:us-east-1:000000000000:model-package/a",
        "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/a",
        "arn:aws:lambda:us-east-1:000000000000:function:a",
        "8K",
        *("1.0", "1.0.0", "text/csv", "sha256:" + 64 * "0"),
    ),
]
TOO_ODD = "\n"  # what most patterns of the model exclude, `.*` among them


def members(shape):
    """Of a structure; those that hold structures of its own kind (SubExpressions) are left out."""
    for name, member in shape.members.items():
        inner = member.member if member.type_name == "list" else member
        if inner.name != shape.name:
            yield name, member


def sample(shape):
    """A value with every member of the model in it, each as the model wants it."""
    match shape.type_name:
        case "structure":
            return {name: sample(member) for name, member in members(shape)}
        case "list":
            return [sample(shape.member)] * max(1, shape.metadata.get("min", 0))
        case "map":
            return {sample(shape.key): sample(shape.value)}
        case "string":
            if shape.enum:
                return shape.enum[0]
            pattern, least = shape.metadata.get("pattern", ".*"), shape.metadata.get("min", 0)
            return next(text for text in TEXTS if len(text) >= least and regex.fullmatch(pattern, text))
        case "boolean":
            return True
        case _:
            return max(1, shape.metadata.get("min", 1))


def violations(shape, path=(), told=""):
    """(path into the request, a wrong value, the path that AWS names): one for each constraint; `...` takes the member away."""
    meta, inline = shape.metadata, shape.type_name in ("list", "map")
    match shape.type_name:
        case "structure":
            for name, member in members(shape):
                below = f"{told}.{small(name)}" if told else small(name)
                if name in shape.required_members:
                    yield (*path, name), ..., below
                yield from violations(member, (*path, name), below)
        case "list" if shape.member.type_name in ("structure", "list", "map"):
            yield from violations(shape.member, (*path, 0), f"{told}.1.member")
        case "list":
            yield from (((*path, 0), wrong, told) for _, wrong, _ in violations(shape.member))
        case "map":
            yield from ((path, {sample(shape.key): wrong}, told) for _, wrong, _ in violations(shape.value))
            yield from ((path, {wrong: sample(shape.value)}, told) for _, wrong, _ in violations(shape.key))
        case "string":
            yield from ((path, wrong, told) for wrong in wrong_texts(shape))
        case "integer" | "long" | "float" | "double":
            yield from ((path, meta[end] + step, told) for end, step in (("min", -1), ("max", 1)) if end in meta)
    if inline and meta.get("min"):
        yield path, {} if shape.type_name == "map" else [], told
    if inline and "max" in meta and shape.type_name == "list":
        yield path, [sample(shape.member)] * (meta["max"] + 1), told
    if shape.type_name == "map" and "max" in meta:
        yield path, {f"a{number}": sample(shape.value) for number in range(meta["max"] + 1)}, told


def wrong_texts(shape):
    meta = shape.metadata
    if shape.enum:
        yield "no-such-member"
    if "max" in meta:
        yield "a" * (meta["max"] + 1)
    if meta.get("min"):
        yield ""
    if "pattern" in meta and not regex.fullmatch(meta["pattern"], TOO_ODD):
        yield TOO_ODD


def small(name):
    return name[:1].lower() + name[1:]


def changed(request, path, wrong):
    broken = copy.deepcopy(request)
    where = broken
    for step in path[:-1]:
        where = where[step]
    if wrong is ...:
        del where[path[-1]]
    else:
        where[path[-1]] = wrong
    return broken


@pytest.mark.parametrize(
    ("operation", "least"),
    [(OPERATION, 300), ("CreateTrainingJob", 200), ("CreateAlgorithm", 250), ("DeleteTrainingJob", 3), ("Search", 25)],
)
def test_each_constraint_is_held_and_named(served, sagemaker, operation, least):
    shape = MODEL.operation_model(operation).input_shape
    whole = sample(shape)
    assert api("sagemaker").operation(operation).check(whole) == whole  # nothing else is wrong with it
    before = names(sagemaker)
    tried = 0
    for path, wrong, told in violations(shape):
        status, text = post(served, headers(operation), json.dumps(changed(whole, path, wrong)).encode())
        answer = json.loads(text)
        assert (status, answer["__type"]) == (400, "ValidationException"), (path, wrong, answer)
        assert f" at '{told}' failed to satisfy constraint: " in answer["Message"], (path, wrong, answer)
        tried += 1
    assert tried >= least
    assert names(sagemaker) == before


def names(sagemaker):
    """Of all tuning jobs, all training jobs and all algorithms."""
    kinds = {
        "list_algorithms": ("AlgorithmSummaryList", "AlgorithmName"),
        "list_hyper_parameter_tuning_jobs": ("HyperParameterTuningJobSummaries", "HyperParameterTuningJobName"),
        "list_training_jobs": ("TrainingJobSummaries", "TrainingJobName"),
    }
    return [
        row[name]
        for operation, (rows, name) in kinds.items()
        for page in sagemaker.get_paginator(operation).paginate()
        for row in page[rows]
    ]


@pytest.mark.parametrize(
    ("path", "wrong", "text"),
    [
        (("HyperParameterTuningJobName",), 7, "NUMBER_VALUE can not be converted to a String"),
        (("Tags",), {}, "START_OBJECT can not be converted to a list"),
        (("HyperParameterTuningJobConfig",), [], "START_ARRAY can not be converted to a structure"),
        (("HyperParameterTuningJobConfig", "RandomSeed"), 1.5, "can not be converted to an Integer"),
        (("HyperParameterTuningJobConfig", "RandomSeed"), True, "can not be converted to an Integer"),
        (("HyperParameterTuningJobConfig", "RandomSeed"), 2**40, "doesn't fit into an Integer"),
        (("TrainingJobDefinition", "EnableNetworkIsolation"), "true", "STRING_VALUE can not be converted to a Boolean"),
        (("HyperParameterTuningJobName",), "\ud800", "half a surrogate pair"),
    ],
)
def test_a_value_of_the_wrong_type_cannot_be_read(served, path, wrong, text):
    _, body = post(served, HEADERS, json.dumps(changed(sample(SHAPE), path, wrong)).encode())
    answer = json.loads(body)
    assert answer["__type"] == "SerializationException"
    assert regex.search(text, answer["Message"]), answer


def test_a_member_that_the_model_does_not_have_is_refused(served, make):
    _, text = post(served, HEADERS, json.dumps({**make("model"), "Budget": 7}).encode())
    assert "Value '7' at 'budget' failed to satisfy constraint" in json.loads(text)["Message"]


def test_several_violations_are_named_at_once(served, make):
    broken = make("model")
    broken["HyperParameterTuningJobConfig"]["Strategy"] = "TPE"
    broken["HyperParameterTuningJobName"] = "-"
    _, text = post(served, HEADERS, json.dumps(broken).encode())
    message = json.loads(text)["Message"]
    assert message.startswith("2 validation errors detected: ")
    assert (
        "Value 'TPE' at 'hyperParameterTuningJobConfig.strategy' failed to satisfy constraint: Member must satisfy enum value "
        "set: [Bayesian, Random, Hyperband, Grid]" in message
    )
    assert (
        "Value '-' at 'hyperParameterTuningJobName' failed to satisfy constraint: Member must satisfy regular"
        in message
    )


def test_what_is_taken_beyond_the_model_is_in_the_model(served):
    assert set(TAKEN_TOO) <= set(api("sagemaker").model["shapes"])


LISTS = b"[" + b"[]," * 1_300_000 + b"[]]"


@pytest.mark.parametrize(
    "body", [LISTS, b'{"a":' + LISTS + b"}", b"{" + b'"a":"b",' * 100_001 + b'"a":1}', b'"' * 300_001 + b"," * 200_000]
)
def test_a_body_of_too_many_values_is_refused_before_they_are_built(body):
    tracemalloc.start()
    with pytest.raises(WireError, match="more than 100000 values") as refused:
        parse(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.code == "SerializationException"
    assert peak < 4 * len(body)


@pytest.mark.parametrize("text", [",[{" * 60_000, '"' * 150_000, "\\" * 150_000, '\\",[' * 50_000])
def test_marks_inside_strings_are_no_values(text):
    assert parse(json.dumps({"a": [text, 1]}).encode()) == {"a": [text, 1]}


@pytest.mark.parametrize("service", sorted(TABLES))
def test_a_model_is_read_as_botocore_reads_it(service):
    assert service_model(service) == Loader().load_service_model(service, "service-2")
