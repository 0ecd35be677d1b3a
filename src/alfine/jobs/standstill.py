"""Standstills: a tuning job has not ended, and nobody runs it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alfine.core.spec import FUNCTION, TuningJobSpec
from alfine.jobs.lease_owner import is_alive
from alfine.store.database import Connection
from alfine.store.leases import is_gone, is_served
from alfine.store.records import TuningJob
from alfine.store.training_times import recorded_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Standstill:
    """A tuning job that nobody runs.

    reason: a sentence for people, with the way to go on. since: when something was recorded of it last; its clock stands still since.
    """

    reason: str
    since: datetime


def standstill(connection: Connection, job: TuningJob, spec: TuningJobSpec) -> Standstill | None:
    """Return the standstill of a tuning job; None where it has ended, or somebody runs it or is about to.

    Args:
        connection: An open connection.
        job: The tuning job.
        spec: Its request.
    """
    if job.ended or (job.owner is not None and not is_gone(connection, job.owner, is_alive)):
        return None
    functions = [part.definition.static_hyperparameters.get(FUNCTION) for part in spec.definition_specs]
    if function := next(filter(None, functions), None):
        goes_on = f"it tunes the Python function {function}. To go on, call alfine.tune with this function, name={job.name!r} and the same home."
    elif is_served(connection, is_alive):
        return None  # a server takes it up within seconds
    else:
        goes_on = "its home has no server. To go on, start `alfine serve`, or call `alfine tune` with its job file."
    return Standstill(reason=f"Nobody runs this job: {goes_on}", since=recorded_at(connection, job.id))
