"""Tuning tasks that cost next to nothing to evaluate: tables of real trainings with an interpolator, and functions.

    for task in tasks("held out"):
        value, seconds = task.evaluate({...})     # smaller is better
        task.regret(value)                        # 0: best known, 1: the median random configuration

A table (`data/tables/<name>.npz` and `.json`, written by make_tables.py) holds configurations that were really trained, three folds
each. Between them a forest of extremely randomised trees interpolates ln(1 + gap to the best), on a polynomial where that
predicted left-out rows better. scikit-learn grows the forest when the task is first loaded; nothing of alfine is needed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
TABLES = HERE / "data" / "tables"
FORESTS = HERE / ".forests"
TREES = 50

# Divided once, before anything was tuned: alternately down the list of trainings, functions by kind. The eight tables that the
# search was first developed on stay with «development».
DEVELOPMENT = [
    "abalone_lgbm_7d", "digits_svm_2d", "german_xgb_6d", "mammography_xgb_2d", "pima_knn_6d", "segment_mlp_8d", "spam_logreg_4d",
    "winered_rf_5d",
    "blobs_xgb_8d", "diabetes_xgb_6d", "friedman_svr_3d", "hastie_forest_6d", "digits_mlp_8d", "wine_mlp_5d", "blobs_linear_4d",
    "friedman_ridge_5d",
]  # fmt: skip
HELD_OUT = [
    "breast_xgb_4d", "digits_svm_5d", "breast_svm_2d", "diabetes_forest_4d", "blobs_mlp_10d", "diabetes_elastic_5d",
    "digits_neighbours_4d", "breast_boost_9d",
    "branin_2d", "hartmann_6d", "steps_4d", "mixed_7d",
]  # fmt: skip
SMOOTH = ["levy_4d", "rosenbrock_4d", "styblinski_5d", "ackley_3d", "kinds_4d"]  # to develop on, as tables are rough


# -- spaces ----------------------------------------------------------------------------------------------------------


def from_unit(space: list[dict[str, Any]], point) -> dict[str, Any]:
    """A point of the cube -> a configuration; integers and categories have cells of equal width (on their scale)."""
    configuration = {}
    for p, u in zip(space, np.clip(point, 0.0, 1.0 - 1e-12), strict=True):
        if p["type"] == "cat":
            configuration[p["name"]] = p["choices"][int(u * len(p["choices"]))]
            continue
        half = 0.5 if p["type"] == "int" else 0.0
        low, high = p["low"] - half, p["high"] + half
        x = math.exp(math.log(low) + u * math.log(high / low)) if p["log"] else low + u * (high - low)
        x = min(max(x, p["low"]), p["high"])
        configuration[p["name"]] = int(min(max(round(x), p["low"]), p["high"])) if half else float(x)
    return configuration


def to_unit(space: list[dict[str, Any]], configuration: dict[str, Any]):
    """A configuration -> (d,): numbers in [0, 1] on their scale, categories as the number of the choice."""
    point = np.empty(len(space))
    for j, p in enumerate(space):
        value = configuration[p["name"]]
        if p["type"] == "cat":
            point[j] = p["choices"].index(value)
            continue
        half = 0.5 if p["type"] == "int" else 0.0
        low, high = p["low"] - half, p["high"] + half
        point[j] = math.log(value / low) / math.log(high / low) if p["log"] else (value - low) / (high - low)
    return point


def encode(space: list[dict[str, Any]], units):
    """(n, d) of `to_unit` -> features: numbers as they are, categories one column a choice (one column when there are two)."""
    columns = []
    for j, p in enumerate(space):
        if p["type"] == "cat":
            k = len(p["choices"])
            columns += [(units[:, j] == c).astype(float) for c in range(k if k > 2 else 1)]
        else:
            columns.append(units[:, j])
    return np.stack(columns, axis=1)


def polynomial(space: list[dict[str, Any]], Z, degree: int):
    """Columns 1, x, x^2 (…), products of pairs; of categories their own column and its products with x and x^2."""
    numbers, flags, j = [], [], 0
    for p in space:
        k = (len(p["choices"]) if len(p["choices"]) > 2 else 1) if p["type"] == "cat" else 1
        (flags if p["type"] == "cat" else numbers).extend(Z[:, j + c] - (p["type"] != "cat") * 0.5 for c in range(k))
        j += k
    columns = [np.ones(len(Z))]
    for a, x in enumerate(numbers):
        columns += [x**power for power in range(1, degree + 1)] + [x * other for other in numbers[a + 1 :]]
    for flag in flags:
        columns += [flag, *(flag * x for x in numbers), *(flag * x * x for x in numbers)]
    return np.stack(columns, axis=1)


# -- tables ----------------------------------------------------------------------------------------------------------


class Forest:
    """The trees of a scikit-learn forest as flat arrays: a prediction for one point costs 0.2 ms instead of 10."""

    def __init__(self, roots, feature, threshold, value, left, right) -> None:
        self.roots, self.feature, self.threshold = roots, feature, threshold
        self.value, self.left, self.right = value, left, right

    def predict(self, Z):
        Z, rows = np.asarray(Z, np.float32), np.arange(len(Z))[:, None]
        at = np.repeat(self.roots[None, :], len(Z), 0)
        while True:
            following = np.where(Z[rows, self.feature[at]] <= self.threshold[at], self.left[at], self.right[at])
            if (following == at).all():
                return self.value[at].mean(1)
            at = following


class Table:
    """One tuning task. `noise`: how many standard errors of the mean of its three folds are added to each value."""

    def __init__(self, name: str, noise: float = 0.0) -> None:
        self.meta = json.loads((TABLES / f"{name}.json").read_text())
        self.name = name + ("~" if noise else "")
        self.table, self.noise, self.space = name, noise, self.meta["space"]
        self.best, self.median = self.meta["best_known"], self.meta["median_random"]

    @cached_property
    def _rows(self):
        with np.load(TABLES / f"{self.table}.npz") as z:
            rows = {k: z[k].astype(float) for k in z.files}
        value = rows["value"]
        rows["Z"] = encode(self.space, rows["X"])
        rows["w0"] = w0 = value.min()
        gap = value - w0
        rows["c"] = c = max(np.median(gap) / 2, 1e-12)
        y = np.log1p(gap / c)
        rows["coefficients"] = None
        if degree := self.meta["degree"]:
            P = polynomial(self.space, rows["Z"], degree)
            rows["coefficients"] = np.linalg.solve(P.T @ P + 1e-3 * np.eye(P.shape[1]), P.T @ y)
            y = y - P @ rows["coefficients"]
        rows["forest"] = kept(self.table, rows["Z"], y)
        return rows

    def surface(self, configurations):
        """The noise-free values of many configurations."""
        r = self._rows
        Z = encode(self.space, np.array([to_unit(self.space, c) for c in configurations]))
        y = r["forest"].predict(Z)
        if r["coefficients"] is not None:
            y = y + polynomial(self.space, Z, self.meta["degree"]) @ r["coefficients"]
        y = np.where(
            y < 0, 0.1 * np.tanh(y / 0.1), y
        )  # a polynomial may promise more than was ever trained: a soft floor
        return r["w0"] + r["c"] * np.expm1(y), Z

    def evaluate(self, configuration, rng=None):
        """(value, seconds): seconds as those of the five nearest rows that were trained."""
        value, Z = self.surface([configuration])
        r = self._rows
        near = np.argpartition(((r["Z"] - Z) ** 2).sum(1), 4)[:5]
        seconds = float(np.exp(np.log(np.maximum(r["seconds"][near], 1e-4)).mean()))
        noise = self.noise * float(r["std"][near].mean()) / math.sqrt(3) * rng.standard_normal() if self.noise else 0.0
        return float(value[0]) + noise, seconds

    def truth(self, configuration) -> float:
        return float(self.surface([configuration])[0][0])

    def regret(self, value: float) -> float:
        return (value - self.best) / (self.median - self.best)


def grown(Z, y) -> Forest:
    from sklearn.ensemble import ExtraTreesRegressor

    return Forest(**_arrays(ExtraTreesRegressor(TREES, random_state=0, n_jobs=1).fit(Z, y)))


def kept(table: str, Z, y) -> Forest:
    """The forest of a table, as it was grown by whoever asked first on this machine: run.py sees to it that it's alfine's environment.

    The last digit of y differs between releases of numpy, and trees grown from it differ by more: contestants in different
    environments would have different tasks.
    """
    content = (TABLES / f"{table}.npz").read_bytes() + (TABLES / f"{table}.json").read_bytes()
    path = FORESTS / f"{table}-{hashlib.sha256(content).hexdigest()[:16]}.npz"
    if not path.exists():
        FORESTS.mkdir(exist_ok=True)
        writing = path.with_name(f"{os.getpid()}-{path.name}")
        np.savez(writing, **vars(grown(Z, y)))
        writing.replace(path)
    with np.load(path) as arrays:
        return Forest(**arrays)


def _arrays(model) -> dict[str, Any]:
    trees = [e.tree_ for e in model.estimators_]
    starts = np.concatenate([[0], np.cumsum([t.node_count for t in trees])])[:-1]

    def joined(children):
        """A leaf's child is the leaf itself."""
        own = [np.where(getattr(t, children) < 0, np.arange(t.node_count), getattr(t, children)) for t in trees]
        return np.concatenate([each + start for each, start in zip(own, starts, strict=True)])

    return {
        "roots": starts,
        "feature": np.concatenate([np.maximum(t.feature, 0) for t in trees]),
        "threshold": np.concatenate([t.threshold for t in trees]),
        "value": np.concatenate([t.value[:, 0, 0] for t in trees]),
        "left": joined("children_left"),
        "right": joined("children_right"),
    }


