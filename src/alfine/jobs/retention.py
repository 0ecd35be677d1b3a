"""Retention: removes the files of tuning jobs that have ended, or these tuning jobs altogether, by age and by size.

Only tuning jobs that have ended are touched, and of them only training jobs that have ended. Files are removed as `alfine delete` removes
them: by descriptors, following no link, beneath the folder of tuning jobs. An empty folder stays in place of removed files, so that
`alfine doctor --check` doesn't take them for lost.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path

from alfine.core.arns import name_as_created
from alfine.core.errors import AlfineError, InUse, InvalidSpec, NotFound, NotTerminal
from alfine.jobs.delete import delete_training_job, delete_tuning_job
from alfine.jobs.describe import best_of
from alfine.jobs.disk_usage import size_of
from alfine.runners.job_folder import remove_job_folder
from alfine.runners.launcher.beneath import Beneath
from alfine.store import queries
from alfine.store.ended import EndedTrainingJob, ended_training_jobs
from alfine.store.operating_settings import Retention
from alfine.store.store import Store

log = logging.getLogger("alfine.jobs.retention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One training job whose files, or all of which, are to be removed.

    Attributes:
        job: The training job.
        folder: Its folder.
        size: How many bytes of the disk that takes.
    """

    job: EndedTrainingJob
    folder: Path
    size: int


@dataclass(slots=True)
class Pruned:
    """Training jobs that a retention removes, or has removed.

    Attributes:
        removals: The training jobs, the oldest first.
        kept_best: How many best training jobs were kept though their tuning jobs are old.
        failures: What couldn't be removed, in a sentence each.
    """

    removals: list[Removal] = field(default_factory=list)
    kept_best: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The bytes of all removals."""
        return sum(removal.size for removal in self.removals)

    @property
    def tuning_jobs(self) -> int:
        """The number of tuning jobs that they belong to."""
        return len({removal.job.tuning_job for removal in self.removals})


def plan(store: Store, folder: Path, retention: Retention, now: datetime) -> Pruned:
    """Return what a retention removes. Nothing is changed.

    Args:
        store: Where the jobs are recorded.
        folder: Has a folder for each tuning job.
        retention: What is removed.
        now: The present instant.
    """
    pruned = Pruned()
    with store.reading() as connection:
        ended = ended_training_jobs(connection)
    total = size_of(folder) if retention.bytes is not None else 0
    excess = total - (retention.bytes if retention.bytes is not None else total)
    for tuning_job, group in groupby(ended, key=lambda job: job.tuning_job):
        jobs = list(group)
        is_old = retention.age is not None and jobs[0].tuning_job_ended_at < now - retention.age
        if not is_old and excess <= 0:
            continue
        best = _best(store, tuning_job) if retention.keep_best and retention.what == "files" else None
        for removal in _removals(folder, jobs, with_records=retention.what == "jobs"):
            if best is not None and removal.job.name in best:
                pruned.kept_best += 1
                continue
            pruned.removals.append(removal)
            excess -= removal.size
    return pruned


def _removals(folder: Path, jobs: Sequence[EndedTrainingJob], *, with_records: bool) -> Iterator[Removal]:
    for job in jobs:
        place = folder / name_as_created(job.tuning_job_name) / job.name
        has_files = _has_files(place)
        if has_files or with_records:
            yield Removal(job=job, folder=place, size=size_of(place) if has_files else 0)


def _has_files(folder: Path) -> bool:
    try:
        with Beneath.at(folder) as opened:
            return bool(opened.names())
    except (FileNotFoundError, NotADirectoryError):
        return False  # there is no such folder: it was removed before, or lies on another server
    except OSError:
        return True  # removing it tells what is wrong with it


def _best(store: Store, tuning_job: int) -> frozenset[str]:
    """Return the name of the best training job of a tuning job; of one that can't be judged here, of all: all are kept."""
    with store.reading() as connection:
        try:
            job = queries.tuning_job(connection, tuning_job)
            best = best_of(connection, job, job.spec())
        except InvalidSpec as error:
            log.info("the files of tuning_job=%s are kept, since its best can't be told: %s", job.name, error)
            return frozenset(row.name for row in queries.training_jobs_of(connection, tuning_job))
    return frozenset() if best is None else frozenset({best.name})


def prune(store: Store, folder: Path, retention: Retention, now: datetime) -> Pruned:
    """Remove what `plan` returns, and return what was removed. Arguments are those of `plan`."""
    pruned = plan(store, folder, retention, now)
    done: list[Removal] = []
    for tuning_job, group in groupby(pruned.removals, key=lambda removal: removal.job.tuning_job):
        removals = list(group)
        try:
            if retention.what == "jobs":
                _remove_jobs(store, folder, removals)
                done += removals
            elif not _is_running(store, tuning_job):
                done += [removal for removal in removals if _emptied(removal, pruned.failures)]
        except (NotFound, NotTerminal, InUse):  # it was deleted, or is resumed, meanwhile
            continue
        except AlfineError as error:
            pruned.failures.append(str(error))
    pruned.removals = done
    return pruned


def _is_running(store: Store, tuning_job: int) -> bool:
    with store.reading() as connection:
        return not queries.tuning_job(connection, tuning_job).ended


def _emptied(removal: Removal, failures: list[str]) -> bool:
    """Remove the files of one training job; return False, with the reason among the failures, if that isn't possible."""
    try:
        remove_job_folder(removal.folder)
        removal.folder.mkdir()
    except OSError as error:
        failures.append(f"the files of the training job {removal.job.name} can't be removed: {error}")
        return False
    return True


def _remove_jobs(store: Store, folder: Path, removals: Sequence[Removal]) -> None:
    """Delete a tuning job with its files; of a deleted one, and of a training job on its own, the training jobs that are left."""
    first = removals[0].job
    if first.listed:
        delete_tuning_job(store, first.tuning_job_name, folder)
        return
    for removal in removals:
        delete_training_job(store, removal.job.name)
        try:
            remove_job_folder(removal.folder)
        except OSError as error:
            raise AlfineError(f"the files of the training job {removal.job.name} can't be removed: {error}") from error
