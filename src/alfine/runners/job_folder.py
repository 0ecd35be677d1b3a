"""The folder of a training job: `/opt/ml` as SageMaker lays it out, the log, the packed model, the launcher's records.

    <folder>/                       the training job's own
      opt/ml/                       SAGEMAKER_BASE_DIR
        input/config/               hyperparameters.json, inputdataconfig.json, resourceconfig.json
        input/data/<channel>/       a link to the channel's folder (or a folder with a link to its file)
        model/  output/data/  output/intermediate/  output/failure  checkpoints/
        code/                       the current folder: a link to each entry of the source folder
      output/model.tar.gz           packed from model/ when the training job has ended
      .alfine/                      the launcher's files, with the log

A training job with several hosts has algo-1 in the folder above. Each other host has a folder `<folder>/hosts/<name>` with an
`opt/ml` of its own, in which `model`, `output` and `checkpoints` are those of algo-1: as in SageMaker, what the hosts leave there is
one model and one output.

`code/` is a folder of links, not a copy, because a source folder may hold data or a virtual environment. Files that a script writes
beside itself are still in its own training job's folder.

A training job can replace everything below its `opt/ml` by links, pipes and devices, at any moment. So everything outside of it that reads
or writes there does so by the functions of this module, of packing.py and of log_files.py, which use `launcher.beneath`.

Source of the layout: SageMaker's developer guide, «How Amazon SageMaker AI Runs Your Training Image».
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from alfine.runners.executor import LocalLaunch
from alfine.runners.job_environment import (
    LOOPBACK,
    MAIN_HOST,
    NETWORK_INTERFACE,
    host_names,
    input_data_config,
    resource_config,
)
from alfine.runners.launcher import CONTROL, DELETED, LOCK, LOG, Beneath
from alfine.runners.protocol import FAILURE_LIMIT
from alfine.runners.shortages import is_shortage

CODE = "code"
"""The channel in which a ModelTrainer of SDK 3 sends its source folder."""

DRIVERS = "sm_drivers"
"""The channel with the programs by which its entry point starts the script."""

PIPES = "input/config/.pipes.json"
"""Below `opt/ml`: the settings that pipes.py reads."""

SHARED = ("model", "output", "checkpoints")
"""Folders of `opt/ml` that all hosts of a training job have in common."""

NOT_LINKED = ("__pycache__", ".git")
"""Entries of a source folder that a training job has no use for."""

CONTROL_MODE = 0o700
"""Only alfine's user may look into `.alfine`: its launch.json has the request's Environment, which may hold secrets."""

WRITTEN = ("model", "output", "output/data", "output/intermediate", "checkpoints", "code")
"""Folders of `opt/ml` that a training job may write."""

SCRATCH = "scratch"
"""The folder that a sandbox shows as /tmp."""

CHECKPOINTS = "opt/ml/checkpoints"

CHECKPOINTS_DRAFT = ".checkpoints"
"""The folder in which checkpoints are put until all of them are there."""

LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8, at most."""


@dataclass(frozen=True)
class Workspace:
    """The paths inside a training job's folder."""

    folder: Path

    @cached_property
    def ml(self) -> Path:
        return self.folder / "opt" / "ml"

    @property
    def model(self) -> Path:
        return self.ml / "model"

    @property
    def code(self) -> Path:
        return self.ml / "code"

    @property
    def archive(self) -> Path:
        """The packed model, which exists once the training job has ended."""
        return self.folder / "output" / "model.tar.gz"

    @property
    def control(self) -> Path:
        return self.folder / CONTROL

    @property
    def log(self) -> Path:
        return self.control / LOG

    def channel(self, name: str) -> Path:
        return self.ml / "input" / "data" / name

    def failure(self) -> str:
        """Return the first 1024 characters of `output/failure`; "" where there is no such file, or a link or a pipe."""
        try:
            with Beneath.at(self.folder) as folder, folder.open("opt/ml/output/failure") as file:
                data = file.read(FAILURE_LIMIT * LONGEST_CHARACTER)
        except OSError as error:
            if is_shortage(error):  # it may be read a moment later
                raise
            return ""  # then the exit code and the log say why it failed
        return data.decode(errors="replace")[:FAILURE_LIMIT].strip()


@dataclass(frozen=True, slots=True)
class JobHost:
    """One host of a training job.

    Attributes:
        name: algo-1, algo-2, …, or the name of its machine.
        space: Its files, as alfine sees them.
        seen: The same files, as the host's process sees them: in a sandbox its folder is `/`, so that there is an `/opt/ml`.
        interface: The network interface by which it reaches the other hosts.
        leads: Whether its `opt/ml` is that in the training job's folder.
    """

    name: str
    space: Workspace
    seen: Workspace
    interface: str
    leads: bool = True

    @property
    def place(self) -> str:
        """Return where its `opt/ml` lies in the training job's folder."""
        return "opt/ml" if self.leads else f"hosts/{self.name}/opt/ml"


