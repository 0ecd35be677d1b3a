"""Charts of what the hyperparameters do, as the surrogate sees it: importance, slices with its mean and band, and contours of pairs."""

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
from alfine.figures.best_so_far import frame_of
from alfine.figures.chart import Chart, Plain
from alfine.figures.theme import BEST, FAINT, MAIN, SEQUENCE
from alfine.figures.training_job_rows import (
    hyperparameter_fields,
    objective_title,
    quantitative,
    tooltip_of,
    training_job_row,
)
from alfine.surrogate.influence import LEAST_RESULTS, Effect, Surface, effect, influences, surface

MOST_PANELS = 24
"""Hyperparameters that have a slice."""

MOST_DOTS = 400
"""Training jobs that have a dot in a slice."""

PANEL = (230, 150)
"""Size of a slice, in pixels."""

COLUMNS = 3
"""Slices side by side."""

LEVEL_LABELS = 6
"""Categories up to which the labels of an axis are written level."""

SHARE_COLOURED = 0.8
"""Share of the cells of a contour whose colours differ; the worst of a search space are often ten times worse than the rest."""

WAITS = f"The surrogate is asked from {LEAST_RESULTS} objectives on."
"""What a figure of the surrogate waits for."""


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


def slices(history: History) -> Chart:
    """Return the chart of the objective by each hyperparameter: the training jobs, and what the surrogate expects around the best one.

    Args:
        history: The tuning job; of one definition, where it has several.
    """
    jobs = [job for job in history.finished if job.objective is not None]
    if len(jobs) < 3:
        return Chart(name="slices", title="Objective by hyperparameter", empty="Three objectives are needed.")
    names = list(history.spec.space.names)[:MOST_PANELS]
    left_out = len(history.spec.space.names) - len(names)
    notes = [
        "Dots: training jobs, later ones darker. Line and band: mean and 90 % interval of the surrogate,",
        "with all other hyperparameters as in the best training job.",
    ]
    if left_out:
        notes.append(f"{left_out} more hyperparameters aren't shown.")
    return Chart(
        name="slices",
        title=f"{history.spec.metric} by hyperparameter",
        notes=tuple(notes),
        size=(None, None),
        view={"concat": [_slice(history, name) for name in names], "columns": COLUMNS, "spacing": 24},
    )


def _slice(history: History, name: str) -> Plain:
    range_ = history.spec.space.ranges[name]
    shown, fields = [j for j in history.finished if j.objective is not None], hyperparameter_fields([history])
    low, high = frame_of(shown, history.sign)
    inside = [j for j in shown if history.sign * (j.objective or 0.0) <= high and name in j.hyperparameters]
    inside = inside[:: max(1, -(-len(inside) // MOST_DOTS))]
    rows = [{"x": _place(range_, job.hyperparameters[name]), **training_job_row(job, fields)} for job in inside]
    domain = [low, high] if history.sign > 0 else [-high, -low]
    y = quantitative("objective", objective_title(history), scale={"domain": domain, "zero": False, "nice": False})
    return {
        "width": PANEL[0],
        "height": PANEL[1],
        "encoding": {"x": _axis(range_, name), "y": {**y, "axis": {"titleFontSize": 10}}},
        "layer": [
            *_expected(history, name),
            {
                "data": {"values": rows},
                "mark": {"type": "point", "size": 22, "clip": True, "color": MAIN},
                "encoding": {
                    "opacity": {
                        "field": "job",
                        "type": "quantitative",
                        "legend": None,
                        "scale": {"range": [0.2, 0.9]},
                    },
                    "tooltip": tooltip_of(history.spec.metric, fields),
                },
            },
            *_best_dot(history, name, range_),
        ],
    }


def _expected(history: History, name: str) -> Iterator[Plain]:
    found = effect(history, name)
    if found is None:
        return
    range_ = history.spec.space.ranges[name]
    rows = _effect_rows(found, range_)
    categories = isinstance(range_, Categorical)
    band: Plain = {"type": "rule", "strokeWidth": 14} if categories else {"type": "area"}
    yield {
        "data": {"values": rows},
        "mark": {**band, "color": FAINT, "opacity": 0.25, "clip": True},
        "encoding": {"y": quantitative("low", ""), "y2": {"field": "high"}},
    }
    line: Plain = {"type": "tick", "thickness": 2} if categories else {"type": "line", "strokeWidth": 1.5}
    yield {
        "data": {"values": rows},
        "mark": {**line, "color": FAINT, "clip": True},
        "encoding": {"y": quantitative("mean", "")},
    }


def _effect_rows(found: Effect, range_: Range) -> list[Plain]:
    columns = zip(found.values, found.mean, found.low, found.high, strict=True)
    return [
        {"x": _place(range_, value), "mean": float(mean), "low": float(low), "high": float(high)}
        for value, mean, low, high in columns
    ]


def _best_dot(history: History, name: str, range_: Range) -> Iterator[Plain]:
    best = history.incumbent
    if best is not None and name in best.hyperparameters:
        yield {
            "data": {"values": [{"x": _place(range_, best.hyperparameters[name]), "objective": best.objective}]},
            "mark": {"type": "point", "size": 70, "color": BEST, "opacity": 1},
        }


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
    rows = [
        {**cell, "z": float(found.mean[i, k])}
        for i, left in enumerate(_cells(ranges[first], found.values[0], "x"))
        for k, right in enumerate(_cells(ranges[second], found.values[1], "y"))
        for cell in ({**left, **right},)
    ]
    x, y = _axis(ranges[first], first), _axis(ranges[second], second, "y")
    fields = hyperparameter_fields([history])
    dots = [
        {
            "x": _place(ranges[first], job.hyperparameters[first]),
            "y": _place(ranges[second], job.hyperparameters[second]),
            **training_job_row(job, fields),
        }
        for job in history.finished
        if job.objective is not None and first in job.hyperparameters and second in job.hyperparameters
    ][-MOST_DOTS:]
    colour = quantitative("z", history.spec.metric, scale=_colours(history, found))
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
                {
                    "data": {"values": rows},
                    "mark": {"type": "rect", "strokeWidth": 0.6},
                    "encoding": {
                        "x": x,
                        "y": y,
                        "color": colour,
                        "stroke": {**colour, "legend": None},
                        **({} if isinstance(ranges[first], Categorical) else {"x2": {"field": "x2"}}),
                        **({} if isinstance(ranges[second], Categorical) else {"y2": {"field": "y2"}}),
                    },
                },
                {
                    "data": {"values": dots},
                    "mark": {"type": "point", "size": 18, "color": "white", "stroke": "black", "strokeWidth": 0.5},
                    "encoding": {"x": x, "y": y, "tooltip": tooltip_of(history.spec.metric, fields)},
                },
                *_ringed(history, first, second, x, y),
            ]
        },
    )


