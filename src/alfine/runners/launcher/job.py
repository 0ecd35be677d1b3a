"""One training job: its limits, its end, and the record of it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from .admission import RETRY_SECONDS
from .beneath import Beneath, open_regular
from .capacity import SHORTAGES
from .files import (
    CONTAINER,
    CONTROL,
    DELETED,
    EXIT,
    HEARD,
    LOG,
    PROCESS,
    STOP,
    control_path,
    open_log,
    read_json,
    write_json,
)
from .processes import HELPERS, kill_by_command, kill_group, start_helper, terminate

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from typing import Any

LOG_BYTES_PER_SECOND = 1e9
"""The fastest growth of a log that is expected. It decides when the log's size is looked at again."""

LOG_CHECK_SECONDS = (0.05, 1.0)
"""Shortest and longest time between two looks at the size of a log."""

CLEAR_SECONDS = 30.0
"""Longest time, in seconds, that processes that SIGKILL doesn't end (they are stuck in the kernel) may delay the end of their training job."""

CLEAR_PAUSE_SECONDS = 0.05
"""Longest time between two looks at the processes that are left."""

RESEND_SECONDS = 0.01
"""Time until SIGTERM is sent again when the process inside a sandbox didn't exist yet."""

KILL_SECONDS = 10.0
"""Longest time, in seconds, that a container engine may take to kill a container. After that its client is killed."""

SETTLE_SECONDS = 60.0
"""Longest time, in seconds, that the program that removes what is left of containers may take."""

SAID_BYTES = 4096
"""Bytes at the end of a log in which the message of a wrapper is looked for."""

WRAPPERS = {
    "sandbox": ({1}, ("bwrap: ", "sandbox: ")),
    "container": ({125, 126, 127}, ("docker: ", "Error: ")),
}
"""Wrappers of a training job, the exit codes with which it reports that it couldn't start it, and how its message begins."""

NO_CONTAINER = "The container couldn't be started: "
"""Beginning of the reason of a training job whose container never ran."""

CLIENT_GONE = "The container engine's client ended while the container ran, so the container was removed"
"""The detail of a training job whose container nobody could watch any more."""

REMOVED = "AlgorithmError: Its folder was removed while it ran, by its script or by somebody else, with its log and its model."
"""The detail of a training job whose end could only be recorded in a new folder. It isn't run again: it would remove that one too."""

SIGNALS = 64
"""The highest number of a signal on Linux: exit codes up to 128 + 64 may mean one."""


