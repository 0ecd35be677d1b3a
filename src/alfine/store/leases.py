"""The part of the store that says which engine runs a tuning job: its lease."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from alfine.store.database import Database
from alfine.store.queries import tuning_job_row
from alfine.store.schema import tuning_jobs
from alfine.store.tuning_job_rows import (
    update_row,
)


class Leases:
    """Gives leases of tuning jobs to engines: a base of Store."""

    database: Database

    def claim(self, name: str, owner: str, now: datetime, until: datetime, alive: Callable[[str], bool]) -> bool:
        """Take or renew the lease of a tuning job.

        Args:
            name: The tuning job.
            owner: Who runs it from now on.
            now: The present instant.
            until: When the lease expires.
            alive: Whether another owner still runs; a dead one's lease may be taken over before it expires.

        Returns:
            False when another owner that is alive holds a lease that has not expired.
        """
        with self.database.writing() as connection:
            row = tuning_job_row(connection, name, to_write=True)
            expired = row.owned_until is None or row.owned_until < now
            free = row.owner in (None, owner) or expired or not alive(row.owner)
            if free:
                update_row(connection, row.id, {"owner": owner, "owned_until": until})
            return free

    def release(self, name: str, owner: str) -> None:
        """Give back the lease of a tuning job.

        Args:
            name: The tuning job.
            owner: The engine that gives it back. Nothing changes if another one holds the lease.
        """
        with self.database.writing() as connection:
            held = (tuning_jobs.c.name == name) & (tuning_jobs.c.owner == owner)
            connection.execute(sa.update(tuning_jobs).where(held).values(owner=None, owned_until=None))

    def release_all(self) -> None:
        """Give back all leases: for a copy of a database, whose tuning jobs nobody runs."""
        with self.database.writing() as connection:
            connection.execute(sa.update(tuning_jobs).values(owner=None, owned_until=None))
