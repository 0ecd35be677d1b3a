"""Train one XGBoost regression under SageMaker's training-job contract. It doesn't import alfine.

Hyperparameters come as `--name value`, data from SM_CHANNEL_TRAIN and SM_CHANNEL_VALIDATION (each a folder with one .npz of
`x` (n, d) and `y` (n,)), the model goes to SM_MODEL_DIR, and the metric is printed, so that a regular expression finds it.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import xgboost as xgb

REPORT_EVERY = 10  # rounds between two printed values; the last round is always printed


def read_channel(name: str) -> xgb.DMatrix:
    (path,) = Path(os.environ[f"SM_CHANNEL_{name.upper()}"]).glob("*.npz")
    with np.load(path) as data:
        return xgb.DMatrix(data["x"], data["y"], nthread=threads())


def threads() -> int:
    """Return the number of threads that alfine assigns: several training jobs may run at the same time."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eta", type=float, default=0.3)
    parser.add_argument("--min_child_weight", type=float, default=1.0)
    parser.add_argument("--max_depth", type=int, default=6)
    parser.add_argument("--num_round", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    settings, _ = parser.parse_known_args()  # a service may add hyperparameters of its own

    train, validation = read_channel("train"), read_channel("validation")
    parameters = {
        "objective": "reg:squarederror",
        "tree_method": "hist",
        "eta": settings.eta,
        "min_child_weight": settings.min_child_weight,
        "max_depth": settings.max_depth,
        "seed": settings.seed,
        "nthread": threads(),
    }
    booster = xgb.Booster(parameters, [train, validation])
    for iteration in range(settings.num_round):
        booster.update(train, iteration)
        done = iteration + 1
        if done % REPORT_EVERY == 0 or done == settings.num_round:
            rmse = booster.eval(validation, "validation", iteration).rpartition(":")[2]
            print(f"round {done:4d}  validation:rmse={rmse}", flush=True)

    folder = Path(os.environ.get("SM_MODEL_DIR", "."))
    folder.mkdir(parents=True, exist_ok=True)
    booster.save_model(folder / "model.ubj")


if __name__ == "__main__":
    main()
