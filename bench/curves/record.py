"""Trains random configurations once and keeps their learning curves: what `tasks.py` interpolates.

    python bench/curves/record.py [name …]      what isn't there yet, or these; half a minute of CPU each

27 values a training, one after every 27th of it: boosting rounds, epochs or trees. One third of the data is the validation
set, always the same one. Rows: a Kronecker sequence all over the space, then perturbations of the best of them, so that the
region that a good search ends in was really trained.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "search"))

from make_tables import cover  # noqa: E402
from tasks import from_unit, to_unit  # noqa: E402 - bench/search
from trainings import choice, dataset, folds, real, whole  # noqa: E402

TABLES = HERE / "data" / "tables"
REPORTS, ROWS, REFINED = 27, 300, 60
SECONDS = 45.0  # of CPU for one table; ROWS where that is enough

Configuration = dict[str, Any]
Data = tuple[Any, Any, Any, Any]  # X and y to learn from, X and y to validate on


@dataclass(frozen=True)
class Recorded:
    """What is tuned: `curve(configuration, data)` answers REPORTS values, smaller is better."""

    name: str
    data: str
    rows: int
    space: list[dict[str, Any]]
    curve: Callable[[Configuration, Data], list[float]]


def logloss(y, p) -> float:
    return float(-np.mean(np.log(np.clip(p[np.arange(len(y)), y], 1e-6, 1.0))))


def rmse(y, predicted) -> float:
    return float(np.sqrt(np.mean((np.clip(predicted, -1e6, 1e6) - y) ** 2)))


def boosted(objective: str, metric: str, rounds: int):
    """XGBoost, `rounds` a report."""

    def curve(c, data):
        import xgboost

        X, y, V, v = data
        train, check = xgboost.DMatrix(X, y), xgboost.DMatrix(V, v)
        fixed = {
            "objective": objective,
            "eval_metric": metric,
            "tree_method": "hist",
            "max_bin": 32,
            "nthread": 1,
            "seed": 0,
        }
        if objective.startswith("multi"):
            fixed["num_class"] = int(y.max()) + 1
        found: dict[str, dict[str, list[float]]] = {}
        xgboost.train(fixed | c, train, rounds * REPORTS, [(check, "v")], evals_result=found, verbose_eval=False)
        return found["v"][metric][rounds - 1 :: rounds]

    return curve


def staged(rounds: int):
    """scikit-learn's gradient boosting for regression."""

    def curve(c, data):
        from sklearn.ensemble import GradientBoostingRegressor

        X, y, V, v = data
        model = GradientBoostingRegressor(n_estimators=rounds * REPORTS, random_state=0, **c).fit(X, y)
        return [rmse(v, p) for p in model.staged_predict(V)][rounds - 1 :: rounds]

    return curve


def network(kind: str, epochs: int = 1):
    """scikit-learn's multi-layer perceptron, `epochs` a report."""

    def curve(c, data):
        from sklearn import neural_network

        X, y, V, v = data
        c = dict(c)
        layers = (c.pop("width"),) * c.pop("depth", 1)
        model = getattr(neural_network, kind)(hidden_layer_sizes=layers, random_state=0, **c)
        more = {} if kind == "MLPRegressor" else {"classes": np.unique(y)}
        values = []
        for _ in range(REPORTS):
            for _ in range(epochs):
                model.partial_fit(X, y, **more)
            values.append(rmse(v, model.predict(V)) if kind == "MLPRegressor" else logloss(v, model.predict_proba(V)))
        return values

    return curve


def linear(c, data):
    """A linear classifier by stochastic gradient descent, an epoch a report; its error in per cent of the validation set."""
    from sklearn.linear_model import SGDClassifier

    X, y, V, v = data
    model, classes = SGDClassifier(random_state=0, **c), np.unique(y)
    return [float(np.mean(model.partial_fit(X, y, classes=classes).predict(V) != v)) for _ in range(REPORTS)]


def forest(c, data):
    """Extremely randomised trees, two more a report."""
    from sklearn.ensemble import ExtraTreesClassifier

    X, y, V, v = data
    model = ExtraTreesClassifier(2 * REPORTS, random_state=0, n_jobs=1, **c).fit(X, y)
    votes = np.cumsum([tree.predict_proba(V) for tree in model.estimators_], axis=0)
    return [logloss(v, votes[k] / (k + 1)) for k in range(1, 2 * REPORTS, 2)]


