"""Records what users ask of tuning jobs that are there: to stop, to change, to end by force. A part of the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alfine.core.errors import NotFound, NotTerminal, Overtaken
from alfine.core.facts import TUNING_TRANSITIONS, StopAsked, check_transition
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Verdict
from alfine.store.announcements import announce
from alfine.store.database import Connection, Database
from alfine.store.forced_stop import write_forced_end
from alfine.store.queries import tuning_job_row
from alfine.store.schema import training_jobs, tuning_jobs
from alfine.store.tags import tags_in, write_tags
from alfine.store.tuning_job_rows import append_fact, lock_row, update_row, write_change


class UserRequests:
    """Records what users ask for: a base of Store."""

    database: Database

    def request_stop(self, name: str, at: datetime) -> None:
        """Record that the user asked to stop a tuning job. Asking again changes nothing.

        Args:
            name: The tuning job.
            at: The instant of the request.

        Raises:
            NotFound: There is none of that name.
            IllegalTransition: It has ended.
        """
        with self.database.writing() as connection:
            row = tuning_job_row(connection, name, to_write=True)
            if row.stop_fact is None:
                check_transition(name, row.status, "Stopping", TUNING_TRANSITIONS)
                fact = row.facts + 1
                values = {"facts": fact, "stop_fact": fact, "stop_requested_at": at}
                update_row(connection, row.id, {**values, "status": "Stopping", "modified_at": at})
                announce(connection, name)

    def force_end(self, name: str, at: datetime, reason: str, verdict: Verdict | None) -> Sequence[str]:
        """Record that a tuning job and its training jobs have ended, whatever runs. Return the names of those that hadn't ended.

        Args:
            name: The tuning job.
            at: The instant of the end.
            reason: Why.
            verdict: The verdict of a user who stopped it; None: it is Failed, unless a user has asked to stop it.

        Raises:
            IllegalTransition: The tuning job has ended.
        """
        with self.database.writing() as connection:
            row = tuning_job_row(connection, name, to_write=True)
            announce(connection, name)
            return write_forced_end(connection, row, at, reason, verdict)

    def request_stop_of_training_job(self, name: str, at: datetime, reason: str) -> None:
        """Record that the user asked to stop one training job. Asking again changes nothing.

        Args:
            name: The training job.
            at: The instant of the request.
            reason: Who asked, for people; it becomes the reason why the training job was stopped.

        Raises:
            NotFound: There is none of that name.
            IllegalTransition: It has ended.
        """
        with self.database.writing() as connection:
            one = training_jobs.c.name == name
            if (job := connection.execute(sa.select(training_jobs.c.tuning_job).where(one)).scalar()) is not None:
                lock_row(connection, job)
            if (row := connection.execute(sa.select(training_jobs).where(one)).first()) is None:
                raise NotFound(f"There is no training job called {name}.")
            if row.status == "Stopping":
                return
            fact = StopAsked(at=at, number=row.number, reason=reason)
            append_fact(connection, row.tuning_job, fact)
            of_job = sa.select(tuning_jobs.c.name).where(tuning_jobs.c.id == row.tuning_job)
            announce(connection, connection.execute(of_job).scalar_one())

    def change(
        self,
        name: str,
        before: Mapping[str, Any],
        spec: TuningJobSpec,
        at: datetime,
        check: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """Record that the user changed a tuning job's request. A job that had ended goes on.

        Args:
            name: The tuning job.
            before: The request that the caller changed.
            spec: The changed request.
            at: The instant of the change.
            check: Called in the same transaction, which sees the change; what it raises undoes it.

        Raises:
            Overtaken: The job's request isn't `before` any more.
            NotTerminal: The job is stopping.
        """
        with self.database.writing() as connection:
            row = tuning_job_row(connection, name, to_write=True)
            if json.loads(row.request) != dict(before):
                raise Overtaken("Someone else has changed this tuning job: read it again.")
            if row.status == "Stopping":
                raise NotTerminal(f"The tuning job {name} is stopping. Change it once it has stopped: it goes on then.")
            write_change(connection, row, spec, at)
            values = {"request": json.dumps(spec.request), "facts": row.facts + 1, "modified_at": at}
            resumed = {"status": "InProgress", "ended_at": None, "failure_reason": None, "failed_at": None}
            not_stopping = {"stop_fact": None, "stop_requested_at": None}
            update_row(connection, row.id, {**values, **resumed, **not_stopping})
            announce(connection, name)
            old, new = tags_in(before), tags_in(spec.request)
            write_tags(connection, row.id, 0, {**dict.fromkeys(set(old) - set(new)), **new})
            check(connection)
