"""Read a CreateHyperParameterTuningJob request: `read_spec` returns its specification, or names everything that is wrong with it.

The checks are AMT's own (numbered V1 to V21 in tests/core/test_read_spec.py), as far as they concern a job that runs here.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from alfine.core.errors import InvalidSpec
from alfine.core.field import Face
from alfine.core.messages import Message, naming
from alfine.core.range_words import whole_numbers
from alfine.core.ranges import Categorical, Integer
from alfine.core.read_definition import read_definition
from alfine.core.read_hyperband import read_hyperband
from alfine.core.read_space import check_all_used, read_space, read_start_with
from alfine.core.read_values import FaultCollector, shown
from alfine.core.settings import (
    REPEATS,
    SETTINGS,
    TAG_PREFIX,
    is_number,
    kept_for_repeats,
)
from alfine.core.space import ParameterSpace
from alfine.core.spec import (
    CONFIG,
    DEFINITION,
    DEFINITIONS,
    EARLY_STOPPING_TYPES,
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
    Request,
    TuningJobSpec,
    strategies,
)

# AMT's quotas: https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-limits.html and the API reference.
MAX_HYPERPARAMETERS = 100  # tuned and static ones of a definition
MAX_ENVIRONMENT = 48  # environment variables of all definitions
MAX_DEFINITIONS = 10
NAME_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}")
DEFINITION_NAME_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}")

MOST_EXPLAINED = 3  # integer ranges of which an error says how they were understood

# AMT's own sentences, which AWS clients get.
TOO_FEW_COMBINATIONS = (
    "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter combinations for the provided "
    "ranges [{}] must be equal or greater than the value of MaxNumberOfJobs, [{}]. Provide additional ranges."
)


def read_spec(request: Request) -> TuningJobSpec:
    """Return the specification of the tuning job that a request asks for.

    Args:
        request: A CreateHyperParameterTuningJob request, or that of a training job on its own (core/single_training_job.py).

    Raises:
        InvalidSpec: With every fault and its path when the request can't be understood.

    Example:
        >>> read_spec(request).space.names
        ('eta', 'depth')
    """
    reader = RequestReader(request)
    spec = reader.read()
    if spec is None:
        raise InvalidSpec(reader.faults.faults)
    return spec


class RequestReader:
    """Reads one request, once, and collects what is wrong with it in `faults`.

    `definition` and `path` are those of the definition that is being read.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.faults = FaultCollector()
        self.config: Mapping[str, Any] = request.get(CONFIG) or {}
        self.several = DEFINITIONS in request
        self.definition: Mapping[str, Any] = {}
        self.path = DEFINITION
        self.alone = "TrainingJobName" in request

    def read(self) -> TuningJobSpec | None:
        """Return the specification, or None where there are faults."""
        if not self._forms():
            return None
        settings = self._settings()
        strategy = self.faults.choice(self.config, "Strategy", strategies(), f"{CONFIG}.Strategy")
        max_training_jobs, max_parallel, max_runtime_seconds = self._limits()
        target, patience, convergence = self._criteria()
        self._room_for_repeats(settings, max_training_jobs)
        early_stopping = self._early_stopping(strategy)
        warm_start, parents = self._warm_start()
        parts = [self._part(strategy, settings) for _ in self._definitions()]
        if self.several:
            check_all_used([part["space"] for part in parts], settings, self.faults)
        self._size(strategy, [part["space"] for part in parts], max_training_jobs, settings)
        self._environment([part["definition"] for part in parts])
        criteria = {
            "TargetObjectiveMetricValue": target is not None,
            "BestObjectiveNotImproving": patience is not None,
            "ConvergenceDetected": convergence,
        }
        self._one_objective(parts, [name for name, asked_for in criteria.items() if asked_for])
        if self.faults.faults:
            return None
        common = {
            "request": self.request,
            "name": str(self.request["HyperParameterTuningJobName"]),
            "strategy": strategy,
            "max_parallel": max_parallel,
            "max_runtime_seconds": max_runtime_seconds,
            "target": target,
            "max_not_improving": patience,
            "detect_convergence": convergence,
            "early_stopping": early_stopping,
            "warm_start": warm_start,
            "parents": parents,
            "settings": settings,
        }
        return self._spec(common, parts, max_training_jobs)

    def _spec(
        self, common: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], max_training_jobs: int | None
    ) -> TuningJobSpec:
        """Return the specification of a request without faults.

        common: the fields that all definitions share. parts: the other fields, for each definition.
        """
        seed = self.config.get("RandomSeed")
        # Without a seed the name decides: the same job gives the same suggestions, another name gives others.
        seed = int(seed) if seed is not None else zlib.crc32(common["name"].encode())
        if not self.several:
            return TuningJobSpec(**common, **parts[0], max_training_jobs=max_training_jobs, seed=seed)
        share = None if max_training_jobs is None else -(-max_training_jobs // len(parts))
        specs = {}
        for part in parts:
            name = str(part["definition"].name)
            own_seed = seed ^ zlib.crc32(name.encode())
            specs[name] = TuningJobSpec(**common, **part, max_training_jobs=share, seed=own_seed)
        first = {**parts[0], "space": ParameterSpace({})}
        return TuningJobSpec(**common, **first, max_training_jobs=max_training_jobs, seed=seed, parts=specs)

    def _definitions(self) -> Iterator[None]:
        """Make one definition after the other the one that is being read."""
        if not self.several:
            self.definition, self.path = self.request.get(DEFINITION) or {}, DEFINITION
            yield
            return
        for index, definition in enumerate(self.request[DEFINITIONS]):
            self.definition, self.path = definition, f"{DEFINITIONS}[{index}]"
            yield

    def _part(self, strategy: str, settings: Mapping[str, str]) -> dict[str, Any]:
        """Return the fields of the specification that belong to one definition."""
        lists = (self.definition.get("HyperParameterRanges") if self.several else self.config.get(RANGES)) or {}
        space = read_space(
            lists, self._ranges_path, settings, self.faults, several=self.several, required=not self.alone
        )
        goal, metric = self._objective()
        definition = read_definition(self.definition, self.path, None if self.alone else metric, self.faults)
        self._names_differ(space, definition.static_hyperparameters)
        self._grid(strategy, space)
        least, most = read_hyperband(self.config, strategy, definition.static_hyperparameters, self.faults)
        return {
            "space": space,
            "goal": goal,
            "metric": metric,
            "definition": definition,
            "min_resource": least,
            "max_resource": most,
            "start_with": tuple(read_start_with(space, self._ranges_path, settings, self.faults, several=self.several)),
            "path": self.path,
        }

    # -- the parts of a request, in AMT's order ------------------------------------------------------------------

    def _forms(self) -> bool:
        name = self.request.get("HyperParameterTuningJobName")
        if not self.alone and (not isinstance(name, str) or not NAME_PATTERN.fullmatch(name)):
            self.faults.add(
                "HyperParameterTuningJobName",
                f"{shown(name)} isn't a name. Use 1 to 32 letters, digits and hyphens, beginning and ending with no hyphen.",
            )
        single = DEFINITION in self.request
        if single == self.several:
            self.faults.add(DEFINITION, "give either TrainingJobDefinition or TrainingJobDefinitions, one of the two.")
        elif self.several:
            self._several_forms(self.request[DEFINITIONS])
        elif unfit := [key for key in OF_SEVERAL if _given(self.request[DEFINITION].get(key))]:
            for key in unfit:
                self.faults.add(
                    f"{DEFINITION}.{key}", f"is for {DEFINITIONS}. With one definition it stands in {CONFIG}."
                )
        if "Autotune" in self.request:
            self.faults.choice(self.request["Autotune"] or {}, "Mode", ("Enabled",), "Autotune.Mode")
        if not self.config:
            self.faults.add(CONFIG, "is missing.")
        return single != self.several and bool(self.config) and bool(self.request.get(DEFINITIONS, True))

    def _several_forms(self, definitions: Sequence[Mapping[str, Any]]) -> None:
        if not 1 <= len(definitions) <= MAX_DEFINITIONS:
            self.faults.add(DEFINITIONS, f"{len(definitions)} definitions; use 1 to {MAX_DEFINITIONS}.")
        names: set[str] = set()
        for index, definition in enumerate(definitions):
            path, name = f"{DEFINITIONS}[{index}].DefinitionName", definition.get("DefinitionName")
            if not isinstance(name, str) or not DEFINITION_NAME_PATTERN.fullmatch(name):
                self.faults.add(
                    path,
                    f"{name!r} isn't a name, and each of several definitions needs one. Use 1 to 64 letters, digits and "
                    "hyphens, beginning and ending with no hyphen.",
                )
            elif name in names:
                self.faults.add(path, f"two definitions are called {name!r}. Their names must differ.")
            names.add(str(name))
        ranges = self.config.get(RANGES) or {}
        if any(ranges.values()):
            self.faults.add(
                f"{CONFIG}.{RANGES}", f"isn't allowed with {DEFINITIONS}: each has its own HyperParameterRanges."
            )
        if self.config.get(OBJECTIVE):
            self.faults.add(
                f"{CONFIG}.{OBJECTIVE}", f"isn't allowed with {DEFINITIONS}: each has its own TuningObjective."
            )

    def _settings(self) -> dict[str, str]:
        tags = {str(tag.get("Key")): str(tag.get("Value", "")) for tag in self.request.get("Tags") or []}
        settings = {key.removeprefix(TAG_PREFIX): value for key, value in tags.items() if key.startswith(TAG_PREFIX)}
        for name, (good, wanted) in SETTINGS.items():
            if name in settings and not good(settings[name]):
                self.faults.add(f"Tags.{TAG_PREFIX}{name}", f"{settings[name]!r} {wanted}")
        return settings

    def _limits(self) -> tuple[int | None, int, float | None]:
        path = "HyperParameterTuningJobConfig.ResourceLimits"
        limits = self.config.get("ResourceLimits") or {}
        jobs = self.faults.whole_number(limits, "MaxNumberOfTrainingJobs", 1, path)
        parallel = self.faults.whole_number(limits, "MaxParallelTrainingJobs", 1, path, required=True)
        seconds = limits.get("MaxRuntimeInSeconds")
        if seconds is not None and not is_number(seconds, lambda x: 0 < x < math.inf):
            self.faults.add(f"{path}.MaxRuntimeInSeconds", f"{shown(seconds)} must be a number of seconds above 0.")
            seconds = None
        return jobs, parallel or 1, None if seconds is None else float(seconds)

    def _objective(self) -> tuple[str, str]:
        if self.alone:
            return GOALS[0], ""
        if self.several:
            path, objective = f"{self.path}.TuningObjective", self.definition.get("TuningObjective") or {}
        else:
            path, objective = f"{CONFIG}.{OBJECTIVE}", self.config.get(OBJECTIVE) or {}
        goal = self.faults.choice(objective, "Type", GOALS, f"{path}.Type")
        metric = objective.get("MetricName")
        if not isinstance(metric, str) or not metric:
            self.faults.add(f"{path}.MetricName", "is missing. Name the metric that the tuning job improves.")
        return goal, str(metric)

    @property
    def _ranges_path(self) -> str:
        return f"{self.path}.HyperParameterRanges" if self.several else f"{CONFIG}.{RANGES}"

    # -- checks of several parts together -------------------------------------------------------------------------

    def _names_differ(self, space: ParameterSpace, static: Mapping[str, str]) -> None:
        for name in space.names:
            if name in static:
                self.faults.add(
                    f"{self.path}.StaticHyperParameters.{name}",
                    "this hyperparameter also has a range. It's either static or tuned: remove one.",
                )
        total = len(set(space.names) | set(static) | ({OBJECTIVE_HYPERPARAMETER} if not self.alone else set()))
        if total > MAX_HYPERPARAMETERS:
            self.faults.add(
                "",
                f"{total} hyperparameters (tuned, static and {OBJECTIVE_HYPERPARAMETER}); at most {MAX_HYPERPARAMETERS}.",
            )
        for name, value in static.items():
            if not isinstance(value, str):
                self.faults.add(
                    f"{self.path}.StaticHyperParameters.{name}",
                    f"{value!r} must be text, as {json.dumps(json.dumps(value))}.",
                )

    def _grid(self, strategy: str, space: ParameterSpace) -> None:
        numeric = [name for name, r in space.ranges.items() if not isinstance(r, Categorical)]
        if strategy == "Grid" and numeric:
            are = "isn't" if len(numeric) == 1 else "aren't"
            message = "Grid takes categorical ranges only, and {} {}. List the values.{}"
            message = naming(message, ", ".join(numeric), are, _integers([space]))
            self.faults.add(self._ranges_path, message)

    def _size(
        self, strategy: str, spaces: Sequence[ParameterSpace], max_jobs: int | None, settings: Mapping[str, str]
    ) -> None:
        kept = kept_for_repeats(settings)
        path = DEFINITIONS if self.several else f"{CONFIG}.{RANGES}"
        wrong = any(True for space in spaces for range_ in space.ranges.values() for _ in range_.faults(""))
        sizes = [] if wrong else [size for space in spaces if space.ranges and (size := space.size) is not None]
        if len(sizes) < len(spaces):
            return
        size = sum(sizes)
        if strategy == "Grid":
            if size > MAX_TRAINING_JOBS:
                self.faults.add(path, f"the grid has {size} configurations; at most {MAX_TRAINING_JOBS} are allowed.")
            elif max_jobs is not None and max_jobs != size + kept:
                again = f", with {kept} to run the best again {size + kept}" if kept else ""
                self.faults.add(
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
            self.faults.add(path, message)

    def _room_for_repeats(self, settings: Mapping[str, str], max_jobs: int | None) -> None:
        kept = kept_for_repeats(settings)
        if max_jobs is not None and max_jobs <= kept:
            self.faults.add(
                f"Tags.{TAG_PREFIX}{REPEATS}",
                f"{kept} training jobs to run the best again leave none of the {max_jobs} that are allowed for the "
                "search. Allow more, or ask for fewer.",
            )

    def _environment(self, definitions: Sequence[Definition]) -> None:
        """Check the number of environment variables, AMT's quota for all definitions together."""
        count = sum(len(definition.environment) for definition in definitions)
        if count > MAX_ENVIRONMENT and not self.alone:
            path = DEFINITIONS if self.several else f"{DEFINITION}.Environment"
            self.faults.add(
                path, naming("{} variables in {environment}; at most {} are allowed.", count, MAX_ENVIRONMENT)
            )

    def _one_objective(self, parts: Sequence[Mapping[str, Any]], criteria: Iterable[str]) -> None:
        """Check that definitions share their objective where a criterion compares the results of all."""
        objectives = {(part["goal"], part["metric"]) for part in parts}
        listed = ", ".join(sorted(f"{goal} {metric}" for goal, metric in objectives))
        for name in criteria:
            if len(objectives) > 1:
                self.faults.add(
                    f"{CONFIG}.TuningJobCompletionCriteria.{name}",
                    naming(
                        "needs one objective, and the definitions have {}. Give all of them the same {metric} and {goal}, or leave "
                        "the criterion out.",
                        listed,
                    ),
                )

    def _early_stopping(self, strategy: str) -> str:
        path = "HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType"
        kind = self.faults.choice(self.config, "TrainingJobEarlyStoppingType", EARLY_STOPPING_TYPES, path, "Off")
        if kind == "Auto" and strategy == "Hyperband":
            self.faults.add(path, naming("must be Off with {strategy} Hyperband, which stops training jobs itself."))
        if kind == "Auto" and self.several:
            self.faults.add(path, naming("must be Off with {definitions}."))
        return kind

    def _warm_start(self) -> tuple[str | None, tuple[str, ...]]:
        config = self.request.get("WarmStartConfig")
        if config is None:
            return None, ()
        if self.several:
            self.faults.add("WarmStartConfig", naming("isn't allowed with {definitions}."))
        kind = self.faults.choice(config, "WarmStartType", (IDENTICAL, TRANSFER), "WarmStartConfig.WarmStartType")
        path = f"WarmStartConfig.{PARENTS}"
        parents = tuple(str(parent.get("HyperParameterTuningJobName")) for parent in config.get(PARENTS) or [])
        if not parents:
            self.faults.add(path, "is empty. Name the tuning jobs to begin with.")
        for name in dict.fromkeys(name for name in parents if parents.count(name) > 1):
            self.faults.add(path, f"{name!r} is there more than once. Keep one.")
        return kind, parents

    def _criteria(self) -> tuple[float | None, int | None, bool]:
        path = "HyperParameterTuningJobConfig.TuningJobCompletionCriteria"
        criteria = self.config.get("TuningJobCompletionCriteria") or {}
        target = criteria.get("TargetObjectiveMetricValue")
        if target is not None and not is_number(target, math.isfinite):
            self.faults.add(f"{path}.TargetObjectiveMetricValue", f"{target!r} must be a finite number.")
            target = None
        plateau = criteria.get("BestObjectiveNotImproving") or {}
        where = f"{path}.BestObjectiveNotImproving"
        patience = self.faults.whole_number(plateau, "MaxNumberOfTrainingJobsNotImproving", 3, where)
        convergence = criteria.get("ConvergenceDetected") or {}
        where = f"{path}.ConvergenceDetected.CompleteOnConvergence"
        enabled = self.faults.choice(convergence, "CompleteOnConvergence", ("Enabled", "Disabled"), where, "Disabled")
        return None if target is None else float(target), patience, enabled == "Enabled"


def _integers(spaces: Iterable[ParameterSpace]) -> Message:
    """Say how the integer ranges of spaces were understood, one sentence for each of the smallest."""
    ranges = {name: range_ for space in spaces for name, range_ in space.ranges.items() if isinstance(range_, Integer)}
    smallest = sorted(ranges, key=lambda name: ranges[name].cells)[:MOST_EXPLAINED]
    hints = [whole_numbers(name, ranges[name]) for name in smallest]
    return naming(" {}" * len(hints), *hints)


def _given(value: Any) -> bool:
    """Return whether a part of a request has a value: a mapping of empty lists has none."""
    return any(value.values()) if isinstance(value, Mapping) else bool(value)
