"""The axis of a hyperparameter in a chart: on the scale of its range, or its categories."""

from __future__ import annotations

import math

from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical, Continuous, Integer
from alfine.core.wording import short
from alfine.figures.svg_layer import Plain
from alfine.figures.training_job_rows import (
    quantitative,
)
from alfine.surrogate.influence import LEAST_RESULTS

LEVEL_LABELS = 6
"""Categories up to which the labels of an axis are written level."""

WAITS = f"The surrogate is asked from {LEAST_RESULTS} objectives on."
"""What a figure of the surrogate waits for."""


def hyperparameter_axis(range_: Range, name: str, field: str = "x") -> Plain:
    """Return the channel of a hyperparameter, on the scale of its range."""
    if isinstance(range_, Categorical):
        sort = [short(value) for value in range_.values]
        labels = {"labelAngle": 0, "labelLimit": 90} if len(sort) <= LEVEL_LABELS else {"labelLimit": 120}
        return {
            "field": field,
            "type": "nominal",
            "title": name,
            "sort": sort,
            "scale": {"domain": sort},
            "axis": labels,
        }
    assert isinstance(range_, Continuous | Integer)
    scale: Plain = {"domain": list(ends(range_)), "zero": False, "nice": False}
    axis: Plain = {"tickCount": 6}
    if range_.effective_scaling == "Logarithmic":
        scale = {"domain": scale["domain"], "type": "log"}
        axis = {"values": _decades(range_), "format": "~g"} if len(_decades(range_)) > 1 else {"tickCount": 3}
    return quantitative(field, name, scale=scale, axis=axis)


def place_on_axis(range_: Range, value: object) -> object:
    """Return what stands for a value on its axis: the number, or the category as text."""
    return short(value) if isinstance(range_, Categorical) else value


def ends(range_: Continuous | Integer) -> tuple[float, float]:
    """Return the ends of an axis: an integer's cell reaches half a unit to each side."""
    room = 0.5 if isinstance(range_, Integer) else 0.0
    return float(range_.low) - room, float(range_.high) + room


def _decades(range_: Continuous | Integer) -> list[float]:
    """Return the powers of ten on a logarithmic axis, at most six."""
    first, last = math.ceil(math.log10(range_.low) - 1e-9), math.floor(math.log10(range_.high) + 1e-9)
    every = max(1, -(-(last - first + 1) // 6))
    return [10.0**power for power in range(first, last + 1, every)]
