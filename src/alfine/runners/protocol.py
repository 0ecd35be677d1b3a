"""Where training jobs run: the protocol that the engine speaks, one file a runner.

A runner keeps nothing that only it knows: everything it is asked carries the whole `Launch`, which the engine can rebuild
from the store, and what a training job left behind lies in its folder. So a runner made after a crash finds every training
job that an earlier one started.

- `inline.InlineRunner`: a Python function in a thread of this process.
- `process.ProcessRunner`: a child process under a small supervisor (`launcher`) that outlives alfine; Python scripts are
  forked from a supervisor that has their imports loaded (`warm`) where that gives the same result as a fresh start.
- `sandbox.SandboxRunner`: the same with a sandbox around each process, in which its folder is `/opt/ml`.

This module imports the standard library only, and little of it: `import alfine` pays for it.
"""

from __future__ import annotations

import signal as signals
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

__all__ = ["Cause", "Exit", "Launch", "LocalChannel", "Observation", "Point", "Runner"]

FAILURE_LIMIT = 1024
"""Characters that SageMaker keeps of `output/failure` and of a FailureReason."""

Cause = Literal["exited", "stopped", "max_runtime", "log_limit", "lost", "not_started"]
"""Why a training job is over: by itself, on request, by one of its limits, with its supervisor, or before it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChannel:
    """One input channel: a local file or folder that the training job sees as `input/data/<name>/`.

    sharded: the hosts share the data; shards: then each one's folder, in the order of the hosts, unless there is only one.
    gzip, record_io, seed: for Pipe mode, where data are decompressed, wrapped and shuffled on their way (pipes.py).
    trouble: why the data can't be had any more, which the training job fails with; "".
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
        """What the host of that number, from 0, gets to see."""
        return self.shards[host] if self.shards else self.path

    @property
    def piped(self) -> bool:
        return self.input_mode == "Pipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything a runner needs to start one training job, or to find one that it started in an earlier life.

    name: the idempotency key together with `folder`: started twice, it is one training job.
    folder: the training job's own; the runner creates it. Absolute.
    command: argv to run as is (the hyperparameters are appended as `--name value`); None for script mode.
    image: a container image to run instead; entrypoint and arguments replace its own (none given: its own entry point with
        `train`, as SageMaker starts it). Only the container runner takes one. Without an image they are the command, and
        need a runner whose training jobs have /opt/ml.
    script: in script mode a file inside `source_dir`, or a lone file when that is None. `.py` runs under `python`,
        `.sh` under `/bin/sh`, anything else by itself.
    hyperparameters: all of them, `_tuning_objective_metric` and reserved names included, byte for byte.
    environment: wins over everything that the runner sets itself.
    grace_seconds: between SIGTERM and SIGKILL.
    threads: cores that this training job may use: `OMP_NUM_THREADS` and its kin, and `SM_NUM_CPUS`.
    instance_count: hosts of this training job, algo-1, algo-2 and so on, each a process of its own on this machine.
    checkpoint_path: another name for the folder of checkpoints, where the training job sees an /opt/ml.
    network: False cuts it off from every network. A runner that can't do that refuses to start it.
    requirements: True installs the source folder's requirements.txt, if it has one, before a script runs.
    warm: False forbids a start from preloaded imports; True allows it where the result is the same.
    function: for the inline runner only: called with the hyperparameters and `report(step, value)`.
    metric: the name under which an inline function's reports become points.
    answered: an inline function's report waits until it has been decided on: where training jobs are stopped early.
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
    grace_seconds: float = 120.0
    threads: int = 1
    instance_type: str = "local"
    instance_count: int = 1
    checkpoint_path: str = "/opt/ml/checkpoints"
    network: bool = True
    requirements: bool = False
    warm: bool = True
    max_log_bytes: int = 1 << 30
    arn: str = ""
    metric: str = "objective"
    function: Callable[..., Any] | None = None
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a training job ended.

    code, signal: of the main process; one of the two, or neither when there never was a process or nobody saw it end.
    failure: the first 1024 characters of what the training job wrote to `output/failure`.
    tail: the last lines of its log, printable, at most 2000 characters.
    detail: the runner's own words, where there are any: why it couldn't start, which limit was passed.
    """

    cause: Cause
    code: int | None = None
    signal: int | None = None
    failure: str = ""
    tail: str = ""
    detail: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the training job ended by itself with exit code 0."""
        return self.cause == "exited" and self.code == 0

    def reason(self) -> str | None:
        """A FailureReason of at most 1024 characters; None after success and after a stop on request.

        As SageMaker does it prefers what the training job wrote to `output/failure`; else the exit code and the log.
        """
        if self.succeeded or self.cause == "stopped":
            return None
        return self._sentence()[:FAILURE_LIMIT]

    def _sentence(self) -> str:
        if self.cause in ("max_runtime", "log_limit", "not_started"):
            return self.detail or f"The training job ended: {self.cause}."
        if self.cause == "lost":
            return _with_tail(
                f"InternalServerError: {self.detail or 'the supervisor of this training job was killed'}.", self.tail
            )
        if self.failure:
            ending = f", {self._ending()}"
            return f"AlgorithmError: {self.failure}"[: FAILURE_LIMIT - len(ending)] + ending
        return _with_tail(f"AlgorithmError: {self._ending()}", self.tail)

    def _ending(self) -> str:
        if self.signal is None:
            return f"exit code: {self.code}"
        hint = ": out of memory?" if self.signal == signals.SIGKILL else ""
        return f"killed by signal {self.signal} ({_signal_name(self.signal)}){hint}"


def _signal_name(number: int) -> str:
    try:
        return signals.Signals(number).name
    except ValueError:  # real-time signals have no name
        return f"SIG{number}"


def _with_tail(sentence: str, tail: str) -> str:
    """The sentence and the log's last lines; of a long log its end is kept, where the error stands."""
    if not tail:
        return f"{sentence} (its log is empty)"
    joint = "; last lines of its log: "
    return sentence + joint + tail[-(FAILURE_LIMIT - len(sentence) - len(joint)) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of a metric that a training job reported by itself, with its instant; no regex is involved."""

    name: str
    at: datetime
    step: int | None
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What became known about a training job since the last poll.

    lines: new complete log lines; an unfinished last one only once the training job has ended.
    points: new points of a training job that reports without a log (inline).
    offset: to be given to the next poll. While it moves there may be more to read at once.
    exit: None while the training job runs, and until its log has been delivered to the end.
    """

    started_at: datetime | None = None
    ended_at: datetime | None = None
    lines: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    offset: int = 0
    exit: Exit | None = None


class Runner(Protocol):
    """Starts training jobs, tells what became of them, stops them. Safe to call from several threads.

    A runner is given `wake` when it is made and calls it, from any thread, when a training job has ended or has news that
    only it knows about, so that the engine needn't poll for that. Log lines wake nobody.
    """

    def start(self, launch: Launch) -> None:
        """Start the training job unless it was ever started before; returns before it runs.

        A training job that can't start (no such command) is an `Exit` of the next polls, not an exception. Raises OSError
        when its folder can't be written.
        """

    def poll(self, launch: Launch, offset: int) -> Observation | None:
        """What is new since `offset`; None: it was never started (or the request was lost), so start it again.

        What lies before `offset` has been recorded, but for the lines that a look at a log reads in several pieces, and decided on.
        """

    def stop(self, launch: Launch) -> None:
        """Ask it to end (SIGTERM), insist after its grace (SIGKILL). Returns at once; asked again, the shorter grace holds."""

    def close(self) -> None:
        """Let go. Training jobs that don't live in this process run on."""
