"""Follows the facts in the store for one experiment tracker, and tells it of tuning jobs and their training jobs.

What was told is written down only after the tracker has taken it, so a crash repeats something and loses nothing. No step of the engine
waits for it: it is a thread of its own, and the tracker's code runs in another one, for which it waits only for a while.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from alfine.core.errors import NotFound
from alfine.core.wording import duration
from alfine.jobs.lease_owner import is_alive
from alfine.jobs.trackers import tracker_class
from alfine.jobs.trackers.calls import Hangs, PatientCalls
from alfine.jobs.trackers.protocol import TrackedTrainingJob, Tracker
from alfine.jobs.trackers.told import Opened, model_of
from alfine.store.store import Store
from alfine.store.tracker_cursors import Tracked, TrackerCursors
from alfine.store.tracker_news import TrackerNews, tracker_news

log = logging.getLogger("alfine.jobs.trackers")

T = TypeVar("T")

LOOK_SECONDS = 1.0
"""Seconds between two looks for news."""

LEASE = timedelta(seconds=180)
"""Duration of the claim of a tuning job: half of it, after which it is renewed, is longer than one call of the tracker is waited for."""

CALL_SECONDS = 60.0
"""Seconds that one call of the tracker is waited for; one that takes longer is said to hang, and waited for again."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before another attempt: the first time, and at most; each time twice as long."""

MOST_TRIES = 5
"""Attempts to tell of a training job that a tracker refuses, while it takes the tuning job. Then it is left out."""

LONGEST_SENTENCE = 500
"""Characters of a tracker's error that are said."""

NO_MODEL = (None, None)
"""The URI and the copy of a model that there isn't."""

LEFT_TO_OTHERS = timedelta(seconds=15)
"""Time after its end for which a tuning job is left to the process that has run it."""


class ToldElsewhere(Exception):
    """Another engine tells the tracker of this tuning job now."""


