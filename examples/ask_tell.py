"""alfine.Tuner in your own training loop: it suggests configurations, takes results, and says when to stop.

    python examples/ask_tell.py

A Tuner stores nothing and starts nothing: the loop trains, here a support-vector regression on scikit-learn's diabetes data.
"""

from __future__ import annotations

from typing import Any

from sklearn.datasets import load_diabetes
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

import alfine

SPACE = {
    "C": alfine.Continuous(0.1, 10_000, scaling="Logarithmic"),
    "gamma": alfine.Continuous(1e-5, 1, scaling="Logarithmic"),
}


def train(hyperparameters: dict[str, Any]) -> float:
    x, y = load_diabetes(return_X_y=True)
    model = make_pipeline(StandardScaler(), SVR(**hyperparameters))
    return float(-cross_val_score(model, x, y, scoring="neg_root_mean_squared_error").mean())


def main() -> None:
    tuner = alfine.Tuner(
        SPACE, goal="Minimize", metric="rmse", criteria=[alfine.BestObjectiveNotImproving(10)], max_training_jobs=100
    )
    while training_job := tuner.ask():
        verdict = tuner.tell(training_job, train(training_job.hyperparameters))
        print(f"{training_job.number:3d}  rmse {training_job.objective:.4f}  {verdict.sentence}")
    assert tuner.best is not None
    print(f"Best: training job {tuner.best.number}, rmse {tuner.best.objective:.4f}, {tuner.best.hyperparameters}")


if __name__ == "__main__":
    main()
