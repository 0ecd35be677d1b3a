"""Tasks with learning curves that cost next to nothing: tables of real trainings (`record.py`) with an interpolator.

    curve = curve_task("breast_xgb_5d").curve({...})      # 27 values, smaller is better; the last is the objective
    task.regret(value)                                    # 0: best known, 1: the median random configuration

A forest interpolates the objective, as ln(1 + gap to the best); the way to it is that of the five nearest configurations that
were trained, on the same scale, moved to end there.
"""

from __future__ import annotations

import json
import sys
from functools import cache, cached_property
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "search"))

from tasks import encode, from_unit, grown, to_unit  # noqa: E402 - bench/search

TABLES = HERE / "data" / "tables"
REPORTS = 27
NEAREST = 5
RANDOM = 2000  # configurations whose median is regret 1

# Divided once, before anything was tuned. The first four are tables that the search was developed on, too.
DEVELOPMENT = [
    "abalone_lgbm_7d", "german_xgb_6d", "mammography_xgb_2d", "segment_mlp_8d",
    "digits_mlp_6d", "hastie_xgb_6d",
]  # fmt: skip
HELD_OUT = [
    "breast_xgb_5d", "friedman_xgb_5d", "diabetes_gbm_5d", "blobs_mlp_7d", "friedman_mlp_5d", "digits_sgd_5d", "wine_trees_4d",
]  # fmt: skip


class CurveTask:
    """One tuning task whose training jobs report REPORTS values each."""

    def __init__(self, name: str) -> None:
        meta = json.loads((TABLES / f"{name}.json").read_text())
        self.name, self.space, self.random_rows = name, meta["space"], meta["random_rows"]
        with np.load(TABLES / f"{name}.npz") as z:
            X, curves, self.seconds = (z[k].astype(float) for k in ("X", "curves", "seconds"))
        self.Z = encode(self.space, X)
        last = curves[:, -1]
        self.least = last.min()
        self.c = max(float(np.median(last - self.least)) / 2, 1e-12)
        self.forest = grown(self.Z, self._gap(last))
        self.gaps = self._gap(curves)

    def _gap(self, value):
        return np.log(np.maximum(1.0 + (value - self.least) / self.c, 0.05))

    def curve(self, configuration) -> list[float]:
        """REPORTS values on the way to the objective, which is the last of them."""
        Z = encode(self.space, to_unit(self.space, configuration)[None, :])
        near, weight = self._near(Z)
        way = weight @ self.gaps[near]
        way = way - way[-1] + self.forest.predict(Z)[0]
        return [float(v) for v in self.least + self.c * np.expm1(way)]

    def cost(self, configuration) -> float:
        """Seconds of one report."""
        near, weight = self._near(encode(self.space, to_unit(self.space, configuration)[None, :]))
        return float(np.exp(weight @ np.log(np.maximum(self.seconds[near], 1e-4)))) / REPORTS

    def _near(self, Z):
        distance = ((self.Z - Z) ** 2).sum(1)
        near = np.argpartition(distance, NEAREST - 1)[:NEAREST]
        weight = 1.0 / (np.sqrt(distance[near]) + 1e-3)
        return near, weight / weight.sum()

    @cached_property
    def median(self) -> float:
        rng = np.random.default_rng(0)
        units = [to_unit(self.space, from_unit(self.space, rng.random(len(self.space)))) for _ in range(RANDOM)]
        gaps = self.forest.predict(encode(self.space, np.array(units)))
        return float(self.least + self.c * np.expm1(np.median(gaps)))

    def regret(self, value: float) -> float:
        return (value - self.least) / (self.median - self.least)


@cache
def curve_task(name: str) -> CurveTask:
    return CurveTask(name)
