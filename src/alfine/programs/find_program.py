"""Finding a training job's program: a command, a script or a container image, by the static hyperparameters and the image.

What an image means on this machine is in programs/images.py. AWS's request has no field for a program of this machine, so it stands
among the static hyperparameters, as in SageMaker's script mode. The training job doesn't see these names:

    sagemaker_program            the script, relative to the directory below
    sagemaker_submit_directory   the folder with the script, or a tar.gz of it (file:///…, s3://… or a path)
    alfine_command               instead of a script: the words of a command as a JSON list, for programs in any language
    alfine_python                the interpreter for a Python script; by default the one in the table of images
    alfine_function              «module:name» of a Python function that was given to alfine.tune
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.spec import DEFINITION, FUNCTION, TuningJobSpec
from alfine.core.wording import did_you_mean
from alfine.programs.algorithms import BuiltInAlgorithm
from alfine.programs.data.archives import has_member, is_archive, unpacked
from alfine.programs.data.request_files import RequestFiles
from alfine.programs.image_programs import ImageProgram
from alfine.programs.images import Container, Images, NoRunner, Script
from alfine.runners.job_folder import DRIVERS
from alfine.runners.storage.locations import local

ALFINE_NAMES = ("alfine_command", "alfine_python", FUNCTION)
"""Static hyperparameters that only alfine has."""

SCRIPT_MODE = ("sagemaker_program", "sagemaker_submit_directory")
"""Static hyperparameters of SageMaker's script mode."""

STATIC = f"{DEFINITION}.StaticHyperParameters"

JUMPSTART = re.compile(r"s3://jumpstart-(private-)?cache-prod-")
"""Beginning of the URIs of JumpStart's scripts and models, with a region behind it. Source: SDK 2, jumpstart/constants.py."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProgram:
    """The program of a training job. After a fault, and for a Python function, nothing is set.

    Attributes:
        command: The words of a command, or of the request's own entry point.
        script: The script: a path, or for a built-in algorithm alfine's own.
        source_dir: The folder with the script's files.
        python: The interpreter.
        image: The container image.
        built_in: Whether it is a built-in algorithm.
        trouble: Why its code can't be used, so that the training jobs fail with this sentence, as they do on AWS. "" where it can.
    """

    command: tuple[str, ...] | None = None
    script: Path | None = None
    source_dir: Path | None = None
    python: str = sys.executable
    image: str | None = None
    built_in: bool = False
    trouble: str = ""


def find_program(
    static: Mapping[str, str], spec: TuningJobSpec, files: RequestFiles, images: Images, *, contained: bool
) -> FoundProgram:
    """Find what the training jobs of a definition run. What is wrong with it is added to `files.faults`.

    Args:
        static: The static hyperparameters, without JSON quotes. A Python function isn't among them.
        spec: The specification of the definition.
        files: Finds files, and collects faults.
        images: What images mean on this machine.
        contained: Whether the image itself is to run, whatever else could.
    """
    if "alfine_command" in static:
        return FoundProgram(command=_command(static["alfine_command"], files.faults))
    try:
        run = images.find(spec.definition.image, has_script=_brings_script(static, spec), contained=contained)
    except NoRunner as error:
        files.fault(f"{DEFINITION}.AlgorithmSpecification.TrainingImage", str(error))
        return FoundProgram()
    match run:
        case Script(python):
            try:
                script, folder = _script(static, files) if "sagemaker_program" in static else (None, None)
            except InvalidSpec as error:  # an archive that is refused will be refused for good: nobody waits for it
                if not files.fetch:
                    raise
                return FoundProgram(command=(static["sagemaker_program"],), python=python, trouble=str(error))
            entry = spec.definition.entrypoint
            command = (
                (*entry, *spec.definition.arguments) if entry else None
            )  # as on AWS it is run instead of the script
            return FoundProgram(command=command, script=script, source_dir=folder, python=python)
        case BuiltInAlgorithm():
            return FoundProgram(script=run.path, built_in=True)
        case ImageProgram(words, folder):
            python = words[0] if run.script else sys.executable
            return FoundProgram(
                command=None if run.script else words, script=run.script, source_dir=folder, python=python
            )
        case Container(image):
            return FoundProgram(image=image)


def _brings_script(static: Mapping[str, str], spec: TuningJobSpec) -> bool:
    """Return whether the request has a script: by its name, or in channels, as SDK 3 sends it with its driver programs."""
    drivers = any(channel.name == DRIVERS for channel in spec.definition.channels)
    return "sagemaker_program" in static or (drivers and bool(spec.definition.entrypoint))


def _command(text: str, faults: list[Fault]) -> tuple[str, ...] | None:
    try:
        words = json.loads(text)
    except ValueError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        message = f'{text!r} must be a JSON list of strings, such as ["julia", "train.jl"].'
        faults.append(Fault(f"{STATIC}.alfine_command", message))
        return None
    return tuple(words)


def _script(static: Mapping[str, str], files: RequestFiles) -> tuple[Path | None, Path | None]:
    """Return the script and its folder."""
    program = static["sagemaker_program"]
    uri = static.get("sagemaker_submit_directory", ".")
    where = f"{STATIC}.sagemaker_submit_directory"
    if JUMPSTART.match(uri) and not files.is_there(uri):
        files.fault(where, _about_jumpstart(uri))
        return None, None
    folder = files.find(uri, "code", where)
    if folder is None:
        return None, None
    if is_archive(folder):
        if not has_member(folder, program):
            files.fault(f"{STATIC}.sagemaker_program", f"there is no file {program} in {uri}.")
        folder = unpacked(folder, files.place) if files.fetch and not files.faults else folder
        return folder / program, folder
    object_uri = f"{uri.rstrip('/')}/{program}"
    exists = _is_file(folder / program) if local(uri) or files.fetch else files.is_there(object_uri)
    if not exists:
        path = folder / program if local(uri) else object_uri
        files.fault(f"{STATIC}.sagemaker_program", f"there is no file {path}.")
    return folder / program, folder


def _about_jumpstart(uri: str) -> str:
    """Return why JumpStart's scripts aren't here, and what works instead."""
    instead = "To train the model, copy the archive from AWS to this key, or name a script of your own."
    if "lightgbm" in uri.lower():
        instead = (
            "To train LightGBM, use the built-in algorithm: a TrainingImage that ends in /lightgbm:1, the channels train and validation, "
            "and neither sagemaker_program nor sagemaker_submit_directory."
        )
    return f"{uri} is a script of JumpStart, which AWS keeps in a bucket that alfine doesn't have. {instead}"


def _is_file(path: Path) -> bool:
    """Return whether a path is a file; False also for one that can't be looked at, such as a name that is too long."""
    try:
        return path.is_file()
    except OSError:
        return False  # the caller tells that there is no such file


