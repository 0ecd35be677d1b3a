"""Standstills: a tuning job has not ended, and nobody runs it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alfine.core.spec import FUNCTION, TuningJobSpec
from alfine.jobs.lease_owner import is_alive
from alfine.store.database import Connection
from alfine.store.leases import is_gone, is_served, serves
from alfine.store.records import TuningJob
from alfine.store.training_times import recorded_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Standstill:
    """A tuning job that nobody runs.

    Attributes:
        reason: A sentence for people, with the way to go on.
        since: When something was recorded of it last; its clock stands still since.
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
    functions = [part.definition.static_hyperparameters.get(FUNCTION) for part in spec.definition_specs]
    function = next(filter(None, functions), None)
    if job.ended or (job.owner is not None and _is_run(connection, job.owner, of_function=function is not None)):
        return None
    if function:
        goes_on = f"it tunes the Python function {function}. To go on, call alfine.tune with this function, name={job.name!r} and the same home."
    elif is_served(connection, is_alive):
        return None  # a server takes it up within seconds
    else:
        goes_on = "its home has no server. To go on, start `alfine serve`, or call `alfine tune` with its job file."
    return Standstill(reason=f"Nobody runs this job: {goes_on}", since=recorded_at(connection, job.id))


def _is_run(connection: Connection, owner: str, *, of_function: bool) -> bool:
    """Return whether the owner runs the job: it lives, and is no server that has just tried to run another process's function."""
    return not is_gone(connection, owner, is_alive) and not (of_function and serves(connection, owner))
