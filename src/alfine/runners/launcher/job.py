"""One training job: its limits, its end, and the record of it."""

from __future__ import annotations

import os
import signal
import time

from .files import EXIT, LOG, STOP, control_path, read_json, write_json
from .processes import kill_by_command, kill_group, terminate

TYPE_CHECKING = False  # typing takes its time to import
if TYPE_CHECKING:
    from typing import Any

LOG_BYTES_PER_SECOND = 1e9
"""The fastest that we expect a log to grow; it decides how soon its size is looked at again."""
LOG_CHECK_SECONDS = (0.05, 1.0)
CLEAR_SECONDS = 30.0
"""How long processes that don't die of SIGKILL (stuck in the kernel) can hold up the end of their training job."""
RETRY_SECONDS = 1.0
RESEND_SECONDS = 0.01
KILL_SECONDS = 10.0
"""How long a container engine may take to kill a container, before its client is killed instead."""
WRAPPERS = {
    "sandbox": ({1}, ("bwrap: ", "sandbox: ")),
    "container": ({125, 126, 127}, ("docker: ", "Error: ")),
}
"""With which exit codes, and which words, what stands around a training job says that it couldn't start it."""
SIGNALS = 64
"""The highest number of a signal: above 128 by no more than that, an exit code may mean one."""


