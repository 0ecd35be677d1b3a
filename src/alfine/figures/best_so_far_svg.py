"""Best objective so far against training jobs, with what the rest of the budget would still bring while the job runs.

The frame and the sentence above are those of figures/best_so_far_plots.py, which draws the same for notebooks and reports.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from alfine.core.history import Changed, Ended, History, TrainingJob
from alfine.core.wording import number, short
from alfine.figures.best_so_far_plots import finding, frame
from alfine.figures.svg import Axis, Drawing

GRID = 5  # lines
MOST_DOTS = 800  # further ones would cost more than they show
LEAST_COMPLETED = 5  # to choose the frame by
FURTHER = 6  # the axis reaches to the end of the budget once a sixth of it has ended
LONGEST_TITLE = 12  # hyperparameters
WIDE, NARROW = (860.0, 300.0), (360.0, 260.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """title: what it shows, in a sentence; wide, narrow: drawn for a desktop and for a phone; notes: what isn't in it.

    ahead: whether it reaches to the end of the budget.
    """

    title: str
    wide: Markup
    narrow: Markup
    notes: tuple[str, ...]
    ahead: bool


def best_so_far(history: History, forecast: Mapping[str, Any] | None = None) -> Figure | None:
    """None before there is an objective. forecast: of `Service.describe`, while the job runs."""
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
    notes = []
    if outside:
        notes.append(f"{outside} worse {'one lies' if outside == 1 else 'ones lie'} outside the frame")
    inside = len(values) - outside
    if len(kept) < inside:
        notes.append(f"{len(kept)} of {inside} dots are drawn")
    ahead = bool(forecast) and history.ended + (forecast or {})["Remaining"] <= _last(history, forecast)
    return Figure(title=title, wide=drawings[0], narrow=drawings[1], notes=tuple(notes), ahead=ahead)


def frame_of(jobs: Sequence[TrainingJob], sign: float) -> tuple[float, float]:
    """The range worth showing, minimised. Those stopped early ended with values that are no finished one's, and count last."""
    found = [(job.status, sign * job.objective) for job in jobs if job.objective is not None]
    completed = [value for status, value in found if status == "Completed"]
    values = completed if len(completed) >= LEAST_COMPLETED else [value for _, value in found]
    return frame(np.array(values), min(value for _, value in found))


def _counts(history: History, job: TrainingJob) -> bool:
    return job.objective is not None and history.ranks(job)


def _kept(history: History, high: float) -> list[tuple[int, TrainingJob]]:
    """(number in order of completion, training job) of the dots: all that lie inside the frame, or evenly thinned."""
    found = [
        (at, job)
        for at, job in enumerate(history.finished, 1)
        if _counts(history, job) and history.sign * (job.objective or 0.0) <= high
    ]
    stride = -(-len(found) // MOST_DOTS)
    return found[:: max(1, stride)]


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
        label=f"Best {history.spec.metric} so far against the number of training jobs that have ended",
        left=58.0,
        top=22.0,
    )
    last = _last(history, forecast)
    y = drawing.upwards(low, high, GRID)
    x = drawing.across(0.4, max(last, 2) + 0.6)
    drawing.grid(y, GRID)
    drawing.text((8.0, 12.0), f"{history.spec.metric} ({goal} is better)", "name", "start")
    _budget(drawing, history, forecast, x, y)
    _changes(drawing, history, x)
    for at, job in kept:
        mark = "dot stopped" if job.status == "Stopped" else "dot"
        drawing.dot((x(at), y(job.objective or 0.0)), mark, title_of(job, history.spec.metric), href=page_of(job))
    for at, job in enumerate(history.finished, 1):
        if job.objective is None and len(history.finished) <= MOST_DOTS:
            foot = drawing.height - drawing.bottom - 5
            drawing.text((x(at), foot + 3), "×", "failed")
    _curve(drawing, history, x, y)
    ticks = [tick for tick in x.ticks(8 if kind == "wide" else 5) if tick >= 1 and float(tick).is_integer()]
    drawing.foot(x, ticks, "training jobs that have ended")
    return drawing.markup(kind)


