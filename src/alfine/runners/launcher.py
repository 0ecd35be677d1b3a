"""The supervisor of training jobs: a program by itself, so that training jobs outlive alfine.

    python -I -S launcher.py FD        starts any command
    python launcher.py FD warm         preloads a script's imports and forks training jobs that run it

Standard library only, Python 3.8 or newer, nothing of alfine: it may run under the user's own interpreter. It reads one
request a line (JSON) from the socket FD and answers with events; at the end of file (alfine ended, or let go) it goes on
until its training jobs have ended.

What it promises, in the files of a job's `.alfine` folder:

- `lock` is held (fcntl, so never inherited) from before the first process until after `exit.json` is written. Hence: lock
  held = supervised; lock free with `process.json` but no `exit.json` = the supervisor was killed; neither = never started.
- `process.json` is written before the command runs: the child waits for it. A crash can't leave a process without a record.
- `exit.json` is written when every process of the training job is gone, and after it nothing is added to `log`.

Its main process need not be the training job itself: it may be the outside of a sandbox, whose inside gets the SIGTERM
(`behind` generations below), or, with several hosts, a child of ours that runs one process for each and ends with them. Such
a main process says by an exit code of 128 + n that the training job died of signal n, as shells do.

Who belongs to a training job: its process group; and on Linux whoever left the group, since each training job reaps its own
orphans while it lives (PR_SET_CHILD_SUBREAPER, what process 1 of a container does) and hands them to the launcher when it
dies: a child of the launcher that isn't a running training job is a leftover of one that has ended.

When the launcher itself is killed, the kernel kills its training jobs on Linux (PR_SET_PDEATHSIG): nobody would end them.
"""

from __future__ import annotations

import sys

_HERE, _, _ = __file__.rpartition("/")
PUTS_SCRIPT_FOLDER_FIRST = bool(sys.path) and sys.path[0] == _HERE
if __name__ == "__main__" and PUTS_SCRIPT_FOLDER_FIRST:
    del sys.path[0]  # before any import: a script's `import process` must not find alfine's

import atexit  # noqa: E402
import builtins  # noqa: E402
import ctypes  # noqa: E402
import errno  # noqa: E402
import fcntl  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import select  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import time  # noqa: E402
from contextlib import suppress  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

LINUX = sys.platform.startswith("linux")
CONTROL = ".alfine"
LAUNCH, PROCESS, EXIT, LOCK, STOP, LOG = "launch.json", "process.json", "exit.json", "lock", "stop", "log"

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
MADV_COLLAPSE, HUGE_PAGE = (
    25,
    2 << 20,
)  # <linux/mman.h>, from Linux 6.1 on; older kernels refuse it, and nothing is lost
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
    "sandbox": ({1}, ("bwrap: ",)),
    "container": ({125, 126, 127}, ("docker: ", "Error: ")),
}
"""With which exit codes, and which words, what stands around a training job says that it couldn't start it."""
KILLERS: set[int] = set()
"""Our children that run such a command."""
SIGNALS = 64
"""The highest number of a signal: above 128 by no more than that, an exit code may mean one."""
OOM_SCORE = "500"
INTERRUPTED = -2
"""In place of an exit code: an uncaught KeyboardInterrupt, after which Python ends by SIGINT."""
FORK_SAFE_THREADS = {"jemalloc_bg_thd"}
"""Native threads that are restarted or not needed in a forked child: jemalloc's (pyarrow) registers atfork handlers."""


# ---- files and processes: alfine imports these too ---------------------------------------------------------------------


def control_path(folder: str, name: str) -> str:
    """The path of one of our own files (`LAUNCH`, `LOCK`, …) of the training job in `folder`."""
    return f"{folder}/{CONTROL}/{name}"


