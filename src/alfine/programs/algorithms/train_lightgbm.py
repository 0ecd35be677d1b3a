"""Trains as AWS's algorithm LightGBM does, by the package lightgbm. Runs in a training job.

The channels `train` and `validation` have CSV without a header, the label first. Without `validation` a fifth of the rows is kept for it,
as on AWS. Each round prints its metrics on the validation data. The model is `model/model.txt`, for lightgbm.Booster.
"""

from __future__ import annotations

import os
import signal
from typing import Any

import lightgbm
import numpy as np

from alfine.programs.algorithms import opt_ml
from alfine.programs.algorithms.light_gbm import OF_CLASSES, OF_REGRESSION
from alfine.programs.algorithms.opt_ml import BadInput, Matrix

SEED = 0
"""Of the rows that are kept for validation, and of the bagging."""

DEFAULTS = {
    "learning_rate": "0.1",
    "num_leaves": "64",
    "feature_fraction": "0.9",
    "bagging_fraction": "0.9",
    "bagging_freq": "1",
    "max_depth": "6",
    "min_data_in_leaf": "3",
}
"""Default values. Source: AWS's documentation, as for the next two."""

ROUNDS = 100
PATIENCE = 10
"""Rounds without an improvement after which the training ends."""

KEPT_SHARE = 0.2
"""The share of the training data that is kept for validation where there is no such channel."""

MOST_CLASSES = 20
"""Labels that are whole numbers are classes up to this many; where a metric says what they are, it counts."""

NOT_LIGHTGBMS = ("num_boost_round", "early_stopping_rounds", "metric", "use_dask", "_tuning_objective_metric")
"""Hyperparameters that lightgbm itself gets in another way."""


def train(texts: dict[str, str]) -> None:
    """Train a model and write it to `model/`.

    Args:
        texts: The hyperparameters, which were checked against the algorithm's specification when the job was created.
    """
    table, held_out = _data()
    metrics = _metrics(texts)
    parameters = _parameters(texts) | _task(metrics, table[:, 0]) | ({"metric": metrics} if metrics else {})
    training = lightgbm.Dataset(table[:, 1:], table[:, 0])
    report = _Report()
    booster = lightgbm.train(
        parameters,
        training,
        num_boost_round=int(texts.get("num_boost_round", ROUNDS)),
        valid_sets=[lightgbm.Dataset(held_out[:, 1:], held_out[:, 0], reference=training)],
        callbacks=[report, lightgbm.early_stopping(int(texts.get("early_stopping_rounds", PATIENCE)), verbose=False)],
    )
    booster.save_model(opt_ml.model_folder() / "model.txt")


def _data() -> tuple[Matrix, Matrix]:
    table = opt_ml.read_csv("train")
    if table.shape[1] < 2:
        raise BadInput("the channel 'train' has one column; it needs a label and features.")
    if opt_ml.has("validation"):
        held_out = opt_ml.read_csv("validation")
        if held_out.shape[1] != table.shape[1]:
            raise BadInput(f"'train' has {table.shape[1]} columns, and 'validation' {held_out.shape[1]}.")
        return table, held_out
    order = np.random.default_rng(SEED).permutation(len(table))
    kept = max(1, round(KEPT_SHARE * len(table)))
    return table[order[kept:]], table[order[:kept]]


def _metrics(texts: dict[str, str]) -> list[str]:
    """Return the metric in the hyperparameters and the tuning job's objective metric, each once; none stands for the task's own."""
    names = [texts.get("metric", "auto"), texts.get("_tuning_objective_metric", "")]
    return list(dict.fromkeys(name for name in names if name not in ("", "auto")))


def _parameters(texts: dict[str, str]) -> dict[str, Any]:
    given = {
        name: text for name, text in texts.items() if not name.startswith("sagemaker_") and name not in NOT_LIGHTGBMS
    }
    return {"num_threads": os.environ.get("SM_NUM_CPUS", "1"), "verbosity": "-1", "seed": SEED, **DEFAULTS, **given}


def _task(metrics: list[str], labels: Matrix) -> dict[str, Any]:
    """Return the objective of lightgbm, by the metrics or else by the labels."""
    classes = np.unique(labels)
    whole = bool((classes == classes.astype(int)).all()) and len(classes) <= MOST_CLASSES
    if any(metric in OF_REGRESSION for metric in metrics) or (not metrics and not whole):
        return {"objective": "regression"}
    if any(metric in OF_CLASSES for metric in metrics) or len(classes) > 2:
        return {"objective": "multiclass", "num_class": int(classes.max()) + 1}
    return {"objective": "binary"}


class _Report:
    """Prints each round as lightgbm does. After a SIGTERM it ends the training after the round, so that the model is saved."""

    order = 10  # lightgbm's attribute: callbacks with a lower number are called first

    def __init__(self) -> None:
        self._asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self._asked = True

    def __call__(self, env: Any) -> None:
        values = "\t".join(f"{data}'s {metric}: {value:.6g}" for data, metric, value, *_ in env.evaluation_result_list)
        print(f"[{env.iteration + 1}]\t{values}", flush=True)  # noqa: T201
        if self._asked:
            raise lightgbm.callback.EarlyStopException(env.iteration, env.evaluation_result_list)


if __name__ == "__main__":
    opt_ml.run(train)
