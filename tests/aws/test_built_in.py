"""SageMaker's built-in algorithms, by boto3 on a live server: real data, real training, the models loaded again."""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError
from sklearn import datasets, linear_model, metrics

from alfine.runners import sandbox
from tests.aws.conftest import PATIENCE_SECONDS, Served, until
from tests.programs.algorithms.test_recordio import recordio

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
ROLE = "arn:aws:iam::000000000000:role/alfine"
ETA = {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.1", "MaxValue": "0.5"}]}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of their own: other tests count the failed tuning jobs of theirs. It has no engine for containers."""
    home = tmp_path_factory.mktemp("home")
    (home / "alfine.toml").write_text('[run]\nengine = "/nowhere/docker"\n')
    server = Served(home)
    yield server
    server.end()


@pytest.fixture(scope="module")
def sagemaker(served: Served) -> Iterator[Any]:
    client = served.client()
    yield client
    client.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Channels: diabetes and breast cancer as CSV, label first; wine as libsvm, with a weight of 1 at each label."""
    folder = tmp_path_factory.mktemp("channels")
    for name, load in (("diabetes", datasets.load_diabetes), ("cancer", datasets.load_breast_cancer)):
        table = np.column_stack(load(return_X_y=True)[::-1])
        for channel, rows in {"train": table[::2], "validation": table[1::2]}.items():
            (folder / name / channel).mkdir(parents=True)
            np.savetxt(folder / name / channel / "part.csv", rows, delimiter=",")
    features, labels = datasets.load_wine(return_X_y=True)
    for channel, step in {"train": slice(0, None, 2), "validation": slice(1, None, 2)}.items():
        (folder / "wine" / channel).mkdir(parents=True)
        lines = [
            " ".join([f"{label}:1", *(f"{index}:{value}" for index, value in enumerate(row))])
            for label, row in zip(labels[step], features[step], strict=True)
        ]
        (folder / "wine" / channel / "part.libsvm").write_text("\n".join(lines) + "\n")
    return folder


def channel(name: str, folder: Path, content_type: str | None) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": (folder / name).as_uri()}}
    return {"ChannelName": name, "DataSource": source, **({"ContentType": content_type} if content_type else {})}


def request(
    name: str,
    folder: Path,
    static: dict[str, str],
    *,
    metric: str,
    goal: str = "Minimize",
    jobs: int = 1,
    image: str = XGBOOST,
    ranges: dict[str, Any] = ETA,
    content_type: str | None = "text/csv",
    **algorithm: Any,
) -> dict[str, Any]:
    """A CreateHyperParameterTuningJob request as people write it for a built-in algorithm."""
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": goal, "MetricName": metric},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": ranges,
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": static,
            "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File", **algorithm},
            "RoleArn": ROLE,
            "InputDataConfig": [channel(each, folder, content_type) for each in ("train", "validation")],
            "OutputDataConfig": {"S3OutputPath": "s3://models/built-in"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    }


def finished(sagemaker: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Create the tuning job; DescribeTrainingJob of its best training job once it has ended."""
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    told = until(sagemaker, asked["HyperParameterTuningJobName"])
    assert told["HyperParameterTuningJobStatus"] == "Completed", told
    return sagemaker.describe_training_job(TrainingJobName=told["BestTrainingJob"]["TrainingJobName"])


def files_of_model(served: Served, training_job: dict[str, Any]) -> dict[str, bytes]:
    bucket, _, key = training_job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    body = served.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive if each.isfile()}


def booster_of(served: Served, training_job: dict[str, Any]) -> xgboost.Booster:
    booster = xgboost.Booster()
    booster.load_model(bytearray(files_of_model(served, training_job)["xgboost-model"]))
    return booster


def final_metrics(training_job: dict[str, Any]) -> dict[str, float]:
    return {each["MetricName"]: each["Value"] for each in training_job["FinalMetricDataList"]}


def log_of(served: Served, name: str) -> list[str]:
    logs = served.client("logs")
    events = logs.filter_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/")[
        "events"
    ]
    return [event["message"] for event in events]


def refused(sagemaker: Any, asked: dict[str, Any]) -> str:
    """The message; nothing was stored."""
    with pytest.raises(ClientError) as error:
        sagemaker.create_hyper_parameter_tuning_job(**asked)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=asked["HyperParameterTuningJobName"])
    return str(error.value)


# ---- sagemaker-xgboost -------------------------------------------------------------------------------------------------


