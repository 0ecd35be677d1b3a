"""Training jobs as child processes that outlive alfine.

The processes belong to a launcher (`launcher`: its text says what the files in a training job's folder promise), one for all
cold starts and one for each warm plan (`warm`). This side writes `launch.json` before it asks, and reads the rest: so after
a crash of alfine a new runner knows a training job by its folder alone.

    lock held                             it runs, under some launcher
    exit.json                             it has ended
    process.json, lock free, no exit.json its launcher was killed: what is left of it gets killed, cause «lost»
    none of them                          it was never started: start it (again)

Of a script that may start warm the first training jobs wait while the launcher imports, which takes what one cold start takes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from alfine.runners import launcher, pipes, requirements
from alfine.runners.job_folder import (
    PIPES,
    Host,
    Workspace,
    arguments,
    entry_point,
    environment,
    host_environment,
    hosts_of,
    lay_out,
    pack_model,
    requirements_of,
)
from alfine.runners.protocol import Exit, Launch, Observation
from alfine.runners.warm import Cold, Warm, plan

__all__ = ["ProcessRunner"]

logger = logging.getLogger("alfine.runners")

READ_BYTES = 1 << 20
LINE_CHARACTERS = 16 << 10
TAIL_BYTES, TAIL_CHARACTERS = 8 << 10, 2000
PRELOAD_SECONDS = 60.0
MAX_WARM_LAUNCHERS = 4
"""Each holds some 200 MB once numpy, scikit-learn and xgboost are loaded."""
PACK_AT_ONCE_BYTES = 1 << 20
"""Bigger models are packed by a thread, so that the engine's poll doesn't wait for them."""
LOST = "The supervisor of this training job was killed, or the machine went down."


class ProcessRunner:
    """Runs commands and scripts as processes; see the module's text.

    Runners that put something around the process (a sandbox, a container) are made from this one by the methods under
    «what the process is».

    wake: called from a thread of ours when a training job of this runner has ended. Of one that an earlier alfine started
        only polls tell.
    environments: the folder of the virtual environments that requirements.txt are installed into; None: beside the training jobs.
    launcher_log: where the launchers' own output goes (a traceback of theirs, what imports print); None drops it.
    """

    def __init__(
        self, wake: Callable[[], None], *, environments: Path | None = None, launcher_log: Path | None = None
    ) -> None:
        self._wake = wake
        self._environments = environments
        self._launcher_log = launcher_log
        self._mutex = threading.RLock()
        self._cold: _Connection | None = None
        self._warm: dict[Warm, _Connection] = {}
        self._unfit: dict[Warm, str] = {}
        self._owners: dict[str, _Connection] = {}
        self._packing: dict[str, str | None] = {}
        self._warned: set[Path] = set()

    # -- the protocol --

    def start(self, launch: Launch) -> None:
        """See `Runner.start`."""
        folder = str(launch.folder)
        with self._mutex:
            if _was_started(folder) or self._is_asked_for(folder):
                return
            decision = self._decide(launch)
            self._write_launch(launch, decision)
            self._submit(folder, decision)

    def poll(self, launch: Launch, offset: int) -> Observation | None:
        """See `Runner.poll`."""
        folder = str(launch.folder)
        record = launcher.read_json(
            launcher.control_path(folder, launcher.EXIT)
        )  # before the log: then that's all of it
        process = launcher.read_json(launcher.control_path(folder, launcher.PROCESS))
        if record is None:
            if process is None and self._is_asked_for(folder):
                return Observation(offset=offset)
            if not _is_supervised(folder):
                record = self._end_unseen(folder)
                if record is None:
                    return None
                # It may have begun, too, since we looked.
                process = launcher.read_json(launcher.control_path(folder, launcher.PROCESS))
        return self._observe(launch, offset, process or {}, record)

    def stop(self, launch: Launch) -> None:
        """See `Runner.stop`. The request is a file, so it also holds for a training job that has yet to start."""
        folder = str(launch.folder)
        if launcher.read_json(launcher.control_path(folder, launcher.EXIT)) is not None:
            return
        Workspace(launch.folder).control.mkdir(mode=0o700, parents=True, exist_ok=True)
        launcher.write_json(launcher.control_path(folder, launcher.STOP), {"grace_seconds": launch.grace_seconds})
        with self._mutex:
            owner = self._owners.get(folder)
            if owner is not None and owner.alive:
                owner.request("stop", folder)
                return
        holder = _lock_holder(folder)
        if holder:
            with suppress(ProcessLookupError):
                os.kill(holder, signal.SIGUSR1)

    def close(self) -> None:
        """Let go of the launchers: they end when their training jobs have."""
        with self._mutex:
            for connection in [self._cold, *self._warm.values()]:
                if connection is not None:
                    connection.let_go()
            self._cold = None
            self._warm.clear()

    def _is_asked_for(self, folder: str) -> bool:
        with self._mutex:
            owner = self._owners.get(folder)
            if owner is not None and not owner.alive:
                del self._owners[folder]
            return owner is not None and owner.alive

    # -- what the process is: other runners differ here --

    def _refusal(self, launch: Launch) -> str:
        """Why this can't be started, found before a process is made; ""."""
        if launch.image is not None:
            return f"A plain process can't run the container image {launch.image}."
        if not launch.network:
            return "A plain process can't be cut off from the network (EnableNetworkIsolation)."
        return missing(launch)

    def _plan(self, launch: Launch) -> Warm | Cold:
        """How it starts."""
        return plan(launch) if launch.instance_count == 1 else Cold("it has several hosts")

    def _hosts(self, launch: Launch) -> tuple[Host, ...]:
        return hosts_of(launch)

    def _process(self, launch: Launch, host: Host) -> dict[str, Any]:
        """The program of one host, as the launcher starts it."""
        return process_of(launch, host, self._environment(launch))

    def _environment(self, launch: Launch) -> Path | None:
        """The folder of the virtual environment with the script's requirements; None when it has none."""
        path = requirements_of(launch)
        if path is None:
            return None
        python = shutil.which(launch.python) or launch.python
        state = f"{os.path.realpath(python)} {python} {_changed_at(python)} ".encode() + path.read_bytes()
        folder = (self._environments or launch.folder.parent / ".environments") / hashlib.sha256(state).hexdigest()[:20]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _supervision(self, launch: Launch) -> dict[str, Any]:  # noqa: ARG002 - others look at it
        """What the launcher has to know about the process. behind, scratch, wrapper: see its `terminate`, `finish`, WRAPPERS."""
        return {"behind": 0, "scratch": [], "wrapper": ""}

    def _write_launch(self, launch: Launch, decision: Warm | Cold) -> None:
        """Lay out the folder and write down the intent, `launch.json`, last."""
        refused, hosts = self._refusal(launch), self._hosts(launch)
        space = Workspace(launch.folder)
        if refused:
            space.control.mkdir(mode=0o700, parents=True, exist_ok=True)
        else:
            lay_out(launch, hosts)
        start = "warm" if isinstance(decision, Warm) else f"cold: {decision.reason}".removesuffix(": ")
        spec = {
            "name": launch.name,
            "command": [] if refused else _argv_of(launch, hosts[0], None),  # for people: nothing around it
            "processes": [] if refused else [self._process(launch, host) for host in hosts],
            "script": _script_inside(launch, hosts[0]),
            "refused": refused,
            "start": start,
            "max_runtime_seconds": launch.max_runtime_seconds,
            "grace_seconds": launch.grace_seconds,
            "max_log_bytes": launch.max_log_bytes,
            **self._supervision(launch),
        }
        launcher.write_json(launcher.control_path(str(launch.folder), launcher.LAUNCH), spec)

    # -- starting --

    def _decide(self, launch: Launch) -> Warm | Cold:
        if self._refusal(launch):
            return Cold()
        decision = self._plan(launch)
        if isinstance(decision, Warm) and decision in self._unfit:
            return Cold(self._unfit[decision])
        if isinstance(decision, Cold) and decision.reason and launch.script is not None:
            self._warn(launch.script, decision.reason)
        return decision

    def _warn(self, script: Path, reason: str) -> None:
        if script not in self._warned:
            self._warned.add(script)
            logger.warning("%s starts cold: %s", script, reason)

    def _submit(self, folder: str, decision: Warm | Cold) -> None:
        connection = self._warm_launcher(decision) if isinstance(decision, Warm) else self._cold_launcher()
        self._owners[folder] = connection
        connection.request("start", folder)

    def _cold_launcher(self) -> _Connection:
        if self._cold is None or not self._cold.alive:
            argv = [sys.executable, "-I", "-S", launcher.PROGRAM]
            self._cold = _Connection(argv, host_environment(), self._launcher_log, self._heard)
        return self._cold

    def _warm_launcher(self, decision: Warm) -> _Connection:
        connection = self._warm.pop(decision, None)
        if connection is None or not connection.alive:
            self._drop_warm(decision)
            argv = [*decision.around, decision.python, os.path.realpath(launcher.PROGRAM)]
            connection = _Connection(argv, dict(decision.environment), self._launcher_log, self._heard, decision)
        self._warm[decision] = connection  # at the end: the order is that of last use
        return connection

    def _drop_warm(self, coming: Warm) -> None:
        """Let go of the launcher that an edited script's new one replaces, and of those least recently used."""
        stale = [each for each in self._warm if each.slot == coming.slot]
        spare = len(self._warm) - len(stale) + 1 - MAX_WARM_LAUNCHERS
        oldest = [each for each in self._warm if each not in stale][: max(0, spare)]
        for each in stale + oldest:
            self._warm.pop(each).let_go()

    # -- what launchers say (in their threads) --

    def _heard(self, connection: _Connection, event: dict[str, Any]) -> None:
        if event["event"] == "gone" and not connection.was_let_go and connection.plan is not None:
            self._start_cold_instead(connection, connection.plan, event["reason"])
        if event["event"] == "exit" or not connection.was_let_go:
            self._wake()

    def _start_cold_instead(self, connection: _Connection, decision: Warm, reason: str) -> None:
        """The launcher says that its plan is unfit, or was killed: no more of it, and its waiting training jobs go on cold."""
        with self._mutex:
            self._unfit[decision] = reason
            self._warn(decision.script, reason)
            if self._warm.get(decision) is connection:
                del self._warm[decision]
            for folder in connection.unsent():
                path = launcher.control_path(folder, launcher.LAUNCH)
                spec = launcher.read_json(path)
                if spec:
                    launcher.write_json(path, {**spec, "start": f"cold: {reason}"})
                    self._submit(folder, Cold(reason))

    # -- observing --

    def _end_unseen(self, folder: str) -> dict[str, Any] | None:
        """The exit record of a training job that nobody supervises; None when it was never started."""
        with self._mutex:
            record = launcher.read_json(launcher.control_path(folder, launcher.EXIT))  # it ended since we looked
            if record is not None:
                return record
            if launcher.read_json(launcher.control_path(folder, launcher.PROCESS)) is None:
                return None
            return _settle_lost(folder)

    def _observe(
        self, launch: Launch, offset: int, process: dict[str, Any], record: dict[str, Any] | None
    ) -> Observation:
        space = Workspace(launch.folder)
        lines, offset, at_end = read_lines(space.log, offset, ended=record is not None)
        known = Observation(started_at=_instant(process.get("started_at")), lines=lines, offset=offset)
        if record is None or not at_end or not self._is_packed(space):
            return known
        with self._mutex:
            self._owners.pop(str(launch.folder), None)
            trouble = self._packing.pop(str(launch.folder), None)
        return Observation(
            started_at=known.started_at,
            ended_at=_instant(record.get("ended_at")),
            lines=lines,
            offset=offset,
            exit=_exit(record, space, trouble),
        )

    def _is_packed(self, space: Workspace) -> bool:
        """Whether the model is packed, or can't be; packs it."""
        folder = str(space.folder)
        with self._mutex:
            if space.archive.exists() or self._packing.get(folder):
                return True
            if folder in self._packing:  # a thread is at it
                return False
            self._packing[folder] = None
        if _size(space.model) <= PACK_AT_ONCE_BYTES:
            self._pack(space)
            return True
        threading.Thread(target=self._pack, args=(space, self._wake), name="alfine-pack", daemon=True).start()
        return False

    def _pack(self, space: Workspace, then: Callable[[], None] | None = None) -> None:
        try:
            pack_model(space)
        except OSError as error:
            logger.warning("%s: its model can't be packed: %s", space.folder, error)
            with self._mutex:
                self._packing[str(space.folder)] = f"Its model couldn't be packed: {error}."
        if then is not None:
            then()


