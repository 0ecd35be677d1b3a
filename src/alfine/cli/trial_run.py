"""Run one training job of a tuning job without recording it, for dry runs and for `alfine check --run`."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alfine.cli.log_check import MetricReadings
from alfine.core.space import Hyperparameters
from alfine.core.spec import TuningJobSpec
from alfine.core.training_job import TrainingJob
from alfine.jobs.clock import utc_now
from alfine.jobs.engine import Engine
from alfine.jobs.wake import Wake
from alfine.programs.program import Program
from alfine.runners import launcher
from alfine.runners.host import Host
from alfine.runners.job_folder import Workspace
from alfine.runners.launch import Launch
from alfine.runners.log_files import PART_BYTES, as_line
from alfine.runners.protocol import Exit, Runner

GRACE_SECONDS = 5.0
"""Seconds that the training job gets to finish after Ctrl-C."""

POLL_SECONDS = 0.2
"""Seconds between two looks at the training job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRun:
    """The result of one training job.

    Attributes:
        spec: The spec of its definition.
        hyperparameters: The values that it ran with.
        command: The command line that ran it.
        seconds: How long it ran.
        exit: How it ended.
        readings: What was read from its log.
    """

    spec: TuningJobSpec
    hyperparameters: Hyperparameters
    command: str
    seconds: float
    exit: Exit
    readings: MetricReadings

    @property
    def reason(self) -> str | None:
        """Return why it failed, or None if it didn't."""
        return self.exit.reason()

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {
            **({"DefinitionName": self.spec.definition.name} if self.spec.definition.name else {}),
            "HyperParameters": self.spec.space.to_text(self.hyperparameters),
            "Command": self.command,
            "ExitCode": self.exit.code,
            "FailureReason": self.reason,
            "TrainingSeconds": self.seconds,
            "Metrics": [self.readings.as_dict(name) for name in self.readings.regexes],
        }


def try_out(program: Program, hyperparameters: Hyperparameters, engine: Engine) -> TrialRun:
    """Run one training job of the program to its end. When this process is interrupted, stop the training job first.

    Args:
        program: What runs, and in which folder.
        hyperparameters: The values to run with.
        engine: The engine whose runners run it.
    """
    spec = program.spec
    job = TrainingJob(number=1, name=f"{spec.name}-dry-run", hyperparameters=hyperparameters, created_at=utc_now())
    launch, runner = program.launch(job), _runner_in(program, engine)
    try:
        return _followed(program, runner, launch, engine.wake, hyperparameters)
    except BaseException:
        launch = dataclasses.replace(launch, grace_seconds=GRACE_SECONDS)
        runner.stop(launch)
        _followed(program, runner, launch, engine.wake, hyperparameters)
        raise


def _runner_in(program: Program, engine: Engine) -> Runner:
    """Return the program's runner; one of this machine runs it in the program's own folder."""
    runner = engine.runners[program.runner]
    return Host(program.folder.parent, runner.executor) if isinstance(runner, Host) else runner


def typical(spec: TuningJobSpec) -> Hyperparameters:
    """Return the middle of every range, in its scaling; if that is forbidden, a random configuration."""
    middle = spec.space.from_unit(np.full(spec.space.dimension, 0.5))
    return middle if spec.space.allows(middle) else spec.space.sample(np.random.default_rng(spec.seed))


def _followed(
    program: Program, runner: Runner, launch: Launch, wake: Wake, hyperparameters: Hyperparameters
) -> TrialRun:
    """Start the training job, and read its log when it has ended."""
    with wake.listening(launch.tuning_job) as bell:
        runner.start(launch)
        offset = 0
        while True:
            bell.take()
            observation = runner.poll(launch, offset)
            if observation is not None and observation.exit is not None:
                break
            if observation is None or observation.offset == offset:
                bell.wait(POLL_SECONDS)
            offset = observation.offset if observation else offset
    times = (observation.started_at, observation.ended_at)
    return TrialRun(
        spec=program.spec,
        hyperparameters=hyperparameters,
        command=_command(launch, program.folder),
        seconds=(times[1] - times[0]).total_seconds() if times[0] and times[1] else 0.0,
        exit=observation.exit,
        readings=_readings(program.spec, runner, launch),
    )


def _readings(spec: TuningJobSpec, runner: Runner, launch: Launch) -> MetricReadings:
    """Return what the metrics' regexes find in the log."""
    readings = MetricReadings(
        [(definition.name, definition.regex) for definition in spec.definition.metric_definitions]
    )
    data, begin = b"", 0
    while piece := runner.log(launch, begin, PART_BYTES).data:
        lines = (data + piece).split(b"\n")
        data, begin = lines.pop(), begin + len(piece)
        for line in lines:
            readings.add(as_line(line.decode(errors="replace")))
    if data:
        readings.add(as_line(data.decode(errors="replace")))
    return readings


def _command(launch: Launch, folder: Path) -> str:
    """Return the command line, without the path of its temporary folder."""
    written = launcher.read_json(launcher.control_path(str(folder / launch.name), launcher.LAUNCH)) or {}
    return shlex.join(written.get("command", [])).replace(f"{Workspace(folder / launch.name).code}/", "")
