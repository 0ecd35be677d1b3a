"""Logs of training jobs: the path of a log, and reading a part of it."""

from __future__ import annotations

from pathlib import Path

from alfine.core.arns import name_as_created
from alfine.core.errors import NotFound
from alfine.core.facts import is_terminal
from alfine.core.spec import DEFINITION, FUNCTION
from alfine.runners.job_folder import Workspace
from alfine.runners.log_files import LogPart, part_of
from alfine.store import queries
from alfine.store.records import TrainingJobRow
from alfine.store.store import Store


def workspace_of(folder: Path, row: TrainingJobRow) -> Workspace:
    """Return the folder of a training job; `folder` holds those of all tuning jobs."""
    return Workspace(folder / name_as_created(row.tuning_job_name) / row.name)


def read_log(store: Store, folder: Path, name: str, begin: int = 0, lines: int | None = None) -> LogPart:
    """Return a part of a training job's log.

    Args:
        store: where the training job is recorded.
        folder: holds the folders of all tuning jobs.
        name: of the training job.
        begin: the byte at which the part begins.
        lines: how many of the last lines the part is, wherever it begins.

    Raises:
        NotFound: There is no such training job, or it has no log.
    """
    try:
        with store.reading() as connection:
            row, request = queries.training_job_and_request(connection, name)
    except NotFound as error:
        message = f"There is no training job called {name}. `alfine training-jobs NAME` lists those of a tuning job."
        raise NotFound(message) from error
    if FUNCTION in (request.get(DEFINITION, {}).get("StaticHyperParameters") or {}):
        raise NotFound(f"{name} ran a Python function in the process that called it, so it has no log of its own.")
    log = workspace_of(folder, row).log
    begin, data = part_of(log, begin, lines)
    return LogPart(name, row.status, str(log), begin, data, is_terminal(row.status))