# ---- a launcher, seen from here ----------------------------------------------------------------------------------------


class _Connection:
    """One launcher process: its socket, the requests that wait until it is ready, a thread that hears its events."""

    def __init__(
        self,
        argv: list[str],
        env: dict[str, str],
        log: Path | None,
        heard: Callable[[_Connection, dict[str, Any]], None],
        decision: Warm | None = None,
    ) -> None:
        self.plan = decision
        self.alive = True
        self._ready = decision is None
        self.was_let_go = False
        self._waiting: list[tuple[Literal["start", "stop"], str]] = []
        self._mutex = threading.Lock()
        self._heard = heard
        self._socket, theirs = socket.socketpair()
        try:
            self._pid = _spawn(argv, env, theirs.fileno(), log, warm=decision is not None)
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()
        if decision is not None:
            preload = {"imports": decision.imports, "local": decision.local, "sandbox": decision.sandbox}
            self._send({"op": "preload", **preload})
            self._socket.settimeout(PRELOAD_SECONDS)
        threading.Thread(target=self._listen, name="alfine-launcher", daemon=True).start()

    def request(self, operation: Literal["start", "stop"], folder: str) -> None:
        """Send the request, or keep it until the launcher is ready; to a dead one it's lost, as its polls will tell."""
        with self._mutex:
            if self._ready:
                self._send({"op": operation, "folder": folder})
            else:
                self._waiting.append((operation, folder))

    def unsent(self) -> list[str]:
        """Folders whose start still waits here; they are forgotten."""
        with self._mutex:
            folders = [folder for operation, folder in self._waiting if operation == "start"]
            self._waiting.clear()
        return folders

    def let_go(self) -> None:
        """End of requests: the launcher ends when its training jobs have; one still importing gets its requests first."""
        with self._mutex:
            self.was_let_go = True
            if self._ready:
                self._hang_up()

    def _hang_up(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def _send(self, request: dict[str, Any]) -> None:
        with suppress(OSError):
            self._socket.sendall(json.dumps(request).encode() + b"\n")

    def _listen(self) -> None:
        reason = "its launcher was killed"
        try:
            with self._socket, self._socket.makefile("rb") as events:
                for line in events:
                    event = json.loads(line)
                    reason = event.get("reason", reason)
                    if event["event"] == "ready":
                        self._become_ready()
                    elif event["event"] == "exit":
                        self._heard(self, event)
        except TimeoutError:
            reason = f"its imports took longer than {PRELOAD_SECONDS:g} s"
            os.killpg(self._pid, signal.SIGKILL)  # what stands around it too
        except (OSError, ValueError):
            pass
        self._end(reason)

    def _become_ready(self) -> None:
        with self._mutex:
            self._socket.settimeout(None)
            for operation, folder in self._waiting:
                self._send({"op": operation, "folder": folder})
            self._waiting.clear()
            self._ready = True
            if self.was_let_go:
                self._hang_up()

    def _end(self, reason: str) -> None:
        self.alive = False
        self._heard(self, {"event": "gone", "reason": reason})
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _spawn(argv: list[str], env: dict[str, str], control: int, log: Path | None, *, warm: bool) -> int:
    """Start a launcher in a session of its own, so that Ctrl-C in the terminal doesn't reach it."""
    place = 3 if control != 3 else 4  # dup2 onto itself would leave it close-on-exec
    out = os.devnull if log is None else str(log)
    append = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    actions: list[tuple[Any, ...]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, out, append, 0o644),
        (os.POSIX_SPAWN_OPEN, 2, out, append, 0o644),
        (os.POSIX_SPAWN_DUP2, control, place),
    ]
    argv = [*argv, str(place), *(["warm"] if warm else [])]
    defaults = [signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM]
    try:
        return os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=defaults)
    except NotImplementedError:  # a C library without POSIX_SPAWN_SETSID
        return os.posix_spawnp(argv[0], argv, env, file_actions=actions, setpgroup=0, setsigdef=defaults)


