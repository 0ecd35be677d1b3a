"""Trains as the image knn does: a sample of the training data, searched exactly, by scikit-learn. Runs in a training job.

The channels `train` and `test` have CSV (the label first) or RecordIO-protobuf. The model is `model/knn.npz`: features, labels and the
projection, if the dimensions were reduced. AWS's index types only make the search faster; here all of them search exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

from alfine.programs.algorithms import opt_ml
from alfine.programs.algorithms.channel_tables import labelled_table
from alfine.programs.algorithms.opt_ml import BadInput, Matrix, say

SEED = 0
"""Seed of the sample and of the projection: the same hyperparameters give the same model."""

BATCH = 5000
"""Rows that are searched at a time. Source: AWS's default of mini_batch_size."""


def train(texts: dict[str, str]) -> None:
    """Sample the training data, write the model to `model/` and print its metric on the channel `test`.

    Args:
        texts: The hyperparameters, which were checked against the algorithm's specification when the job was created.
    """
    random = np.random.default_rng(SEED)
    width = int(texts["feature_dim"])
    features, labels = labelled_table("train", width)
    size = min(int(texts["sample_size"]), len(labels))
    rows = np.sort(random.permutation(len(labels))[:size])
    features, labels = features[rows], labels[rows]
    projection = _projection(texts, width, random)
    k = int(texts["k"])
    if k > size:
        raise BadInput(f"k is {k}, and the sample has {size} rows. Use a smaller k or a larger sample_size.")
    if texts.get("index_type", "faiss.Flat") != "faiss.Flat":
        say(f"{texts['index_type']} searches approximately on AWS. Here the search is exact.")
    index = _projected(features, projection)
    model = {"features": index, "labels": labels, **({} if projection is None else {"projection": projection})}
    with (opt_ml.model_folder() / "knn.npz").open("wb") as file:
        np.savez(file, **dict[str, Any](model))
    if opt_ml.has("test"):
        tested, truth = labelled_table("test", width)
        found = _neighbours(index, _projected(tested, projection), k, texts.get("index_metric", "L2"))
        _tell(texts["predictor_type"], labels[found], truth)


def _tell(kind: str, neighbours: Matrix, truth: Matrix) -> None:
    """Print the metric on the test data. neighbours: (n, k), the labels of each record's neighbours."""
    if kind == "regressor":
        mse = float(np.mean((neighbours.mean(axis=1) - truth) ** 2))
        say(f"#quality_metric: host=algo-1, test mse <loss>={mse}")
        return
    classes, places = np.unique(neighbours, return_inverse=True)
    votes = np.stack([(places.reshape(neighbours.shape) == one).sum(axis=1) for one in range(len(classes))], axis=1)
    accuracy = float(np.mean(classes[votes.argmax(axis=1)] == truth))
    say(f"#quality_metric: host=algo-1, test accuracy <score>={accuracy}")


def _projection(texts: dict[str, str], width: int, random: np.random.Generator) -> Matrix | None:
    """Return a random projection (width, target) that keeps distances, or None."""
    kind = texts.get("dimension_reduction_type")
    if kind is None:
        return None
    shape = (width, int(texts["dimension_reduction_target"]))
    signs: Matrix = random.choice([-1.0, 1.0], shape) if kind == "sign" else random.normal(size=shape)
    scaled: Matrix = signs / np.sqrt(shape[1])
    return scaled


def _projected(features: Matrix, projection: Matrix | None) -> Matrix:
    return features if projection is None else features @ projection


def _neighbours(index: Matrix, asked: Matrix, k: int, metric: str) -> npt.NDArray[np.int64]:
    """Return the rows of the k nearest neighbours in the index: (len(asked), k)."""
    if metric == "INNER_PRODUCT":
        parts = [
            np.argpartition(-(asked[start : start + BATCH] @ index.T), k - 1, axis=1)[:, :k]
            for start in range(0, len(asked), BATCH)
        ]
        return np.concatenate(parts)
    search = NearestNeighbors(n_neighbors=k, metric="cosine" if metric == "COSINE" else "euclidean").fit(index)
    found: npt.NDArray[np.int64] = search.kneighbors(asked, return_distance=False)
    return found


if __name__ == "__main__":
    opt_ml.run(train)
