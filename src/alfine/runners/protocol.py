"""The seam between the engine and whatever runs training jobs: `Runner`, and the values that it returns.

A runner *places* training jobs; a host (host.py) on the machine where one was placed keeps it alive, reads its metrics and its log, and
stores what it leaves. On this machine the host is a plain object and its own runner. Elsewhere a runner only passes on what it is asked.

A runner keeps no state that only it has: each call is given the whole `Launch` (launch.py), which the engine can rebuild from the store.
So a runner that was made after a crash finds every training job that an earlier one started.

This module imports only the standard library, and little of it, because `import alfine` waits for it.
"""

from __future__ import annotations

import signal as signals
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal, Protocol

from alfine.runners.launch import GRACE_SECONDS, MAX_LOG_BYTES, InputChannel, Launch, Source

__all__ = [
    "FAILURE_LIMIT",
    "GRACE_SECONDS",
    "MAX_LOG_BYTES",
    "SHARED_VARIABLE",
    "Cause",
    "Exit",
    "InputChannel",
    "Launch",
    "LogPiece",
    "News",
    "Observation",
    "Placed",
    "Point",
    "Runner",
    "Source",
    "StaleEpoch",
]

News = Callable[[str, str], None]
"""What a runner calls for news: with the name of the tuning job and that of the training job."""

Placed = Callable[[Launch, str, str], None]
"""What a runner that places training jobs calls before it starts one: with the launch, the node and the slot. They are recorded when it
returns. It raises where the training job may not start there: then the runner starts nothing."""

NO_COUNTS: Mapping[str, int] = MappingProxyType({})

FAILURE_LIMIT = 1024
"""Characters of a FailureReason, and of `output/failure`. Source: DescribeTrainingJob in SageMaker's API reference."""

SHARED_VARIABLE = "ALFINE_SHARED_DIR"
"""The variable that names `Launch.shared` to a training job."""

Cause = Literal[
    "exited", "stopped", "max_runtime", "log_limit", "lost", "removed", "not_started", "not_packed", "not_stored"
]
"""The reason why a training job ended: by itself, on request, by one of its limits, because its supervisor was killed, because its
folder was removed while it ran, or before it began. Or it has ended by itself, but its model can't be packed, or can't be stored."""


