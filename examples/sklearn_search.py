"""A search of scikit-learn that ends by itself: AlfineSearchCV in the place of RandomizedSearchCV.

    python examples/sklearn_search.py

It tunes a support-vector machine in a pipeline, on scikit-learn's breast-cancer data.
"""

from __future__ import annotations

from scipy.stats import loguniform
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

import alfine

SPACE = {
    "standardscaler": [StandardScaler(), MinMaxScaler()],
    "svc__C": loguniform(1e-2, 1e4),
    "svc__gamma": alfine.Continuous(1e-6, 1, scaling="Logarithmic"),
}


def main() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    search = alfine.sklearn.AlfineSearchCV(
        make_pipeline(StandardScaler(), SVC()),
        SPACE,
        n_iter=60,
        criteria=["ConvergenceDetected", "BestObjectiveNotImproving 20"],
        random_state=0,
    )
    search.fit(x, y)
    print(f"{len(search.cv_results_['params'])} of 60 candidates: {search.completion_.sentence}")
    print(f"Best: {search.best_params_}, accuracy {search.best_score_:.4f}")


if __name__ == "__main__":
    main()
