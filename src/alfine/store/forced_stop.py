"""The forced end of a tuning job: as rows, without reading its request, which may be what keeps it from ending."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from alfine.core.facts import TUNING_TRANSITIONS, Ended, StopAsked, check_transition
from alfine.core.verdict import Verdict
from alfine.store.facts import write_facts
from alfine.store.schema import training_jobs, tuning_jobs


def write_forced_end(
    connection: Connection, row: Row[Any], at: datetime, reason: str, verdict: Verdict | None
) -> Sequence[str]:
    """Write that a tuning job is Stopped or Failed, and that its training jobs that haven't ended are Stopped.

    Args:
        connection: An open transaction.
        row: The tuning job's.
        at: The instant of the end.
        reason: Why they end.
        verdict: The verdict that stops the tuning job; None: it is Failed, unless a user has asked to stop it.

    Returns:
        The names of the training jobs that hadn't ended.

    Raises:
        IllegalTransition: The tuning job has ended.
    """
    status = "Failed" if verdict is None and row.stop_fact is None else "Stopped"
    check_transition(row.name, row.status, status, TUNING_TRANSITIONS)
    running = running_training_jobs(connection, row.id)
    asked_now = row.stop_fact is None and status == "Stopped"
    first = row.facts + (2 if asked_now else 1)
    facts = list(_facts(running, at, reason))
    write_facts(connection, row.id, facts, first, None)
    asked = {"stop_fact": row.facts + 1, "stop_requested_at": at} if asked_now else {}
    ended = {"status": status, "ended_at": at, "modified_at": at, "failure_reason": reason}
    if verdict is None:  # no criterion ended it; if the user lets it go on, all facts are judged again
        ended |= {"verdict": None, "verdicts": None, "judged": 0}
    else:
        ended["verdict"] = json.dumps(verdict.as_dict())
    values = {"facts": first + len(facts) - 1, "owner": None, "epoch": row.epoch + 1, **asked, **ended}
    connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.id == row.id).values(values))
    return [job.name for job in running]


def running_training_jobs(connection: Connection, job: int) -> list[Row[Any]]:
    """Return the rows of a tuning job's training jobs that have not ended: number, name, status, and where they run."""
    columns = (training_jobs.c[name] for name in ("number", "name", "status", "attempt", "runner", "node", "slot"))
    running = (training_jobs.c.tuning_job == job) & training_jobs.c.ended_at.is_(None)
    return [*connection.execute(sa.select(*columns).where(running).order_by(training_jobs.c.number))]


def _facts(running: Iterable[Row[Any]], at: datetime, reason: str) -> Iterator[StopAsked | Ended]:
    for job in running:
        if job.status == "InProgress":
            yield StopAsked(at=at, number=job.number, reason=reason)
        yield Ended(at=at, number=job.number, status="Stopped", failure_reason=reason)