class SupervisedJob:
    """One training job from its lock to its `exit.json`: running, then being cleared away, then being recorded."""

    def __init__(self, folder: str, spec: dict[str, Any], lock: int) -> None:
        self.folder = folder
        self.spec = spec
        self.lock = lock
        self.pid = 0
        self.cause = "exited"
        self.detail = ""
        self.deadline = float("inf")
        self.terminate_at = float("inf")
        self.kill_at = float("inf")
        self.kill_commanded = False
        self.log_check_at = float("inf")
        self.ended_at = 0.0
        self.status: int | None = None
        self.clear_until = float("inf")
        self.next_look = 0.0
        self.pause = 0.001
        self.record: dict[str, Any] | None = None

    def begin(self, pid: int, now: float) -> None:
        """The process runs: arm its limits."""
        self.pid = pid
        if self.spec["max_runtime_seconds"] is not None:
            self.deadline = now + self.spec["max_runtime_seconds"]
        self.log_check_at = now + LOG_CHECK_SECONDS[0]

    @property
    def running(self) -> bool:
        return bool(self.pid) and self.status is None

    def stop(self, now: float) -> None:
        """Ask it to end, as the stop request says; asked again with less grace, the shorter one holds."""
        self.ask("stopped", "", now)
        request = read_json(control_path(self.folder, STOP))
        if self.running and request is not None:
            self.kill_at = min(self.kill_at, now + request["grace_seconds"])

    def ask(self, cause: str, detail: str, now: float) -> None:
        """SIGTERM to the main process, as `docker stop` does; SIGKILL when its grace is over. The first cause stays."""
        if not self.running or self.cause != "exited":
            return
        self.cause, self.detail = cause, detail
        self.kill_at = now + self.spec["grace_seconds"]
        self.deadline = float("inf")
        self._terminate(now)

    def _terminate(self, now: float) -> None:
        """SIGTERM, again and again until there is someone to get it: a sandbox takes a moment to be set up."""
        alone = (
            len(self.spec["processes"]) == 1 and self.spec["start"] != "warm"
        )  # else it's a process of ours: it passes it on
        told = terminate(self.pid, self.spec["behind"] if alone else 0)
        self.terminate_at = float("inf") if told else now + RESEND_SECONDS

    def watch(self, now: float) -> None:
        """Apply the limits that are due."""
        if now >= self.deadline:
            limit = self.spec["max_runtime_seconds"]
            self.ask(
                "max_runtime", f"MaxRuntimeExceeded: it ran longer than its MaxRuntimeInSeconds ({limit:g} s).", now
            )
        if now >= self.log_check_at:
            self._check_log(now)
        if now >= self.terminate_at:
            self._terminate(now)
        if now >= self.kill_at:
            commanded = not self.kill_commanded and kill_by_command(self.spec["processes"])
            self.kill_at = now + KILL_SECONDS if commanded else float("inf")
            self.kill_commanded = True
            if not commanded:
                kill_group(self.pid, signal.SIGKILL)

    def _check_log(self, now: float) -> None:
        limit = self.spec["max_log_bytes"]
        try:
            size = os.stat(control_path(self.folder, LOG)).st_size
        except OSError:
            size = 0
        if size > limit:
            self.ask(
                "log_limit",
                f"Its log passed {limit} bytes; print less, or raise the limit (the tag alfine:max-log-bytes).",
                now,
            )
        if size > limit + limit // 8:  # it prints on while it should be ending: the disk can't wait for its grace
            self.kill_at = now
        soon, late = LOG_CHECK_SECONDS
        self.log_check_at = now + min(late, max(soon, (limit - size) / LOG_BYTES_PER_SECOND))

    def end(self, status: int | None, now: float) -> None:
        """The main process has ended (None: there never was one); its group has been killed."""
        self.status = status
        self.ended_at = time.time()
        self.clear_until = now + CLEAR_SECONDS
        self.next_look = now

    def finish(self, now: float, leftovers: list[int]) -> bool:
        """Go on towards `exit.json`, given the launcher's leftover children; True once it is written."""
        if now < self.next_look:
            return False
        if self.record is None:
            if self._anyone_left(leftovers) and now < self.clear_until:
                self.pause = min(self.pause * 2, 0.05)
                self.next_look = now + self.pause
                return False
            self.record = self._exit_record()
            for folder in self.spec["scratch"]:
                remove(folder)
        try:
            write_json(control_path(self.folder, EXIT), self.record)
        except OSError:  # the disk is full: the end isn't known to anyone until it can be written
            if os.path.isdir(self.folder):
                self._make_room()
                self.next_look = now + RETRY_SECONDS
                return False
        os.close(self.lock)
        return True

    def _make_room(self) -> None:
        """Remove what the training job left in its working folder, as the end of a container would; a failed one's model too."""
        failed = self.record is not None and self.record["code"] != 0
        for name in ("code", "model")[: 2 if failed else 1]:
            remove(os.path.join(self.folder, "opt", "ml", name))
        if self.record is not None:
            self.record["detail"] = self.record["detail"] or "The disk was full."

    def _anyone_left(self, leftovers: list[int]) -> bool:
        for pid in leftovers:
            os.kill(pid, signal.SIGKILL)  # our own child, not yet reaped: the number can't be anyone else's
        return bool(leftovers) or (bool(self.pid) and kill_group(self.pid, 0))

    def _exit_record(self) -> dict[str, Any]:
        record = {"cause": self.cause, "code": None, "signal": None, "ended_at": self.ended_at, "detail": self.detail}
        if self.status is not None and os.WIFSIGNALED(self.status):
            record["signal"] = os.WTERMSIG(self.status)
        elif self.status is not None:
            record["code"] = os.WEXITSTATUS(self.status)
            self._unwrap(record)
        return record

    def _unwrap(self, record: dict[str, Any]) -> None:
        """What the exit code of a process that stands around the training job says about the training job."""
        wrapper = self.spec["wrapper"]
        if 128 < record["code"] <= 128 + SIGNALS and (wrapper or len(self.spec["processes"]) > 1):
            record.update(code=None, signal=record["code"] - 128)
        elif wrapper and record["cause"] == "exited":
            codes, beginnings = WRAPPERS[wrapper]
            trouble = self._said(beginnings) if record["code"] in codes else ""
            if trouble:
                record.update(code=None, cause="not_started", detail=f"Its {wrapper} couldn't be started: {trouble}")

    def _said(self, beginnings: tuple[str, ...]) -> str:
        """The last line of the log that begins so; "" when none does: then it wasn't the wrapper that failed."""
        try:
            with open(control_path(self.folder, LOG), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        return next((line for line in reversed(lines) if line.startswith(beginnings)), "")

    def wakes_at(self) -> float:
        return (
            min(self.deadline, self.terminate_at, self.kill_at, self.log_check_at) if self.running else self.next_look
        )


def remove(folder: str) -> None:
    """Remove what can be removed of a folder."""
    import shutil  # seldom needed, slow to import

    shutil.rmtree(folder, ignore_errors=True)
