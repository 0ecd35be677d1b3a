"""The chart of the objective by each hyperparameter, with the surrogate's mean and band."""

from __future__ import annotations

from collections.abc import Iterator

from alfine.core.conditions import words
from alfine.core.history import History
from alfine.core.range_protocol import Range
from alfine.core.range_words import scaling_of
from alfine.core.ranges import Categorical
from alfine.core.training_job import TrainingJob
from alfine.figures.best_so_far import frame_of
from alfine.figures.chart import Chart
from alfine.figures.hyperparameter_axis import hyperparameter_axis, place_on_axis
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import BEST, FAINT, MAIN
from alfine.figures.training_job_rows import (
    hyperparameter_fields,
    objective_title,
    quantitative,
    tooltip_of,
    training_job_row,
    varying,
)
from alfine.surrogate.influence import Effect, effect

MOST_PANELS = 24
"""Hyperparameters that have a slice."""

MOST_DOTS, MOST_DOTS_IN_ALL = 400, 2400
"""Training jobs that have a dot in a slice; dots in all slices together."""

PANEL = (230, 150)
"""Size of a slice, in pixels."""

GOLDEN_RATIO = 0.618034
"""Multiples of it, modulo 1, spread the dots of one category evenly."""

SPREAD: Plain = {"xOffset": {"field": "spread", "type": "quantitative", "scale": {"domain": [0, 1]}}}
"""The channel that spreads dots over the band of their category."""

MIDDLE = 0.5
"""The middle of the band of a category, where the best and what the surrogate expects stand."""

DASH: Plain = {"type": "point", "shape": "stroke", "size": 250, "filled": False, "strokeWidth": 2}
"""The mark of what the surrogate expects of a category."""

COLUMNS = 3
"""Slices side by side."""


def slices(history: History) -> Chart:
    """Return the chart of the objective by each hyperparameter: the training jobs, and what the surrogate expects around the best one.

    Args:
        history: The tuning job; of one definition, where it has several.
    """
    jobs = [job for job in history.finished if job.objective is not None]
    if len(jobs) < 3:
        return Chart(name="slices", title="Objective by hyperparameter", empty="Three objectives are needed.")
    every = varying(history.spec)
    if not every:
        empty = "Every hyperparameter has one value only."
        return Chart(name="slices", title="Objective by hyperparameter", empty=empty)
    names, left_out = every[:MOST_PANELS], max(0, len(every) - MOST_PANELS)
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
    most = min(MOST_DOTS, MOST_DOTS_IN_ALL // min(MOST_PANELS, len(history.spec.space.names)))
    inside = inside[:: max(1, -(-len(inside) // most))]
    rows = [
        {"x": place_on_axis(range_, job.hyperparameters[name]), "spread": _spread(job), **training_job_row(job, fields)}
        for job in inside
    ]
    domain = [low, high] if history.sign > 0 else [-high, -low]
    y = quantitative("objective", objective_title(history), scale={"domain": domain, "zero": False, "nice": False})
    spread = SPREAD if isinstance(range_, Categorical) else {}
    return {
        "width": PANEL[0],
        "height": PANEL[1],
        "encoding": {
            **spread,
            "x": hyperparameter_axis(range_, _axis_title(range_, name)),
            "y": {**y, "axis": {"titleFontSize": 10}},
        },
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


def _axis_title(range_: Range, name: str) -> str:
    """Return the title of a hyperparameter's axis: its name, its scaling, and when it is active."""
    scaling = f", {scaling_of(range_)}" if scaling_of(range_) else ""
    condition = f" if {' or '.join(map(words, range_.requires))}" if range_.requires else ""
    return f"{name}{condition}{scaling}"


def _spread(job: TrainingJob) -> float:
    """Return where in the band of its category a dot stands, by a fixed rule, so that dots don't hide each other."""
    return (job.number * GOLDEN_RATIO) % 1.0


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
    line: Plain = DASH if categories else {"type": "line", "strokeWidth": 1.5}
    yield {
        "data": {"values": rows},
        "mark": {**line, "color": FAINT, "clip": True},
        "encoding": {"y": quantitative("mean", "")},
    }


def _effect_rows(found: Effect, range_: Range) -> list[Plain]:
    columns = zip(found.values, found.mean, found.low, found.high, strict=True)
    return [
        {
            "x": place_on_axis(range_, value),
            "spread": MIDDLE,
            "mean": float(mean),
            "low": float(low),
            "high": float(high),
        }
        for value, mean, low, high in columns
    ]


def _best_dot(history: History, name: str, range_: Range) -> Iterator[Plain]:
    best = history.incumbent
    if best is not None and name in best.hyperparameters:
        row = {"x": place_on_axis(range_, best.hyperparameters[name]), "spread": MIDDLE, "objective": best.objective}
        yield {
            "data": {"values": [row]},
            "mark": {"type": "point", "size": 70, "color": BEST, "opacity": 1},
        }
