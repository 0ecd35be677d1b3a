"""The seam between the engine and whatever runs training jobs: `Runner`, and the values that it takes and returns.

A runner keeps no state that only it has: each call is given the whole `Launch`, which the engine can rebuild from the store, and
everything that a training job left lies in its folder. So a runner that was made after a crash finds every training job that an
earlier one started.

- `inline.InlineRunner`: a Python function in a thread of this process.
- `process.ProcessRunner`: a child process under a small supervisor (`launcher`) that outlives alfine. Python scripts are forked
  from a supervisor that has imported their modules (`warm`), where the result is the same as that of a fresh start.
- `sandbox.SandboxRunner`: the same, with a sandbox around each process in which its folder is `/opt/ml`.
- `container.ContainerRunner`: a container of docker or podman.

This module imports only the standard library, and little of it, because `import alfine` waits for it.
"""

from __future__ import annotations

import signal as signals
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

__all__ = ["Cause", "Exit", "Launch", "LocalChannel", "News", "Observation", "Point", "Runner", "names_of"]

News = Callable[[str, str], None]
"""What a runner calls for news: with the name of the tuning job and that of the training job."""

FAILURE_LIMIT = 1024
"""Characters of a FailureReason, and of `output/failure`. Source: DescribeTrainingJob in SageMaker's API reference."""

GRACE_SECONDS = 120.0
"""Time between SIGTERM and SIGKILL. Source: StopTrainingJob in SageMaker's API reference."""

MAX_LOG_BYTES = 1 << 30
"""A training job whose log grows beyond this size is stopped, unless its tag alfine:max-log-bytes allows more."""

SHARED_VARIABLE = "ALFINE_SHARED_DIR"
"""The variable that names `Launch.shared` to a training job."""

Cause = Literal["exited", "stopped", "max_runtime", "log_limit", "lost", "removed", "not_started", "not_packed"]
"""The reason why a training job ended: by itself, on request, by one of its limits, because its supervisor was killed, because its
folder was removed while it ran, or before it began. Or it has ended by itself, but its model can't be packed."""


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
class Launch:
    """Everything a runner needs to start one training job, or to recognise one that an earlier process started.

    Attributes:
        name: The training job's name.
        epoch: That of the claim under which the engine asks; 0 where nobody has one.
        folder: The training job's own folder, an absolute path. The runner creates it. A folder is one training job: however
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
        threads: Cores that it may use: the value of `OMP_NUM_THREADS` and its like, and of `SM_NUM_CPUS`.
        instance_type: For `resourceconfig.json`.
        gpus: GPUs that each of its hosts needs: a whole number, or a part of one, such as 0.5. 0: it is given none, and sees all.
        devices: The GPUs of all its hosts, as they are spelt in CUDA_VISIBLE_DEVICES. None: it wasn't given any.
        instance_count: Its hosts, algo-1, algo-2 and so on; each is a process of its own on this machine.
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
    epoch: int = 0
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
    threads: int = 1
    instance_type: str = "local"
    gpus: float = 0.0
    devices: tuple[str, ...] | None = None
    instance_count: int = 1
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """The end of a training job: why and how it ended.

    Attributes:
        cause: Why it ended.
        code: The exit code of its main process. None: a signal ended it, it never ran, or nobody saw its end.
        signal: The number of the signal that ended its main process, or None.
        failure: The first 1024 characters of what it wrote to `output/failure`.
        tail: The last lines of its log: printable, at most 2000 characters.
        detail: The runner's own sentence, where there is one: why it couldn't start it, or which limit was exceeded.
        out_of_memory: Whether it is known that the kernel killed it because memory ran out.
    """

    cause: Cause
    code: int | None = None
    signal: int | None = None
    failure: str = ""
    tail: str = ""
    detail: str = ""
    out_of_memory: bool = False

    @property
    def succeeded(self) -> bool:
        """Return whether the training job ended by itself with exit code 0."""
        return self.cause == "exited" and self.code == 0

    def reason(self) -> str | None:
        """Return a FailureReason of at most 1024 characters; None after success and after a stop on request.

        As in SageMaker it is what the training job wrote to `output/failure`, or else the exit code and the end of the log.
        """
        if self.succeeded or self.cause == "stopped":
            return None
        return self._sentence()[:FAILURE_LIMIT]

    def _sentence(self) -> str:
        if self.cause in ("max_runtime", "log_limit", "removed", "not_started", "not_packed"):
            return self.detail or f"The training job ended: {self.cause}."
        if self.cause == "lost":
            detail = self.detail or "the supervisor of this training job was killed"
            return _with_tail(f"InternalServerError: {detail}.", self.tail)
        if self.failure:
            ending = f", {self._ending()}"
            return f"AlgorithmError: {self.failure}"[: FAILURE_LIMIT - len(ending)] + ending
        return _with_tail(f"AlgorithmError: {self._ending()}", self.tail)

    def _ending(self) -> str:
        if self.signal is None:
            return f"exit code: {self.code}"
        hint = f": out of memory{'' if self.out_of_memory else '?'}" if self.signal == signals.SIGKILL else ""
        return f"killed by signal {self.signal} ({_signal_name(self.signal)}){hint}"


def _signal_name(number: int) -> str:
    try:
        return signals.Signals(number).name
    except ValueError:  # real-time signals have no name
        return f"SIG{number}"


def _with_tail(sentence: str, tail: str) -> str:
    """Return the sentence and the end of the log. A long log is cut at its beginning, since errors stand at its end."""
    if not tail:
        return f"{sentence} (its log is empty)"
    joint = "; last lines of its log: "
    return sentence + joint + tail[-(FAILURE_LIMIT - len(sentence) - len(joint)) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of a metric that a function reported, without a log line and a regex.

    Attributes:
        name: The metric's name.
        at: When it was reported.
        step: The step or epoch that the function named, or None.
        value: A finite number.
    """

    name: str
    at: datetime
    step: int | None
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The news of a training job since the last poll.

    Attributes:
        started_at: When its process began; None while it hasn't.
        ended_at: When its process ended; None while it runs.
        lines: New complete lines of its log. An unfinished last line is delivered once the training job has ended.
        points: New points of a function (inline runner).
        offset: What the next poll is to be given. While it grows there may be more to read at once.
        exit: How it ended; None while it runs, and until all of its log has been delivered.
        pending: Why it can't start yet: «waits for a GPU: 0 of 2 are free.». None where it can.
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