# ---- what is wrong with the names of programs --------------------------------------------------------------------------


def name_faults(spec: TuningJobSpec) -> Iterator[Fault]:
    """Yield a fault for each static hyperparameter named alfine_… that doesn't exist, and for each program that is tuned."""
    for name in spec.definition.static_hyperparameters:
        if name.startswith("alfine_") and name not in ALFINE_NAMES:
            message = f"alfine has no setting of this name. {did_you_mean(name, ALFINE_NAMES)}"
            yield Fault(f"{STATIC}.{name}", message)
    for name in sorted({*ALFINE_NAMES, *SCRIPT_MODE} & {*spec.space.names}):
        yield Fault(f"{STATIC}.{name}", "names the program to run, so it can't be tuned. Give one value.")


def missing_program_faults(
    static: Mapping[str, str], command: tuple[str, ...] | None, environment: Mapping[str, str]
) -> Iterator[Fault]:
    """Yield a fault for the interpreter and for the command's program, where it doesn't exist on this machine.

    Args:
        static: The static hyperparameters.
        command: The words of the command.
        environment: The request's Environment, whose PATH counts.
    """
    path = environment.get("PATH", os.environ.get("PATH"))
    for key, word in (("alfine_python", static.get("alfine_python")), ("alfine_command", (command or (None,))[0])):
        own_file = word and "/" in word and not word.startswith("/")  # one of the training job's own files
        if key in static and word and not own_file and shutil.which(word, path=path) is None:
            yield Fault(
                f"{STATIC}.{key}", f"there is no program {word!r} here. Give its path, or a name that is on the PATH."
            )
