"""The several hosts of one training job."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import time
from contextlib import suppress

from .admission import RETRY_SECONDS
from .capacity import SHORTAGES
from .job import KILL_SECONDS, RESEND_SECONDS
from .processes import LINUX, PR_SET_PDEATHSIG, execute, kill_by_command, note, say, terminate, wakeup_pipe, why_not

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from typing import Any


class Hosts:
    """The main process of a training job of several hosts, in a forked child of the launcher. It runs a process for each host.

    It ends with the last host: with 0 when all of them ended with 0, else with the exit code of the first one that failed (128 + n
    after signal n). When a host fails, or when it is asked to stop itself, it asks the other hosts to stop, and kills them when their
    grace is over.

    Args:
        spec: The content of launch.json.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.running: dict[int, dict[str, Any]] = {}
        self.waiting: set[int] = set()  # processes that are still to get a SIGTERM
        self.kill_at = float("inf")
        self.kill_commanded = False
        self.code = 0
        self.signals, self.signals_in = wakeup_pipe()

    def run(self) -> int:
        """Run all hosts to their end and return the exit code."""
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, note)
        signal.set_wakeup_fd(self.signals_in, warn_on_full_buffer=False)
        for process in self.spec["processes"]:
            self._start_when_possible(process)
        while self.running:
            self._look(60.0)
        return self.code

    def _look(self, pause: float) -> None:
        """Wait for a signal, and do what is due.

        Args:
            pause: How many seconds it may wait.
        """
        self._wait(pause)
        self._reap()
        self.waiting = {pid for pid in self.waiting & set(self.running) if not terminate(pid, self.spec["behind"])}
        if time.monotonic() >= self.kill_at:
            self._kill()

    def _start_when_possible(self, process: dict[str, Any]) -> None:
        """Start a host as soon as there can be one more process, unless the training job is to stop before that."""
        while self.kill_at == float("inf"):
            try:
                self._start(process)
            except OSError as error:
                if error.errno not in SHORTAGES:
                    raise
                self._look(RETRY_SECONDS)
            else:
                return
        self.code = self.code or 128 + signal.SIGTERM

    def _start(self, process: dict[str, Any]) -> None:
        pid = os.fork()
        if pid:
            self.running[pid] = process
            return
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            if LINUX:
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            execute(process)
        except BaseException as error:  # noqa: BLE001 - this child mustn't go on in the launcher's code
            say(why_not(error, process))
        os._exit(127)

    def _wait(self, pause: float) -> None:
        pause = RESEND_SECONDS if self.waiting else max(0.0, min(self.kill_at - time.monotonic(), pause))
        select.select([self.signals], [], [], pause)
        with suppress(BlockingIOError):  # no signal has come: it was a child's end or the pause
            if signal.SIGTERM in os.read(self.signals, 4096):
                self._ask_all()

    def _ask_all(self) -> None:
        self.waiting |= set(self.running)
        self.kill_at = min(self.kill_at, time.monotonic() + self.spec["grace_seconds"])

    def _kill(self) -> None:
        commanded = not self.kill_commanded and kill_by_command(list(self.running.values()))
        self.kill_at = time.monotonic() + KILL_SECONDS if commanded else float("inf")
        self.kill_commanded = True
        for pid in self.running if not commanded else ():
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self.running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            process = self.running.pop(pid, None)  # None: an orphan of a host
            code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            if process is not None and code and not self.code:
                self.code = code
                if self.running and self.kill_at == float("inf"):
                    say(f"alfine: {process['host']} ended with exit code {code}, so the other hosts are asked to stop.")
                    self._ask_all()