def _colours(history: History, found: Surface) -> Plain:
    """Return the scale of colours: those of the worst cells are one, so that the good ones differ."""
    values = np.sort(history.sign * found.mean.ravel())
    low, high = float(values[0]), float(values[int(SHARE_COLOURED * (len(values) - 1))])
    domain = [low, high] if history.sign > 0 else [-high, -low]
    return {"scheme": SEQUENCE, "reverse": history.sign > 0, "zero": False, "domain": domain, "clamp": True}


def _ringed(history: History, first: str, second: str, x: Plain, y: Plain) -> Iterator[Plain]:
    best, ranges = history.incumbent, history.spec.space.ranges
    if best is not None and first in best.hyperparameters and second in best.hyperparameters:
        place = {
            "x": _place(ranges[first], best.hyperparameters[first]),
            "y": _place(ranges[second], best.hyperparameters[second]),
        }
        yield {
            "data": {"values": [place]},
            "mark": {"type": "point", "size": 160, "filled": False, "color": BEST, "strokeWidth": 3},
            "encoding": {"x": x, "y": y},
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
    first, last = _ends(range_)
    for low, high in pairwise([first, *between, last]):
        yield {axis: low, f"{axis}2": high}


def _middle(range_: Continuous | Integer, low: float, high: float) -> float:
    """Return the middle of two values on the scale of their range."""
    return math.sqrt(low * high) if range_.effective_scaling == "Logarithmic" else (low + high) / 2


def _ends(range_: Continuous | Integer) -> tuple[float, float]:
    """Return the ends of an axis: an integer's cell reaches half a unit to each side."""
    room = 0.5 if isinstance(range_, Integer) else 0.0
    return float(range_.low) - room, float(range_.high) + room


def _place(range_: Range, value: object) -> object:
    """Return what stands for a value on its axis: the number, or the category as text."""
    return short(value) if isinstance(range_, Categorical) else value


def _axis(range_: Range, name: str, field: str = "x") -> Plain:
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
    scale: Plain = {"domain": list(_ends(range_)), "zero": False, "nice": False}
    axis: Plain = {"tickCount": 6}
    if range_.effective_scaling == "Logarithmic":
        scale = {"domain": scale["domain"], "type": "log"}
        axis = {"values": _decades(range_), "format": "~g"} if len(_decades(range_)) > 1 else {"tickCount": 3}
    return quantitative(field, name, scale=scale, axis=axis)


def _decades(range_: Continuous | Integer) -> list[float]:
    """Return the powers of ten on a logarithmic axis, at most six."""
    first, last = math.ceil(math.log10(range_.low) - 1e-9), math.floor(math.log10(range_.high) + 1e-9)
    every = max(1, -(-(last - first + 1) // 6))
    return [10.0**power for power in range(first, last + 1, every)]
