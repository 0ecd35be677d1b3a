"""Real training jobs that end in milliseconds, on data that scikit-learn carries or makes: what `make_tables.py` tabulates.

A training is a space and a function from a configuration to (loss per fold): three folds, always the same ones. Small data
are meant: their validation losses are as rugged as those of real tuning jobs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Configuration = dict[str, Any]


def real(name, low, high, *, log=False):
    return {"name": name, "type": "float", "low": low, "high": high, "log": log, "choices": None}


def whole(name, low, high, *, log=False):
    return {"name": name, "type": "int", "low": low, "high": high, "log": log, "choices": None}


def choice(name, *choices):
    return {"name": name, "type": "cat", "low": None, "high": None, "log": False, "choices": list(choices)}


@dataclass(frozen=True)
class Training:
    """What is tuned: `model(configuration)` makes an estimator with fit and predict(_proba) for `data` of the given kind."""

    name: str
    data: str
    rows: int
    kind: str  # "logloss", "error", "rmse"
    space: list[dict[str, Any]]
    model: Callable[[Configuration], Any]

    def losses(self, configuration: Configuration) -> list[float]:
        X, y = dataset(self.data, self.rows)
        return [self._loss(self.model(configuration), X, y, fold) for fold in folds(self.data, self.rows)]

    def _loss(self, model, X, y, fold):
        learn, check = fold
        model.fit(X[learn], y[learn])
        if self.kind == "rmse":
            return float(np.sqrt(np.mean((np.clip(model.predict(X[check]), -1e6, 1e6) - y[check]) ** 2)))
        if self.kind == "error":
            return float(np.mean(model.predict(X[check]) != y[check]))
        p = model.predict_proba(X[check])
        return float(-np.mean(np.log(np.clip(p[np.arange(len(check)), y[check]], 1e-6, 1.0))))


@functools.cache
def dataset(name: str, rows: int):
    """(X standardised, y), at most `rows` rows of it."""
    from sklearn import datasets

    made = {
        "friedman": lambda: datasets.make_friedman1(rows, n_features=8, noise=1.0, random_state=0),
        "hastie": lambda: datasets.make_hastie_10_2(rows, random_state=0),
        "blobs": lambda: datasets.make_classification(
            rows, 20, n_informative=6, n_classes=3, flip_y=0.1, class_sep=0.8, random_state=0
        ),
    }
    X, y = made[name]() if name in made else getattr(datasets, f"load_{name}")(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))[:rows]
    X, y = np.asarray(X, dtype=float)[order], np.asarray(y)[order]
    X = (X - X.mean(0)) / np.where(X.std(0) > 0, X.std(0), 1.0)
    if name in ("diabetes", "friedman"):
        return X, (y - y.mean()) / y.std()
    return X, np.unique(y, return_inverse=True)[1]


@functools.cache
def folds(name: str, rows: int):
    n = len(dataset(name, rows)[0])
    parts = np.array_split(np.random.default_rng(1).permutation(n), 3)
    return [(np.concatenate([p for j, p in enumerate(parts) if j != i]), part) for i, part in enumerate(parts)]


# -- the models ------------------------------------------------------------------------------------------------------


def xgb(regression: bool) -> Callable[[Configuration], Any]:  # noqa: FBT001
    def make(c):
        import xgboost

        kind = xgboost.XGBRegressor if regression else xgboost.XGBClassifier
        return kind(n_jobs=1, tree_method="hist", max_bin=32, random_state=0, verbosity=0, **c)

    return make


def svm(c):
    from sklearn.svm import SVC

    return SVC(**c, max_iter=3000)


def svr(c):
    from sklearn.svm import SVR

    return SVR(**c, max_iter=3000)


def forest(kind: str) -> Callable[[Configuration], Any]:
    def make(c):
        from sklearn import ensemble

        return getattr(ensemble, kind)(**c, n_jobs=1, random_state=0)

    return make


def elastic_net(c):
    from sklearn.linear_model import SGDRegressor

    return SGDRegressor(penalty="elasticnet", max_iter=c["epochs"], tol=None, random_state=0, **_without(c, "epochs"))


def linear_classifier(c):
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss", tol=None, random_state=0, **c)


def neighbours(c):
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(**c)


def kernel_ridge(c):
    from sklearn.kernel_ridge import KernelRidge

    return KernelRidge(**c)


class Perceptron:
    """A network with one or two hidden layers, by mini-batches with momentum or Adam; numpy alone, so that it takes milliseconds."""

    def __init__(self, c: Configuration) -> None:
        self.c = c

    def fit(self, X, y):
        c, rng = self.c, np.random.default_rng(0)
        sizes = [X.shape[1], *[c["width"]] * c["layers"], int(y.max()) + 1]
        gain = c["gain"]
        self.W = [rng.standard_normal((a, b)) * gain / np.sqrt(a) for a, b in itertools.pairwise(sizes)]
        self.b = [np.zeros(b) for b in sizes[1:]]
        parameters = [*self.W, *self.b]
        first, second = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
        step = 0
        for _ in range(c["epochs"]):
            order = rng.permutation(len(X))
            for start in range(0, len(X), c["batch"]):
                step += 1
                rows = order[start : start + c["batch"]]
                for p, g, m, v in zip(parameters, self._gradient(X[rows], y[rows], rng), first, second, strict=True):
                    m *= c["momentum"]
                    m += (1 - c["momentum"]) * g
                    if c["optimizer"] == "adam":
                        v *= 0.99
                        v += 0.01 * g * g
                        p -= c["lr"] * m / (np.sqrt(v / (1 - 0.99**step)) + 1e-8)
                    else:
                        p -= 10 * c["lr"] * m
        return self

    def _forward(self, X, rng=None):
        hidden = [X]
        for W, b in zip(self.W[:-1], self.b[:-1], strict=True):
            a = hidden[-1] @ W + b
            h = np.tanh(a) if self.c["activation"] == "tanh" else np.maximum(a, 0.0)
            if rng is not None and self.c["dropout"] > 0:
                h = h * (rng.random(h.shape) > self.c["dropout"]) / (1 - self.c["dropout"])
            hidden.append(h)
        a = np.clip(hidden[-1] @ self.W[-1] + self.b[-1], -1e3, 1e3)
        e = np.exp(a - a.max(1, keepdims=True))
        return hidden, e / e.sum(1, keepdims=True)

    def _gradient(self, X, y, rng):
        hidden, p = self._forward(X, rng)
        p = p.copy()
        p[np.arange(len(y)), y] -= 1
        delta, dW, db = p / len(y), [], []
        for i in range(len(self.W) - 1, -1, -1):
            dW.append(hidden[i].T @ delta + self.c["decay"] * self.W[i])
            db.append(delta.sum(0))
            if i:
                h = hidden[i]
                delta = (delta @ self.W[i].T) * ((1 - h * h) if self.c["activation"] == "tanh" else (h > 0))
        return [*dW[::-1], *db[::-1]]

    def predict_proba(self, X):
        with np.errstate(all="ignore"):
            p = self._forward(X)[1]
        return np.where(np.isfinite(p), p, 1e-6)


def _without(c, *names):
    return {k: v for k, v in c.items() if k not in names}


def _svm_mixed(c):
    return svm(
        {"kernel": c["kernel"], "C": c["C"], "gamma": c["gamma"], "coef0": c["coef0"], "shrinking": c["shrinking"]}
    )


def _layers(lowest, highest):
    return [
        real("lr", 1e-4, 0.3, log=True),
        whole("width", 4, 64, log=True),
        whole("layers", lowest, highest),
        real("dropout", 0.0, 0.6),
        real("decay", 1e-6, 0.3, log=True),
        choice("optimizer", "sgd", "adam"),
        choice("activation", "relu", "tanh"),
        whole("batch", 16, 128, log=True),
    ]


def _boosting(least):
    return [
        real("learning_rate", 0.01, 1.0, log=True),
        whole("max_depth", 1, 9),
        real("min_child_weight", 0.1, 30.0, log=True),
        real("subsample", 0.3, 1.0),
        real("colsample_bytree", 0.2, 1.0),
        real("reg_lambda", 1e-3, 100.0, log=True),
        real("reg_alpha", 1e-4, 10.0, log=True),
        whole("n_estimators", least, 60, log=True),
    ]


def _mlp(**fixed):
    return lambda c: Perceptron({"gain": 1.0, "momentum": 0.9, "epochs": 8, **fixed, **c})


TRAININGS = [
    Training("blobs_xgb_8d", "blobs", 300, "logloss", _boosting(5), xgb(regression=False)),
    Training("breast_xgb_4d", "breast_cancer", 300, "logloss", [*_boosting(5)[:2], *_boosting(5)[3:5]],
             lambda c: xgb(regression=False)({"n_estimators": 30, **c})),
    Training("diabetes_xgb_6d", "diabetes", 442, "rmse", [*_boosting(5)[:3], *_boosting(5)[3:6]],
             lambda c: xgb(regression=True)({"n_estimators": 25, **c})),
    Training("digits_svm_5d", "digits", 300, "error",
             [choice("kernel", "rbf", "poly", "sigmoid"), real("C", 1e-3, 1e3, log=True), real("gamma", 1e-5, 1.0, log=True),
              real("coef0", -1.0, 3.0), choice("shrinking", True, False)], _svm_mixed),
    Training("friedman_svr_3d", "friedman", 250, "rmse",
             [real("C", 1e-2, 1e3, log=True), real("gamma", 1e-4, 10.0, log=True), real("epsilon", 1e-3, 1.0, log=True)], svr),
    Training("breast_svm_2d", "breast_cancer", 400, "error",
             [real("C", 1e-3, 1e4, log=True), real("gamma", 1e-6, 10.0, log=True)], svm),
    Training("hastie_forest_6d", "hastie", 300, "error",
             [whole("n_estimators", 3, 25, log=True), whole("max_depth", 2, 16), whole("min_samples_leaf", 1, 20, log=True),
              real("max_features", 0.1, 1.0), choice("criterion", "gini", "entropy"), choice("bootstrap", True, False)],
             forest("RandomForestClassifier")),
    Training("diabetes_forest_4d", "diabetes", 300, "rmse",
             [whole("n_estimators", 3, 25, log=True), whole("min_samples_leaf", 1, 40, log=True), real("max_features", 0.1, 1.0),
              whole("max_depth", 1, 12)], forest("ExtraTreesRegressor")),
    Training("digits_mlp_8d", "digits", 450, "logloss", _layers(1, 2), _mlp()),
    Training("blobs_mlp_10d", "blobs", 400, "logloss",
             [*_layers(1, 3), real("gain", 0.3, 3.0, log=True), real("momentum", 0.0, 0.95)], _mlp()),
    Training("wine_mlp_5d", "wine", 178, "logloss",
             [_layers(1, 2)[i] for i in (0, 1, 3, 4, 6)], _mlp(layers=1, optimizer="adam", batch=32)),
    Training("diabetes_elastic_5d", "diabetes", 442, "rmse",
             [real("alpha", 1e-6, 3.0, log=True), real("l1_ratio", 0.0, 1.0), real("eta0", 1e-4, 0.3, log=True),
              choice("learning_rate", "constant", "invscaling", "adaptive"), whole("epochs", 1, 60, log=True)], elastic_net),
    Training("blobs_linear_4d", "blobs", 400, "logloss",
             [real("alpha", 1e-6, 1.0, log=True), real("eta0", 1e-3, 1.0, log=True),
              choice("penalty", "l2", "l1"), whole("max_iter", 1, 40, log=True)],
             lambda c: linear_classifier({"learning_rate": "invscaling", **c})),
    Training("digits_neighbours_4d", "digits", 500, "logloss",
             [whole("n_neighbors", 1, 80, log=True), real("p", 1.0, 5.0), choice("weights", "uniform", "distance"),
              choice("metric", "minkowski", "chebyshev", "cosine", "manhattan")],
             lambda c: neighbours(_without(c, "p") if c["metric"] != "minkowski" else c)),
    Training("friedman_ridge_5d", "friedman", 200, "rmse",
             [choice("kernel", "rbf", "laplacian", "polynomial", "linear"), real("alpha", 1e-6, 100.0, log=True),
              real("gamma", 1e-4, 3.0, log=True), whole("degree", 1, 6), real("coef0", 0.0, 3.0)], kernel_ridge),
    Training("breast_boost_9d", "breast_cancer", 250, "logloss",
             [*_boosting(5), real("gamma", 1e-4, 5.0, log=True)], xgb(regression=False)),
]  # fmt: skip
