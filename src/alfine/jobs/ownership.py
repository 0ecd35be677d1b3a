"""The tuning jobs that an engine owns: it claims them, says that it lives, and notices in time that it may have lost them.

An engine that was frozen (SIGSTOP, a sleeping laptop, a paused virtual machine) or cut off from the database doesn't know that another
one has taken over. So before it starts or stops anything it looks at the clock: within `Store.silence` of its last heartbeat nobody can
have claimed what it owns. After that it asks the store, and lets go of what it has lost.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from alfine.core.errors import AlfineError, InUse
from alfine.jobs.lease_owner import is_alive, new_owner
from alfine.jobs.run import Run
from alfine.store.leases import Claimable
from alfine.store.store import Store

log = logging.getLogger("alfine.jobs.ownership")

MARGIN = timedelta(seconds=2)
"""How much earlier than others an engine takes itself for silent: starting or stopping a training job may take so long."""


def _since_boot() -> float:
    """Return seconds of a clock that goes on while the process or the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Ownership:
    """The tuning jobs of one engine.

    Args:
        store: Where they are recorded.
        node: Where the engine's training jobs run and are found again: `node_of`.
        clock: Seconds of a clock that never stops.
        beat_seconds: Time between two heartbeats; None: that of the store.

    Attributes:
        engine: The id of the engine.
        url: Where it can be reached; None where it serves nobody.
    """

    def __init__(
        self, store: Store, node: str, clock: Callable[[], float] = _since_boot, beat_seconds: float | None = None
    ) -> None:
        self.engine = new_owner()
        self.node = node
        self.url: str | None = None
        self._store = store
        self._clock = clock
        self._beat_seconds = beat_seconds or store.heartbeat.total_seconds()
        self._mutex = threading.Lock()
        self._beaten_at = float("-inf")
        self._gap_ended_at = float("-inf")
        self._confirmed: dict[str, int] = {}
        self._owed: dict[str, int] = {}  # the epochs of tuning jobs that couldn't be given back
        self._begins_or_ends = threading.Lock()  # of blocks that say that it runs
        self._users = 0
        self._over = threading.Event()
        self._heart: threading.Thread

    # -- tuning jobs ---------------------------------------------------------------------------------------------

    def claim(self, name: str) -> int:
        """Claim a tuning job, and return the epoch of the claim.

        Raises:
            InUse: Another engine runs it.
            NotFound: There is none of that name.
        """
        sent_at = self._clock()
        epoch = self._store.claim(name, self.engine, self.node, is_alive)
        if epoch is None:
            raise InUse(
                f"tuning job {name} is being run by another alfine ({self._store.get(name).owner}). Wait, or stop it."
            )
        self._heard(sent_at)
        with self._mutex:
            self._owed.pop(name, None)
        return epoch

    def release(self, name: str, epoch: int) -> None:
        """Give back a tuning job. What raises while the database is busy or full is tried again with each heartbeat.

        Args:
            epoch: The epoch of the claim; 0 where there is none.
        """
        with self._mutex:
            self._confirmed.pop(name, None)
        if not epoch:
            return
        try:
            self._store.release(name, epoch)
        except AlfineError:
            with self._mutex:
                self._owed[name] = epoch
            raise
        with self._mutex:
            self._owed.pop(name, None)

    def _release_owed(self) -> None:
        """Give back what couldn't be given back before: nobody else can claim it while this engine lives."""
        with self._mutex:
            owed = dict(self._owed)
        for name, epoch in owed.items():
            self.release(name, epoch)

    def check(self, run: Run) -> None:
        """Make sure that a tuning job is still this engine's, before something is started or stopped.

        Raises:
            Fenced: Another engine has taken it over.
        """
        if self._is_silent():
            self.beat()
        with self._mutex:
            if self._confirmed.get(run.spec.name) == run.epoch:
                return
        self._store.overtaken(run.job.id, 0, run.epoch)
        with self._mutex:
            self._confirmed[run.spec.name] = run.epoch

    def claimable(self) -> Sequence[Claimable]:
        """Return the unfinished tuning jobs that no engine runs, the oldest first.

        After a pause in which the database couldn't be reached there are none at first: the others were silent as well.
        """
        if self._clock() < self._gap_ended_at + 2 * self._beat_seconds:
            return ()
        return self._store.claimable(is_alive, self.node)

    def elsewhere(self) -> Sequence[str]:
        """Return the names of its tuning jobs of which a training job runs on another node, whose servers live."""
        return self._store.elsewhere(self.engine, self.node) if self._store.is_shared else ()

    def share(self, free: Sequence[Claimable]) -> int:
        """Return how many of the tuning jobs that no engine runs are this engine's, if all servers are to run equally many."""
        loads = self._store.loads()
        if self.url is None or self.engine not in loads:
            return len(free)
        fair = -(-(sum(loads.values()) + len(free)) // len(loads))
        return max(0, fair - loads[self.engine])

    def leave_to_others(self, name: str) -> bool:
        """Offer a new tuning job to other servers, if one runs fewer than this one. Return whether it was offered."""
        if self.url is None:
            return False
        loads = self._store.loads()
        if not loads or loads.get(self.engine, 0) <= min(loads.values()):
            return False
        self.release(name, self.claim(name))  # it isn't new any more: nobody expects that its creator runs it
        return True

    # -- heartbeats ----------------------------------------------------------------------------------------------

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Say regularly that the engine runs, as long as any block of this kind is open. The last one says that it has ended."""
        with self._begins_or_ends:
            if self._users == 0:
                self._over.clear()
                self._heart = threading.Thread(target=self._beat_until_over, name="alfine-heartbeat", daemon=True)
                self._heart.start()
            self._users += 1
        try:
            yield
        finally:
            with self._begins_or_ends:
                self._users -= 1
                if self._users == 0:
                    self._over.set()
                    self._heart.join()  # a heartbeat on its way must not be recorded after the end
                    self._leave()

    def beat(self) -> None:
        """Say that the engine runs."""
        sent_at = self._clock()
        self._store.beat(self.engine, self.node, self.url)
        self._heard(sent_at)

    def _heard(self, sent_at: float) -> None:
        """Note a heartbeat that was recorded; after a silence, nothing that is owned is certain any more."""
        with self._mutex:
            if self._beaten_at > float("-inf") and sent_at > self._beaten_at + self._patience():
                self._confirmed.clear()
                self._gap_ended_at = sent_at
            self._beaten_at = max(self._beaten_at, sent_at)

    def _is_silent(self) -> bool:
        with self._mutex:
            return self._clock() > self._beaten_at + self._patience()

    def _patience(self) -> float:
        return (self._store.silence - MARGIN).total_seconds()

    def _beat_until_over(self) -> None:
        trouble = ""
        while not self._over.wait(self._beat_seconds):
            try:
                self.beat()
                self._release_owed()
                trouble = ""
            except Exception as error:  # noqa: BLE001 - said once; the next beat may succeed
                if str(error) != trouble:
                    log.warning("can't say in the store that this engine runs: %s", error)
                trouble = str(error)

    def _leave(self) -> None:
        try:
            self._store.leave(self.engine)
        except AlfineError as error:  # others find out by the silence, or by the end of the process
            log.info("can't say in the store that this engine has ended: %s", error)
