"""Programs on this machine: from a definition to the Launch of each of its training jobs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.spec import DEFINITION, FUNCTION, OBJECTIVE_HYPERPARAMETER, SHARED_CHECKPOINTS, TuningJobSpec
from alfine.core.training_job import TrainingJob
from alfine.programs.algorithms.one_host import on_one_host
from alfine.programs.apart import RAY, apart_faults, is_apart, remote_channels, remote_source
from alfine.programs.choose_ray import cluster_faults
from alfine.programs.choose_runner import installs_requirements, named_runner, runner_for
from alfine.programs.data.channels import channels
from alfine.programs.data.request_files import RequestFiles
from alfine.programs.find_program import STATIC, FoundProgram, find_program, missing_program_faults, name_faults
from alfine.programs.gpu_request import gpu_faults, gpus_for
from alfine.programs.hyperparameter_text import unquoted
from alfine.programs.machine import Machine
from alfine.programs.stand_ins import python_path
from alfine.runners.executor import LocalChannel
from alfine.runners.job_folder import remove_job_folder
from alfine.runners.launch import GRACE_SECONDS, MAX_LOG_BYTES, InputChannel, Launch, Source
from alfine.runners.local_launch import PACKAGE, portable_channel, portable_source, uri_of
from alfine.runners.node_cache import INPUTS
from alfine.runners.storage.artifacts import log_copy, output_base, refusal

PARSED = "parsed"
"""The folder among a tuning job's inputs in which built-in algorithms keep the data that they have parsed."""

MOST_INSTANCES = 100
"""Of one training job. Each is a process, with a folder that lists all of them."""

INLINE = "inline"
"""The runner of Python functions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The program of one definition: how its training jobs are started.

    Attributes:
        spec: The specification of the definition.
        folder: The tuning job's folder. Each training job gets a folder of its own in it.
        command: See `Launch`, as for the next four.
        script: See `Launch`.
        source_dir: See `Launch`.
        python: See `Launch`.
        channels: See `Launch`.
        threads: Cores for each training job.
        gpus: See `Launch`.
        runner: The name of its runner: `inline`, `process`, `sandbox`, `container` or `ray`.
        executor: How a node runs it that the runner chooses: `process` or `container`. "": as the runner is called.
        requirements: Whether the script's requirements.txt is installed.
        environment: The request's variables, and the path of the stand-ins for modules of SageMaker's containers.
        image: The container image.
        function: The Python function.
        shared: See `Launch`.
        remote: The source and the script of `Launch`, where nodes fetch the code themselves.
        remote_channels: Further channels of `Launch`, whose data nodes fetch.
        keeps_log: Whether a copy of each log is stored beside the output.
    """

    spec: TuningJobSpec
    folder: Path
    command: tuple[str, ...] | None
    script: Path | None
    source_dir: Path | None
    python: str
    channels: tuple[LocalChannel, ...]
    threads: int
    runner: str
    gpus: float = 0.0
    executor: str = ""
    requirements: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    function: Callable[..., Any] | None = None
    shared: Path | None = None
    remote: tuple[Source, str] | None = None
    remote_channels: tuple[InputChannel, ...] = ()
    keeps_log: bool = False

    def remove_shared(self) -> None:
        """Remove the folder that the training jobs share, once none runs any more."""
        if self.shared is not None:
            with suppress(OSError):  # what stays is removed with the tuning job, which says what can't be
                remove_job_folder(self.shared)

    def launch(self, job: TrainingJob, attempt: int = 1) -> Launch:
        """Return the Launch of an attempt of a training job. It is the same each time: a restart finds what was started before."""
        spec, definition, settings = self.spec, self.spec.definition, self.spec.settings
        texts = {**definition.static_hyperparameters, **spec.space.to_text(job.hyperparameters)}
        source, script = self.remote or portable_source(self.script, self.source_dir)
        return Launch(
            tuning_job=self.folder.name,
            name=job.name,
            attempt=attempt,
            retries=definition.retries,
            executor=self.executor or self.runner,
            package=PACKAGE,
            interpreter=sys.executable,
            command=self.command,
            image=self.image,
            entrypoint=definition.entrypoint,
            arguments=definition.arguments,
            source=source,
            script=script,
            python=self.python,
            hyperparameters=texts if spec.single_training_job else {**texts, OBJECTIVE_HYPERPARAMETER: spec.metric},
            channels=(*map(portable_channel, self.channels), *self.remote_channels),
            environment=self.environment,
            max_runtime_seconds=definition.max_runtime_seconds,
            grace_seconds=float(settings.get("grace-seconds", GRACE_SECONDS)),
            threads=self.threads,
            instance_type=definition.instance_type,
            instance_count=definition.instance_count,
            keep_alive_seconds=definition.keep_alive_seconds,
            gpus=self.gpus,
            network=definition.network,
            output_uri=output_base(definition.output_path, job.name, attempt),
            log_uri=log_copy(definition.output_path, job.name, attempt) if self.keeps_log else "",
            model_packed=definition.packs_model,
            checkpoint_uri=self._checkpoint_uri(job.name),
            checkpoints_shared=self._shares_checkpoints,
            checkpoint_path=definition.checkpoint_path,
            requirements=self.requirements,
            warm=settings.get("warm", "on") != "off",
            max_log_bytes=int(settings.get("max-log-bytes", MAX_LOG_BYTES)),
            metric=spec.metric,
            metrics=tuple((metric.name, metric.regex) for metric in definition.metric_definitions),
            function=self.function,
            answered=spec.early_stopping != "Off" or spec.strategy == "Hyperband",
            shared=uri_of(self.shared) if self.shared is not None else "",
        )

    def _checkpoint_uri(self, name: str) -> str:
        """Return where a training job's checkpoints are stored; "" where they stay in its folder."""
        uri = self.spec.definition.checkpoint_uri.rstrip("/")
        if not uri or self._shares_checkpoints or self.spec.single_training_job:
            return uri
        return f"{uri}/{name}"

    @property
    def _shares_checkpoints(self) -> bool:
        return self.spec.settings.get("checkpoints") == SHARED_CHECKPOINTS


