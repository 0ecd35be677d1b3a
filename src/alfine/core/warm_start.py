"""Warm start: which tuning jobs can be the parents of another one, and what it takes over from them (AMT's WarmStartConfig).

With IdenticalDataAndAlgorithm the parents' results count as results of the same function. With TransferLearning they are results of a
related function, of which only the order is used (strategies/transfer_learning.py). They are copied when the child is created, so that
nothing that happens to a parent later changes the child.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alfine.core.errors import Fault
from alfine.core.history import History
from alfine.core.inherited import Inherited
from alfine.core.messages import naming
from alfine.core.range_protocol import Range
from alfine.core.range_words import whole_numbers
from alfine.core.ranges import Categorical
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

# Static hyperparameters whose names begin so say what runs, not how it's configured.
RESERVED = ("sagemaker_", "alfine_", OBJECTIVE_HYPERPARAMETER)

# AMT's rules: https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html
MOST_CHANGES = 10  # of static hyperparameters, as `_changes` counts them
MAY_CHANGE = (  # members of TrainingJobDefinition that may differ from the parent's
    *("AlgorithmSpecification", "InputDataConfig", "OutputDataConfig", "StaticHyperParameters", "RoleArn"),
    *("ResourceConfig", "StoppingCondition", "VpcConfig", "EnableManagedSpotTraining", "CheckpointConfig"),
)
IRRELEVANT = ("HyperParameterTuningResourceConfig", "RetryStrategy", "DefinitionName")  # they change no result


# -- whether it can be a parent ---------------------------------------------------------------------------------------------------------


def faults(child: TuningJobSpec, parent: TuningJobSpec, path: str) -> Iterator[Fault]:
    """Yield why one tuning job can't be the parent of another.

    Args:
        child: The specification of the new tuning job.
        parent: The specification of the earlier one.
        path: The parent's path in the child's request.
    """
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
            f"{changes} changes against {parent.name}: hyperparameters made static, and other static values (a category made static "
            f"counts all its values, another static value counts 2). At most {MOST_CHANGES} are allowed.",
        )
    yield from _definition_faults(child, parent)


def function_faults(child: TuningJobSpec, parent: TuningJobSpec, path: str) -> Iterator[Fault]:
    """Yield why a tuning job can't be the parent of one whose program alfine doesn't run (a Tuner).

    The parent may then have any static hyperparameters, and any program. The arguments are those of `faults`.
    """
    if parent.parts:
        yield _several(parent, path)
        return
    yield from _objective_faults(child, parent)
    theirs = {**parent.definition.static_hyperparameters, **parent.space.ranges}
    unknown = ", ".join(name for name in child.space.names if name not in theirs)
    beyond = ", ".join(name for name in parent.space.names if name not in child.space.ranges)
    if unknown:
        yield Fault(path, f"{parent.name} has no {unknown}. A parent needs every hyperparameter of the space.")
    if beyond and child.warm_start == IDENTICAL:
        yield Fault(path, f"{parent.name} also tuned {beyond}, so that its function is another one. Use {TRANSFER}.")
    yield from _kind_faults(child, parent)


def _several(parent: TuningJobSpec, path: str) -> Fault:
    return Fault(path, f"{parent.name} has several training job definitions, so it can't be a parent.")


def _objective_faults(child: TuningJobSpec, parent: TuningJobSpec) -> Iterator[Fault]:
    if (child.goal, child.metric) != (parent.goal, parent.metric):
        yield Fault(
            f"{CONFIG}.{OBJECTIVE}",
            f"must be the parent's: {parent.name} has {parent.goal} {parent.metric}, and this {child.goal} {child.metric}.",
        )


def _kind_faults(child: TuningJobSpec, parent: TuningJobSpec) -> Iterator[Fault]:
    for name in child.space.names:
        mine, theirs = _type_of(child.space.ranges[name]), _type_of(parent.space.ranges.get(name))
        if theirs is not None and mine != theirs:
            hint = whole_numbers(name, child.space.ranges[name]) if theirs == "continuous" else None
            yield Fault(
                f"{CONFIG}.ParameterRanges ({name})",
                naming(
                    "is {}, and {} in {}. The type of a hyperparameter must be the parent's.{}{}",
                    *(mine, theirs, parent.name, " " if hint else "", hint or ""),
                ),
            )


def _configuring(names: Mapping[str, Any]) -> set[str]:
    """Return the names of hyperparameters that configure the training, without those that say what runs."""
    return {name for name in names if not name.startswith(RESERVED)}


def _name_faults(child: TuningJobSpec, parent: TuningJobSpec) -> Iterator[Fault]:
    mine, theirs = (
        _configuring({**spec.definition.static_hyperparameters, **spec.space.ranges}) for spec in (child, parent)
    )
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


def _type_of(range_: Range | None) -> str | None:
    return None if range_ is None else type(range_).__name__.lower()


def _changes(child: TuningJobSpec, parent: TuningJobSpec) -> int:
    """Return the number of changes of static hyperparameters as AMT counts them.

    A categorical hyperparameter that is made static counts all its values, another one 1; a changed static value counts 2.
    """
    mine, theirs = child.definition.static_hyperparameters, parent.definition.static_hyperparameters
    made_static = [parent.space.ranges[name] for name in _configuring(mine) if name in parent.space.ranges]
    changed = [name for name in _configuring(mine) if name in theirs and theirs[name] != mine[name]]
    values = (int(range_.cells) if isinstance(range_, Categorical) else 1 for range_ in made_static)
    return sum(values) + 2 * len(changed)


def _definition_faults(child: TuningJobSpec, parent: TuningJobSpec) -> Iterator[Fault]:
    mine, theirs = child.request[DEFINITION], parent.request[DEFINITION]
    frozen = {*mine, *theirs} - {*MAY_CHANGE, *IRRELEVANT}
    changed = sorted(key for key in frozen if (mine.get(key) or None) != (theirs.get(key) or None))
    if (
        changed and not child.definition.image == parent.definition.image == LOCAL_IMAGE
    ):  # scripts and functions, which AMT doesn't have
        allowed = ", ".join(f"{key[0].lower()}{key[1:]}" for key in MAY_CHANGE)
        yield Fault(
            DEFINITION,
            f"Only the following fields in TrainingJobDefinition are allowed to change: [{allowed}]. Different from {parent.name}: "
            f"{', '.join(changed)}.",
        )
    if child.warm_start == IDENTICAL and _repository(child) != _repository(parent):
        yield Fault(
            f"{DEFINITION}.AlgorithmSpecification.TrainingImage",
            f"{child.definition.image!r} isn't the parent's {parent.definition.image!r}. {IDENTICAL} needs the same image (another tag is "
            f"allowed). Use {TRANSFER}.",
        )


def _repository(spec: TuningJobSpec) -> str:
    """Return the image's name without its tag or digest."""
    image = spec.definition.image.partition("@")[0]
    folder, slash, name = image.rpartition("/")
    return f"{folder}{slash}{name.partition(':')[0]}"


def inheritance(child: TuningJobSpec, parent: History) -> Iterator[Inherited]:
    """Yield what a tuning job takes over from a parent: its training jobs with an objective, in order of completion.

    Args:
        child: The specification of the new tuning job.
        parent: The history of the earlier one.
    """
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
