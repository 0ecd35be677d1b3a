"""Waking an engine that has nothing to do, from another thread."""

from __future__ import annotations

import threading


class Wake:
    """A bell. Runners and deliveries ring it when there is news, from any thread; the loop of each tuning job waits for it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    def set(self) -> None:
        """Wake every loop that waits."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def count(self) -> int:
        """Return how often it has rung."""
        return self._rings

    def wait(self, seen: int, timeout: float | None) -> None:
        """Return when it has rung since `count` returned `seen`, or after `timeout` seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != seen, timeout)
