"""Counts the tries that failed for each training job, so that one that can't go on ends, and nothing else does.

Whatever raises while a training job is prepared, started, observed, packed, delivered or stopped is one failed try. The next try comes
after a pause. After `MOST_TRIES` in a row the engine gives the training job up: it ends as Failed with the text of the error.

While the machine is short of something that comes back (a bucket can't be reached, the disk is full, there are no more descriptors,
processes or memory), the engine goes on trying for as long as it takes; but not once the training job is to be stopped.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from alfine.core.errors import StorageFull
from alfine.core.facts import INTERNAL_ERROR
from alfine.programs.data.locations import may_pass
from alfine.runners.protocol import FAILURE_LIMIT
from alfine.runners.shortages import is_shortage

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
    count: int
    error: Exception
    next_at: float


class Tries:
    """The failed tries of training jobs, by the training job's folder. They are kept when the engine reads a tuning job anew."""

    def __init__(self) -> None:
        self._failed: dict[Path, _FailedTries] = {}

    def is_waiting(self, folder: Path) -> bool:
        """Return whether the pause after the last failed try isn't over."""
        failed = self._failed.get(folder)
        return failed is not None and time.monotonic() < failed.next_at

    def succeeded(self, folder: Path) -> None:
        """Forget the failed tries of a training job, because one has succeeded or because it has ended."""
        self._failed.pop(folder, None)

    def forget(self, folder: Path) -> None:
        """Forget the failed tries of a tuning job's training jobs; folder: that of the tuning job."""
        for known in [known for known in list(self._failed) if known.parent == folder]:
            self._failed.pop(known, None)

    def failed(self, folder: Path, error: Exception) -> None:
        """Count a failed try, log it, and begin the pause before the next."""
        before = self._failed.get(folder)
        count = 1 if before is None else before.count + 1
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * PAUSE_GROWTH ** min(count - 1, MOST_TRIES))
        self._failed[folder] = _FailedTries(count, error, time.monotonic() + pause)
        if before is None or str(before.error) != str(error):
            details = None if _passes(error) else error
            log.warning("training_job=%s: try %d failed: %s", folder.name, count, _text(error), exc_info=details)

    def reason_to_give_up(self, folder: Path, *, stopping: bool) -> str | None:
        """Return the FailureReason of a training job for which every try has failed; None while there is another one.

        Args:
            folder: Its folder.
            stopping: Whether it, or its tuning job, is to be stopped: then no shortage is waited for.
        """
        failed = self._failed.get(folder)
        if failed is None or failed.count < MOST_TRIES or (_passes(failed.error) and not stopping):
            return None
        reason = f"{INTERNAL_ERROR}alfine could not go on with this training job: {_text(failed.error)}. Its files are in {folder}."
        return reason[:FAILURE_LIMIT]


def _passes(error: Exception) -> bool:
    """Return whether an error comes from a shortage on the machine, the disk or a bucket that may pass."""
    return isinstance(error, StorageFull) or may_pass(error) or is_shortage(error)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": .")
