"""All training jobs of one launcher, in one loop."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress

from .admission import RETRY_SECONDS, Admission
from .capacity import SHORTAGES, lower_limit
from .entering import Entering
from .events import LauncherEvents
from .files import EXIT, LAUNCH, PROCESS, STOP, control_path, flush, open_log, read_json, take_lock, write_json
from .hosts import Hosts
from .job import SupervisedJob
from .processes import (
    HELPERS,
    LINUX,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_PDEATHSIG,
    execute,
    identity,
    kill_group,
    mark_process,
    note,
    quiet_fork,
    wakeup_pipe,
    why_not,
)
from .script import run_script

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from typing import Any, NoReturn

OOM_SCORE = "500"
"""The out-of-memory score of a training job, in -1000 to 1000: the higher, the sooner the kernel kills it when memory runs out. Source: proc(5)."""

SHORT = "\0"
"""Begins what a child reports that couldn't start for want of something that comes back: the number of the error follows."""

FLUSH_SECONDS = 1.0
"""Longest time, in seconds, that an exit.json may wait to be flushed to the disk together with others. A running alfine has recorded the end sooner."""


class Launcher:
    """The loop of a launcher: it reads requests, notices the ends of processes, and applies limits, for all its training jobs.

    Args:
        control: The socket to alfine, by its number.
        descriptors: The soft limit on descriptors that training jobs get; None: the one that this process has.
    """

    def __init__(self, control: int, descriptors: int | None = None) -> None:
        self.control = control  # by its number, because the module socket takes long to import
        self.descriptors = descriptors
        self.events = LauncherEvents(control)
        self.tell = self.events.tell
        self.connected = True
        self.heard = b""
        self.jobs: dict[str, SupervisedJob] = {}
        self.waiting: list[str] = []  # folders of training jobs for which the machine has no room at present
        self.retry_at = float("inf")
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.before: set[int] = set()
        self.unflushed: list[str] = []  # paths of exit.json files that a power cut could still undo
        self.flush_at = float("inf")
        self.signals, self.signals_in = wakeup_pipe()

    def prepare(self) -> None:
        """Ignore the terminal's signals and become the reaper of orphans. Called after the preload, which may change signals."""
        if LINUX:
            self.libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGCHLD, signal.SIGUSR1):
            signal.signal(number, note)
        signal.set_wakeup_fd(self.signals_in, warn_on_full_buffer=False)
        os.set_blocking(self.control, False)
        self.before = set(self._children())
        self.admission = Admission(self.descriptors)

    def run(self) -> None:
        """Run until alfine has let go and every training job has ended."""
        while self.connected or self.jobs:
            self._wait()
            self._reap()
            now = time.monotonic()
            leftovers = self._leftovers() if any(not job.running for job in self.jobs.values()) else []
            for folder, job in list(self.jobs.items()):
                if job.running:
                    job.watch(now)
                elif job.finish(now, leftovers):
                    del self.jobs[folder]
                    self._let_go(job, now)
            if self.waiting and now >= self.retry_at:
                self._start_waiting()
            if now >= self.flush_at:
                self._flush()
        for path in self.unflushed:
            flush(path)

    def _let_go(self, job: SupervisedJob, now: float) -> None:
        if job.shortage:
            self._let_wait(job.folder, job.shortage)
            self.retry_at = now + self.admission.carry(len(self.jobs), job.folder)
            return
        self.admission.ended(job.folder)
        self.tell("exit", folder=job.folder)
        self.unflushed.append(control_path(job.folder, EXIT))
        self.flush_at = min(self.flush_at, now + FLUSH_SECONDS)
        self.retry_at = now

    def _wait(self) -> None:
        retry_at = self.retry_at if self.waiting else float("inf")
        due = min((self.flush_at, retry_at, *(job.wakes_at() for job in self.jobs.values())))
        timeout = None if due == float("inf") else max(0.0, due - time.monotonic())
        listening = [self.signals, self.control] if self.connected else [self.signals]
        ready, has_room, _ = select.select(listening, [self.control] if self.events.unsent else [], [], timeout)
        if has_room:
            self.events.go_on()
        if self.signals in ready and signal.SIGUSR1 in os.read(self.signals, 4096):
            self._look_for_stop_files()
        if self.control in ready:
            self._listen()

    def _flush(self) -> None:
        """Flush the latest exit.json files to the disk, in a child: that takes long, and starts mustn't wait for it."""
        try:
            pid = quiet_fork()
        except OSError:  # there can be no more processes at present
            self.flush_at = time.monotonic() + FLUSH_SECONDS
            return
        if pid == 0:
            for path in self.unflushed:
                flush(path)
            os._exit(0)
        HELPERS.add(pid)
        self.unflushed.clear()
        self.flush_at = float("inf")

    def _listen(self) -> None:
        try:
            data = os.read(self.control, 1 << 16)
        except OSError:
            data = b""
        self.connected = bool(data)
        *lines, self.heard = (self.heard + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))

    def _obey(self, request: dict[str, Any]) -> None:
        if request["op"] == "start":
            self.start(request["folder"])
        elif request["op"] == "stop":
            self._stop(request["folder"])

    def _look_for_stop_files(self) -> None:
        for folder in [*self.jobs, *self.waiting]:
            if os.path.exists(control_path(folder, STOP)):
                self._stop(folder)

    def _stop(self, folder: str) -> None:
        if folder in self.jobs:
            self.jobs[folder].stop(time.monotonic())
        elif folder in self.waiting:  # it needn't wait for its end, which takes a descriptor and no process
            self.waiting.remove(folder)
            self._take(folder)

    # -- starting --

    def start(self, folder: str) -> None:
        """Start the training job in a folder, unless it runs, has run, or another launcher supervises it; if need be, later."""
        if folder in self.jobs or folder in self.waiting:
            return
        if self.waiting:  # it's not its turn
            self.waiting.append(folder)
        elif lack := self.admission.lack(len(self.jobs)):
            self._let_wait(folder, lack)
        else:
            self._take(folder)

    def _start_waiting(self) -> None:
        """Start those that wait, in their order, until there is no room again."""
        self.retry_at = time.monotonic() + RETRY_SECONDS
        self.admission.try_one_more(len(self.jobs))
        while self.waiting and not self.admission.lack(len(self.jobs)):
            if not self._take(self.waiting.pop(0)):
                return

    def _take(self, folder: str) -> bool:
        """Start a training job. Return False where the machine is short of what it needs: then it is first among those that wait."""
        try:
            self._start(folder)
        except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
            # Whatever its files contain, it must harm no other training job of this launcher.
            job = self.jobs.pop(folder, None)
            if job is not None:
                os.close(job.lock)
            if isinstance(error, OSError) and error.errno in SHORTAGES:
                self._let_wait(folder, f"{error}.")
                return False
            self.tell("not_taken", folder=folder, reason=f"{type(error).__name__}: {error}")
        return True

    def _let_wait(self, folder: str, reason: str) -> None:
        self.waiting.insert(0, folder)
        self.retry_at = time.monotonic() + RETRY_SECONDS
        self.tell("short", folder=folder, reason=reason)

    def _start(self, folder: str) -> None:
        spec = read_json(control_path(folder, LAUNCH))
        if not spec:
            raise ValueError("its launch.json is missing or broken")
        lock = take_lock(folder)
        if lock is None or any(os.path.exists(control_path(folder, name)) for name in (EXIT, PROCESS)):
            if lock is not None:
                os.close(lock)
            self.tell("exit", folder=folder)  # its files say what became of it
            return
        job = self.jobs[folder] = SupervisedJob(folder, spec, lock)
        job.patient = self.admission.is_patient(folder)
        self.admission.begun()
        if os.path.exists(control_path(folder, STOP)):
            job.cause = "stopped"
            job.end(None, time.monotonic())
        else:
            self._spawn(job)

    def _spawn(self, job: SupervisedJob) -> None:
        problem = job.spec["refused"]
        pid = 0
        if not problem:
            pid, problem = self._fork(job)
        if problem:
            job.cause, job.detail = "not_started", problem
            job.end(None, time.monotonic())
        if pid:
            job.begin(pid, time.monotonic())

    def _fork(self, job: SupervisedJob) -> tuple[int, str]:
        """Fork the child and let it go on once process.json is written. Return its id and "", or 0 and why it doesn't run.

        Raises:
            OSError: The machine is short of something: it was not started.
        """
        (go, let_go), (trouble, tell_trouble) = pipes = _pipes()
        try:
            pid = quiet_fork()
        except OSError:
            _close(*pipes[0], *pipes[1])
            raise
        if pid == 0:
            try:
                _close(let_go, trouble)
                self._be_child(job, go, tell_trouble)
            except BaseException:  # noqa: BLE001 - this child mustn't go on in the launcher's code
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(1)
        os.close(go)
        os.close(tell_trouble)
        try:
            self._record_process(job, pid)
            os.write(let_go, b"go")
            problem = ""
        except OSError as error:
            problem = (
                SHORT + str(error.errno) if error.errno in SHORTAGES else f"The process couldn't be recorded: {error}."
            )
        os.close(let_go)  # a child that has read nothing ends here
        with open(trouble, "rb") as pipe:  # its end is reached when the child runs the command, or can't
            problem = problem or pipe.read().decode()
        if problem:
            os.waitpid(pid, 0)
        if problem.startswith(SHORT):
            with suppress(FileNotFoundError):  # it wasn't written for want of a descriptor
                os.unlink(control_path(job.folder, PROCESS))
            number = int(problem[len(SHORT) :])
            raise OSError(number, os.strerror(number))
        return (0, problem) if problem else (pid, "")

    def _record_process(self, job: SupervisedJob, pid: int) -> None:
        process = {
            "pid": pid,
            "identity": identity(pid),
            "started_at": time.time(),
            "start": job.spec["start"],
            "launcher": os.getpid(),
        }
        write_json(control_path(job.folder, PROCESS), process)

    def _be_child(self, job: SupervisedJob, go: int, trouble: int) -> NoReturn:
        """Become the training job, in a child: release everything of the launcher, wait until process.json is written, start."""
        warm = job.spec["start"] == "warm"
        try:
            self._detach(job)
            if os.read(go, 2) != b"go":
                os._exit(127)
            os.close(go)
            if job.spec["wrapper"] != "container":  # an engine's client may start what all containers share
                mark_process(job.folder)
            first, *others = job.spec["processes"]
            if not warm and not others:
                execute(first)
            if not others:
                os.chdir(first["cwd"])
        except BaseException as error:  # noqa: BLE001 - this child mustn't go on in the launcher's code
            is_short = isinstance(error, OSError) and error.errno in SHORTAGES
            why = f"{SHORT}{error.errno}" if is_short else why_not(error, job.spec["processes"][0])  # type: ignore[attr-defined]
            os.write(trouble, why.encode()[:1000])
            os._exit(127)
        os.close(trouble)
        if others:
            os._exit(Hosts(job.spec).run())
        if "inside" in first:
            os._exit(Entering(first["inside"]["words"], self.libc).run(lambda: self._run_inside(job.spec)))
        run_script(job.spec["script"], first, self.libc)

    def _run_inside(self, spec: dict[str, Any]) -> NoReturn:
        process = spec["processes"][0]
        inside = process["inside"]
        os.chdir(inside["cwd"])
        run_script(spec["script"], {"argv": inside["argv"], "env": {**process["env"], **inside["env"]}}, self.libc)

    def _detach(self, job: SupervisedJob) -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        if LINUX:
            self.libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            _offer_to_the_oom_killer()
        lower_limit(self.admission.capacity.given)
        for mine in (self.control, self.signals, self.signals_in):
            os.close(mine)
        for other in self.jobs.values():
            os.close(other.lock)
        log = open_log(job.folder)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)

    # -- ending --

    def _reap(self) -> None:
        """Reap every child that has ended; a main process only after its whole group got SIGKILL."""
        mains = {job.pid: job for job in self.jobs.values() if job.running}
        if not hasattr(os, "waitid"):
            self._reap_mains(mains)
            return
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            if ended.si_pid in mains:
                kill_group(ended.si_pid, signal.SIGKILL)  # it isn't reaped yet, so no other process has its id
            _, status = os.waitpid(ended.si_pid, 0)
            HELPERS.discard(ended.si_pid)
            if ended.si_pid in mains:
                mains.pop(ended.si_pid).end(status, time.monotonic())

    def _reap_mains(self, mains: dict[int, SupervisedJob]) -> None:
        """Reap on macOS before Python 3.13, which has no `waitid`. Orphans go to process 1 there."""
        for pid, job in mains.items():
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                kill_group(pid, signal.SIGKILL)
                job.end(status, time.monotonic())
        for pid in list(HELPERS):
            if os.waitpid(pid, os.WNOHANG)[0]:
                HELPERS.discard(pid)

    def _leftovers(self) -> list[int]:
        """Return children that are no running training job: they became the launcher's when their training job ended."""
        mains = {job.pid for job in self.jobs.values() if job.running}
        return [pid for pid in self._children() if pid not in mains | self.before | HELPERS]

    def _children(self) -> list[int]:
        if not LINUX:
            return []
        children: list[int] = []
        for thread in os.listdir("/proc/self/task"):
            try:
                with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
                    children += map(int, file.read().split())
            except OSError:  # the thread has ended, or the kernel doesn't have this file
                continue
        return children


def _pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    """Return two pipes, or none: raise OSError where there are too few descriptors."""
    first = os.pipe()
    try:
        return first, os.pipe()
    except OSError:
        _close(*first)
        raise


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _offer_to_the_oom_killer() -> None:
    """Let the kernel kill this training job first when memory runs out, not the launcher with all the others."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(OOM_SCORE)
    except OSError:  # the score is higher already, or there is no such file
        pass


def serve(control: int, descriptors: int, *, warm: bool) -> int:
    """Run a launcher and return its exit code.

    Args:
        control: The socket to alfine, by its number.
        descriptors: The soft limit on descriptors that training jobs get.
        warm: Whether to import modules first, as the first request says.
    """
    os.chdir("/")
    os.set_inheritable(control, False)  # noqa: FBT003 - the method's name says what False means
    launcher = Launcher(control, descriptors)
    reason = ""
    if warm:
        from .preload import become_warm

        reason = become_warm(control)
    launcher.prepare()
    if reason:
        launcher.tell("unfit", reason=reason)
        return 0
    launcher.tell("ready")
    launcher.run()
    return 0