class Runner(Protocol):
    """Starts training jobs, reports what became of them, stops them. Its methods may be called from several threads.

    A runner is given a function `news` when it is made. It calls that function, from any thread, with the names of the tuning job and
    of the training job, when the training job has begun, has printed or reported something, or has ended. The engine then polls this
    training job and no other, so a runner must be told by the system, or look itself (`folder_watch`). A runner that does neither has
    no attribute `tells_news`: then the engine polls all its training jobs, five times a second.

    Every runner passes the tests in tests/runners/test_contract.py.

    Example:
        The life of a training job, as the engine drives it:

            runner.start(launch)
            offset = 0
            while True:                   # at news
                seen = runner.poll(launch, offset)
                if seen is None:          # the start was lost in a crash
                    runner.start(launch)
                    continue
                offset = seen.offset
                if seen.exit is not None:
                    break
    """

    def start(self, launch: Launch) -> None:
        """Start the training job unless it was ever started before. Returns before it runs.

        What keeps it from running (there is no such command) is the `Exit` of a later poll, not an exception.

        Args:
            launch: The training job.

        Raises:
            OSError: Its folder can't be written.
        """

    def poll(self, launch: Launch, offset: int) -> Observation | None:
        """Return what is new since `offset`, without waiting.

        Args:
            launch: The training job.
            offset: The offset of the last observation that the engine has recorded and decided on; 0 at first.

        Returns:
            None when it was never started, or the request to start it was lost: then start it again.
        """

    def stop(self, launch: Launch) -> None:
        """Ask the training job to end (SIGTERM), and kill it when its grace is over (SIGKILL). Returns at once.

        It may be called again, also before the start and after the end. The shortest grace counts.

        Args:
            launch: The training job; `grace_seconds` is its grace.
        """

    def close(self) -> None:
        """Release what the runner holds. Training jobs that don't live in this process go on running."""