# -- functions of known structure ------------------------------------------------------------------------------------


def _real(name, low=0.0, high=1.0, *, log=False):
    return {"name": name, "type": "float", "low": low, "high": high, "log": log, "choices": None}


def _whole(name, low, high):
    return {"name": name, "type": "int", "low": low, "high": high, "log": False, "choices": None}


def _choice(name, *choices):
    return {"name": name, "type": "cat", "low": None, "high": None, "log": False, "choices": list(choices)}


def branin(c):
    x, y = c["x"], c["y"]
    return (
        (y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6) ** 2
        + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x)
        + 10
    )


_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(c):
    x = np.array(list(c.values()))
    return -float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-(_A * (x - _P) ** 2).sum(1)))


def steps(c):
    """Plateaus: a bowl that only changes in tenths, as an error rate on a small validation set does; two coordinates of four matter."""
    return round(8 * ((c["a"] - 0.7) ** 2 + (c["k"] / 12 - 0.4) ** 2), 1) + 0.01 * abs(c["b"] - 0.5)


def mixed(c):
    """Each kind has its own best learning rate and depth; half of the coordinates hardly matter."""
    kind = "abcd".index(c["kind"])
    at = (math.log10(c["lr"]) + 3.5 - 0.5 * kind) ** 2
    depth = ((c["depth"] - 3 - 2 * kind) / 5) ** 2
    return (
        at
        + depth
        + (0.6, 0.25, 0.0, 0.4)[kind]
        + 0.3 * (c["drop"] - 0.2 * kind) ** 2
        + 0.05 * (not c["flag"])
        + 0.02 * c["u"]
    )


