"""Best objective so far by number of training jobs, as SVG for the console; with a forecast while the job runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from alfine.core.facts import Changed, Ended
from alfine.core.history import History
from alfine.core.training_job import TrainingJob
from alfine.figures.best_so_far import finding, frame_of, outside_note, training_job_lines
from alfine.figures.svg import Axis, Drawing

GRID_LINES = 5
"""Horizontal grid lines, at most."""

MOST_DOTS = 800
"""Dots that are drawn; of more training jobs every second, third, … has one."""

BUDGET_FACTOR = 6
"""The x-axis reaches to the end of the budget once a sixth of it has ended."""

LEAST_AXIS = 20
"""Least number of training jobs on the x-axis of a running job, unless its budget is smaller."""

WIDE, NARROW = (860.0, 300.0), (360.0, 260.0)
"""Width and height in pixels, for desktops and for phones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestSoFar:
    """The figure.

    Attributes:
        title: What it shows, in a sentence.
        wide: The figure for a desktop.
        narrow: The figure for a phone.
        notes: What is not in it.
        ahead: Whether its x-axis reaches to the end of the budget.
    """

    title: str
    wide: Markup
    narrow: Markup
    notes: tuple[str, ...]
    ahead: bool


def best_so_far(history: History, forecast: Mapping[str, Any] | None = None) -> BestSoFar | None:
    """Return the figure of a tuning job, or None before it has an objective.

    Args:
        history: The history of the job.
        forecast: The forecast that `Service.describe` has while the job runs.
    """
    best = history.incumbent
    if best is None or best.objective is None:
        return None
    title = finding({"": history})
    values = np.array([history.sign * (job.objective or 0.0) for job in history.finished if _counts(history, job)])
    low, high = frame_of([job for job in history.finished if _counts(history, job)], history.sign)
    outside = int((values > high).sum())
    kept = _kept(history, high)
    drawings = [
        _drawn(history, forecast, kept, (low, high), size=size, kind=kind)
        for size, kind in ((WIDE, "wide"), (NARROW, "narrow"))
    ]
    notes = [outside_note(outside)] if outside else []
    inside = len(values) - outside
    if len(kept) < inside:
        notes.append(f"{len(kept)} of {inside} dots are shown")
    ahead = bool(forecast) and history.ended + (forecast or {})["Remaining"] <= _last(history, forecast)
    return BestSoFar(title=title, wide=drawings[0], narrow=drawings[1], notes=tuple(notes), ahead=ahead)


def _counts(history: History, job: TrainingJob) -> bool:
    return job.objective is not None and history.ranks(job)


