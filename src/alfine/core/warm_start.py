"""Warm start: what a tuning job takes over from earlier ones, its parents, and when it may (AMT's WarmStartConfig).

IdenticalDataAndAlgorithm: the parents' results are results of the same function, and count as such. TransferLearning: they are
of a related one; only their order says something (strategies/transfer_learning.py). Either way they are copied when the child is
created: what becomes of a parent later changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alfine.core.errors import Fault
from alfine.core.history import History
from alfine.core.inherited import Inherited
from alfine.core.messages import naming
from alfine.core.ranges import Categorical, Range, whole_numbers
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
            hint = whole_numbers(name, child.space.ranges[name]) if theirs == "continuous" else None
            yield Fault(
                f"{CONFIG}.ParameterRanges ({name})",
                naming(
                    "is {}, and {} in {}. The type of a hyperparameter must be the parent's.{}{}",
                    *(mine, theirs, parent.name, " " if hint else "", hint or ""),
                ),
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
