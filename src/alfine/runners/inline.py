"""Training jobs that are Python functions in threads of this process: for `alfine.tune` and the engine's own tests.

They end with the process: after a restart `poll` returns None, and the engine starts them again from their beginning. A thread
can't be killed, so a function is asked to stop by the value that `report` returns, and one that never reports runs to its end.
Where training jobs are stopped early, `report` waits for the engine's decision, so that fast functions are stopped as slow ones are.
"""

from __future__ import annotations

import math
import signal
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from queue import SimpleQueue

from alfine.runners.executor import LocalLaunch, LocalObservation, names_of
from alfine.runners.log_files import TAIL_CHARACTERS
from alfine.runners.objective_value import number_of
from alfine.runners.protocol import Cause, Exit, News, Point

__all__ = ["InlineRunner", "Report"]

Report = Callable[[int | None, float], bool]
"""`report(step, value)` returns True once the training job has been asked to stop. Another report after that ends it."""

ANSWER_SECONDS = 10.0
"""Longest wait of a report for the engine's decision: the engine may have ended, or a search may take long."""

ENDED_KEPT = 4096
"""Training jobs that are remembered after the engine polled their end: it polls again when it couldn't record the end."""


class _Stopped(BaseException):
    """Ends a function that goes on reporting after it was asked to stop. Not an Exception, so that `except Exception` passes it on."""


class InlineRunner:
    """Runs `launch.function(hyperparameters, report)`. A number that the function returns is the last value of the objective.

    Args:
        news: Called from the function's thread at each report and at its end.
    """

    tells_news = True

    def __init__(self, news: News) -> None:
        self._news = news
        self._mutex = threading.Lock()
        self._jobs: dict[str, _Job] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._asked_early: set[str] = set()
        self._threads = _Threads()

    def start(self, launch: LocalLaunch) -> None:
        """See `Executor.start`."""
        key = str(launch.folder)
        with self._mutex:
            if key in self._jobs:
                return
            job = self._jobs[key] = _Job(launch, partial(self._news, *names_of(launch.folder)))
            asked = key in self._asked_early
            self._asked_early.discard(key)
        if asked or launch.function is None:
            detail = "" if asked else "There is nothing to run: the inline runner needs a Python function."
            job.end(Exit(cause="stopped" if asked else "not_started", detail=detail))
        else:
            try:
                self._threads.run(job.run)
            except RuntimeError:  # there can be no more threads at present: it was never started
                with self._mutex:
                    del self._jobs[key]
                raise

    def poll(self, launch: LocalLaunch, offset: int) -> LocalObservation | None:
        """See `Executor.poll`. Here the offset counts points."""
        key = str(launch.folder)
        with self._mutex:
            job = self._jobs.get(key)
        if job is None:
            return None
        observation = job.observe(offset)
        if observation.exit is not None:
            self._remember_ended(key)
        return observation

    def stop(self, launch: LocalLaunch) -> None:
        """See `Executor.stop`. The grace doesn't matter, since a thread can't be killed."""
        with self._mutex:
            job = self._jobs.get(str(launch.folder))
            if job is None:
                self._asked_early.add(str(launch.folder))
        if job is not None:
            job.ask("stopped")

    def close(self) -> None:
        """Ask every training job to stop. Each thread ends when its function does."""
        with self._mutex:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.ask("stopped")
        self._threads.close()

    def _remember_ended(self, key: str) -> None:
        with self._mutex:
            self._ended[key] = None
            while len(self._ended) > ENDED_KEPT:
                self._jobs.pop(self._ended.popitem(last=False)[0], None)


