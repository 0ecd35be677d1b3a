"""An image that nothing here knows, in a container, from a request over the wire."""

import json

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.aws.conftest import Served, until
from tests.runners.engines import test_engine, tiny_image

ROLE = "arn:aws:iam::000000000000:role/any"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A server whose alfine.toml names the tests' container engine."""
    tiny_image()
    engine, _ = test_engine()
    home = tmp_path_factory.mktemp("home")
    options = json.dumps(engine.options)
    (home / "alfine.toml").write_text(f"[run]\nengine = {json.dumps(engine.command)}\ncontainer_options = {options}\n")
    server = Served(home)
    client = server.client()
    yield client
    client.close()
    server.end()


def test_a_tuning_job_of_an_image_trains_in_containers(own, make):
    request = make("contained", max_training_jobs=2)
    definition = request["TrainingJobDefinition"]
    definition["AlgorithmSpecification"]["TrainingImage"] = tiny_image()
    definition["StaticHyperParameters"] = {}
    definition["Environment"] = {"PROGRAM": "read -r all < input/config/hyperparameters.json; echo loss=1.5 $all"}
    own.create_hyper_parameter_tuning_job(**request)
    told = until(own, "contained")
    assert told["TrainingJobStatusCounters"]["Completed"] == 2, told
    assert told["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 1.5


def training_job(name, **algorithm):
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": tiny_image(), "TrainingInputMode": "File", **algorithm},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "file:///"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "Environment": {"PROGRAM": "exit 1"},
    }


def test_a_training_job_brings_its_entry_point_and_arguments(own):
    words = {"ContainerEntrypoint": ["/bin/sh", "-c"], "ContainerArguments": ["exit 7"]}
    own.create_training_job(**training_job("entered", **words))
    waiter = own.get_waiter("training_job_completed_or_stopped")
    with pytest.raises(WaiterError) as failed:
        waiter.wait(TrainingJobName="entered", WaiterConfig={"Delay": 1})
    told = failed.value.last_response
    assert told["FailureReason"].startswith("AlgorithmError: exit code: 7")


def test_one_whose_model_cannot_be_packed_has_failed(own):
    deep = {"PROGRAM": f"mkdir -p model/{'d/' * 100}"}
    own.create_training_job(**{**training_job("deep"), "Environment": deep})
    waiter = own.get_waiter("training_job_completed_or_stopped")
    with pytest.raises(WaiterError) as failed:
        waiter.wait(TrainingJobName="deep", WaiterConfig={"Delay": 1})
    told = failed.value.last_response
    assert told["TrainingJobStatus"] == "Failed"
    assert told["FailureReason"].startswith("ClientError: Artifact upload failed: The model couldn't be packed: ")


def test_they_are_refused_for_what_is_no_container(sagemaker, script):
    request = training_job("refused", ContainerArguments=["x"])
    request["AlgorithmSpecification"]["TrainingImage"] = "acme/train:1"
    request["HyperParameters"] = {
        "sagemaker_program": script.name,
        "sagemaker_submit_directory": script.parent.as_uri(),
    }
    with pytest.raises(
        ClientError, match="ContainerArguments are for the image's own entry point, which needs a container"
    ):
        sagemaker.create_training_job(**request)
