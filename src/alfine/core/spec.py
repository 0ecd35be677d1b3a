"""The specification of a tuning job: a CreateHyperParameterTuningJob request, understood and checked.

The request is the only spelling of a tuning job: on the wire, in a job file and in the store it's the same JSON. `read_spec`
(core/read_spec.py) makes a specification of it. What AMT has no field for stands in the request's tags (core/settings.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from alfine.core.channels import Channel
from alfine.core.range_protocol import Range
from alfine.core.settings import REPEATS, Repeats, kept_for_repeats, names_in_order
from alfine.core.space import ParameterSpace
from alfine.core.wording import number

Request = Mapping[str, Any]

# The members of a request that several files read.
CONFIG = "HyperParameterTuningJobConfig"
DEFINITION = "TrainingJobDefinition"
DEFINITIONS = "TrainingJobDefinitions"
OBJECTIVE = "HyperParameterTuningJobObjective"
RANGES = "ParameterRanges"
PARENTS = "ParentHyperParameterTuningJobs"
OF_SEVERAL = ("TuningObjective", "HyperParameterRanges")  # in each of several definitions instead of in CONFIG

# What members of a request may be.
STRATEGIES = (
    "Bayesian",
    "Random",
    "Grid",
    "Hyperband",
)  # each a class of that name in strategies/, in the file of that name
GOALS = ("Maximize", "Minimize")
EARLY_STOPPING_TYPES = ("Off", "Auto")
IDENTICAL = "IdenticalDataAndAlgorithm"  # a type of warm start: parents of the same function
TRANSFER = "TransferLearning"  # the other type: parents of related functions
SHARED_CHECKPOINTS = "shared"  # the value of the setting «checkpoints» for which training jobs share a folder

# Names with a meaning.
LOCAL_IMAGE = "alfine/local"  # the image of a script or command that runs on this machine, in no container
FUNCTION = "alfine_function"  # the static hyperparameter that names the Python function to call
OBJECTIVE_HYPERPARAMETER = "_tuning_objective_metric"  # AMT gives it to every training job: the objective metric's name
EPOCH_NAMES = (
    "epochs",
    "numepochs",
    "n-epochs",
    "n_epochs",
    "num_epochs",
)  # static hyperparameters that give MaxResource
SINGLE_JOB_PREFIX = "@"  # begins the name of the tuning job of a training job on its own (core/single_training_job.py)

CHECKPOINTS = "/opt/ml/checkpoints"  # the folder where a training job finds and leaves checkpoints, unless CheckpointConfig has one
MAX_TRAINING_JOBS = 750  # AMT's quota, and the limit of a job without MaxNumberOfTrainingJobs
LARGEST_OBJECTIVE = (
    1e300  # absolute value that objectives are cut to before calculations, so that differences are finite
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDefinition:
    """A metric, and the regular expression whose first group is its value in a line of the log."""

    name: str
    regex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A definition of training jobs: AMT's TrainingJobDefinition."""

    name: str | None  # DefinitionName
    image: str  # TrainingImage or AlgorithmName
    static_hyperparameters: Mapping[str, str]
    metric_definitions: tuple[MetricDefinition, ...]
    channels: tuple[Channel, ...]
    environment: Mapping[str, str]
    max_runtime_seconds: float | None
    output_path: str
    packs_model: bool  # whether the model is uploaded as one model.tar.gz
    instance_type: str
    instance_count: int
    keep_alive_seconds: int | None  # ResourceConfig.KeepAlivePeriodInSeconds
    network: bool  # False with EnableNetworkIsolation
    entrypoint: tuple[str, ...]  # ContainerEntrypoint
    arguments: tuple[str, ...]  # ContainerArguments
    retries: int  # RetryStrategy.MaximumRetryAttempts
    checkpoint_uri: str
    checkpoint_path: str


