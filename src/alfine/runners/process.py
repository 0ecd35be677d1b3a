"""Training jobs as child processes that outlive alfine.

The processes belong to launchers (the package `launcher` says what the files in a training job's folder mean): one for all cold
starts, and one for each warm plan (`warm`). This side writes `launch.json` before it asks a launcher to start a training job, and
reads everything else from the folder. So after a crash of alfine a new runner recognises a training job by its folder alone:

    the lock is held                          it runs, under some launcher
    exit.json                                 it has ended
    process.json, lock free, no exit.json     its launcher was killed: its processes are killed, the cause is `lost`
    none of these files, but processes        its folder was removed: they are killed, the cause is `removed`
    none of these                             it was never started: start it (again)

The first training jobs of a script that may start warm wait while its launcher imports, which takes as long as one cold start.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from alfine.runners import launcher
from alfine.runners.command_line import argv_of, missing, process_of, script_inside
from alfine.runners.executor import LocalLaunch, LocalObservation, names_of
from alfine.runners.exit_record import exit_of, instant_of
from alfine.runners.folder_watch import FolderWatch
from alfine.runners.job_environment import host_environment
from alfine.runners.job_folder import JobHost, Workspace, hosts_of, lay_out, make_control, requirements_of
from alfine.runners.launcher_connection import LauncherConnection
from alfine.runners.log_files import LogReader, mark_truncated, note_truncation
from alfine.runners.model_packing import ModelPacking
from alfine.runners.protocol import News
from alfine.runners.supervision import is_supervised, lock_holder, settle_lost, settle_removed, was_started
from alfine.runners.warm import Cold, Warm, plan

__all__ = ["ProcessRunner"]

logger = logging.getLogger("alfine.runners")

MAX_WARM_LAUNCHERS = 4
"""Each takes some 200 MB once numpy, scikit-learn and xgboost are loaded."""

TAKE_TRIES = 3
"""Number of times that a launcher is asked to start a training job that it can't take."""

ENVIRONMENT_DIGITS = 20
"""Hexadecimal digits of the hash that names a virtual environment: no two of one machine will ever share their name."""


