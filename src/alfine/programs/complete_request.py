"""What an algorithm implies about a request: filled in as AWS does when it describes the job, or told as faults.

An algorithm, built-in or created, has its own metric definitions, hyperparameters with types and ranges, objective metrics and
channels. So a request needs none of the first, and is checked against the rest before anything is stored. The completed request is
what the store keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.read_spec import read_spec
from alfine.core.spec import TuningJobSpec
from alfine.programs.algorithms import Algorithm
from alfine.programs.algorithms.created import Created
from alfine.programs.algorithms.specification import (
    channel_faults,
    hyperparameters_of,
    instance_faults,
    objective_faults,
    range_faults,
    static_faults,
)
from alfine.programs.autotune import autotuned
from alfine.programs.hyperparameter_text import unquoted
from alfine.programs.images import is_algorithm
from alfine.programs.machine import Machine

Plain = dict[str, Any]
Request = Mapping[str, Any]

OBJECTIVE_METRIC = "ObjectiveMetric"  # AWS's name for a definition that repeats the objective's
OVERRIDES = (
    "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request without specifying "
    "metric definitions."
)
PROGRAMS = ("sagemaker_program", "alfine_command", "alfine_function")


def understood(request: Request, machine: Machine) -> TuningJobSpec:
    """The spec of a completed request. Raise InvalidSpec with every fault that it and its algorithms find."""
    whole, faults = completed(request, machine)
    try:
        spec = read_spec(whole)
    except InvalidSpec as error:
        raise InvalidSpec(_once([*faults, *error.faults])) from error
    if faults:
        raise InvalidSpec(_once(faults))
    return spec


def _once(faults: Iterable[Fault]) -> list[Fault]:
    return list(dict.fromkeys(faults))


def completed(request: Request, machine: Machine) -> tuple[Request, list[Fault]]:
    """A CreateHyperParameterTuningJob request with what its algorithms imply, and what they find wrong with it."""
    faults: list[Fault] = []
    changes: Plain = {}
    request = autotuned(request, lambda definition: _hyperparameters(definition, machine))
    if request.get("TrainingJobDefinition"):
        changes["TrainingJobDefinition"] = _completed(_of_job(request), machine, faults)
    if several := request.get("TrainingJobDefinitions"):
        changes["TrainingJobDefinitions"] = [
            _completed(_of_definition(each, index), machine, faults) for index, each in enumerate(several)
        ]
    return {**request, **changes}, faults


def _hyperparameters(definition: Request, machine: Machine) -> Mapping[str, Request] | None:
    """Those that the definition's algorithm has; None where it doesn't say, as a script."""
    specification = definition.get("AlgorithmSpecification") or {}
    name = specification.get("AlgorithmName")
    algorithm: Created | Algorithm | None = machine.images.created(str(name)) if name else None
    if algorithm is None and not any(each in (definition.get("StaticHyperParameters") or {}) for each in PROGRAMS):
        algorithm = machine.images.built_in(str(specification.get("TrainingImage", "")))
    return (hyperparameters_of(algorithm.specification) or None) if algorithm else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One training job definition with the ranges and the objective that go with it, and where each stands."""

    definition: Request
    ranges: Request
    objective: Request | None
    where: str
    where_ranges: str
    where_objective: str

    @property
    def static(self) -> Mapping[str, str]:
        return self.definition.get("StaticHyperParameters") or {}

    @property
    def tuned(self) -> list[str]:
        return [str(entry.get("Name")) for entries in self.ranges.values() for entry in entries or ()]

    @property
    def specification(self) -> Request:
        return self.definition.get("AlgorithmSpecification") or {}

    @property
    def goal(self) -> tuple[str, str] | None:
        """Type and name of the objective metric."""
        return (str(self.objective.get("Type")), str(self.objective.get("MetricName"))) if self.objective else None


def _of_job(request: Request) -> _Asked:
    config, path = request.get("HyperParameterTuningJobConfig") or {}, "HyperParameterTuningJobConfig"
    return _Asked(
        definition=request["TrainingJobDefinition"],
        ranges=config.get("ParameterRanges") or {},
        objective=config.get("HyperParameterTuningJobObjective"),
        where="TrainingJobDefinition",
        where_ranges=f"{path}.ParameterRanges",
        where_objective=f"{path}.HyperParameterTuningJobObjective",
    )