def read_json(path: str) -> dict[str, Any] | None:
    """The object in the file; None when there is no such file, {} when a crash of the machine left it broken."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: str, value: dict[str, Any]) -> None:
    """Write the file so that a reader sees all of it or nothing."""
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(json.dumps(value))  # json.dump would walk the value in Python
    os.replace(draft, path)


def flush(path: str) -> None:
    """Make a file and its name survive a power cut."""
    for each in (path, os.path.dirname(path)):
        with suppress(OSError):
            descriptor = os.open(each, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)


def take_lock(folder: str) -> int | None:
    """Take the training job's lock; None when another process holds it. Close the number to let it go.

    Opening the lock file a second time in one process and closing it drops the lock (POSIX): ask only when not holding it.
    """
    fd = os.open(control_path(folder, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def identity(pid: int) -> str | None:
    """What tells the process from a later one of the same number: boot and start time. None when it's gone.

    A zombie is gone: it does nothing any more, and who has to reap it isn't us.
    """
    if not LINUX:
        return _identity_by_ps(pid)
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _identity_by_ps(pid: int) -> str | None:
    import subprocess  # seldom needed, slow to import

    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def terminate(pid: int, behind: int) -> bool:
    """SIGTERM to the process `behind` generations below `pid`, always the eldest child; False when it isn't there yet."""
    for _ in range(behind):
        children = children_of(pid)
        if not children:
            return False
        pid = children[0]
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    return True


def kill_by_command(processes: list[dict[str, Any]]) -> bool:
    """Run the commands by which these processes are killed, where they have such; nobody waits for them."""
    commands = [each for each in processes if each.get("kill")]
    for each in commands:
        pid = _quiet_fork()
        if pid == 0:
            os.setsid()
            with suppress(OSError):
                os.execvpe(each["kill"][0], each["kill"], each["env"])  # noqa: S606
            os._exit(127)
        KILLERS.add(pid)
    return bool(commands)


def children_of(pid: int) -> list[int]:
    """The children of a process's main thread, the eldest first; none when it's gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(each) for each in file.read().split()]
    except OSError:
        return []


def kill_group(group: int, number: int) -> bool:
    """Send a signal to a process group (0 only asks); False when nobody is left in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS answers so for a group of zombies; elsewhere: someone is there
        return LINUX
    return True


# ---- one training job --------------------------------------------------------------------------------------------------


class Job:
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
        told = terminate(self.pid, self.spec["behind"] if len(self.spec["processes"]) == 1 else 0)
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
            self.ask("log_limit", f"Its log passed {limit} bytes; print less, or raise the limit.", now)
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
                shutil.rmtree(folder, ignore_errors=True)
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
            folder = os.path.join(self.folder, "opt", "ml", name)
            shutil.rmtree(folder, ignore_errors=True)
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


# ---- the launcher ------------------------------------------------------------------------------------------------------


