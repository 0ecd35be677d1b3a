"""The chart of the hyperparameters' importance."""

from __future__ import annotations

from alfine.core.history import History
from alfine.core.wording import percent
from alfine.figures.chart import Chart
from alfine.figures.hyperparameter_axis import WAITS
from alfine.figures.theme import MAIN
from alfine.figures.training_job_rows import (
    quantitative,
)
from alfine.surrogate.influence import influences


def importance(history: History) -> Chart:
    """Return the chart of the hyperparameters' importance, with its uncertainty (surrogate/influence.py says which measure).

    Args:
        history: The tuning job; of one definition, where it has several.
    """
    found = influences(history)
    if not found:
        return Chart(name="importance", title="Importance of the hyperparameters", empty=WAITS)
    rows = [
        {
            "name": each.name,
            "share": each.share,
            "low": each.low,
            "high": each.high,
            "text": f"{percent(each.share)} ({percent(each.low)} to {percent(each.high)})",
        }
        for each in found
    ]
    top = found[0]
    y = {"field": "name", "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 240, "ticks": False}}
    x = quantitative("share", "share of the objective's variance", scale={"domain": [0, 1]}, axis={"format": ".0%"})
    tip = [{"field": f, "type": "nominal", "title": t} for f, t in (("name", "hyperparameter"), ("text", "importance"))]
    return Chart(
        name="importance",
        title=f"{top.name} causes {percent(top.share)} of the objective's variance",
        notes=(
            "Total Sobol index of the surrogate's trend over the whole search space: alone or together with others, so that",
            "shares may add up to more than 100 %. Line: 5 % to 95 % of functions drawn from the surrogate.",
        ),
        size=(None, None),
        view={
            "width": 620,
            "height": {"step": 26},
            "data": {"values": rows},
            "encoding": {"y": y, "tooltip": tip},
            "layer": [
                {"mark": {"type": "bar", "color": MAIN, "opacity": 0.75, "height": 14}, "encoding": {"x": x}},
                {
                    "mark": {"type": "rule", "strokeWidth": 2},
                    "encoding": {"x": quantitative("low", ""), "x2": {"field": "high"}},
                },
            ],
        },
    )
