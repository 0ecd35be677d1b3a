"""Completes a request with what its algorithms imply, as AWS does, and checks it against them.

An algorithm, built-in or created by a user, has its own metric definitions, hyperparameters with types and ranges, objective metrics
and channels. A request needs no metric definitions then, and is checked against the rest before anything is stored. The store keeps
the completed request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.read_spec import read_spec
from alfine.core.spec import CONFIG, FUNCTION, RANGES, TuningJobSpec
from alfine.programs.algorithms import BuiltInAlgorithm
from alfine.programs.algorithms.created import CreatedAlgorithm
from alfine.programs.algorithms.open_bounds import with_open_bounds
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
from alfine.programs.images import NoRunner, is_algorithm
from alfine.programs.machine import Machine
from alfine.runners.job_folder import DRIVERS

Plain = dict[str, Any]
Request = Mapping[str, Any]

OBJECTIVE_METRIC = "ObjectiveMetric"
"""AWS's name for a metric definition that repeats the one of the objective."""

OVERRIDES = (
    "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request without specifying "
    "metric definitions."
)
"""AWS's own message."""

PROGRAMS = ("sagemaker_program", "alfine_command", FUNCTION)
"""Static hyperparameters that name a program, which then runs instead of a built-in algorithm."""


def read_completed(request: Request, machine: Machine) -> TuningJobSpec:
    """Return the specification of a request that is completed first.

    Args:
        request: A CreateHyperParameterTuningJob request.
        machine: Knows the algorithms.

    Raises:
        InvalidSpec: The request is wrong, with every fault that it has by itself or by its algorithms.
    """
    whole, faults = completed(request, machine)
    try:
        spec = read_spec(whole)
    except InvalidSpec as error:
        implied = [
            fault.path.replace(".TrainingImage", ".MetricDefinitions")
            for fault in faults
            if fault.path.endswith(".TrainingImage")
        ]
        others = [fault for fault in error.faults if fault.path not in implied]
        raise InvalidSpec(_once([*faults, *others])) from error
    if faults:
        raise InvalidSpec(_once(faults))
    return spec


def _once(faults: Iterable[Fault]) -> list[Fault]:
    return list(dict.fromkeys(faults))


def completed(request: Request, machine: Machine) -> tuple[Request, list[Fault]]:
    """Return a CreateHyperParameterTuningJob request with what its algorithms imply, and the faults by its algorithms."""
    faults: list[Fault] = []
    changes: Plain = {}
    request = autotuned(request, lambda definition: _hyperparameters(definition, machine))
    if request.get("TrainingJobDefinition"):
        part = _of_job(request)
        changes["TrainingJobDefinition"] = _completed(part, machine, faults)
        if part.ranges:
            changes[CONFIG] = {**request[CONFIG], RANGES: _ranges(part, machine)}
    if several := request.get("TrainingJobDefinitions"):
        parts = [_of_definition(definition, index) for index, definition in enumerate(several)]
        changes["TrainingJobDefinitions"] = [
            {
                **_completed(part, machine, faults),
                **({"HyperParameterRanges": _ranges(part, machine)} if part.ranges else {}),
            }
            for part in parts
        ]
    return {**request, **changes}, faults


def _ranges(part: _Part, machine: Machine) -> Request:
    """Return the ranges of a definition. Those of a built-in algorithm may begin at an open bound."""
    created = machine.images.created(str(part.specification.get("AlgorithmName", "")))
    built_in = machine.images.built_in(created.image if created else str(part.specification.get("TrainingImage", "")))
    if built_in is None or part.brings_program:
        return part.ranges
    return with_open_bounds(built_in.specification, part.ranges)


