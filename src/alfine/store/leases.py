"""The part of the store that says which engine runs a tuning job, and in which epoch.

Each engine says every few seconds that it runs (`beat`). A tuning job belongs to the engine that claimed it, until that one gives it
back, or falls silent for longer than `Leases.silence`. Each claim by another engine raises the job's epoch, and what an engine writes
names the epoch of its claim: so an engine that was frozen, or cut off from the database, writes nothing once another has taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from alfine.core.errors import Fenced, NotFound
from alfine.store.announcements import announce
from alfine.store.conditions import UNFINISHED
from alfine.store.database import Connection, Database
from alfine.store.database_time import before_now, database_now
from alfine.store.queries import tuning_job_row
from alfine.store.schema import servers, training_jobs, tuning_jobs
from alfine.store.tuning_job_rows import update_row

DELETED = "The tuning job was deleted while it ran."

FENCED = "Another alfine has taken over this tuning job: this one lets go of it."

HEARTBEAT = timedelta(seconds=2)
"""Time between two heartbeats of an engine."""

SILENCE = timedelta(seconds=8)
"""The tuning jobs of an engine that was silent for longer may be taken over."""

HEARTBEAT_OF_SQLITE = timedelta(seconds=10)
"""The same for an embedded database: whoever shares it runs on the same machine, and sees whether a process lives."""

SILENCE_OF_SQLITE = timedelta(seconds=30)
"""A function that keeps the interpreter for itself, or a laptop that sleeps, loses no tuning job to another process of the same machine."""

LEFT = "left:"
"""Begins the id of the row that says when the last engine of a node left."""

FORGOTTEN = timedelta(days=1)
"""The row of an engine that was silent for longer is removed."""


@dataclass(frozen=True, slots=True)
class LiveEngine:
    """An engine that shares the database."""

    id: str
    url: str | None
    node: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Claimable:
    """A tuning job that no engine runs.

    Attributes:
        name: Its name.
        is_new: Whether none has run it yet: the process that created it may be about to.
    """

    name: str
    is_new: bool


class Leases:
    """Gives tuning jobs to engines: a base of Store."""

    database: Database

    @property
    def heartbeat(self) -> timedelta:
        """Return the time between two heartbeats of an engine."""
        return HEARTBEAT_OF_SQLITE if self.database.file else HEARTBEAT

    @property
    def silence(self) -> timedelta:
        """Return how long an engine may be silent before its tuning jobs may be taken over."""
        return SILENCE_OF_SQLITE if self.database.file else SILENCE

    @property
    def is_shared(self) -> bool:
        """Return whether engines of several machines may share the database."""
        return self.database.is_postgres

    # -- engines -------------------------------------------------------------------------------------------------

    def beat(self, engine: str, node: str, url: str | None = None) -> None:
        """Record that an engine runs.

        Args:
            engine: The engine's id.
            node: Where it runs, and what its training jobs can be found by.
            url: Where it can be reached; None where it serves nobody.
        """
        with self.database.writing() as connection:
            _beat(connection, engine, node, url)

    def leave(self, engine: str) -> None:
        """Record that an engine has ended, and give back all of its tuning jobs."""
        with self.database.writing() as connection:
            _release(connection, tuning_jobs.c.owner == engine)
            node = connection.execute(sa.select(servers.c.node).where(servers.c.id == engine)).scalar()
            connection.execute(sa.delete(servers).where(servers.c.id == engine))
            if node is not None and self.is_shared:  # its training jobs run on, for as long as their leash
                _beat(connection, LEFT + node, node, None)
            announce(connection, engine)  # others look for what it ran
            connection.execute(sa.delete(servers).where(servers.c.seen_at < before_now(FORGOTTEN)))

    def engines(self) -> Sequence[LiveEngine]:
        """Return the engines that aren't silent, by id."""
        with self.database.reading() as connection:
            query = sa.select(servers).where(heard_within(self.silence)).order_by(servers.c.id)
            return [LiveEngine(*row) for row in connection.execute(query) if not row.id.startswith(LEFT)]

    def silence_of(self, node: str) -> timedelta | None:
        """Return how long no engine of a node has been heard of; None where none ever was, as far as the store remembers."""
        with self.database.reading() as connection:
            seen = sa.select(sa.func.max(servers.c.seen_at), database_now()).where(servers.c.node == node)
            last, now = connection.execute(seen).one()
            return None if last is None else now - last

    # -- tuning jobs ---------------------------------------------------------------------------------------------

    def claim(self, name: str, engine: str, node: str, alive: Callable[[str], bool]) -> int | None:
        """Claim a tuning job for an engine, or confirm that it has it.

        Args:
            name: The tuning job.
            engine: Who runs it from now on.
            node: See `beat`.
            alive: Whether another engine still runs, as far as this machine can tell.

        Returns:
            The epoch of the claim; None where another engine has the tuning job.

        Raises:
            NotFound: There is none of that name.
        """
        with self.database.writing() as connection:
            row = tuning_job_row(connection, name, to_write=True)
            if row.owner not in (None, engine) and not is_gone(connection, row.owner, alive):
                return None
            _beat(connection, engine, node, None)
            if row.owner == engine:
                return int(row.epoch)
            update_row(connection, row.id, {"owner": engine, "epoch": row.epoch + 1})
            return int(row.epoch) + 1

    def claimable(self, alive: Callable[[str], bool], node: str = "") -> Sequence[Claimable]:
        """Return the unfinished tuning jobs that no engine runs, the oldest first.

        Those whose training jobs run on other nodes only are left to the servers there, while there are any.

        Args:
            alive: See `claim`.
            node: Of who asks.
        """
        with self.database.reading() as connection:
            owners = connection.scalars(sa.select(tuning_jobs.c.owner).where(UNFINISHED).distinct()).all()
            gone = [owner for owner in owners if owner is not None and is_gone(connection, owner, alive)]
            free = tuning_jobs.c.owner.is_(None) | tuning_jobs.c.owner.in_(gone)
            query = sa.select(tuning_jobs.c.name, tuning_jobs.c.epoch).where(
                UNFINISHED, free, ~self._is_elsewhere(node)
            )
            rows = connection.execute(query.order_by(tuning_jobs.c.created_at, tuning_jobs.c.id))
            return [Claimable(row.name, is_new=row.epoch == 0) for row in rows]

    def elsewhere(self, engine: str, node: str) -> Sequence[str]:
        """Return the names of an engine's tuning jobs of which a training job runs on another node that has a server.

        Args:
            node: The engine's own node.
        """
        with self.database.reading() as connection:
            mine = (tuning_jobs.c.owner == engine) & UNFINISHED
            return connection.scalars(sa.select(tuning_jobs.c.name).where(mine, self._runs_at_others(node))).all()

    def _runs_at_others(self, node: str) -> sa.ColumnElement[bool]:
        lives = servers.c.url.is_not(None) & heard_within(self.silence)
        return _runs_on(training_jobs.c.node.in_(sa.select(servers.c.node).where(lives, servers.c.node != node)))

    def _is_elsewhere(self, node: str) -> sa.ColumnElement[bool]:
        return self._runs_at_others(node) & ~_runs_on(training_jobs.c.node == node)

    def loads(self) -> dict[str, int]:
        """Return how many unfinished tuning jobs each server runs, by the id of its engine; of the servers that aren't silent."""
        with self.database.reading() as connection:
            runs = (tuning_jobs.c.owner == servers.c.id) & UNFINISHED
            lives = servers.c.url.is_not(None) & heard_within(self.silence)
            query = sa.select(servers.c.id, sa.func.count(tuning_jobs.c.id)).outerjoin_from(servers, tuning_jobs, runs)
            return {row[0]: row[1] for row in connection.execute(query.where(lives).group_by(servers.c.id))}

    def overtaken(self, job: int, known: int, epoch: int | None = None) -> bool:
        """Return whether someone else (a user who stops or changes something) has recorded more facts than the caller knows.

        Args:
            job: The tuning job's id.
            known: The number of facts that the caller knows.
            epoch: That of the engine's claim; None for whoever isn't an engine.

        Raises:
            Fenced: Another engine has claimed the tuning job since.
            NotFound: The tuning job was deleted.
        """
        with self.database.reading() as connection:
            return facts_under(connection, job, epoch) != known

    def release(self, name: str, epoch: int) -> None:
        """Give back a tuning job; nothing changes if it has been taken over.

        Args:
            name: The tuning job.
            epoch: That of the claim.
        """
        with self.database.writing() as connection:
            _release(connection, (tuning_jobs.c.name == name) & (tuning_jobs.c.epoch == epoch))
            announce(connection, name)

    def release_all(self) -> None:
        """Give back all tuning jobs: for a copy of a database, whose tuning jobs nobody runs."""
        with self.database.writing() as connection:
            _release(connection, sa.true())
            connection.execute(sa.delete(servers))