def programs_for(
    spec: TuningJobSpec,
    folder: Path,
    function: Callable[..., Any] | None = None,
    *,
    machine: Machine | None = None,
    fetch: bool = True,
) -> dict[str | None, Program]:
    """Return a program for each definition of a tuning job.

    Args:
        spec: The tuning job.
        folder: Its folder.
        function: The Python function of a job that runs one.
        machine: What this machine has; None stands for the defaults.
        fetch: False only checks that everything exists. Then nothing is downloaded or made, and the programs can't be launched.

    Returns:
        Programs by the names of the definitions; where there is one definition, it by None.

    Raises:
        InvalidSpec: The job can't run on this machine, with every fault of every definition.
        BucketsUnreachable: A bucket can't be reached for the time being (only with `fetch`).
    """
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


def programs_to_stop(spec: TuningJobSpec, folder: Path) -> dict[str | None, Program]:
    """Return programs of a tuning job that can't run here any more: they suffice to observe and stop what still runs.

    Processes in a sandbox or a container are found by their folders, as those of any other training job.
    """
    return {
        part.definition.name if spec.parts else None: Program(
            spec=part,
            folder=folder,
            command=None,
            script=None,
            source_dir=None,
            python="",
            channels=(),
            threads=1,
            runner=INLINE if FUNCTION in part.definition.static_hyperparameters else "process",
        )
        for part in spec.definition_specs
    }


