"""The words of `docker run` for one host of a training job: its folder and data, its variables, its GPUs, its image."""

from __future__ import annotations

import csv
import io
import re
import shutil
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from alfine.runners.container_client import FOLDER_LABEL, answer
from alfine.runners.container_engine import ContainerEngine, client_environment
from alfine.runners.container_links import links_out
from alfine.runners.executor import LocalLaunch
from alfine.runners.job_environment import THREAD_VARIABLES, devices_of, job_names
from alfine.runners.job_folder import JobHost
from alfine.runners.job_mounts import files_of, mounts
from alfine.runners.launcher import CONTROL, Beneath

VARIABLE = re.compile(r"[^\s=#*][^\s=*]*")
"""Names of variables that an engine reads as they are from a file."""

LINE_BREAK = re.compile("[\n\r\0]")
"""Characters that no value of a variable may contain: the file has a line for each variable."""

GPU_TYPE = re.compile(r"(ml\.)?[gp]\d.*|local_gpu")
"""Instance types with GPUs of NVIDIA. Source: Amazon SageMaker's pricing page, «Accelerated computing»."""

GPU_SECONDS = 20
"""Longest time, in seconds, that `nvidia-smi` may take."""

DEVICE_INTERFACES = ("/etc/cdi", "/var/run/cdi")
"""Folders in which podman finds descriptions of devices. Source: Container Device Interface, «CDI JSON Specification»."""


def container_name(launch: LocalLaunch, host: JobHost) -> str:
    """Return the name of a host's container."""
    return network_name(launch) + ("" if launch.hosts_here == 1 else f"-{host.name}")


def network_name(launch: LocalLaunch) -> str:
    """Return the name of the network of a training job with several hosts.

    It contains a checksum of the folder, since two homes may have training jobs of one name.
    """
    return f"alfine-{launch.name}-{zlib.crc32(str(launch.folder).encode()):08x}"


def run_words(engine: ContainerEngine, launch: LocalLaunch, host: JobHost) -> list[str]:
    """Return the command line that runs a host's container, and write the file with its variables.

    Its working folder is `.alfine`: the file is named without its folder, since podman takes a comma for the end of its name.
    """
    assert launch.image is not None, "refused before"
    entry, *first = launch.entrypoint or ("",)
    arguments = launch.arguments or (() if launch.entrypoint else ("train",))
    return [
        *(engine.command, "run", "--name", container_name(launch, host), "--hostname", host.name),
        *("--label", f"alfine.training-job={launch.name}", "--label", f"{FOLDER_LABEL}={launch.folder}"),
        *gpu_words(engine, launch.instance_type, devices_of(launch, host.name)),
        *_mount_words(launch, host),
        *("--env-file", _write_variables(launch, host)),
        *(engine.options if launch.network else (*engine.options_without_network, "--network", "none")),
        *(("--entrypoint", entry) if entry else ()),
        *(launch.image, *first, *arguments),
    ]


# ---- variables ---------------------------------------------------------------------------------------------------------


def variable_trouble(name: str, text: str) -> str:
    """Return why a container can't be given a variable; "" where it can.

    Its value would have to stand in the engine's command line, which every user of the machine can read, or among the variables of
    the engine's client, where it could change what that does.
    """
    if not VARIABLE.fullmatch(name):
        return f"a container can't be given a variable named {name!r}."
    if LINE_BREAK.search(text):
        return f"the value of {name} contains a line break, which containers can't be given. Encode it, for example as JSON."
    return ""


def _write_variables(launch: LocalLaunch, host: JobHost) -> str:
    """Write the file with the variables that SageMaker gives a container, and return its name. Only alfine's user can read it.

    The toolkit inside sets the SM_ variables itself.
    """
    threads = dict.fromkeys(THREAD_VARIABLES, str(launch.threads))
    variables = {**threads, "PYTHONUNBUFFERED": "1", **job_names(launch, host), **launch.environment}
    name = f"environment.{host.name}"
    lines = "".join(f"{variable}={text}\n" for variable, text in variables.items())
    with Beneath.at(launch.folder) as folder, folder.folder(CONTROL) as control, control.create(name, 0o600) as file:
        file.write(lines.encode())
    return name


# ---- files -------------------------------------------------------------------------------------------------------------


def _mount_words(launch: LocalLaunch, host: JobHost) -> Iterator[str]:
    yield from _mount(host.space.ml, "/opt/ml")
    for folder, inside in mounts(launch, host):
        yield from _mount(folder, inside)
    shown = {str(path): path for path in files_of(launch)}
    for inside, path in {**shown, **links_out(launch)}.items():
        yield from _mount(path, inside, "readonly")


def _mount(path: Path, inside: str, *options: str) -> tuple[str, str]:
    """Return a folder or file to mount. The value is a row of CSV, so a path may contain commas, colons and quotes."""
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(["type=bind", f"source={path}", f"destination={inside}", *options])
    return "--mount", row.getvalue()


# ---- GPUs --------------------------------------------------------------------------------------------------------------


def gpu_words(
    engine: ContainerEngine, instance_type: str, given: tuple[str, ...] | None = None, devices: Path = Path("/dev")
) -> tuple[str, ...]:
    """Return the words that give a container its GPUs: those that it was given, else all of this machine's.

    It gets all them where the machine has some and its instance type asks for them (ml.g5.xlarge), or where they work and the engine knows
    them. So a machine whose GPU or engine isn't set up for that runs all other training jobs.

    Args:
        engine: The engine.
        instance_type: The training job's instance type.
        given: The GPUs that it was given; None: none in particular.
        devices: The folder of this machine's devices.
    """
    if given is not None and engine.is_podman:
        return tuple(word for gpu in given for word in ("--device", f"nvidia.com/gpu={gpu}"))
    if given is not None:
        return ("--gpus", f'"device={",".join(given)}"')  # in quotes, since docker takes a comma for the end of a field
    if not any(devices.glob("nvidia[0-9]*")):
        return ()
    if not (
        GPU_TYPE.fullmatch(instance_type) or (_gpus_work() and _knows_gpus(engine.command, podman=engine.is_podman))
    ):
        return ()
    return ("--device", "nvidia.com/gpu=all") if engine.is_podman else ("--gpus", "all")


@cache
def _gpus_work() -> bool:
    smi = shutil.which("nvidia-smi")
    return smi is not None and "GPU" in _answer(smi, "-L")


@cache
def _knows_gpus(command: str, *, podman: bool) -> bool:
    if podman:
        return any(file.name.startswith("nvidia") for folder in DEVICE_INTERFACES for file in Path(folder).glob("*"))
    return "nvidia" in _answer(command, "info", "--format", "{{json .Runtimes}}")


def _answer(*words: str) -> str:
    done = answer(words, GPU_SECONDS, client_environment())
    if done is None or done.returncode:
        return ""  # containers get no GPU, which `alfine doctor` shows
    return done.stdout
