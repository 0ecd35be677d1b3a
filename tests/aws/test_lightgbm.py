"""The built-in algorithm lightgbm, by boto3 on a live server. Its package is an extra: without it, the error says how to have it."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from sklearn import metrics

from tests.aws.test_built_in import data, files_of_model, final_metrics, finished, refused, request

__all__ = ["data"]  # a fixture

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/lightgbm:1"
PYTORCH = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:1.9.0-cpu-py38"
IS_HERE = importlib.util.find_spec("lightgbm") is not None
RANGES = {
    "ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0", "MaxValue": "0.3"}],
    "IntegerParameterRanges": [{"Name": "num_leaves", "MinValue": "10", "MaxValue": "100"}],
}


@pytest.fixture(scope="module")
def served(shared_server):
    return shared_server


def asked(name, folder, static, **words):
    return request(name, folder, static, image=IMAGE, ranges=RANGES, **words)


@pytest.mark.skipif(IS_HERE, reason="lightgbm is installed")
def test_without_its_package_the_error_says_how_to_have_it(sagemaker, data):
    said = refused(sagemaker, asked("no-lightgbm", data / "cancer", {}, metric="auc", goal="Maximize"))
    assert "lightgbm needs lightgbm. Run: pip install 'alfine[lightgbm]'" in said


@pytest.mark.skipif(not IS_HERE, reason="lightgbm isn't installed")
def test_its_metrics_are_those_of_its_model(served, sagemaker, data):
    import lightgbm

    static = {"num_boost_round": "15", "metric": "binary_logloss"}
    best = finished(sagemaker, asked("lightgbm", data / "cancer", static, metric="auc", goal="Maximize", jobs=2))
    told = final_metrics(best)
    table = np.loadtxt(data / "cancer/validation/part.csv", delimiter=",")
    booster = lightgbm.Booster(model_str=files_of_model(served, best)["model.txt"].decode())
    assert 0.9 < told["auc"] <= 1
    assert told["ObjectiveMetric"] == told["auc"]
    assert metrics.roc_auc_score(table[:, 0], booster.predict(table[:, 1:])) == pytest.approx(told["auc"], abs=0.02)
    without = asked("lightgbm-alone", data / "diabetes", {"num_boost_round": "5"}, metric="rmse")
    without["TrainingJobDefinition"]["InputDataConfig"].pop()
    assert 20 < final_metrics(finished(sagemaker, without))["rmse"] < 100


def test_what_it_does_not_take_is_told_at_once(sagemaker, data):
    static = {"metric": "multi_error", "boosting": "forest", "num_leaf": "3"}
    said = refused(sagemaker, asked("lightgbm-bad", data / "cancer", static, metric="rmse"))
    for expected in (
        "'forest' isn't one of gbdt, dart",
        "lightgbm has no hyperparameter 'num_leaf'. Did you mean num_leaves?",
        "multi_error is a metric of several classes, and the objective rmse one of regression.",
    ):
        assert expected in said, expected


def test_scripts_of_jumpstart_are_refused_with_what_works_instead(sagemaker, data):
    """A notebook that tunes LightGBM by JumpStart, with a framework's image and a script in a bucket of AWS."""
    where = "s3://jumpstart-cache-prod-us-east-1/source-directory-tarballs/{}/transfer_learning/classification/v1.1.3/sourcedir.tar.gz"
    words = {"metric": "auc", "goal": "Maximize"}
    for model, instead in (
        ("lightgbm", "use the built-in algorithm: a TrainingImage that ends in /lightgbm:1"),
        ("catboost", "copy the archive"),
    ):
        static = {"sagemaker_program": "transfer_learning.py", "sagemaker_submit_directory": where.format(model)}
        asked = request("jumpstart", data / "cancer", static, image=PYTORCH, ranges=RANGES, **words)
        regex = {"Name": "auc", "Regex": r"auc: ([0-9\.]+)"}
        asked["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"] = [regex]
        said = refused(sagemaker, asked)
        assert "is a script of JumpStart" in said
        assert instead in said