def _kept(history: History, high: float) -> list[tuple[int, TrainingJob]]:
    """Return (number in order of completion, training job) for each dot inside the frame, evenly thinned to `MOST_DOTS`."""
    inside = [
        (at, job)
        for at, job in enumerate(history.finished, 1)
        if _counts(history, job) and history.sign * (job.objective or 0.0) <= high
    ]
    stride = -(-len(inside) // MOST_DOTS)
    return inside[:: max(1, stride)]


def _drawn(
    history: History,
    forecast: Mapping[str, Any] | None,
    kept: Sequence[tuple[int, TrainingJob]],
    inside: tuple[float, float],
    *,
    size: tuple[float, float],
    kind: str,
) -> Markup:
    low, high = inside if history.sign > 0 else (-inside[1], -inside[0])
    goal = "lower" if history.sign > 0 else "higher"
    drawing = Drawing(
        width=size[0],
        height=size[1],
        label=f"Best {history.spec.metric} so far by number of ended training jobs",
        left=58.0,
        top=22.0,
    )
    last = _last(history, forecast)
    y = drawing.upwards(low, high, GRID_LINES)
    x = drawing.across(0.4, max(last, 2) + 0.6)
    drawing.grid(y, GRID_LINES)
    drawing.text((8.0, 12.0), f"{history.spec.metric} ({goal} is better)", "name", "start")
    _budget(drawing, history, forecast, x, y)
    _changes(drawing, history, x)
    for at, job in kept:
        mark = "dot stopped" if job.status == "Stopped" else "dot"
        drawing.dot((x(at), y(job.objective or 0.0)), mark, dot_title(job, history.spec.metric), href=page_of(job))
    for at, job in enumerate(history.finished, 1):
        if job.objective is None and len(history.finished) <= MOST_DOTS:
            foot = drawing.height - drawing.bottom - 5
            drawing.text((x(at), foot + 3), "×", "failed")
    _curve(drawing, history, x, y)
    ticks = [tick for tick in x.ticks(8 if kind == "wide" else 5) if tick >= 1 and float(tick).is_integer()]
    drawing.foot(x, ticks, "training jobs ended")
    return drawing.markup(kind)


def _last(history: History, forecast: Mapping[str, Any] | None) -> int:
    """Return the number of training jobs at the right end of the x-axis."""
    ended = history.ended
    if not forecast:
        return ended
    allowed, likely = ended + int(forecast["Remaining"]), forecast.get("TrainingJobs")
    if allowed <= BUDGET_FACTOR * ended:
        return allowed
    return min(allowed, max(LEAST_AXIS, ended + math.ceil(1.05 * likely["High"]) if likely else BUDGET_FACTOR * ended))


def _curve(drawing: Drawing, history: History, x: Axis, y: Axis) -> None:
    first = history.ended - len(history.best_curve())
    steps: list[tuple[float, float]] = []
    best: float | None = None
    for at, (_, value) in enumerate(history.best_curve(), first + 1):
        if value != best:
            if best is not None:
                steps.append((x(at), y(best)))
            steps.append((x(at), y(value)))
            best = value
    assert best is not None
    steps.append((x(history.ended), y(best)))
    # The part of the curve outside the frame is cut: the curve begins where it enters the frame.
    above = [height < drawing.top or height > drawing.height - drawing.bottom for _, height in steps]
    first_inside = above.index(False)
    entry = [(steps[first_inside][0], drawing.top if history.sign > 0 else drawing.height - drawing.bottom)]
    drawing.path([*(entry if first_inside else []), *steps[first_inside:]], "curve")
    winner = history.incumbent
    assert winner is not None
    assert winner.objective is not None
    at = history.finished.index(winner) + 1
    title = f"best: {dot_title(winner, history.spec.metric)}"
    drawing.dot((x(at), y(winner.objective)), "best", title, radius=5.5, href=page_of(winner))


def _budget(drawing: Drawing, history: History, forecast: Mapping[str, Any] | None, x: Axis, y: Axis) -> None:
    """Draw when the job is likely to end, and what its best would be after its whole budget."""
    best = history.incumbent
    if not forecast or best is None or best.objective is None:
        return
    top, foot, edge = drawing.top, drawing.height - drawing.bottom, drawing.width - drawing.right
    now = x(history.ended)
    jobs = forecast.get("TrainingJobs")
    if jobs:
        likely = [min(edge, x(history.ended + jobs[key])) for key in ("Low", "Middle", "High")]
        drawing.rectangle((likely[0], top), likely[2] - likely[0], foot - top, "likely")
        drawing.line((likely[1], top), (likely[1], foot), "end")
        before = likely[1] > drawing.left + 0.75 * (edge - drawing.left)
        drawing.text((likely[1] + (-5 if before else 5), top + 10), "likely end", "tick", "end" if before else "start")
    gain = forecast.get("Gain")
    if gain and history.ended + forecast["Remaining"] <= x.high:
        at = min(edge - 1, x(history.ended + forecast["Remaining"]))
        levels = [y(best.objective - history.sign * gain[key]) for key in ("Low", "Middle", "High")]
        levels = [min(foot, max(top, level)) for level in levels]
        drawing.line((now, y(best.objective)), (at, levels[1]), "hope")
        drawing.line((at, levels[0]), (at, levels[2]), "range")
        for level in (levels[0], levels[2]):
            drawing.line((at - 4, level), (at + 1, level), "range")


def _changes(drawing: Drawing, history: History, x: Axis) -> None:
    """Draw a line where the user changed limits or criteria."""
    ended = 0
    for fact in history.facts:
        ended += isinstance(fact, Ended)
        if isinstance(fact, Changed):
            at = x(ended + 0.5)
            drawing.line((at, drawing.top), (at, drawing.height - drawing.bottom), "change")
            drawing.text((at + 4, drawing.top + 22), "changed", "tick", "start")


def dot_title(job: TrainingJob, metric: str) -> str:
    """Return the text that appears over the dot of a training job."""
    return "\n".join(training_job_lines(job, metric))


def page_of(job: TrainingJob) -> str:
    """Return the path of the console's page of a training job."""
    return f"/console/training-jobs/{job.name}"
