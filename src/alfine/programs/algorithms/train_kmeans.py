"""Trains as the image kmeans does, by scikit-learn. Runs in a training job.

As on AWS, mini-batches first find more centers than are wanted (k · extra_center_factor), and Lloyd's algorithm then reduces those to k.
The channels `train` and `test` have CSV without labels or RecordIO-protobuf, whose labels are ignored. The model is `model/kmeans.npz`: its
array `centers` is (k, features).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans, MiniBatchKMeans

from alfine.programs.algorithms import opt_ml
from alfine.programs.algorithms.channel_tables import unlabelled_table
from alfine.programs.algorithms.kmeans import eval_metrics
from alfine.programs.algorithms.opt_ml import BadInput, Matrix, say

SEED = 0
"""Seed of all random numbers: the same hyperparameters give the same model."""

AUTO_FACTOR = 4
"""extra_center_factor «auto». AWS doesn't document its own."""

AUTO_TRIALS = 10
"""local_lloyd_num_trials «auto»: scikit-learn's former default. AWS doesn't document its own."""

BATCH = 5000
"""Default of mini_batch_size. Source: AWS's documentation, as for the next two."""

LLOYD_ROUNDS = 300
LLOYD_TOLERANCE = 0.0001


def train(texts: dict[str, str]) -> None:
    """Find the centers, print the measures on the channels and write the model to `model/`.

    Args:
        texts: The hyperparameters, which were checked against the algorithm's specification when the job was created.
    """
    width, k = int(texts["feature_dim"]), int(texts["k"])
    data = {name: unlabelled_table(name, width) for name in ("train", "test") if opt_ml.has(name)}
    if k > len(data["train"]):
        raise BadInput(f"k is {k}, and the channel 'train' has {len(data['train'])} records. Use a smaller k.")
    centers = _reduced(texts, k, *_many_centers(texts, k, data["train"]))
    wanted = eval_metrics(texts.get("eval_metrics", ""))
    tuned = texts.get("_tuning_objective_metric", "").rpartition(":")[2]
    for name, table in data.items():
        distances = _squared_distances(table, centers)
        values = {"msd": float(distances.mean()), "ssd": float(distances.sum())}
        for metric in dict.fromkeys(filter(None, (*wanted, tuned))):
            say(f"#quality_metric: host=algo-1, {name} {metric} <loss>={values[metric]}")
    with (opt_ml.model_folder() / "kmeans.npz").open("wb") as file:
        np.savez(file, centers=centers)


def _many_centers(texts: dict[str, str], k: int, table: Matrix) -> tuple[Matrix, Matrix]:
    """More centers than are wanted, and how many records are near each."""
    factor = texts.get("extra_center_factor", "auto")
    many = min(k * (AUTO_FACTOR if factor == "auto" else int(factor)), len(table))
    size = min(int(texts.get("mini_batch_size", BATCH)), len(table))
    method = {"kmeans++": "k-means++"}.get(texts.get("init_method", "random"), "random")
    search = MiniBatchKMeans(many, init=method, batch_size=size, n_init=1, random_state=SEED)
    random = np.random.default_rng(SEED)
    for _ in range(int(texts.get("epochs", "1"))):
        order = random.permutation(len(table))
        for part in np.array_split(order, max(1, len(table) // max(size, many))):
            search.partial_fit(table[part])
    centers: Matrix = search.cluster_centers_
    return centers, np.bincount(search.predict(table), minlength=many).astype(float)


def _reduced(texts: dict[str, str], k: int, centers: Matrix, counts: Matrix) -> Matrix:
    """Return the k centers that Lloyd's algorithm finds among many."""
    used = counts > 0
    centers, counts = (centers[used], counts[used]) if used.sum() >= k else (centers, np.maximum(counts, 1))
    trials = texts.get("local_lloyd_num_trials", "auto")
    method = {"random": "random"}.get(texts.get("local_lloyd_init_method", "kmeans++"), "k-means++")
    lloyd = KMeans(
        k,
        init=method,
        n_init=AUTO_TRIALS if trials == "auto" else int(trials),
        max_iter=int(texts.get("local_lloyd_max_iter", LLOYD_ROUNDS)),
        tol=float(texts.get("local_lloyd_tol", LLOYD_TOLERANCE)),
        random_state=SEED,
    )
    found: Matrix = lloyd.fit(centers, sample_weight=counts).cluster_centers_
    return found


def _squared_distances(table: Matrix, centers: Matrix) -> npt.NDArray[np.float64]:
    """Return the squared distance between each record and the closest center: (n,)."""
    squares = (table**2).sum(axis=1)[:, None] - 2 * table @ centers.T + (centers**2).sum(axis=1)
    closest: npt.NDArray[np.float64] = np.maximum(squares.min(axis=1), 0)
    return closest


if __name__ == "__main__":
    opt_ml.run(train)