BOOSTING = [
    real("eta", 0.01, 1.0, log=True), whole("max_depth", 1, 10), real("min_child_weight", 0.1, 50.0, log=True),
    real("lambda", 1e-3, 100.0, log=True), real("subsample", 0.3, 1.0),
]  # fmt: skip
NETWORK = [
    real("learning_rate_init", 1e-4, 0.3, log=True), whole("width", 4, 64, log=True), whole("depth", 1, 2),
    real("alpha", 1e-6, 1.0, log=True), whole("batch_size", 16, 128, log=True), choice("activation", "relu", "tanh"),
]  # fmt: skip

RECORDED = [
    Recorded("digits_mlp_6d", "digits", 900, NETWORK, network("MLPClassifier")),
    Recorded(
        "hastie_xgb_6d", "hastie", 1200, [*BOOSTING, real("colsample_bytree", 0.3, 1.0)],
        boosted("binary:logistic", "logloss", 4),
    ),
    Recorded("breast_xgb_5d", "breast_cancer", 569, BOOSTING, boosted("binary:logistic", "logloss", 3)),
    Recorded("friedman_xgb_5d", "friedman", 900, BOOSTING, boosted("reg:squarederror", "rmse", 4)),
    Recorded(
        "diabetes_gbm_5d", "diabetes", 442,
        [
            real("learning_rate", 0.01, 1.0, log=True), whole("max_depth", 1, 8), whole("min_samples_leaf", 1, 60, log=True),
            real("subsample", 0.3, 1.0), real("max_features", 0.1, 1.0),
        ],
        staged(2),
    ),
    Recorded(
        "blobs_mlp_7d", "blobs", 700, [*NETWORK, choice("solver", "adam", "sgd")], network("MLPClassifier"),
    ),
    Recorded("friedman_mlp_5d", "friedman", 500, [p for p in NETWORK if p["name"] != "depth"], network("MLPRegressor", 2)),
    Recorded(
        "digits_sgd_5d", "digits", 1200,
        [
            choice("loss", "hinge", "log_loss", "modified_huber"), choice("penalty", "l2", "elasticnet"),
            real("alpha", 1e-7, 0.1, log=True), real("eta0", 1e-4, 1.0, log=True),
            choice("learning_rate", "optimal", "constant", "adaptive"),
        ],
        linear,
    ),
    Recorded(
        "wine_trees_4d", "wine", 178,
        [
            whole("max_depth", 1, 12), whole("min_samples_leaf", 1, 20, log=True), real("max_features", 0.05, 1.0),
            choice("criterion", "gini", "entropy"),
        ],
        forest,
    ),
]  # fmt: skip


def record(subject: Recorded) -> None:
    X, y = dataset(subject.data, subject.rows)
    learn, check = folds(subject.data, subject.rows)[0]
    data = X[learn], y[learn], X[check], y[check]
    units, curves, seconds, spent = [], [], [], 0.0

    def train(unit) -> None:
        nonlocal spent
        configuration = from_unit(subject.space, unit)
        began = time.process_time()
        curve = subject.curve(configuration, data)
        seconds.append(time.process_time() - began)
        spent += seconds[-1]
        units.append(to_unit(subject.space, configuration))
        curves.append([value if np.isfinite(value) else 1e6 for value in curve])

    for unit in cover(ROWS, len(subject.space)):
        if spent > 0.8 * SECONDS:
            break
        train(unit)
    first, rng = len(units), np.random.default_rng(0)
    best = np.argsort(np.array(curves)[:, -1], kind="stable")[:15]
    for place in range(REFINED):
        if spent > SECONDS:
            break
        middle = np.array([
            (u + 0.5) / len(p["choices"]) if p["type"] == "cat" else u
            for p, u in zip(subject.space, units[best[place % len(best)]], strict=True)
        ])  # fmt: skip
        train(np.clip(middle + 0.08 * rng.standard_normal(len(middle)), 0, 1))
    write(subject.name, subject.space, first, np.array(units), np.array(curves), np.array(seconds))


def write(name, space, first, units, curves, seconds) -> None:
    """Curves as float32; `first` rows are random, the others were chosen."""
    TABLES.mkdir(exist_ok=True)
    np.savez_compressed(
        TABLES / f"{name}.npz", X=units.astype(np.float32), curves=curves.astype(np.float32), seconds=seconds.astype(np.float16)
    )  # fmt: skip
    (TABLES / f"{name}.json").write_text(json.dumps({"name": name, "random_rows": first, "space": space}) + "\n")
    last = curves[:, -1]
    print(
        f"{name}: {len(units)} rows, {seconds.sum():.0f} s, best {last.min():.4g}, median {np.median(last[:first]):.4g}",
        flush=True,
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    wanted = sys.argv[1:]
    for each in RECORDED:
        if each.name in wanted or (not wanted and not (TABLES / f"{each.name}.npz").exists()):
            record(each)