def test_a_tuning_job_on_the_xgboost_image_needs_neither_script_nor_metric_definitions(served, sagemaker, data):
    ranges = {**ETA, "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "1", "MaxValue": "5"}]}
    asked = request(
        "boost-csv", data / "diabetes", {"num_round": "15"}, metric="validation:rmse", jobs=2, ranges=ranges
    )
    best = finished(sagemaker, asked)
    table = np.loadtxt(data / "diabetes/validation/part.csv", delimiter=",")
    predicted = booster_of(served, best).predict(xgboost.DMatrix(table[:, 1:]))
    told = final_metrics(best)
    assert told["validation:rmse"] == pytest.approx(metrics.root_mean_squared_error(table[:, 0], predicted), abs=1e-4)
    assert told["ObjectiveMetric"] == told["validation:rmse"]
    assert "train:rmse" in told


def test_its_log_has_a_line_a_round_as_aws_writes_them(served, sagemaker, data):
    best = finished(sagemaker, request("boost-log", data / "diabetes", {"num_round": "3"}, metric="validation:rmse"))
    lines = [line for line in log_of(served, best["TrainingJobName"]) if line.startswith("[")]
    assert [line.partition("#011")[0] for line in lines] == ["[0]", "[1]", "[2]"]
    assert all("#011train-rmse:" in line and "#011validation-rmse:" in line for line in lines)


def test_describe_shows_the_metric_definitions_that_the_image_implies(sagemaker, data):
    asked = request("boost-implied", data / "cancer", {"num_round": "1"}, metric="validation:auc", goal="Maximize")
    asked["TrainingJobDefinition"]["StaticHyperParameters"]["objective"] = "binary:logistic"
    finished(sagemaker, asked)
    told = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="boost-implied")
    definitions = told["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"]
    regexes = {each["Name"]: each["Regex"] for each in definitions}
    assert regexes["ObjectiveMetric"] == regexes["validation:auc"]
    assert regexes["validation:auc"].startswith(r".*\[[0-9]+\].*#011validation-auc:(")
    assert len(definitions) <= 40
    # A client that makes a tuner from this job sends them again.
    again = request("boost-again", data / "diabetes", {"num_round": "1"}, metric="validation:rmse")
    again["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"] = definitions[:-1]
    finished(sagemaker, again)


def test_metrics_that_xgboost_lacks_are_those_of_its_model(served, sagemaker, data):
    ours = ("accuracy", "balanced_accuracy", "f1", "f1_binary", "precision", "recall", "mse", "r2")
    static = {"num_round": "4", "objective": "binary:logistic", "eval_metric": ",".join(ours), "max_depth": "2"}
    best = finished(sagemaker, request("boost-ours", data / "cancer", static, metric="validation:f1", goal="Maximize"))
    table = np.loadtxt(data / "cancer/validation/part.csv", delimiter=",")
    scores = booster_of(served, best).predict(xgboost.DMatrix(table[:, 1:]))
    labels, classes = table[:, 0], scores > 0.5
    expected = {
        "accuracy": metrics.accuracy_score(labels, classes),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, classes),
        "f1": metrics.f1_score(labels, classes, average="macro"),
        "f1_binary": metrics.f1_score(labels, classes),
        "precision": metrics.precision_score(labels, classes),
        "recall": metrics.recall_score(labels, classes),
        "mse": metrics.mean_squared_error(labels, scores),
        "r2": metrics.r2_score(labels, scores),
    }
    told = final_metrics(best)
    assert {name: told[f"validation:{name}"] for name in ours} == pytest.approx(expected, abs=1e-4)


def test_libsvm_is_what_a_channel_holds_when_it_says_nothing(served, sagemaker, data):
    static = {"num_round": "5", "objective": "multi:softmax", "num_class": "3"}
    asked = request(
        "boost-svm", data / "wine", static, metric="validation:accuracy", goal="Maximize", content_type=None
    )
    best = finished(sagemaker, asked)
    features, labels = datasets.load_wine(return_X_y=True)
    classes = booster_of(served, best).predict(xgboost.DMatrix(features[1::2]))
    assert final_metrics(best)["validation:accuracy"] == pytest.approx(np.mean(classes == labels[1::2]), abs=1e-4)


