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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from alfine.runners.protocol import GRACE_SECONDS, MAX_LOG_BYTES, Exit, Point

__all__ = ["Executor", "LocalChannel", "LocalLaunch", "LocalObservation", "names_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChannel:
    """The data of one input channel on this machine: a file or folder that the training job sees as `input/data/<name>/`.

    Attributes:
        name: The channel's name.
        path: The file or folder.
        content_type: Its MIME type, for `inputdataconfig.json`.
        input_mode: `File`, `FastFile` or `Pipe`.
        sharded: Whether the hosts share the data, instead of each having all of them.
        shards: The folder of each host, in the order of the hosts, where several hosts share the data.
        gzip: In Pipe mode: the data are decompressed on their way (pipes.py).
        record_io: In Pipe mode: each file is wrapped in a RecordIO record.
        seed: In Pipe mode: the files are shuffled anew in each epoch. None: they keep the order of their names.
        trouble: Why the data can't be read any more. The training job fails with this sentence. "" where they can.
    """

    name: str
    path: Path
    content_type: str | None = None
    input_mode: str = "File"
    sharded: bool = False
    shards: tuple[Path, ...] = ()
    gzip: bool = False
    record_io: bool = False
    seed: int | None = None
    trouble: str = ""

    def path_on(self, host: int) -> Path:
        """Return the file or folder that one host sees; host: its number, from 0."""
        return self.shards[host] if self.shards else self.path

    @property
    def piped(self) -> bool:
        return self.input_mode == "Pipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLaunch:
    """Everything an executor needs to start one training job on this machine, or to recognise one that an earlier process started.

    Attributes:
        name: The training job's name.
        folder: The training job's own folder, an absolute path. The executor creates it. A folder is one training job: however
            often it is started, it runs once.
        command: The words of a command that is run as it is; the hyperparameters are appended as `--name value`. None: there is
            a script, an image or a function.
        image: A container image, for the container runner only.
        entrypoint: Runs instead of the image's entry point. Without an image it is the command, and the runner must be one whose
            training jobs have /opt/ml.
        arguments: Follow the entry point. An image with neither is started with the argument `train`, as SageMaker does.
        script: A file inside `source_dir`, or a single file where that is None. `.py` runs under `python`, `.sh` under
            `/bin/sh`, anything else by itself.
        source_dir: The folder of the script's own files.
        python: The interpreter of a `.py` script.
        hyperparameters: All of them as they were given, `_tuning_objective_metric` and reserved names included.
        channels: Its input data.
        environment: Variables that win over all that the runner sets.
        max_runtime_seconds: The training job is stopped after this time. None: never.
        grace_seconds: Time between SIGTERM and SIGKILL.
        leash_seconds: It is ended when nobody has touched its file `.alfine/heard` for this time. None: never.
        attempt: See `Launch`.
        log_begin: Where its log begins, in bytes, behind that of the attempt before.
        threads: Cores that it may use: the value of `OMP_NUM_THREADS` and its like, and of `SM_NUM_CPUS`.
        instance_type: For `resourceconfig.json`.
        gpus: GPUs that each of its hosts needs: a whole number, or a part of one, such as 0.5. 0: it is given none, and sees all.
        devices: The GPUs of all its hosts, as they are spelt in CUDA_VISIBLE_DEVICES. None: it wasn't given any.
        instance_count: Its hosts; each is a process of its own.
        hosts: The names of its hosts, where each of them is on a machine of its own, and this is the launch of one of them. (): all of
            them are on one machine, and are called algo-1, algo-2 and so on.
        host: The name of this one.
        interface: The network interface by which it reaches the others.
        checkpoint_path: Where the training job sees its checkpoints, if the runner gives it an /opt/ml.
        network: False cuts it off from every network. A runner that can't do that refuses to start it.
        requirements: True installs the `requirements.txt` of the source folder, if there is one, before a script runs.
        warm: False forbids to start it from a process with preloaded modules; True allows it where the result is the same.
        max_log_bytes: It is stopped when its log is larger.
        arn: The value of TRAINING_JOB_ARN.
        metric: The name under which the reports of a function become points.
        function: For the inline runner only: called with the hyperparameters and `report(step, value)`.
        answered: Whether each report of a function waits for the engine's decision on it, as early stopping needs it.
        shared: A folder that all training jobs of the tuning job may write to, for alfine's own programs. None: there is none. A
            training job in a sandbox or a container doesn't get it: it could harm the others by what it writes there.
    """

    name: str
    folder: Path
    command: tuple[str, ...] | None = None
    image: str | None = None
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    script: Path | None = None
    source_dir: Path | None = None
    python: str = sys.executable
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[LocalChannel, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    max_runtime_seconds: float | None = None
    grace_seconds: float = GRACE_SECONDS
    leash_seconds: float | None = None
    attempt: int = 1
    log_begin: int = 0
    threads: int = 1
    instance_type: str = "local"
    gpus: float = 0.0
    devices: tuple[str, ...] | None = None
    instance_count: int = 1
    hosts: tuple[str, ...] = ()
    host: str = ""
    interface: str = ""
    checkpoint_path: str = "/opt/ml/checkpoints"
    network: bool = True
    requirements: bool = False
    warm: bool = True
    max_log_bytes: int = MAX_LOG_BYTES
    arn: str = ""
    metric: str = "objective"
    function: Callable[..., Any] | None = None
    answered: bool = False
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

    Every executor passes, in a host, the tests in tests/runners/test_contract.py.

    Example:
        The life of a training job, as its host drives it:

            executor.start(launch)
            offset = 0
            while True:                   # at news
                seen = executor.poll(launch, offset)
                if seen is None:          # the start was lost in a crash
                    executor.start(launch)
                    continue
                offset = seen.offset
                if seen.exit is not None:
                    break
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
