"""A metric of one training job against its emissions, one small picture a metric."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from alfine.core.wording import number
from alfine.figures.svg import Drawing

MOST_POINTS = 1000
MARKED = 60  # up to so many points each has a dot
GRID = 4  # lines
WIDTH, HEIGHT = 420.0, 200.0


def metric(name: str, values: Sequence[tuple[float, float]]) -> Markup:
    """values: (step, value), at least one."""
    shown = list(values[:: max(1, -(-len(values) // MOST_POINTS))])
    if shown[-1] != values[-1]:
        shown.append(values[-1])
    steps, heights = [step for step, _ in shown], [value for _, value in shown]
    drawing = Drawing(width=WIDTH, height=HEIGHT, label=f"{name} against its emissions", left=52.0, top=10.0)
    room = (max(heights) - min(heights)) * 0.06 or abs(heights[0]) * 0.05 or 1.0
    y = drawing.upwards(min(heights) - room, max(heights) + room, GRID)
    x = drawing.across(min(steps), max(steps)) if steps[0] != steps[-1] else drawing.across(steps[0] - 1, steps[0] + 1)
    drawing.grid(y, GRID)
    drawing.path([(x(step), y(value)) for step, value in shown], "curve")
    for step, value in shown if len(shown) <= MARKED else shown[-1:]:
        drawing.dot((x(step), y(value)), "point", f"emission {step:g}: {number(value)}", radius=2.6)
    ticks = [tick for tick in x.ticks(6) if float(tick).is_integer() and x.low <= tick <= x.high]
    drawing.foot(x, ticks, "emission")
    return drawing.markup()
