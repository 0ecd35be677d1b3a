"""The built-in algorithms knn and kmeans, by boto3 on a live server, beside scikit-learn."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import cluster, datasets, neighbors

from tests.aws.test_built_in import channel, files_of_model, final_metrics, finished, refused, request
from tests.programs.algorithms.test_recordio import recordio

REGISTRY = "382416733822.dkr.ecr.us-east-1.amazonaws.com"
K = {"IntegerParameterRanges": [{"Name": "k", "MinValue": "3", "MaxValue": "9"}]}
EPOCHS = {"IntegerParameterRanges": [{"Name": "epochs", "MinValue": "1", "MaxValue": "10"}]}
CLASSIFIER = {"predictor_type": "classifier", "feature_dim": "4", "sample_size": "500"}


@pytest.fixture(scope="module")
def served(shared_server):
    return shared_server


@pytest.fixture(scope="module")
def iris() -> dict[str, np.ndarray]:
    table = np.column_stack(datasets.load_iris(return_X_y=True)[::-1])
    return {"train": table[::2], "test": table[1::2]}


@pytest.fixture
def csv(iris, tmp_path: Path) -> Path:
    for name, table in iris.items():
        (tmp_path / name).mkdir()
        np.savetxt(tmp_path / name / "part.csv", table, delimiter=",")
    return tmp_path


def asked(
    name: str, image: str, folder: Path, static: dict[str, str], content_type: str | None = "text/csv", **words: Any
) -> dict[str, Any]:
    whole = request(name, folder, static, image=f"{REGISTRY}/{image}:1", **words)
    channels = [channel(each, folder, content_type) for each in ("train", "test")]
    whole["TrainingJobDefinition"]["InputDataConfig"] = channels
    return whole


def test_knn_classifies_as_scikit_learn_does(served, sagemaker, csv, iris):
    best = finished(sagemaker, asked("knn", "knn", csv, CLASSIFIER, metric="test:accuracy", goal="Maximize", ranges=K))
    k = int(best["HyperParameters"]["k"])
    model = neighbors.KNeighborsClassifier(k, algorithm="brute").fit(iris["train"][:, 1:], iris["train"][:, 0])
    accuracy = model.score(iris["test"][:, 1:], iris["test"][:, 0])
    assert final_metrics(best) == {
        name: pytest.approx(accuracy, abs=0.015) for name in ("test:accuracy", "ObjectiveMetric")
    }
    kept = np.load(io.BytesIO(files_of_model(served, best)["knn.npz"]))
    assert kept["features"].shape == (75, 4)
    assert sorted(kept["labels"]) == sorted(iris["train"][:, 0])


@pytest.mark.parametrize("metric", ["COSINE", "INNER_PRODUCT"])
def test_knn_regresses_with_each_metric_and_fewer_dimensions(served, sagemaker, csv, iris, metric):
    reduced = {"dimension_reduction_type": "sign", "dimension_reduction_target": "3", "index_type": "faiss.IVFFlat"}
    static = {**CLASSIFIER, "predictor_type": "regressor", "sample_size": "60", "index_metric": metric, **reduced}
    best = finished(sagemaker, asked(f"knn-{metric[0]}", "knn", csv, static, metric="test:mse", ranges=K))
    model = np.load(io.BytesIO(files_of_model(served, best)["knn.npz"]))
    index, tested = model["features"], iris["test"][:, 1:] @ model["projection"]
    assert index.shape == (60, 3)
    scores = tested @ index.T / (np.linalg.norm(index, axis=1) if metric == "COSINE" else 1)
    nearest = np.argsort(-scores, axis=1)[:, : int(best["HyperParameters"]["k"])]
    mse = np.mean((model["labels"][nearest].mean(axis=1) - iris["test"][:, 0]) ** 2)
    assert final_metrics(best)["test:mse"] == pytest.approx(mse, abs=1e-3)


def test_everything_that_knn_does_not_take_is_told_at_once(sagemaker, csv):
    static = {
        "predictor_type": "classifier",
        "feature_dim": "4",
        "dimension_reduction_type": "fjlt",
        "dimension_reduction_target": "4",
    }
    wrong = asked("knn-bad", "knn", csv, static, metric="test:mse", ranges=K)
    wrong["TrainingJobDefinition"]["InputDataConfig"].pop()
    said = refused(sagemaker, wrong)
    for expected in (
        "sample_size: knn needs this hyperparameter",
        "4 must be below feature_dim, 4",
        "test:mse is measured on the channel 'test', which is missing",
        "a classifier has no test:mse. It has test:accuracy.",
    ):
        assert expected in said, expected


def test_kmeans_finds_clusters_about_as_tight_as_scikit_learns(served, sagemaker, iris, tmp_path):
    for name, table in iris.items():  # its labels are ignored
        (tmp_path / name).mkdir()
        (tmp_path / name / "matrix_0.pbr").write_bytes(b"".join(recordio(row[1:], row[0]) for row in table))
    static = {"k": "3", "feature_dim": "4", "extra_center_factor": "5", "eval_metrics": '["msd", "ssd"]'}
    best = finished(
        sagemaker, asked("kmeans", "kmeans", tmp_path, static, None, metric="test:msd", ranges=EPOCHS, jobs=2)
    )
    told = final_metrics(best)
    exact = cluster.KMeans(3, n_init=10, random_state=0).fit(iris["train"][:, 1:])
    assert told["test:ssd"] == pytest.approx(75 * told["test:msd"])
    assert told["test:msd"] < 1.1 * -exact.score(iris["test"][:, 1:]) / 75
    assert np.load(io.BytesIO(files_of_model(served, best)["kmeans.npz"]))["centers"].shape == (3, 4)


def test_kmeans_reads_csv_without_labels_and_says_what_is_wrong(sagemaker, csv):
    ranges = {"CategoricalParameterRanges": [{"Name": "init_method", "Values": ["kmeans++", "random"]}]}
    static = {"k": "3", "feature_dim": "5", "mini_batch_size": "20"}
    best = finished(sagemaker, asked("kmeans-csv", "kmeans", csv, static, metric="test:msd", ranges=ranges))
    assert best["HyperParameters"]["init_method"] in ("kmeans++", "random")
    wrong = asked("kmeans-bad", "kmeans", csv, {"feature_dim": "5", "eval_metrics": "msd"}, metric="test:msd", ranges=K)
    said = refused(sagemaker, wrong)
    assert "untunable hyperparameters: [k]" in said
    assert "'msd' must be a JSON list of msd, ssd" in said
