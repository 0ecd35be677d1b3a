"""The part of the store that says which experiment trackers a tuning job has, how far each was told, and which engine tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from alfine.core.errors import NotFound
from alfine.core.facts import TUNING_TRANSITIONS
from alfine.store.database import Connection, Database
from alfine.store.schema import tracked, tuning_jobs
from alfine.store.state_changes import Told

_RUNNING = [status for status, after in TUNING_TRANSITIONS.items() if after]


@dataclass(frozen=True, slots=True)
class Tracked:
    """A tuning job that a tracker may have to be told more of.

    Attributes:
        tuning_job: Its id.
        name: Its name.
        told: Up to where the tracker was told.
        engine: The engine that runs it; None where none does.
        ended_at: When it ended; None while it hasn't.
    """

    tuning_job: int
    name: str
    told: Told
    engine: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class TrackerState:
    """The state of one tracker of a tuning job.

    Attributes:
        tracker: Its name.
        place: Where a user looks at it; None before it was told of anything.
        behind: How many facts it wasn't told of yet.
        failure: Why it couldn't be told; None where nothing went wrong.
        failing_since: Since when it couldn't.
    """

    tracker: str
    place: str | None
    behind: int
    failure: str | None
    failing_since: datetime | None


def track(connection: Connection, job: int, trackers: Iterable[str]) -> None:
    """Write that trackers are to be told of a tuning job, from its beginning. One that it has stays as it is.

    Args:
        connection: An open connection that may write.
        job: The tuning job's id.
        trackers: The names of the trackers.
    """
    known = set(connection.execute(sa.select(tracked.c.tracker).where(tracked.c.tuning_job == job)).scalars())
    rows = [{"tuning_job": job, "tracker": name, "fact": 0} for name in dict.fromkeys(trackers) if name not in known]
    if rows:
        connection.execute(sa.insert(tracked), rows)


def tracker_states(connection: Connection, job: int) -> list[TrackerState]:
    """Return the state of each tracker of a tuning job, by name.

    Args:
        connection: An open connection.
        job: The tuning job's id.
    """
    behind = tuning_jobs.c.facts - tracked.c.fact
    query = sa.select(tracked.c.tracker, tracked.c.place, behind, tracked.c.failure, tracked.c.failing_since)
    query = query.join_from(tracked, tuning_jobs).where(tracked.c.tuning_job == job).order_by(tracked.c.tracker)
    return [TrackerState(*row) for row in connection.execute(query)]


def failing_trackers(connection: Connection) -> list[tuple[str, TrackerState]]:
    """Return the trackers that couldn't be told of something that they still weren't told of, each with its tuning job's name.

    Args:
        connection: An open connection.
    """
    behind = tuning_jobs.c.facts - tracked.c.fact
    query = (
        sa.select(
            tuning_jobs.c.name, tracked.c.tracker, tracked.c.place, behind, tracked.c.failure, tracked.c.failing_since
        )
        .join_from(tracked, tuning_jobs)
        .where(tracked.c.failure.is_not(None))
        .order_by(tracked.c.failing_since)
    )
    return [(name, TrackerState(*row)) for name, *row in connection.execute(query)]


class TrackerCursors:
    """The cursors of one tracker in a database: a row for each tuning job.

    Args:
        database: The store's.
        tracker: The tracker's name.
    """

    def __init__(self, database: Database, tracker: str) -> None:
        self._database = database
        self._tracker = tracker

    def behind(self, name: str | None = None) -> list[Tracked]:
        """Return the tuning jobs that the tracker may have to be told of, the oldest first.

        Args:
            name: The only tuning job to look at; None: any.
        """
        mine = (tracked.c.tracker == self._tracker) & (tracked.c.tuning_job == tuning_jobs.c.id)
        is_open = tracked.c.status.is_(None) | tracked.c.status.in_(_RUNNING) | tuning_jobs.c.status.in_(_RUNNING)
        is_behind = (tracked.c.fact < tuning_jobs.c.facts) | tracked.c.status.is_distinct_from(tuning_jobs.c.status)
        query = (
            sa.select(
                *(tuning_jobs.c.id, tuning_jobs.c.name, tracked.c.fact, tracked.c.status),
                *(tuning_jobs.c.owner, tuning_jobs.c.ended_at),
            )
            .join_from(tuning_jobs, tracked, mine)
            .where(is_open, is_behind, tuning_jobs.c.listed)
            .order_by(tuning_jobs.c.id)
        )
        if name is not None:
            query = query.where(tuning_jobs.c.name == name)
        with self._database.reading() as connection:
            return [
                Tracked(row.id, row.name, Told(row.fact, row.status), row.owner, row.ended_at)
                for row in connection.execute(query)
            ]

    def add(self, name: str) -> None:
        """Write that the tracker is to be told of a recorded tuning job. Raise NotFound where there is none of that name."""
        with self._database.writing() as connection:
            job = connection.execute(sa.select(tuning_jobs.c.id).where(tuning_jobs.c.name == name)).scalar()
            if job is None:
                raise NotFound(f"There is no tuning job {name}.")
            track(connection, job, [self._tracker])

    def again(self, name: str) -> None:
        """Forget what the tracker was told of a tuning job: it is told of everything once more."""
        with self._database.writing() as connection:
            job = sa.select(tuning_jobs.c.id).where(tuning_jobs.c.name == name).scalar_subquery()
            mine = (tracked.c.tracker == self._tracker) & (tracked.c.tuning_job == job)
            connection.execute(sa.update(tracked).where(mine).values(fact=0, status=None))

    def claim(self, job: int, owner: str, now: datetime, until: datetime, alive: Callable[[str], bool]) -> bool:
        """Take or renew the lease of a tuning job.

        Args:
            job: The tuning job's id.
            owner: The engine that tells the tracker from now on.
            now: The present instant.
            until: When the lease expires.
            alive: Whether another engine's process still runs.

        Returns:
            False while another engine that is alive holds a lease that has not expired.
        """
        with self._database.writing() as connection:
            holder = connection.execute(sa.select(tracked.c.owner).where(self._row(job))).scalar()
            free = tracked.c.owner.is_(None) | (tracked.c.owner == owner) | (tracked.c.owned_until < now)
            if holder is not None and not alive(holder):
                free |= tracked.c.owner == holder
            claimed = sa.update(tracked).where(self._row(job), free).values(owner=owner, owned_until=until)
            return connection.execute(claimed).rowcount == 1

    def tell(self, job: int, owner: str, told: Told, place: str) -> bool:
        """Write up to where the tracker was told of a tuning job, and that nothing is wrong.

        Returns:
            False if another engine holds the lease, or the tuning job was deleted: nothing is written.
        """
        values = {"fact": told.fact, "status": told.status, "place": place, "failure": None, "failing_since": None}
        return self._written(job, owner, values)

    def fail(self, job: int, owner: str, failure: str, now: datetime) -> None:
        """Write why the tracker couldn't be told of a tuning job; the instant of the first failure stays."""
        since = sa.func.coalesce(tracked.c.failing_since, sa.literal(now, tracked.c.failing_since.type))
        self._written(job, owner, {"failure": failure, "failing_since": since})

    def release(self, job: int, owner: str) -> None:
        """Give back the lease of a tuning job; nothing changes if another engine holds it."""
        self._written(job, owner, {"owner": None, "owned_until": None})

    def _written(self, job: int, owner: str, values: Mapping[str, object]) -> bool:
        with self._database.writing() as connection:
            held = self._row(job) & (tracked.c.owner == owner)
            return connection.execute(sa.update(tracked).where(held).values(values)).rowcount == 1

    def _row(self, job: int) -> sa.ColumnElement[bool]:
        return (tracked.c.tuning_job == job) & (tracked.c.tracker == self._tracker)
