"""Counts the tries that failed for each training job, so that one that can't go on ends, and nothing else does.

Whatever raises while a training job is prepared, started, observed, packed, delivered or stopped is one failed try. The next try comes
after a pause. After `MOST_TRIES` in a row the engine gives the training job up: it ends as Failed with the text of the error. The number is
recorded, so that a training job on which every process of alfine fails isn't tried for ever.

While the machine is short of something that comes back (a bucket can't be reached, the disk is full, there are no more descriptors,
processes or memory), the engine goes on trying for as long as it takes; but not once the training job is to be stopped.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alfine.core.errors import StorageFull, StoreBusy
from alfine.core.facts import INTERNAL_ERROR
from alfine.runners.protocol import FAILURE_LIMIT
from alfine.runners.shortages import is_shortage
from alfine.runners.storage.locations import may_pass

log = logging.getLogger("alfine.jobs.tries")

MOST_TRIES = 5
"""Tries that fail in a row before a training job is given up."""

FIRST_PAUSE_SECONDS = 0.1
"""Pause after the first failed try; each further one is `PAUSE_GROWTH` times as long."""

PAUSE_GROWTH = 3.0

LONGEST_PAUSE_SECONDS = 5.0
"""Longest pause. It also bounds how long a training job that waits for a bucket takes to notice that it is to be stopped."""


@dataclass(slots=True)
class _FailedTries:
    """The tries of one training job that failed in a row.

    Attributes:
        count: How many.
        lasting: How many of them failed by an error that doesn't pass by itself.
        error: The last error; None where an earlier process of alfine saw it.
        next_at: Monotonic seconds from which the next try is made.
        told: Whether `due` has returned it.
    """

    count: int
    lasting: int
    error: Exception | None = None
    next_at: float = 0.0
    told: bool = False


class Tries:
    """The failed tries of training jobs, by the training job's folder. They are kept when the engine reads a tuning job anew.

    Args:
        keep: Records the number of failed tries of a training job, by its folder: so that they end it after a restart, too.
    """

    def __init__(self, keep: Callable[[Path, int], None]) -> None:
        self._keep = keep
        self._failed: dict[Path, _FailedTries] = {}

    def restore(self, folder: Path, counts: Mapping[str, int]) -> None:
        """Take over the failed tries that an earlier process recorded.

        Args:
            folder: The tuning job's folder.
            counts: Their number, by the training job's name.
        """
        for name, count in counts.items():
            self._failed.setdefault(folder / name, _FailedTries(count, count))

    def is_waiting(self, folder: Path) -> bool:
        """Return whether the pause after the last failed try isn't over."""
        failed = self._failed.get(folder)
        return failed is not None and time.monotonic() < failed.next_at

    def due(self, folder: Path) -> set[str]:
        """Return the names of the training jobs whose next try is due, each once a try.

        Args:
            folder: The tuning job's folder.
        """
        names: set[str] = set()
        for known, failed in list(self._failed.items()):
            if known.parent == folder and not failed.told and failed.next_at <= time.monotonic():
                failed.told = True
                names.add(known.name)
        return names

    def seconds_to_next(self, folder: Path) -> float:
        """Return the seconds until `due` has something to return; infinity where nothing waits.

        Args:
            folder: The tuning job's folder.
        """
        waiting = [
            failed.next_at for known, failed in list(self._failed.items()) if known.parent == folder and not failed.told
        ]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else math.inf

    def is_short(self, folder: Path) -> bool:
        """Return whether the machine is short of something that a training job needs.

        Args:
            folder: The tuning job's folder.
        """
        errors = (failed.error for known, failed in list(self._failed.items()) if known.parent == folder)
        return any(error is not None and is_shortage(error) for error in errors)

    def succeeded(self, folder: Path) -> None:
        """Forget the failed tries of a training job, because one has succeeded or because it has ended."""
        failed = self._failed.pop(folder, None)
        if failed is not None and failed.lasting:
            self._record(folder, 0)

    def forget(self, folder: Path) -> None:
        """Forget the failed tries of a tuning job's training jobs.

        Args:
            folder: The tuning job's folder.
        """
        for known in [known for known in list(self._failed) if known.parent == folder]:
            self._failed.pop(known, None)

    def failed(self, folder: Path, error: Exception) -> None:
        """Count a failed try, log it, and begin the pause before the next."""
        known = self._failed.get(folder)
        before = known or _FailedTries(0, 0)
        passes = may_come_right(error)
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * PAUSE_GROWTH ** min(before.count, MOST_TRIES))
        lasting = before.lasting if passes else before.lasting + 1
        self._failed[folder] = _FailedTries(before.count + 1, lasting, error, time.monotonic() + pause)
        if str(before.error) != str(error):
            details = None if passes else error
            log.warning(
                "training_job=%s: try %d failed: %s", folder.name, before.count + 1, error_text(error), exc_info=details
            )
        if lasting != before.lasting:
            self._record(folder, lasting)

    def _record(self, folder: Path, count: int) -> None:
        try:
            self._keep(folder, count)
        except Exception as error:  # noqa: BLE001 - this process still knows the number; only a restart begins anew
            log.warning("training_job=%s: its failed tries can't be recorded: %s", folder.name, error_text(error))

    def reason_to_give_up(self, folder: Path, *, stopping: bool) -> str | None:
        """Return the FailureReason of a training job for which every try has failed; None while there is another one.

        Args:
            folder: Its folder.
            stopping: Whether it, or its tuning job, is to be stopped: then no shortage is waited for.
        """
        failed = self._failed.get(folder)
        if failed is None or (failed.count if stopping else failed.lasting) < MOST_TRIES:
            return None
        why = f"{failed.count} tries failed" if failed.error is None else error_text(failed.error)
        reason = f"{INTERNAL_ERROR}alfine could not go on with this training job: {why}. Its files are in {folder}."
        return reason[:FAILURE_LIMIT]


def may_come_right(error: Exception) -> bool:
    """Return whether an error comes right by itself: the machine, the disk or a bucket is short of something that comes back."""
    return isinstance(error, StorageFull | StoreBusy) or may_pass(error) or is_shortage(error)


def error_text(error: Exception) -> str:
    """Return the type and the message of an error, without a full stop."""
    return f"{type(error).__name__}: {error}".rstrip(": .")
