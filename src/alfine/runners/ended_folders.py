"""The folders of training jobs that have ended, on a node. They are kept within a size and an age.

    <root>/<tuning job>/.records             names the records that have the tuning job
    <root>/<tuning job>/<training job>/      the folder of a training job, as job_folder.py describes it

A node names the folders that are beyond the limits, and removes those of which alfine then says that their ends are recorded: before, the
next engine finds the end there, and nowhere else. The size counts folders whose model, checkpoints and log are stored elsewhere (file STORED);
any other stays for the whole age, and longer if it has a model, an output or checkpoints: that may be the only copy.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from alfine.runners import launcher
from alfine.runners.job_folder import remove_job_folder
from alfine.runners.launcher import Beneath
from alfine.runners.node_cache import ANY, USED, CacheLimits, may_run, sizes_below

log = logging.getLogger("alfine.runners.ended_folders")

Names = tuple[str, str]
"""The names of a tuning job and of a training job."""

RECORDS = ".records"
"""The file of a tuning job's folder that names the records of its training jobs."""

STORED = "stored.json"
"""The file among the launcher's that is there once all that a training job has left is stored elsewhere, with its log; the folder's size is
in it, so that nobody has to look at each file again."""

RESULTS = ("opt/ml/model", "opt/ml/output/data", "opt/ml/checkpoints")
"""The folders of a training job with what it was run for."""

LEAVING = ".leaving-"
"""The beginning of the name of a folder that is being removed: what a crash leaves of it isn't taken for a training job's."""

EMPTY_SECONDS = 3600.0
"""How long a tuning job's folder without training jobs stays: the next one may be about to start there."""


@dataclass(frozen=True, slots=True, order=True)
class _Ended:
    """The folder of a training job that has ended, and whether all that it has is stored elsewhere."""

    ended_at: float
    folder: Path
    is_stored: bool


class EndedFolders:
    """Keeps the folders of training jobs that have ended within limits.

    Args:
        root: The folder that has a folder for each tuning job.
        limits: The limits. With ANY nothing is ever removed.
        records: Identifies the records of the training jobs that this process starts. Folders of other records are left alone.
        clock: Returns the seconds since 1970.
    """

    def __init__(self, root: Path, limits: CacheLimits, records: str, clock: Callable[[], float] = time.time) -> None:
        self._root, self._limits, self._records, self._clock = root, limits, records, clock

    def claim(self, tuning_job: str) -> None:
        """Note which records have a tuning job, unless that is noted: to be called before its training jobs start here."""
        mark = self._root / tuning_job / RECORDS
        if self._limits != ANY and not mark.exists():
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.write_text(self._records, encoding="utf-8")

    def beyond_limits(self) -> Sequence[Names]:
        """Return the training jobs whose folders are to go, the one that ended first before others.

        Raises:
            OSError: The folders can't be read.
        """
        if self._limits == ANY:
            return []
        ended = sorted(self._ended())
        oldest = -math.inf if self._limits.most_seconds is None else self._clock() - self._limits.most_seconds
        old = [each for each in ended if each.ended_at < oldest and (each.is_stored or not _has_results(each.folder))]
        too_many = self._beyond_size(each for each in ended if each.ended_at >= oldest and each.is_stored)
        return [(each.folder.parent.name, each.folder.name) for each in (*old, *too_many)]

    def remove(self, names: Iterable[Names]) -> str:
        """Remove folders of training jobs whose ends are recorded, and what earlier calls have left.

        Args:
            names: Some of those that `beyond_limits` has returned.

        Returns:
            The first reason why a folder couldn't be removed; "" where all were.
        """
        troubles = []
        for tuning_job, training_job in names:
            folder = self._root / tuning_job / training_job
            leaving = folder.with_name(f"{LEAVING}{training_job}")
            try:
                if not may_run(folder, self._clock()):
                    folder.rename(leaving)
                    log.info("%s is removed: its training job has ended", folder)
            except FileNotFoundError:  # another slot of this machine was quicker
                continue
            except OSError as error:
                troubles.append(str(error))
        for own in self._own_tuning_jobs():
            troubles += self._cleared(own)
        return troubles[0] if troubles else ""

    def _beyond_size(self, stored: Iterable[_Ended]) -> Iterator[_Ended]:
        """Yield the first of several folders, those without which the others are within the size."""
        if self._limits.most_bytes is None:
            return
        sizes = {each: _size(each.folder) for each in stored}
        excess = sum(sizes.values()) - self._limits.most_bytes
        for each, size in sizes.items():
            if excess <= 0:
                return
            yield each
            excess -= size

    def _own_tuning_jobs(self) -> Iterator[Path]:
        """Yield the folders of tuning jobs that are in this process's records."""
        for mark in self._root.glob(f"*/{RECORDS}"):
            if mark.read_text(encoding="utf-8") == self._records:
                yield mark.parent

    def _ended(self) -> Iterator[_Ended]:
        now = self._clock()
        for tuning_job in self._own_tuning_jobs():
            for control in tuning_job.glob(f"[!.]*/{launcher.CONTROL}"):
                with suppress(FileNotFoundError):  # another slot of this machine has removed it meanwhile
                    if not may_run(control.parent, now):
                        end = control / launcher.EXIT
                        ended_at = (end if end.exists() else control).stat().st_mtime
                        yield _Ended(ended_at, control.parent, (control / STORED).exists())

    def _cleared(self, tuning_job: Path) -> Iterator[str]:
        """Remove what is to leave a tuning job's folder, and the folder where it is empty. Yield why that isn't possible."""
        for leaving in tuning_job.glob(f"{LEAVING}*"):
            try:
                remove_job_folder(leaving)
            except OSError as error:
                yield str(error)
        names = {entry.name for entry in os.scandir(tuning_job)}
        if names <= {RECORDS, USED} and tuning_job.stat().st_mtime < self._clock() - EMPTY_SECONDS:
            for name in names:
                (tuning_job / name).unlink(missing_ok=True)
            with suppress(OSError):  # a training job starts there just now
                tuning_job.rmdir()


def note_stored(folder: Path) -> None:
    """Note that all that a training job has left is stored elsewhere, with its log, and how large its folder is.

    Args:
        folder: The training job's folder.
    """
    with suppress(OSError):  # its folder is only kept for longer
        size = sum(sizes_below([folder]).values())
        launcher.write_json(launcher.control_path(str(folder), STORED), {"bytes": size})


def _has_results(folder: Path) -> bool:
    """Return whether a training job has left a model, an output or checkpoints in its folder, as far as anybody can tell."""
    try:
        with Beneath.at(folder) as opened:
            return any(_has_files(opened, name) for name in RESULTS)
    except FileNotFoundError:  # another slot of this machine has removed it meanwhile
        return False


def _has_files(folder: Beneath, name: str) -> bool:
    try:
        with folder.folder(name) as inner:
            return bool(inner.names())
    except FileNotFoundError:
        return False
    except OSError:  # it can't be looked at, or has too many files
        return True


def _size(folder: Path) -> int:
    """Return the size of a folder of which all is stored elsewhere, as `note_stored` has noted it."""
    size = None
    with suppress(OSError):  # a plain process can have replaced the file by something else
        size = (launcher.read_json(launcher.control_path(str(folder), STORED)) or {}).get("bytes")
    return size if isinstance(size, int) else 0