def _hyperparameters(definition: Request, machine: Machine) -> Mapping[str, Request] | None:
    """Return the hyperparameters of the definition's algorithm; None for a script, and for an algorithm that doesn't list them."""
    specification = definition.get("AlgorithmSpecification") or {}
    name = specification.get("AlgorithmName")
    algorithm: CreatedAlgorithm | BuiltInAlgorithm | None = machine.images.created(str(name)) if name else None
    if algorithm is None and not any(name in (definition.get("StaticHyperParameters") or {}) for name in PROGRAMS):
        algorithm = machine.images.built_in(str(specification.get("TrainingImage", "")))
    return (hyperparameters_of(algorithm.specification) or None) if algorithm else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A training job definition with its ranges and its objective, and the paths of the three in the request."""

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
    def brings_program(self) -> bool:
        """Return whether its own program runs instead of a built-in algorithm."""
        return any(name in self.static for name in PROGRAMS)

    @property
    def tuned(self) -> list[str]:
        return [str(entry.get("Name")) for entries in self.ranges.values() for entry in entries or ()]

    @property
    def specification(self) -> Request:
        return self.definition.get("AlgorithmSpecification") or {}

    @property
    def goal(self) -> tuple[str, str] | None:
        """The type (Minimize or Maximize) and the name of the objective metric."""
        return (str(self.objective.get("Type")), str(self.objective.get("MetricName"))) if self.objective else None


def _of_job(request: Request) -> _Part:
    config, path = request.get(CONFIG) or {}, CONFIG
    return _Part(
        definition=request["TrainingJobDefinition"],
        ranges=config.get("ParameterRanges") or {},
        objective=config.get("HyperParameterTuningJobObjective"),
        where="TrainingJobDefinition",
        where_ranges=f"{path}.ParameterRanges",
        where_objective=f"{path}.HyperParameterTuningJobObjective",
    )


def _of_definition(definition: Request, index: int) -> _Part:
    path = f"TrainingJobDefinitions[{index}]"
    return _Part(
        definition=definition,
        ranges=definition.get("HyperParameterRanges") or {},
        objective=definition.get("TuningObjective"),
        where=path,
        where_ranges=f"{path}.HyperParameterRanges",
        where_objective=f"{path}.TuningObjective",
    )


def _completed(part: _Part, machine: Machine, faults: list[Fault]) -> Request:
    """Return the definition with the metric definitions and default values of its algorithms. A script may have its own metrics."""
    specification: Plain = dict(part.specification)
    algorithms: list[CreatedAlgorithm | BuiltInAlgorithm] = []
    image = str(specification.get("TrainingImage", ""))
    if name := specification.get("AlgorithmName"):
        created = machine.images.created(str(name))
        if created is None:
            faults.append(
                Fault(f"{part.where}.AlgorithmSpecification.AlgorithmName", f"the algorithm {name} does not exist.")
            )
            return part.definition
        algorithms.append(created)
        part = replace(part, definition={**part.definition, "StaticHyperParameters": _with_defaults(created, part)})
        image = created.image
        if not is_algorithm(str(name)):
            specification["AlgorithmName"] = machine.arns.algorithm(created.name)
    if built_in := machine.images.built_in(image):
        algorithms.append(built_in)
    if not algorithms:
        faults += _image_faults(image, part, machine)
        return _with_program_metrics(image, part, machine)
    specifications = [algorithm.specification for algorithm in algorithms]
    own = next((known for known in specifications if known.get("MetricDefinitions")), {})
    implied = metric_definitions(own, part.goal)
    given = specification.get("MetricDefinitions") or []
    for algorithm in algorithms:
        if isinstance(algorithm, CreatedAlgorithm) or not part.brings_program:
            faults += _faults(algorithm, part)
            # Definitions that are equal are accepted: clients that make a tuner from an earlier job send what Describe returned.
            if implied and not all(metric in implied for metric in given):
                faults.append(Fault(f"{part.where}.AlgorithmSpecification.MetricDefinitions", OVERRIDES))
            given = implied or given
    return {**part.definition, "AlgorithmSpecification": {**specification, "MetricDefinitions": given or implied}}


def _with_program_metrics(image: str, part: _Part, machine: Machine) -> Request:
    """Return the definition with the metrics of the program that stands in the place of its image, besides those that it has."""
    program = None if part.brings_program else machine.images.program(image)
    if program is None or not program.metrics:
        return part.definition
    given = part.specification.get("MetricDefinitions") or []
    names = {metric.get("Name") for metric in given}
    metrics = [*given, *(metric for metric in program.metric_definitions() if metric["Name"] not in names)]
    return {**part.definition, "AlgorithmSpecification": {**part.specification, "MetricDefinitions": metrics}}


def _image_faults(image: str, part: _Part, machine: Machine) -> Iterator[Fault]:
    """Yield a fault where nothing on this machine runs the image. It is the first of a request's faults: nothing else matters before."""
    drivers = any(channel.get("ChannelName") == DRIVERS for channel in part.definition.get("InputDataConfig") or ())
    if image and not part.brings_program and not drivers:
        try:
            machine.images.find(image, has_script=False)
        except NoRunner as error:
            yield Fault(f"{part.where}.AlgorithmSpecification.TrainingImage", str(error))


def _with_defaults(algorithm: CreatedAlgorithm, part: _Part) -> Plain:
    """Return the static hyperparameters, with the default values of those that are neither given nor tuned."""
    known = hyperparameters_of(algorithm.specification)
    defaults = {name: entry["DefaultValue"] for name, entry in known.items() if "DefaultValue" in entry}
    return {name: text for name, text in defaults.items() if name not in part.tuned} | dict(part.static)


def metric_definitions(specification: Request, objective: tuple[str, str] | None) -> list[Plain]:
    """Return the metric definitions of an algorithm, and that of the objective a second time under AWS's name for it.

    Args:
        specification: The algorithm's TrainingSpecification.
        objective: The type and the name of the objective metric.
    """
    own = list(specification.get("MetricDefinitions") or ())
    regex = next((metric["Regex"] for metric in own if objective and metric["Name"] == objective[1]), None)
    return own if regex is None else [*own, {"Name": OBJECTIVE_METRIC, "Regex": regex}]


def _faults(algorithm: BuiltInAlgorithm | CreatedAlgorithm, part: _Part) -> Iterator[Fault]:
    name, specification, where = algorithm.name, algorithm.specification, part.where
    if "SupportedHyperParameters" in specification:  # a user's algorithm needn't list them
        yield from static_faults(name, specification, part.static, part.tuned, f"{where}.StaticHyperParameters")
        yield from range_faults(name, specification, part.ranges, part.where_ranges)
    if part.goal is not None:
        yield from objective_faults(name, specification, part.goal, part.where_objective)
    yield from channel_faults(name, specification, part.definition, where)
    yield from instance_faults(name, specification, part.definition, where)
    given = part.definition.get("InputDataConfig") or ()
    channels = {str(channel.get("ChannelName")): channel.get("ContentType") for channel in given}
    texts = {key: unquoted(text) for key, text in part.static.items() if isinstance(text, str)}
    yield from algorithm.faults(texts, channels, part.goal, where)
    if missing := algorithm.missing():
        yield Fault(f"{where}.AlgorithmSpecification.TrainingImage", missing)