class SupervisedJob:
    """One training job, from taking its lock to writing its exit.json: it runs, then its last processes are killed, then it is recorded.

    Args:
        folder: Its folder.
        spec: The content of launch.json.
        lock: The file descriptor that holds its lock.

    Attributes:
        patient: Whether it is given back when what stands around it couldn't start it for want of something.
        shortage: Why it was given back: it never began, and nothing is recorded of it.
    """

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
        self.leash_check_at = float("inf")
        self.begun_at = 0.0
        self.ended_at = 0.0
        self.status: int | None = None
        self.clear_until = float("inf")
        self.next_look = 0.0
        self.pause = 0.001
        self.settler = 0
        self.settle_until = float("inf")
        self.record: dict[str, Any] | None = None
        self.patient = False
        self.shortage = ""
        self.log_begin = self._log_size()

    def begin(self, pid: int, now: float) -> None:
        """Note that the main process runs, and set its limits.

        Args:
            pid: The process.
            now: Monotonic seconds, here and below.
        """
        self.pid = pid
        if self.spec["max_runtime_seconds"] is not None:
            self.deadline = now + self.spec["max_runtime_seconds"]
        self.log_check_at = now + LOG_CHECK_SECONDS[0]
        self.begun_at = time.time()
        if self.spec.get("leash_seconds") is not None:  # a launch.json of an earlier version doesn't have it
            self.leash_check_at = now + self.spec["leash_seconds"]

    @property
    def running(self) -> bool:
        return bool(self.pid) and self.status is None

    def stop(self, now: float) -> None:
        """Ask it to end, with the grace of the stop request. Asked again, the shortest grace counts."""
        self.ask("stopped", "", now)
        try:
            request = read_json(control_path(self.folder, STOP))
        except OSError:  # it has been asked with the grace of launch.json
            request = None
        grace = None if request is None else request.get("grace_seconds")
        if self.running and isinstance(grace, (int, float)):  # a training job could have written the file itself
            self.kill_at = min(self.kill_at, now + grace)

    def ask(self, cause: str, detail: str, now: float) -> None:
        """Send SIGTERM to the main process, as `docker stop` does, and SIGKILL when its grace is over. The first cause counts."""
        if not self.running or self.cause != "exited":
            return
        self.cause, self.detail = cause, detail
        self.kill_at = now + self.spec["grace_seconds"]
        self.deadline = float("inf")
        self._terminate(now)

    def _terminate(self, now: float) -> None:
        """Send SIGTERM, repeatedly until there is a process to get it: making a sandbox takes a moment."""
        # Of several hosts, and in a warm start, the main process is the launcher's own, and passes the signal on.
        alone = len(self.spec["processes"]) == 1 and self.spec["start"] != "warm"
        sent = terminate(self.pid, self.spec["behind"] if alone else 0)
        self.terminate_at = float("inf") if sent else now + RESEND_SECONDS

    def watch(self, now: float) -> None:
        """Apply the limits that have been reached."""
        if now >= self.deadline:
            limit = self.spec["max_runtime_seconds"]
            self.ask(
                "max_runtime", f"MaxRuntimeExceeded: it ran longer than its MaxRuntimeInSeconds ({limit:g} s).", now
            )
        if now >= self.log_check_at:
            self._check_log(now)
        if now >= self.leash_check_at:
            self._check_leash(now)
        if now >= self.terminate_at:
            self._terminate(now)
        if now >= self.kill_at:
            try:
                commanded = not self.kill_commanded and kill_by_command(self.spec["processes"])
            except OSError:  # there can be no more processes at present
                self.kill_at = now + RETRY_SECONDS
                return
            self.kill_at = now + KILL_SECONDS if commanded else float("inf")
            self.kill_commanded = True
            if not commanded:
                kill_group(self.pid, signal.SIGKILL)

    def _check_log(self, now: float) -> None:
        limit, size = self.spec["max_log_bytes"], self._log_size()
        if size > limit:
            self.ask(
                "log_limit",
                f"Its log is larger than {limit} bytes. Print less, or raise the limit by the tag alfine:max-log-bytes.",
                now,
            )
        if size > limit + limit // 8:  # it goes on printing although it was asked to end: don't wait for its grace
            self.kill_at = now
        soon, late = LOG_CHECK_SECONDS
        self.log_check_at = now + min(late, max(soon, (limit - size) / LOG_BYTES_PER_SECOND))

    def _log_size(self) -> int:
        try:
            return os.stat(control_path(self.folder, LOG)).st_size
        except OSError:
            return 0  # it has printed nothing yet, or has removed the file

    def _check_leash(self, now: float) -> None:
        """End it when its machine has heard nothing from alfine for too long: by then it may run elsewhere."""
        leash = self.spec["leash_seconds"]
        try:
            heard_at = os.stat(control_path(self.folder, HEARD)).st_mtime
        except OSError:
            heard_at = 0.0  # nothing was heard since the start
        left = max(heard_at, self.begun_at) + leash - time.time()
        self.leash_check_at = now + left if left > 0 else float("inf")
        if left <= 0:
            self.ask("lost", f"its machine heard nothing from alfine for {leash:g} s, so it was ended there", now)

    def end(self, status: int | None, now: float) -> None:
        """Note that the main process has ended and that its process group was killed.

        Args:
            status: What `os.waitpid` returned; None where there never was a process.
            now: Monotonic seconds.
        """
        self.status = status
        self.ended_at = time.time()
        self.clear_until = now + CLEAR_SECONDS
        self.next_look = now

    def finish(self, now: float, leftovers: list[int]) -> bool:
        """Kill what is left of the training job and write exit.json.

        Args:
            now: Monotonic seconds.
            leftovers: Children of the launcher that are left over from training jobs that have ended.

        Returns:
            Whether exit.json is written, or never can be, or the training job was given back. If not, call it again.
        """
        if now < self.next_look:
            return False
        if self.record is None:
            if self._is_settling(now) or (self._anyone_left(leftovers) and now < self.clear_until):
                self.pause = min(self.pause * 2, CLEAR_PAUSE_SECONDS)
                self.next_look = now + self.pause
                return False
            self.record = self._exit_record()
            if self.patient and self._is_given_back(self.record):
                return True
            for folder in self.spec["scratch"]:
                self._remove(folder[len(self.folder) + 1 :])
        try:
            write_json(control_path(self.folder, EXIT), self.record)
        except FileNotFoundError:  # somebody has removed the folder, perhaps the training job itself
            was_killed = self.record["signal"] == signal.SIGKILL
            self.record.update(cause="removed", code=None, signal=None, detail=REMOVED)
            if self._make_folder(was_killed=was_killed):
                return False
        except OSError as error:
            if error.errno in SHORTAGES:  # make room and try again, since alfine learns of the end from this file
                self._make_room()
                self.next_look = now + RETRY_SECONDS
                return False
        os.close(self.lock)
        return True

    def _is_given_back(self, record: dict[str, Any]) -> bool:
        """Give the training job back if its wrapper couldn't start it for want of something. Return whether that is so.

        What its log says must come from the wrapper alone: then its own program never ran.
        """
        wrapper, why = self.spec["wrapper"], record["detail"]
        if record["cause"] != "not_started" or not wrapper or not self.pid or not _is_shortage(why):
            return False
        if wrapper == "sandbox" and not all(line.startswith(WRAPPERS[wrapper][1]) for line in self._last_lines()):
            return False
        names = [CONTAINER.format(host=process["host"]) for process in self.spec["processes"]]
        try:
            for name in [PROCESS, *(names if wrapper == "container" else ())]:
                os.unlink(control_path(self.folder, name))
        except OSError:
            return False  # it ends as one that couldn't be started, which its record says
        os.close(self.lock)
        self.shortage = why
        return True

    def _make_folder(self, *, was_killed: bool) -> bool:
        """Make the folder of exit.json anew, with that of the tuning job, and return whether that was possible.

        Nobody wants the record any more where the folder of all tuning jobs is gone too, where alfine has deleted this training job,
        or where it was killed and the tuning job's folder is gone: then the tuning job was stopped by force and deleted.
        """
        above = os.path.dirname(self.folder)
        try:
            if os.pread(self.lock, len(DELETED), 0) == DELETED or (was_killed and not os.path.isdir(above)):
                return False
            for folder in (above, self.folder, f"{self.folder}/{CONTROL}"):
                if not os.path.isdir(folder):
                    os.mkdir(folder, 0o700)
        except OSError:
            return False  # which is the answer: there can't be a record
        return True

    def _remove(self, name: str) -> None:
        """Remove a folder below the training job's, or what can be removed of it; the rest is said in its log."""
        try:
            with Beneath.at(self.folder) as folder:
                folder.remove(name)
        except OSError as error:
            with suppress(OSError):  # the log can't be written either: then deleting the training job says it
                descriptor = open_log(self.folder)
                os.write(descriptor, f"alfine: {name} can't be removed: {error}.\n".encode(errors="replace"))
                os.close(descriptor)

    def _make_room(self) -> None:
        """Remove the working folder, as the end of a container would, and the model of a training job that failed."""
        failed = self.record is not None and self.record["code"] != 0
        for name in ("code", "model")[: 2 if failed else 1]:
            self._remove(f"opt/ml/{name}")
        if self.record is not None:
            self.record["detail"] = self.record["detail"] or "The disk was full."

    def _anyone_left(self, leftovers: list[int]) -> bool:
        for pid in leftovers:
            os.kill(pid, signal.SIGKILL)  # a child that isn't reaped yet, so no other process has its id
        return bool(leftovers) or (bool(self.pid) and kill_group(self.pid, 0))

    def _is_settling(self, now: float) -> bool:
        """Return whether containers are being removed. Each one's client does that itself, unless it was killed."""
        if not self.settler:
            settle = self.spec.get("settle")  # a launch.json of an earlier version doesn't have it
            if not settle or not self.pid or all(record is not None for record in self._containers()):
                return False
            self.settler = start_helper(settle, self.spec["processes"][0]["env"])
            self.settle_until = now + SETTLE_SECONDS
        return self.settler in HELPERS and now < self.settle_until

    def _containers(self) -> list[dict[str, Any] | None]:
        """Return what the engine said about the container of each host; None where that isn't known."""
        names = [CONTAINER.format(host=process["host"]) for process in self.spec["processes"]]
        return [read_json(control_path(self.folder, name)) for name in names]

    def _exit_record(self) -> dict[str, Any]:
        record = {"cause": self.cause, "code": None, "signal": None, "ended_at": self.ended_at, "detail": self.detail}
        if self.status is not None and os.WIFSIGNALED(self.status):
            record["signal"] = os.WTERMSIG(self.status)
        elif self.status is not None:
            record["code"] = os.WEXITSTATUS(self.status)
        if self.spec["wrapper"] == "container" and self.pid:
            self._describe_containers(record)
        elif record["code"] is not None:
            self._unwrap(record)
        return record

    def _unwrap(self, record: dict[str, Any]) -> None:
        """Translate the exit code of what stands around the training job into an end of the training job itself."""
        wrapper = self.spec["wrapper"]
        if 128 < record["code"] <= 128 + SIGNALS and (wrapper or len(self.spec["processes"]) > 1):
            record.update(code=None, signal=record["code"] - 128)
        elif wrapper and record["cause"] == "exited":
            codes, beginnings = WRAPPERS[wrapper]
            trouble = self._said(beginnings) if record["code"] in codes else ""
            if trouble:
                record.update(code=None, cause="not_started", detail=f"The {wrapper} couldn't be started: {trouble}")

    def _describe_containers(self, record: dict[str, Any]) -> None:
        """Complete the record by what the engine said about the containers, as far as it said anything."""
        containers = [container or {} for container in self._containers()]
        record["out_of_memory"] = any(container.get("oom_killed") for container in containers)
        known = all(container.get("started") for container in containers)
        if record["cause"] == "exited" and any(container.get("running") for container in containers):
            record.update(cause="lost", code=None, signal=None, detail=CLIENT_GONE)
        elif record["cause"] == "exited" and any(container.get("started") is False for container in containers):
            errors = (container["error"] for container in containers if container.get("error"))
            trouble = self._said(WRAPPERS["container"][1]) or next(errors, "its log says more")
            record.update(code=None, signal=None, cause="not_started", detail=f"{NO_CONTAINER}{trouble}")
        elif known and record["code"] is None:  # the client was killed after the container had ended
            record.update(code=next((box["code"] for box in containers if box["code"]), 0), signal=None)
        if record["code"] is not None and not (known and record["code"] in WRAPPERS["container"][0]):
            self._unwrap(record)

    def _said(self, beginnings: tuple[str, ...]) -> str:
        """Return the last line of the log with one of these beginnings; "" where there is none: then the training job itself failed."""
        return next((line for line in reversed(self._last_lines()) if line.startswith(beginnings)), "")

    def _last_lines(self) -> list[str]:
        """Return the last lines of the log, as far as they were printed since this start; none where there is no log."""
        try:
            with open_regular(control_path(self.folder, LOG)) as file:
                file.seek(max(self.log_begin, os.fstat(file.fileno()).st_size - SAID_BYTES))
                return file.read().decode(errors="replace").splitlines()
        except OSError:
            return []  # there is no log to tell from: the exit code alone tells

    def wakes_at(self) -> float:
        """Return when `watch` or `finish` has to be called next, in monotonic seconds."""
        return (
            min(self.deadline, self.terminate_at, self.kill_at, self.log_check_at, self.leash_check_at)
            if self.running
            else self.next_look
        )


def _is_shortage(text: str) -> bool:
    """Return whether the message of a program names an error that may pass by itself."""
    return any(os.strerror(number).lower() in text.lower() for number in SHORTAGES)