def test_csv_weights_are_the_second_column(served, sagemaker, data, tmp_path):
    for channel_name in ("train", "validation"):
        table = np.loadtxt(data / "diabetes" / channel_name / "part.csv", delimiter=",")
        (tmp_path / channel_name).mkdir()
        weights = np.where(table[:, 0] > 200, 0.0, 1.0)  # rows of weight 0 teach nothing
        np.savetxt(tmp_path / channel_name / "part.csv", np.insert(table, 1, weights, axis=1), delimiter=",")
    static = {"num_round": "20", "csv_weights": "1"}
    best = finished(sagemaker, request("boost-weights", tmp_path, static, metric="validation:mae"))
    features = np.loadtxt(data / "diabetes/train/part.csv", delimiter=",")[:, 1:]
    assert booster_of(served, best).predict(xgboost.DMatrix(features)).max() < 205


def test_early_stopping_rounds_end_it_and_keep_the_best_round(served, sagemaker, data):
    static = {"num_round": "500", "early_stopping_rounds": "3", "eta": "0.5"}
    ranges = {"ContinuousParameterRanges": [{"Name": "alpha", "MinValue": "0", "MaxValue": "1"}]}
    asked = request("boost-early", data / "diabetes", static, metric="validation:rmse", ranges=ranges)
    best = finished(sagemaker, asked)
    rounds = [line for line in log_of(served, best["TrainingJobName"]) if line.startswith("[")]
    assert len(rounds) < 100
    assert booster_of(served, best).num_boosted_rounds() == len(rounds) - 3


def test_a_training_job_that_is_stopped_leaves_its_model(served, sagemaker, data):
    asked = request("boost-stop", data / "cancer", {"num_round": "4000000"}, metric="validation:rmse")
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="boost-stop")
        names = [row["TrainingJobName"] for row in rows["TrainingJobSummaries"]]
        if names and any(line.startswith("[") for line in log_of(served, names[0])):
            break
        time.sleep(0.05)
    sagemaker.stop_training_job(TrainingJobName=names[0])
    until(sagemaker, "boost-stop")
    told = sagemaker.describe_training_job(TrainingJobName=names[0])
    assert told["TrainingJobStatus"] == "Stopped"
    assert booster_of(served, told).num_boosted_rounds() > 0


def test_data_that_cannot_be_read_is_the_failure_reason(sagemaker, data, tmp_path):
    for name in ("train", "validation"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.csv").write_text("label,age\n1,2\n3,4\n")
    sagemaker.create_hyper_parameter_tuning_job(
        **request("boost-header", tmp_path, {"num_round": "1"}, metric="validation:rmse")
    )
    until(sagemaker, "boost-header")
    rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="boost-header")
    reason = rows["TrainingJobSummaries"][0]["FailureReason"]
    assert reason.startswith("AlgorithmError: BadInput: line 1 of part.csv isn't all numbers: It looks like a header")


