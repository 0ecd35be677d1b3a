"""What AWS's public notebooks send to built-in algorithms, by boto3 on a live server."""

from __future__ import annotations

import numpy as np
import pytest

from tests.aws.test_built_in import booster_of, data, final_metrics, finished, log_of, refused, request

__all__ = ["data"]  # a fixture


@pytest.fixture(scope="module")
def served(shared_server):
    return shared_server


def test_booleans_of_pandas_and_ranges_from_an_open_bound(served, sagemaker, data, tmp_path):
    for name in ("train", "validation"):
        table = np.loadtxt(data / "cancer" / name / "part.csv", delimiter=",")
        lines = [f"{row[0]:.0f},{row[1] > 14},{row[2]},{row[3] > 90}" for row in table]
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.csv").write_text("\n".join(lines) + "\n")
    names = ("eta", "colsample_bytree", "subsample")
    ranges = {"ContinuousParameterRanges": [{"Name": name, "MinValue": "0", "MaxValue": "1"} for name in names]}
    static = {"num_round": "5", "objective": "binary:logistic"}
    asked = request("pandas", tmp_path, static, metric="validation:auc", goal="Maximize", jobs=2, ranges=ranges)
    best = finished(sagemaker, asked)
    assert final_metrics(best)["validation:auc"] > 0.8
    assert booster_of(served, best).num_features() == 3
    told = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="pandas")
    shown = told["HyperParameterTuningJobConfig"]["ParameterRanges"]["ContinuousParameterRanges"]
    assert shown == ranges["ContinuousParameterRanges"]


def test_an_image_that_cannot_run_here_is_named_first(sagemaker, data):
    registry = "811284229777.dkr.ecr.us-east-1.amazonaws.com"
    image = f"{registry}/image-classification:1"
    asked = request(
        "classify", data / "cancer", {"epochs": "3"}, metric="validation:accuracy", goal="Maximize", image=image
    )
    said = refused(sagemaker, asked)
    assert said.partition("TrainingImage: ")[2].startswith(
        f"image '{image}' is AWS's built-in algorithm image-classification, which alfine doesn't have. It has those of the images sagemaker-xgboost"
    )
    assert "A metric is required" not in said
    said = refused(sagemaker, request("acme", data / "cancer", {}, metric="loss", image="acme/train:2"))
    assert "TrainingImage: no runner for image 'acme/train:2'." in said
    assert "A metric is required" not in said


def test_several_instances_train_once_on_all_the_data(served, sagemaker, data, tmp_path):
    for name in ("train", "validation"):
        table = np.loadtxt(data / "cancer" / name / "part.csv", delimiter=",")
        (tmp_path / name).mkdir()
        np.savetxt(tmp_path / name / "a.csv", table[::2], delimiter=",")
        np.savetxt(tmp_path / name / "b.csv", table[1::2], delimiter=",")
    static = {"num_round": "3", "objective": "binary:logistic"}
    asked = request("hosts", tmp_path, static, metric="validation:logloss")
    alone = request("host", tmp_path, static, metric="validation:logloss")
    asked["TrainingJobDefinition"]["ResourceConfig"]["InstanceCount"] = 2
    for channel in asked["TrainingJobDefinition"]["InputDataConfig"]:
        channel["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    for one in (asked, alone):
        one["HyperParameterTuningJobConfig"]["RandomSeed"] = 5
    best = finished(sagemaker, asked)
    assert best["ResourceConfig"]["InstanceCount"] == 2
    lines = log_of(served, best["TrainingJobName"])
    assert lines.count("The request has 2 instances. Here one trains, once, on all the data.") == 1
    assert len([line for line in lines if line.startswith("[")]) == 3
    assert final_metrics(finished(sagemaker, alone)) == final_metrics(best)
    assert not [*served.home.rglob("parsed")]  # removed at the end


def test_a_script_of_the_containers_finds_their_modules(served, sagemaker, data, tmp_path):
    (tmp_path / "train.py").write_text(
        """
import argparse, os
import xgboost
from sagemaker_containers import training_env
from sagemaker_xgboost_container.data_utils import get_dmatrix
from smdebug.xgboost import Hook
parser = argparse.ArgumentParser()
parser.add_argument("--eta", type=float)
train = get_dmatrix(os.environ["SM_CHANNEL_TRAIN"], "csv")
assert training_env().channel_input_dirs["train"] == os.environ["SM_CHANNEL_TRAIN"]
booster = xgboost.train(vars(parser.parse_args()), train, 2, evals=[(train, "validation")], callbacks=[Hook()])
booster.save_model(os.path.join(os.environ["SM_MODEL_DIR"], "xgboost-model.json"))
"""
    )
    static = {"sagemaker_program": "train.py", "sagemaker_submit_directory": tmp_path.as_uri()}
    best = finished(sagemaker, request("container-modules", data / "diabetes", static, metric="validation:rmse"))
    assert final_metrics(best)["validation:rmse"] > 0