class Launcher:
    """All training jobs of one launcher in one loop: requests, ends of processes, limits."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.connected = True
        self.heard = b""
        self.jobs: dict[str, Job] = {}
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.before = set()  # type: set[int]
        self.signals, self.signals_in = socket.socketpair()
        for end in (self.signals, self.signals_in):
            end.setblocking(False)  # noqa: FBT003 - the name of the method says it

    def prepare(self) -> None:
        """Become a supervisor: own session, deaf to the terminal, reaper of orphans. After a preload, which may meddle."""
        if LINUX:
            self.libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGCHLD, signal.SIGUSR1):
            signal.signal(number, _note)
        signal.set_wakeup_fd(self.signals_in.fileno(), warn_on_full_buffer=False)
        self.before = set(self._children())

    def tell(self, event: str, **fields: Any) -> None:
        """Send an event; dropped when alfine is gone or doesn't listen, since the files say the same."""
        with suppress(OSError):
            self.control.send(json.dumps({"event": event, **fields}).encode() + b"\n", socket.MSG_DONTWAIT)

    def run(self) -> None:
        """Serve until alfine has let go and every training job has ended."""
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
                    self.tell("exit", folder=folder)
                    flush(control_path(folder, EXIT))  # alfine, where it lives, makes the end durable sooner

    def _wait(self) -> None:
        due = min((job.wakes_at() for job in self.jobs.values()), default=float("inf"))
        timeout = None if due == float("inf") else max(0.0, due - time.monotonic())
        listening = [self.signals, self.control] if self.connected else [self.signals]
        ready, _, _ = select.select(listening, [], [], timeout)
        if self.signals in ready and signal.SIGUSR1 in self.signals.recv(4096):
            self._look_for_stop_files()
        if self.control in ready:
            self._listen()

    def _listen(self) -> None:
        try:
            data = self.control.recv(1 << 16)
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
        for folder in self.jobs:
            if os.path.exists(control_path(folder, STOP)):
                self._stop(folder)

    def _stop(self, folder: str) -> None:
        if folder in self.jobs:
            self.jobs[folder].stop(time.monotonic())

    # -- starting --

    def start(self, folder: str) -> None:
        """Start the training job, unless it runs, has run, or is another launcher's."""
        if folder in self.jobs:
            return
        spec = read_json(control_path(folder, LAUNCH))
        lock = take_lock(folder) if spec else None
        if spec is None or lock is None:
            return
        if any(os.path.exists(control_path(folder, name)) for name in (EXIT, PROCESS)):
            os.close(lock)
            return
        job = self.jobs[folder] = Job(folder, spec, lock)
        if os.path.exists(control_path(folder, STOP)):
            job.cause = "stopped"
            job.end(None, time.monotonic())
        else:
            self._spawn(job)

    def _spawn(self, job: Job) -> None:
        problem = job.spec["refused"]
        pid = 0
        if not problem:
            pid, problem = self._fork(job)
        if problem:
            job.cause, job.detail = "not_started", problem
            job.end(None, time.monotonic())
        if pid:
            job.begin(pid, time.monotonic())

    def _fork(self, job: Job) -> tuple[int, str]:
        """Fork the child and let it go once it's on record. Answers (its number, "") or (0, why it isn't running)."""
        go, let_go = os.pipe()
        trouble, tell_trouble = os.pipe()
        pid = _quiet_fork()
        if pid == 0:
            os.close(let_go)
            os.close(trouble)
            self._be_child(job, go, tell_trouble)
        os.close(go)
        os.close(tell_trouble)
        try:
            self._record_process(job, pid)
            os.write(let_go, b"go")
            problem = ""
        except OSError as error:
            problem = f"Its process couldn't be recorded: {error}."
        os.close(let_go)  # without a word the child ends
        with open(trouble, "rb") as pipe:  # ends when the child runs the command, or can't
            problem = problem or pipe.read().decode()
        if problem:
            os.waitpid(pid, 0)
        return (0, problem) if problem else (pid, "")

    def _record_process(self, job: Job, pid: int) -> None:
        process = {
            "pid": pid,
            "identity": identity(pid),
            "started_at": time.time(),
            "start": job.spec["start"],
            "launcher": os.getpid(),
        }
        write_json(control_path(job.folder, PROCESS), process)

    def _be_child(self, job: Job, go: int, trouble: int) -> NoReturn:
        """In the child: cut every tie to the launcher, wait to be on record, become the training job."""
        warm = job.spec["start"] == "warm"
        try:
            self._detach(job)
            if os.read(go, 2) != b"go":
                os._exit(127)
            os.close(go)
            first, *others = job.spec["processes"]
            if not warm and not others:
                _execute(first)
            if not others:
                os.chdir(first["cwd"])
        except BaseException as error:  # noqa: BLE001 - nothing of this child may go on in the launcher's code
            os.write(trouble, _why_not(error, job.spec["processes"][0]).encode()[:1000])
            os._exit(127)
        os.close(trouble)
        if others:
            os._exit(Hosts(job.spec).run())
        run_script(job.spec["script"], first, self.libc)

    def _detach(self, job: Job) -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        if LINUX:
            self.libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            _offer_to_the_oom_killer()
        for mine in (self.control, self.signals, self.signals_in):
            mine.close()
        for other in self.jobs.values():
            os.close(other.lock)
        log = os.open(control_path(job.folder, LOG), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)

    # -- ending --

    def _reap(self) -> None:
        """Reap every child that has ended; of a training job only after its whole group got SIGKILL."""
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
                kill_group(ended.si_pid, signal.SIGKILL)  # not reaped yet: the number is still its own
            _, status = os.waitpid(ended.si_pid, 0)
            KILLERS.discard(ended.si_pid)
            if ended.si_pid in mains:
                mains.pop(ended.si_pid).end(status, time.monotonic())

    def _reap_mains(self, mains: dict[int, Job]) -> None:
        """For macOS before Python 3.13, which can't look without reaping; orphans go to process 1."""
        for pid, job in mains.items():
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                kill_group(pid, signal.SIGKILL)
                job.end(status, time.monotonic())

    def _leftovers(self) -> list[int]:
        """Children that are no running training job: they fell to us when a training job ended."""
        mains = {job.pid for job in self.jobs.values() if job.running}
        return [pid for pid in self._children() if pid not in mains | self.before | KILLERS]

    def _children(self) -> list[int]:
        if not LINUX:
            return []
        found: list[int] = []
        for thread in os.listdir("/proc/self/task"):
            try:
                with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
                    found += map(int, file.read().split())
            except OSError:  # the thread ended, or a kernel without this file
                continue
        return found