def test_everything_that_the_algorithm_does_not_take_is_told_at_once(sagemaker, data):
    asked = request("boost-bad", data / "diabetes", {"objective": "multi:softmax"}, metric="validation:rmse")
    asked["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["Type"] = "Maximize"
    asked["HyperParameterTuningJobConfig"]["ParameterRanges"] = {
        "ContinuousParameterRanges": [
            {"Name": "learning_rat", "MinValue": "0.1", "MaxValue": "0.5"},
            {"Name": "subsample", "MinValue": "0.5", "MaxValue": "1.5"},
            {"Name": "max_depth", "MinValue": "1", "MaxValue": "5"},
        ],
        "IntegerParameterRanges": [{"Name": "seed", "MinValue": "1", "MaxValue": "5"}],
    }
    definition = asked["TrainingJobDefinition"]
    definition["StaticHyperParameters"] |= {"eval_metric": "auc,rms", "gamma": "-1", "booster": "tree", "nthread": "x"}
    definition["InputDataConfig"] = [channel("validation", data / "diabetes", "application/x-parquet")]
    said = refused(sagemaker, asked)
    for expected in (
        "num_round: xgboost needs this hyperparameter",
        "untunable hyperparameters: [seed]. For xgboost you can tune only [num_round, alpha,",
        "xgboost has no hyperparameter 'learning_rat'. Did you mean learning_rate?",
        "1.5 isn't in the range of subsample",
        "max_depth is Integer and can't have a range of type Continuous",
        "-1 isn't in the range of gamma",
        "'tree' isn't one of gbtree, gblinear, dart",
        "'x' must be a whole number",
        "'rms' isn't a metric of sagemaker-xgboost",
        "multi:softmax needs the number of classes, num_class",
        "Maximize doesn't fit validation:rmse of xgboost. Use Minimize.",
        "xgboost needs the channel 'train'",
        "xgboost can't read application/x-parquet here. Use text/csv or",
    ):
        assert expected in said, expected


def test_an_objective_that_the_image_has_not_is_refused_in_aws_words(sagemaker, data):
    said = refused(sagemaker, request("boost-metric", data / "diabetes", {"num_round": "1"}, metric="validation:rms"))
    assert "A metric is required for this hyperparameter tuning job objective" in said


def test_an_objective_needs_the_channel_that_it_is_measured_on(sagemaker, data):
    asked = request("boost-alone", data / "diabetes", {"num_round": "1"}, metric="validation:rmse")
    asked["TrainingJobDefinition"]["InputDataConfig"].pop()
    assert "validation:rmse is measured on the channel 'validation', which is missing" in refused(sagemaker, asked)


def test_the_metric_definitions_of_a_built_in_algorithm_cannot_be_overridden(sagemaker, data):
    own = [{"Name": "validation:rmse", "Regex": "rmse=(.*)"}]
    asked = request("boost-own", data / "diabetes", {"num_round": "1"}, metric="validation:rmse", MetricDefinitions=own)
    assert "You can't override the metric definitions for Amazon SageMaker algorithms." in refused(sagemaker, asked)


def test_a_script_on_the_xgboost_image_has_the_images_metrics_unless_it_brings_its_own(sagemaker, data, tmp_path):
    (tmp_path / "train.py").write_text(r'print("[0]\ttrain-rmse:9.5\tvalidation-rmse:4.25"); print("mine=3")')
    static = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": f'"{tmp_path.as_uri()}"'}
    best = finished(sagemaker, request("boost-script", data / "diabetes", static, metric="validation:rmse"))
    assert final_metrics(best)["validation:rmse"] == 4.25
    own = [{"Name": "mine", "Regex": "mine=(.*)"}]
    best = finished(sagemaker, request("boost-mine", data / "diabetes", static, metric="mine", MetricDefinitions=own))
    assert final_metrics(best) == {"mine": 3}


def test_an_image_that_nothing_here_runs_is_refused_with_what_would(sagemaker, data):
    said = refused(
        sagemaker,
        request(
            "no-runner",
            data / "diabetes",
            {},
            metric="loss",
            image="acme/train:2",
            MetricDefinitions=[{"Name": "loss", "Regex": "loss=(.*)"}],
        ),
    )
    assert "no runner for image 'acme/train:2'. What works: a script (sagemaker_program" in said
    assert "Add it under [images] in alfine.toml." in said


def test_a_created_algorithm_on_the_xgboost_image_is_held_to_both_specifications(sagemaker, data):
    ranges = {
        "num_round": {"IntegerParameterRangeSpecification": {"MinValue": "1", "MaxValue": "5"}},
        "eta": {"ContinuousParameterRangeSpecification": {"MinValue": "0", "MaxValue": "7"}},
    }
    channels = [
        {"Name": name, "IsRequired": True, "SupportedContentTypes": ["text/csv"], "SupportedInputModes": ["File"]}
        for name in ("train", "validation")
    ]
    specification = {
        "TrainingImage": XGBOOST,
        "SupportedHyperParameters": [
            {"Name": "num_round", "Type": "Integer", "Range": ranges["num_round"], "DefaultValue": "3"},
            {"Name": "eta", "Type": "Continuous", "Range": ranges["eta"], "IsTunable": True},
        ],
        "SupportedTrainingInstanceTypes": ["ml.m5.large"],
        "TrainingChannels": channels,
        "SupportedTuningJobObjectiveMetrics": [{"Type": "Minimize", "MetricName": "validation:rmse"}],
    }
    sagemaker.create_algorithm(AlgorithmName="boost", TrainingSpecification=specification)
    asked = request("boosted", data / "diabetes", {}, metric="validation:rmse")
    asked["TrainingJobDefinition"]["AlgorithmSpecification"] = {"AlgorithmName": "boost", "TrainingInputMode": "File"}
    assert finished(sagemaker, asked)["HyperParameters"]["num_round"] == "3"
    asked["HyperParameterTuningJobName"] = "boosted-bad"
    asked["HyperParameterTuningJobConfig"]["ParameterRanges"] = {
        "ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.1", "MaxValue": "2"}]
    }
    asked["TrainingJobDefinition"]["StaticHyperParameters"] = {"num_round": "6"}
    said = refused(sagemaker, asked)
    assert "6 isn't in the range of num_round, 1 to 5" in said
    assert "2 isn't in the range of eta, 0 to 1" in said


