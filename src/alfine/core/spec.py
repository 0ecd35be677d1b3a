"""TuningJobSpec: a CreateHyperParameterTuningJob request, understood and checked.

The request is the only spelling of a tuning job: on the wire, in a job file and in the store it's the same JSON.
`read_spec` reads it once and names every fault at once (rules V1–V21 of AMT, those that concern a job
that runs here). What AMT has no field for travels in tags (core/settings.py), kept in `settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from alfine.core.channels import Channel
from alfine.core.ranges import Range
from alfine.core.settings import REPEATS, Repeats, kept_for_repeats
from alfine.core.space import ParameterSpace

Request = Mapping[str, Any]

STRATEGIES = ("Bayesian", "Random", "Grid", "Hyperband")
GOALS = ("Maximize", "Minimize")
EARLY_STOPPING_TYPES = ("Off", "Auto")
IDENTICAL, TRANSFER = "IdenticalDataAndAlgorithm", "TransferLearning"  # kinds of warm start
CHECKPOINTS = "/opt/ml/checkpoints"  # where training finds and leaves them, unless CheckpointConfig says otherwise
SHARED = "shared"  # what the tag alfine:checkpoints may say of them
OBJECTIVE_HYPERPARAMETER = "_tuning_objective_metric"  # AMT gives it to every training job
LOCAL_IMAGE = "alfine/local"  # of a script or command that expects this machine, not a container
FUNCTION = "alfine_function"  # the static hyperparameter that names the Python function to call
MAX_TRAINING_JOBS = 750  # AMT's quota, and the limit of a job that names no other
LARGEST = 1e300  # of an objective that is calculated with
EPOCH_NAMES = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
ALONE = "@"  # begins the name of a tuning job that stands for a training job on its own (core/single_training_job.py)
CONFIG, DEFINITION, DEFINITIONS = "HyperParameterTuningJobConfig", "TrainingJobDefinition", "TrainingJobDefinitions"
PARENTS = "ParentHyperParameterTuningJobs"
OF_SEVERAL = ("TuningObjective", "HyperParameterRanges")  # in a definition, where there are several
OBJECTIVE, RANGES = "HyperParameterTuningJobObjective", "ParameterRanges"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDefinition:
    """A metric and the regular expression whose first group reads it from a line of the log."""

    name: str
    regex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What the training jobs run: AMT's TrainingJobDefinition."""

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
    entrypoint: tuple[str, ...] = ()  # of a container, and its arguments
    arguments: tuple[str, ...] = ()
    retries: int = 0  # RetryStrategy.MaximumRetryAttempts
    checkpoint_uri: str = ""
    checkpoint_path: str = CHECKPOINTS


@dataclass(frozen=True, kw_only=True)
class TuningJobSpec:
    """One tuning job as it was asked for. `request` is what it was read from.

    A job with TrainingJobDefinitions has a spec for each in `parts`, by DefinitionName, with its own space, objective and seed
    and an even share of the budget. What then stands here of a definition is the first one's, except that the space has no
    hyperparameters: a configuration belongs to a definition.
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
    detect_convergence: bool = False
    early_stopping: str = "Off"
    min_resource: int = 1
    max_resource: int | None = None
    seed: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    warm_start: str | None = None  # IDENTICAL or TRANSFER
    parents: tuple[str, ...] = ()
    start_with: tuple[Mapping[str, str], ...] = ()  # configurations to try first, in AMT's strings
    parts: Mapping[str, TuningJobSpec] = field(default_factory=dict, repr=False)
    path: str = DEFINITION  # where the definition stands in the request

    def of(self, definition: str | None) -> TuningJobSpec:
        """The job as if it had only this one of its several definitions; itself, when it has but one."""
        return self.parts.get(definition or "", self)

    def texts(self, definition: str | None, hyperparameters: Mapping[str, Any]) -> dict[str, str]:
        """A definition's hyperparameters in AMT's strings."""
        return self.of(definition).space.to_text(hyperparameters)

    @property
    def each(self) -> tuple[TuningJobSpec, ...]:
        """One spec a definition, in the order of the request."""
        return tuple(self.parts.values()) or (self,)

    @property
    def ranked(self) -> str | None:
        """The definition whose objectives alone are compared, the first, where they differ; None: those of all are."""
        same = len({(each.goal, each.metric) for each in self.each}) == 1
        return None if same else self.definition.name

    @property
    def size(self) -> int | None:
        """How many distinct configurations there are to try, over all definitions; None when without end."""
        sizes = [each.space.size for each in self.each]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def alone(self) -> str | None:
        """The training job's name, when this stands for a training job on its own: it has no objective and nothing to search."""
        return self.request.get("TrainingJobName")

    @property
    def sign(self) -> float:
        """+1 to minimise, -1 to maximise: sign * objective is «smaller is better»."""
        return 1.0 if self.goal == "Minimize" else -1.0

    def minimised(self, objective: float) -> float:
        """«Smaller is better», for whoever calculates with it: the difference of two is a number, too."""
        return self.sign * max(-LARGEST, min(LARGEST, objective))

    def or_better(self, objective: float) -> str:
        """«at most 0.12» of an objective to minimise, «at least 0.12» of one to maximise."""
        return f"{'at most' if self.goal == 'Minimize' else 'at least'} {objective:.6g}"

    @property
    def repeats(self) -> Repeats | None:
        """What is run again before the job says what is best."""
        return Repeats.read(self.settings[REPEATS]) if REPEATS in self.settings else None

    @property
    def search_limit(self) -> int | None:
        """How many training jobs may be launched in search, without those kept for repeats."""
        return (
            None if self.max_training_jobs is None else max(1, self.max_training_jobs - kept_for_repeats(self.settings))
        )

    @property
    def most_training_jobs(self) -> int:
        """How many are launched if nothing ends the job earlier, those for repeats among them."""
        limit = self.max_training_jobs or MAX_TRAINING_JOBS
        return limit if self.size is None else min(limit, self.size + kept_for_repeats(self.settings))

    @property
    def price_per_hour(self) -> float | None:
        """What one instance costs an hour, when the job says so."""
        text = self.settings.get("price-per-hour")
        return None if text is None else float(text)


def of_ranges(spec: TuningJobSpec, tell: Callable[[Range], str | None]) -> dict[str, str]:
    """What there is to tell of each range, by its name; where definitions differ about one, by definition.name."""
    told: dict[str, dict[str | None, str]] = {}
    for part in spec.each:
        for name, each in part.space.ranges.items():
            if words := tell(each):
                told.setdefault(name, {})[part.definition.name] = words
    return {
        name if len({*by.values()}) == 1 else f"{definition}.{name}": words
        for name, by in told.items()
        for definition, words in by.items()
    }


def definition_of(request: Request, name: str | None) -> Mapping[str, Any]:
    """The definition of that name as the request has it; the only one, where there is one."""
    single: Mapping[str, Any] | None = request.get(DEFINITION)
    return single if single is not None else next(d for d in request[DEFINITIONS] if d["DefinitionName"] == name)


def objective_of(request: Request, name: str | None) -> Mapping[str, Any]:
    """The objective of the definition of that name; empty for a training job on its own."""
    return request[CONFIG].get(OBJECTIVE) or definition_of(request, name).get("TuningObjective") or {}


@cache
def strategies() -> tuple[str, ...]:
    """AMT's, and those that installed packages add, by name (strategies/__init__.py)."""
    return (*dict.fromkeys((*STRATEGIES, *(point.name for point in entry_points(group="alfine.strategies")))),)
