"""The chart of several tuning jobs' best objective so far over training jobs, time or money."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from alfine.core import cost
from alfine.core.history import History
from alfine.core.wording import number, short
from alfine.figures.best_so_far import frame_of
from alfine.figures.chart import Chart
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import COLOURS, DASHES
from alfine.figures.training_job_rows import (
    objective_title,
    quantitative,
)

COMPARED_BY = {
    "jobs": "training jobs ended",
    "seconds": "training time in seconds",
    "wall": "seconds since the creation of the tuning job",
    "money": "cost in USD",
}
"""What tuning jobs are compared over."""


def comparison(histories: Mapping[str, History], *, by: str = "jobs") -> Chart:
    """Return the chart of several tuning jobs' best objective so far over training jobs, training time, wall time or money.

    Args:
        histories: Tuning jobs by label.
        by: A key of COMPARED_BY.
    """
    rows = [row for label, history in histories.items() for row in _course(label, history, by)]
    if not rows:
        empty = "No tuning job has a price." if by == "money" else "No training job has an objective yet."
        return Chart(name=f"comparison-by-{by}", title="Comparison", empty=empty)
    shown = {row["label"]: row for row in rows}
    first = next(iter(histories.values()))
    best = min(shown.values(), key=lambda row: first.sign * row["y"])
    jobs = [j for history in histories.values() for j in history.finished if j.objective is not None]
    low, high = frame_of(jobs, first.sign, max(first.sign * row["y"] for row in shown.values()))
    domain = [low, high] if first.sign > 0 else [-high, -low]
    labels = [label for label in histories if label in shown]
    return Chart(
        name=f"comparison-by-{by}",
        title=f"{best['label']} has the best objective, {number(best['y'])}",
        notes=("Lines: best so far.",),
        view={
            "data": {"values": rows},
            "mark": {"type": "line", "interpolate": "step-after", "clip": True},
            "encoding": {
                "x": quantitative("x", COMPARED_BY[by]),
                "y": quantitative("y", objective_title(first), scale={"domain": domain, "nice": False, "zero": False}),
                "color": by_label(labels, histories, COLOURS),
                "strokeDash": by_label(labels, histories, DASHES),
                "tooltip": [
                    {"field": "label", "type": "nominal", "title": "tuning job"},
                    {"field": "best", "type": "nominal", "title": "best so far"},
                    {"field": "at", "type": "nominal", "title": COMPARED_BY[by]},
                ],
            },
        },
    )


def by_label(shown: Sequence[str], labels: Iterable[str], looks: Sequence[Any]) -> Plain:
    """Return the channel that tells tuning jobs apart: each looks the same in all figures of a comparison.

    Args:
        shown: The labels of those in this figure.
        labels: Those of all that are compared.
        looks: COLOURS or DASHES.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    scale = {"domain": [*shown], "range": [looks[numbers[label] % len(looks)] for label in shown]}
    return {"field": "label", "type": "nominal", "title": None, "sort": None, "scale": scale}


def _course(label: str, history: History, by: str) -> Iterator[Plain]:
    """Yield the best objective so far of a tuning job, over what it is compared by."""
    price = history.spec.price_per_hour
    if by == "money" and not price:
        return
    best = {job.number: value for job, value in history.best_curve()}
    counts = itertools.count(1)
    seconds = 0.0
    for job, count in zip(history.finished, counts, strict=False):
        seconds += job.seconds * history.spec.of(job.definition).definition.instance_count
        wall = ((job.ended_at or history.now) - history.created_at).total_seconds()
        x = {"jobs": float(count), "seconds": seconds, "wall": wall, "money": seconds / cost.HOUR * (price or 0.0)}[by]
        if job.number in best:
            value = best[job.number]
            yield {"label": label, "x": x, "y": value, "best": number(value), "at": short(x)}