class TrackerFollower:
    """Tells one tracker of tuning jobs, in a thread of its own.

    Args:
        tracker: The tracker's name.
        place: Where it keeps runs; "" leaves that to the tool.
        store: Where the facts are.
        home: The home's folder.
        folder: Has the folders of the tuning jobs.
        engine: The id of this process's engine: it tells of the tuning jobs that this engine runs.
        clock: Returns the present instant.
        only: The only tuning job to follow; None: all that this engine runs, and those that have ended and whose process told not all.
    """

    def __init__(
        self,
        tracker: str,
        place: str,
        *,
        store: Store,
        home: Path,
        folder: Path,
        engine: str,
        clock: Callable[[], datetime],
        only: str | None = None,
    ) -> None:
        self.tracker = tracker
        self._place, self._home, self._folder = place, home, folder
        self._store, self._cursors = store, TrackerCursors(store.database, tracker)
        self._engine, self._clock, self._only = engine, clock, only
        self._calls = PatientCalls(f"alfine-{tracker}-calls")
        self._made: Tracker | None = None
        self._opened: dict[int, Opened] = {}  # by the tuning job's id
        self._claimed: dict[int, datetime] = {}  # when to renew the lease, by the tuning job's id
        self._tries: dict[tuple[int, int], int] = {}  # by the tuning job's id and the training job's number
        # By the tuning job's id: the end of its pause, by the monotonic clock, and how many seconds the next one takes.
        self._pauses: dict[int, tuple[float, float]] = {}
        self._leaving = threading.Event()
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._run, name=f"alfine-{tracker}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def leave(self) -> None:
        """Begin to tell what is new for the last time; `wait` says when that is done."""
        self._leaving.set()

    def wait(self, until: float, waited: float) -> None:
        """Return once everything was told, at an instant of the monotonic clock at the latest.

        Args:
            until: The instant.
            waited: Seconds that the tracker had since `leave`, for the log.
        """
        self._deadline = until
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            self._say_that_it_hangs(duration(waited))

    def _say_that_it_hangs(self, waited: str) -> None:
        rest = f"alfine track {self._only} tells it the rest" if self._only else "the next server tells it the rest"
        log.warning("%s hasn't taken everything within %s: %s", self.tracker, waited, rest)
        for job in self._claimed.keys() - self._pauses.keys():  # of the others it is known what the tracker raised
            self._cursors.fail(job, self._engine, f"It hasn't answered for {waited}.", self._clock())

    # -- looking -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._leaving.wait(LOOK_SECONDS)
            try:
                self._look(is_last=is_last)
            except Exception:  # logged with its traceback; the next look may succeed
                log.exception("can't look for news for the tracker %s", self.tracker)
        self._let_go()

    def _look(self, *, is_last: bool) -> None:
        for tracked in self._cursors.behind(self._only):
            if self._is_mine(tracked) and (is_last or not self._pauses_for(tracked.tuning_job)):
                self._follow(tracked)

    def _is_mine(self, tracked: Tracked) -> bool:
        """Return whether this process is to tell of a tuning job."""
        if self._only is not None or tracked.engine == self._engine:
            return True
        return tracked.ended_at is not None and self._clock() > tracked.ended_at + LEFT_TO_OTHERS

    def _pauses_for(self, job: int) -> bool:
        return time.monotonic() < self._pauses.get(job, (0.0, 0.0))[0]

    def _follow(self, tracked: Tracked) -> None:
        """Tell of one tuning job, up to now; whatever the tracker raises is said, and tried again."""
        job = tracked.tuning_job
        if not self._claim(job):
            return
        try:
            self._tell(tracked)
            self._pauses.pop(job, None)
        except (ToldElsewhere, NotFound):  # another process tells of it, or it was deleted
            self._opened.pop(job, None)
            self._claimed.pop(job, None)
        except Hangs as error:
            self._failed(tracked, str(error))
        except Exception as error:  # noqa: BLE001 - said to the user, in the log and in the record; tried again
            self._failed(tracked, _sentence(error))

    def _claim(self, job: int) -> bool:
        now = self._clock()
        if job in self._claimed and now < self._claimed[job]:
            return True
        if not self._cursors.claim(job, self._engine, now, now + LEASE, is_alive):
            self._claimed.pop(job, None)
            return False
        self._claimed[job] = now + LEASE / 2
        return True

    def _failed(self, tracked: Tracked, reason: str) -> None:
        job = tracked.tuning_job
        self._opened.pop(job, None)  # what was told of it may be half written: it is told as a whole again
        _, pause = self._pauses.get(job, (0.0, FIRST_PAUSE))
        self._pauses[job] = time.monotonic() + pause, min(2 * pause, LONGEST_PAUSE)
        log.warning("%s wasn't told of tuning_job=%s, trying again: %s", self.tracker, tracked.name, reason)
        self._cursors.fail(job, self._engine, reason, self._clock())

    # -- telling -------------------------------------------------------------------------------------------------

    def _tell(self, tracked: Tracked) -> None:
        told = tracked.told
        while True:
            opened = self._opened.setdefault(tracked.tuning_job, Opened())
            with self._store.reading() as connection:
                news = tracker_news(connection, tracked.tuning_job, told, opened.points, opened.ends_fact)
            place = self._told(tracked.tuning_job, opened, news)
            if not self._cursors.tell(tracked.tuning_job, self._engine, news.told, place):
                raise ToldElsewhere
            told = news.told
            if news.is_all:
                if news.job.ended:
                    self._opened.pop(tracked.tuning_job, None)
                    self._cursors.release(tracked.tuning_job, self._engine)
                    self._claimed.pop(tracked.tuning_job, None)
                return
            if not self._claim(tracked.tuning_job):
                raise ToldElsewhere

    def _told(self, job: int, opened: Opened, news: TrackerNews) -> str:
        """Tell the tracker the news of a tuning job; return where a user looks at it."""
        told = opened.tracked_job(news)
        assert opened.spec is not None, "it is read with the news"
        tracker = self._called(self._tracker)
        place = self._called(lambda: tracker.tuning_job(told))  # first: training jobs need their parent
        failures: list[Exception] = []
        for training_job in news.training_jobs:
            row = training_job.row
            with model_of(self._folder, row, opened.spec) if row.ended_at else nullcontext(NO_MODEL) as model:
                child = opened.tracked_training_job(told, training_job, *model)
                try:
                    self._called(partial(tracker.training_job, child, told))
                except Hangs:
                    raise
                except Exception as error:  # noqa: BLE001 - raised below, after the others were told
                    if not self._is_left_out(job, child, error):
                        failures.append(error)
            opened.count(child)
        if failures:
            raise failures[0]
        return place

    def _is_left_out(self, job: int, child: TrackedTrainingJob, error: Exception) -> bool:
        """Count a training job that the tracker refuses; return whether it was tried often enough."""
        tries = self._tries[job, child.number] = self._tries.get((job, child.number), 0) + 1
        if tries < MOST_TRIES:
            return False
        log.error("%s is never told of training_job=%s: %s", self.tracker, child.name, _sentence(error))
        return True

    def _tracker(self) -> Tracker:
        """Return the tracker; its tool is imported now, in the thread of the calls."""
        if self._made is None:
            self._made = tracker_class(self.tracker)(self._place, self._home)
        return self._made

    def _called(self, function: Callable[[], T]) -> T:
        return self._calls.call(function, min(CALL_SECONDS, self._deadline - time.monotonic()))

    def _let_go(self) -> None:
        """Close the tracker, and give back the tuning jobs."""
        if self._made is not None:
            try:
                self._called(self._made.close)
            except Exception as error:  # noqa: BLE001 - said; everything that was told is there
                log.warning("%s can't be closed: %s", self.tracker, _sentence(error))
        self._calls.end()
        for job in self._claimed:
            self._cursors.release(job, self._engine)


def _sentence(error: Exception) -> str:
    """Return what an error of a tracker says, short enough for a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= LONGEST_SENTENCE else f"{text[: LONGEST_SENTENCE - 1]}…"
