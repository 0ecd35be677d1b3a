"""Facts: what happens to a tuning job and its training jobs, each at an instant; and the statuses that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from alfine.core.errors import IllegalTransition
from alfine.core.space import Hyperparameters
from alfine.core.spec import TuningJobSpec

# Begins the reason of a failure that the training job didn't cause, as on AWS: a machine or a supervisor was lost.
INTERNAL_ERROR = "InternalServerError: "

# The statuses of a training job, with AMT's names, and those that may follow each. A training job that is Stopping may still end as
# Completed: it can finish before the request to stop reaches it.
TRANSITIONS: dict[str, frozenset[str]] = {
    "InProgress": frozenset({"Stopping", "Completed", "Failed", "Stopped"}),
    "Stopping": frozenset({"Stopped", "Completed", "Failed"}),
    "Completed": frozenset(),
    "Failed": frozenset(),
    "Stopped": frozenset(),
}

# The statuses of a tuning job, and those that may follow each.
TUNING_TRANSITIONS: dict[str, frozenset[str]] = {
    "InProgress": frozenset({"Stopping", "Completed", "Failed", "Stopped"}),
    "Stopping": frozenset({"Stopped", "Failed"}),
    "Completed": frozenset(),
    "Failed": frozenset(),
    "Stopped": frozenset(),
}


def check_transition(subject: str, before: str, after: str, table: dict[str, frozenset[str]] = TRANSITIONS) -> None:
    """Check that a status may follow another one.

    Args:
        subject: What has the status, for the message.
        before: The status so far.
        after: The next status.
        table: The transitions that are allowed, TRANSITIONS or TUNING_TRANSITIONS.

    Raises:
        IllegalTransition: Where it may not.
    """
    if after not in table[before]:
        raise IllegalTransition(f"{subject} is {before} and can't become {after}.")


def is_terminal(status: str) -> bool:
    """Return whether a training job or tuning job with this status has ended."""
    return not TUNING_TRANSITIONS[status]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """alfine decided to launch a training job. Recorded before it starts."""

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
    """The training job reported a value of a metric."""

    at: datetime
    number: int
    metric: str
    step: float  # counts the reports of the metric, from 1
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAsked:
    """alfine decided to stop one training job. Recorded before the request is sent."""

    at: datetime
    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The training job ended."""

    at: datetime
    number: int
    status: str
    objective: float | None = None  # the last value of the objective metric
    failure_reason: str | None = None
    uploaded_at: datetime | None = None  # when its model was in the bucket, where the job has one


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningJobStopAsked:
    """The user asked to stop the whole tuning job."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The user changed limits or completion criteria. A job that had ended, or was asked to stop, goes on."""

    at: datetime
    spec: TuningJobSpec = field(repr=False)  # the specification from now on


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """Time alone made the verdict stronger by this instant. Facts that are recorded later weren't known then, whenever they happened."""

    at: datetime


OfTuningJob = TuningJobStopAsked | Changed | TimePassed  # facts about the tuning job as a whole
Fact = Launched | Started | Reported | StopAsked | Ended | OfTuningJob
