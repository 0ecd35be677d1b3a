"""Facts: what happens to a tuning job and its training jobs, each at an instant; and the statuses that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from alfine.core.errors import IllegalTransition
from alfine.core.space import Hyperparameters
from alfine.core.spec import TuningJobSpec

# So begins the reason of a failure that wasn't the training job's own, as on AWS: a machine or a supervisor was lost.
INTERNAL_ERROR = "InternalServerError: "

# From each status of a training job to those that may follow it; AMT's names. `Stopping` may still end Completed: the
# training job can finish by itself before the request to stop reaches it.
TRANSITIONS: dict[str, frozenset[str]] = {
    "InProgress": frozenset({"Stopping", "Completed", "Failed", "Stopped"}),
    "Stopping": frozenset({"Stopped", "Completed", "Failed"}),
    "Completed": frozenset(),
    "Failed": frozenset(),
    "Stopped": frozenset(),
}

# The same for a tuning job.
TUNING_TRANSITIONS: dict[str, frozenset[str]] = {
    "InProgress": frozenset({"Stopping", "Completed", "Failed", "Stopped"}),
    "Stopping": frozenset({"Stopped", "Failed"}),
    "Completed": frozenset(),
    "Failed": frozenset(),
    "Stopped": frozenset(),
}


def check_transition(subject: str, before: str, after: str, table: dict[str, frozenset[str]] = TRANSITIONS) -> None:
    """Raise IllegalTransition unless the table lets `before` become `after`."""
    if after not in table[before]:
        raise IllegalTransition(f"{subject} is {before} and can't become {after}.")


def is_terminal(status: str) -> bool:
    return not TUNING_TRANSITIONS[status]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """A training job was decided on; recorded before it starts."""

    at: datetime
    number: int  # from 1, in order of launch
    name: str
    hyperparameters: Hyperparameters
    definition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The training job's program began to run."""

    at: datetime
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """The training job emitted a value of a metric; `step` counts the emissions of that metric from 1."""

    at: datetime
    number: int
    metric: str
    step: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAsked:
    """alfine decided to stop one training job; recorded before it is told."""

    at: datetime
    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The training job ended. `objective` is its final value, None when it has none or failed."""

    at: datetime
    number: int
    status: str
    objective: float | None = None
    failure_reason: str | None = None
    uploaded_at: datetime | None = None  # when its model was where the job wants it, if that's elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningJobStopAsked:
    """The user asked to stop the whole tuning job."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The user changed limits or completion criteria; a job that had ended, or was asked to stop, goes on. `spec`: from now on."""

    at: datetime
    spec: TuningJobSpec = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """Time alone made the verdict stronger, by this instant: what is recorded after it wasn't known then, whenever it happened."""

    at: datetime


OfTuningJob = TuningJobStopAsked | Changed | TimePassed  # those that are about no single training job
Fact = Launched | Started | Reported | StopAsked | Ended | OfTuningJob