class ProcessRunner:
    """Runs commands and scripts as processes. See the module's docstring.

    Runners that put something around the process (a sandbox, a container) inherit from it and replace the methods in the section
    «what the process is».

    Args:
        news: Called from a thread of this runner when one of its training jobs has begun, has printed something, or has ended.
        environments: The folder of the virtual environments into which requirements.txt files are installed. None: a folder
            beside the training jobs.
        home: The home of the training jobs: `alfine doctor --check` of a home names the launchers that were left behind there.

    Attributes:
        apart: Whether its launchers aren't to be children of this process, which may kill its children when it ends.
    """

    tells_news = True

    shares_environments_with = "plain processes"
    """Who uses the same virtual environments: what a plain process could change, no sandbox uses."""

    def __init__(self, news: News, *, environments: Path | None = None, home: Path | None = None) -> None:
        self.apart = False
        self._news = news
        self._watch = FolderWatch(news)
        self._environments = environments
        self._home = home
        self._mutex = threading.RLock()
        self._cold: LauncherConnection | None = None
        self._warm: dict[Warm, LauncherConnection] = {}
        self._unfit: dict[Warm, str] = {}
        self._owners: dict[str, LauncherConnection] = {}
        self._not_taken: dict[str, list[str]] = {}  # why launchers couldn't take a training job, one reason a try
        self._models = ModelPacking(news)
        self._warned: set[Path] = set()
        self._logs = LogReader()

    # -- the protocol --

    def start(self, launch: LocalLaunch) -> None:
        """See `Executor.start`."""
        folder = str(launch.folder)
        with self._mutex:
            if was_started(folder) or self._is_asked_for(folder):
                return
            decision = self._decide(launch)
            self._write_launch(launch, decision)
            self._submit(folder, decision)
        self._watch_for(folder, has_begun=False)

    def poll(self, launch: LocalLaunch, offset: int) -> LocalObservation | None:
        """See `Executor.poll`."""
        folder = str(launch.folder)
        refusals = self._not_taken.get(folder, [])
        if len(refusals) >= TAKE_TRIES:
            raise OSError(f"its launcher can't take it: {refusals[-1]}")
        # Read before the log: once there is an exit.json nothing is added to the log.
        record = launcher.read_json(launcher.control_path(folder, launcher.EXIT))
        process = launcher.read_json(launcher.control_path(folder, launcher.PROCESS))
        if record is None:
            if process is None and self._is_asked_for(folder):
                return LocalObservation(offset=offset)
            if is_supervised(folder):
                self._watch_for(folder, has_begun=process is not None)
            else:
                record = self._end_unseen(folder)
                if record is None:  # its launcher may just have given it back, and have it wait
                    return LocalObservation(offset=offset) if self._is_asked_for(folder) else None
                # It may have begun and ended since process.json was read.
                process = launcher.read_json(launcher.control_path(folder, launcher.PROCESS))
        return self._observe(launch, offset, process or {}, record)

    def stop(self, launch: LocalLaunch) -> None:
        """See `Executor.stop`.

        The request is a file, so it also holds for a training job that hasn't started yet. The launcher is told through its
        socket, or by a signal to look for the file: one that was let go reads nothing from its socket any more, and one of an
        earlier process of alfine has none.
        """
        folder = str(launch.folder)
        if launcher.read_json(launcher.control_path(folder, launcher.EXIT)) is not None:
            return
        trouble = _write_stop(launch)
        with self._mutex:
            owner = self._owners.get(folder)
            if owner is not None and owner.request("stop", folder):
                return
        if trouble is not None:
            raise trouble
        holder = lock_holder(folder)
        if holder:
            with suppress(ProcessLookupError):  # it has ended since: polls find its training job without a supervisor
                os.kill(holder, signal.SIGUSR1)

    def close(self) -> None:
        """Let go of the launchers. They end when their training jobs have ended."""
        with self._mutex:
            for connection in [self._cold, *self._warm.values()]:
                if connection is not None:
                    connection.let_go()
            self._cold = None
            self._warm.clear()
        self._watch.close()

    def _watch_for(self, folder: str, *, has_begun: bool) -> None:
        """Watch a training job until its end. That of one whose launcher doesn't tell this runner is looked for."""
        log, control = launcher.control_path(folder, launcher.LOG), f"{folder}/{launcher.CONTROL}"
        if self._is_asked_for(folder):
            self._watch.watch(folder, (log,) if has_begun else (control, log))
        else:
            self._watch.watch(folder, (control, log), partial(is_supervised, folder))

    def _is_asked_for(self, folder: str) -> bool:
        with self._mutex:
            owner = self._owners.get(folder)
            if owner is not None and not owner.alive:
                del self._owners[folder]
            return owner is not None and owner.alive

    # -- what the process is: other runners replace these methods --

    def _refusal(self, launch: LocalLaunch) -> str:
        """Return why the training job can't be started, as far as that is known before there is a process; "" where it can."""
        if launch.image is not None:
            return f"A plain process can't run the container image {launch.image}."
        if not launch.network:
            return "A plain process can't be cut off from the network (EnableNetworkIsolation)."
        return missing(launch)

    def _plan(self, launch: LocalLaunch) -> Warm | Cold:
        """Return the plan of a warm start, or the reason for a cold one."""
        return plan(launch) if launch.hosts_here == 1 else Cold("it has several hosts")

    def _hosts(self, launch: LocalLaunch) -> tuple[JobHost, ...]:
        return hosts_of(launch)

    def _process(self, launch: LocalLaunch, host: JobHost) -> dict[str, Any]:
        """Return the process of one host: host, argv, cwd and env, for the launcher."""
        return process_of(launch, host, self._environment(launch))

    def _environment(self, launch: LocalLaunch) -> Path | None:
        """Return the folder of the virtual environment with the script's requirements, or None. It is named by what it is made from."""
        path = requirements_of(launch)
        if path is None:
            return None
        python = shutil.which(launch.python) or launch.python
        made_of = f"{os.path.realpath(python)} {python} {_changed_at(python)} {self.shares_environments_with}"
        state = made_of.encode() + path.read_bytes()
        folder = (self._environments or launch.folder.parent / ".environments") / hashlib.sha256(state).hexdigest()[
            :ENVIRONMENT_DIGITS
        ]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _supervision(self, launch: LocalLaunch) -> dict[str, Any]:  # noqa: ARG002 - other runners look at it
        """Return the surroundings of the training job for the launcher: see `terminate`, `SupervisedJob.finish` and WRAPPERS there."""
        return {"behind": 0, "scratch": [], "wrapper": ""}

    def _write_launch(self, launch: LocalLaunch, decision: Warm | Cold) -> None:
        """Lay out the folder, and write `launch.json` last: it is the intent to start."""
        refused, hosts = self._refusal(launch), self._hosts(launch)
        if refused:
            make_control(launch.folder)
        else:
            lay_out(launch, hosts)
        start = "warm" if isinstance(decision, Warm) else f"cold: {decision.reason}".removesuffix(": ")
        spec = {
            "name": launch.name,
            "attempt": launch.attempt,
            "log_begin": launch.log_begin,
            "command": [] if refused else argv_of(launch, hosts[0], None),  # for people: without what stands around it
            "processes": [] if refused else [self._process(launch, host) for host in hosts],
            "script": script_inside(launch, hosts[0]),
            "refused": refused,
            "start": start,
            "max_runtime_seconds": launch.max_runtime_seconds,
            "grace_seconds": launch.grace_seconds,
            "max_log_bytes": launch.max_log_bytes,
            "leash_seconds": launch.leash_seconds,
            **self._supervision(launch),
        }
        launcher.write_json(launcher.control_path(str(launch.folder), launcher.LAUNCH), spec)

    # -- starting --

    def _decide(self, launch: LocalLaunch) -> Warm | Cold:
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
        if connection.request("start", folder):
            self._owners[folder] = connection
        else:  # the launcher has just died: the next poll finds that the training job was never started
            self._owners.pop(folder, None)

    def _cold_launcher(self) -> LauncherConnection:
        if self._cold is None or not self._cold.alive:
            argv = [sys.executable, "-I", "-S", launcher.PROGRAM]
            self._cold = LauncherConnection(argv, host_environment(), self._home, self._heard, apart=self.apart)
        return self._cold

    def _warm_launcher(self, decision: Warm) -> LauncherConnection:
        connection = self._warm.pop(decision, None)
        if connection is None or not connection.alive:
            self._drop_warm(decision)
            argv = [*decision.around, decision.python, os.path.realpath(launcher.PROGRAM)]
            connection = LauncherConnection(
                argv, dict(decision.environment), self._home, self._heard, decision, apart=self.apart
            )
        self._warm[decision] = connection  # put last: the order is that of the last use
        return connection

    def _drop_warm(self, coming: Warm) -> None:
        """Let go of the launcher of the script before it was edited, and of the least recently used ones beyond the limit."""
        stale = [known for known in self._warm if known.slot == coming.slot]
        too_many = len(self._warm) - len(stale) + 1 - MAX_WARM_LAUNCHERS
        oldest = [known for known in self._warm if known not in stale][: max(0, too_many)]
        for known in stale + oldest:
            self._warm.pop(known).let_go()

    # -- events of launchers (in the threads of their connections) --

    def _heard(self, connection: LauncherConnection, event: dict[str, Any]) -> None:
        if (
            event["event"] == "gone"
            and connection.plan is not None
            and not (connection.was_let_go and connection.ready)
        ):
            self._start_cold_instead(connection, connection.plan, event["reason"])
        if event["event"] == "short":
            logger.warning("training_job=%s waits for its start: %s", Path(event["folder"]).name, event["reason"])
            return
        if event["event"] in ("exit", "not_taken"):
            with self._mutex:  # from here on its files say what became of it
                self._owners.pop(event["folder"], None)
                if event["event"] == "not_taken":
                    self._not_taken.setdefault(event["folder"], []).append(event["reason"])
            self._watch.discard(event["folder"])
            self._news(*names_of(event["folder"]))
        else:
            self._lost(connection)

    def _lost(self, connection: LauncherConnection) -> None:
        """Tell of the training jobs of a launcher that has died: polls find what became of them."""
        with self._mutex:
            folders = [folder for folder, owner in self._owners.items() if owner is connection]
        for folder in folders:
            self._watch.discard(folder)
            self._news(*names_of(folder))

    def _start_cold_instead(self, connection: LauncherConnection, decision: Warm, reason: str) -> None:
        """Start the training jobs that wait for a warm launcher cold, as all later ones: it has refused its plan or was killed."""
        with self._mutex:
            self._unfit[decision] = reason
            self._warn(decision.script, reason)
            if self._warm.get(decision) is connection:
                del self._warm[decision]
            for folder in connection.unsent():
                try:
                    self._submit_cold(folder, reason)
                except OSError as error:  # the next poll finds that it was never started, and starts it cold
                    logger.warning("training_job=%s will be started once more: %s", Path(folder).name, error)

    def _submit_cold(self, folder: str, reason: str) -> None:
        path = launcher.control_path(folder, launcher.LAUNCH)
        spec = launcher.read_json(path)
        if spec:
            launcher.write_json(path, {**spec, "start": f"cold: {reason}"})
            self._submit(folder, Cold(reason))

    # -- observing --

    def _end_unseen(self, folder: str) -> dict[str, Any] | None:
        """Return the exit record of a training job without a supervisor; None when it was never started."""
        with self._mutex:
            record = launcher.read_json(launcher.control_path(folder, launcher.EXIT))  # written since the first look
            if record is not None:
                return record
            if launcher.read_json(launcher.control_path(folder, launcher.PROCESS)) is None:
                return settle_removed(folder)
            return settle_lost(folder)

    def _observe(
        self, launch: LocalLaunch, offset: int, process: dict[str, Any], record: dict[str, Any] | None
    ) -> LocalObservation:
        space = Workspace(launch.folder)
        new = self._logs.read(space.log, offset, ended=record is not None)
        if new.truncated:
            logger.warning("%s was truncated while its training job ran; reading goes on at its new start", space.log)
            mark_truncated(space.log)
        known = LocalObservation(started_at=instant_of(process.get("started_at")), lines=new.lines, offset=new.offset)
        if record is None or not new.at_end or not self._models.is_settled(space):
            return known
        self._logs.forget(space.log)
        note_truncation(space.log)
        with self._mutex:
            self._owners.pop(str(launch.folder), None)
        return LocalObservation(
            started_at=known.started_at,
            ended_at=instant_of(record.get("ended_at")),
            lines=new.lines,
            offset=new.offset,
            exit=exit_of(record, space, self._models.take_error(space)),
        )


def _write_stop(launch: LocalLaunch) -> OSError | None:
    """Write the file that asks a training job to stop, and return why that failed; None where it is written."""
    try:
        make_control(launch.folder)
        path = launcher.control_path(str(launch.folder), launcher.STOP)
        launcher.write_json(path, {"grace_seconds": launch.grace_seconds})
    except OSError as error:
        return error
    return None


def _changed_at(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0  # it is gone: whoever compares sees a difference