def _last(history: History, forecast: Mapping[str, Any] | None) -> int:
    """The training job at the right end of the axis."""
    ended = history.ended
    if not forecast:
        return ended
    allowed, likely = ended + int(forecast["Remaining"]), forecast.get("TrainingJobs")
    if allowed <= FURTHER * ended:
        return allowed
    return min(allowed, max(20, ended + math.ceil(1.05 * likely["High"]) if likely else FURTHER * ended))


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
    # What is worse than the frame is cut: the curve comes in where it enters.
    above = [height < drawing.top or height > drawing.height - drawing.bottom for _, height in steps]
    first_inside = above.index(False)
    entry = [(steps[first_inside][0], drawing.top if history.sign > 0 else drawing.height - drawing.bottom)]
    drawing.path([*(entry if first_inside else []), *steps[first_inside:]], "curve")
    winner = history.incumbent
    assert winner is not None
    assert winner.objective is not None
    at = history.finished.index(winner) + 1
    title = f"the best: {title_of(winner, history.spec.metric)}"
    drawing.dot((x(at), y(winner.objective)), "best", title, radius=5.5, href=page_of(winner))


def _budget(drawing: Drawing, history: History, forecast: Mapping[str, Any] | None, x: Axis, y: Axis) -> None:
    """When the job will end, and where its best would stand if it used its whole budget."""
    best = history.incumbent
    if not forecast or best is None or best.objective is None:
        return
    top, foot, edge = drawing.top, drawing.height - drawing.bottom, drawing.width - drawing.right
    now = x(history.ended)
    jobs = forecast.get("TrainingJobs")
    if jobs:
        likely = [min(edge, x(history.ended + jobs[each])) for each in ("Low", "Middle", "High")]
        drawing.rectangle((likely[0], top), likely[2] - likely[0], foot - top, "likely")
        drawing.line((likely[1], top), (likely[1], foot), "end")
        before = likely[1] > drawing.left + 0.75 * (edge - drawing.left)
        drawing.text((likely[1] + (-5 if before else 5), top + 10), "likely end", "tick", "end" if before else "start")
    gain = forecast.get("Gain")
    if gain and history.ended + forecast["Remaining"] <= x.high:
        at = min(edge - 1, x(history.ended + forecast["Remaining"]))
        levels = [y(best.objective - history.sign * gain[each]) for each in ("Low", "Middle", "High")]
        levels = [min(foot, max(top, each)) for each in levels]
        drawing.line((now, y(best.objective)), (at, levels[1]), "hope")
        drawing.line((at, levels[0]), (at, levels[2]), "range")
        for level in (levels[0], levels[2]):
            drawing.line((at - 4, level), (at + 1, level), "range")


def _changes(drawing: Drawing, history: History, x: Axis) -> None:
    """A line where the user changed limits or criteria."""
    ended = 0
    for fact in history.facts:
        ended += isinstance(fact, Ended)
        if isinstance(fact, Changed):
            at = x(ended + 0.5)
            drawing.line((at, drawing.top), (at, drawing.height - drawing.bottom), "change")
            drawing.text((at + 4, drawing.top + 22), "changed", "tick", "start")


def title_of(job: TrainingJob, metric: str) -> str:
    """What a point says of its training job."""
    lines = [f"training job {job.number}", f"{metric}: {number(job.objective)}"]
    lines += [f"{name} = {short(value)}" for name, value in list(job.hyperparameters.items())[:LONGEST_TITLE]]
    if job.status != "Completed":
        lines.insert(1, job.status)
    return "\n".join(lines)


def page_of(job: TrainingJob) -> str:
    return f"/console/training-jobs/{job.name}"
