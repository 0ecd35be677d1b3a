"""Tune a Python function: each training job of the tuning job is a call of the function.

    python examples/function.py

The tuning job is recorded under ALFINE_HOME (~/.alfine). Ctrl-C stops it cleanly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

import alfine

EPOCHS = 15
SPACE = {
    "alpha": alfine.Continuous(1e-7, 1, scaling="Logarithmic"),
    "eta0": alfine.Continuous(1e-4, 1, scaling="Logarithmic"),
    "penalty": alfine.Categorical(["l2", "l1", "elasticnet"]),
}


def accuracy(hyperparameters: dict[str, Any], report: Callable[[float, float], bool]) -> float:
    """Train a linear classifier of digits. After each epoch, report its accuracy; the report returns True when alfine stops the training job."""
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16, y, random_state=0)
    model = SGDClassifier(learning_rate="constant", random_state=0, **hyperparameters)
    score = 0.0
    for epoch in range(1, EPOCHS + 1):
        model.partial_fit(x_train, y_train, classes=range(10))
        score = float(model.score(x_test, y_test))
        if report(epoch, score):
            break
    return score


def main() -> None:
    job = alfine.tune(
        accuracy,
        SPACE,
        metric="accuracy",
        goal="Maximize",
        criteria=[alfine.TargetObjectiveMetricValue(0.98), alfine.BestObjectiveNotImproving(15)],
        max_training_jobs=100,
        early_stopping="Auto",
        seed=0,
    )
    print(f"{job.name}: {job.status} after {len(job.training_jobs)} training jobs. {job.verdict.sentence}")
    if job.best is not None:
        print(f"Best: training job {job.best.number}, accuracy {job.best.objective:.4f}, {job.best.hyperparameters}")


if __name__ == "__main__":
    main()
