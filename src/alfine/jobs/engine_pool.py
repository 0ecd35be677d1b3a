"""Runs the tuning jobs of a home side by side, each by the engine in a thread of its own, until told to leave.

Leaving ends no training job: each engine lets go of its tuning job, and the next alfine finds what runs on.
"""

from __future__ import annotations

import logging
import threading

from alfine.core.errors import InUse, InvalidSpec, NotFound
from alfine.jobs.engine import Engine, Run

log = logging.getLogger("alfine.jobs.engine_pool")

LOOK_SECONDS = 1.0  # between two looks for tuning jobs that other processes have made in this home
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0  # seconds before a tuning job whose engine broke is tried again
MISSING_DELAY = 5.0  # … or one whose files aren't there


class _Left(BaseException):
    """Told to leave: unwinds an engine's loop between two steps."""


class Hosting:
    """`run(name)` starts a tuning job or goes on with it; `leave()` lets go of all."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads: dict[str, threading.Thread] = {}
        self._mutex = threading.Lock()
        self._leaving = threading.Event()
        self._seen: set[str] = set()
        self._watch: threading.Thread | None = None

    def run_all(self) -> None:
        """Go on with every tuning job that hasn't ended, and with those to come."""
        for name in self._engine.store.unfinished():
            self._seen.add(name)
            self.run(name)
        self._watch = threading.Thread(target=self._look, name="alfine-look", daemon=True)
        self._watch.start()

    def _look(self) -> None:
        """Run what other processes make, at the second look: whoever made it to run it itself comes first."""
        before: set[str] = set()
        while not self._leaving.wait(LOOK_SECONDS):
            try:
                there = set(self._engine.store.unfinished())
            except Exception:
                log.exception("can't look for new tuning jobs")
                continue
            self._seen &= there
            for name in (there & before) - self._seen:
                self._seen.add(name)
                self.run(name)
            before = there

    def run(self, name: str) -> None:
        """Run a tuning job, unless it's being run here already."""
        with self._mutex:
            running = self._threads.get(name)
            if self._leaving.is_set() or (running is not None and running.is_alive()):
                return
            thread = threading.Thread(target=self._live, args=(name,), name=f"alfine-{name}", daemon=True)
            self._threads = {other: each for other, each in self._threads.items() if each.is_alive()}
            self._threads[name] = thread
            thread.start()

    def leave(self, patience: float) -> None:
        """Return once no tuning job is run here any more, after `patience` seconds at the latest."""
        self._leaving.set()
        self._engine.wake.set()
        with self._mutex:
            threads = [*self._threads.values(), *([self._watch] if self._watch else [])]
        share = patience / max(1, len(threads))
        for thread in threads:
            thread.join(share)

    def _live(self, name: str) -> None:
        """The rim of the engine: whatever breaks is logged with the job's name, and tried again."""
        delay, said = FIRST_DELAY, ""
        while not self._leaving.is_set():
            try:
                self._engine.run(name, self._after_step)
            except (_Left, NotFound):
                return
            except (
                InvalidSpec
            ) as error:  # its code is gone, say: it may come back, and the user may stop the job meanwhile
                if self._engine.end_if_stopped(name):
                    return
                if str(error) != said:
                    log.warning("can't run tuning_job=%s here, trying again: %s", name, error)
                said, delay = str(error), min(delay, MISSING_DELAY)
            except InUse as error:
                log.info("tuning_job=%s: %s", name, error)
            except Exception:
                log.exception("the engine broke tuning_job=%s, trying again in %g s", name, delay)
            else:
                return
            self._leaving.wait(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    def _after_step(self, run: Run) -> None:  # noqa: ARG002 - what the engine calls
        if self._leaving.is_set():
            raise _Left
