"""alfine inside of Ray Tune: its search, its early stopping, and a criterion that ends the experiment.

    pip install alfine 'ray[tune]' scikit-learn
    python examples/ray_tune.py

Two arguments are alfine's: the searcher and its stopper. The trials train a ridge regression step by step.
"""

from __future__ import annotations

from typing import Any

from ray import tune
from sklearn.datasets import load_diabetes
from sklearn.linear_model import SGDRegressor
from sklearn.model_selection import train_test_split

import alfine

TRIALS = 60


def train(config: dict[str, Any]) -> None:
    x, y = load_diabetes(return_X_y=True, scaled=True)
    x, x_valid, y, y_valid = train_test_split(x * 20, y, random_state=0)
    model = SGDRegressor(alpha=config["alpha"], eta0=config["eta0"], random_state=0)
    for _ in range(10):
        model.partial_fit(x, y)
        tune.report({"rmse": float(((model.predict(x_valid) - y_valid) ** 2).mean() ** 0.5)})


def main() -> None:
    search = alfine.raytune.RaySearch(criteria="BestObjectiveNotImproving 8", num_samples=TRIALS, early_stopping="Auto")
    tuner = tune.Tuner(
        train,
        param_space={"alpha": tune.loguniform(1e-6, 1), "eta0": tune.loguniform(1e-5, 1e-1)},
        tune_config=tune.TuneConfig(
            metric="rmse", mode="min", search_alg=search, num_samples=TRIALS, max_concurrent_trials=2
        ),
        run_config=tune.RunConfig(stop=search.stopper, verbose=0),
    )
    results = tuner.fit()
    print(f"{len(results)} of {TRIALS} trials: {search.verdict.sentence}")
    best = results.get_best_result()
    print(f"Best: rmse {best.metrics['rmse']:.2f}, {best.config}")


if __name__ == "__main__":
    main()
