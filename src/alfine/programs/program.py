"""What a training job of a spec runs here: from the definition's image and static hyperparameters to a runner's Launch.

What an image means here is said in programs/images.py. The request has no field for a local program, so it stands among the static
hyperparameters, as SageMaker's script mode has it; the training job never sees these names:

    sagemaker_program            the script, relative to the directory below
    sagemaker_submit_directory   the folder that it lies in, or a tar.gz of it (file:///…, s3://… or a path)
    alfine_command               instead of a script: argv as a JSON list, for programs in any language
    alfine_python                the interpreter for a Python script; default: what the table of images says
    alfine_function              «module:name» of a Python function that alfine.tune was given
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.history import TrainingJob
from alfine.core.spec import DEFINITION, FUNCTION, OBJECTIVE_HYPERPARAMETER, SHARED_CHECKPOINTS, TuningJobSpec
from alfine.core.wording import did_you_mean
from alfine.programs.algorithms import Algorithm
from alfine.programs.choose_runner import asked, installs, runner_for
from alfine.programs.data.archives import has_member, is_archive, unpacked
from alfine.programs.data.artifacts import refusal
from alfine.programs.data.channels import INPUTS, RequestFiles, channels
from alfine.programs.data.locations import local
from alfine.programs.hyperparameter_text import unquoted
from alfine.programs.images import Container, Images, NoRunner, Script
from alfine.programs.machine import Machine
from alfine.runners.job_folder import DRIVERS
from alfine.runners.protocol import GRACE_SECONDS, MAX_LOG_BYTES, Launch, LocalChannel

OWN = ("alfine_command", "alfine_python", FUNCTION)  # among the static hyperparameters
SCRIPT_MODE = ("sagemaker_program", "sagemaker_submit_directory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How the training jobs of one tuning job are started."""

    spec: TuningJobSpec
    folder: Path  # each training job gets one of its own below it
    command: tuple[str, ...] | None
    script: Path | None
    source_dir: Path | None
    python: str
    channels: tuple[LocalChannel, ...]
    threads: int
    runner: str  # by its name in jobs/home.py's table
    requirements: bool = False  # whether they are installed
    image: str | None = None  # of a container
    function: Callable[..., Any] | None = None

    def launch(self, job: TrainingJob) -> Launch:
        """The same training job always gives the same Launch: a restart finds again what it started."""
        spec, settings = self.spec, self.spec.settings
        texts = {**spec.definition.static_hyperparameters, **spec.space.to_text(job.hyperparameters)}
        return Launch(
            name=job.name,
            folder=self.folder / job.name,
            command=self.command,
            image=self.image,
            entrypoint=spec.definition.entrypoint,
            arguments=spec.definition.arguments,
            script=self.script,
            source_dir=self.source_dir,
            python=self.python,
            hyperparameters=texts if spec.single_training_job else {**texts, OBJECTIVE_HYPERPARAMETER: spec.metric},
            channels=self.channels,
            environment=spec.definition.environment,
            max_runtime_seconds=spec.definition.max_runtime_seconds,
            grace_seconds=float(settings.get("grace-seconds", GRACE_SECONDS)),
            threads=self.threads,
            instance_type=spec.definition.instance_type,
            instance_count=spec.definition.instance_count,
            network=spec.definition.network,
            checkpoint_path=spec.definition.checkpoint_path,
            requirements=self.requirements,
            warm=settings.get("warm", "on") != "off",
            max_log_bytes=int(settings.get("max-log-bytes", MAX_LOG_BYTES)),
            metric=spec.metric,
            function=self.function,
            answered=spec.early_stopping != "Off" or spec.strategy == "Hyperband",
        )