def program_for(
    spec: TuningJobSpec,
    folder: Path,
    function: Callable[..., Any] | None = None,
    *,
    machine: Machine | None = None,
    fetch: bool = True,
) -> Program:
    """Return the program of one definition. Arguments and exceptions are those of `programs_for`."""
    machine = machine or Machine()
    faults: list[Fault] = []
    running = machine.running
    files = RequestFiles(folder / INPUTS, machine.buckets, fetch, faults, running.max_decompressed_bytes)
    static = {name: unquoted(text) for name, text in spec.definition.static_hyperparameters.items()}
    if FUNCTION in static:
        found, stand_ins = FoundProgram(), {}
        faults += _value_faults(spec)
        faults += _function_faults(spec, static[FUNCTION], function)
    else:
        contained = named_runner(spec, running)[0] == "container"
        found = find_program(static, spec, files, machine.images, contained=contained)
        faults += _value_faults(spec)
        spec = on_one_host(spec) if found.built_in else spec
        stand_ins = python_path(spec) if found.image is None and not found.built_in else {}
    if not fetch:
        faults += missing_program_faults(static, found.command, spec.definition.environment)
    apart = FUNCTION not in static and is_apart(spec, machine)
    inputs = () if apart and fetch else tuple(channels(spec, files))
    if found.trouble:
        inputs = (*inputs, LocalChannel(name="code", path=folder, trouble=found.trouble))
    faults += _pipe_faults(found, inputs)
    if not fetch:  # an output path that can't be written later fails the training jobs that need it, not the whole job
        faults += _output_faults(spec, machine)
        faults += apart_faults(spec, static, found, machine) if apart else ()
    runner = INLINE
    if FUNCTION not in static:
        runner = runner_for(spec, found.image, machine, faults, built_in=found.built_in)
        if runner == RAY and not fetch:
            faults += cluster_faults(machine.ray)
    requirements = installs_requirements(spec, running, faults)
    faults += gpu_faults(spec, machine, placed=runner == RAY)
    faults += name_faults(spec)
    if faults:
        raise InvalidSpec(faults)
    return Program(
        spec=spec,
        folder=folder,
        command=found.command,
        script=found.script,
        source_dir=found.source_dir,
        python=static.get("alfine_python", found.python),
        image=found.image,
        channels=inputs,
        threads=_threads(spec, machine, runner),
        gpus=0.0 if runner == INLINE else gpus_for(spec, machine, placed=runner == RAY),
        runner=runner,
        executor=("process" if found.image is None else "container") if runner == RAY else "",
        requirements=requirements,
        environment={**spec.definition.environment, **stand_ins},
        function=function,
        shared=folder / INPUTS / PARSED if found.built_in and not spec.single_training_job and not apart else None,
        remote=remote_source(static, files) if apart and fetch else None,
        remote_channels=remote_channels(spec) if apart else (),
        keeps_log=runner != INLINE and machine.may_lose_logs(runner),
    )


def _threads(spec: TuningJobSpec, machine: Machine, runner: str) -> int:
    """Return the cores of each training job: those of its instance type on a cluster; here those that run side by side share this machine's."""
    threads = spec.settings.get("threads")
    if threads:
        return int(threads)
    if runner == RAY:
        return max(1, int(machine.ray.shapes[spec.definition.instance_type].cpus))
    return max(1, (os.cpu_count() or 1) // spec.max_parallel)


def _function_faults(spec: TuningJobSpec, name: str, function: Callable[..., Any] | None) -> Iterator[Fault]:
    if function is None:
        message = (
            f"this job runs the Python function {name}. To go on with it call alfine.tune with the same function, "
            f"name={spec.name!r} and the same home."
        )
        yield Fault(f"{STATIC}.{FUNCTION}", message)


def _pipe_faults(found: FoundProgram, inputs: tuple[LocalChannel, ...]) -> Iterator[Fault]:
    for channel in inputs:
        if found.image is not None and channel.piped:
            path = f"{DEFINITION}.InputDataConfig ({channel.name})"
            yield Fault(path, "containers can't have channels in Pipe mode here. Use File.")


def _output_faults(spec: TuningJobSpec, machine: Machine) -> Iterator[Fault]:
    """Yield the faults that keep artifacts and checkpoints from being stored."""
    definition = spec.definition
    for path, uri in (
        ("OutputDataConfig.S3OutputPath", definition.output_path),
        ("CheckpointConfig.S3Uri", definition.checkpoint_uri),
    ):
        if trouble := refusal(machine.buckets, uri):
            yield Fault(f"{DEFINITION}.{path}", trouble)


def _value_faults(spec: TuningJobSpec) -> Iterator[Fault]:
    """Yield the faults of values that AWS's model allows and that mean nothing."""
    count = spec.definition.instance_count
    if not 1 <= count <= MOST_INSTANCES:
        message = f"{count} must be 1 to {MOST_INSTANCES}: each instance is a process on this machine."
        yield Fault(f"{DEFINITION}.ResourceConfig.InstanceCount", message)
    checkpoints = spec.settings.get("checkpoints", SHARED_CHECKPOINTS)
    if checkpoints != SHARED_CHECKPOINTS:
        message = f"{checkpoints!r} must be {SHARED_CHECKPOINTS}. Without the tag each training job has its own."
        yield Fault("Tags.alfine:checkpoints", message)
