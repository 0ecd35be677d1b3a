"""Tuning tasks for fitting and judging the stopping rule: more and other ones than those of bench/search.

    problem("table/digits_svm_2d")       a task of bench/search, as it is
    problem("slice/digits_mlp_8d/3")     some of its hyperparameters held fixed, other ranges narrower, the metric bent: a task of its own
    problem("live/wine_svm")             trained anew for every configuration (milliseconds)
    problem("bowl/7")                    a function of known structure, drawn from the family's distribution by its number

`name` says all there is to know: the same name is the same task, everywhere. Values are minimised. `fitted` says on which side a task
stands: on the one that the rule's weights are fitted on, or on the one that is only ever reported.
"""

from __future__ import annotations

import math
import sys
import zlib
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "search"))
import trainings
from tasks import DEVELOPMENT, HELD_OUT, TABLES, from_unit, task, to_unit
from trainings import Training, choice, real, whole

FAMILIES = ("bowl", "draw", "rugged", "plateau", "needle", "constant")
HELD_OUT_FAMILIES = ("valley", "additive", "switch")
SLICES = 40  # of the tables of «development»
# 1 % of the best over the spread: from a three-hundredth of what there is to gain to half of it.
RATIO = (3e-3, 0.5)
FUNCTION_NOISE = 0.05  # of a function, which has no standard error, in spreads


class Problem:
    """`space` as in bench/search; `truth(configuration)`; `noise`: a typical standard error of one value; `spread`: median - best."""

    name: str
    space: list[dict[str, Any]]
    noise: float

    def truth(self, configuration) -> float:
        raise NotImplementedError

    @cached_property
    def random(self):
        """Values of random configurations, ascending."""
        rng, count = np.random.default_rng(0), 100 if self.name.startswith("live/") else 2000
        return np.sort([self.truth(from_unit(self.space, rng.random(len(self.space)))) for _ in range(count)])

    @property
    def spread(self) -> float:
        """What there is to gain: the median random configuration minus about the best."""
        return float(np.median(self.random) - self.random[0]) or 1.0


def standard_error(table: str) -> float:
    """Of the mean of three folds, for the median configuration that was trained; 0 for functions."""
    path = TABLES / f"{table}.npz"
    if not path.exists():
        return 0.0
    with np.load(path) as rows:
        return float(np.median(rows["std"].astype(float))) / math.sqrt(3)


class OfSearch(Problem):
    def __init__(self, name: str, table: str) -> None:
        self.name, self.task = name, task(table)
        self.space, self.truth = self.task.space, self.task.truth
        self.best, self.median = self.task.best, self.task.median
        self.noise = standard_error(table) or FUNCTION_NOISE * self.spread

    @property
    def spread(self) -> float:
        return self.median - self.best


