"""Read a CreateHyperParameterTuningJob request: `read_spec` understands it once and names every fault at once.

The rules are V1–V21 of AMT, those that concern a job that runs here.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from alfine.core import conditions
from alfine.core.channels import Channel, read_channel
from alfine.core.conditional_space import faults as structure_faults
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.fields import Face
from alfine.core.messages import Message, naming
from alfine.core.ranges import Categorical, Continuous, Integer, Range, whole_numbers
from alfine.core.settings import (
    FORBID,
    REPEATS,
    REQUIRES,
    SETTINGS,
    START_WITH,
    TAG_PREFIX,
    is_number,
    kept_for_repeats,
    text_of,
)
from alfine.core.space import ParameterSpace
from alfine.core.spec import (
    CHECKPOINTS,
    CONFIG,
    DEFINITION,
    DEFINITIONS,
    EARLY_STOPPING_TYPES,
    EPOCH_NAMES,
    GOALS,
    IDENTICAL,
    MAX_TRAINING_JOBS,
    OBJECTIVE,
    OBJECTIVE_HYPERPARAMETER,
    OF_SEVERAL,
    PARENTS,
    RANGES,
    TRANSFER,
    Definition,
    MetricDefinition,
    Request,
    TuningJobSpec,
    strategies,
)

MAX_TUNABLE = 30
MAX_HYPERPARAMETERS = 100
MAX_RESOURCE = 20_000
MAX_ENVIRONMENT = 48
MOST_EXPLAINED = 3  # integer ranges of which an error says how they were understood

# AMT's own sentences, which AWS clients get.
TOO_FEW_COMBINATIONS = (
    "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter combinations for the provided "
    "ranges [{}] must be equal or greater than the value of MaxNumberOfJobs, [{}]. Provide additional ranges."
)
MAX_RESOURCE_MISSING = "MaxResource parameter is not provided and could not be inferred from provided static hyperparameters of TrainingJobDefinition."
NAME_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}")
DEFINITION_NAME_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}")
MAX_DEFINITIONS = 10


def read_spec(request: Request) -> TuningJobSpec:
    """Raise InvalidSpec with every fault and its path when the request can't be understood."""
    reader = RequestReader(request)
    spec = reader.read()
    if reader.faults or spec is None:
        raise InvalidSpec(reader.faults)
    return spec


