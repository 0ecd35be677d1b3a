"""Makes in a thread what takes a page too long: a page shows the latest that there is, and its event stream tells when there is a newer one."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from alfine.store.records import TuningJob

log = logging.getLogger("alfine.server.console")

OLD_SECONDS = 60.0
"""Age, in seconds, at which it is made anew although nothing was recorded: forecasts move with the time."""

T = TypeVar("T")


@dataclass(slots=True)
class _Kept(Generic[T]):
    """The latest of a tuning job, the state that it is of, and from when on it may be made anew (monotonic seconds)."""

    made: T
    state: object
    version: int
    made_at: float
    next_at: float


class MadeAside(Generic[T]):
    """Makes one thing for each of several tuning jobs, one after the other, and keeps the latest.

    Args:
        what: What is made, in the log and in the name of the thread.
        make: Makes it for the tuning job of that name.
        share: Share of one core that it may take for one tuning job.
        most: Tuning jobs for which the latest is kept.
    """

    def __init__(self, what: str, make: Callable[[str], T], *, share: float, most: int) -> None:
        self._what = what
        self._make = make
        self._share = share
        self._most = most
        self._mutex = threading.Lock()
        self._kept: OrderedDict[int, _Kept[T]] = OrderedDict()
        self._wanted: dict[int, tuple[str, object]] = {}
        self._runs = False
        self.made = 0
        """How many were made."""

    def of(self, job: TuningJob) -> tuple[T | None, bool]:
        """Return what there is of a tuning job, and whether that is of its present state; None at first: then it is on its way."""
        state = (job.status, job.facts)
        with self._mutex:
            kept = self._kept.get(job.id)
            now = time.monotonic()
            fresh = kept is not None and kept.state == state
            old = kept is not None and not job.ended and now - kept.made_at > OLD_SECONDS
            if kept is None or ((not fresh or old) and now >= kept.next_at):
                self._want(job.id, job.name, state)
            return None if kept is None else kept.made, fresh

    def version(self, job: int) -> int:
        """Return a number that differs once there is a newer one; job: the tuning job's id."""
        with self._mutex:
            kept = self._kept.get(job)
            return 0 if kept is None else kept.version

    def _want(self, job: int, name: str, state: object) -> None:
        self._wanted[job] = (name, state)
        if self._runs:
            return
        try:
            threading.Thread(target=self._make_wanted, name=f"alfine-{self._what}", daemon=True).start()
        except RuntimeError as error:  # there can be no more threads at present: the next page asks again
            log.warning("can't make %s of tuning_job=%s yet: %s", self._what, name, error)
        else:
            self._runs = True

    def _make_wanted(self) -> None:
        while True:
            with self._mutex:
                self._runs = bool(self._wanted)
                if not self._wanted:
                    return
                job, (name, state) = self._wanted.popitem()
            begun = time.monotonic()
            try:
                self._keep(job, self._make(name), state, begun)
            except Exception:  # logged with its traceback; the page shows what it has, and its next view tries again
                log.exception("can't make %s of tuning_job=%s", self._what, name)

    def _keep(self, job: int, made: T, state: object, begun: float) -> None:
        now = time.monotonic()
        with self._mutex:
            before = self._kept.pop(job, None)
            version = 1 if before is None else before.version + 1
            self._kept[job] = _Kept(made, state, version, now, now + (now - begun) / self._share)
            self.made += 1
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
