"""Train XGBoost on scikit-learn's diabetes data and print the validation metric each round."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import xgboost as xgb
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split


class Report(xgb.callback.TrainingCallback):
    """Print the metric after every round; early stopping compares training jobs round by round."""

    def after_iteration(self, model: object, epoch: int, evals_log: dict) -> bool:  # noqa: ARG002 - XGBoost's signature
        print(f"round {epoch + 1}  validation:rmse={evals_log['validation']['rmse'][-1]}", flush=True)
        return False


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--eta", type=float, default=0.3)
    parser.add_argument("--max_depth", type=int, default=6)
    parser.add_argument("--subsample", type=float, default=1.0)
    parser.add_argument("--num_round", type=int, default=100)
    settings, _ = parser.parse_known_args()

    x, y = load_diabetes(return_X_y=True)
    x_train, x_validation, y_train, y_validation = train_test_split(x, y, test_size=0.3, random_state=0)
    parameters = {
        "objective": "reg:squarederror",
        "eta": settings.eta,
        "max_depth": settings.max_depth,
        "subsample": settings.subsample,
        "seed": 0,
        "nthread": int(os.environ.get("OMP_NUM_THREADS", "1")),
    }
    booster = xgb.train(
        parameters,
        xgb.DMatrix(x_train, y_train),
        settings.num_round,
        evals=[(xgb.DMatrix(x_validation, y_validation), "validation")],
        verbose_eval=False,
        callbacks=[Report()],
    )
    folder = Path(os.environ.get("SM_MODEL_DIR", "."))
    folder.mkdir(parents=True, exist_ok=True)
    booster.save_model(folder / "model.ubj")


if __name__ == "__main__":
    main()