def programs_for(
    spec: TuningJobSpec,
    folder: Path,
    function: Callable[..., Any] | None = None,
    *,
    machine: Machine | None = None,
    fetch: bool = True,
) -> dict[str | None, Program]:
    """A program for each definition, by its name; for the only one by None. Raise InvalidSpec with what is wrong with any."""
    programs: dict[str | None, Program] = {}
    faults: list[Fault] = []
    for part in spec.definition_specs:
        name = part.definition.name if spec.parts else None
        try:
            programs[name] = program_for(part, folder, function, machine=machine, fetch=fetch)
        except InvalidSpec as error:
            faults += [Fault(fault.path.replace(DEFINITION, part.path, 1), fault.message) for fault in error.faults]
    if faults:
        raise InvalidSpec(faults)
    return programs


def program_for(
    spec: TuningJobSpec,
    folder: Path,
    function: Callable[..., Any] | None = None,
    *,
    machine: Machine | None = None,
    fetch: bool = True,
) -> Program:
    """Raise InvalidSpec when the job can't run on this machine: no program, no such file, an unknown kind of URI.

    machine: None stands for the defaults. fetch: False only looks whether all is there, and makes nothing: the Program can't be
    launched.
    """
    faults: list[Fault] = []
    machine = machine or Machine()
    running = machine.running
    files = RequestFiles(folder / INPUTS, machine.buckets, fetch, faults, running.max_decompressed_bytes)
    static = {name: unquoted(text) for name, text in spec.definition.static_hyperparameters.items()}
    contained = asked(spec, running)[0] == "container"
    program = _program(static, spec, function, files, machine.images, contained=contained)
    if not fetch:
        _find_programs(static, program.command, spec.definition.environment, faults)
    inputs = tuple(channels(spec, files))
    if program.image is not None:
        for channel in inputs:
            if channel.piped:
                where = f"TrainingJobDefinition.InputDataConfig ({channel.name})"
                files.fault(where, "Pipe isn't to be had in containers here. Use File.")
    if not fetch:  # a place that is gone later is the end of the training jobs that need it, not of the whole job
        for path, uri in _places(spec):
            trouble = refusal(machine.buckets, uri)
            if trouble:
                files.fault(f"TrainingJobDefinition.{path}", trouble)
    runner = (
        "inline" if FUNCTION in static else runner_for(spec, program.image, running, faults, built_in=program.built_in)
    )
    requirements = installs(spec, running, faults)
    faults += _senseless(spec)
    threads = spec.settings.get("threads")
    if faults:
        raise InvalidSpec(faults)
    return Program(
        spec=spec,
        folder=folder,
        command=program.command,
        script=program.script,
        source_dir=program.source_dir,
        python=static.get("alfine_python", program.python),
        image=program.image,
        channels=inputs,
        # Training jobs that run side by side share the cores instead of fighting for them.
        threads=int(threads) if threads else max(1, (os.cpu_count() or 1) // spec.max_parallel),
        runner=runner,
        requirements=requirements,
        function=function,
    )


def _senseless(spec: TuningJobSpec) -> Iterator[Fault]:
    """What AWS's model lets through, though nothing can be done with it."""
    for name in spec.definition.static_hyperparameters:
        if name.startswith("alfine_") and name not in OWN:
            message = f"alfine reads nothing of this name. {did_you_mean(name, OWN)}"
            yield Fault(f"{DEFINITION}.StaticHyperParameters.{name}", message)
    for name in sorted({*OWN, *SCRIPT_MODE} & {*spec.space.names}):
        yield Fault(
            f"{DEFINITION}.StaticHyperParameters.{name}", "says what runs, so it can't be tuned. Give one value."
        )
    if spec.definition.instance_count < 1:
        yield Fault(
            f"{DEFINITION}.ResourceConfig.InstanceCount", f"{spec.definition.instance_count} must be 1 or more."
        )
    kept = spec.settings.get("checkpoints", SHARED_CHECKPOINTS)
    if kept != SHARED_CHECKPOINTS:
        message = f"{kept!r} must be {SHARED_CHECKPOINTS}. Without the tag each training job has its own."
        yield Fault("Tags.alfine:checkpoints", message)


def _find_programs(
    static: Mapping[str, str], command: tuple[str, ...] | None, environment: Mapping[str, str], faults: list[Fault]
) -> None:
    """A fault for an interpreter or the program of a command that isn't there."""
    path, where = environment.get("PATH", os.environ.get("PATH")), "TrainingJobDefinition.StaticHyperParameters"
    for key, word in (("alfine_python", static.get("alfine_python")), ("alfine_command", (command or (None,))[0])):
        beside = word and "/" in word and not word.startswith("/")  # among the training job's own files
        if key in static and word and not beside and shutil.which(word, path=path) is None:
            message = f"there is no program {word!r} here. Give its path, or a name on the PATH."
            faults.append(Fault(f"{where}.{key}", message))


def _places(spec: TuningJobSpec) -> Iterator[tuple[str, str]]:
    """Where training jobs put something."""
    yield "OutputDataConfig.S3OutputPath", spec.definition.output_path
    yield "CheckpointConfig.S3Uri", spec.definition.checkpoint_uri


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runs:
    """Which of the ways to run something a request asks for; all empty after a fault."""

    command: tuple[str, ...] | None = None
    script: Path | None = None
    source_dir: Path | None = None
    python: str = sys.executable
    image: str | None = None
    built_in: bool = False


def _program(
    static: Mapping[str, str],
    spec: TuningJobSpec,
    function: Callable[..., Any] | None,
    files: RequestFiles,
    images: Images,
    *,
    contained: bool,
) -> _Runs:
    faults = files.faults
    where = "TrainingJobDefinition.StaticHyperParameters"
    if FUNCTION in static:
        if function is None:
            faults.append(
                Fault(
                    f"{where}.{FUNCTION}",
                    f"this job runs the Python function {static[FUNCTION]}. Go on with it by calling alfine.tune with the same "
                    f"function, name={spec.name!r} and the same home.",
                )
            )
        return _Runs()
    if "alfine_command" in static:
        return _Runs(command=_command(static["alfine_command"], f"{where}.alfine_command", faults))
    try:
        found = images.find(spec.definition.image, has_script=_brings_script(static, spec), contained=contained)
    except NoRunner as error:
        faults.append(Fault("TrainingJobDefinition.AlgorithmSpecification.TrainingImage", str(error)))
        return _Runs()
    match found:
        case Script(python):
            script, folder = _script(static, where, files) if "sagemaker_program" in static else (None, None)
            entry = spec.definition.entrypoint
            command = (*entry, *spec.definition.arguments) if entry else None  # as on AWS it comes before the script
            return _Runs(command=command, script=script, source_dir=folder, python=python)
        case Algorithm():
            return _Runs(script=found.path, built_in=True)
        case Container(image):
            return _Runs(image=image)


def _brings_script(static: Mapping[str, str], spec: TuningJobSpec) -> bool:
    """By its name, or as SDK 3 does: in a channel, and in another one the drivers that its entry point starts it with."""
    drivers = any(channel.name == DRIVERS for channel in spec.definition.channels)
    return "sagemaker_program" in static or (drivers and bool(spec.definition.entrypoint))


def _command(text: str, where: str, faults: list[Fault]) -> tuple[str, ...] | None:
    try:
        words = json.loads(text)
    except ValueError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        faults.append(Fault(where, f'{text!r} must be a JSON list of texts, as ["julia", "train.jl"].'))
        return None
    return tuple(words)


def _script(static: Mapping[str, str], where: str, files: RequestFiles) -> tuple[Path | None, Path | None]:
    program = static["sagemaker_program"]
    uri = static.get("sagemaker_submit_directory", ".")
    folder = files.find(uri, "code", f"{where}.sagemaker_submit_directory")
    if folder is None:
        return None, None
    if is_archive(folder):
        if not has_member(folder, program):
            files.fault(f"{where}.sagemaker_program", f"there is no file {program} in {uri}.")
        folder = unpacked(folder, files.place) if files.fetch and not files.faults else folder
        return folder / program, folder
    inside = f"{uri.rstrip('/')}/{program}"
    there = (folder / program).is_file() if local(uri) or files.fetch else files.is_there(inside)
    if not there:
        files.fault(f"{where}.sagemaker_program", f"there is no file {folder / program if local(uri) else inside}.")
    return folder / program, folder
