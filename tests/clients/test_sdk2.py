"""The SageMaker SDK 2 as it comes from the package index."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from tests.missing import package

EVERY_JOB_COUNTED = {"InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}


def test_a_tuner_is_fitted_described_analysed_and_attached(flow):
    told = flow("sdk2", "sdk2_first.py")
    assert told["bucket"] == "sagemaker-us-east-1-000000000000"
    assert told["role"] == "arn:aws:iam::000000000000:role/alfine"
    assert told["uploaded"] == f"s3://{told['bucket']}/data/train"
    assert told["status"] == "Completed"
    assert told["counters"] == {"Completed": 4, **EVERY_JOB_COUNTED}
    rows = {row["TrainingJobName"]: row for row in told["rows"]}
    assert len(rows) == 4
    best = min(rows.values(), key=lambda row: row["FinalObjectiveValue"])
    assert told["best"] == told["best_attached"] == best["TrainingJobName"]
    assert best["optimizer"] == '"adam"'
    assert best["FinalObjectiveValue"] == pytest.approx((best["lr"] - 0.1) ** 2 + 0.25, abs=1e-6)
    assert float(told["best_hyperparameters"]["lr"]) == pytest.approx(best["lr"])
    assert told["best_hyperparameters"]["epochs"] == "4"
    assert told["model"] == f"s3://{told['bucket']}/{told['best']}/output/model.tar.gz"
    assert told["downloaded"] == ["model.tar.gz"]


@pytest.mark.clients
def test_every_strategy_and_every_criterion(flow):
    told = flow("sdk2", "sdk2_searches.py")
    assert {name: each["HyperParameterTuningJobStatus"] for name, each in told.items()} == dict.fromkeys(
        told, "Completed"
    )
    strategies = {name: each["HyperParameterTuningJobConfig"]["Strategy"] for name, each in told.items()}
    assert [strategies[name] for name in ("random", "bayesian", "grid", "hyperband")] == [
        "Random",
        "Bayesian",
        "Grid",
        "Hyperband",
    ]
    completed = {name: each["TrainingJobStatusCounters"]["Completed"] for name, each in told.items()}
    assert (completed["random"], completed["grid"], completed["runtime"]) == (6, 4, 3)
    for name in ("target", "plateau", "converged"):
        limit = told[name]["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"]
        assert completed[name] < limit, name
    target = told["target"]["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    assert target <= 0.9
    assert told["plateau"]["TuningJobCompletionDetails"]["NumberOfTrainingJobsObjectiveNotImproving"] >= 3
    assert told["grid"]["BestTrainingJob"]["TunedHyperParameters"] == {"lr": '"0.1"', "optimizer": '"adam"'}
    assert sum(told["hyperband"]["TrainingJobStatusCounters"].values()) == 6


@pytest.mark.clients
def test_a_tuning_job_is_stopped_and_awaited(flow):
    told = flow("sdk2", "sdk2_stop.py")
    assert told["HyperParameterTuningJobStatus"] == "Stopped"
    assert told["TrainingJobStatusCounters"]["Stopped"] == 1


@pytest.mark.clients
def test_tuning_jobs_begin_with_what_others_found(flow):
    told = flow("sdk2", "sdk2_warm_start.py")
    parent = told["parent"]["HyperParameterTuningJobName"]
    assert told["attached_parents"] == [parent]
    for kind, child in told["children"].items():
        assert child["HyperParameterTuningJobStatus"] == "Completed", kind
        parents = child["WarmStartConfig"]["ParentHyperParameterTuningJobs"]
        assert parents == [{"HyperParameterTuningJobName": parent}], kind
        assert child["TrainingJobStatusCounters"]["Completed"] == 3, kind
    assert "OverallBestTrainingJob" in told["children"]["identical"]


@pytest.mark.clients
def test_autotune_finds_the_ranges(flow):
    told = flow("sdk2", "sdk2_autotune.py")
    assert told["told"]["HyperParameterTuningJobStatus"] == "Completed"
    assert told["told"]["Autotune"] == {"Mode": "Enabled"}
    assert {"lr", "layers"} <= set(told["columns"])
    assert told["told"]["TrainingJobDefinition"]["StaticHyperParameters"]["epochs"] == "2"


@pytest.mark.clients
def test_several_estimators_share_a_tuning_job(flow):
    told = flow("sdk2", "sdk2_several.py")
    assert told["told"]["HyperParameterTuningJobStatus"] == "Completed"
    assert set(told["definitions"]) == {"linear", "deep"}
    assert len(told["definitions"]) == 6
    assert told["attached"] == ["deep", "linear"]
    assert told["best"] == told["told"]["BestTrainingJob"]["TrainingJobName"]
    assert told["told"]["BestTrainingJob"]["TrainingJobDefinitionName"] in ("deep", "linear")


@pytest.mark.clients
def test_one_training_job_is_fitted_with_its_log(flow):
    told = flow("sdk2", "sdk2_estimator.py")
    assert told["told"]["TrainingJobStatus"] == "Completed"
    assert told["model"] == told["attached"]
    assert told["model"].startswith("s3://alone/")
    assert all(before >= after for before, after in pairwise(told["metrics"]))
    assert json.loads(told["told"]["HyperParameters"]["sagemaker_program"]) == "train.py"


@pytest.mark.clients
def test_the_built_in_xgboost_is_tuned(flow):
    package("xgboost")
    told = flow("sdk2", "sdk2_built_in.py")
    assert told["told"]["HyperParameterTuningJobStatus"] == "Completed"
    assert told["told"]["TrainingJobStatusCounters"]["Completed"] == 4
    assert {"eta", "max_depth"} <= set(told["columns"])
    assert told["told"]["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] < told["spread"]
    assert told["files"] == ["xgboost-model"]
