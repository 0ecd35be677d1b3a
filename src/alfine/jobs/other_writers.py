"""Notices what others record about the tuning jobs that an engine runs: a user who stops or changes one, from any process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from alfine.jobs.wake import Wake
from alfine.store.store import Store

log = logging.getLogger("alfine.jobs.other_writers")

LOOK_SECONDS = 0.2
"""Time between two looks: so long a stop that another process asked for waits."""

ANNOUNCED_LOOK_SECONDS = 10.0
"""The same where the database announces what users ask for: only what was announced while it was away needs a look."""


class OtherWriters:
    """Rings the bells of tuning jobs about which more is recorded than their engine knows: one question for all of them.

    Args:
        store: The store.
        wake: The bells.
    """

    def __init__(self, store: Store, wake: Wake) -> None:
        self._store = store
        self._wake = wake
        self._mutex = threading.Lock()
        self._known: dict[
            int, tuple[str, int]
        ] = {}  # the name of each tuning job, and the number of facts that its engine knows
        self._look_now = threading.Event()
        self._runs = False
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, name: str, job: int, facts: int) -> Iterator[None]:
        """Watch a tuning job for as long as it is run.

        Args:
            name: The tuning job.
            job: The tuning job's id.
            facts: How many facts of it its engine has read.
        """
        with self._mutex:
            self._known[job] = (name, facts)
            begins, self._runs = not self._runs, True
        try:
            if begins:
                self._begin()
            yield
        finally:
            with self._mutex:
                self._known.pop(job, None)

    def knows(self, job: int, facts: int) -> None:
        """Note how many facts of a tuning job its engine knows.

        Args:
            job: The tuning job's id.
        """
        with self._mutex:
            if job in self._known:
                self._known[job] = (self._known[job][0], facts)

    def look(self) -> None:
        """Look at once, since somebody in this process has recorded something."""
        self._look_now.set()

    def close(self) -> None:
        """Watch nothing any more, and return once the database isn't looked at."""
        with self._mutex:
            self._known.clear()
            thread = self._thread
        self._look_now.set()
        if thread is not None:
            thread.join()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._look_again_and_again, name="alfine-others", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # there can be no more threads at present: the next tuning job tries again
            self._runs, self._thread = False, None

    def _look_again_and_again(self) -> None:
        pause = ANNOUNCED_LOOK_SECONDS if self._store.announcements.are_made else LOOK_SECONDS
        with self._store.commits() as count, self._store.announcements.heard_by(self._heard):
            last: int | None = None
            while True:
                with self._mutex:
                    self._runs = bool(self._known)
                    if not self._known:
                        return
                try:
                    now = count()
                    if now is None or now != last:
                        self._look()
                    last = now
                except Exception as error:  # noqa: BLE001 - each engine also looks by itself, more rarely, and says what fails
                    log.debug("can't look at what others recorded: %s", error)
                self._look_now.wait(pause)
                self._look_now.clear()

    def _heard(self, name: str | None) -> None:
        if name is None:
            self.look()
        else:
            self._wake.set(name)

    def _look(self) -> None:
        counts = self._store.facts_of_unfinished()
        with self._mutex:
            behind = [name for job, (name, known) in self._known.items() if counts.get(job) != known]
        for name in behind:
            self._wake.set(name)