def hosts_of(launch: LocalLaunch, root: Path | None = None, interface: str = LOOPBACK) -> tuple[JobHost, ...]:
    """Return the hosts of a training job, sorted by name as in resourceconfig.json.

    Args:
        launch: The training job.
        root: Where each host's process sees its own folder. None: at the path that it really has.
        interface: By which several hosts reach each other: processes of this machine by its loopback interface.
    """
    if launch.hosts:
        seen = Workspace(launch.folder if root is None else root)
        return (JobHost(launch.host, Workspace(launch.folder), seen, launch.interface or NETWORK_INTERFACE),)
    names = host_names(launch)
    folders = [launch.folder if name == MAIN_HOST else launch.folder / "hosts" / name for name in names]
    interface = NETWORK_INTERFACE if launch.instance_count == 1 else interface
    return tuple(
        JobHost(name, Workspace(folder), Workspace(folder if root is None else root), interface, name == MAIN_HOST)
        for name, folder in zip(names, folders, strict=True)
    )


# ---- before the start --------------------------------------------------------------------------------------------------


def lay_out(launch: LocalLaunch, hosts: Sequence[JobHost] | None = None) -> Workspace:
    """Create the training job's folder with everything that it will look for. A second call changes nothing.

    Links and files that an earlier try left in place of folders are replaced, never followed.

    Args:
        launch: The training job.
        hosts: Its hosts; None: those whose processes see the real paths.

    Raises:
        OSError: The folder can't be written, or a channel can't be copied.
    """
    launch.folder.mkdir(parents=True, exist_ok=True)
    with Beneath.at(launch.folder) as folder:
        with folder.make("opt/ml") as ml:
            _make_folders(ml, "model", "output/data", "output/intermediate", "checkpoints")
        _make_folders(folder, "output")
        folder.make(CONTROL, CONTROL_MODE).close()
        for host in hosts or hosts_of(launch):
            with folder.make(host.place) as ml:
                _lay_out_host(launch, host, ml)
    return Workspace(launch.folder)


def let_every_user_in(launch: LocalLaunch, hosts: Iterable[JobHost]) -> None:
    """Let every user write what a training job may write, and read its settings: the image of a container may name a user of its own.

    Other users of this machine are kept out one folder above.

    Raises:
        OSError: A folder isn't there, or its permissions can't be changed.
    """
    with Beneath.at(launch.folder) as folder:
        for host in hosts:
            with folder.folder(host.place.removesuffix("/ml")) as above, folder.folder(host.place) as ml:
                os.fchmod(above.descriptor, 0o700)
                os.fchmod(ml.descriptor, 0o777)
                for name in WRITTEN if host.leads else ("code",):
                    _permit(ml, name, 0o777)
                for name in ("input", "input/config", "input/data"):
                    _permit(ml, name, 0o755)
                with ml.folder("input/config") as config:
                    for name in config.names():
                        with config.open(name) as file:
                            os.fchmod(file.fileno(), 0o644)


def _permit(above: Beneath, name: str, mode: int) -> None:
    with above.folder(name) as folder:
        os.fchmod(folder.descriptor, mode)


