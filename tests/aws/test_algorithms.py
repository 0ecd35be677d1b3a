"""Algorithms that users create, and tuning jobs that run them, by boto3 on a live server."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.conftest import Served, until
from tests.aws.test_built_in import channel, finished, request

LOSS = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}, {"Name": "steps", "Regex": "steps=([0-9]+)"}]
SCRIPT = """
import json, os
given = json.load(open(os.environ["SAGEMAKER_BASE_DIR"] + "/input/config/hyperparameters.json"))
print("loss=%f steps=%s" % (float(given["rate"]) + float(given["decay"]), given["steps"]))
"""


def bounds(kind: str, low: str, high: str) -> dict[str, Any]:
    return {f"{kind}ParameterRangeSpecification": {"MinValue": low, "MaxValue": high}}


def hyperparameters(folder: Any) -> list[dict[str, Any]]:
    """What the script below takes; the script itself is among the default values."""
    return [
        {
            "Name": "rate",
            "Type": "Continuous",
            "Range": bounds("Continuous", "0", "1"),
            "IsTunable": True,
            "IsRequired": True,
        },
        {
            "Name": "steps",
            "Type": "Integer",
            "Range": bounds("Integer", "1", "9"),
            "IsTunable": True,
            "DefaultValue": "4",
        },
        {"Name": "decay", "Type": "Continuous", "Range": bounds("Continuous", "0", "9"), "DefaultValue": "0"},
        {
            "Name": "mode",
            "Type": "Categorical",
            "Range": {"CategoricalParameterRangeSpecification": {"Values": ["fast", "slow"]}},
            "IsTunable": True,
        },
        {"Name": "note", "Type": "FreeText"},
        {"Name": "sagemaker_program", "Type": "FreeText", "DefaultValue": "train.py"},
        {"Name": "sagemaker_submit_directory", "Type": "FreeText", "DefaultValue": folder.as_uri()},
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("algorithm")
    (folder / "train.py").write_text(SCRIPT)
    for name in ("training", "validation"):
        (folder / name).mkdir()
        (folder / name / "data.csv").write_text("1,2\n")
    return folder


def algorithm(name: str, folder: Any, **changes: Any) -> dict[str, Any]:
    """A CreateAlgorithm request; changes: of its TrainingSpecification."""
    specification = {
        "TrainingImage": "acme/solver:1",
        "SupportedHyperParameters": hyperparameters(folder),
        "SupportedTrainingInstanceTypes": ["ml.m5.large", "ml.m5.xlarge"],
        "SupportsDistributedTraining": False,
        "MetricDefinitions": LOSS,
        "SupportedTuningJobObjectiveMetrics": [{"Type": "Minimize", "MetricName": "loss"}],
        "TrainingChannels": [
            {
                "Name": "training",
                "IsRequired": True,
                "SupportedContentTypes": ["text/csv"],
                "SupportedCompressionTypes": ["None"],
                "SupportedInputModes": ["File"],
            }
        ],
        **changes,
    }
    return {"AlgorithmName": name, "TrainingSpecification": specification}


@pytest.fixture(scope="module")
def solver(sagemaker, folder) -> str:
    """The ARN of an algorithm."""
    return sagemaker.create_algorithm(**algorithm("Solver", folder), Tags=[{"Key": "team", "Value": "red"}])[
        "AlgorithmArn"
    ]


RATE = {"ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.1", "MaxValue": "0.5"}]}


def job(name: str, folder: Any, named: str, **words: Any) -> dict[str, Any]:
    """A CreateHyperParameterTuningJob request with the algorithm."""
    static = words.pop("static", {"mode": "fast"})
    asked = request(name, folder, static, metric="loss", **{"ranges": RATE, "jobs": 2, **words})
    definition = asked["TrainingJobDefinition"]
    del definition["AlgorithmSpecification"]["TrainingImage"]
    definition["AlgorithmSpecification"]["AlgorithmName"] = named
    definition["InputDataConfig"] = [channel("training", folder, "text/csv")]
    return asked


def refusal(call: Any, asked: dict[str, Any], code: str = "ValidationException") -> str:
    with pytest.raises(ClientError) as error:
        call(**asked)
    assert error.value.response["Error"]["Code"] == code
    return error.value.response["Error"]["Message"]


def test_an_algorithm_is_described_as_it_was_created(sagemaker, solver, folder):
    assert solver == "arn:aws:sagemaker:us-east-1:000000000000:algorithm/solver"
    told = sagemaker.describe_algorithm(AlgorithmName="Solver")
    assert told["TrainingSpecification"] == algorithm("Solver", folder)["TrainingSpecification"]
    assert (told["AlgorithmName"], told["AlgorithmArn"], told["AlgorithmStatus"]) == ("Solver", solver, "Completed")
    assert told["AlgorithmStatusDetails"] == {"ValidationStatuses": [], "ImageScanStatuses": []}
    by_arn = sagemaker.describe_algorithm(AlgorithmName=solver)
    assert by_arn["CreationTime"] == told["CreationTime"]


@pytest.mark.parametrize("by_arn", [False, True])
def test_a_tuning_job_runs_an_algorithm_by_name_and_by_arn(sagemaker, solver, folder, by_arn):
    name = f"solve-{by_arn}"
    best = finished(sagemaker, job(name, folder, solver if by_arn else "Solver"))
    told = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    specification = told["TrainingJobDefinition"]["AlgorithmSpecification"]
    assert specification["AlgorithmName"] == best["AlgorithmSpecification"]["AlgorithmName"] == solver
    assert "TrainingImage" not in specification
    assert [each["Name"] for each in specification["MetricDefinitions"]] == ["loss", "steps", "ObjectiveMetric"]
    metrics = {each["MetricName"]: each["Value"] for each in best["FinalMetricDataList"]}
    assert metrics["loss"] == pytest.approx(float(best["HyperParameters"]["rate"]), abs=1e-6)
    assert metrics["steps"] == 4  # the default value
    assert best["HyperParameters"]["decay"] == "0"


def test_a_training_job_of_its_own_runs_an_algorithm(sagemaker, solver, folder):
    definition = job("unused", folder, "Solver")["TrainingJobDefinition"]
    static = {**definition.pop("StaticHyperParameters"), "rate": "0.25", "decay": "1"}
    sagemaker.create_training_job(TrainingJobName="solve-alone", HyperParameters=static, **definition)
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName="solve-alone", WaiterConfig={"Delay": 1}
    )
    told = sagemaker.describe_training_job(TrainingJobName="solve-alone")
    assert {each["MetricName"]: each["Value"] for each in told["FinalMetricDataList"]} == {"loss": 1.25, "steps": 4}
    assert told["AlgorithmSpecification"]["AlgorithmName"] == solver
    message = refusal(
        sagemaker.create_training_job, {"TrainingJobName": "solve-bad", "HyperParameters": {"rate": "7"}, **definition}
    )
    assert "HyperParameters.rate: 7 isn't in the range of rate, 0 to 1" in message


def test_everything_that_an_algorithm_does_not_take_is_told_at_once(sagemaker, solver, folder):
    ranges = {
        "ContinuousParameterRanges": [{"Name": "decay", "MinValue": "0.1", "MaxValue": "0.5"}],
        "IntegerParameterRanges": [{"Name": "steps", "MinValue": "1", "MaxValue": "10"}],
        "CategoricalParameterRanges": [{"Name": "mode", "Values": ["fast", "slower"]}],
    }
    own = [{"Name": "loss", "Regex": "mine=(.*)"}]
    asked = job(
        "solve-bad", folder, "Solver", static={"nope": "1"}, ranges=ranges, goal="Maximize", MetricDefinitions=own
    )
    definition = asked["TrainingJobDefinition"]
    definition["ResourceConfig"] = {"InstanceType": "ml.c4.xlarge", "InstanceCount": 3, "VolumeSizeInGB": 1}
    definition["InputDataConfig"] = [channel("validation", folder, "text/csv")]
    said = refusal(sagemaker.create_hyper_parameter_tuning_job, asked)
    for expected in (
        "untunable hyperparameters: [decay]. For Solver you can tune only [rate, steps, mode]",
        "10 isn't in the range of steps, 1 to 9",
        "'slower' isn't one of fast, slow",
        "Solver has no hyperparameter 'nope'",
        "StaticHyperParameters.rate: Solver needs this hyperparameter",
        "Maximize doesn't fit loss of Solver. Use Minimize.",
        "Solver needs the channel 'training'",
        "Solver has no channel 'validation'. It has training.",
        "Solver doesn't run on ml.c4.xlarge. Use ml.m5.large, ml.m5.xlarge.",
        "Solver trains on one instance; the request has 3",
        "You can't override the metric definitions",
    ):
        assert expected in said, expected
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="solve-bad")


def test_an_algorithm_that_does_not_exist_cannot_be_run_described_or_deleted(sagemaker, folder):
    said = refusal(sagemaker.create_hyper_parameter_tuning_job, job("solve-none", folder, "nothing"))
    assert "AlgorithmSpecification.AlgorithmName: the algorithm" in said
    assert "does not exist" in said
    assert "does not exist" in refusal(sagemaker.describe_algorithm, {"AlgorithmName": "nothing"})
    assert "does not exist" in refusal(sagemaker.delete_algorithm, {"AlgorithmName": "nothing"})


def test_a_name_is_taken_in_letters_of_any_case(sagemaker, solver, folder):
    said = refusal(sagemaker.create_algorithm, algorithm("SOLVER", folder))
    assert said == f'Cannot create already existing algorithm "{solver}".'


def test_everything_wrong_with_a_specification_is_told_at_once_and_nothing_is_stored(sagemaker, folder):
    broken = [
        {"Name": "a", "Type": "Integer", "Range": bounds("Continuous", "0", "1")},
        {"Name": "b", "Type": "Continuous", "Range": bounds("Continuous", "9", "1")},
        {"Name": "c", "Type": "Integer", "Range": bounds("Integer", "one", "7")},
        {"Name": "d", "Type": "FreeText", "IsTunable": True},
        {"Name": "e", "Type": "Integer", "Range": bounds("Integer", "1", "7"), "DefaultValue": "8"},
        {"Name": "f", "Type": "FreeText", "DefaultValue": "x", "IsRequired": True},
        {"Name": "f", "Type": "FreeText"},
    ]
    changes = {
        "SupportedHyperParameters": broken,
        "MetricDefinitions": [{"Name": "loss", "Regex": "loss=["}],
        "SupportedTuningJobObjectiveMetrics": [{"Type": "Minimize", "MetricName": "lost"}],
    }
    asked = {**algorithm("broken", folder, **changes), "CertifyForMarketplace": True}
    said = refusal(sagemaker.create_algorithm, asked)
    for expected in (
        "(a).Range: a hyperparameter of type Integer can have a range by IntegerParameterRangeSpecification only",
        "MinValue 9 is above MaxValue 1",
        "'one' must be a whole number",
        "(d).IsTunable: free text has no range, so it can't be tuned",
        "(e).DefaultValue: 8 isn't in the range of e, 1 to 7",
        "(f).DefaultValue: a hyperparameter with a default value can't be required",
        "'f' occurs 2 times",
        "MetricDefinitions[0] (loss): regex 'loss=[' doesn't compile",
        "'lost' isn't among MetricDefinitions",
        "CertifyForMarketplace: there is no marketplace here",
    ):
        assert expected in said, expected
    refusal(sagemaker.describe_algorithm, {"AlgorithmName": "broken"})


def test_algorithms_are_listed_sorted_and_filtered_page_by_page(sagemaker, folder):
    since = datetime.now(UTC)
    for name in ("list-b", "list-c", "list-a"):
        sagemaker.create_algorithm(**algorithm(name, folder), AlgorithmDescription=f"the {name}")
    pages = sagemaker.get_paginator("list_algorithms")

    def names(**words: Any) -> list[str]:
        found = pages.paginate(NameContains="LIST-", PaginationConfig={"PageSize": 2}, **words)
        return [row["AlgorithmName"] for page in found for row in page["AlgorithmSummaryList"]]

    assert names() == ["list-b", "list-c", "list-a"]  # by age
    assert names(SortBy="Name") == ["list-a", "list-b", "list-c"]
    assert names(SortBy="Name", SortOrder="Descending") == ["list-c", "list-b", "list-a"]
    assert names(CreationTimeBefore=since) == []
    assert len(names(CreationTimeAfter=since)) == 3
    row = sagemaker.list_algorithms(NameContains="list-a")["AlgorithmSummaryList"][0]
    assert (row["AlgorithmDescription"], row["AlgorithmStatus"]) == ("the list-a", "Completed")


def test_tags_of_an_algorithm_are_added_listed_and_taken_away(sagemaker, solver):
    sagemaker.add_tags(ResourceArn=solver, Tags=[{"Key": "stage", "Value": "try"}, {"Key": "team", "Value": "blue"}])
    sagemaker.delete_tags(ResourceArn=solver, TagKeys=["stage"])
    assert sagemaker.list_tags(ResourceArn=solver)["Tags"] == [{"Key": "team", "Value": "blue"}]
    refusal(sagemaker.list_tags, {"ResourceArn": solver + "x"}, "ResourceNotFound")


def test_an_algorithm_in_use_stays_and_is_deleted_once_nothing_needs_it(tmp_path_factory, folder):
    """Over a restart of the server, too."""
    home = tmp_path_factory.mktemp("home")
    waiting = "import time; print('loss=1', flush=True); time.sleep(600)"
    code = tmp_path_factory.mktemp("code")
    (code / "train.py").write_text(waiting)
    server = Served(home)
    client = server.client()
    client.create_algorithm(**algorithm("used", folder, SupportedHyperParameters=hyperparameters(code)))
    client.create_hyper_parameter_tuning_job(**job("user", folder, "used", jobs=1))
    server.end()
    server = Served(home)
    client = server.client()
    said = refusal(client.delete_algorithm, {"AlgorithmName": "Used"}, "ConflictException")
    assert said == "The algorithm used is in use by user, which hasn't ended."
    client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="user")
    assert until(client, "user", "Stopped", leaves=False)
    definition = job("any", folder, "used")["TrainingJobDefinition"]
    static = {**definition.pop("StaticHyperParameters"), "rate": "0.5"}
    client.create_training_job(TrainingJobName="lone-user", HyperParameters=static, **definition)
    said = refusal(client.delete_algorithm, {"AlgorithmName": "Used"}, "ConflictException")
    assert said == "The algorithm used is in use by lone-user, which hasn't ended."
    client.stop_training_job(TrainingJobName="lone-user")
    while client.describe_training_job(TrainingJobName="lone-user")["TrainingJobStatus"] != "Stopped":
        time.sleep(0.05)
    client.delete_algorithm(AlgorithmName="used")
    assert client.list_algorithms()["AlgorithmSummaryList"] == []
    told = client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="user")
    assert json.dumps(told["TrainingJobDefinition"]["AlgorithmSpecification"]).count("algorithm/used") == 1
    server.end()
