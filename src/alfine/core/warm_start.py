"""Warm start: what a tuning job takes over from earlier ones, its parents, and when it may (AMT's WarmStartConfig).

IdenticalDataAndAlgorithm: the parents' results are results of the same function, and count as such. TransferLearning: they are
of a related one; only their order says something (strategies/transfer_learning.py). Either way they are copied when the child is
created: what becomes of a parent later changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from alfine.core.errors import AlfineError, Fault
from alfine.core.ranges import Array, Categorical, Range
from alfine.core.spec import (
    CONFIG,
    DEFINITION,
    IDENTICAL,
    LOCAL_IMAGE,
    OBJECTIVE,
    OBJECTIVE_HYPERPARAMETER,
    TRANSFER,
    TuningJobSpec,
)

if TYPE_CHECKING:
    from alfine.core.history import History

LEAST_RELATED = 4  # results that a parent needs to have a say by TransferLearning
IGNORING = ("Grid",)  # it tries all there is
RESERVED = (
    "sagemaker_",
    "alfine_",
    OBJECTIVE_HYPERPARAMETER,
)  # begin the names that say what runs, not how it's configured
MOST_CHANGES = 10
MAY_CHANGE = (
    *("AlgorithmSpecification", "InputDataConfig", "OutputDataConfig", "StaticHyperParameters", "RoleArn"),
    *("ResourceConfig", "StoppingCondition", "VpcConfig", "EnableManagedSpotTraining", "CheckpointConfig"),
)
NO_MATTER = ("HyperParameterTuningResourceConfig", "RetryStrategy", "DefinitionName")  # they change no result


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """A parent's training job that had an objective, as it was when the child was created."""

    parent: str
    name: str
    hyperparameters: Mapping[str, str]  # what the parent tuned, in AMT's strings
    static: Mapping[str, str]  # what it held fixed, of the names that the child tunes
    status: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    objective: float


# -- may it? ---------------------------------------------------------------------------------------------------------


def faults(child: TuningJobSpec, parent: TuningJobSpec, path: str) -> Iterator[Fault]:
    """Why one tuning job can't be the parent of another; path: of the parent in the child's request."""
    if parent.parts:
        yield _several(parent, path)
        return
    yield from _objective_faults(child, parent)
    yield from _name_faults(child, parent)
    yield from _kind_faults(child, parent)
    changes = _changes(child, parent)
    if changes > MOST_CHANGES:
        yield Fault(
            f"{DEFINITION}.StaticHyperParameters",
            f"{changes} changes against {parent.name}: hyperparameters made static and other static values (each counts all "
            f"values concerned). At most {MOST_CHANGES} are allowed.",
        )
    yield from _definition_faults(child, parent)


def function_faults(child: TuningJobSpec, parent: TuningJobSpec, path: str) -> Iterator[Fault]:
    """The same where the child doesn't say what runs (a Tuner): the parent may hold fixed whatever it wants."""
    if parent.parts:
        yield _several(parent, path)
        return
    yield from _objective_faults(child, parent)
    theirs = {**parent.definition.static_hyperparameters, **parent.space.ranges}
    unknown = ", ".join(name for name in child.space.names if name not in theirs)
    beyond = ", ".join(name for name in parent.space.names if name not in child.space.ranges)
    if unknown:
        yield Fault(
            path, f"{parent.name} knows nothing of {unknown}. A parent needs every hyperparameter of the space."
        )
    if beyond and child.warm_start == IDENTICAL:
        yield Fault(path, f"{parent.name} tuned {beyond} too, so that it's another function. Use {TRANSFER}.")
    yield from _kind_faults(child, parent)


def _several(parent: TuningJobSpec, path: str) -> Fault:
    return Fault(path, f"{parent.name} has several training job definitions, so that it can't be a parent.")


def _objective_faults(child: TuningJobSpec, parent: TuningJobSpec) -> Iterator[Fault]:
    if (child.goal, child.metric) != (parent.goal, parent.metric):
        yield Fault(
            f"{CONFIG}.{OBJECTIVE}",
            f"must be the parent's: {parent.name} has {parent.goal} {parent.metric}, and this {child.goal} {child.metric}.",
        )


def _kind_faults(child: TuningJobSpec, parent: TuningJobSpec) -> Iterator[Fault]:
    for name in child.space.names:
        mine, theirs = _kind(child.space.ranges[name]), _kind(parent.space.ranges.get(name))
        if theirs is not None and mine != theirs:
            yield Fault(
                f"{CONFIG}.ParameterRanges ({name})",
                f"is {mine}, and {theirs} in {parent.name}. The type of a hyperparameter must be the parent's.",
            )


def _own(names: Mapping[str, Any]) -> set[str]:
    return {name for name in names if not name.startswith(RESERVED)}


def _name_faults(child: TuningJobSpec, parent: TuningJobSpec) -> Iterator[Fault]:
    mine, theirs = (_own({**each.definition.static_hyperparameters, **each.space.ranges}) for each in (child, parent))
    if mine != theirs:
        only = [
            f"{', '.join(sorted(names))} only in {whose}"
            for names, whose in ((mine - theirs, child.name), (theirs - mine, parent.name))
            if names
        ]
        yield Fault(
            f"{DEFINITION}.StaticHyperParameters",
            "The set of tunable plus static HyperParameter names is not the same across current and parent tuning jobs. "
            f"Here: {'; '.join(only)}.",
        )


def _kind(found: Range | None) -> str | None:
    return None if found is None else type(found).__name__.lower()