class Slice(Problem):
    """A table seen through a smaller space, and the metric raised to a power: (value - best) / spread, to the power, and an offset."""

    def __init__(self, name: str, table: str, number: int) -> None:
        self.name, self.task = name, task(table)
        rng = np.random.default_rng((2, zlib.crc32(table.encode()), number))
        full = self.task.space
        free = np.sort(rng.permutation(len(full))[: max(1, len(full) - int(rng.integers(0, 1 + len(full) // 2)))])
        self.fixed = from_unit(full, rng.random(len(full)))
        self.space = []
        for j in free:
            p = dict(full[j])
            if p["type"] != "cat" and rng.random() < 0.4:
                low, high = np.sort(rng.random(2))
                ends = from_unit([p], [low])[p["name"]], from_unit([p], [max(high, low + 0.2)])[p["name"]]
                if ends[0] < ends[1]:
                    p["low"], p["high"] = ends
            self.space.append(p)
        self.power = float(np.exp(rng.normal(0.0, 0.25)))
        self.shift = 0.01 / np.exp(rng.uniform(*np.log(RATIO))) if rng.random() < 0.5 else None
        self.noise = standard_error(table)
        if self.shift is not None:  # the noise in the bent units, about the middle
            self.noise /= self.task.median - self.task.best

    def truth(self, configuration) -> float:
        value = self.task.truth({**self.fixed, **configuration})
        if self.shift is None:
            return value
        return self.shift + max(0.0, self.task.regret(value)) ** self.power


class Live(Problem):
    def __init__(self, name: str) -> None:
        self.name = name
        self.training = live()[name.removeprefix("live/")]
        self.space, self.noise, self.kept = self.training.space, 0.0, {}

    def truth(self, configuration) -> float:
        key = tuple(configuration.values())
        if key not in self.kept:
            with np.errstate(all="ignore"):
                losses = self.training.losses(configuration)
            self.kept[key] = float(np.mean(losses))
            self.noise = max(self.noise, 0.0) or float(np.std(losses)) / math.sqrt(3)
        return self.kept[key]


@cache
def live() -> dict[str, Training]:
    """The trainings of bench/search on other data and with other hyperparameters."""
    from sklearn import ensemble, linear_model, svm, tree

    def of(kind, **fixed):
        return lambda c: kind(**fixed, **c)

    trees = [
        whole("max_depth", 1, 16), whole("min_samples_leaf", 1, 50, log=True), real("max_features", 0.1, 1.0),
        real("ccp_alpha", 1e-6, 0.1, log=True),
    ]  # fmt: skip
    forest = [whole("n_estimators", 3, 15, log=True), *trees[:3]]
    rbf = [real("C", 1e-3, 1e4, log=True), real("gamma", 1e-6, 10.0, log=True)]
    boost = [
        real("learning_rate", 0.01, 1.0, log=True), whole("n_estimators", 5, 30, log=True), whole("max_depth", 1, 6),
        real("subsample", 0.3, 1.0), whole("min_samples_leaf", 1, 40, log=True),
    ]  # fmt: skip
    logistic = [
        real("C", 1e-4, 1e4, log=True),
        whole("max_iter", 2, 60, log=True),
        choice("fit_intercept", *[True, False]),
    ]
    neighbours = [
        whole("n_neighbors", 1, 80, log=True), choice("weights", "uniform", "distance"),
        choice("metric", "euclidean", "chebyshev", "cosine", "manhattan"),
    ]  # fmt: skip
    network = [
        real("lr", 1e-4, 0.3, log=True), whole("width", 4, 48, log=True), real("dropout", 0.0, 0.6), real("decay", 1e-6, 0.3, log=True),
        choice("activation", "relu", "tanh"), whole("epochs", 1, 12),
    ]  # fmt: skip

    def mlp(c):
        return trainings.Perceptron({"gain": 1.0, "momentum": 0.9, "layers": 1, "optimizer": "adam", "batch": 32, **c})

    ridge = [
        choice("kernel", "rbf", "laplacian", "polynomial"),
        real("alpha", 1e-6, 100.0, log=True),
        real("gamma", 1e-4, 3.0, log=True),
    ]
    stop = [
        real("alpha", 1e-6, 1.0, log=True),
        choice("penalty", "l2", "l1", "elasticnet"),
        real("eta0", 1e-3, 1.0, log=True),
        real("l1_ratio", 0, 1),
    ]
    sgd = of(
        linear_model.SGDClassifier, loss="log_loss", learning_rate="invscaling", max_iter=12, tol=None, random_state=0
    )
    tree_of, forest_of = (
        of(tree.DecisionTreeClassifier, random_state=0),
        of(ensemble.RandomForestClassifier, n_jobs=1, random_state=0),
    )
    found = {}
    for data, rows in (
        ("wine", 178),
        ("digits", 350),
        ("breast_cancer", 300),
        ("iris", 150),
        ("blobs", 300),
        ("hastie", 300),
    ):
        kinds = {
            "tree": ("error", trees, tree_of),
            "forest": ("logloss", forest, forest_of),
            "svm": ("error", rbf, of(svm.SVC, max_iter=3000)),
            "logistic": ("logloss", logistic, of(linear_model.LogisticRegression)),
            "neighbours": ("error", neighbours, trainings.neighbours),
            "mlp": ("logloss", network, mlp),
            "sgd": ("logloss", stop, sgd),
        }
        for kind, (loss, space, model) in kinds.items():
            found[f"{data}_{kind}"] = Training(f"{data}_{kind}", data, rows, loss, space, model)
    for data, rows in (("diabetes", 300), ("friedman", 250)):
        kinds = {
            "tree": ("rmse", trees, of(tree.DecisionTreeRegressor, random_state=0)),
            "boost": ("rmse", boost, of(ensemble.GradientBoostingRegressor, random_state=0)),
            "ridge": ("rmse", ridge, trainings.kernel_ridge),
            "svr": ("rmse", [*rbf, real("epsilon", 1e-3, 1.0, log=True)], trainings.svr),
        }
        for kind, (loss, space, model) in kinds.items():
            found[f"{data}_{kind}"] = Training(f"{data}_{kind}", data, rows, loss, space, model)
    return found


# -- functions of known structure --------------------------------------------------------------------------------------


class Synthetic(Problem):
    """Of one family: a shape on the cube, scaled to a spread of 1, bent, and moved away from 0 by a random amount."""

    def __init__(self, name: str, family: str, number: int) -> None:
        self.name, self.family = name, family
        self.rng = rng = np.random.default_rng((1, zlib.crc32(family.encode()), number))
        d = self.d = int(
            rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 10], p=[0.06, 0.14, 0.16, 0.16, 0.14, 0.12, 0.1, 0.06, 0.06])
        )
        self.space = [self._range(f"x{j}") for j in range(d)]
        self.weight = np.exp(rng.normal(0.0, 1.2, d))
        self.weight /= self.weight.sum()
        self.centre = np.where(rng.random(d) < 0.15, rng.integers(0, 2, d), rng.random(d))
        self.effects = [rng.normal(0.0, 1.0, 8) for _ in range(d)]  # of categories
        self.category = np.array([p["type"] == "cat" for p in self.space])
        self.shape = getattr(self, f"_{family}")()
        units = rng.random((3000, d))
        values = np.array([self.shape(self._snapped(u)) for u in units])
        self.low, self.wide = float(values.min()), float(np.median(values) - values.min()) or 1.0
        self.power = float(np.exp(rng.normal(0.0, 0.3)))
        self.scale = float(np.exp(rng.normal(0.0, 4.0)))
        self.offset = 0.01 / np.exp(rng.uniform(*np.log(RATIO))) * float(rng.choice([1.0, -1.0]))
        self.noise = FUNCTION_NOISE * self.scale

    def _range(self, name):
        kind = self.rng.choice(["float", "int", "cat"], p=[0.62, 0.2, 0.18])
        if kind == "cat":
            return choice(name, *(f"c{i}" for i in range(int(self.rng.integers(2, 6)))))
        if kind == "int":
            return whole(name, 1, int(self.rng.choice([5, 12, 64, 500])), log=bool(self.rng.random() < 0.5))
        return real(name, 1e-4, 1.0, log=True) if self.rng.random() < 0.5 else real(name, 0.0, 1.0)

    def _snapped(self, u):
        point = np.array(to_unit(self.space, from_unit(self.space, u)))
        return np.where(self.category, point, np.clip(point, 0.0, 1.0))

    def truth(self, configuration) -> float:
        z = (self.shape(np.array(to_unit(self.space, configuration))) - self.low) / self.wide
        z = z**self.power if z > 0 else 0.3 * math.tanh(z / 0.3)
        return self.scale * (self.offset + z)

    # Shapes: functions of a point, numbers in [0, 1] and categories as numbers of the choice.

    def _parts(self, u):
        """(d,) distance to the optimum of each coordinate; of a category its effect."""
        return np.array(
            [
                max(0.0, self.effects[j][int(u[j])] + 1.0) if c else abs(u[j] - self.centre[j])
                for j, c in enumerate(self.category)
            ]
        )

    def _bowl(self):
        power = float(self.rng.choice([1.0, 1.5, 2.0, 3.0]))
        return lambda u: float(self.weight @ self._parts(u) ** power)

    def _valley(self):
        a, b = self.rng.permutation(self.d)[0], self.rng.permutation(self.d)[0]
        bowl = self._bowl()
        return lambda u: bowl(u) + 3.0 * abs((u[a] - 0.5) - 1.5 * (u[b] - 0.5) ** 2) + 0.1 * u[b]

    def _wave(self, length, count=60):
        """A draw of a Gaussian process, by random features; length (d,) in cube edges."""
        rng, d = self.rng, self.d
        df = np.sqrt(5 / rng.chisquare(5, count))[:, None]
        slopes, phase = rng.normal(size=(count, d)) / length * df, rng.uniform(0, 2 * math.pi, count)
        amplitude = math.sqrt(2 / count)
        effects = np.array(self.effects)

        def wave(u):
            x = np.where(self.category, effects[np.arange(d), np.where(self.category, u, 0).astype(int)], u)
            return amplitude * float(np.cos(slopes @ x + phase).sum())

        return wave

    def _draw(self):
        return self._wave(0.25 * math.sqrt(self.d) * np.exp(self.rng.normal(0.3, 0.7, self.d)))

    def _rugged(self):
        bowl, size = self._bowl(), float(np.exp(self.rng.uniform(math.log(0.005), math.log(0.2))))
        fine = self._wave(np.full(self.d, 0.03 * math.sqrt(self.d)), 120)
        return lambda u: bowl(u) + size * fine(u)

    def _plateau(self):
        base = self._bowl() if self.rng.random() < 0.5 else self._draw()
        step = float(np.exp(self.rng.uniform(math.log(0.01), math.log(0.3))))
        return lambda u: round(base(u) / step) * step

    def _needle(self):
        bowl, width = self._bowl(), float(np.exp(self.rng.uniform(math.log(0.01), math.log(0.15))))
        at = self.rng.permutation(self.d)[: int(self.rng.integers(1, 3))]
        spot = self.rng.random(self.d)
        return lambda u: bowl(u) - 0.5 * math.exp(-float((((u[at] - spot[at]) / width) ** 2).sum()))

    def _additive(self):
        waves = []
        for _ in range(self.d):
            k = self.rng.normal(0.0, 1.0, 6) / (1.0 + np.arange(6))
            waves.append((k, self.rng.uniform(0, 2 * math.pi, 6)))
        order = np.arange(6) + 0.5

        def shape(u):
            return sum(
                float(w * (self.effects[j][int(u[j])] if c else (k * np.cos(math.pi * order * u[j] + phase)).sum()))
                for j, (w, c, (k, phase)) in enumerate(zip(self.weight, self.category, waves, strict=True))
            )

        return shape

    def _switch(self):
        """A category that decides which other optimum counts."""
        self.space[0] = choice("x0", "c0", "c1", "c2", "c3")
        self.category[0] = True
        centres, levels = self.rng.random((4, self.d)), self.rng.uniform(0.0, 0.3, 4)

        def shape(u):
            kind = int(u[0])
            away = np.array([0.0 if c else abs(u[j] - centres[kind, j]) for j, c in enumerate(self.category)])
            return levels[kind] + float(self.weight @ away**2) + 0.05 * float(self._parts(u)[self.category][1:].sum())

        return shape

    def _constant(self):
        """Nothing, or next to nothing, to gain."""
        left = float(self.rng.choice([0.0, 1e-3]))
        bowl = self._bowl()
        return lambda u: left * bowl(u) if u[0] < 0.97 else 1.0


@cache
def problem(name: str):
    kind, *rest = name.split("/")
    match kind:
        case "table":
            return OfSearch(name, rest[0])
        case "slice":
            return Slice(name, rest[0], int(rest[1]))
        case "live":
            return Live(name)
        case _:
            return Synthetic(name, kind, int(rest[0]))


def fitted(name: str) -> bool:
    """Whether the weights may be fitted on the task; the others are only ever reported."""
    kind, *rest = name.split("/")
    if kind == "table":
        return rest[0] in DEVELOPMENT
    if kind == "live":  # whole data sets are held out
        return not rest[0].startswith(("iris", "hastie", "diabetes"))
    return kind not in HELD_OUT_FAMILIES


def names() -> list[str]:
    """All of them."""
    tables = [f"table/{name}" for name in (*DEVELOPMENT, *HELD_OUT)]
    slices = [f"slice/{DEVELOPMENT[i % len(DEVELOPMENT)]}/{i // len(DEVELOPMENT)}" for i in range(SLICES)]
    numbered = [
        f"{family}/{i}"
        for i in range(14)
        for family in (*FAMILIES, *HELD_OUT_FAMILIES)
        if family != "constant" or i < 4
    ]
    return [*tables, *slices, *(f"live/{name}" for name in live()), *numbered]