def is_gone(connection: Connection, engine: str, alive: Callable[[str], bool]) -> bool:
    """Return whether an engine has ended, or has been silent for too long.

    Args:
        connection: An open connection.
        engine: The engine's id.
        alive: See `Leases.claim`.
    """
    heard = (servers.c.id == engine) & _not_silent(connection)
    return connection.execute(sa.select(servers.c.id).where(heard)).first() is None or not alive(engine)


def serves(connection: Connection, engine: str) -> bool:
    """Return whether an engine is that of a server.

    Args:
        engine: The engine's id.
    """
    query = sa.select(servers.c.id).where(servers.c.id == engine, servers.c.url.is_not(None))
    return connection.execute(query).first() is not None


def is_served(connection: Connection, alive: Callable[[str], bool]) -> bool:
    """Return whether a server runs, which takes up tuning jobs that nobody runs.

    Args:
        connection: An open connection.
        alive: See `Leases.claim`.
    """
    serving = sa.select(servers.c.id).where(servers.c.url.is_not(None), _not_silent(connection))
    return any(alive(engine) for engine in connection.scalars(serving))


def _not_silent(connection: Connection) -> sa.ColumnElement[bool]:
    return heard_within(SILENCE_OF_SQLITE if connection.dialect.name == "sqlite" else SILENCE)


