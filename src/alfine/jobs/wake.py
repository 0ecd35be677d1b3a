"""Bells: each tuning job that an engine runs has one, which says what has news, so that nobody asks the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Bell:
    """The bell of one tuning job. Any thread rings it; the loop that runs the tuning job waits for it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rung = False
        self._all = False
        self._names: set[str] = set()

    def ring(self, training_job: str | None = None) -> None:
        """Say that a training job has news; None: that any may have."""
        with self._condition:
            if training_job is None:
                self._all = True
            else:
                self._names.add(training_job)
            self._rung = True
            self._condition.notify_all()

    def wait(self, seconds: float | None) -> None:
        """Return once there is news that `take` hasn't returned, or after some seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._rung, seconds)

    def take(self) -> set[str] | None:
        """Return the names of the training jobs that had news since the last call; None: any may have had."""
        with self._condition:
            names = None if self._all else self._names
            self._rung, self._all, self._names = False, False, set()
            return names


class Wake:
    """The bells of the tuning jobs that are run. Runners, deliveries and whoever changes a tuning job ring them, from any thread.

    Example:
        >>> wake = Wake()
        >>> with wake.listening("my-tuning-job") as bell:
        ...     wake.set("my-tuning-job", "my-tuning-job-001")
        ...     bell.wait(1.0)
        ...     bell.take()
        {'my-tuning-job-001'}
    """

    def __init__(self) -> None:
        self._bells: dict[str, Bell] = {}

    @contextmanager
    def listening(self, tuning_job: str) -> Iterator[Bell]:
        """Give a tuning job its bell, for as long as it is run."""
        bell = self._bells[tuning_job] = Bell()
        try:
            yield bell
        finally:
            if self._bells.get(tuning_job) is bell:
                del self._bells[tuning_job]

    def set(self, tuning_job: str, training_job: str | None = None) -> None:
        """Say that a training job of a tuning job has news; None: that any may have. Nothing happens where nobody runs the tuning job."""
        bell = self._bells.get(tuning_job)
        if bell is not None:
            bell.ring(training_job)

    def set_all(self) -> None:
        """Wake the loops of all tuning jobs."""
        for bell in list(self._bells.values()):
            bell.ring()