class RequestReader:
    """Reads one request and collects what is wrong with it. `definition` and `path` are of the definition that is read just now."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.faults: list[Fault] = []
        self.config: Mapping[str, Any] = request.get(CONFIG) or {}
        self.several = DEFINITIONS in request
        self.definition: Mapping[str, Any] = {}
        self.path = DEFINITION
        self.alone = "TrainingJobName" in request

    def fault(self, path: str, message: str) -> None:
        fault = Fault(path, message)
        if fault not in self.faults:  # what several definitions share is read with each
            self.faults.append(fault)

    def read(self) -> TuningJobSpec | None:
        if not self._forms():
            return None
        settings = self._settings()
        strategy = self._choice(self.config, "Strategy", strategies(), None, f"{CONFIG}.Strategy")
        limits = self._limits()
        target, patience, convergence = self._criteria()
        self._room_for_repeats(settings, limits[0])
        early_stopping = self._early_stopping(strategy)
        warm_start, parents = self._warm_start()
        parts = [self._part(strategy, settings) for _ in self._definitions()]
        self._all_used(parts, settings)
        self._size(strategy, [part["space"] for part in parts], limits[0], settings)
        self._environment([part["definition"] for part in parts])
        wanted = {"TargetObjectiveMetricValue": target, "BestObjectiveNotImproving": patience}
        self._one_objective(
            parts, [*(k for k, v in wanted.items() if v is not None), *["ConvergenceDetected"] * convergence]
        )
        if self.faults:
            return None
        name = str(self.request["HyperParameterTuningJobName"])
        seed = self.config.get("RandomSeed")
        # Without a seed the name decides: the same job gives the same suggestions, another name gives others.
        seed = int(seed) if seed is not None else zlib.crc32(name.encode())
        common: dict[str, Any] = {
            "request": self.request,
            "name": name,
            "strategy": strategy,
            "max_parallel": limits[1],
            "max_runtime_seconds": limits[2],
            "target": target,
            "max_not_improving": patience,
            "detect_convergence": convergence,
            "early_stopping": early_stopping,
            "warm_start": warm_start,
            "parents": parents,
            "settings": settings,
        }
        if not self.several:
            return TuningJobSpec(**common, **parts[0], max_training_jobs=limits[0], seed=seed)
        share = None if limits[0] is None else -(-limits[0] // len(parts))
        specs = {
            str(part["definition"].name): TuningJobSpec(
                **common, **part, max_training_jobs=share, seed=seed ^ zlib.crc32(str(part["definition"].name).encode())
            )
            for part in parts
        }
        first: dict[str, Any] = {**parts[0], "space": ParameterSpace({})}
        return TuningJobSpec(**common, **first, max_training_jobs=limits[0], seed=seed, parts=specs)

    def _definitions(self) -> Iterator[None]:
        """Look at one definition after the other."""
        if not self.several:
            self.definition, self.path = self.request.get(DEFINITION) or {}, DEFINITION
            yield
            return
        for index, definition in enumerate(self.request[DEFINITIONS]):
            self.definition, self.path = definition, f"{DEFINITIONS}[{index}]"
            yield

    def _part(self, strategy: str, settings: Mapping[str, str]) -> dict[str, Any]:
        """What belongs to one definition."""
        space = self._space(settings)
        goal, metric = self._objective()
        definition = self._definition(metric)
        self._names_differ(space, definition.static_hyperparameters)
        self._grid(strategy, space)
        least, most = self._hyperband(strategy, definition.static_hyperparameters)
        return {
            "space": space,
            "goal": goal,
            "metric": metric,
            "definition": definition,
            "min_resource": least,
            "max_resource": most,
            "start_with": tuple(self._start_with(space, settings)),
            "path": self.path,
        }

    # -- the parts of a request, in AMT's order ------------------------------------------------------------------

    def _forms(self) -> bool:
        name = self.request.get("HyperParameterTuningJobName")
        if not self.alone and (not isinstance(name, str) or not NAME_PATTERN.fullmatch(name)):
            self.fault(
                "HyperParameterTuningJobName",
                f"{name!r} isn't a name. Use 1 to 32 letters, digits and hyphens, beginning and ending with no hyphen.",
            )
        single = DEFINITION in self.request
        if single == self.several:
            self.fault(DEFINITION, "give either TrainingJobDefinition or TrainingJobDefinitions, one of the two.")
        elif self.several:
            self._several_forms(self.request[DEFINITIONS])
        elif unfit := [key for key in OF_SEVERAL if _given(self.request[DEFINITION].get(key))]:
            for key in unfit:
                self.fault(f"{DEFINITION}.{key}", f"is for {DEFINITIONS}. With one definition it stands in {CONFIG}.")
        if "Autotune" in self.request:
            self._choice(self.request["Autotune"] or {}, "Mode", ("Enabled",), None, "Autotune.Mode")
        if not self.config:
            self.fault(CONFIG, "is missing.")
        return single != self.several and bool(self.config) and bool(self.request.get(DEFINITIONS, True))

    def _several_forms(self, definitions: Sequence[Mapping[str, Any]]) -> None:
        if not 1 <= len(definitions) <= MAX_DEFINITIONS:
            self.fault(DEFINITIONS, f"{len(definitions)} definitions; use 1 to {MAX_DEFINITIONS}.")
        names: set[str] = set()
        for index, definition in enumerate(definitions):
            path, name = f"{DEFINITIONS}[{index}].DefinitionName", definition.get("DefinitionName")
            if not isinstance(name, str) or not DEFINITION_NAME_PATTERN.fullmatch(name):
                self.fault(
                    path,
                    f"{name!r} isn't a name, and each of several definitions needs one. Use 1 to 64 letters, digits and "
                    "hyphens, beginning and ending with no hyphen.",
                )
            elif name in names:
                self.fault(path, f"two definitions are called {name!r}. Their names must differ.")
            names.add(str(name))
        ranges = self.config.get(RANGES) or {}
        if any(ranges.values()):
            self.fault(
                f"{CONFIG}.{RANGES}", f"isn't allowed with {DEFINITIONS}: each has its own HyperParameterRanges."
            )
        if self.config.get(OBJECTIVE):
            self.fault(f"{CONFIG}.{OBJECTIVE}", f"isn't allowed with {DEFINITIONS}: each has its own TuningObjective.")

    def _settings(self) -> dict[str, str]:
        tags = {str(tag.get("Key")): str(tag.get("Value", "")) for tag in self.request.get("Tags") or []}
        settings = {key.removeprefix(TAG_PREFIX): value for key, value in tags.items() if key.startswith(TAG_PREFIX)}
        for name, (good, wanted) in SETTINGS.items():
            if name in settings and not good(settings[name]):
                self.fault(f"Tags.{TAG_PREFIX}{name}", f"{settings[name]!r} {wanted}")
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
        if seconds is not None and not is_number(seconds, lambda x: x > 0):
            self.fault(f"{path}.MaxRuntimeInSeconds", f"{seconds!r} must be a number of seconds above 0.")
            seconds = None
        return jobs, parallel or 1, None if seconds is None else float(seconds)

    def _objective(self) -> tuple[str, str]:
        if self.alone:
            return GOALS[0], ""
        if self.several:
            path, objective = f"{self.path}.TuningObjective", self.definition.get("TuningObjective") or {}
        else:
            path, objective = f"{CONFIG}.{OBJECTIVE}", self.config.get(OBJECTIVE) or {}
        goal = self._choice(objective, "Type", GOALS, None, f"{path}.Type")
        metric = objective.get("MetricName")
        if not isinstance(metric, str) or not metric:
            self.fault(f"{path}.MetricName", "is missing. Name the metric that the tuning job improves.")
        return goal, str(metric)

    @property
    def _ranges_path(self) -> str:
        return f"{self.path}.HyperParameterRanges" if self.several else f"{CONFIG}.{RANGES}"

    def _space(self, settings: Mapping[str, str]) -> ParameterSpace:
        path = self._ranges_path
        lists = (self.definition.get("HyperParameterRanges") if self.several else self.config.get(RANGES)) or {}
        if lists.get("AutoParameters"):
            self.fault(f"{path}.AutoParameters", "needs Autotune with Mode Enabled, which chooses their ranges.")
        ranges: dict[str, Range] = {}
        before = len(self.faults)
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
        return self._structured(ranges, settings, sound=len(self.faults) == before)

    def _structured(self, ranges: Mapping[str, Range], settings: Mapping[str, str], *, sound: bool) -> ParameterSpace:
        """The space of these ranges with the conditions and constraints of the settings. sound: the ranges have no faults."""
        plain, requires = ParameterSpace(ranges), dict[str, list[conditions.Combination]]()
        paths = {each: f"Tags.{TAG_PREFIX}{each}" for each in (REQUIRES, FORBID)}
        for entry in self._entries(REQUIRES, settings):
            if self.several and not _about(entry, plain):
                continue
            if entry.subject is None:
                message = f"«{conditions.words(entry.clauses)}» must say of what it's a condition, as «momentum if …»."
                self.fault(paths[REQUIRES], message)
            elif entry.subject in ranges:
                requires.setdefault(entry.subject, []).append(entry.clauses)
            else:
                known = ", ".join(ranges)
                message = f"there is no hyperparameter {entry.subject!r} with a range. Known: {known}."
                self.fault(paths[REQUIRES], message)
        forbidden = []
        for entry in self._entries(FORBID, settings):
            if entry.subject is not None:
                self.fault(paths[FORBID], naming("«{} if …» is a condition: it belongs in {requires}.", entry.subject))
            elif not self.several or _about(entry, plain):
                forbidden.append(entry.clauses)
        whole = {name: each.requiring(tuple(requires.get(name, ()))) for name, each in ranges.items()}
        found = [*structure_faults(whole, forbidden, *paths.values())] if sound and (requires or forbidden) else []
        for fault in found:
            self.fault(fault.path, fault.message)
        return plain if found or not sound else ParameterSpace(whole, tuple(forbidden))

    def _entries(self, setting: str, settings: Mapping[str, str]) -> list[conditions.Entry]:
        """What a setting in the words of core/conditions.py says; of several definitions what is about this one."""
        text = text_of(settings, setting)
        if text is None:
            return []
        try:
            return conditions.read(text)
        except InvalidSpec as error:
            for fault in error.faults:
                self.fault(f"Tags.{TAG_PREFIX}{setting}", fault.message)
            return []

    def _start_with(self, space: ParameterSpace, settings: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
        of_the_space = (self._ranges_path, *(f"Tags.{TAG_PREFIX}{each}" for each in (REQUIRES, FORBID)))
        if any(fault.path.startswith(of_the_space) for fault in self.faults):
            return  # a space that isn't known says nothing of configurations
        for entry in self._entries(START_WITH, settings):
            if self.several and not _whole(entry, space):
                continue
            texts = {clause.name: clause.values[0] for clause in entry.clauses}
            odd = [each for each in entry.clauses if each.operator != "is" or len(each.values) > 1]
            if odd or entry.subject or len(texts) < len(entry.clauses):
                message = (
                    f"«{conditions.words(entry.clauses)}» must give each hyperparameter one value, as «eta = 0.3»."
                )
                self.fault(f"Tags.{TAG_PREFIX}{START_WITH}", message)
                continue
            try:
                space.check(_native(space, texts))
                yield texts
            except InvalidSpec as error:
                for fault in error.faults:
                    of = f" ({fault.path})" if fault.path else ""
                    self.fault(f"Tags.{TAG_PREFIX}{START_WITH}{of}", fault.message)

    def _all_used(self, parts: Sequence[Mapping[str, Any]], settings: Mapping[str, str]) -> None:
        """With several definitions an entry holds for those that have its hyperparameters: one at least must."""
        for setting in (REQUIRES, FORBID, START_WITH):
            fits = _whole if setting == START_WITH else _about
            for entry in self._entries(setting, settings) if self.several else ():
                if not any(fits(entry, part["space"]) for part in parts):
                    said = conditions.words(entry.clauses)
                    message = (
                        f"«{said}» is a whole configuration of no definition: each hyperparameter needs a value."
                        if setting == START_WITH and any(_about(entry, part["space"]) for part in parts)
                        else f"no definition has all hyperparameters of «{said}»."
                    )
                    self.fault(f"Tags.{TAG_PREFIX}{setting}", message)

    def _definition(self, metric: str) -> Definition:
        path, definition = self.path, self.definition
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
            entrypoint=tuple(map(str, algorithm.get("ContainerEntrypoint") or ())),
            arguments=tuple(map(str, algorithm.get("ContainerArguments") or ())),
            retries=int((definition.get("RetryStrategy") or {}).get("MaximumRetryAttempts", 0)),
            checkpoint_uri=str((definition.get("CheckpointConfig") or {}).get("S3Uri", "")),
            checkpoint_path=str((definition.get("CheckpointConfig") or {}).get("LocalPath", CHECKPOINTS)).rstrip("/"),
        )

    def _metrics(self, entries: Iterable[Mapping[str, Any]], objective: str) -> Iterator[MetricDefinition]:
        path, names = f"{self.path}.AlgorithmSpecification.MetricDefinitions", set()
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
            path, name = f"{self.path}.InputDataConfig[{index}]", entry.get("ChannelName")
            if name in names:
                self.fault(f"{path}.ChannelName", f"there are two channels called {name!r}. Rename one.")
            names.add(name)
            channel, faults = read_channel(entry, default_mode, path)
            self.faults += faults
            if channel is not None:
                yield channel

    def _spot(self, stopping: Mapping[str, Any]) -> None:
        wait, run = stopping.get("MaxWaitTimeInSeconds"), stopping.get("MaxRuntimeInSeconds")
        path = f"{self.path}.StoppingCondition.MaxWaitTimeInSeconds"
        if wait is not None and not self.definition.get("EnableManagedSpotTraining"):
            self.fault(
                path, "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
            )
        elif isinstance(wait, int) and isinstance(run, int) and wait < run:
            self.fault(path, f"{wait} is below MaxRuntimeInSeconds {run}. Raise it.")

    def _resources(self) -> tuple[str, int]:
        path = self.path
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
                    f"{self.path}.StaticHyperParameters.{name}",
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
                    f"{self.path}.StaticHyperParameters.{name}",
                    f"{value!r} must be text, as {json.dumps(json.dumps(value))}.",
                )

    def _grid(self, strategy: str, space: ParameterSpace) -> None:
        numeric = [name for name, r in space.ranges.items() if not isinstance(r, Categorical)]
        if strategy == "Grid" and numeric:
            are = "isn't" if len(numeric) == 1 else "aren't"
            message = "Grid takes categorical ranges only, and {} {}. List the values.{}"
            message = naming(message, ", ".join(numeric), are, _integers([space]))
            self.fault(self._ranges_path, message)

    def _size(
        self, strategy: str, spaces: Sequence[ParameterSpace], max_jobs: int | None, settings: Mapping[str, str]
    ) -> None:
        kept = kept_for_repeats(settings)
        path = DEFINITIONS if self.several else f"{CONFIG}.{RANGES}"
        sizes = [space.size for space in spaces]
        if None in sizes or not all(space.ranges for space in spaces):
            return
        size = sum(each or 0 for each in sizes)
        if strategy == "Grid":
            if size > MAX_TRAINING_JOBS:
                self.fault(path, f"the grid has {size} configurations; at most {MAX_TRAINING_JOBS} are allowed.")
            elif max_jobs is not None and max_jobs != size + kept:
                again = f", with {kept} to run the best again {size + kept}" if kept else ""
                self.fault(
                    f"{CONFIG}.ResourceLimits.MaxNumberOfTrainingJobs",
                    f"{max_jobs} isn't the number of configurations of the grid, {size}{again}. Leave it out or use that.",
                )
        elif max_jobs is not None and size + kept < max_jobs:
            message = naming(
                "there are only {} configurations, and {max_training_jobs} {}{} asks for more. Allow fewer training jobs, or widen the "
                "ranges.{}",
                *(size, max_jobs, f" ({kept} of them to run the best again)" if kept else "", _integers(spaces)),
                instead={Face.AWS: TOO_FEW_COMBINATIONS.format(float(size), max_jobs - kept)},
            )
            self.fault(path, message)

    def _room_for_repeats(self, settings: Mapping[str, str], max_jobs: int | None) -> None:
        kept = kept_for_repeats(settings)
        if kept and max_jobs is not None and max_jobs <= kept:
            self.fault(
                f"Tags.{TAG_PREFIX}{REPEATS}",
                f"{kept} training jobs to run the best again leave none of the {max_jobs} that are allowed for the "
                "search. Allow more, or ask for fewer.",
            )

    def _environment(self, definitions: Sequence[Definition]) -> None:
        """AMT's limit is on all definitions together."""
        count = sum(len(definition.environment) for definition in definitions)
        if count > MAX_ENVIRONMENT and not self.alone:
            path = DEFINITIONS if self.several else f"{DEFINITION}.Environment"
            self.fault(path, naming("{} variables in {environment}; at most {} are allowed.", count, MAX_ENVIRONMENT))

    def _one_objective(self, parts: Sequence[Mapping[str, Any]], criteria: Iterable[str]) -> None:
        """Criteria on the quality of the best need one best: several definitions must then share their objective."""
        objectives = {(part["goal"], part["metric"]) for part in parts}
        listed = ", ".join(sorted(f"{goal} {metric}" for goal, metric in objectives))
        for name in criteria:
            if len(objectives) > 1:
                self.fault(
                    f"{CONFIG}.TuningJobCompletionCriteria.{name}",
                    naming(
                        "needs one objective, and the definitions have {}. Give all of them the same {metric} and {goal}, or leave "
                        "the criterion out.",
                        listed,
                    ),
                )

    def _hyperband(self, strategy: str, static: Mapping[str, str]) -> tuple[int, int | None]:
        path = "HyperParameterTuningJobConfig.StrategyConfig"
        config = self.config.get("StrategyConfig")
        if strategy != "Hyperband":
            if config:
                self.fault(path, naming("is for {strategy} Hyperband, not {}. Leave it out.", strategy))
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
                naming(
                    "is missing: how many values of the metric a training job reports at the most. Give it, or say it in {static} "
                    "as epochs.",
                    instead={Face.AWS: MAX_RESOURCE_MISSING},
                ),
            )
        elif not least <= most <= MAX_RESOURCE:
            self.fault(
                path, naming("needs {min_resource} <= {max_resource} <= {}, not {} and {}.", MAX_RESOURCE, least, most)
            )
        return least, most

    def _early_stopping(self, strategy: str) -> str:
        path = "HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType"
        kind = self._choice(self.config, "TrainingJobEarlyStoppingType", EARLY_STOPPING_TYPES, "Off", path)
        if kind == "Auto" and strategy == "Hyperband":
            self.fault(path, naming("must be Off with {strategy} Hyperband, which stops training jobs itself."))
        if kind == "Auto" and self.several:
            self.fault(path, naming("must be Off with {definitions}."))
        return kind

    def _warm_start(self) -> tuple[str | None, tuple[str, ...]]:
        config = self.request.get("WarmStartConfig")
        if config is None:
            return None, ()
        if self.several:
            self.fault("WarmStartConfig", naming("isn't allowed with {definitions}."))
        kind = self._choice(config, "WarmStartType", (IDENTICAL, TRANSFER), None, "WarmStartConfig.WarmStartType")
        path = f"WarmStartConfig.{PARENTS}"
        parents = tuple(str(each.get("HyperParameterTuningJobName")) for each in config.get(PARENTS) or [])
        if not parents:
            self.fault(path, "is empty. Name the tuning jobs to begin with.")
        for name in dict.fromkeys(name for name in parents if parents.count(name) > 1):
            self.fault(path, f"{name!r} is there more than once. Keep one.")
        return kind, parents

    def _criteria(self) -> tuple[float | None, int | None, bool]:
        path = "HyperParameterTuningJobConfig.TuningJobCompletionCriteria"
        criteria = self.config.get("TuningJobCompletionCriteria") or {}
        target = criteria.get("TargetObjectiveMetricValue")
        if target is not None and not is_number(target, math.isfinite):
            self.fault(f"{path}.TargetObjectiveMetricValue", f"{target!r} must be a finite number.")
            target = None
        plateau = criteria.get("BestObjectiveNotImproving") or {}
        where = f"{path}.BestObjectiveNotImproving"
        patience = self._integer(plateau, "MaxNumberOfTrainingJobsNotImproving", 3, where)
        convergence = criteria.get("ConvergenceDetected") or {}
        where = f"{path}.ConvergenceDetected.CompleteOnConvergence"
        enabled = self._choice(convergence, "CompleteOnConvergence", ("Enabled", "Disabled"), "Disabled", where)
        return None if target is None else float(target), patience, enabled == "Enabled"