def levy(c):
    w = [1 + (x - 1) / 4 for x in c.values()]
    return (
        math.sin(math.pi * w[0]) ** 2
        + sum((a - 1) ** 2 * (1 + 10 * math.sin(math.pi * a + 1) ** 2) for a in w[:-1])
        + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    )


def rosenbrock(c):
    x = list(c.values())
    return math.log1p(sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in itertools.pairwise(x)))


def styblinski(c):
    return sum(x**4 - 16 * x * x + 5 * x for x in c.values()) / 2 / len(c)


def ackley(c):
    x = np.array(list(c.values()))
    return float(-20 * np.exp(-0.2 * np.sqrt((x * x).mean())) - np.exp(np.cos(2 * np.pi * x).mean()) + 20 + math.e)


def kinds(c):
    """A smooth valley in the logarithms, its place and depth by the kind."""
    k = "abc".index(c["kind"])
    return (
        0.3 * k
        + (math.log10(c["p"]) + 2 + k) ** 2 / 4
        + (math.log10(c["q"]) - math.log10(c["p"]) / 2 + 1) ** 2 / 2
        + 0.2 * (c["r"] - 0.3) ** 2
    )


FUNCTIONS = {
    "levy_4d": ([_real(n, -10.0, 10.0) for n in "abcd"], levy, 0.0),
    "rosenbrock_4d": ([_real(n, -2.0, 2.0) for n in "abcd"], rosenbrock, 0.0),
    "styblinski_5d": ([_real(n, -5.0, 5.0) for n in "abcde"], styblinski, -39.16617),
    "ackley_3d": ([_real(n, -10.0, 15.0) for n in "abc"], ackley, 0.0),
    "kinds_4d": ([_choice("kind", *"abc"), _real("p", 1e-5, 1.0, log=True), _real("q", 1e-5, 1.0, log=True), _real("r")], kinds, 0.0),
    "branin_2d": ([_real("x", -5.0, 10.0), _real("y", 0.0, 15.0)], branin, 0.397887),
    "hartmann_6d": ([_real(n) for n in "abcdef"], hartmann, -3.32237),
    "steps_4d": ([_real("a"), _real("b"), _whole("k", 1, 12), _real("c")], steps, 0.0),
    "mixed_7d": (
        [_real("lr", 1e-6, 1.0, log=True), _choice("kind", *"abcd"), _whole("depth", 1, 12), _real("drop"), _choice("flag", True, False), _real("u"), _real("v")],
        mixed,
        0.0,
    ),
}  # fmt: skip


class Function:
    """A function of known structure and known least value; a training takes 1 to 3 s, by its first coordinate."""

    def __init__(self, name: str) -> None:
        self.name, self.noise = name, 0.0
        self.space, self.f, self.best = FUNCTIONS[name]
        rng = np.random.default_rng(0)
        self.median = float(
            np.median([self.f(from_unit(self.space, rng.random(len(self.space)))) for _ in range(4000)])
        )

    def evaluate(self, configuration, rng=None):
        return self.f(configuration), 1.0 + 2.0 * float(to_unit(self.space, configuration)[0])

    def truth(self, configuration) -> float:
        return self.f(configuration)

    def regret(self, value: float) -> float:
        return (value - self.best) / (self.median - self.best)


def task(name: str):
    if name in FUNCTIONS:
        return Function(name)
    return Table(name.removesuffix("~"), noise=1.0 if name.endswith("~") else 0.0)
