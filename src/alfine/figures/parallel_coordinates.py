"""The chart of all configurations as lines across the hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from alfine.core.history import History
from alfine.core.training_job import TrainingJob
from alfine.core.wording import count_of, number, short
from alfine.figures.chart import Chart
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import SEQUENCE
from alfine.figures.training_job_rows import (
    best_and_latest,
    hyperparameter_fields,
    quantitative,
    tooltip_of,
    training_job_row,
    varying,
)

MOST_AXES = 12
"""Hyperparameters in a figure of parallel coordinates."""

MOST_LINES = 500
"""Training jobs in a figure of parallel coordinates: the best, and the latest of the others."""


def parallel_coordinates(history: History) -> Chart:
    """Return the chart of all configurations, each a line across the hyperparameters, coloured by its objective.

    Args:
        history: The tuning job; of one definition, where it has several.
    """
    every = varying(history.spec)
    names = every[:MOST_AXES]
    jobs = best_and_latest(history, [j for j in history.finished if j.objective is not None], MOST_LINES)
    if not jobs:
        empty = "No training job has an objective yet."
        return Chart(name="parallel-coordinates", title="Configurations", empty=empty)
    fields = hyperparameter_fields([history])
    colour = quantitative("rank", history.spec.metric, legend=None, scale={"scheme": SEQUENCE, "domain": [0, 1]})
    lines: Plain = {
        "data": {"values": _rows(history, jobs, names, fields)},
        "mark": {"type": "line", "strokeWidth": 1.4, "opacity": 0.55},
        "encoding": {
            "detail": {"field": "job", "type": "nominal"},
            "color": colour,
            "tooltip": tooltip_of(history.spec.metric, fields),
        },
    }
    labels: Plain = {
        "data": {"values": list(_labels(history, jobs, names))},
        "mark": {"type": "text", "fontSize": 10, "align": "left", "dx": 4},
        "encoding": {"text": {"field": "text", "type": "nominal"}},
    }
    return Chart(
        name="parallel-coordinates",
        title=f"{count_of(len(jobs), 'configuration')}, the better the lighter",
        notes=tuple(_notes(len(every) - len(names))),
        view={"encoding": _axes([*names, _objective_axis(history)]), "layer": [lines, labels]},
    )


def _objective_axis(history: History) -> str:
    """Return the name of the last axis. Its last character shows nothing: a hyperparameter may have the metric's name."""
    return f"{history.spec.metric}\N{ZERO WIDTH SPACE}"


def _axes(names: Sequence[str]) -> Plain:
    x = {"field": "axis", "type": "nominal", "title": None, "sort": None, "scale": {"domain": list(names)}}
    overhead = {"grid": True, "orient": "top", "labelAngle": 0, "labelLimit": 110}
    y = quantitative("place", "", axis=None, scale={"domain": [-0.04, 1.04], "nice": False})
    return {"x": {**x, "axis": overhead}, "y": y}


def _rows(
    history: History, jobs: Sequence[TrainingJob], names: Sequence[str], fields: Mapping[str, str]
) -> list[Plain]:
    """Return a row for each training job on each axis, the best training job last: it lies on top."""
    rows: list[Plain] = []
    ranked = sorted(jobs, key=lambda job: -history.sign * (job.objective or 0.0))
    for rank, job in enumerate(ranked):
        place = rank / max(1, len(ranked) - 1)
        row = {**training_job_row(job, fields), "rank": place}
        for name in names:
            if name in job.hyperparameters:
                height = float(history.spec.space.ranges[name].to_unit(job.hyperparameters[name]))
                rows.append({**row, "axis": name, "place": height})
        rows.append({**row, "axis": _objective_axis(history), "place": place})
    return rows


def _labels(history: History, jobs: Sequence[TrainingJob], names: Sequence[str]) -> Iterator[Plain]:
    """Yield the values at the ends of each axis."""
    for name in names:
        range_ = history.spec.space.ranges[name]
        for end in (0.0, 1.0):
            yield {"axis": name, "place": end, "text": short(range_.from_unit(end))}
    objectives = [job.objective or 0.0 for job in jobs]
    worst, best = (max, min) if history.sign > 0 else (min, max)
    for place, end_of in ((0.0, worst), (1.0, best)):
        yield {"axis": _objective_axis(history), "place": place, "text": number(end_of(objectives))}


def _notes(left_out: int) -> Iterator[str]:
    yield "Each line is a training job; every axis has the scale of its range; the last one ranks the objectives, the best at the top."
    if left_out:
        yield f"{left_out} more hyperparameters aren't shown."
