"""Training jobs on nodes that share no files with alfine: their code and their data stay s3:// URIs, which the nodes fetch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from alfine.core.errors import Fault
from alfine.core.spec import DEFINITION, TuningJobSpec
from alfine.programs.choose_runner import named_runner
from alfine.programs.data.archives import is_archive, sha256_of
from alfine.programs.data.request_files import RequestFiles
from alfine.programs.find_program import STATIC, FoundProgram
from alfine.programs.machine import Machine
from alfine.runners.launch import InputChannel, Source
from alfine.runners.storage.locations import as_s3, local

RAY = "ray"
"""The runner on a Ray cluster."""

CODE = "sagemaker_submit_directory"
"""The static hyperparameter that names the code."""


def is_apart(spec: TuningJobSpec, machine: Machine) -> bool:
    """Return whether the nodes on which a definition's training jobs run see no files of this machine."""
    return named_runner(spec, machine.running)[0] == RAY and not machine.ray.shared_home


def remote_channels(spec: TuningJobSpec) -> tuple[InputChannel, ...]:
    """Return the channels of a definition for nodes that fetch them."""
    return tuple(
        InputChannel(
            name=channel.name,
            uri=as_s3(channel.uri),
            manifest=channel.manifest,
            content_type=channel.content_type,
            input_mode=channel.input_mode,
            sharded=channel.sharded,
            gzip=channel.gzip,
            record_io=channel.record_io,
            seed=channel.shuffle_seed,
        )
        for channel in spec.definition.channels
    )


def remote_source(static: Mapping[str, str], files: RequestFiles) -> tuple[Source, str] | None:
    """Return the source and the script of a definition whose code the nodes fetch; None where it has none.

    Args:
        static: The static hyperparameters, without JSON quotes.
        files: Finds the code. Nodes only take an archive that is the same as it is now.

    Raises:
        OSError: It can't be read at present, but may be later.
    """
    uri = as_s3(static.get(CODE, "."))
    if "sagemaker_program" not in static or local(uri) is not None:
        return None
    code = files.path(uri, "code", make=True)
    return Source(uri=uri, sha256=sha256_of(code) if is_archive(code) else ""), static["sagemaker_program"]


def apart_faults(
    spec: TuningJobSpec, static: Mapping[str, str], found: FoundProgram, machine: Machine
) -> Iterator[Fault]:
    """Yield what nodes can't see that share no files with alfine.

    Args:
        spec: The specification of the definition.
        static: The static hyperparameters, without JSON quotes.
        found: Its program.
        machine: What this machine has.
    """
    if not machine.s3_endpoint:
        yield Fault(
            "[s3] endpoint",
            "is empty, so s3:// means the buckets in alfine's home, which the nodes don't see ([ray] shared_home = false). Set it to the "
            "URL of an S3 service that alfine and every node reach, for example a MinIO; or share the home with the nodes.",
        )
    definition = spec.definition
    named = {f"{DEFINITION}.InputDataConfig ({channel.name})": channel.uri for channel in definition.channels} | {
        f"{DEFINITION}.OutputDataConfig.S3OutputPath": definition.output_path,
        f"{DEFINITION}.CheckpointConfig.S3Uri": definition.checkpoint_uri,
    }
    if "sagemaker_program" in static:
        named[f"{STATIC}.{CODE}"] = static.get(CODE, ".")
    elif found.source_dir is not None:
        named[f"{DEFINITION}.AlgorithmSpecification.TrainingImage"] = str(found.source_dir)
    for path, uri in named.items():
        if uri and local(as_s3(uri)) is not None:
            yield Fault(
                path,
                f"{uri} is on this machine, and the nodes don't see it ([ray] shared_home = false). Upload it, and give its s3:// URI.",
            )
