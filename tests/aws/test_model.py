"""Every constraint of botocore's model of CreateHyperParameterTuningJob, violated once: named, and nothing stored."""

import copy
import json

import botocore.session
import pytest

from tests.aws.test_guard import post

MODEL = botocore.session.get_session().get_service_model("sagemaker").operation_model("CreateHyperParameterTuningJob")
HEADERS = {
    "X-Amz-Target": "SageMaker.CreateHyperParameterTuningJob",
    "Content-Type": "application/x-amz-json-1.1",
}


def violations(shape, value, path):
    """(path, a wrong value) for each constraint on what is there in a good request."""
    if shape.type_name == "structure":
        for name in shape.required_members:
            yield (*path, name), ...
        for name, member in shape.members.items():
            if isinstance(value, dict) and name in value:
                yield from violations(member, value[name], (*path, name))
    elif shape.type_name == "list" and value:
        yield from violations(shape.member, value[0], (*path, 0))
    elif shape.type_name == "string":
        if shape.enum:
            yield path, "no-such-member-of-the-enum"
        if "max" in shape.metadata:
            yield path, "a" * (shape.metadata["max"] + 1)
        if shape.metadata.get("min"):
            yield path, ""
        yield path, 7
    elif shape.type_name in ("integer", "long"):
        if "min" in shape.metadata:
            yield path, shape.metadata["min"] - 1
        yield path, "seven"


def changed(request, path, wrong):
    broken = copy.deepcopy(request)
    where = broken
    for step in path[:-1]:
        where = where[step]
    if wrong is ...:
        where.pop(path[-1], None)
    else:
        where[path[-1]] = wrong
    return broken


def test_each_constraint_is_held_and_named(served, sagemaker, make):
    good = make("model", max_runtime_seconds=3600, seed=1, environment={"A": "b"}, price_per_hour=1.0)
    good["TrainingJobDefinition"]["ResourceConfig"]["InstanceType"] = "ml.m5.xlarge"
    before = sagemaker.list_hyper_parameter_tuning_jobs(MaxResults=100)["HyperParameterTuningJobSummaries"]
    tried = 0
    for path, wrong in violations(MODEL.input_shape, good, ()):
        status, text = post(served, HEADERS, json.dumps(changed(good, path, wrong)).encode())
        answer = json.loads(text)
        assert status == 400, (path, wrong, answer)
        assert answer["__type"].rpartition("#")[2] in ("ValidationException", "SerializationException"), (
            path,
            wrong,
            answer,
        )
        if answer["__type"].endswith("ValidationException"):
            last = next(step for step in reversed(path) if isinstance(step, str))
            assert last.lower() in answer["Message"].lower(), (path, wrong, answer)
        tried += 1
    assert tried > 60
    after = sagemaker.list_hyper_parameter_tuning_jobs(MaxResults=100)["HyperParameterTuningJobSummaries"]
    assert [row["HyperParameterTuningJobName"] for row in after] == [
        row["HyperParameterTuningJobName"] for row in before
    ]


@pytest.mark.parametrize("count", [2])
def test_several_violations_are_named_at_once(served, make, count):
    broken = make("model")
    broken["HyperParameterTuningJobConfig"]["Strategy"] = "TPE"
    broken["HyperParameterTuningJobName"] = "-"
    _, text = post(served, HEADERS, json.dumps(broken).encode())
    assert json.loads(text)["Message"].startswith(f"{count} validation errors detected: ")
