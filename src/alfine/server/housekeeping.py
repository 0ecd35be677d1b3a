"""Housekeeping of a server: applies [retention] to its home once an hour."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from alfine.core.wording import count_of, size
from alfine.jobs.retention import prune
from alfine.store.operating_settings import Retention
from alfine.store.store import Store

log = logging.getLogger("alfine.server.housekeeping")

FIRST_SECONDS = 60.0
"""Seconds from the start of the server to the first time: a wrong setting can still be corrected."""

LEAVE_SECONDS = 2.0
"""Seconds that the end of the server waits for what is being removed; the next server removes what is left."""

EVERY_SECONDS = 3600.0
"""Seconds between two times."""


class Housekeeping:
    """Removes what is old, in a thread of its own. Without a retention it does nothing.

    Args:
        store: Where the jobs are recorded.
        folder: Has a folder for each tuning job.
        retention: What is removed.
        clock: Returns the present instant.
    """

    def __init__(self, store: Store, folder: Path, retention: Retention, clock: Callable[[], datetime]) -> None:
        self._store, self._folder, self._retention, self._clock = store, folder, retention, clock
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        if self._retention:
            self._thread = threading.Thread(target=self._run, name="alfine-housekeeping", daemon=True)
            self._thread.start()

    def leave(self) -> None:
        """Stop; what is being removed is removed."""
        self._leaving.set()
        if self._thread is not None:
            self._thread.join(LEAVE_SECONDS)

    def _run(self) -> None:
        pause = FIRST_SECONDS
        while not self._leaving.wait(pause):
            pause = EVERY_SECONDS
            try:
                self.clean()
            except Exception:  # logged with its traceback; the next time may succeed
                log.exception("can't remove what is old")

    def clean(self) -> None:
        """Remove what is old now."""
        pruned = prune(self._store, self._folder, self._retention, self._clock())
        for failure in pruned.failures:
            log.warning("%s", failure)
        if pruned.removals:
            log.info("removed %s of %s by [retention]", size(pruned.size), count_of(len(pruned.removals)))
