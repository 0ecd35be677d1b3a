"""Slice plots: the objective by the value of each hyperparameter, on its own scale; later training jobs are darker."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from markupsafe import Markup

from alfine.core.conditions import words
from alfine.core.history import History
from alfine.core.range_words import scaling_of
from alfine.core.ranges import Categorical
from alfine.core.training_job import TrainingJob
from alfine.core.wording import power_of_ten, short
from alfine.figures.best_so_far import frame_of
from alfine.figures.best_so_far_svg import dot_title, page_of
from alfine.figures.svg import Axis, Drawing, tick_text

MOST_PANELS = 24
"""Hyperparameters that are drawn."""

MOST_DOTS = 300
"""Dots in a panel."""

LEAST_OBJECTIVES = 3
"""Objectives from which on a definition is drawn."""

MOST_CATEGORIES = 8
"""Categories that have labels."""

LABEL_LETTERS = 36
"""Letters that the labels of all categories together may have."""

WIDTH, HEIGHT = 270.0, 170.0
"""Size of a panel, in pixels."""

GRID_LINES = 4
"""Horizontal grid lines, at most."""

SHADES = 4
"""Shades of the dots, from the first to the last training jobs."""

GOLDEN_RATIO = 0.618034
"""Multiples of it, modulo 1, spread the dots of one category evenly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The slice plot of one hyperparameter.

    Attributes:
        definition: The name of its training job definition, where the job has several; else empty.
        name: The hyperparameter.
        condition: When the hyperparameter is active; empty for always.
        scaling: The scaling of its axis; empty for categories.
        drawing: The SVG.
    """

    definition: str
    name: str
    condition: str
    scaling: str
    drawing: Markup


def slices(history: History) -> tuple[list[Slice], int]:
    """Return the slice plots in the order of the search space, and how many hyperparameters are left out.

    There are none before `LEAST_OBJECTIVES` training jobs have an objective.
    """
    drawn = list(islice(_slices(history), MOST_PANELS))
    total = sum(len(spec.space.ranges) for spec in history.spec.definition_specs)
    return drawn, total - len(drawn) if len(drawn) == MOST_PANELS else 0


def _slices(history: History) -> Iterator[Slice]:
    for spec in history.spec.definition_specs:
        definition = str(spec.definition.name) if history.spec.parts else ""
        jobs = [
            job
            for job in history.finished
            if job.objective is not None and (not definition or job.definition == definition)
        ]
        if len(jobs) < LEAST_OBJECTIVES:
            continue
        low, high = frame_of(jobs, spec.sign)
        kept = [job for job in jobs if spec.sign * (job.objective or 0.0) <= high]
        best = min(jobs, key=lambda job: (job is not history.incumbent, spec.sign * (job.objective or 0.0)))
        shown = kept[:: max(1, -(-len(kept) // MOST_DOTS))]
        inside = (low, high) if spec.sign > 0 else (-high, -low)
        for name, hyperparameter_range in spec.space.ranges.items():
            active = [job for job in shown if name in job.hyperparameters]
            if active:
                yield Slice(
                    definition=definition,
                    name=name,
                    condition=" or ".join(map(words, hyperparameter_range.requires)),
                    scaling=scaling_of(hyperparameter_range),
                    drawing=_panel(name, hyperparameter_range, active, best, inside, metric=spec.metric),
                )


def _panel(
    name: str, kind: Any, jobs: Sequence[TrainingJob], best: TrainingJob, inside: tuple[float, float], *, metric: str
) -> Markup:
    drawing = Drawing(
        width=WIDTH, height=HEIGHT, label=f"{metric} by {name}", left=46.0, right=8.0, top=8.0, bottom=20.0
    )
    y = drawing.upwards(*inside, GRID_LINES)
    x = drawing.across(0.0, 1.0)
    drawing.grid(y, GRID_LINES)
    foot = drawing.height - drawing.bottom
    drawing.line((drawing.left, foot), (drawing.width - drawing.right, foot), "axis")
    for place, label in _marks(kind):
        drawing.line((x(place), foot), (x(place), foot + 3), "axis")
        drawing.text(
            (x(place), foot + 14), label, anchor="start" if place < 0.04 else "end" if place > 0.96 else "middle"
        )
    last = jobs[-1].number
    for job in jobs:
        age = min(SHADES - 1, SHADES * (job.number - 1) // max(1, last))
        drawing.dot(
            _place(kind, name, job, x, y), f"dot age{age}", dot_title(job, metric), radius=2.4, href=page_of(job)
        )
    if name in best.hyperparameters:
        drawing.dot(
            _place(kind, name, best, x, y),
            "best",
            f"best: {dot_title(best, metric)}",
            radius=4.5,
            href=page_of(best),
        )
    return drawing.markup()


def _place(kind: Any, name: str, job: TrainingJob, x: Axis, y: Axis) -> tuple[float, float]:
    place = float(kind.to_unit(job.hyperparameters[name]))
    if isinstance(kind, Categorical):  # spread by a fixed rule, so that dots of one category don't hide each other
        place += 0.5 / len(kind.values) * ((job.number * GOLDEN_RATIO) % 1.0 - 0.5)
    return x(place), y(job.objective or 0.0)


def _marks(kind: Any) -> Iterator[tuple[float, str]]:
    """Yield the labels of the axis as (place in [0, 1], text)."""
    if isinstance(kind, Categorical):
        if len(kind.values) <= MOST_CATEGORIES:
            room = max(3, LABEL_LETTERS // len(kind.values))
            for value in kind.values:
                label = short(value)
                yield float(kind.to_unit(value)), label if len(label) <= room else f"{label[: room - 1]}…"
        return
    if kind.effective_scaling == "Logarithmic":
        first, last = math.ceil(math.log10(kind.low) - 1e-9), math.floor(math.log10(kind.high) + 1e-9)
        every = max(1, -(-(last - first + 1) // 5))
        decades = [10.0**power for power in range(first, last + 1, every)]
        for value in decades if len(decades) > 1 else (kind.low, *decades, kind.high):
            yield _unit(kind, value), power_of_ten(value)
        return
    if kind.effective_scaling == "ReverseLogarithmic":
        for value in (kind.low, (kind.low + kind.high) / 2, kind.high):
            yield _unit(kind, value), short(float(value))
        return
    axis = Axis(low=kind.low, high=kind.high, begin=0.0, end=1.0)
    ticks = [tick for tick in axis.ticks(5) if not isinstance(kind.low, int) or float(tick).is_integer()]
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    for tick in ticks:
        yield _unit(kind, tick), tick_text(tick, step)


def _unit(kind: Any, value: float) -> float:
    return float(kind.to_unit(value))