def _about(entry: conditions.Entry, space: ParameterSpace) -> bool:
    """Whether the space has every hyperparameter that the entry names."""
    names = [clause.name for clause in entry.clauses] + ([entry.subject] if entry.subject is not None else [])
    return set(names) <= set(space.names)


def _whole(entry: conditions.Entry, space: ParameterSpace) -> bool:
    """Whether it's about the space and leaves out nothing that is always a choice there."""
    named = {clause.name for clause in entry.clauses}
    return _about(entry, space) and all(each.requires or name in named for name, each in space.ranges.items())


def _native(space: ParameterSpace, texts: Mapping[str, str]) -> dict[str, Any]:
    """The values of AMT's strings as far as they can be read; `space.check` names what can't."""

    def read(name: str, text: str) -> Any:
        try:
            return space.ranges[name].from_text(text)
        except (KeyError, ValueError):  # InvalidSpec too
            return text

    return {name: read(name, text) for name, text in texts.items()}


def _integers(spaces: Iterable[ParameterSpace]) -> Message:
    """Return how the integer ranges of spaces were understood, one sentence for each of the smallest."""
    ranges = {name: each for space in spaces for name, each in space.ranges.items() if isinstance(each, Integer)}
    smallest = sorted(ranges, key=lambda name: ranges[name].cells)[:MOST_EXPLAINED]
    hints = [whole_numbers(name, ranges[name]) for name in smallest]
    return naming(" {}" * len(hints), *hints)


def _given(value: Any) -> bool:
    """Whether there is something in it: three empty lists of ranges are nothing."""
    return any(value.values()) if isinstance(value, Mapping) else bool(value)


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