def _changes(child: TuningJobSpec, parent: TuningJobSpec) -> int:
    """AMT's count: a category made static counts all its values, a static value that changes counts both."""
    mine, theirs = child.definition.static_hyperparameters, parent.definition.static_hyperparameters
    made_static = [parent.space.ranges[name] for name in _own(mine) if name in parent.space.ranges]
    changed = [name for name in _own(mine) if name in theirs and theirs[name] != mine[name]]
    return sum(int(each.cells) if isinstance(each, Categorical) else 1 for each in made_static) + 2 * len(changed)


def _definition_faults(child: TuningJobSpec, parent: TuningJobSpec) -> Iterator[Fault]:
    mine, theirs = child.request[DEFINITION], parent.request[DEFINITION]
    frozen = {*mine, *theirs} - {*MAY_CHANGE, *NO_MATTER}
    changed = sorted(key for key in frozen if (mine.get(key) or None) != (theirs.get(key) or None))
    if changed and not child.definition.image == parent.definition.image == LOCAL_IMAGE:  # AMT has none such
        allowed = ", ".join(f"{key[0].lower()}{key[1:]}" for key in MAY_CHANGE)
        yield Fault(
            DEFINITION,
            f"Only the following fields in TrainingJobDefinition are allowed to change: [{allowed}]. Against {parent.name} it's "
            f"{', '.join(changed)}.",
        )
    if child.warm_start == IDENTICAL and _repository(child) != _repository(parent):
        yield Fault(
            f"{DEFINITION}.AlgorithmSpecification.TrainingImage",
            f"{child.definition.image!r} isn't the parent's {parent.definition.image!r}, which {IDENTICAL} asks for (its tag may "
            "differ). Use TransferLearning.",
        )


def _repository(spec: TuningJobSpec) -> str:
    image = spec.definition.image.partition("@")[0]
    folder, slash, name = image.rpartition("/")
    return f"{folder}{slash}{name.partition(':')[0]}"


def inheritance(child: TuningJobSpec, parent: History) -> Iterator[Inherited]:
    """What the child takes over: the parent's training jobs with an objective, in order of completion."""
    spec = parent.spec
    static = {name: text for name, text in spec.definition.static_hyperparameters.items() if name in child.space.ranges}
    for job in parent.finished:
        if job.objective is not None:
            yield Inherited(
                parent=spec.name,
                name=job.name,
                hyperparameters=spec.space.to_text(job.hyperparameters),
                static=static,
                status=job.status,
                created_at=job.created_at,
                started_at=job.started_at,
                ended_at=job.ended_at,
                objective=job.objective,
            )


# -- what it gives ---------------------------------------------------------------------------------------------------


def points(spec: TuningJobSpec, inherited: Sequence[Inherited]) -> tuple[Array, Array]:
    """(p, d) and (p,): the inherited training jobs that lie in the child's space, objectives minimised.

    Left out are those outside the child's ranges, and for IdenticalDataAndAlgorithm those whose value of a hyperparameter that
    is static now is another one.
    """
    found = [(point, spec.minimised(each.objective)) for each in inherited if (point := _point(spec, each)) is not None]
    X = np.array([point for point, _ in found], dtype=float).reshape(len(found), spec.space.dimension)  # noqa: N806
    return X, np.array([value for _, value in found], dtype=float)


def _point(spec: TuningJobSpec, each: Inherited) -> Array | None:
    if spec.warm_start == IDENTICAL:
        static = spec.definition.static_hyperparameters
        if any(not _same(text, static[name]) for name, text in each.hyperparameters.items() if name in static):
            return None
    texts = {**each.static, **each.hyperparameters}
    try:
        values = spec.space.from_text(texts)
    except (KeyError, ValueError, AlfineError):
        return None
    inside = all(spec.space.ranges[name].contains(value) for name, value in values.items())
    return spec.space.to_unit(values) if inside and spec.space.allows(values) else None


def _same(text: str, other: str) -> bool:
    try:
        return float(text) == float(other)
    except ValueError:
        return text == other


def better(history: History) -> Inherited | None:
    """The parents' best of the same function, where the job has none that is better; on a tie theirs is the earlier."""
    spec, own = history.spec, history.incumbent
    if spec.warm_start != IDENTICAL:
        return None
    first = min(history.inherited, key=lambda each: spec.sign * each.objective, default=None)
    if first is None or (own is not None and spec.sign * (own.objective or 0.0) < spec.sign * first.objective):
        return None
    return first


def sentence(history: History) -> str | None:
    """What becomes of what the parents found; None without parents."""
    spec, found = history.spec, len(history.inherited)
    if not spec.parents:
        return None
    if history.contradicted is not None:
        return (
            f"The first {history.contradicted} objectives contradict the parents' results, which are said to be of the same data and "
            "algorithm. From there on only what is good by them counts, as with TransferLearning."
        )
    if spec.strategy in IGNORING or (spec.strategy == "Random" and spec.warm_start == TRANSFER):
        return f"{spec.strategy} takes nothing from its parents."
    others = "the others have values that this job doesn't"
    if spec.warm_start == IDENTICAL:
        counted, use = len(history.prior()[1]), "count as the job's own"
    else:
        each = [len(values) for _, values in history.related().values()]
        counted, use = sum(n for n in each if n >= LEAST_RELATED), "say where to begin"
        others += f", or are fewer than {LEAST_RELATED} of their parent"
    if counted == found:
        return f"All {found} objectives of the parents {use}."
    if counted == 0:
        return f"Of the {found} objectives of the parents none can be used: {others.replace('the others', 'they')}. The job searches as without parents."
    return f"{counted} of the {found} objectives of the parents {use}: {others}."