def _note(_number: int, _frame: Any) -> None:
    """A signal that has a handler reaches the wakeup socket; there is nothing more to do."""


def _quiet_fork() -> int:
    """Fork; Python's warning about threads is left out, since `preload` has judged them."""
    if sys.version_info < (3, 12):
        return os.fork()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _offer_to_the_oom_killer() -> None:
    """When memory runs out the training job goes first, not the launcher with all the others."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(OOM_SCORE)
    except OSError:  # a score set higher already, or no such file
        pass


def _execute(process: dict[str, Any]) -> None:
    os.chdir(process["cwd"])
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores some; a command must not
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(process["argv"][0], process["argv"], process["env"])  # noqa: S606


def _why_not(error: BaseException, process: dict[str, Any]) -> str:
    command = process["argv"][0]
    about = os.fsdecode(getattr(error, "filename", None) or command)  # execvpe names the last place that it tried
    about_command = os.path.basename(about) == os.path.basename(command)
    if not about_command or not isinstance(error, OSError):
        return f"{command} couldn't be started: {error}."
    if isinstance(error, FileNotFoundError) and os.path.exists(os.path.join(process["cwd"], command)):
        return f"{command} can't run: the interpreter in its first line (#!) doesn't exist."
    if isinstance(error, FileNotFoundError):
        return f"Command not found: {command}. Give a full path, or put its folder on PATH in Environment."
    if isinstance(error, PermissionError):
        return f"{command} is not executable. Run chmod +x on it, or put its interpreter before it."
    if error.errno == errno.ENOEXEC:
        return f"{command} is no program: its first line doesn't name an interpreter (#!)."
    return f"{command} couldn't be started: {error}."


# ---- several hosts -----------------------------------------------------------------------------------------------------


class Hosts:
    """In a forked child, the main process of a training job of several hosts: runs a process for each.

    It ends with the last of them: with 0 when all ended with 0, else with the exit code of the first that didn't (128 + n
    after signal n). When one fails, the others are asked to stop, as they are when it's asked to itself, and killed when
    their grace is over.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.running: dict[int, dict[str, Any]] = {}
        self.waiting: set[int] = set()  # for their SIGTERM
        self.kill_at = float("inf")
        self.kill_commanded = False
        self.code = 0
        self.signals, self.signals_in = socket.socketpair()
        for end in (self.signals, self.signals_in):
            end.setblocking(False)  # noqa: FBT003 - the name of the method says it

    def run(self) -> int:
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, _note)
        signal.set_wakeup_fd(self.signals_in.fileno(), warn_on_full_buffer=False)
        for process in self.spec["processes"]:
            self._start(process)
        while self.running:
            self._wait()
            self._reap()
            self.waiting = {pid for pid in self.waiting & set(self.running) if not terminate(pid, self.spec["behind"])}
            if time.monotonic() >= self.kill_at:
                self._kill()
        return self.code

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
            _execute(process)
        except BaseException as error:  # noqa: BLE001 - nothing of this child may go on in our code
            _say(_why_not(error, process))
        os._exit(127)

    def _wait(self) -> None:
        pause = RESEND_SECONDS if self.waiting else max(0.0, min(self.kill_at - time.monotonic(), 60.0))
        select.select([self.signals], [], [], pause)
        with suppress(BlockingIOError):
            if signal.SIGTERM in self.signals.recv(4096):
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
            process = self.running.pop(pid, None)  # None: an orphan of one of them
            code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            if process is not None and code and not self.code:
                self.code = code
                if self.running and self.kill_at == float("inf"):
                    _say(
                        f"alfine: {process['host']} ended with exit code {code}, so the other hosts are asked to stop."
                    )
                    self._ask_all()


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode(errors="replace"))


