"""Calls of a tracker's code in a thread of its own: whoever calls waits only for a while, so that a tracker that hangs harms nobody."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from alfine.core.wording import duration

T = TypeVar("T")


class Hangs(Exception):
    """A call hasn't returned yet.

    Args:
        seconds: The time since it was made.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"It hasn't answered for {duration(seconds)}.")


class PatientCalls:
    """Makes one call at a time in a thread that doesn't keep the process from ending.

    A pool of `concurrent.futures` would: at its end, Python waits for the threads of pools.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._hangs = False
        self._called_at = 0.0  # by the monotonic clock

    def call(self, function: Callable[[], T], patience: float) -> T:
        """Return what a function returns, and raise what it raises.

        Args:
            function: What is called in the other thread.
            patience: Seconds to wait for it.

        Raises:
            Hangs: It hasn't returned within `patience`, or an earlier call still hasn't.
        """
        if self._hangs:
            self._await(patience)  # the outcome of the earlier call, which nobody waits for any more
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._called_at = time.monotonic()
        self._work.put(function)
        result, error = self._await(patience)
        if isinstance(error, Exception):
            raise error
        if error is not None:  # a SystemExit, for example: it isn't for this thread
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        return cast("T", result)

    def end(self) -> None:
        """Let the thread end after the call that it makes."""
        self._work.put(None)

    def _await(self, patience: float) -> tuple[Any, BaseException | None]:
        """Return the outcome of a call; it is looked for even where there is no patience left."""
        self._hangs = True
        try:
            outcome = self._done.get(timeout=max(0.001, patience))
        except queue.Empty:
            raise Hangs(time.monotonic() - self._called_at) from None
        self._hangs = False
        return outcome

    def _run(self) -> None:
        while (function := self._work.get()) is not None:
            try:
                self._done.put((function(), None))
            except BaseException as error:  # noqa: BLE001 - raised where the call was made
                self._done.put((None, error))