def heard_within(silence: timedelta) -> sa.ColumnElement[bool]:
    """Return the condition for engines that have said within a time span that they run."""
    return servers.c.seen_at >= before_now(silence)


_FACTS_AND_EPOCH = sa.select(tuning_jobs.c.facts, tuning_jobs.c.epoch).where(tuning_jobs.c.id == sa.bindparam("job"))


def facts_under(connection: Connection, job: int, epoch: int | None) -> int:
    """Return how many facts of a tuning job are recorded.

    Args:
        connection: An open connection.
        job: The tuning job's id.
        epoch: That of the caller's claim; None: whatever it is.

    Raises:
        Fenced: Another engine has claimed the tuning job since.
        NotFound: The tuning job was deleted.
    """
    row = connection.execute(_FACTS_AND_EPOCH, {"job": job}).first()
    if row is None:
        raise NotFound(DELETED)
    if epoch not in (None, row.epoch):
        raise Fenced(FENCED)
    return int(row.facts)


def _runs_on(node: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Return whether a training job of a tuning job runs on such a node, by one of the node's own runners."""
    own = training_jobs.c.runner.is_(None) & training_jobs.c.ended_at.is_(None)
    return sa.exists().where(training_jobs.c.tuning_job == tuning_jobs.c.id, own, node)


def _beat(connection: Connection, engine: str, node: str, url: str | None) -> None:
    known = sa.update(servers).where(servers.c.id == engine)
    values: dict[str, Any] = {"seen_at": database_now()} | ({} if url is None else {"url": url})
    if connection.execute(known.values(values)).rowcount == 0:
        connection.execute(sa.insert(servers).values({"id": engine, "node": node, "url": url, **values}))


def _release(connection: Connection, which: sa.ColumnElement[bool]) -> None:
    connection.execute(sa.update(tuning_jobs).where(which).values(owner=None))
