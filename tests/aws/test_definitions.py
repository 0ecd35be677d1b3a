"""Several training job definitions in one tuning job, over the wire."""

import copy
import json

import pytest
from botocore.exceptions import ClientError

from alfine import Categorical
from alfine.api.job_words import job_request
from tests.aws.conftest import until

CONFIG = "HyperParameterTuningJobConfig"


@pytest.fixture
def several(make, script):
    """A request with two definitions of the same script: «plain» tunes x and n, «wide» a category only."""

    def several(name, **words):
        request = make(name, **words)
        config, first = request[CONFIG], request.pop("TrainingJobDefinition")
        objective, ranges = config.pop("HyperParameterTuningJobObjective"), config.pop("ParameterRanges")
        other = job_request(name=name, space={"n": Categorical(["3", "7"])}, metric="loss", script=script)
        second = copy.deepcopy(first)
        second["StaticHyperParameters"]["x"] = "5"
        return {
            **request,
            "TrainingJobDefinitions": [
                {**first, "DefinitionName": "plain", "TuningObjective": objective, "HyperParameterRanges": ranges},
                {
                    **second,
                    "DefinitionName": "wide",
                    "TuningObjective": objective,
                    "HyperParameterRanges": other[CONFIG]["ParameterRanges"],
                },
            ],
        }

    return several


def rows(sagemaker, name):
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    found = pages.paginate(HyperParameterTuningJobName=name, SortBy="CreationTime", PaginationConfig={"PageSize": 3})
    return [row for page in found for row in page["TrainingJobSummaries"]]


def test_definitions_share_the_budget_each_with_its_own_hyperparameters(sagemaker, several):
    request = several("one-budget", max_training_jobs=8, max_parallel=2, strategy="Bayesian")
    sagemaker.create_hyper_parameter_tuning_job(**request)
    told = until(sagemaker, "one-budget")
    assert told["HyperParameterTuningJobStatus"] == "Completed"
    assert told["TrainingJobStatusCounters"]["Completed"] == 8
    jobs = rows(sagemaker, "one-budget")
    tuned = {"plain": {"x", "n"}, "wide": {"n"}}
    assert {row["TrainingJobDefinitionName"] for row in jobs} == {"plain", "wide"}
    for row in jobs:
        assert set(row["TunedHyperParameters"]) == tuned[row["TrainingJobDefinitionName"]]
        assert row["FinalHyperParameterTuningJobObjectiveMetric"]["MetricName"] == "loss"
    assert sum(row["TrainingJobDefinitionName"] == "wide" for row in jobs) <= 2, "it has two configurations"

    assert "TrainingJobDefinition" not in told
    assert "ParameterRanges" not in told[CONFIG]
    assert [each["DefinitionName"] for each in told["TrainingJobDefinitions"]] == ["plain", "wide"]
    best = told["BestTrainingJob"]
    assert best["TrainingJobDefinitionName"] == "plain", "x = 5 can't be beaten by any x below 1, whatever n"
    described = sagemaker.describe_training_job(TrainingJobName=jobs[1]["TrainingJobName"])
    assert described["HyperParameters"]["x"] == "5"
    assert described["HyperParameters"]["_tuning_objective_metric"] == "loss"


def test_a_grid_of_several_definitions_is_the_sum_of_their_grids(sagemaker, several):
    request = several("grids", strategy="Grid", max_training_jobs=None)
    first = request["TrainingJobDefinitions"][0]
    grid = job_request(name="g", space={"x": Categorical(["0", "1"]), "n": Categorical(["1", "2"])}, metric="loss")
    first["HyperParameterRanges"] = grid[CONFIG]["ParameterRanges"]
    sagemaker.create_hyper_parameter_tuning_job(**request)
    told = until(sagemaker, "grids")
    assert told[CONFIG]["ResourceLimits"]["MaxNumberOfTrainingJobs"] == 6
    tried = [
        (row["TrainingJobDefinitionName"], *row["TunedHyperParameters"].values()) for row in rows(sagemaker, "grids")
    ]
    assert len(tried) == len(set(tried)) == 6


def test_definitions_with_objectives_of_their_own_get_even_shares_and_the_first_has_the_best(sagemaker, several):
    request = several("unlike", max_training_jobs=6)
    second = request["TrainingJobDefinitions"][1]
    second["HyperParameterRanges"]["CategoricalParameterRanges"][0]["Values"] = ["3", "5", "7"]
    second["TuningObjective"] = {"Type": "Maximize", "MetricName": "loss"}
    sagemaker.create_hyper_parameter_tuning_job(**request)
    told = until(sagemaker, "unlike")
    jobs = rows(sagemaker, "unlike")
    assert [row["TrainingJobDefinitionName"] for row in jobs] == ["plain", "wide"] * 3
    types = {row["FinalHyperParameterTuningJobObjectiveMetric"]["Type"] for row in jobs[1::2]}
    assert types == {"Maximize"}
    value = {row["TrainingJobName"]: row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for row in jobs}
    lowest = min((row for row in jobs[::2]), key=lambda row: value[row["TrainingJobName"]])
    assert told["BestTrainingJob"]["TrainingJobName"] == lowest["TrainingJobName"]


