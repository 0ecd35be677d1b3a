"""Training jobs as the rows of a chart's data, and the text that appears when the pointer is over one.

Fields have names of their own («h0», «h1»): the names of hyperparameters may hold dots and brackets, which Vega-Lite would read as a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alfine.core.history import History
from alfine.core.spec import TuningJobSpec
from alfine.core.training_job import TrainingJob
from alfine.core.wording import number, short
from alfine.figures.svg_layer import Plain

MOST_HYPERPARAMETERS = 12
"""Hyperparameters in the text of a mark."""


def training_job_row(job: TrainingJob, fields: Mapping[str, str]) -> Plain:
    """Return the row of a training job.

    Args:
        job: The training job.
        fields: The fields of hyperparameters, by name: `hyperparameter_fields`.
    """
    return {
        "job": job.number,
        "name": job.name,
        "objective": job.objective,
        "status": job.status,
        "value": number(job.objective),
        **{field: short(job.hyperparameters[name]) for name, field in fields.items() if name in job.hyperparameters},
    }


def hyperparameter_fields(histories: Iterable[History]) -> dict[str, str]:
    """Return the field of each hyperparameter of the tuning jobs, by name: the first `MOST_HYPERPARAMETERS` of them."""
    names = (name for history in histories for spec in history.spec.definition_specs for name in spec.names_in_order)
    return {name: f"h{i}" for i, name in enumerate(list(dict.fromkeys(names))[:MOST_HYPERPARAMETERS])}


def varying(spec: TuningJobSpec) -> list[str]:
    """Return the hyperparameters with more than one value, in the order in which people gave them.

    Args:
        spec: The specification of one definition.
    """
    return [name for name in spec.names_in_order if spec.space.ranges[name].cells != 1]


def tooltip_of(metric: str, fields: Mapping[str, str]) -> list[Plain]:
    """Return the text over a training job: its number, its objective, its status and its configuration."""
    lines = [("job", "training job"), ("value", metric), ("status", "status")]
    shown = [*lines, *((field, name) for name, field in fields.items())]
    return [{"field": field, "type": "nominal", "title": title} for field, title in shown]


def quantitative(field: str, title: str, **more: Any) -> Plain:
    """Return a channel for a number."""
    return {"field": field, "type": "quantitative", "title": title, **more}


def whole_axis() -> Plain:
    """Return an axis that has whole numbers only."""
    return {"tickMinStep": 1, "format": "d"}


def objective_title(history: History) -> str:
    """Return the title of an objective's axis: «validation:rmse (lower is better)»."""
    return f"{history.spec.metric} ({'lower' if history.sign > 0 else 'higher'} is better)"


def best_and_latest(history: History, jobs: Sequence[TrainingJob], most: int) -> list[TrainingJob]:
    if len(jobs) <= most:
        return list(jobs)
    valued = sorted((j for j in jobs if j.objective is not None), key=lambda j: history.sign * (j.objective or 0.0))
    chosen = {job.number for job in valued[: most // 2]}
    for job in reversed(jobs):
        if len(chosen) >= most:
            break
        chosen.add(job.number)
    return [job for job in jobs if job.number in chosen]
