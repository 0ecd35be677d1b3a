"""TuningJobSpec: a CreateHyperParameterTuningJob request, understood and checked.

The request is the only spelling of a tuning job: on the wire, in a job file and in the store it's the same JSON.
`TuningJobSpec.from_request` reads it once and names every fault at once (rules V1–V21 of AMT, those that concern a job
that runs here). What AMT has no field for travels in tags: `alfine:<setting>`, kept in `settings`.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from alfine.core.channels import Channel, read_channel
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.space import Categorical, Continuous, Integer, ParameterSpace, Range

Request = Mapping[str, Any]

STRATEGIES = ("Bayesian", "Random", "Grid", "Hyperband")
GOALS = ("Maximize", "Minimize")
EARLY_STOPPING_TYPES = ("Off", "Auto")
OBJECTIVE_HYPERPARAMETER = "_tuning_objective_metric"  # AMT gives it to every training job
MAX_TUNABLE = 30
MAX_HYPERPARAMETERS = 100
MAX_TRAINING_JOBS = 750  # AMT's quota, and the limit of a job that names no other
MAX_RESOURCE = 20_000
MAX_ENVIRONMENT = 48
EPOCH_NAMES = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
TAG_PREFIX = "alfine:"
ALONE = "@"  # begins the name of a tuning job that stands for a training job on its own (core/alone.py)
NAME_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDefinition:
    """A metric and the regular expression whose first group reads it from a line of the log."""

    name: str
    regex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What every training job of the tuning job runs: AMT's TrainingJobDefinition."""

    name: str | None
    image: str
    static_hyperparameters: Mapping[str, str]
    metric_definitions: tuple[MetricDefinition, ...]
    channels: tuple[Channel, ...]
    environment: Mapping[str, str]
    max_runtime_seconds: float | None
    output_path: str
    packs_model: bool
    instance_type: str
    instance_count: int
    network: bool = True  # False: EnableNetworkIsolation


@dataclass(frozen=True, kw_only=True)
class TuningJobSpec:
    """One tuning job as it was asked for. `request` is what it was read from."""

    request: Request = field(repr=False)
    name: str
    strategy: str
    goal: str
    metric: str
    space: ParameterSpace
    definition: Definition
    max_parallel: int
    max_training_jobs: int | None = None
    max_runtime_seconds: float | None = None
    target: float | None = None
    max_not_improving: int | None = None
    detect_convergence: bool = False
    early_stopping: str = "Off"
    min_resource: int = 1
    max_resource: int | None = None
    seed: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def alone(self) -> str | None:
        """The training job's name, when this stands for a training job on its own: it has no objective and nothing to search."""
        return self.request.get("TrainingJobName")

    @property
    def sign(self) -> float:
        """+1 to minimise, -1 to maximise: sign * objective is «smaller is better»."""
        return 1.0 if self.goal == "Minimize" else -1.0

    @property
    def price_per_hour(self) -> float | None:
        """What one instance costs an hour, when the job says so."""
        text = self.settings.get("price-per-hour")
        return None if text is None else float(text)

    @classmethod
    def from_request(cls, request: Request) -> TuningJobSpec:
        """Raise InvalidSpec with every fault and its path when the request can't be understood."""
        reader = _Reader(request)
        spec = reader.read(cls)
        if reader.faults or spec is None:
            raise InvalidSpec(reader.faults)
        return spec


