"""One training job of a tuning job, run for real and recorded nowhere: for dry runs and the preflight check."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from typing import Any

import numpy as np

from alfine.cli.log_check import Readings
from alfine.core.history import TrainingJob
from alfine.core.space import Hyperparameters
from alfine.core.spec import TuningJobSpec
from alfine.jobs.engine import Engine, Wake, utc_now
from alfine.programs.program import Program
from alfine.runners import launcher
from alfine.runners.job_folder import Workspace
from alfine.runners.protocol import Exit, Launch, Runner

GRACE_SECONDS = 5.0  # after Ctrl-C
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one training job did. spec: of its definition."""

    spec: TuningJobSpec
    hyperparameters: Hyperparameters
    command: str
    seconds: float
    exit: Exit
    readings: Readings

    @property
    def reason(self) -> str | None:
        """Why it failed; None when it didn't."""
        return self.exit.reason()

    def as_dict(self) -> dict[str, Any]:
        return {
            **({"DefinitionName": self.spec.definition.name} if self.spec.definition.name else {}),
            "HyperParameters": self.spec.space.to_text(self.hyperparameters),
            "Command": self.command,
            "ExitCode": self.exit.code,
            "FailureReason": self.reason,
            "TrainingSeconds": self.seconds,
            "Metrics": [self.readings.as_dict(name) for name in self.readings.regexes],
        }


def try_out(program: Program, hyperparameters: Hyperparameters, engine: Engine) -> Trial:
    """Run one training job of the program in its folder, to its end. Interrupted, it's stopped first.

    engine: whose runners it runs on.
    """
    spec = program.spec
    job = TrainingJob(number=1, name=f"{spec.name}-dry-run", hyperparameters=hyperparameters, created_at=utc_now())
    launch, runner = program.launch(job), engine.runners[program.runner]
    try:
        return _followed(spec, runner, launch, engine.wake, hyperparameters)
    except BaseException:
        launch = dataclasses.replace(launch, grace_seconds=GRACE_SECONDS)
        runner.stop(launch)
        _followed(spec, runner, launch, engine.wake, hyperparameters)
        raise


def typical(spec: TuningJobSpec) -> Hyperparameters:
    """The middle of every range, in its scaling; where that is forbidden, what Random would begin with."""
    middle = spec.space.from_unit(np.full(spec.space.dimension, 0.5))
    return middle if spec.space.allows(middle) else spec.space.sample(np.random.default_rng(spec.seed))


def _followed(
    spec: TuningJobSpec, runner: Runner, launch: Launch, wake: Wake, hyperparameters: Hyperparameters
) -> Trial:
    """Start the training job and read its log to the end."""
    readings = Readings([(each.name, each.regex) for each in spec.definition.metric_definitions])
    runner.start(launch)
    offset = 0
    while True:
        news = wake.count()
        found = runner.poll(launch, offset)
        for line in found.lines if found else ():
            readings.add(line)
        if found is not None and found.exit is not None:
            break
        if found is None or found.offset == offset:
            wake.wait(news, POLL_SECONDS)
        offset = found.offset if found else offset
    times = (found.started_at, found.ended_at)
    return Trial(
        spec=spec,
        hyperparameters=hyperparameters,
        command=_command(launch),
        seconds=(times[1] - times[0]).total_seconds() if times[0] and times[1] else 0.0,
        exit=found.exit,
        readings=readings,
    )


def _command(launch: Launch) -> str:
    """As it was started, without the folders of its own."""
    written = launcher.read_json(launcher.control_path(str(launch.folder), launcher.LAUNCH)) or {}
    return shlex.join(written.get("command", [])).replace(f"{Workspace(launch.folder).code}/", "")
