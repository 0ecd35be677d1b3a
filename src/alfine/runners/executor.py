"""The seam between a host and what runs processes on its machine: `Executor`, and the values that it takes and returns.

A host (host.py) turns a portable Launch into a LocalLaunch: the same training job with the paths that its files have on this machine.
An executor keeps no state that only it has: everything that a training job left lies in its folder. So an executor that was made after a
crash finds every training job that an earlier one started.

- `inline.InlineRunner`: a Python function in a thread of this process.
- `process.ProcessRunner`: a child process under a small supervisor (`launcher`) that outlives alfine. Python scripts are forked
  from a supervisor that has imported their modules (`warm`), where the result is the same as that of a fresh start.
- `sandbox.SandboxRunner`: the same, with a sandbox around each process in which its folder is `/opt/ml`.
- `container.ContainerRunner`: a container of docker or podman.

This module imports only the standard library, and little of it, because `import alfine` waits for it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from alfine.runners.launch import ChannelTerms, LaunchTerms
from alfine.runners.protocol import Exit, Point

__all__ = ["Executor", "LocalChannel", "LocalLaunch", "LocalObservation", "names_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChannel(ChannelTerms):
    """The data of one input channel on this machine: a file or folder that the training job sees as `input/data/<name>/`.

    Attributes:
        path: The file or folder.
        shards: The folder of each host, in the order of the hosts, where several hosts share the data.
    """

    path: Path
    shards: tuple[Path, ...] = ()

    def path_on(self, host: int) -> Path:
        """Return the file or folder that one host sees.

        Args:
            host: Its number, from 0.
        """
        return self.shards[host] if self.shards else self.path

    @property
    def piped(self) -> bool:
        return self.input_mode == "Pipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLaunch(LaunchTerms):
    """Everything an executor needs to start one training job on this machine, or to recognise one that an earlier process started.

    Attributes:
        folder: The training job's own folder, an absolute path. The executor creates it. A folder is one training job: however
            often it is started, it runs once.
        script: A file inside `source_dir`, or a single file where that is None. `.py` runs under `python`, `.sh` under
            `/bin/sh`, anything else by itself.
        source_dir: The folder of the script's own files.
        python: The interpreter of a `.py` script.
        channels: Its input data.
        log_begin: Where its log begins, in bytes, behind that of the attempt before.
        devices: The GPUs of all its hosts, as they are spelt in CUDA_VISIBLE_DEVICES. None: it wasn't given any.
        shared: A folder that all training jobs of the tuning job may write to, for alfine's own programs. None: there is none. A
            training job in a sandbox or a container doesn't get it: it could harm the others by what it writes there.
    """

    folder: Path
    script: Path | None = None
    source_dir: Path | None = None
    python: str = sys.executable
    channels: tuple[LocalChannel, ...] = ()
    log_begin: int = 0
    devices: tuple[str, ...] | None = None
    shared: Path | None = None

    @property
    def hosts_here(self) -> int:
        """Return how many of its hosts are on this machine."""
        return 1 if self.hosts else self.instance_count


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalObservation:
    """The news of a training job since the last poll.

    Attributes:
        started_at: When its process began; None while it hasn't.
        ended_at: When its process ended; None while it runs.
        lines: New complete lines of its log. An unfinished last line is delivered once the training job has ended.
        points: New points of a function (inline runner).
        offset: What the next poll is to be given. While it grows there may be more to read at once.
        exit: How it ended; None while it runs, and until all of its log has been delivered.
        pending: See `Observation`.
    """

    started_at: datetime | None = None
    ended_at: datetime | None = None
    lines: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    offset: int = 0
    exit: Exit | None = None
    pending: str | None = None


def names_of(folder: Path | str) -> tuple[str, str]:
    """Return the names of the tuning job and of the training job whose folder it is."""
    above, _, training_job = str(folder).rpartition("/")
    return above.rpartition("/")[2], training_job


class Executor(Protocol):
    """Runs training jobs on this machine, reports what became of them, stops them. Its methods may be called from several threads.

    An executor is given a function `news` when it is made. It calls that function, from any thread, with the names of the tuning job and
    of the training job, when the training job has begun, has printed or reported something, or has ended. So an executor must be told by
    the system, or look itself (`folder_watch`). One that does neither has no true attribute `tells_news`.

    A host drives it as the engine drives a runner: see the example in `Runner`. Every executor passes, in a host, the tests in
    tests/runners/test_contract.py.
    """

    def start(self, launch: LocalLaunch) -> None:
        """Start the training job unless it was ever started before. Returns before it runs.

        What keeps it from running (there is no such command) is the `Exit` of a later poll, not an exception.

        Args:
            launch: The training job.

        Raises:
            OSError: Its folder can't be written.
        """

    def poll(self, launch: LocalLaunch, offset: int) -> LocalObservation | None:
        """Return what is new since `offset`, without waiting.

        Args:
            launch: The training job.
            offset: The offset of the last observation that has been recorded and decided on; 0 at first.

        Returns:
            None when it was never started, or the request to start it was lost: then start it again.
        """

    def stop(self, launch: LocalLaunch) -> None:
        """Ask the training job to end (SIGTERM), and kill it when its grace is over (SIGKILL). Returns at once.

        It may be called again, also before the start and after the end. The shortest grace counts.

        Args:
            launch: The training job; `grace_seconds` is its grace.
        """

    def close(self) -> None:
        """Release what the executor holds. Training jobs that don't live in this process go on running."""