def test_several_definitions_take_no_parents(sagemaker, several):
    parent = several("parent-of-several", max_training_jobs=2)
    sagemaker.create_hyper_parameter_tuning_job(**parent)
    until(sagemaker, "parent-of-several")
    request = several("child")
    names = [{"HyperParameterTuningJobName": "parent-of-several"}]
    request["WarmStartConfig"] = {"WarmStartType": "TransferLearning", "ParentHyperParameterTuningJobs": names}
    with pytest.raises(ClientError, match=": WarmStartConfig: isn't allowed with TrainingJobDefinitions"):
        sagemaker.create_hyper_parameter_tuning_job(**request)


def test_the_list_of_the_cli_has_the_best_that_describe_has(sagemaker, several, cli):
    """Values of the second definition, which are all larger, aren't compared with those of the first."""
    request = several("unlike-too", max_training_jobs=4)
    first, second = request["TrainingJobDefinitions"]
    first["TuningObjective"] = {"Type": "Maximize", "MetricName": "loss"}
    first["HyperParameterRanges"]["IntegerParameterRanges"][0]["MaxValue"] = "2"
    second["TuningObjective"] = {"Type": "Minimize", "MetricName": "loss"}
    sagemaker.create_hyper_parameter_tuning_job(**request)
    best = until(sagemaker, "unlike-too")["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    listed = json.loads(cli("list", "--json"))["HyperParameterTuningJobSummaries"]
    (row,) = [each for each in listed if each["HyperParameterTuningJobName"] == "unlike-too"]
    assert row["BestObjective"] == best < 4


def test_what_several_definitions_may_not_have_is_named_at_once(sagemaker, several, script):
    request = several("refused", early_stopping="Auto")
    first, second = request["TrainingJobDefinitions"]
    second["DefinitionName"] = "plain"
    second["HyperParameterRanges"]["CategoricalParameterRanges"][0]["Name"] = "x"
    second["TuningObjective"] = {"Type": "Minimize", "MetricName": "error"}
    first["StaticHyperParameters"]["sagemaker_program"] = "nowhere.py"
    request[CONFIG]["HyperParameterTuningJobObjective"] = {"Type": "Minimize", "MetricName": "loss"}
    request[CONFIG]["TuningJobCompletionCriteria"] = {"TargetObjectiveMetricValue": 0.5}
    with pytest.raises(ClientError, match="ValidationException") as caught:
        sagemaker.create_hyper_parameter_tuning_job(**request)
    said = caught.value.response["Error"]["Message"]
    for words in (
        "TrainingJobEarlyStoppingType: must be Off with TrainingJobDefinitions",
        "TrainingJobDefinitions[1].DefinitionName: two definitions are called 'plain'",
        "TrainingJobDefinitions[1].StaticHyperParameters.x: this hyperparameter also has a range",
        "TrainingJobDefinitions[1].AlgorithmSpecification.MetricDefinitions: A metric is required",
        "HyperParameterTuningJobObjective: isn't allowed with TrainingJobDefinitions",
        "TargetObjectiveMetricValue: needs one objective, and the definitions have Minimize error, Minimize loss",
    ):
        assert words in said
    with pytest.raises(ClientError, match="ResourceNotFound"):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="refused")

    request = several("refused")
    request["TrainingJobDefinitions"][1]["StaticHyperParameters"]["sagemaker_program"] = "nowhere.py"
    with pytest.raises(
        ClientError, match=r"TrainingJobDefinitions\[1\].StaticHyperParameters.sagemaker_program: there is no"
    ):
        sagemaker.create_hyper_parameter_tuning_job(**request)


def test_the_cli_shows_which_definition_a_training_job_is_of(served, sagemaker, several, cli):
    sagemaker.create_hyper_parameter_tuning_job(**several("shown", max_training_jobs=4))
    until(sagemaker, "shown")
    lines = cli("training-jobs", "shown").splitlines()
    assert lines[0].split()[:3] == ["No.", "Definition", "Status"]
    assert {line.split()[1] for line in lines[1:]} == {"plain", "wide"}
    assert "wide" in cli("describe", "shown")
    assert (
        json.loads(cli("replay", "shown", "--criterion", "MaxNumberOfTrainingJobs 3", "--json"))["Replays"][0][
            "TrainingJobs"
        ]
        == 3
    )