@dataclass(frozen=True, kw_only=True)
class TuningJobSpec:
    """One tuning job as it was asked for.

    A job with TrainingJobDefinitions has a specification for each definition in `parts`, by DefinitionName: with its own space,
    objective and seed, and an even share of the training jobs. The job's own specification then has the fields of the first
    definition, except that its space is empty, since a configuration belongs to a definition.

    Args:
        request: The request that it was read from.
        name: The tuning job's name.
        strategy: The name of the search strategy.
        goal: «Maximize» or «Minimize».
        metric: The name of the objective metric.
        space: The hyperparameters that are tuned, with their ranges.
        definition: What the training jobs run.
        max_parallel: The largest number of training jobs at the same time.
        max_training_jobs: The largest number of training jobs; None where the request has no limit.
        max_runtime_seconds: The seconds after its creation at which the tuning job ends; None: never.
        target: TargetObjectiveMetricValue.
        max_not_improving: MaxNumberOfTrainingJobsNotImproving.
        detect_convergence: Whether CompleteOnConvergence is Enabled.
        early_stopping: TrainingJobEarlyStoppingType, «Off» or «Auto».
        min_resource: Hyperband's smallest number of reports before a training job may be stopped.
        max_resource: Hyperband's largest number of reports; None for other strategies.
        seed: The seed of all randomness of the search.
        settings: Alfine's settings, by name, from the tags.
        warm_start: IDENTICAL, TRANSFER or None.
        parents: The names of the tuning jobs of the warm start.
        start_with: Configurations to try first, in AMT's strings.
        parts: The specification for each of several definitions, by name; empty for a job with one definition.
        path: The path of the definition in the request.
        exhaustive: Whether the search space is all that there is to try: a finite one then runs out.
    """

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
    detect_convergence: bool
    early_stopping: str = "Off"
    min_resource: int
    max_resource: int | None = None
    seed: int
    settings: Mapping[str, str] = field(default_factory=dict)
    warm_start: str | None = None
    parents: tuple[str, ...] = ()
    start_with: tuple[Mapping[str, str], ...] = ()
    parts: Mapping[str, TuningJobSpec] = field(default_factory=dict, repr=False)
    path: str = DEFINITION
    exhaustive: bool = True

    @property
    def names_in_order(self) -> tuple[str, ...]:
        """The names of the hyperparameters, of all definitions, in the order in which people gave them; for tables and figures."""
        known = [name for part in self.definition_specs for name in part.space.names]
        return tuple(names_in_order(self.settings, known))

    def of(self, definition: str | None) -> TuningJobSpec:
        """Return the specification for one of several definitions; the job's own where it has one definition.

        Args:
            definition: The name of the definition; None: the only one.
        """
        return self.parts.get(definition or "", self)

    def texts(self, definition: str | None, hyperparameters: Mapping[str, Any]) -> dict[str, str]:
        """Return a configuration of a definition in AMT's strings."""
        return self.of(definition).space.to_text(hyperparameters)

    @property
    def definition_specs(self) -> tuple[TuningJobSpec, ...]:
        """The specification for each definition, in the order of the request; the job's own where it has one definition."""
        return tuple(self.parts.values()) or (self,)

    @property
    def ranked(self) -> str | None:
        """The name of the definition whose results are compared to find the best; None: those of all definitions are.

        Definitions with different objectives can't be compared: then only results of the first definition count.
        """
        same = len({(part.goal, part.metric) for part in self.definition_specs}) == 1
        return None if same else self.definition.name

    @property
    def size(self) -> int | None:
        """The number of configurations of all definitions that can run out; None when they can't, being infinitely many or not exhaustive."""
        return self.distinct if self.exhaustive else None

    @property
    def distinct(self) -> int | None:
        """The number of distinct configurations of all definitions; None when they are infinitely many."""
        sizes = [size for part in self.definition_specs if (size := part.space.size) is not None]
        return sum(sizes) if len(sizes) == len(self.definition_specs) else None

    @property
    def single_training_job(self) -> str | None:
        """The name of the training job, where this is the tuning job of a training job on its own (core/single_training_job.py)."""
        return self.request.get("TrainingJobName")

    @property
    def sign(self) -> float:
        """+1 to minimise, -1 to maximise: of sign * objective the smaller is the better one."""
        return 1.0 if self.goal == "Minimize" else -1.0

    def minimised(self, objective: float) -> float:
        """Return sign * objective, cut to LARGEST_OBJECTIVE, for calculations: the difference of two is finite.

        Args:
            objective: A finite objective, as the training job emitted it.
        """
        return self.sign * max(-LARGEST_OBJECTIVE, min(LARGEST_OBJECTIVE, objective))

    def or_better(self, objective: float) -> str:
        """Return «at most 0.12» where the goal is to minimise, «at least 0.12» where it's to maximise."""
        return f"{'at most' if self.goal == 'Minimize' else 'at least'} {number(objective)}"

    @property
    def repeats(self) -> Repeats | None:
        """Return how many of the best configurations are run again, and how often; None where none are."""
        return Repeats.read(self.settings[REPEATS]) if REPEATS in self.settings else None

    @property
    def search_limit(self) -> int | None:
        """The largest number of training jobs of the search, without those that are kept for repeats; None without a limit."""
        if self.max_training_jobs is None:
            return None
        return max(1, self.max_training_jobs - kept_for_repeats(self.settings))

    @property
    def most_training_jobs(self) -> int:
        """The number of training jobs, repeats included, if nothing ends the tuning job earlier."""
        limit = self.max_training_jobs or MAX_TRAINING_JOBS
        return limit if self.size is None else min(limit, self.size + kept_for_repeats(self.settings))

    @property
    def price_per_hour(self) -> float | None:
        """The price of one instance an hour, in US dollars; None where the job has no price."""
        text = self.settings.get("price-per-hour")
        return None if text is None else float(text)


