"""Pauses between attempts to post: for a receiver that is away, and for tuning jobs whose next event it refuses. They grow."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds before another attempt: the first time, and at most; each time twice as long."""

GIVE_UP = timedelta(hours=24)
"""How long an event that the receiver refuses is tried again; EventBridge tries as long by default."""


@dataclass(slots=True)
class Waiting:
    """An event that is to be posted again.

    Attributes:
        change_at: When the state changed.
        since: When it was posted first.
        pause: Seconds before the next attempt but one.
        until: When to post it again, by the monotonic clock.
    """

    change_at: datetime
    since: datetime
    pause: float = FIRST_PAUSE
    until: float = 0.0

    def again(self) -> None:
        """Wait once more, twice as long as before."""
        self.until = time.monotonic() + self.pause
        self.pause = min(2 * self.pause, LONGEST_PAUSE)


class Backoff:
    """The events of one webhook that wait. One thread changes it; any may ask for the oldest."""

    def __init__(self) -> None:
        self._away: Waiting | None = None
        self._refused: dict[int, Waiting] = {}  # by the tuning job's id

    def holds(self, job: int | None = None) -> bool:
        """Return whether the receiver isn't to be asked yet: at all, or about that tuning job."""
        waiting = [self._away, self._refused.get(job) if job is not None else None]
        return any(one is not None and time.monotonic() < one.until for one in waiting)

    def taken(self, job: int) -> None:
        """Note that the receiver has taken an event of a tuning job."""
        self._away = None
        self._refused.pop(job, None)

    def away(self, change_at: datetime, now: datetime) -> None:
        """Note that the receiver couldn't be asked about a change."""
        self._away = self._away or Waiting(change_at, now)
        self._away.again()

    def refused(self, job: int, change_at: datetime, now: datetime) -> bool:
        """Note that the receiver has refused an event of a tuning job; return whether that has lasted for too long to go on."""
        self._away = None
        waiting = self._refused.setdefault(job, Waiting(change_at, now))
        if now - waiting.since > GIVE_UP:
            del self._refused[job]
            return True
        waiting.again()
        return False

    def forget(self) -> None:
        """Forget what waits."""
        self._away = None
        self._refused.clear()

    def oldest(self) -> datetime | None:
        """Return when the oldest change that waits happened."""
        waiting = [*self._refused.copy().values(), *([self._away] if self._away else [])]
        return min((one.change_at for one in waiting), default=None)
