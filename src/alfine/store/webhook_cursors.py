"""Cursors of webhooks: how far each was told about state changes, and which server tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import sqlalchemy as sa

from alfine.core.facts import TUNING_TRANSITIONS
from alfine.store.database import Connection, Database
from alfine.store.schema import tuning_jobs, webhook_cursors, webhooks
from alfine.store.state_changes import Told

OVERLAP = timedelta(minutes=10)
"""How far before the last look tuning jobs are looked at again: a transaction may be committed later than its instant, and the clocks of
several servers differ."""

_RUNNING = [status for status, after in TUNING_TRANSITIONS.items() if after]


@dataclass(frozen=True, slots=True)
class Behind:
    """A tuning job of which a webhook may have more to be told.

    Attributes:
        tuning_job: Its id.
        told: Up to where the webhook was told.
    """

    tuning_job: int
    told: Told


class WebhookCursors:
    """The cursors of webhooks in a database.

    Args:
        database: The store's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, url: str, owner: str, now: datetime, until: datetime, alive: Callable[[str], bool]) -> bool:
        """Take or renew the lease of a webhook. A new one begins now: it isn't told of what was before.

        Args:
            url: The webhook's.
            owner: Who sends to it from now on.
            now: The present instant.
            until: When the lease expires.
            alive: Whether another owner still runs.

        Returns:
            False while another owner that is alive holds a lease that has not expired.
        """
        with self._database.writing() as connection:
            if self._add(connection, url, now):
                self._begin_here(connection, url, now)
            holder = connection.execute(sa.select(webhooks.c.owner).where(webhooks.c.url == url)).scalar_one()
            free = webhooks.c.owner.is_(None) | (webhooks.c.owner == owner) | (webhooks.c.owned_until < now)
            if holder is not None and not alive(holder):
                free |= webhooks.c.owner == holder
            claimed = sa.update(webhooks).where(webhooks.c.url == url, free)
            return connection.execute(claimed.values(owner=owner, owned_until=until)).rowcount == 1

    def release(self, url: str, owner: str) -> None:
        """Give back the lease of a webhook; nothing changes if another owner holds it."""
        with self._database.writing() as connection:
            held = (webhooks.c.url == url) & (webhooks.c.owner == owner)
            connection.execute(sa.update(webhooks).where(held).values(owner=None, owned_until=None))

    def since(self, url: str) -> datetime:
        """Return from when on a webhook is told of changes."""
        with self._database.reading() as connection:
            since: datetime = connection.execute(sa.select(webhooks.c.since).where(webhooks.c.url == url)).scalar_one()
            return since

    def behind(self, url: str) -> list[Behind]:
        """Return the tuning jobs that a webhook may have to be told of, the oldest first: running ones, and those that changed lately."""
        with self._database.reading() as connection:
            looked_at = sa.select(webhooks.c.looked_at).where(webhooks.c.url == url)
            from_when = connection.execute(looked_at).scalar_one() - OVERLAP
            listed = tuning_jobs.c.listed.in_((True, False))  # all; it leads to the indexes, one for each half
            running = sa.select(tuning_jobs.c.id).where(listed, tuning_jobs.c.status.in_(_RUNNING))
            changed = sa.select(tuning_jobs.c.id).where(listed, tuning_jobs.c.modified_at >= from_when)
            cursor = webhook_cursors
            mine = (cursor.c.tuning_job == tuning_jobs.c.id) & (cursor.c.url == url)
            is_behind = (
                cursor.c.fact.is_(None)
                | (cursor.c.fact < tuning_jobs.c.facts)
                | cursor.c.status.is_distinct_from(tuning_jobs.c.status)
            )
            query = (
                sa.select(tuning_jobs.c.id, cursor.c.fact, cursor.c.status)
                .join_from(tuning_jobs, cursor, mine, isouter=True)
                .where(tuning_jobs.c.id.in_(sa.union(running, changed)), is_behind)
                .order_by(tuning_jobs.c.id)
            )
            return [Behind(row.id, Told(row.fact or 0, row.status)) for row in connection.execute(query)]

    def tell(self, url: str, owner: str, until: datetime, job: int, told: Told) -> bool:
        """Write up to where a webhook was told of a tuning job, and renew the lease.

        Returns:
            False if another owner holds the lease: nothing is written.
        """
        with self._database.writing() as connection:
            if not self._renewed(connection, url, owner, {"owned_until": until}):
                return False
            if connection.execute(sa.select(tuning_jobs.c.id).where(tuning_jobs.c.id == job)).first() is None:
                return True  # it was deleted meanwhile
            insert = _insert(connection)(webhook_cursors).values(
                url=url, tuning_job=job, fact=told.fact, status=told.status
            )
            new = {"fact": insert.excluded.fact, "status": insert.excluded.status}
            connection.execute(insert.on_conflict_do_update(index_elements=["url", "tuning_job"], set_=new))
            return True

    def looked(self, url: str, owner: str, at: datetime, until: datetime) -> None:
        """Write that a webhook was told of everything that had changed at an instant."""
        with self._database.writing() as connection:
            self._renewed(connection, url, owner, {"looked_at": at, "owned_until": until})

    @staticmethod
    def _renewed(connection: Connection, url: str, owner: str, values: dict[str, datetime]) -> bool:
        held = (webhooks.c.url == url) & (webhooks.c.owner == owner)
        return connection.execute(sa.update(webhooks).where(held).values(values)).rowcount == 1

    @staticmethod
    def _add(connection: Connection, url: str, now: datetime) -> bool:
        """Write a new webhook; return False if it is there."""
        insert = _insert(connection)(webhooks).values(url=url, since=now, looked_at=now)
        return connection.execute(insert.on_conflict_do_nothing().returning(webhooks.c.url)).first() is not None

    @staticmethod
    def _begin_here(connection: Connection, url: str, now: datetime) -> None:
        """Let a new webhook's cursors stand at the present, so that it needn't read the histories of what runs or has just ended."""
        present = sa.select(sa.literal(url), tuning_jobs.c.id, tuning_jobs.c.facts, tuning_jobs.c.status).where(
            tuning_jobs.c.status.in_(_RUNNING) | (tuning_jobs.c.modified_at >= now - OVERLAP)
        )
        connection.execute(sa.insert(webhook_cursors).from_select(["url", "tuning_job", "fact", "status"], present))


def _insert(connection: Connection) -> Any:
    """Return the INSERT of the database at hand, which can yield to a row that is there. Only its own dialect is imported."""
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert
