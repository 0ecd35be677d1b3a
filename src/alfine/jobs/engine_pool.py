"""Runs the tuning jobs of a store side by side: each in a thread of its own, by one engine."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from queue import SimpleQueue

from alfine.core.errors import Fenced, InUse, InvalidSpec, NotFound, StorageFull, StoreBusy, StoreUnusable
from alfine.core.wording import duration
from alfine.jobs import failed_runs
from alfine.jobs.engine import Engine
from alfine.jobs.measures import EngineMeasures
from alfine.jobs.run import Run

log = logging.getLogger("alfine.jobs.engine_pool")

LOOK_SECONDS = 1.0
"""Time between two looks for tuning jobs that no engine runs: other processes have created them, or have ended."""

OPENED_AT_ONCE = 2
"""Tuning jobs that are opened at the same time, of those that no engine runs: opening one takes some 10 ms of CPU, and a server whose home
has a thousand is to answer meanwhile. What a request creates doesn't wait for them."""

PATIENCE_SECONDS = 2.0
"""Longest time that the next one waits for those that are being opened: one may wait for a network."""

HAND_OVER_SECONDS = 10.0
"""Time for which a tuning job that was given to the server of another node isn't taken back."""

FIRST_DELAY = 1.0
"""Seconds before a tuning job whose engine failed is tried again; each further time it is twice as long."""

LONGEST_DELAY = 60.0
"""Seconds between two tries at most."""

SILENT_SECONDS = 30.0
"""Seconds without a look for tuning jobs from which on the pool is in trouble: longer than the pause before a look that waits for a busy
database."""

STUCK_SECONDS = 300.0
"""Seconds of one step from which on the pool is in trouble: longer than a suggestion takes after 10,000 training jobs."""

MISSING_DELAY = 5.0
"""Seconds between two tries at most, if what its training jobs run is missing: the user may put it back any time."""


class _Leaving(BaseException):
    """Ends the loop of a tuning job between two steps."""