# ---- the files of one training job -------------------------------------------------------------------------------------


def _was_started(folder: str) -> bool:
    return any(Path(launcher.control_path(folder, name)).exists() for name in (launcher.PROCESS, launcher.EXIT))


def missing(launch: Launch) -> str:
    """What a command or script needs and isn't there; ""."""
    if launch.command is None and launch.script is None:
        return "There is nothing to run: give a command or a script."
    if launch.command is not None and not launch.command:
        return "The command is empty."
    if launch.source_dir is not None and not launch.source_dir.is_dir():
        return f"The source folder {launch.source_dir} doesn't exist."
    script = _script_path(launch)
    if script is not None and not script.is_file():
        return f"The script {script} doesn't exist."
    return missing_data(launch)


def missing_data(launch: Launch) -> str:
    """What a channel should have and isn't there; ""."""
    for channel in launch.channels:
        if channel.trouble:
            return f"ClientError: Data download failed: {channel.trouble}"
        if not channel.path.exists():
            return f"Channel {channel.name}: {channel.path} doesn't exist."
    return ""


def _script_path(launch: Launch) -> Path | None:
    if launch.script is None or launch.command is not None:
        return None
    return launch.script if launch.source_dir is None else launch.source_dir / launch.script


def process_of(launch: Launch, host: Host, venv: Path | None) -> dict[str, Any]:
    """The command or script as a process on a host; venv: the folder of its virtual environment, if it has one."""
    env = environment(launch, arguments(launch.hyperparameters), host)
    return {
        "host": host.name,
        "argv": _argv_of(launch, host, venv),
        "cwd": str(host.seen.code),
        "env": env if venv is None else {**_for_pip(), **env},
    }