def _of_definition(definition: Request, index: int) -> _Asked:
    path = f"TrainingJobDefinitions[{index}]"
    return _Asked(
        definition=definition,
        ranges=definition.get("HyperParameterRanges") or {},
        objective=definition.get("TuningObjective"),
        where=path,
        where_ranges=f"{path}.HyperParameterRanges",
        where_objective=f"{path}.TuningObjective",
    )


def _completed(asked: _Asked, machine: Machine, faults: list[Fault]) -> Request:
    """The definition with its algorithms' metric definitions and default values. A script may have its own metrics."""
    specification: Plain = dict(asked.specification)
    algorithms: list[Created | Algorithm] = []
    image = str(specification.get("TrainingImage", ""))
    if name := specification.get("AlgorithmName"):
        created = machine.images.created(str(name))
        if created is None:
            faults.append(
                Fault(f"{asked.where}.AlgorithmSpecification.AlgorithmName", f"the algorithm {name} does not exist.")
            )
            return asked.definition
        algorithms.append(created)
        asked = replace(asked, definition={**asked.definition, "StaticHyperParameters": _with_defaults(created, asked)})
        image = created.image
        if not is_algorithm(str(name)):
            specification["AlgorithmName"] = machine.arns.algorithm(created.name)
    if built_in := machine.images.built_in(image):
        algorithms.append(built_in)
    if not algorithms:
        return asked.definition
    own = next((each.specification for each in algorithms if each.specification.get("MetricDefinitions")), {})
    implied = metric_definitions(own, asked.goal)
    given = specification.get("MetricDefinitions") or []
    for algorithm in algorithms:
        if isinstance(algorithm, Created) or not any(name in asked.static for name in PROGRAMS):
            faults += _faults(algorithm, asked)
            # Those that Describe told are taken back: clients that made a tuner from an earlier job send them.
            if implied and not all(each in implied for each in given):
                faults.append(Fault(f"{asked.where}.AlgorithmSpecification.MetricDefinitions", OVERRIDES))
            given = implied or given
    return {**asked.definition, "AlgorithmSpecification": {**specification, "MetricDefinitions": given or implied}}


def _with_defaults(algorithm: Created, asked: _Asked) -> Plain:
    """The static hyperparameters, and the default values of those that are neither given nor tuned."""
    known = hyperparameters_of(algorithm.specification)
    defaults = {name: each["DefaultValue"] for name, each in known.items() if "DefaultValue" in each}
    return {name: text for name, text in defaults.items() if name not in asked.tuned} | dict(asked.static)


def metric_definitions(specification: Request, objective: tuple[str, str] | None) -> list[Plain]:
    """The algorithm's own, and the objective's once more under AWS's name for it."""
    own = list(specification.get("MetricDefinitions") or ())
    regex = next((each["Regex"] for each in own if objective and each["Name"] == objective[1]), None)
    return own if regex is None else [*own, {"Name": OBJECTIVE_METRIC, "Regex": regex}]


def _faults(algorithm: Algorithm | Created, asked: _Asked) -> Iterator[Fault]:
    name, specification, where = algorithm.name, algorithm.specification, asked.where
    if "SupportedHyperParameters" in specification:  # a created algorithm may leave them unsaid
        yield from static_faults(name, specification, asked.static, asked.tuned, f"{where}.StaticHyperParameters")
        yield from range_faults(name, specification, asked.ranges, asked.where_ranges)
    if asked.goal is not None:
        yield from objective_faults(name, specification, asked.goal, asked.where_objective)
    yield from channel_faults(name, specification, asked.definition, where)
    yield from instance_faults(name, specification, asked.definition, where)
    given = asked.definition.get("InputDataConfig") or ()
    channels = {str(channel.get("ChannelName")): channel.get("ContentType") for channel in given}
    texts = {key: unquoted(text) for key, text in asked.static.items() if isinstance(text, str)}
    yield from algorithm.faults(texts, channels, asked.goal, where)
    if missing := algorithm.missing():
        yield Fault(f"{where}.AlgorithmSpecification.TrainingImage", missing)
