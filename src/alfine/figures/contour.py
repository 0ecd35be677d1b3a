"""The chart of the objective that the surrogate expects by two hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical, Continuous, Integer
from alfine.core.wording import did_you_mean, percent, short
from alfine.figures.chart import Chart
from alfine.figures.hyperparameter_axis import WAITS, ends, hyperparameter_axis, place_on_axis
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import BEST, SEQUENCE
from alfine.figures.training_job_rows import (
    hyperparameter_fields,
    quantitative,
    tooltip_of,
    training_job_row,
)
from alfine.surrogate.influence import Surface, surface

MOST_DOTS = 400
"""Training jobs that have a dot."""

SHARE_COLOURED = 0.8
"""Share of the cells of a contour whose colours differ; the worst of a search space are often ten times worse than the rest."""


def contour(history: History, first: str, second: str) -> Chart:
    """Return the chart of the objective that the surrogate expects by two hyperparameters, all others as in the best training job.

    Args:
        history: The tuning job; of one definition, where it has several.
        first: The hyperparameter of the x-axis.
        second: The hyperparameter of the y-axis.

    Raises:
        InvalidSpec: One of them isn't a hyperparameter of the tuning job, or they are the same.
    """
    _check_names(history, (first, second))
    title = f"{history.spec.metric} expected by {first} and {second}"
    found = surface(history, first, second)
    if found is None:
        return Chart(name="contour", title=title, empty=WAITS)
    ranges = history.spec.space.ranges
    axes = {"x": hyperparameter_axis(ranges[first], first), "y": hyperparameter_axis(ranges[second], second, "y")}
    return Chart(
        name="contour",
        title=title,
        notes=(
            "Colour: what the surrogate expects, all other hyperparameters as in the best training job (ringed);",
            f"the worst {percent(1 - SHARE_COLOURED)} have one colour.",
            "Dots: training jobs, which have other values of the other hyperparameters.",
        ),
        size=(520, 400),
        view={
            "layer": [
                _map(history, found, (ranges[first], ranges[second]), axes),
                _dots(history, first, second, axes),
                *_ringed(history, first, second, axes),
            ]
        },
    )


def _map(history: History, found: Surface, ranges: tuple[Range, Range], axes: Plain) -> Plain:
    """Return the layer of what the surrogate expects: a cell for each pair of values."""
    rows = [
        {**left, **right, "z": float(found.mean[i, k])}
        for i, left in enumerate(_cells(ranges[0], found.values[0], "x"))
        for k, right in enumerate(_cells(ranges[1], found.values[1], "y"))
    ]
    colour = quantitative("z", history.spec.metric, scale=_colours(history, found))
    far_ends = {
        f"{axis}2": {"field": f"{axis}2"}
        for axis, range_ in zip("xy", ranges, strict=True)
        if not isinstance(range_, Categorical)
    }
    return {
        "data": {"values": rows},
        "mark": {"type": "rect", "strokeWidth": 0.6},
        "encoding": {**axes, "color": colour, "stroke": {**colour, "legend": None}, **far_ends},
    }


def _dots(history: History, first: str, second: str, axes: Plain) -> Plain:
    """Return the layer of the training jobs."""
    fields, ranges = hyperparameter_fields([history]), history.spec.space.ranges
    rows = [
        {
            "x": place_on_axis(ranges[first], job.hyperparameters[first]),
            "y": place_on_axis(ranges[second], job.hyperparameters[second]),
            **training_job_row(job, fields),
        }
        for job in history.finished
        if job.objective is not None and first in job.hyperparameters and second in job.hyperparameters
    ][-MOST_DOTS:]
    return {
        "data": {"values": rows},
        "mark": {"type": "point", "size": 18, "color": "white", "stroke": "black", "strokeWidth": 0.5},
        "encoding": {**axes, "tooltip": tooltip_of(history.spec.metric, fields)},
    }


def _colours(history: History, found: Surface) -> Plain:
    """Return the scale of colours: those of the worst cells are one, so that the good ones differ."""
    values = np.sort(history.sign * found.mean.ravel())
    low, high = float(values[0]), float(values[int(SHARE_COLOURED * (len(values) - 1))])
    domain = [low, high] if history.sign > 0 else [-high, -low]
    return {"scheme": SEQUENCE, "reverse": history.sign > 0, "zero": False, "domain": domain, "clamp": True}


def _ringed(history: History, first: str, second: str, axes: Plain) -> Iterator[Plain]:
    best, ranges = history.incumbent, history.spec.space.ranges
    if best is not None and first in best.hyperparameters and second in best.hyperparameters:
        place = {
            "x": place_on_axis(ranges[first], best.hyperparameters[first]),
            "y": place_on_axis(ranges[second], best.hyperparameters[second]),
        }
        yield {
            "data": {"values": [place]},
            "mark": {"type": "point", "size": 160, "filled": False, "color": BEST, "strokeWidth": 3},
            "encoding": axes,
        }


def _check_names(history: History, names: Sequence[str]) -> None:
    known = history.spec.space.names
    faults = [
        Fault("", f"{name!r} isn't a hyperparameter. {did_you_mean(name, known)}")
        for name in names
        if name not in known
    ]
    if not faults and len(set(names)) < len(names):
        faults = [Fault("", f"{names[0]!r} is named twice: name two hyperparameters.")]
    if faults:
        raise InvalidSpec(faults)


def _cells(range_: Range, values: Sequence[Any], axis: str) -> Iterator[Plain]:
    """Yield the cell of each value on an axis: its lower and its upper end, or the category."""
    if isinstance(range_, Categorical):
        yield from ({axis: short(value)} for value in values)
        return
    assert isinstance(range_, Continuous | Integer)
    between = [_middle(range_, low, high) for low, high in pairwise(map(float, values))]
    first, last = ends(range_)
    for low, high in pairwise([first, *between, last]):
        yield {axis: low, f"{axis}2": high}


def _middle(range_: Continuous | Integer, low: float, high: float) -> float:
    """Return the middle of two values on the scale of their range."""
    return math.sqrt(low * high) if range_.effective_scaling == "Logarithmic" else (low + high) / 2