class StaleEpoch(Exception):
    """A start or a stop comes from an engine that no longer has the tuning job: its host has heard of a later claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """The end of a training job: why and how it ended.

    Attributes:
        cause: Why it ended.
        code: The exit code of its main process. None: a signal ended it, it never ran, or nobody saw its end.
        signal: The number of the signal that ended its main process, or None.
        failure: The first 1024 characters of what it wrote to `output/failure`.
        tail: The last lines of its log: printable, at most 2000 characters.
        detail: The runner's own sentence, where there is one: why it couldn't start it, or which limit was exceeded.
        out_of_memory: Whether it is known that the kernel killed it because memory ran out.
    """

    cause: Cause
    code: int | None = None
    signal: int | None = None
    failure: str = ""
    tail: str = ""
    detail: str = ""
    out_of_memory: bool = False

    @property
    def succeeded(self) -> bool:
        """Return whether the training job ended by itself with exit code 0."""
        return self.cause == "exited" and self.code == 0

    def reason(self) -> str | None:
        """Return a FailureReason of at most 1024 characters; None after success and after a stop on request.

        As in SageMaker it is what the training job wrote to `output/failure`, or else the exit code and the end of the log.
        """
        if self.succeeded or self.cause == "stopped":
            return None
        return self._sentence()[:FAILURE_LIMIT]

    def _sentence(self) -> str:
        if self.cause in ("max_runtime", "log_limit", "removed", "not_started", "not_packed", "not_stored"):
            return self.detail or f"The training job ended: {self.cause}."
        if self.cause == "lost":
            detail = self.detail or "the supervisor of this training job was killed"
            return _with_tail(f"InternalServerError: {detail}.", self.tail)
        if self.failure:
            ending = f", {self._ending()}"
            return f"AlgorithmError: {self.failure}"[: FAILURE_LIMIT - len(ending)] + ending
        return _with_tail(f"AlgorithmError: {self._ending()}", self.tail)

    def _ending(self) -> str:
        if self.signal is None:
            return f"exit code: {self.code}"
        hint = f": out of memory{'' if self.out_of_memory else '?'}" if self.signal == signals.SIGKILL else ""
        return f"killed by signal {self.signal} ({_signal_name(self.signal)}){hint}"


def _signal_name(number: int) -> str:
    try:
        return signals.Signals(number).name
    except ValueError:  # real-time signals have no name
        return f"SIG{number}"


def _with_tail(sentence: str, tail: str) -> str:
    """Return the sentence and the end of the log. A long log is cut at its beginning, since errors stand at its end."""
    if not tail:
        return f"{sentence} (its log is empty)"
    joint = "; last lines of its log: "
    return sentence + joint + tail[-(FAILURE_LIMIT - len(sentence) - len(joint)) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of a metric.

    Attributes:
        name: The metric's name.
        at: When it was read in the log, or reported by a function.
        value: A finite number.
        count: How many values of this metric there were with it, from 1. It makes a point that is delivered twice one point.
        step: The step or epoch that a function named, or None.
    """

    name: str
    at: datetime
    value: float
    count: int
    step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The news of a training job since the last poll.

    Attributes:
        started_at: When its process began; None while it hasn't.
        ended_at: When its process ended; None while it runs.
        points: New values of its metrics, in order.
        offset: What the next poll is to be given. While it grows there may be more to read at once.
        exit: How it ended; None while it runs, and until all of its points are delivered and all that it leaves is stored.
        storing: Whether it has ended, and what it leaves is being stored: the end isn't told yet.
        no_objective: At the end: why its log has no value of the objective metric. "" where it has, or where nobody knows.
        stored: At the end: whether its model or checkpoints were stored where its launch says.
        pending: Why it can't start yet: «waits for a GPU: 0 of 2 are free.». None where it can.
    """

    started_at: datetime | None = None
    ended_at: datetime | None = None
    points: tuple[Point, ...] = ()
    offset: int = 0
    exit: Exit | None = None
    storing: bool = False
    no_objective: str = ""
    stored: bool = False
    pending: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPiece:
    """Bytes of a training job's log.

    Attributes:
        begin: Where they begin in the log.
        data: The bytes; none at the end of the log, and where there is no log yet.
        size: The size of the whole log.
        path: The log file, on the machine that has it.
        is_gone: Whether that machine no longer has the training job's folder, if it ever had it.
    """

    begin: int = 0
    data: bytes = b""
    size: int = 0
    path: str = ""
    is_gone: bool = False


class Runner(Protocol):
    """Starts training jobs, reports what became of them, stops them. Its methods may be called from several threads.

    A runner is given a function `news` when it is made. It calls that function, from any thread, with the names of the tuning job and
    of the training job, when the training job has begun, has new points, or has ended. The engine then polls this training job and no
    other, so a runner must be told by the system, or look itself. A runner that does neither has no true attribute `tells_news`: then the
    engine polls all its training jobs, five times a second. One that places training jobs on several machines is given a function `placed`
    as well. It may have a method `take_place`, as RayRunner: the place that it returns is recorded together with the launch.

    `start`, `poll` and `stop` never wait for another machine: such a runner keeps what its nodes have told it, and answers from that.

    Every runner passes the tests in tests/runners/test_contract.py.

    Example:
        The life of a training job, as the engine drives it:

            runner.start(launch)
            offset = 0
            while True:                   # at news
                seen = runner.poll(launch, offset)
                if seen is None:          # the start was lost in a crash
                    runner.start(launch)
                    continue
                offset = seen.offset
                if seen.exit is not None:
                    break
    """

    def start(self, launch: Launch) -> None:
        """Start an attempt of a training job unless that was ever started before. Returns before it runs.

        What keeps it from running (there is no such command) is the `Exit` of a later poll, not an exception.

        Args:
            launch: The training job. Its `node` and `slot` are where this attempt was placed before, if it was.

        Raises:
            OSError: Its folder can't be written.
            StaleEpoch: A later claim of the tuning job is known.
        """

    def poll(self, launch: Launch, offset: int, counts: Mapping[str, int] = NO_COUNTS) -> Observation | None:
        """Return what is new, without waiting.

        Args:
            launch: The training job.
            offset: The offset of the last observation of this attempt that the engine has recorded and decided on; 0 at first.
            counts: How many values of each metric were recorded up to there, in all attempts.

        Returns:
            None when this attempt was never started, or the request to start it was lost: then start it again.

        Raises:
            Exception: What keeps the host from going on. The next poll tries again.
        """

    def stop(self, launch: Launch) -> None:
        """Ask the training job to end (SIGTERM), and kill it when its grace is over (SIGKILL). Returns at once.

        It may be called again, also before the start and after the end. The shortest grace counts.

        Args:
            launch: The training job; `grace_seconds` is its grace.

        Raises:
            StaleEpoch: A later claim of the tuning job is known.
        """

    def log(self, launch: Launch, begin: int, most: int) -> LogPiece:
        """Return bytes of the log, which lies where the training job was placed.

        Args:
            launch: The training job; its names, attempt, node and slot suffice.
            begin: Where they begin, in bytes.
            most: How many, at most. 0 asks for the size alone.

        Raises:
            OSError: It can't be read at present: its node doesn't answer, for example.
        """

    def close(self) -> None:
        """Release what the runner holds. Training jobs that don't live in this process go on running."""
