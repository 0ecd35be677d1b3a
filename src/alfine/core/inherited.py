"""The results that a tuning job takes over from its parents by a warm start, and where they lie in its own space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from alfine.core.axis import Array
from alfine.core.errors import AlfineError
from alfine.core.spec import IDENTICAL, TuningJobSpec
from alfine.core.training_job import TrainingJob

IGNORING = ("Grid",)  # strategies that take nothing from parents: Grid tries every configuration anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """A parent's training job with an objective, as it was when the child was created.

    Args:
        parent: The parent's name.
        name: The training job's name.
        hyperparameters: The values that the parent chose, in AMT's strings.
        static: The parent's static hyperparameters that the child tunes, in AMT's strings.
        status: The training job's last status.
        created_at: When it was launched.
        started_at: When its program began to run.
        ended_at: When it ended.
        objective: Its objective, as it was measured.
    """

    parent: str
    name: str
    hyperparameters: Mapping[str, str]
    static: Mapping[str, str]
    status: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    objective: float


def training_job_of(result: Inherited, spec: TuningJobSpec) -> TrainingJob:
    """Return a parent's training job as one of the child, with the number 0.

    Args:
        result: The parent's training job.
        spec: The child's specification.
    """
    texts = {**result.static, **result.hyperparameters}
    try:
        hyperparameters = spec.space.from_text(texts)
    except (KeyError, ValueError):  # a value that the child doesn't have: it is shown as its text
        hyperparameters = dict(texts)
    return TrainingJob(
        number=0,
        name=result.name,
        hyperparameters=hyperparameters,
        created_at=result.created_at,
        status=result.status,
        started_at=result.started_at,
        ended_at=result.ended_at,
        objective=result.objective,
    )


def points_of(spec: TuningJobSpec, inherited: Sequence[Inherited]) -> tuple[Array, Array]:
    """Return where inherited results lie in the child's space, and what they are.

    Left out are results outside the child's ranges and, with IdenticalDataAndAlgorithm, those whose value of a hyperparameter that
    is static now is another one.

    Args:
        spec: The child's specification.
        inherited: The parents' results.

    Returns:
        (p, d) points of the unit cube and (p,) objectives, minimised. p is 0 for a strategy that takes nothing from parents.
    """
    used = () if spec.strategy in IGNORING else inherited
    rows = [(point, spec.minimised(result.objective)) for result in used if (point := _point(spec, result)) is not None]
    points = np.array([point for point, _ in rows], dtype=float).reshape(len(rows), spec.space.dimension)
    return points, np.array([value for _, value in rows], dtype=float)


def _point(spec: TuningJobSpec, result: Inherited) -> Array | None:
    """Return the place of a result in the child's space, (d,); None where it lies outside."""
    if spec.warm_start == IDENTICAL:
        static = spec.definition.static_hyperparameters
        if any(not _same(text, static[name]) for name, text in result.hyperparameters.items() if name in static):
            return None
    texts = {**result.static, **result.hyperparameters}
    try:
        values = spec.space.from_text(texts)
    except (KeyError, ValueError, AlfineError):
        return None
    inside = all(spec.space.ranges[name].contains(value) for name, value in values.items())
    return spec.space.to_unit(values) if inside and spec.space.allows(values) else None


def _same(text: str, other: str) -> bool:
    """Return whether two of AMT's strings mean the same value."""
    try:
        return float(text) == float(other)
    except ValueError:
        return text == other
