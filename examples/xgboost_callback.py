"""A callback in XGBoost: it reports how each training goes, and ends those that won't become the best.

    python examples/xgboost_callback.py

One argument of `xgboost.train` is alfine's. The objective trains on scikit-learn's diabetes data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import xgboost
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import alfine

ROUNDS = 200
SPACE = {
    "eta": alfine.Continuous(0.003, 0.5, scaling="Logarithmic"),
    "max_depth": alfine.Integer(1, 8),
    "subsample": alfine.Continuous(0.5, 1),
}


def train(hyperparameters: dict[str, Any], report: Callable[[float, float], bool]) -> float:
    x, y = load_diabetes(return_X_y=True)
    x, x_valid, y, y_valid = train_test_split(x, y, random_state=0)
    found: dict[str, dict[str, list[float]]] = {}
    xgboost.train(
        {"nthread": 1, "eval_metric": "rmse", **hyperparameters},
        xgboost.DMatrix(x, y),
        ROUNDS,
        evals=[(xgboost.DMatrix(x_valid, y_valid), "valid")],
        evals_result=found,
        verbose_eval=False,
        callbacks=[alfine.callbacks.XGBoost(report, rounds=ROUNDS)],
    )
    return found["valid"]["rmse"][-1]


def main() -> None:
    job = alfine.tune(train, SPACE, metric="rmse", early_stopping="Auto", max_training_jobs=30, progress=False)
    stopped = sum(training_job.status == "Stopped" for training_job in job.training_jobs)
    print(f"{stopped} of {len(job.training_jobs)} training jobs were stopped early.")
    print(f"Best: rmse {job.best.objective:.2f}, {job.best.hyperparameters}")


if __name__ == "__main__":
    main()