def _argv_of(launch: Launch, host: Host, venv: Path | None) -> list[str]:
    python = launch.python if venv is None else f"{venv}/venv/bin/python"
    args = arguments(launch.hyperparameters)
    command = _argv(launch, _script_inside(launch, host), python, args)
    return [*_installer(launch, host, venv), *_feeder(launch, host), *command]


def _installer(launch: Launch, host: Host, venv: Path | None) -> list[str]:
    """What installs the script's requirements and then becomes it; nothing without any."""
    if venv is None:
        return []
    texts = f"{host.seen.code}/requirements.txt", f"{host.seen.ml}/output/failure"
    return [sys.executable, "-I", "-S", requirements.__file__, str(venv), launch.python, *texts]


def _for_pip() -> dict[str, str]:
    """Where pip finds its packages: the user's settings, which a training job of another HOME wouldn't have."""
    known = {name: text for name, text in os.environ.items() if name.startswith("PIP_")}
    home = Path.home()
    file = next((path for path in (home / ".config/pip/pip.conf", home / ".pip/pip.conf") if path.is_file()), None)
    return {**({} if file is None else {"PIP_CONFIG_FILE": str(file)}), **known}


def _changed_at(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0


def _feeder(launch: Launch, host: Host) -> list[str]:
    """What feeds the training job's pipes and then becomes it; nothing without pipes."""
    if not any(channel.piped for channel in launch.channels):
        return []
    return [sys.executable, "-I", "-S", pipes.__file__, str(host.seen.ml / PIPES)]


def _script_inside(launch: Launch, host: Host) -> str:
    """The script as its process names it; "" with a command."""
    return str(host.seen.code / entry_point(launch)) if launch.command is None else ""


def _argv(launch: Launch, script: str, python: str, args: list[str]) -> list[str]:
    if launch.entrypoint:
        return [*launch.entrypoint, *launch.arguments]  # its hyperparameters are in hyperparameters.json
    if launch.command is not None:
        return [*launch.command, *args]
    interpreter = {".py": [python], ".sh": ["/bin/sh"]}.get(Path(script).suffix, [])
    return [*interpreter, script, *args]


FLOCK_LAYOUT = "hhqqi4x" if sys.platform.startswith("linux") else "qqihh"
"""struct flock of 64-bit systems: type, whence, start, length, pid; macOS: start, length, pid, type, whence."""


def _lock_holder(folder: str) -> int:
    """The process that holds the training job's lock, 0 when nobody does; asks without taking it."""
    try:
        file = os.open(launcher.control_path(folder, launcher.LOCK), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return 0
    linux = FLOCK_LAYOUT.startswith("h")
    fields = (fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0) if linux else (0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
    try:
        answer = struct.unpack(FLOCK_LAYOUT, fcntl.fcntl(file, fcntl.F_GETLK, struct.pack(FLOCK_LAYOUT, *fields)))
    finally:
        os.close(file)
    kind, holder = (answer[0], answer[4]) if linux else (answer[3], answer[2])
    return 0 if kind == fcntl.F_UNLCK else int(holder)


def _is_supervised(folder: str) -> bool:
    return _lock_holder(folder) != 0


def _settle_lost(folder: str) -> dict[str, Any] | None:
    """Kill what a killed launcher left of the training job and write its end down; None when it has a launcher after all."""
    lock = launcher.take_lock(folder)
    if lock is None:
        return None
    try:
        process = launcher.read_json(launcher.control_path(folder, launcher.PROCESS)) or {}
        _kill_leftovers(folder, process)
        log = Path(launcher.control_path(folder, launcher.LOG))
        ended_at = log.stat().st_mtime if log.exists() else process.get("started_at")
        record = {"cause": "lost", "code": None, "signal": None, "ended_at": ended_at, "detail": LOST}
        launcher.write_json(launcher.control_path(folder, launcher.EXIT), record)
    finally:
        os.close(lock)
    return record


def _kill_leftovers(folder: str, process: dict[str, Any]) -> None:
    pid = process.get("pid")
    if pid and launcher.identity(pid) == process.get("identity"):
        launcher.kill_group(pid, signal.SIGKILL)
    for _ in range(50):
        left = _processes_of(folder)
        for each in left:
            with suppress(OSError):
                os.kill(each, signal.SIGKILL)
        if not left:
            return
        time.sleep(0.02)


def _processes_of(folder: str) -> list[int]:
    """Processes that print to the training job's log or carry its environment (Linux; elsewhere none are found)."""
    try:
        numbers = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
    except OSError:
        return []
    log = Path(launcher.control_path(folder, launcher.LOG))
    state = log.stat() if log.exists() else None
    return [pid for pid in numbers if pid != os.getpid() and _belongs(pid, folder, state)]


def _belongs(pid: int, folder: str, log: os.stat_result | None) -> bool:
    marker = f"SAGEMAKER_BASE_DIR={Workspace(Path(folder)).ml}".encode()
    try:  # not by the log's path, which in a sandbox may be another one
        if log is not None and any(os.path.samestat(Path(f"/proc/{pid}/fd/{fd}").stat(), log) for fd in (1, 2)):
            return True
        return marker in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


# ---- log and exit ------------------------------------------------------------------------------------------------------


def read_lines(path: Path, offset: int, *, ended: bool) -> tuple[tuple[str, ...], int, bool]:
    """The complete lines after `offset` within the next MiB, where to go on, and whether the end has been delivered.

    Which lines there are depends on the file alone, not on when it was read: a line longer than a MiB is cut after its
    first 16 Ki characters, and what comes after that MiB counts as a line of its own.
    """
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            data = file.read(READ_BYTES)
    except FileNotFoundError:
        data = b""
    at_end = ended and len(data) < READ_BYTES
    end = data.rfind(b"\n") + 1
    if at_end or (end == 0 and len(data) == READ_BYTES):
        end = len(data)
    if end == 0:
        return (), offset, at_end
    text = data[:end].removesuffix(b"\n").decode(errors="replace")
    lines = (line[:LINE_CHARACTERS].removesuffix("\r") for line in text.split("\n"))
    return tuple(lines), offset + end, at_end


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace").strip()
    except OSError:
        return ""
    printable = "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return printable[-TAIL_CHARACTERS:]


def _exit(record: dict[str, Any], space: Workspace, trouble: str | None) -> Exit:
    return Exit(
        cause=record.get("cause", "lost"),
        code=record.get("code"),
        signal=record.get("signal"),
        failure=space.failure(),
        tail=_tail(space.log),
        detail=" ".join(filter(None, (record.get("detail"), trouble))),
    )


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _size(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
