"""The layout of curves of the best objective so far: frame, colours and widths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from alfine.core.history import History
from alfine.core.training_job import TrainingJob
from alfine.core.wording import count_of, number
from alfine.figures.best_so_far import ROOM_ABOVE, finding, frame_of, outside_note
from alfine.figures.theme import COLOURS, SHAPES

MOST_BANDS = 4
"""Up to so many curves have different widths."""

WIDTH_OF_LETTER = 6.8
"""Width of a letter of a label, in pixels, measured on the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The curve of one tuning job.

    Attributes:
        x: Numbers of ended training jobs, from the one with the first objective on.
        best: The best objective after each of them.
        jobs: The training jobs that have an objective, with their number in order of completion.
    """

    label: str
    colour: str
    shape: str
    width: float
    x: list[int]
    best: list[float]
    jobs: list[tuple[int, TrainingJob]]

    @property
    def end(self) -> tuple[int, float]:
        return self.x[-1], self.best[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Everything that is drawn."""

    title: str
    note: str
    metrics: str
    goal: str
    minimise: bool
    curves: list[Curve]
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    @property
    def y_label(self) -> str:
        """The label of the y-axis: «auc (higher is better)»."""
        return f"{self.metrics} ({self.goal})"


def layout_of(histories: Mapping[str, History], title: str | None, room: float = ROOM_ABOVE) -> Layout:
    """Return the layout of tuning jobs by label.

    Args:
        histories: The tuning jobs.
        title: The title; None writes what the figure finds.
        room: The room for labels, in heights of what is shown.
    """
    shown = {label: history for label, history in histories.items() if history.incumbent is not None}
    lengths = sorted(history.ended for history in shown.values())
    curves = [
        _curve(label, history, index, _width(lengths.index(history.ended), len(shown)))
        for index, (label, history) in enumerate(shown.items())
    ]
    # The widest line is drawn first, so that jobs that took the same path show as bands and not as one line.
    curves.sort(key=lambda curve: -curve.width)
    metrics = ", ".join(sorted({history.spec.metric for history in histories.values()}))
    minimise = all(history.sign > 0 for history in histories.values())
    x_range = _x_range(curves)
    y_range, outside = _frame(curves, room, minimise=minimise)
    notes = ["Line: best so far. Dots: single training jobs."]
    if outside:
        notes.append(f"{outside_note(outside)}.")
    return Layout(
        title=title if title is not None else finding(shown),
        note=" ".join(notes) if curves else "",
        metrics=metrics,
        goal="lower is better" if minimise else "higher is better",
        minimise=minimise,
        curves=curves,
        x_range=x_range,
        y_range=y_range,
    )


def _curve(label: str, history: History, index: int, width: float) -> Curve:
    finished = list(enumerate(history.finished, 1))
    curve = history.best_curve()
    first = len(finished) - len(curve)
    return Curve(
        label=label,
        colour=COLOURS[index % len(COLOURS)],
        shape=SHAPES[index % len(SHAPES)],
        width=width,
        x=[at for at, _ in finished[first:]],
        best=[best for _, best in curve],
        jobs=[(at, job) for at, job in finished if job.objective is not None],
    )


def _width(shorter_ones: int, count: int) -> float:
    """Return a line's width: of a few jobs the longest has the widest; of many jobs all lines are thin."""
    return 2.0 + 2.5 * shorter_ones if count <= MOST_BANDS else 2.0


def _frame(curves: Iterable[Curve], room: float, *, minimise: bool) -> tuple[tuple[float, float], int]:
    """Return the range of the y-axis, and how many objectives lie outside it."""
    curves = list(curves)
    if not curves:
        return (0.0, 1.0), 0
    sign = 1.0 if minimise else -1.0
    values = np.array([sign * (job.objective or 0.0) for curve in curves for _, job in curve.jobs])
    worst_end = max(sign * curve.end[1] for curve in curves)
    low, high = frame_of([job for curve in curves for _, job in curve.jobs], sign, worst_end, room)
    outside = int((values > high).sum())
    return ((low, high) if minimise else (-high, -low)), outside


def _x_range(curves: Iterable[Curve]) -> tuple[float, float]:
    longest = max((curve.end[0] for curve in curves), default=1)
    return min(0.5, 1 - 0.02 * longest), longest + max(0.5, 0.02 * longest)


def end_text(curve: Curve) -> tuple[str, str]:
    count, best = curve.end
    return curve.label, f"{count_of(count)}, best {number(best)}"
