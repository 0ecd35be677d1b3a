"""Content common to all figures of the best objective so far: the finding and the frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from alfine.core import wording
from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.training_job import TrainingJob
from alfine.core.wording import count_of, number

SHARE_SHOWN = 0.75
"""Share of the objectives that lie inside the frame: the worst training jobs of a search are often ten times worse than
its best, and would press the interesting part into one line.
"""

LEAST_COMPLETED = 5
"""Completed training jobs from which on only these decide about the frame."""

ROOM_BELOW, ROOM_ABOVE = 0.08, 0.35
"""Empty room on the side of the best and of the worst values, in heights of what is shown; the labels need the latter."""

LOSS_DIGITS = 2
"""Significant digits of what a stop costs: it's an estimate from one search."""

MOST_NAMED = 3
"""Stops that the finding names."""


def finding(histories: Mapping[str, History]) -> str:
    """Return what the figure shows, in one sentence: what each earlier stop cost, compared with the longest job.

    Args:
        histories: Histories by label, each with an objective.

    Example:
        «Stopping after 31 of 100 training jobs cost 0.2 % of the best, nothing after 54»
    """
    if not histories:
        return "No training job has an objective yet."
    by_length = sorted(histories.values(), key=lambda history: history.ended)
    longest = by_length[-1]
    _, reached = _best_and_when(longest)
    shorter = [history for history in by_length if history.ended < longest.ended]
    if not shorter:
        return f"Best of {count_of(longest.ended)}: {_best_in_words(longest)}, reached after {number(reached)}"
    first, *others = (_loss(history, longest) for history in shorter[:MOST_NAMED])
    then = "".join(f", {loss} after {history.ended}" for history, loss in zip(shorter[1:], others, strict=False))
    return f"Stopping after {shorter[0].ended} of {longest.ended} training jobs cost {first} of the best{then}"


def _best_in_words(history: History) -> str:
    """Return the best objective: the mean of the runs where its configuration was run again, as the headlines have it."""
    runs = len(history.runs(history.incumbent)) if history.incumbent else 1
    return f"{number(history.best_value)}{f' (mean of {runs} runs)' if runs > 1 else ''}"


def _loss(history: History, longest: History) -> str:
    (reached, _), (best, _) = _best_and_when(history), _best_and_when(longest)
    loss = longest.sign * (reached - best)
    if loss <= 0:
        return "nothing"
    return wording.loss(loss, best, LOSS_DIGITS)


def _best_and_when(history: History) -> tuple[float, int]:
    """Return the best objective (the mean, where it was run again), and how many training jobs had ended when it was reached."""
    incumbent, value = history.incumbent, history.best_value
    assert incumbent is not None
    assert value is not None
    return value, history.finished.index(incumbent) + 1


def frame(values: Array, worst_end: float, room: float = ROOM_ABOVE) -> tuple[float, float]:
    """Return the range of objectives that is worth showing, for objectives to minimise.

    Args:
        values: (n,), the objectives of all training jobs, minimised.
        worst_end: The worst of the best objectives that the curves end with; it always lies inside.
        room: The empty room on the side of the worst values, in heights of what is shown.
    """
    best = float(values.min())
    far = max(float(np.quantile(values, SHARE_SHOWN)), worst_end)
    height = (far - best) or abs(best) * 0.01 or 1.0
    return best - ROOM_BELOW * height, far + room * height


def frame_of(
    jobs: Sequence[TrainingJob], sign: float, shown: float = -math.inf, room: float = ROOM_ABOVE
) -> tuple[float, float]:
    """Return the range of objectives that is worth showing, minimised.

    Training jobs that were stopped early count only where few have completed, since their last values are unfinished ones.

    Args:
        jobs: Training jobs, at least one with an objective.
        sign: 1 to minimise, -1 to maximise.
        shown: An objective, minimised, that lies inside in any case.
        room: The empty room on the side of the worst values, in heights of what is shown.
    """
    ended = [(job.status, sign * job.objective) for job in jobs if job.objective is not None]
    completed = [value for status, value in ended if status == "Completed"]
    values = completed if len(completed) >= LEAST_COMPLETED else [value for _, value in ended]
    best = min(value for _, value in ended)  # perhaps one that was stopped
    return frame(np.array([*values, best] if best < min(values) else values), max(shown, best), room)


def outside_note(count: int) -> str:
    """Return the note on how many objectives lie outside the frame; empty for 0."""
    if count == 0:
        return ""
    return f"{count} worse {'one lies' if count == 1 else 'ones lie'} outside the frame"