class EnginePool:
    """Runs tuning jobs in threads until it is told to leave.

    To leave ends no training job: each tuning job is given back, and the next alfine process finds what runs on.

    Args:
        engine: The engine that runs all of them.

    Example:
        >>> pool = EnginePool(home.engine())
        >>> pool.run_all()
        >>> pool.leave(10.0)
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads: dict[str, threading.Thread] = {}
        self._mutex = threading.Lock()
        self._leaving = threading.Event()
        self._look_now = threading.Event()
        self._left: dict[str, float] = {}  # since when nobody has run it, in monotonic seconds
        self._handed_over: dict[str, float] = {}  # when, in monotonic seconds
        self._queue: SimpleQueue[str | None] = (
            SimpleQueue()
        )  # of tuning jobs that wait to be opened; None: there is no more
        self._queued: set[str] = set()
        self._heard: SimpleQueue[str] = SimpleQueue()  # of tuning jobs that users have asked something of
        self._opening: set[str] = set()
        self._one_is_open = threading.Condition()
        self._beating = ExitStack()
        self._watcher: threading.Thread | None = None
        self._looked_at = time.monotonic()

    @property
    def measures(self) -> EngineMeasures:
        """The measurements of its engine."""
        return self._engine.measures

    @property
    def trouble(self) -> str:
        """The reason why tuning jobs don't go on, for people; "" while they do."""
        if self._leaving.is_set():
            return "The server is leaving."
        silent = time.monotonic() - self._looked_at
        if silent > SILENT_SECONDS:
            return f"The engine has not looked for tuning jobs for {duration(silent)}."
        if (longest := self.measures.longest_step_seconds) > STUCK_SECONDS:
            return f"A step of the engine has taken {duration(longest)} so far."
        return ""

    def run_all(self) -> None:
        """Run every tuning job that has not ended, and those that other processes will create, together with other servers."""
        self._beating.enter_context(self._engine.ownership.beating())
        self._engine.ownership.beat()
        threading.Thread(target=self._open_queued, name="alfine-open", daemon=True).start()
        self._watcher = threading.Thread(target=self._watch, name="alfine-watch", daemon=True)
        self._watcher.start()

    def run(self, name: str) -> None:
        """Run a tuning job, unless this pool runs it already, or another server has less to do."""
        try:
            if name in self._threads or not self._engine.ownership.leave_to_others(name):
                self._begin(name)
        except InUse as error:  # another server was quicker
            log.info("tuning_job=%s: %s", name, error)
        except (StorageFull, StoreBusy) as error:  # it may be claimed by now, and then no other server takes it
            log.info("tuning_job=%s can't be offered to other servers: %s", name, error)
            self._begin(name)

    def _begin(self, name: str) -> bool:
        """Run a tuning job in a thread of its own; return False where one runs it already, or there can be none now."""
        with self._mutex:
            running = self._threads.get(name)
            if self._leaving.is_set() or (running is not None and running.is_alive()):
                return False
            thread = threading.Thread(target=self._run_in_thread, args=(name,), name=f"alfine-{name}", daemon=True)
            self._threads = {other: alive for other, alive in self._threads.items() if alive.is_alive()}
            self._threads[name] = thread
            try:
                thread.start()
            except RuntimeError as error:  # there can be no more threads at present: the watcher runs it later
                log.warning("can't run tuning_job=%s yet: %s", name, error)
                return False
            return True

    def leave(self, patience: float) -> None:
        """Give back all tuning jobs; return once that is done, after `patience` seconds at the latest."""
        self._leaving.set()
        self._look_now.set()
        self._queue.put(None)
        self._engine.wake.set_all()
        with self._mutex:
            threads = [*self._threads.values(), *([self._watcher] if self._watcher else [])]
        share = patience / max(1, len(threads))
        for thread in threads:
            thread.join(share)
        self._beating.close()

    def _watch(self) -> None:
        with self._engine.store.announcements.heard_by(self._hear):
            self._look_again_and_again()

    def _hear(self, name: str | None) -> None:
        if name is not None:
            self._heard.put(name)
        self._look_now.set()

    def _look_again_and_again(self) -> None:
        at_start = True
        while not self._leaving.is_set():
            try:
                self._look(at_start=at_start)
                at_start = False
                self._end_leftovers()
                self._looked_at = time.monotonic()
            except StoreBusy as error:
                log.warning("can't look for new tuning jobs yet: %s", error)
            except Exception:  # logged with its traceback; the next look may succeed
                log.exception("can't look for new tuning jobs")
            self._look_now.wait(LOOK_SECONDS)
            self._look_now.clear()

    def _look(self, *, at_start: bool) -> None:
        """Run this server's share of the tuning jobs that no engine runs, and what others have left for a while.

        A new one is left at first: a process that runs its own job claims it at once.

        Args:
            at_start: Whether to take the new ones as well: they are older than this server.
        """
        now, ownership = time.monotonic(), self._engine.ownership
        self._hand_over(ownership.elsewhere(), now)
        free = [job for job in ownership.claimable() if job.name not in self._handed_over]
        share = ownership.share(free) if free else 0
        self._left = {job.name: self._left.get(job.name, now) for job in free}
        for job in free:
            is_mine = share > 0 and (at_start or not job.is_new)
            if is_mine or now - self._left[job.name] >= LOOK_SECONDS:
                self._enqueue(job.name)
                share -= 1

    def _end_leftovers(self) -> None:
        """Kill what runs here of the tuning jobs that another machine has ended, of those that users have asked something of."""
        while not self._heard.empty():
            with suppress(NotFound):  # it isn't the name of a tuning job, or that was deleted
                self._engine.end_leftovers(self._heard.get())

    def _enqueue(self, name: str) -> None:
        if name not in self._queued:
            self._queued.add(name)
            self._queue.put(name)

    def _open_queued(self) -> None:
        """Begin the queued tuning jobs in turn, a few at the same time: each has its turn until its first step is done."""
        while (name := self._queue.get()) is not None and not self._leaving.is_set():
            with self._one_is_open:
                self._one_is_open.wait_for(lambda: len(self._opening) < OPENED_AT_ONCE, PATIENCE_SECONDS)
                self._opening.add(name)
            if not self._begin(name):
                self._note_open(name)
            self._queued.discard(name)

    def _note_open(self, name: str) -> None:
        """Note that a tuning job is open, or can't be opened: the next one has its turn."""
        if name in self._opening:
            with self._one_is_open:
                self._opening.discard(name)
                self._one_is_open.notify()

    def _hand_over(self, names: Iterable[str], now: float) -> None:
        """Give back tuning jobs to the servers of the nodes on which their training jobs run, and don't take them at once again."""
        late = now - HAND_OVER_SECONDS
        self._handed_over = {name: since for name, since in self._handed_over.items() if since > late}
        for name in names:
            self._handed_over.setdefault(name, now)
            self._engine.wake.set(name)

    def _run_in_thread(self, name: str) -> None:
        try:
            self._keep_running(name)
        finally:
            self._note_open(name)

    def _keep_running(self, name: str) -> None:
        """Run a tuning job to its end. Whatever fails is logged with its name, and tried again."""
        delay, last_message, was_stopping = FIRST_DELAY, "", False
        while not self._leaving.is_set():
            try:
                self._engine.run(name, self._after_step)
            except (_Leaving, NotFound):
                return
            except (
                InvalidSpec,
                StoreUnusable,
            ) as error:  # its code is gone, for example: it may come back, and the user may stop it
                if str(error) != last_message:
                    log.warning("can't run tuning_job=%s here, trying again: %s", name, error)
                last_message, delay = str(error), min(delay, MISSING_DELAY)
            except (InUse, Fenced) as error:  # it is run again once nobody else does
                log.info("tuning_job=%s: %s", name, error)
                return
            except (
                Exception
            ) as error:  # logged with its traceback, and tried again: one tuning job mustn't end the server
                log.exception("the engine broke tuning_job=%s, trying again in %g s", name, delay)
                if self._ends_job(name, error):
                    log.error("tuning_job=%s has failed: it could not be run", name)  # noqa: TRY400 - the traceback stands above
                    return
            else:
                return
            self._note_open(name)
            self._wait(name, delay, was_stopping=was_stopping)
            was_stopping = was_stopping or self._is_stopping(name)
            delay = min(2 * delay, LONGEST_DELAY)

    def _ends_job(self, name: str, error: Exception) -> bool:
        try:
            return failed_runs.ends_job(self._engine, name, error)
        except Exception:  # logged with its traceback; the next failure is counted, or ends the job
            log.exception("can't count the failures of tuning_job=%s", name)
            return False

    def _wait(self, name: str, seconds: float, *, was_stopping: bool) -> None:
        """Wait before a tuning job is tried again, but not once the user asks to stop it."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._leaving.wait(min(left, LOOK_SECONDS)):
            if not was_stopping and self._is_stopping(name):
                return

    def _is_stopping(self, name: str) -> bool:
        try:
            return self._engine.store.get(name).status == "Stopping"
        except Exception as error:  # noqa: BLE001 - the next try fails in the same way, and logs it
            log.debug("can't look at tuning_job=%s: %s", name, error)
            return False

    def _after_step(self, run: Run) -> None:
        self._note_open(run.spec.name)
        if self._leaving.is_set() or run.spec.name in self._handed_over:
            raise _Leaving