def describe_ranges(spec: TuningJobSpec, describe: Callable[[Range], str | None]) -> dict[str, str]:
    """Return a description of each range, by the hyperparameter's name.

    Args:
        spec: A tuning job's specification.
        describe: Returns the description of a range, or None to leave it out.

    Returns:
        The descriptions by name; where definitions differ about a hyperparameter, by «definition.name».
    """
    by_name: dict[str, dict[str | None, str]] = {}
    for part in spec.definition_specs:
        for name in part.names_in_order:
            range_ = part.space.ranges[name]
            if description := describe(range_):
                by_name.setdefault(name, {})[part.definition.name] = description
    return {
        name if len({*descriptions.values()}) == 1 else f"{definition}.{name}": description
        for name, descriptions in by_name.items()
        for definition, description in descriptions.items()
    }


def definition_of(request: Request, name: str | None) -> Mapping[str, Any]:
    """Return the definition of that name as the request has it; the only one where there is one.

    Args:
        request: The request.
        name: The name of the definition; None: the only one.
    """
    single: Mapping[str, Any] | None = request.get(DEFINITION)
    return single if single is not None else next(d for d in request[DEFINITIONS] if d["DefinitionName"] == name)


def objective_of(request: Request, name: str | None) -> Mapping[str, Any]:
    """Return the objective of the definition of that name as the request has it; empty for a training job on its own."""
    return request[CONFIG].get(OBJECTIVE) or definition_of(request, name).get("TuningObjective") or {}


@cache
def strategies() -> tuple[str, ...]:
    """Return the names of all strategies: AMT's, and those that installed packages add (strategies/__init__.py)."""
    return (*dict.fromkeys((*STRATEGIES, *(point.name for point in entry_points(group="alfine.strategies")))),)


def with_space(spec: TuningJobSpec, ranges: dict[str, Any]) -> TuningJobSpec:
    """Return a specification with the caller's own ranges, whose categories may be of any type, in the order of the request."""
    return replace(spec, space=replace(spec.space, ranges={name: ranges[name] for name in spec.space.names}))