class _Reader:
    """Reads one request and collects what is wrong with it."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.faults: list[Fault] = []
        self.config: Mapping[str, Any] = request.get("HyperParameterTuningJobConfig") or {}
        self.definition: Mapping[str, Any] = request.get("TrainingJobDefinition") or {}
        self.alone = "TrainingJobName" in request

    def fault(self, path: str, message: str) -> None:
        self.faults.append(Fault(path, message))

    def read(self, cls: type[TuningJobSpec]) -> TuningJobSpec | None:
        if not self._forms():
            return None
        space = self._space()
        settings = self._settings()
        strategy = self._choice(self.config, "Strategy", STRATEGIES, None, "HyperParameterTuningJobConfig.Strategy")
        limits = self._limits()
        objective = self._objective()
        definition = self._definition(objective[1])
        self._names_differ(space, definition.static_hyperparameters)
        self._grid_and_size(strategy, space, limits[0])
        resources = self._hyperband(strategy, definition.static_hyperparameters)
        target, patience, convergence = self._criteria()
        if self.faults:
            return None
        name = str(self.request["HyperParameterTuningJobName"])
        seed = self.config.get("RandomSeed")
        return cls(
            request=self.request,
            name=name,
            strategy=strategy,
            goal=objective[0],
            metric=objective[1],
            space=space,
            definition=definition,
            max_training_jobs=limits[0],
            max_parallel=limits[1],
            max_runtime_seconds=limits[2],
            target=target,
            max_not_improving=patience,
            detect_convergence=convergence,
            early_stopping=self._early_stopping(strategy),
            min_resource=resources[0],
            max_resource=resources[1],
            # Without a seed the name decides: the same job gives the same suggestions, another name gives others.
            seed=int(seed) if seed is not None else zlib.crc32(name.encode()),
            settings=settings,
        )

    # -- the parts of a request, in AMT's order ------------------------------------------------------------------

    def _forms(self) -> bool:
        name = self.request.get("HyperParameterTuningJobName")
        if not self.alone and (not isinstance(name, str) or not NAME_PATTERN.fullmatch(name)):
            self.fault(
                "HyperParameterTuningJobName",
                f"{name!r} isn't a name. Use 1 to 32 letters, digits and hyphens, beginning and ending with no hyphen.",
            )
        single, several = "TrainingJobDefinition" in self.request, "TrainingJobDefinitions" in self.request
        if single == several:
            self.fault(
                "TrainingJobDefinition", "give either TrainingJobDefinition or TrainingJobDefinitions, one of the two."
            )
        elif several:
            self.fault(
                "TrainingJobDefinitions",
                "several definitions in one job aren't supported yet. Use TrainingJobDefinition.",
            )
        for unsupported in ("WarmStartConfig", "Autotune"):
            if unsupported in self.request:
                self.fault(unsupported, "isn't supported yet. Leave it out.")
        if not self.config:
            self.fault("HyperParameterTuningJobConfig", "is missing.")
        return single and bool(self.config)

    def _settings(self) -> dict[str, str]:
        tags = {str(tag.get("Key")): str(tag.get("Value", "")) for tag in self.request.get("Tags") or []}
        settings = {key.removeprefix(TAG_PREFIX): value for key, value in tags.items() if key.startswith(TAG_PREFIX)}
        price = settings.get("price-per-hour")
        if price is not None and not _is_number(price, lambda x: x >= 0):
            self.fault(
                "Tags.alfine:price-per-hour", f"{price!r} isn't a price. Use a number from 0 on, per instance and hour."
            )
        return settings

    def _choice(
        self, where: Mapping[str, Any], key: str, allowed: Iterable[str], default: str | None, path: str
    ) -> str:
        value = where.get(key, default)
        if value not in tuple(allowed):
            self.fault(path, f"{value!r} isn't one of {', '.join(allowed)}.")
        return str(value)

    def _integer(
        self, where: Mapping[str, Any], key: str, least: int, path: str, *, required: bool = False
    ) -> int | None:
        value = where.get(key)
        if value is None:
            if required:
                self.fault(f"{path}.{key}", f"is missing. Use a whole number from {least} on.")
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.fault(f"{path}.{key}", f"{value!r} must be a whole number from {least} on.")
            return None
        return value

    def _limits(self) -> tuple[int | None, int, float | None]:
        path = "HyperParameterTuningJobConfig.ResourceLimits"
        limits = self.config.get("ResourceLimits") or {}
        jobs = self._integer(limits, "MaxNumberOfTrainingJobs", 1, path)
        parallel = self._integer(limits, "MaxParallelTrainingJobs", 1, path, required=True)
        seconds = limits.get("MaxRuntimeInSeconds")
        if seconds is not None and not _is_number(seconds, lambda x: x > 0):
            self.fault(f"{path}.MaxRuntimeInSeconds", f"{seconds!r} must be a number of seconds above 0.")
            seconds = None
        return jobs, parallel or 1, None if seconds is None else float(seconds)

    def _objective(self) -> tuple[str, str]:
        if self.alone:
            return GOALS[0], ""
        path = "HyperParameterTuningJobConfig.HyperParameterTuningJobObjective"
        objective = self.config.get("HyperParameterTuningJobObjective") or {}
        goal = self._choice(objective, "Type", GOALS, None, f"{path}.Type")
        metric = objective.get("MetricName")
        if not isinstance(metric, str) or not metric:
            self.fault(f"{path}.MetricName", "is missing. Name the metric that the tuning job improves.")
        return goal, str(metric)

    def _space(self) -> ParameterSpace:
        path = "HyperParameterTuningJobConfig.ParameterRanges"
        lists = self.config.get("ParameterRanges") or {}
        ranges: dict[str, Range] = {}
        readers: tuple[tuple[str, Callable[[Mapping[str, Any]], Range]], ...] = (
            ("IntegerParameterRanges", _integer_range),
            ("ContinuousParameterRanges", _continuous_range),
            ("CategoricalParameterRanges", lambda entry: Categorical(tuple(entry["Values"]))),
        )
        for kind, read in readers:
            for index, entry in enumerate(lists.get(kind) or []):
                name, where = str(entry.get("Name")), f"{path}.{kind}[{index}] ({entry.get('Name')})"
                try:
                    found = read(entry)
                except (KeyError, TypeError, ValueError) as error:
                    self.fault(where, _unreadable(kind, entry, error))
                    continue
                self.faults += found.faults(where)
                if name in ranges:
                    self.fault(where, f"hyperparameter {name!r} has two ranges. Keep one.")
                ranges[name] = found
        if not ranges and not any(lists.values()) and not self.alone:
            self.fault(path, "at least one hyperparameter needs a range.")
        if len(ranges) > MAX_TUNABLE:
            self.fault(
                path, f"{len(ranges)} tunable hyperparameters; at most {MAX_TUNABLE} can be tuned. Fix the others."
            )
        return ParameterSpace(ranges)

    def _definition(self, metric: str) -> Definition:
        path, definition = "TrainingJobDefinition", self.definition
        algorithm = definition.get("AlgorithmSpecification") or {}
        if ("TrainingImage" in algorithm) == ("AlgorithmName" in algorithm):
            self.fault(f"{path}.AlgorithmSpecification", "give either TrainingImage or AlgorithmName, one of the two.")
        metrics = tuple(self._metrics(algorithm.get("MetricDefinitions") or [], metric))
        stopping = definition.get("StoppingCondition") or {}
        runtime = self._integer(stopping, "MaxRuntimeInSeconds", 1, f"{path}.StoppingCondition")
        self._spot(stopping)
        instance_type, count = self._resources()
        environment = definition.get("Environment") or {}
        output = definition.get("OutputDataConfig") or {}
        if len(environment) > MAX_ENVIRONMENT and not self.alone:
            self.fault(f"{path}.Environment", f"{len(environment)} variables; at most {MAX_ENVIRONMENT} are allowed.")
        return Definition(
            name=definition.get("DefinitionName"),
            image=str(algorithm.get("TrainingImage") or algorithm.get("AlgorithmName")),
            static_hyperparameters=dict(definition.get("StaticHyperParameters") or {}),
            metric_definitions=metrics,
            channels=tuple(
                self._channels(definition.get("InputDataConfig") or [], algorithm.get("TrainingInputMode") or "File")
            ),
            environment=dict(environment),
            max_runtime_seconds=runtime,
            output_path=str(output.get("S3OutputPath", "")),
            packs_model=output.get("CompressionType") != "NONE",
            instance_type=instance_type,
            instance_count=count,
            network=not definition.get("EnableNetworkIsolation"),
        )

    def _metrics(self, entries: Iterable[Mapping[str, Any]], objective: str) -> Iterator[MetricDefinition]:
        path, names = "TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions", set()
        for index, entry in enumerate(entries):
            name, regex = str(entry.get("Name")), str(entry.get("Regex"))
            names.add(name)
            try:
                groups = re.compile(regex).groups
            except re.error as error:
                self.fault(f"{path}[{index}] ({name})", f"regex {regex!r} doesn't compile: {error}.")
                continue
            if groups < 1:
                self.fault(
                    f"{path}[{index}] ({name})",
                    f"regex {regex!r} has no group. Put the number in parentheses, as in 'loss=([0-9.]+)'.",
                )
            yield MetricDefinition(name=name, regex=regex)
        if objective not in names and not self.alone:
            known = f" (defined: {', '.join(sorted(names))})" if names else ""
            self.fault(
                path,
                "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
                f"definitions. The objective is {objective!r}{known}.",
            )

    def _channels(self, entries: Iterable[Mapping[str, Any]], default_mode: str) -> Iterator[Channel]:
        names = set()
        for index, entry in enumerate(entries):
            path, name = f"TrainingJobDefinition.InputDataConfig[{index}]", entry.get("ChannelName")
            if name in names:
                self.fault(f"{path}.ChannelName", f"there are two channels called {name!r}. Rename one.")
            names.add(name)
            channel, faults = read_channel(entry, default_mode, path)
            self.faults += faults
            if channel is not None:
                yield channel

    def _spot(self, stopping: Mapping[str, Any]) -> None:
        wait, run = stopping.get("MaxWaitTimeInSeconds"), stopping.get("MaxRuntimeInSeconds")
        path = "TrainingJobDefinition.StoppingCondition.MaxWaitTimeInSeconds"
        if wait is not None and not self.definition.get("EnableManagedSpotTraining"):
            self.fault(
                path, "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
            )
        elif isinstance(wait, int) and isinstance(run, int) and wait < run:
            self.fault(path, f"{wait} is below MaxRuntimeInSeconds {run}. Raise it.")

    def _resources(self) -> tuple[str, int]:
        path = "TrainingJobDefinition"
        plain, tuning = self.definition.get("ResourceConfig"), self.definition.get("HyperParameterTuningResourceConfig")
        if plain and tuning:
            self.fault(path, "give either ResourceConfig or HyperParameterTuningResourceConfig, not both.")
        config = plain or tuning or {}
        listed = config.get("InstanceConfigs")
        if listed and any(key in config for key in ("InstanceType", "InstanceCount", "VolumeSizeInGB")):
            self.fault(path, "InstanceConfigs excludes InstanceType, InstanceCount and VolumeSizeInGB. Give one form.")
        first = listed[0] if listed else config
        return str(first.get("InstanceType", "local")), int(first.get("InstanceCount", 1))

    # -- what the parts must be to each other --------------------------------------------------------------------

    def _names_differ(self, space: ParameterSpace, static: Mapping[str, str]) -> None:
        for name in space.names:
            if name in static:
                self.fault(
                    f"TrainingJobDefinition.StaticHyperParameters.{name}",
                    "this hyperparameter also has a range. It's either static or tuned: remove one.",
                )
        total = len(set(space.names) | set(static) | ({OBJECTIVE_HYPERPARAMETER} if not self.alone else set()))
        if total > MAX_HYPERPARAMETERS:
            self.fault(
                "",
                f"{total} hyperparameters (tuned, static and {OBJECTIVE_HYPERPARAMETER}); at most {MAX_HYPERPARAMETERS}.",
            )
        for name, value in static.items():
            if not isinstance(value, str):
                self.fault(
                    f"TrainingJobDefinition.StaticHyperParameters.{name}",
                    f"{value!r} must be text, as {json.dumps(json.dumps(value))}.",
                )

    def _grid_and_size(self, strategy: str, space: ParameterSpace, max_jobs: int | None) -> None:
        path = "HyperParameterTuningJobConfig.ParameterRanges"
        if strategy == "Grid":
            numeric = [name for name, r in space.ranges.items() if not isinstance(r, Categorical)]
            if numeric:
                self.fault(
                    path, f"Grid takes categorical ranges only, and {', '.join(numeric)} isn't. List its values."
                )
            elif space.size is not None and space.size > MAX_TRAINING_JOBS:
                self.fault(path, f"the grid has {space.size} configurations; at most {MAX_TRAINING_JOBS} are allowed.")
            elif max_jobs is not None and max_jobs != space.size:
                self.fault(
                    "HyperParameterTuningJobConfig.ResourceLimits.MaxNumberOfTrainingJobs",
                    f"{max_jobs} isn't the number of configurations of the grid, {space.size}. Leave it out or use that.",
                )
        elif max_jobs is not None and space.size is not None and space.ranges and space.size < max_jobs:
            self.fault(
                path,
                "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
                f"combinations for the provided ranges [{float(space.size)}] must be equal or greater than the value of "
                f"MaxNumberOfJobs, [{max_jobs}]. Provide additional ranges.",
            )

    def _hyperband(self, strategy: str, static: Mapping[str, str]) -> tuple[int, int | None]:
        path = "HyperParameterTuningJobConfig.StrategyConfig"
        config = self.config.get("StrategyConfig")
        if strategy != "Hyperband":
            if config:
                self.fault(path, f"is for Strategy Hyperband, not {strategy}. Leave it out.")
            return 1, None
        bounds = (config or {}).get("HyperbandStrategyConfig") or {}
        least = self._integer(bounds, "MinResource", 1, f"{path}.HyperbandStrategyConfig") or 1
        most = self._integer(bounds, "MaxResource", 1, f"{path}.HyperbandStrategyConfig")
        if most is None:
            texts = [static[name].strip('"') for name in EPOCH_NAMES if isinstance(static.get(name), str)]
            most = next((int(text) for text in texts if text.isdigit()), None)
        if most is None:
            self.fault(
                f"{path}.HyperbandStrategyConfig.MaxResource",
                "MaxResource parameter is not provided and could not be inferred from provided static hyperparameters of "
                "TrainingJobDefinition.",
            )
        elif not least <= most <= MAX_RESOURCE:
            self.fault(path, f"needs MinResource <= MaxResource <= {MAX_RESOURCE}, not {least} and {most}.")
        return least, most

    def _early_stopping(self, strategy: str) -> str:
        path = "HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType"
        kind = self._choice(self.config, "TrainingJobEarlyStoppingType", EARLY_STOPPING_TYPES, "Off", path)
        if kind == "Auto" and strategy == "Hyperband":
            self.fault(path, "must be Off with Strategy Hyperband, which stops training jobs itself.")
        return kind

    def _criteria(self) -> tuple[float | None, int | None, bool]:
        path = "HyperParameterTuningJobConfig.TuningJobCompletionCriteria"
        criteria = self.config.get("TuningJobCompletionCriteria") or {}
        target = criteria.get("TargetObjectiveMetricValue")
        if target is not None and not _is_number(target, math.isfinite):
            self.fault(f"{path}.TargetObjectiveMetricValue", f"{target!r} must be a finite number.")
            target = None
        plateau = criteria.get("BestObjectiveNotImproving") or {}
        where = f"{path}.BestObjectiveNotImproving"
        patience = self._integer(plateau, "MaxNumberOfTrainingJobsNotImproving", 3, where)
        convergence = criteria.get("ConvergenceDetected") or {}
        where = f"{path}.ConvergenceDetected.CompleteOnConvergence"
        enabled = self._choice(convergence, "CompleteOnConvergence", ("Enabled", "Disabled"), "Disabled", where)
        return None if target is None else float(target), patience, enabled == "Enabled"


def _integer_range(entry: Mapping[str, Any]) -> Range:
    return Integer(int(entry["MinValue"]), int(entry["MaxValue"]), scaling=entry.get("ScalingType", "Auto"))


def _continuous_range(entry: Mapping[str, Any]) -> Range:
    return Continuous(float(entry["MinValue"]), float(entry["MaxValue"]), scaling=entry.get("ScalingType", "Auto"))


def _unreadable(kind: str, entry: Mapping[str, Any], error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing."
    what = (
        "whole numbers" if kind.startswith("Integer") else "numbers" if kind.startswith("Cont") else "a list of texts"
    )
    given = entry.get("Values", (entry.get("MinValue"), entry.get("MaxValue")))
    return f"{given!r} must be {what}."


def _is_number(value: Any, good: Callable[[float], bool]) -> bool:
    try:
        return not isinstance(value, bool) and good(float(value))
    except (TypeError, ValueError):
        return False


def setting_of(request: Request, name: str) -> str | None:
    """An alfine setting of a request, None without."""
    return next((tag["Value"] for tag in request.get("Tags") or [] if tag["Key"] == TAG_PREFIX + name), None)


def put_setting(request: MutableMapping[str, Any], name: str, text: str | None) -> None:
    """Write an alfine setting into a request's tags, replacing an earlier one; None takes it away."""
    key = TAG_PREFIX + name
    tags = [tag for tag in request.get("Tags") or [] if tag.get("Key") != key]
    if text is not None:
        tags.append({"Key": key, "Value": text})
    if tags:
        request["Tags"] = tags
    else:
        request.pop("Tags", None)