# ---- warm starts -------------------------------------------------------------------------------------------------------


def preload(imports: list[list[Any]], local: list[str]) -> str:
    """Import what the script imports first; answers why forking from here would differ from a fresh start, or "".

    imports: [module, names taken from it], in the script's order.
    local: modules of the script's own folder, which in a fresh start come before installed ones of the same name.
    """
    before = set(sys.modules)
    try:
        for module, names in imports:
            if module.partition(".")[0] not in local and _is_installed(module):
                _import(module, names)
    except BaseException as error:  # noqa: BLE001 - whatever a module does at import, SystemExit too
        return f"importing {module} raised {type(error).__name__}: {error}"
    return _foreign_module(before) or _shadowed(local) or _busy_threads() or _cuda()


def _import(module: str, names: list[str]) -> None:
    with suppress(ImportError):  # the script will raise it, or handle it, by itself
        __import__(module, fromlist=names)


def _is_installed(module: str) -> bool:
    """Whether the module is the standard library's or in site-packages: other code may change between training jobs."""
    import importlib.util

    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = list(spec.submodule_search_locations or [])
    return _is_installed_path(spec.origin if spec.origin and spec.origin != "namespace" else (places or [""])[0])


def _is_installed_path(path: str) -> bool:
    standard = os.path.dirname(os.__file__)
    real = os.path.realpath(path)
    return (
        path in ("built-in", "frozen")
        or any(part in ("site-packages", "dist-packages") for part in path.split("/"))
        or real.startswith((standard + "/", os.path.realpath(standard) + "/"))
    )


def _foreign_module(before: set[str]) -> str:
    for name in sorted(set(sys.modules) - before):
        path = getattr(sys.modules[name], "__file__", None)
        if isinstance(path, str) and path != __file__ and not _is_installed_path(path):
            return f"its imports load {path}, which is not installed and may change"
    return ""


def _shadowed(local: list[str]) -> str:
    loaded = {name.partition(".")[0] for name in sys.modules}
    shared = sorted(loaded & set(local) - {"__main__"})
    return f"{shared[0]} in the script's folder hides an installed module of that name" if shared else ""


def _busy_threads() -> str:
    import threading

    if threading.active_count() > 1:
        return f"its imports start Python threads ({threading.enumerate()[-1].name})"
    count = native_threads()
    if count > 1 and count > _threads_of_numpy():
        return f"its imports start native threads ({count - 1})"
    return ""


def native_threads() -> int:
    """Threads of this process, those that are known to survive a fork left out."""
    names = []
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{thread}/comm", encoding="utf-8", errors="replace") as file:
            names.append(file.read().strip())
    return sum(name not in FORK_SAFE_THREADS for name in names)


def _threads_of_numpy() -> int:
    """Threads that numpy's and scipy's BLAS alone start: their pools have atfork handlers."""
    import subprocess

    loaded = [name for name in ("numpy", "scipy.linalg") if name in sys.modules]
    if not loaded:
        return 1
    program = f"import os, {', '.join(loaded)}; print(len(os.listdir('/proc/self/task')))"
    answer = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False, timeout=30)
    return int(answer.stdout or 1)


def _cuda() -> str:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "its imports initialise CUDA"
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("/dev/nvidia"):
                return "its imports open a GPU"
        except OSError:
            continue
    return ""


