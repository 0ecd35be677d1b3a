"""Quotas of a home ([limits] in alfine.toml): what a new job must not exceed."""

from __future__ import annotations

from pathlib import Path

from alfine.core.errors import QuotaExceeded
from alfine.core.wording import size
from alfine.jobs.disk_usage import HomeSize
from alfine.store.database import Connection
from alfine.store.operating_settings import Limits
from alfine.store.totals import reserved_training_jobs


class Quotas:
    """The quotas of a home.

    Args:
        limits: The settings.
        home: The home's folder.
    """

    def __init__(self, limits: Limits, home: Path) -> None:
        self._limits = limits
        self.home_size = HomeSize(home)

    def check_disk(self) -> None:
        """Raise QuotaExceeded if the home is too large for a new job."""
        most = self._limits.disk_bytes
        if most is None or (used := self.home_size.bytes()) < most:
            return
        raise QuotaExceeded(
            f"The service limit 'disk of the home' is {size(most)}, with current utilization of {size(used)}. Remove what isn't needed "
            "(alfine prune --older-than 30d), or raise [limits] disk in alfine.toml."
        )

    def check_parallel(self, connection: Connection, added: int) -> None:
        """Raise QuotaExceeded if too many training jobs could run at once.

        Args:
            connection: An open connection, which sees the new job, or the change.
            added: The number of parallel training jobs that the new job, or a change, adds; a change that adds none is allowed.
        """
        most = self._limits.parallel_training_jobs
        if not most or added <= 0 or (reserved := reserved_training_jobs(connection)) <= most:
            return
        raise QuotaExceeded(
            f"The service limit 'parallel training jobs' is {most}, with current utilization of {reserved - added} and a request delta of "
            f"{added}. Wait for tuning jobs to end, give a smaller MaxParallelTrainingJobs, or raise [limits] parallel_training_jobs in "
            "alfine.toml."
        )