def make_control(folder: Path) -> None:
    """Make the folder of the launcher's files, with those above it.

    Args:
        folder: The training job's folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Beneath.at(folder) as beneath:
        beneath.make(CONTROL, CONTROL_MODE).close()


def make_scratch(host: JobHost, names: str) -> Path:
    """Make what a sandbox shows besides `opt/ml`: an own /tmp with a home in it, and an own /etc/hosts in `.alfine/hosts`.

    Args:
        host: The host.
        names: The content of /etc/hosts.

    Returns:
        The folder that is its /tmp.
    """
    with Beneath.at(host.space.folder) as folder:
        folder.make(f"{SCRATCH}/home").close()
        with folder.make(CONTROL, CONTROL_MODE) as control:
            control.write("hosts", names.encode())
    return host.space.folder / SCRATCH


def _lay_out_host(launch: LocalLaunch, host: JobHost, ml: Beneath) -> None:
    _make_folders(ml, "input/data", "code")
    if not host.leads:
        for name in SHARED:
            if host.seen == host.space:
                ml.link(str(Workspace(launch.folder).ml / name), name)
            else:  # the runner mounts the folder of algo-1 here
                _make_folders(ml, name)
    with ml.make("input/config") as config:
        config.write("hyperparameters.json", json.dumps(dict(launch.hyperparameters)).encode())
        config.write("inputdataconfig.json", json.dumps(input_data_config(launch)).encode())
        config.write("resourceconfig.json", json.dumps(resource_config(launch, host)).encode())
        if any(channel.piped for channel in launch.channels):
            number = host_names(launch).index(host.name)
            config.write(PIPES.rpartition("/")[2], json.dumps(_pipes(launch, host, number)).encode())
    with ml.folder("input/data") as data:
        _lay_out_channels(launch, host, data)
    with ml.folder("code") as code:
        _link_code(launch, code)


def _lay_out_channels(launch: LocalLaunch, host: JobHost, data: Beneath) -> None:
    number = host_names(launch).index(host.name)
    driven = bool(launch.entrypoint) and any(channel.name == DRIVERS for channel in launch.channels)
    for channel in launch.channels:
        if not channel.piped:
            if driven and channel.name in (CODE, DRIVERS):
                _copy_channel(channel.path_on(number), data, channel.name)
            else:
                _link_channel(channel.path_on(number).absolute(), data, channel.name)


def _make_folders(top: Beneath, *names: str) -> None:
    for name in names:
        top.make(name).close()


def _pipes(launch: LocalLaunch, host: JobHost, number: int) -> list[dict[str, Any]]:
    """Return the settings of pipes.py for one host."""
    return [
        {
            "pipe": str(host.seen.channel(channel.name)),
            "files": [str(path.absolute()) for path in _files(channel.path)],
            "gzip": channel.gzip,
            "record_io": channel.record_io,
            "seed": channel.seed,
            "host": number if channel.sharded else 0,
            "hosts": launch.instance_count if channel.sharded else 1,
            "failure": str(host.seen.ml / "output" / "failure"),
        }
        for channel in launch.channels
        if channel.piped
    ]


def _files(path: Path) -> list[Path]:
    """Return the files of a channel, sorted by path."""
    if path.is_file():
        return [path]
    return sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)


def _link_channel(path: Path, data: Beneath, name: str) -> None:
    if path.is_dir():
        data.link(str(path), name)
    else:  # a single file is one object of the channel; one that doesn't exist is linked too, so that the error names its path
        with data.make(name) as place:
            place.link(str(path), path.name)


def _copy_channel(path: Path, data: Beneath, name: str) -> None:
    """Copy a channel that holds programs: the entry point makes them executable, and they write beside themselves."""
    if not data.is_folder(name):
        data.remove(f".{name}")
        with data.make(f".{name}") as draft:
            _copy_into(path, draft)
        data.rename(f".{name}", name)


def _copy_into(path: Path, place: Beneath) -> None:
    for entry in os.scandir(path):
        if entry.is_dir():
            with place.make(entry.name) as inner:
                _copy_into(Path(entry.path), inner)
        else:
            with Path(entry.path).open("rb") as source, place.create(entry.name) as copy:
                shutil.copyfileobj(source, copy)
                os.fchmod(copy.fileno(), os.fstat(source.fileno()).st_mode & 0o777)


def _link_code(launch: LocalLaunch, code: Beneath) -> None:
    if launch.source_dir is not None:
        for entry in os.scandir(launch.source_dir.absolute()):
            if entry.name not in NOT_LINKED:
                code.link(entry.path, entry.name)
    elif launch.script is not None:
        code.link(str(launch.script.absolute()), launch.script.name)


def requirements_of(launch: LocalLaunch) -> Path | None:
    """Return the requirements.txt to install before the script runs, or None."""
    if not launch.requirements or launch.source_dir is None or launch.command is not None or launch.entrypoint:
        return None
    path = launch.source_dir / "requirements.txt"
    return path if path.is_file() else None


# ---- checkpoints -------------------------------------------------------------------------------------------------------


def has_checkpoints(space: Workspace) -> bool:
    """Return whether there is a folder of checkpoints: from an earlier try, or because the training job was laid out before."""
    try:
        with Beneath.at(space.folder) as folder:
            return folder.is_folder(CHECKPOINTS)
    except FileNotFoundError:
        return False


def fill_checkpoints(space: Workspace, files: Iterable[tuple[str, Path]]) -> None:
    """Make the folder of checkpoints with copies of files. A crash leaves no incomplete one.

    Args:
        space: The training job's folder.
        files: The path of each file below the folder, and the file: one that no training job can have replaced.

    Raises:
        OSError: A file can't be copied.
    """
    space.folder.mkdir(parents=True, exist_ok=True)
    with Beneath.at(space.folder) as folder, folder.make("opt/ml") as ml:
        ml.remove(CHECKPOINTS_DRAFT)
        with ml.make(CHECKPOINTS_DRAFT) as draft:
            for name, file in files:
                above, _, last = name.rpartition("/")
                with (
                    draft.make(above) if above else nullcontext(draft) as place,
                    place.create(last) as copy,
                    file.open("rb") as source,
                ):
                    shutil.copyfileobj(source, copy)
        ml.rename(CHECKPOINTS_DRAFT, "checkpoints")


# ---- removing ----------------------------------------------------------------------------------------------------------


def remove_job_folder(folder: Path) -> None:
    """Remove the folder of a training job, however its script left it.

    A launcher that hung before may go on later: it sees in the lock, which it holds open, that nobody wants a record of the end.

    Raises:
        OSError: The first reason why something in it couldn't be removed. Everything else is removed.
    """
    if folder.parent.is_dir():
        with Beneath.at(folder.parent) as jobs:
            lock = f"{folder.name}/{CONTROL}/{LOCK}"
            try:
                with jobs.open(lock, os.O_WRONLY) as file:
                    file.write(DELETED)
            except OSError as error:  # without a lock there is no launcher
                if is_shortage(error):
                    raise
            jobs.remove(folder.name)
