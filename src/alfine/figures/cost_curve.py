"""The chart of the best objective so far by training time or money."""

from __future__ import annotations

from collections.abc import Sequence

from alfine.core import cost
from alfine.core.history import History
from alfine.core.wording import number, percent
from alfine.figures.best_so_far import frame_of
from alfine.figures.chart import Chart
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import MAIN
from alfine.figures.training_job_rows import (
    objective_title,
    quantitative,
)


def cost_curve(history: History) -> Chart:
    """Return the chart of the best objective so far by training time, or by money where the tuning job has a price."""
    curve = history.best_curve()
    if not curve:
        return Chart(name="cost", title="Best objective by cost", empty="No training job has an objective yet.")
    price = history.spec.price_per_hour
    total, spent = 0.0, {}
    for job in history.finished:
        total += job.seconds * history.spec.of(job.definition).definition.instance_count
        spent[job.number] = total / cost.HOUR * price if price else total
    rows: list[Plain] = [
        {"x": spent[job.number], "y": best, "job": job.number, "best": number(best)} for job, best in curve
    ]
    title = "cost in USD" if price else "training time of all instances in seconds"
    reached = next(row["x"] for row in rows if row["y"] == rows[-1]["y"])
    whole = spent[history.finished[-1].number]
    share = percent(reached / whole if whole else 1.0)
    y = quantitative("y", objective_title(history), scale={"zero": False, "domain": _course_domain(history, rows)})
    return Chart(
        name="cost",
        title=f"The best objective was reached after {share} of the cost so far",
        notes=("Line: best so far.",),
        view={
            "data": {"values": rows},
            "mark": {"type": "line", "interpolate": "step-after", "color": MAIN, "clip": True},
            "encoding": {
                "x": quantitative("x", title),
                "y": y,
                "tooltip": [
                    {"field": "job", "type": "nominal", "title": "training job"},
                    {"field": "best", "type": "nominal", "title": "best so far"},
                ],
            },
        },
    )


def _course_domain(history: History, rows: Sequence[Plain]) -> list[float]:
    jobs = [job for job in history.finished if job.objective is not None]
    low, high = frame_of(jobs, history.sign, history.sign * rows[-1]["y"])
    return [low, high] if history.sign > 0 else [-high, -low]
