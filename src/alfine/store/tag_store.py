"""The part of the store that keeps tags of tuning jobs and training jobs, and notes of tuning jobs."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from alfine.store.database import Database
from alfine.store.schema import tuning_jobs
from alfine.store.tags import read_tags, write_tags
from alfine.store.tuning_job_rows import lock_row


class TagStore:
    """Writes and reads tags and notes: a base of Store."""

    database: Database

    def tag(self, job: int, number: int, changes: Mapping[str, str | None]) -> Mapping[str, str]:
        """Set and remove tags of a job.

        Args:
            job: The tuning job's id.
            number: The number of its training job; 0 for the tuning job itself.
            changes: The new value of each tag; None removes the tag.

        Returns:
            All tags of the job after the change, by key.
        """
        with self.database.writing() as connection:
            lock_row(connection, job)
            write_tags(connection, job, number, changes)
            return read_tags(connection, job, number)

    def annotate(self, job: int, note: str | None, changes: Mapping[str, str | None]) -> None:
        """Set the note and tags of a tuning job, at once.

        Args:
            job: The tuning job's id.
            note: The note; "" removes it, None leaves it as it is.
            changes: The new value of each tag; None removes the tag.
        """
        with self.database.writing() as connection:
            lock_row(connection, job)
            write_tags(connection, job, 0, changes)
            if note is not None:
                connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.id == job).values(note=note or None))

    def tags(self, job: int, number: int) -> Mapping[str, str]:
        """Return all tags of a job, in the order of their keys.

        Args:
            job: The tuning job's id.
            number: The number of its training job; 0 for the tuning job itself.
        """
        with self.database.reading() as connection:
            return read_tags(connection, job, number)
