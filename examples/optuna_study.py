"""alfine inside of an Optuna study: its search, its early stopping, and a callback that says when to stop.

    python examples/optuna_study.py

The study runs in Optuna as before; three arguments are alfine's. The objective trains gradient boosting on scikit-learn's diabetes data.
"""

from __future__ import annotations

import optuna
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import train_test_split

import alfine

STAGES = 8


def objective(trial: optuna.Trial) -> float:
    x, y = load_diabetes(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, random_state=0)
    model = GradientBoostingRegressor(
        learning_rate=trial.suggest_float("learning_rate", 0.01, 0.5, log=True),
        max_depth=trial.suggest_int("max_depth", 1, 6),
        subsample=trial.suggest_float("subsample", 0.5, 1, step=0.1),
        warm_start=True,
        random_state=0,
    )
    error = float("inf")
    for stage in range(1, STAGES + 1):
        model.set_params(n_estimators=10 * stage).fit(x, y)
        error = float(((model.predict(x_test) - y_test) ** 2).mean() ** 0.5)
        trial.report(error, stage)
        if trial.should_prune():
            raise optuna.TrialPruned
    return error


def main() -> None:
    study = optuna.create_study(sampler=alfine.optuna.Sampler(seed=1), pruner=alfine.optuna.Pruner())
    stop = alfine.optuna.StopWhen(["ConvergenceDetected", "BestObjectiveNotImproving 25"], n_trials=100)
    study.optimize(objective, n_trials=100, callbacks=[stop])
    assert stop.verdict is not None
    print(f"Stopped after {len(study.trials)} of 100 trials: {stop.verdict.sentence}")
    print(f"Best: rmse {study.best_value:.2f}, {study.best_params}")


if __name__ == "__main__":
    main()
