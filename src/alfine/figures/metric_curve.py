"""The chart of one metric of a training job: its values in the order in which they were emitted."""

from __future__ import annotations

from collections.abc import Sequence

from alfine.core.wording import number
from alfine.figures.chart import Chart
from alfine.figures.theme import MAIN
from alfine.figures.training_job_rows import quantitative, whole_axis

MOST_POINTS = 1000
"""Points of the curve; of more values every second, third, … is drawn."""

MOST_DOTS = 60
"""Up to so many points each has a dot."""

SIZE = (360, 150)
"""Size of the frame, in pixels."""


def metric_curve(name: str, values: Sequence[tuple[float, float]]) -> Chart:
    """Return the chart of a metric.

    Args:
        name: The metric.
        values: (step, value) pairs, at least one.
    """
    shown = list(values[:: max(1, -(-len(values) // MOST_POINTS))])
    if shown[-1] != values[-1]:
        shown.append(values[-1])
    rows = [{"x": step, "y": value, "text": number(value)} for step, value in shown]
    steps, heights = [step for step, _ in shown], [value for _, value in shown]
    x_room = 0 if steps[0] != steps[-1] else 1
    y_room = (max(heights) - min(heights)) * 0.06 or abs(heights[0]) * 0.05 or 1.0
    x = quantitative("x", "step", axis=whole_axis())
    x["scale"] = {"domain": [min(steps) - x_room, max(steps) + x_room], "nice": False}
    y = quantitative("y", "")
    y["scale"] = {"domain": [min(heights) - y_room, max(heights) + y_room], "nice": False}
    tip = [{"field": f, "type": "nominal", "title": t} for f, t in (("x", "step"), ("text", name))]
    dots = rows if len(rows) <= MOST_DOTS else rows[-1:]
    return Chart(
        name="metric",
        title=f"{name} by step",
        size=SIZE,
        view={
            "encoding": {"x": x, "y": y, "tooltip": tip},
            "layer": [
                {"data": {"values": rows}, "mark": {"type": "line", "color": MAIN}},
                {"data": {"values": dots}, "mark": {"type": "point", "color": MAIN, "size": 22}},
            ],
        },
    )
