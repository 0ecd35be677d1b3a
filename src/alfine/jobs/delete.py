"""Deleting tuning jobs and training jobs, once they have ended, with or without their files."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from alfine.core.errors import AlfineError, InUse, NotTerminal
from alfine.core.facts import is_terminal
from alfine.runners.job_folder import remove_job_folder
from alfine.runners.node_cache import INPUTS
from alfine.store import queries
from alfine.store.store import Store


def delete_tuning_job(store: Store, name: str, folder: Path | None) -> None:
    """Delete a tuning job and its training jobs.

    Args:
        store: Where it is recorded.
        name: Its name.
        folder: Where the files of tuning jobs lie: logs and models of its training jobs are deleted, too. Those of an earlier, detached
            job of the same name stay. None deletes no file.

    Raises:
        NotFound: There is no such tuning job.
        NotTerminal: It has not ended.
        AlfineError: It is deleted, but some of its files couldn't be.
    """
    _check_ended(store, name)
    training_jobs = store.delete(name)
    if folder is None:
        return
    if left := [error for part in (*training_jobs, INPUTS) if (error := _removed(folder / name / part))]:
        raise AlfineError(
            f"The tuning job {name} is deleted, but not all of its files in {folder / name}: {left[0]}. Remove them yourself."
        )
    with suppress(OSError):  # it isn't empty: files of an earlier job of this name stay
        (folder / name).rmdir()


def _removed(folder: Path) -> OSError | None:
    """Remove a folder with everything in it, and return the first reason why that wasn't possible."""
    try:
        remove_job_folder(folder)
    except OSError as error:
        return error
    return None


def detach_tuning_job(store: Store, name: str) -> None:
    """Delete a tuning job as AMT does: its training jobs stay, with their logs and models. Raises as `delete_tuning_job`."""
    _check_ended(store, name)
    store.detach(name)


def delete_training_job(store: Store, name: str) -> None:
    """Delete a training job whose tuning job was deleted before, or that had none; its log and model stay.

    Raises:
        NotFound: There is no such training job.
        InUse: It has not ended, or its tuning job is there.
    """
    with store.reading() as connection:
        row = queries.training_job(connection, name)
    if not is_terminal(row.status):
        raise InUse(f"The training job {name} is in status {row.status}. Stop it first.")
    if row.listed:
        raise InUse(
            f"The training job {name} belongs to the tuning job {row.tuning_job_name}. Delete the tuning job first."
        )
    store.delete_training_job(row.tuning_job, row.number)


def _check_ended(store: Store, name: str) -> None:
    status = store.get(name).status
    if not is_terminal(status):
        raise NotTerminal(f"The tuning job {name} is not in a terminal state ({status}). Stop it first.")
