"""The chart of all learning curves of a tuning job, with early stops."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from alfine.core.history import History
from alfine.core.training_job import TrainingJob
from alfine.core.wording import count_of, number
from alfine.figures.chart import Chart
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import BEST, FAINT, MAIN
from alfine.figures.training_job_rows import (
    best_and_latest,
    hyperparameter_fields,
    objective_title,
    quantitative,
    tooltip_of,
    training_job_row,
    whole_axis,
)

MOST_CURVES = 300
"""Learning curves that are drawn: the best, and the latest of the others."""

SHARE_SHOWN = 0.9
"""Share of the values that lie inside the frame; the rest are the worst."""

MOST_VALUES = 200
"""Values of a learning curve that are drawn."""


def learning_curves(history: History) -> Chart:
    """Return the chart of all learning curves, those that were stopped early marked."""
    metric = history.spec.metric
    jobs = best_and_latest(history, [j for j in history.jobs if len(j.curve(metric)) > 1], MOST_CURVES)
    if not jobs:
        empty = "No training job has reported its objective more than once."
        return Chart(name="learning-curves", title="Learning curves", empty=empty)
    fields = hyperparameter_fields([history])
    rows = [row for job in jobs for row in _curve_rows(job, metric, fields)]
    ends = [row for job in jobs if job.status == "Stopped" for row in _curve_rows(job, metric, fields)[-1:]]
    values = np.sort([history.sign * row["y"] for row in rows])
    low, high = float(values[0]), float(np.quantile(values, SHARE_SHOWN))
    room = 0.04 * ((high - low) or abs(low) or 1.0)
    domain = [low - room, high + room] if history.sign > 0 else [-high - room, -low + room]
    best = history.incumbent
    stopped = sum(job.status == "Stopped" for job in history.finished)
    colour = {
        "condition": {"test": f"datum.job === {best.number if best else 0}", "value": BEST},
        "value": MAIN,
    }
    heavy = {"condition": {"test": f"datum.job === {best.number if best else 0}", "value": 1.0}, "value": 0.28}
    x = quantitative("x", "value of the metric", axis=whole_axis())
    y = quantitative("y", objective_title(history), scale={"domain": domain, "zero": False, "nice": False})
    return Chart(
        name="learning-curves",
        title=f"{count_of(len(jobs), 'learning curve')}, {stopped} of {history.ended} training jobs stopped early",
        notes=("Orange: the best training job. ×: where a training job was stopped.",),
        view={
            "encoding": {"x": x, "y": y, "tooltip": tooltip_of(metric, fields)},
            "layer": [
                {
                    "data": {"values": rows},
                    "mark": {"type": "line", "strokeWidth": 1.3, "clip": True},
                    "encoding": {
                        "detail": {"field": "job", "type": "nominal"},
                        "color": colour,
                        "opacity": heavy,
                    },
                },
                {
                    "data": {"values": ends},
                    "mark": {"type": "text", "text": "×", "fontSize": 13, "color": FAINT, "clip": True},
                },
            ],
        },
    )


def _curve_rows(job: TrainingJob, metric: str, fields: Mapping[str, str]) -> list[Plain]:
    curve = job.curve(metric)
    every = max(1, -(-len(curve) // MOST_VALUES))
    row = training_job_row(job, fields)
    shown = [(at, value) for at, value in enumerate(curve, 1) if at % every == 0 or at in (1, len(curve))]
    return [{**row, "x": at, "y": value, "value": number(value)} for at, value in shown]
