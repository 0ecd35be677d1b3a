"""Draw the picture of the README: one recorded search, and where each completion criterion would have ended it.

    python docs/images/make_picture.py

The record, recorded.csv, is tuning job (c) of `make demo`: XGBoost on scikit-learn's diabetes data, 200 training jobs, seed 0. The criteria
judge it by the code that judges a running job, and the figure is `tuner.plot.best(criteria)`. There are two files, one for light and one
for dark pages.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import alfine

HERE = Path(__file__).parent
SPACE = {
    "eta": alfine.Continuous(0.01, 1, scaling="Logarithmic"),
    "min_child_weight": alfine.Integer(1, 100, scaling="Logarithmic"),
}
CRITERIA = (alfine.BestObjectiveNotImproving(10), alfine.ConvergenceDetected())
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTH = 960  # pixels


def searched() -> alfine.Tuner:
    """Return a Tuner that has observed the recorded training jobs."""
    with (HERE / "recorded.csv").open() as file:
        rows = list(csv.DictReader(file))
    tuner = alfine.Tuner(SPACE, goal="Minimize", metric="rmse", max_training_jobs=len(rows))
    for row in rows:
        point = {"eta": float(row["eta"]), "min_child_weight": int(row["min_child_weight"])}
        tuner.observe(point, float(row["objective"]), seconds=float(row["seconds"]))
    return tuner


def pictures() -> dict[Path, str]:
    """Return the text of each file."""
    chart = searched().plot.best(CRITERIA)
    return {HERE / f"best-so-far-{theme}.svg": f"{chart.svg(theme, WIDTH)}\n" for theme in THEMES}


if __name__ == "__main__":
    for file, text in pictures().items():
        file.write_text(text)