def test_a_training_job_of_its_own_runs_a_built_in_algorithm(served, sagemaker, data):
    asked = request("unused", data / "diabetes", {}, metric="validation:rmse")["TrainingJobDefinition"]
    del asked["StaticHyperParameters"]
    with pytest.raises(ClientError, match="HyperParameters.num_round: xgboost needs this hyperparameter"):
        sagemaker.create_training_job(TrainingJobName="boost-single", HyperParameters={"eta": "0.3"}, **asked)
    sagemaker.create_training_job(TrainingJobName="boost-single", HyperParameters={"num_round": "2"}, **asked)
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    waiter.wait(TrainingJobName="boost-single", WaiterConfig={"Delay": 1})
    told = sagemaker.describe_training_job(TrainingJobName="boost-single")
    assert booster_of(served, told).num_boosted_rounds() == 2
    assert "ObjectiveMetric" not in final_metrics(told)


# ---- linear-learner ----------------------------------------------------------------------------------------------------

LINEAR = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
RATE = {"ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0.05", "MaxValue": "0.2"}]}


def linear(name: str, folder: Path, static: dict[str, str], **words: Any) -> dict[str, Any]:
    return request(name, folder, static, image=LINEAR, **{"ranges": RATE, **words})


def scores_of(served: Served, training_job: dict[str, Any], features: Any) -> tuple[Any, dict[str, Any]]:
    """The model's scores of features, (n, outputs), and the model."""
    model = json.loads(files_of_model(served, training_job)["linear-learner.json"])
    return features @ np.array(model["weights"]).T + np.array(model["bias"]), model


def test_linear_learner_regresses_about_as_well_as_least_squares(served, sagemaker, data):
    static = {"predictor_type": "regressor", "epochs": "60", "mini_batch_size": "50"}
    ranges = {
        **RATE,
        "IntegerParameterRanges": [{"Name": "mini_batch_size", "MinValue": "20", "MaxValue": "100"}],
        "CategoricalParameterRanges": [{"Name": "use_bias", "Values": ["true"]}],
    }
    del static["mini_batch_size"]
    asked = linear("linear-regress", data / "diabetes", static, metric="validation:mse", jobs=2, ranges=ranges)
    best = finished(sagemaker, asked)
    train, validation = (
        np.loadtxt(data / f"diabetes/{part}/part.csv", delimiter=",") for part in ("train", "validation")
    )
    scores, _ = scores_of(served, best, validation[:, 1:])
    told = final_metrics(best)
    mse = metrics.mean_squared_error(validation[:, 0], scores[:, 0])
    assert told["validation:mse"] == pytest.approx(mse) == told["ObjectiveMetric"]
    assert told["validation:objective_loss:final"] == told["validation:mse"]
    exact = linear_model.LinearRegression().fit(train[:, 1:], train[:, 0]).predict(validation[:, 1:])
    assert mse < 1.05 * metrics.mean_squared_error(validation[:, 0], exact)


def test_linear_learner_tells_its_loss_every_epoch(served, sagemaker, data):
    static = {"predictor_type": "binary_classifier", "epochs": "6"}
    best = finished(sagemaker, linear("linear-epochs", data / "cancer", static, metric="validation:objective_loss"))
    lines = log_of(served, best["TrainingJobName"])
    epochs = [line for line in lines if re.search(r"host=algo-1, epoch=\d, validation \S+_objective <loss>=", line)]
    assert len(epochs) == 6
    assert any("validation binary_classification_accuracy <score>=" in line for line in lines)


