"""The part of the store that counts failed tries to go on with a training job, or to run a tuning job at all."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from alfine.store.database import Database
from alfine.store.queries import tuning_job_row
from alfine.store.schema import training_jobs, tuning_jobs
from alfine.store.tuning_job_rows import update_row


class FailedTries:
    """Counts failed tries: a base of Store."""

    database: Database

    def count_failed_tries(self, name: str, count: int, epoch: int | None = None) -> None:
        """Write how often in a row the engine failed to go on with a training job.

        Args:
            name: The training job.
            count: How often.
            epoch: That of the engine's claim: nothing is written once another engine has claimed the tuning job. None: any.
        """
        with self.database.writing() as connection:
            row = training_jobs.c.name == name
            if epoch is not None:
                same = (tuning_jobs.c.id == training_jobs.c.tuning_job) & (tuning_jobs.c.epoch == epoch)
                row &= sa.exists().where(same)
            connection.execute(sa.update(training_jobs).where(row).values(failed_tries=count))

    def count_failed_run(self, name: str, at: datetime, within: timedelta) -> int:
        """Count a failed try to run a tuning job.

        Args:
            name: The tuning job.
            at: The instant of the failure.
            within: The time within which it must follow the failure before; else the count begins anew.

        Returns:
            How many tries have failed in a row, with this one.

        Raises:
            NotFound: There is no such tuning job.
        """
        with self.database.writing() as connection:
            row = tuning_job_row(connection, name, to_write=True)
            in_a_row = row.failed_at is not None and at - row.failed_at <= within
            count = row.failed_tries + 1 if in_a_row else 1
            update_row(connection, row.id, {"failed_tries": count, "failed_at": at})
            return count
