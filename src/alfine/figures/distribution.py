"""The chart of the share of training jobs that reach each objective: the empirical distribution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from alfine.core.history import History
from alfine.core.wording import number, percent
from alfine.figures.chart import Chart
from alfine.figures.comparison import by_label
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import COLOURS, MAIN
from alfine.figures.training_job_rows import (
    objective_title,
    quantitative,
)

SHARE_SHOWN = 0.9
"""Share of the objectives that lie inside the frame; the rest are the worst."""


def distribution(histories: Mapping[str, History]) -> Chart:
    """Return the chart of the share of training jobs with at least an objective so good: the empirical distribution.

    Args:
        histories: Tuning jobs by label; the label of a single one may be empty.
    """
    rows: list[Plain] = []
    for label, history in histories.items():
        sorted_values = np.sort([history.sign * j.objective for j in history.finished if j.objective is not None])
        if len(sorted_values):
            shares = np.arange(1, len(sorted_values) + 1) / len(sorted_values)
            rows += [
                {
                    "x": float(history.sign * v),
                    "y": float(s),
                    "label": label or history.spec.metric,
                    "share": percent(float(s)),
                }
                for v, s in zip(sorted_values, shares, strict=True)
            ]
    if not rows:
        empty = "No training job has an objective yet."
        return Chart(name="distribution", title="Distribution of the objectives", empty=empty)
    first = next(iter(histories.values()))
    values = np.array([first.sign * row["x"] for row in rows])
    low, high = float(values.min()), float(np.quantile(values, SHARE_SHOWN))
    domain = [low, high] if first.sign > 0 else [-high, -low]
    median = first.sign * float(np.median(values))
    labels = [label for label in histories if any(row["label"] == label for row in rows)]
    several = {"color": by_label(labels, histories, COLOURS)} if len(histories) > 1 else {}
    return Chart(
        name="distribution",
        title=f"Half of the training jobs reach {number(median)} or better",
        notes=("Height: the share of training jobs with this objective or a better one.",),
        view={
            "data": {"values": rows},
            "mark": {
                "type": "line",
                **({} if several else {"color": MAIN}),
                "interpolate": "step-after" if first.sign > 0 else "step-before",
                "clip": True,
            },
            "encoding": {
                "x": quantitative("x", objective_title(first), scale={"domain": domain, "nice": False, "zero": False}),
                "y": quantitative("y", "share of training jobs", axis={"format": ".0%"}, scale={"domain": [0, 1]}),
                "tooltip": [
                    {"field": "label", "type": "nominal", "title": "tuning job"},
                    {"field": "share", "type": "nominal", "title": "share"},
                ],
                **several,
            },
        },
    )
