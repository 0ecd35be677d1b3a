"""Decides whether a launcher starts one more training job now, or has it wait."""

from __future__ import annotations

import time

from .capacity import Capacity
from .headroom import Headroom

RETRY_SECONDS = 1.0
"""Time until something is tried again for which there was no room on the disk, no descriptor, no process or no memory."""

FIRST_PAUSE_SECONDS = 0.1
"""Time until a training job is tried again that its sandbox or its container couldn't start for want of something; then twice as long, …"""

MOST_TRIES = 100
"""How often such a training job is tried again."""

LONGEST_PAUSE_SECONDS = 60.0
"""Longest time between two of these tries."""


class Admission:
    """Lets training jobs begin while the machine has what they need, by what it says and by what has failed of late.

    Args:
        descriptors: See `Capacity`.
    """

    def __init__(self, descriptors: int | None = None) -> None:
        self.capacity = Capacity(descriptors)
        self._headroom = Headroom()
        self._most = float("inf")  # training jobs at once, as far as it is known how many the machine can carry
        self._tries: dict[str, int] = {}

    def lack(self, running: int) -> str:
        """Return why one more training job must wait; "" where it needn't. One alone never waits for processes or memory.

        Args:
            running: How many training jobs the launcher has.
        """
        if not self.capacity.has_room(running):
            return f"this launcher has no descriptors for more than {running} training jobs."
        if not running:
            return ""
        if running >= self._most:
            return f"the machine couldn't start more than {running} training jobs."
        return self._headroom.lack()

    def begun(self) -> None:
        """Note that a training job begins."""
        self._headroom.begun(time.monotonic())

    def ended(self, folder: str) -> None:
        """Note that a training job has ended."""
        self._tries.pop(folder, None)

    def try_one_more(self, running: int) -> None:
        """Let one more training job begin than the machine could start before."""
        self._most = max(self._most, running + 1)

    def carry(self, running: int, folder: str) -> float:
        """Let no more training jobs run than now, and return the time in seconds until one more is tried.

        Args:
            running: How many there are.
            folder: The training job that couldn't be started.
        """
        self._most = running
        tries = self._tries[folder] = self._tries.get(folder, 0) + 1
        return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (tries - 1))

    def is_patient(self, folder: str) -> bool:
        """Return whether a training job may be started again if it can't be started now."""
        return self._tries.get(folder, 0) < MOST_TRIES
