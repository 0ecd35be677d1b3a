"""GPUs for training jobs: each is given its own before it starts, and waits while too few are free."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass, replace

from alfine.runners.executor import Executor, LocalLaunch, LocalObservation, names_of
from alfine.runners.gpu_slots import GpuSlots
from alfine.runners.job_folder import Workspace, make_control
from alfine.runners.log_files import note_in_log
from alfine.runners.protocol import News

logger = logging.getLogger("alfine.runners")

FORGOTTEN_SECONDS = 60.0
"""Time, in seconds, after which a training job that nobody polls doesn't wait any more: its engine looks at it six times as often."""


@dataclass(slots=True)
class _Waiting:
    """A training job that waits: why, and when it was polled last, in monotonic seconds."""

    reason: str
    polled_at: float


class GpuQueue:
    """The training jobs that wait for GPUs, in the order in which they came.

    Args:
        slots: Who has which GPU.
        news: Called for the training job whose turn it is, once GPUs were given back.
    """

    def __init__(self, slots: GpuSlots, news: News) -> None:
        self.slots = slots
        self._news = news
        self._mutex = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}  # by folder, the first first

    def needed(self, launch: LocalLaunch) -> float:
        """Return how many GPUs all hosts of a training job need, as far as this machine has them."""
        needed = launch.gpus * launch.instance_count
        return min(needed if needed < 1 else math.ceil(needed), len(self.slots.gpus))

    def reason(self, folder: str) -> str | None:
        """Return why a training job waits; None where it doesn't.

        Args:
            folder: The training job's folder.
        """
        with self._mutex:
            waiting = self._waiting.get(folder)
            if waiting is not None:
                waiting.polled_at = time.monotonic()
            return None if waiting is None else waiting.reason

    def take(self, launch: LocalLaunch) -> tuple[str, ...] | None:
        """Return the GPUs of a training job, which takes them; None where too few are free, or others came before: then it waits."""
        folder = str(launch.folder)
        with self._mutex:
            devices = self.slots.take(folder, self.needed(launch)) if self._first() in (None, folder) else None
            if devices is not None:
                self._waiting.pop(folder, None)
                return devices
            if folder in self._waiting:
                return None
            reason = f"waits for {_gpus(self.needed(launch))}: {self.slots.free_words()}."
            self._waiting[folder] = _Waiting(reason, time.monotonic())
        _say(launch, reason)
        return None

    def give_back(self, folder: str) -> None:
        """Give back the GPUs of a training job that has ended, by its folder."""
        if self.slots.release(folder):
            self.tell_next()

    def leave(self, folder: str) -> bool:
        """Let a training job wait no more. Return whether it waited.

        Args:
            folder: The training job's folder.
        """
        with self._mutex:
            waited = self._waiting.pop(folder, None) is not None
        if waited:
            self.tell_next()
        return waited

    def tell_next(self) -> None:
        """Tell of the training job whose turn it is."""
        with self._mutex:
            following = self._first()
        if following is not None:
            self._news(*names_of(following))

    def _first(self) -> str | None:
        for folder, waiting in list(self._waiting.items()):
            if time.monotonic() - waiting.polled_at < FORGOTTEN_SECONDS:
                return folder
            del self._waiting[folder]  # its engine has let go of it; whoever takes it over starts it again
        return None


class GpuAssignment:
    """Starts training jobs by another runner, each with GPUs of its own.

    Args:
        runner: Starts those that have what they need.
        queue: Where the others wait; all runners of a machine share it.
    """

    def __init__(self, runner: Executor, queue: GpuQueue) -> None:
        self._runner = runner
        self._queue = queue

    @property
    def tells_news(self) -> bool:
        """Return whether the runner inside tells of news."""
        return bool(getattr(self._runner, "tells_news", False))

    def start(self, launch: LocalLaunch) -> None:
        """See `Executor.start`. A training job for which no GPU is free waits; polls start it afterwards."""
        if self._queue.needed(launch) <= 0:
            self._runner.start(launch)
        elif (devices := self._queue.take(launch)) is not None:
            self._runner.start(replace(launch, devices=devices))
            self._queue.tell_next()

    def poll(self, launch: LocalLaunch, offset: int) -> LocalObservation | None:
        """See `Executor.poll`."""
        folder = str(launch.folder)
        if self._queue.reason(folder) is not None:
            self.start(launch)
            if (reason := self._queue.reason(folder)) is not None:
                return LocalObservation(offset=offset, pending=reason)
        if launch.gpus > 0:  # a container whose image had to be pulled first starts by a poll
            launch = replace(launch, devices=self._queue.slots.of(folder))
        seen = self._runner.poll(launch, offset)
        if launch.gpus > 0 and seen is not None and seen.exit is not None:
            self._queue.give_back(folder)
        return seen

    def stop(self, launch: LocalLaunch) -> None:
        """See `Executor.stop`. One that waits for a GPU ends at once."""
        self._runner.stop(launch)
        if self._queue.leave(str(launch.folder)):
            self._runner.start(launch)  # finds that it is to stop

    def close(self) -> None:
        """See `Executor.close`."""
        self._runner.close()


def _gpus(count: float) -> str:
    if count < 1:
        return f"{count:g} of a GPU"
    return "a GPU" if count == 1 else f"{count:g} GPUs"


def _say(launch: LocalLaunch, sentence: str) -> None:
    """Add a line to the log of a training job that hasn't begun."""
    try:
        make_control(launch.folder)
    except OSError as error:  # its start will fail for the same reason
        logger.warning("%s can't be made: %s", launch.folder, error)
    else:
        note_in_log(Workspace(launch.folder).log, sentence)