def test_linear_learner_classifies_with_the_threshold_that_serves_its_criterion(served, sagemaker, data):
    criterion = {"binary_classifier_model_selection_criteria": "precision_at_target_recall", "target_recall": "0.99"}
    static = {"predictor_type": "binary_classifier", "mini_batch_size": "40", **criterion}
    best = finished(
        sagemaker, linear("linear-binary", data / "cancer", static, metric="validation:precision", goal="Maximize")
    )
    table = np.loadtxt(data / "cancer/validation/part.csv", delimiter=",")
    scores, model = scores_of(served, best, table[:, 1:])
    labels, said = table[:, 0], scores[:, 0] > model["threshold"]
    expected = {
        "validation:precision": metrics.precision_score(labels, said),
        "validation:recall": metrics.recall_score(labels, said),
        "validation:binary_f_beta": metrics.f1_score(labels, said),
        "validation:binary_classification_accuracy": metrics.accuracy_score(labels, said),
        "validation:roc_auc_score": metrics.roc_auc_score(labels, scores[:, 0]),
        "validation:objective_loss:final": metrics.log_loss(labels, 1 / (1 + np.exp(-scores[:, 0]))),
    }
    told = final_metrics(best)
    assert {name: told[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert told["validation:recall"] >= 0.99
    assert told["validation:binary_classification_accuracy"] > 0.9


def test_linear_learner_tells_several_classes_apart(served, sagemaker, tmp_path):
    table = np.column_stack(datasets.load_iris(return_X_y=True)[::-1])
    for name, rows in {"train": table[::2], "validation": table[1::2]}.items():
        (tmp_path / name).mkdir()
        np.savetxt(tmp_path / name / "part.csv", rows, delimiter=",")
    static = {
        "predictor_type": "multiclass_classifier",
        "num_classes": "3",
        "mini_batch_size": "10",
        "accuracy_top_k": "2",
    }
    asked = linear("linear-classes", tmp_path, static, metric="validation:multiclass_accuracy", goal="Maximize")
    best = finished(sagemaker, asked)
    scores, _ = scores_of(served, best, table[1::2, 1:])
    labels, classes = table[1::2, 0], scores.argmax(axis=1)
    expected = {
        "validation:multiclass_accuracy": metrics.accuracy_score(labels, classes),
        "validation:multiclass_top_k_accuracy": metrics.top_k_accuracy_score(labels, scores, k=2),
        "validation:macro_f_beta": metrics.f1_score(labels, classes, average="macro"),
        "validation:macro_recall": metrics.recall_score(labels, classes, average="macro"),
        "validation:macro_precision": metrics.precision_score(labels, classes, average="macro"),
        "validation:dcg": metrics.dcg_score(np.eye(3)[labels.astype(int)], scores),
    }
    told = final_metrics(best)
    assert {name: told[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert told["validation:multiclass_accuracy"] > 0.85


def test_everything_that_linear_learner_does_not_take_is_told_at_once(sagemaker, data):
    static = {"predictor_type": "binary_classifier", "wd": "auto", "l1": "some", "loss": "softmax_loss"}
    said = refused(sagemaker, linear("linear-bad", data / "cancer", static, metric="test:mse", content_type=None))
    for expected in (
        "'some' must be a number or 'auto'",
        "'softmax_loss' isn't a loss of binary_classifier. Use auto, logistic, hinge_loss.",
        "a binary_classifier has no test:mse. It has test:objective_loss, test:binary_classification_accuracy,",
        "test:mse is measured on the channel 'test', which is missing",
    ):
        assert expected in said, expected
    assert "wd" not in said
    parquet = linear("linear-parquet", data / "cancer", static, metric="test:mse", content_type="application/x-parquet")
    assert "linear-learner can't read application/x-parquet here. Use text/csv or" in refused(sagemaker, parquet)


def test_a_channel_of_linear_learner_that_says_nothing_holds_recordio(served, sagemaker, data, tmp_path):
    for name in ("train", "validation"):
        table = np.loadtxt(data / "diabetes" / name / "part.csv", delimiter=",")
        (tmp_path / name).mkdir()
        (tmp_path / name / "matrix_0.pbr").write_bytes(b"".join(recordio(row[1:], row[0]) for row in table))
    static = {"predictor_type": "regressor", "mini_batch_size": "50", "feature_dim": "10"}
    best = finished(sagemaker, linear("linear-io", tmp_path, static, metric="validation:mse", content_type=None))
    scores, _ = scores_of(served, best, table[:, 1:])
    assert final_metrics(best)["validation:mse"] == pytest.approx(
        metrics.mean_squared_error(table[:, 0], scores[:, 0]), rel=1e-4
    )


def test_a_built_in_algorithm_has_a_sandbox_where_the_network_is_off(served, sagemaker, data):
    asked = linear("linear-inside", data / "diabetes", {"predictor_type": "regressor"}, metric="validation:mse")
    asked["TrainingJobDefinition"]["EnableNetworkIsolation"] = True
    if sandbox.why_not(network=False):
        assert "can't be cut off from the network" in refused(sagemaker, asked)
    else:
        assert "weights" in scores_of(served, finished(sagemaker, asked), np.zeros((1, 10)))[1]