class _Threads:
    """A pool of threads, so that a start needn't make one. They are daemons: a function that hangs doesn't keep Python from exiting."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._mutex = threading.Lock()
        self._idle = 0
        self._closed = False

    def run(self, task: Callable[[], None]) -> None:
        with self._mutex:
            spawn = self._idle == 0
            self._idle -= not spawn
        if spawn:  # before the task is handed over: where there can be no more threads, it isn't
            threading.Thread(target=self._work, name="alfine-inline", daemon=True).start()
        self._tasks.put(task)

    def close(self) -> None:
        """End idle threads now, busy ones after their task."""
        with self._mutex:
            self._closed = True
            for _ in range(self._idle):
                self._tasks.put(None)

    def _work(self) -> None:
        while task := self._tasks.get():
            task()
            del task  # else the idle thread would keep the function's data in memory
            with self._mutex:
                if self._closed:
                    return
                self._idle += 1


class _Job:
    """The run of one function, shared by its thread and the polls."""

    def __init__(self, launch: LocalLaunch, tell: Callable[[], None]) -> None:
        self._launch = launch
        self._tell = tell
        self._mutex = threading.Condition()
        self._points: list[Point] = []
        self._decided = 0  # the number of points that the engine has decided on
        self._asked: Cause | None = None
        self._function_knows = False
        self._dropped: list[float] = []
        self._deadline = math.inf
        self._started_at: datetime | None = None
        self._ended_at: datetime | None = None
        self._exit: Exit | None = None

    def run(self) -> None:
        self._started_at = datetime.now(UTC)
        if self._launch.max_runtime_seconds is not None:
            self._deadline = time.monotonic() + self._launch.max_runtime_seconds
        self.end(self._call())

    def _call(self) -> Exit:
        assert self._launch.function is not None
        try:
            value = self._launch.function(dict(self._launch.hyperparameters), self._report)
            if value is not None:
                self._add(None, value)
        except _Stopped:
            pass
        except SystemExit as leaving:
            return _left(leaving, self._asked)
        except KeyboardInterrupt as error:
            return Exit(cause="exited", signal=signal.SIGINT, tail=_traceback(error))
        except BaseException as error:  # noqa: BLE001 - the function is the user's, and the thread goes on
            return Exit(cause=self._cause(), code=1, tail=_traceback(error))
        return Exit(cause=self._cause(), code=0, detail=self._detail())

    def _cause(self) -> Cause:
        return self._asked or "exited"

    def _detail(self) -> str:
        if self._asked == "max_runtime":
            limit = self._launch.max_runtime_seconds
            return f"MaxRuntimeExceeded: it ran longer than its MaxRuntimeInSeconds ({limit:g} s)."
        if not self._dropped:
            return ""
        if len(self._dropped) == 1:
            return f"It reported 1 value that isn't a finite number: {self._dropped[0]}."
        return (
            f"It reported {len(self._dropped)} values that aren't finite numbers, the last of them {self._dropped[-1]}."
        )

    def _report(self, step: int | None, value: float) -> bool:
        """Record a value; see `Report`. A value that isn't finite makes no point."""
        if self._function_knows:
            raise _Stopped
        self._add(step, value)
        if time.monotonic() >= self._deadline:
            self.ask("max_runtime")
        self._tell()
        if self._launch.answered:
            with self._mutex:
                reported = len(self._points)
                self._mutex.wait_for(lambda: self._decided >= reported or self._asked is not None, ANSWER_SECONDS)
        self._function_knows = self._asked is not None
        return self._function_knows

    def _add(self, step: int | None, value: object) -> None:
        try:
            number = number_of(value)
        except TypeError as error:
            raise TypeError(f"the objective must be a number, {error}") from None
        if not math.isfinite(number):
            self._dropped.append(number)
            return
        with self._mutex:
            count = len(self._points) + 1
            self._points.append(
                Point(name=self._launch.metric, at=datetime.now(UTC), value=number, count=count, step=step)
            )

    def ask(self, cause: Cause) -> None:
        """Ask the function to end. The first cause counts."""
        with self._mutex:
            if self._exit is None and self._asked is None:
                self._asked = cause
                self._mutex.notify_all()

    def end(self, how: Exit) -> None:
        with self._mutex:
            self._ended_at = datetime.now(UTC)
            self._exit = how
        self._tell()

    def observe(self, offset: int) -> LocalObservation:
        with self._mutex:
            self._decided = max(self._decided, offset)
            self._mutex.notify_all()
            return LocalObservation(
                started_at=self._started_at,
                ended_at=self._ended_at,
                points=tuple(self._points[offset:]),
                offset=max(offset, len(self._points)),
                exit=self._exit,
            )


def _left(leaving: SystemExit, asked: Cause | None) -> Exit:
    """Return the exit of a function that called `sys.exit(…)`: it ends the training job as it would end a script."""
    code = leaving.code
    if code is None or isinstance(code, int):
        return Exit(cause=asked or "exited", code=(code or 0) & 0xFF)
    return Exit(cause=asked or "exited", code=1, tail=str(code)[-TAIL_CHARACTERS:])


def _traceback(error: BaseException) -> str:
    """Return the traceback as Python prints it, without the frames of this file."""
    trace = traceback.TracebackException.from_exception(error)
    trace.stack[:] = [frame for frame in trace.stack if frame.filename != __file__]
    return "".join(trace.format()).strip()[-TAIL_CHARACTERS:]