def run_script(script: str, process: dict[str, Any], libc: Any) -> NoReturn:
    """In a forked child: run the script as `python script …` would, and end the process as it would."""
    code = 1
    try:
        _look_fresh(script, process)
        code = _run_main(script)
        code = _shut_down(code)
    finally:
        libc.fflush(None)  # what C code printed (LightGBM does)
        if code == INTERRUPTED:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(code)


def _look_fresh(script: str, process: dict[str, Any]) -> None:
    env = dict(process["env"])
    if "LC_CTYPE" in os.environ and "LC_ALL" not in env:
        env.setdefault("LC_CTYPE", os.environ["LC_CTYPE"])  # Python's own coercion of the C locale (PEP 538)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = process["argv"][1:]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = process["argv"]
    if PUTS_SCRIPT_FOLDER_FIRST:
        sys.path.insert(0, os.path.dirname(os.path.realpath(script)))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _reseed()


def _reseed() -> None:
    """Draw new seeds from the system, as each fresh interpreter does; forks would all share the parent's."""
    for name in ("random", "numpy.random"):
        if name in sys.modules:
            sys.modules[name].seed()


def _run_main(script: str) -> int:
    """Execute the script's current text as a fresh `__main__`; answers the exit code."""
    try:
        main = _fresh_main(script)
        with open(script, "rb") as file:
            text = file.read()
        exec(compile(text, script, "exec", dont_inherit=True), main.__dict__)  # noqa: S102 - that's the task
    except SystemExit as leaving:
        return _exit_code(leaving.code)
    except BaseException as error:  # noqa: BLE001 - as the interpreter does
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
            traceback = traceback.tb_next
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _fresh_main(script: str) -> Any:
    from importlib.machinery import SourceFileLoader

    main: Any = type(sys)("__main__")
    main.__builtins__ = builtins
    main.__file__ = script
    main.__loader__ = SourceFileLoader("__main__", script)
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    if sys.version_info < (3, 15):
        main.__cached__ = None
    sys.modules["__main__"] = main
    if "__mp_main__" in sys.modules:  # multiprocessing's second name for it
        sys.modules["__mp_main__"] = main
    return main


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _shut_down(code: int) -> int:
    """What an interpreter does at its end: wait for threads, run exit handlers, flush."""
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # noqa: SLF001 - what Py_Finalize calls, here and below
    atexit._run_exitfuncs()  # noqa: SLF001
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except OSError:
        return 120  # as Python does: the output is lost
    return code


# ---- the program -------------------------------------------------------------------------------------------------------


def _become_warm(control: socket.socket) -> str:
    """Read the one line that says what to import, and import it; answers why not."""
    line = b""
    while not line.endswith(b"\n"):
        data = control.recv(1)  # not a byte more: the next line is a request
        if not data:
            os._exit(0)
        line += data
    request = json.loads(line)
    gc.disable()
    reason = preload(request["imports"], request["local"])
    gc.collect()
    gc.freeze()  # shared pages stay shared: the collector doesn't touch what was there before the fork
    gc.enable()
    use_huge_pages()
    return reason


def use_huge_pages() -> None:
    """Gather this process's own memory in huge pages, where the kernel can: fewer pages, so forks and their ends cost less.

    They stay shared after a fork all the same: the kernel splits one up before it copies a small page of it.
    """
    if not LINUX:
        return
    libc = ctypes.CDLL(None)
    with open("/proc/self/maps", encoding="ascii") as maps:
        fields = [line.split() for line in maps]
    for span, rights, _, _, inode, *_ in fields:
        first, last = (int(end, 16) for end in span.split("-"))
        if rights == "rw-p" and inode == "0" and last - first >= HUGE_PAGE:
            libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), MADV_COLLAPSE)


def main(arguments: list[str]) -> int:
    """Run as a program; see the module's text."""
    os.chdir("/")
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    launcher = Launcher(control)
    reason = _become_warm(control) if "warm" in arguments else ""
    launcher.prepare()
    if reason:
        launcher.tell("unfit", reason=reason)
        return 0
    launcher.tell("ready")
    launcher.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
