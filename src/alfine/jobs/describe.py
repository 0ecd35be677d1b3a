"""What is recorded of tuning jobs and training jobs, as every face of alfine shows it."""

from __future__ import annotations

from datetime import datetime, timedelta

from alfine.core.policy import Outlook
from alfine.criteria.convergence import ConvergenceDetected
from alfine.store import queries
from alfine.store.database import Connection
from alfine.store.records import TuningJob

CONVERGENCE = ConvergenceDetected.__name__


def converged_at(connection: Connection, job: TuningJob) -> datetime | None:
    """Return when convergence was detected: when it ended the job, or when a shadow of the criterion would have ended it.

    It ended the job with the last training job that ended by itself, before the others were stopped.
    """
    verdict = job.verdict
    if verdict is not None and verdict.criterion == CONVERGENCE and verdict.outlook is not Outlook.CONTINUE:
        return queries.last_end(connection, job.id)
    for shadow in job.verdicts:
        seconds = shadow.evidence.get("would_have_ended_after_seconds")
        if shadow.watching and shadow.criterion.endswith(f"({CONVERGENCE})") and seconds is not None:
            return job.created_at + timedelta(seconds=seconds)
    return None
