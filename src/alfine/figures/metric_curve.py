"""The values of one metric of a training job, in the order in which they were emitted."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from alfine.core.wording import number
from alfine.figures.svg import Drawing

MOST_POINTS = 1000
"""Points of the curve; of more values every second, third, … is drawn."""

MOST_DOTS = 60
"""Up to so many points each has a dot."""

GRID_LINES = 4
"""Horizontal grid lines, at most."""

WIDTH, HEIGHT = 420.0, 200.0
"""Size in pixels."""


def metric_curve(name: str, values: Sequence[tuple[float, float]]) -> Markup:
    """Return the curve as SVG.

    Args:
        name: The metric.
        values: (step, value) pairs, at least one.
    """
    shown = list(values[:: max(1, -(-len(values) // MOST_POINTS))])
    if shown[-1] != values[-1]:
        shown.append(values[-1])
    steps, heights = [step for step, _ in shown], [value for _, value in shown]
    drawing = Drawing(width=WIDTH, height=HEIGHT, label=f"{name} by emission", left=52.0, top=10.0)
    room = (max(heights) - min(heights)) * 0.06 or abs(heights[0]) * 0.05 or 1.0
    y = drawing.upwards(min(heights) - room, max(heights) + room, GRID_LINES)
    x = drawing.across(min(steps), max(steps)) if steps[0] != steps[-1] else drawing.across(steps[0] - 1, steps[0] + 1)
    drawing.grid(y, GRID_LINES)
    drawing.path([(x(step), y(value)) for step, value in shown], "curve")
    for step, value in shown if len(shown) <= MOST_DOTS else shown[-1:]:
        drawing.dot((x(step), y(value)), "point", f"emission {number(step)}: {number(value)}", radius=2.6)
    ticks = [tick for tick in x.ticks(6) if float(tick).is_integer() and x.low <= tick <= x.high]
    drawing.foot(x, ticks, "emission")
    return drawing.markup()
