"""One small picture a hyperparameter: its values on their own scale against the objective; later training jobs are darker."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from markupsafe import Markup

from alfine.core.conditions import words
from alfine.core.history import History, TrainingJob
from alfine.core.ranges import Categorical, scaling_of
from alfine.core.wording import short
from alfine.figures.best_so_far_svg import frame_of, page_of, title_of
from alfine.figures.svg import Axis, Drawing, tick_text

MOST_PANELS = 24
MOST_DOTS = 300  # a panel
MOST_CATEGORIES = 8  # with a label
WIDTH, HEIGHT = 270.0, 170.0
GRID = 4  # lines
AGES = 4  # shades


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """definition: whose hyperparameter, where a job has several definitions. condition: when it's a choice; empty: always.
    scaling: of its axis; empty for categories.
    """

    definition: str
    name: str
    condition: str
    scaling: str
    drawing: Markup


def slices(history: History) -> tuple[list[Slice], int]:
    """Of every hyperparameter, in the order of the space, and how many there is no room for.

    None before three training jobs have an objective.
    """
    drawn = list(islice(_slices(history), MOST_PANELS))
    all_of_them = sum(len(spec.space.ranges) for spec in history.spec.each)
    return drawn, all_of_them - len(drawn) if len(drawn) == MOST_PANELS else 0


def _slices(history: History) -> Iterator[Slice]:
    for spec in history.spec.each:
        definition = str(spec.definition.name) if history.spec.parts else ""
        mine = [
            job
            for job in history.finished
            if job.objective is not None and (not definition or job.definition == definition)
        ]
        if len(mine) < 3:
            continue
        low, high = frame_of(mine, spec.sign)
        kept = [job for job in mine if spec.sign * (job.objective or 0.0) <= high]
        best = min(mine, key=lambda job: (job is not history.incumbent, spec.sign * (job.objective or 0.0)))
        shown = kept[:: max(1, -(-len(kept) // MOST_DOTS))]
        inside = (low, high) if spec.sign > 0 else (-high, -low)
        for name, each in spec.space.ranges.items():
            having = [job for job in shown if name in job.hyperparameters]  # where its condition holds
            if having:
                yield Slice(
                    definition=definition,
                    name=name,
                    condition=" or ".join(map(words, each.requires)),
                    scaling=scaling_of(each),
                    drawing=_panel(name, each, having, best, inside, metric=spec.metric),
                )


def _panel(
    name: str, kind: Any, jobs: Sequence[TrainingJob], best: TrainingJob, inside: tuple[float, float], *, metric: str
) -> Markup:
    drawing = Drawing(
        width=WIDTH, height=HEIGHT, label=f"{metric} against {name}", left=46.0, right=8.0, top=8.0, bottom=20.0
    )
    y = drawing.upwards(*inside, GRID)
    x = drawing.across(0.0, 1.0)
    drawing.grid(y, GRID)
    foot = drawing.height - drawing.bottom
    drawing.line((drawing.left, foot), (drawing.width - drawing.right, foot), "axis")
    for place, label in _marks(kind):
        drawing.line((x(place), foot), (x(place), foot + 3), "axis")
        drawing.text(
            (x(place), foot + 14), label, anchor="start" if place < 0.04 else "end" if place > 0.96 else "middle"
        )
    last = jobs[-1].number
    for job in jobs:
        age = min(AGES - 1, AGES * (job.number - 1) // max(1, last))
        drawing.dot(
            _place(kind, name, job, x, y), f"dot age{age}", title_of(job, metric), radius=2.4, href=page_of(job)
        )
    if name in best.hyperparameters:
        drawing.dot(
            _place(kind, name, best, x, y),
            "best",
            f"the best: {title_of(best, metric)}",
            radius=4.5,
            href=page_of(best),
        )
    return drawing.markup()


def _place(kind: Any, name: str, job: TrainingJob, x: Axis, y: Axis) -> tuple[float, float]:
    place = float(kind.to_unit(job.hyperparameters[name]))
    if isinstance(kind, Categorical):  # beside each other, by a fixed rule: equal values would hide one another
        place += 0.5 / len(kind.values) * ((job.number * 0.618034) % 1.0 - 0.5)
    return x(place), y(job.objective or 0.0)


def _marks(kind: Any) -> Iterator[tuple[float, str]]:
    """(place in [0, 1], label) on a hyperparameter's own scale."""
    if isinstance(kind, Categorical):
        if len(kind.values) <= MOST_CATEGORIES:
            room = max(3, 36 // len(kind.values))
            for value in kind.values:
                label = short(value)
                yield float(kind.to_unit(value)), label if len(label) <= room else f"{label[: room - 1]}…"
        return
    if kind.effective_scaling == "Logarithmic":
        first, last = math.ceil(math.log10(kind.low) - 1e-9), math.floor(math.log10(kind.high) + 1e-9)
        every = max(1, -(-(last - first + 1) // 5))
        decades = [10.0**power for power in range(first, last + 1, every)]
        for value in decades if len(decades) > 1 else (kind.low, *decades, kind.high):
            yield _unit(kind, value), f"{value:g}" if 1e-3 <= value < 1e5 else f"{value:.0e}".replace("e-0", "e-")
        return
    if kind.effective_scaling == "ReverseLogarithmic":
        for value in (kind.low, (kind.low + kind.high) / 2, kind.high):
            yield _unit(kind, value), f"{value:.4g}"
        return
    axis = Axis(low=kind.low, high=kind.high, begin=0.0, end=1.0)
    ticks = [tick for tick in axis.ticks(5) if not isinstance(kind.low, int) or float(tick).is_integer()]
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    for tick in ticks:
        yield _unit(kind, tick), tick_text(tick, step)


def _unit(kind: Any, value: float) -> float:
    return float(kind.to_unit(value))
