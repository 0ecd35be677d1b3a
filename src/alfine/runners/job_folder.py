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

Source of the layout: SageMaker's developer guide, «How Amazon SageMaker AI Runs Your Training Image».
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from alfine.runners.job_environment import (
    LOOPBACK,
    MAIN_HOST,
    NETWORK_INTERFACE,
    host_names,
    input_data_config,
    resource_config,
)
from alfine.runners.launcher import CONTROL, LOG, write_json
from alfine.runners.protocol import FAILURE_LIMIT, Launch

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

PACKING_LEVEL = 1
"""Of gzip, for models. Weights hardly compress, and level 9 takes ten times as long."""

EMPTY_TAR = bytes(10240)
"""A tar file without members: one record of zeros."""


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
        """Return the first 1024 characters of `output/failure`; "" where there is no such file.

        A link isn't followed: the training job could have made it lead to a file that it may not read itself.
        """
        try:
            descriptor = os.open(self.ml / "output" / "failure", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
                return file.read(FAILURE_LIMIT).strip()
        except OSError:
            return ""


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a training job.

    Attributes:
        name: algo-1, algo-2, ….
        space: Its files, as alfine sees them.
        seen: The same files, as the host's process sees them: in a sandbox its folder is `/`, so that there is an `/opt/ml`.
        interface: The network interface by which it reaches the other hosts.
    """

    name: str
    space: Workspace
    seen: Workspace
    interface: str


def hosts_of(launch: Launch, root: Path | None = None, interface: str = LOOPBACK) -> tuple[Host, ...]:
    """Return the hosts of a training job, sorted by name as in resourceconfig.json.

    Args:
        launch: The training job.
        root: Where each host's process sees its own folder. None: at the path that it really has.
        interface: By which several hosts reach each other: processes of this machine by its loopback interface.
    """
    names = host_names(launch)
    folders = [launch.folder if name == MAIN_HOST else launch.folder / "hosts" / name for name in names]
    interface = NETWORK_INTERFACE if launch.instance_count == 1 else interface
    return tuple(
        Host(name, Workspace(folder), Workspace(folder if root is None else root), interface)
        for name, folder in zip(names, folders, strict=True)
    )


# ---- before the start --------------------------------------------------------------------------------------------------


def lay_out(launch: Launch, hosts: Sequence[Host] | None = None) -> Workspace:
    """Create the training job's folder with everything that it will look for. A second call changes nothing.

    Args:
        launch: The training job.
        hosts: Its hosts; None: those whose processes see the real paths.

    Raises:
        OSError: The folder can't be written, or a channel can't be copied.
    """
    space = Workspace(launch.folder)
    space.ml.mkdir(parents=True, exist_ok=True)
    _make_folders(space.ml, "model", "output", "output/data", "output/intermediate", "checkpoints")
    _make_folders(space.folder, "output")
    space.control.mkdir(mode=CONTROL_MODE, exist_ok=True)
    for host in hosts or hosts_of(launch):
        _lay_out_host(launch, host)
    return space


def _lay_out_host(launch: Launch, host: Host) -> None:
    ml = host.space.ml
    ml.mkdir(parents=True, exist_ok=True)
    _make_folders(ml, "input", "input/config", "input/data", "code")
    if host.name != MAIN_HOST:
        for name in SHARED:
            if host.seen == host.space:
                _link(Workspace(launch.folder).ml / name, ml / name)
            else:  # the runner mounts the folder of algo-1 here
                (ml / name).mkdir(exist_ok=True)
    config = f"{ml}/input/config"
    write_json(f"{config}/hyperparameters.json", dict(launch.hyperparameters))
    write_json(f"{config}/inputdataconfig.json", input_data_config(launch))
    write_json(f"{config}/resourceconfig.json", resource_config(launch, host))
    _lay_out_channels(launch, host)
    _link_code(launch, host.space.code)


def _lay_out_channels(launch: Launch, host: Host) -> None:
    number = host_names(launch).index(host.name)
    driven = bool(launch.entrypoint) and any(channel.name == DRIVERS for channel in launch.channels)
    for channel in launch.channels:
        if not channel.piped:
            place = host.space.channel(channel.name)
            if driven and channel.name in (CODE, DRIVERS):
                _copy_channel(channel.path_on(number), place)
            else:
                _link_channel(channel.path_on(number).absolute(), place)
    if any(channel.piped for channel in launch.channels):
        (host.space.ml / PIPES).write_text(json.dumps(_pipes(launch, host, number)), encoding="utf-8")


def _make_folders(top: Path, *names: str) -> None:
    """Make folders that may exist already, in an existing folder. One system call each: every training job waits for them."""
    for name in names:
        with suppress(FileExistsError):
            os.mkdir(f"{top}/{name}")  # noqa: PTH102


def _pipes(launch: Launch, host: Host, number: int) -> list[dict[str, Any]]:
    """The settings of pipes.py for one host."""
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
    """The files of a channel, sorted by path."""
    if path.is_file():
        return [path]
    return sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)


def _link(target: Path, link: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target)


def _link_channel(path: Path, place: Path) -> None:
    if path.is_dir():
        _link(path, place)
    else:  # a single file is one object of the channel; one that doesn't exist is linked too, so that the error names its path
        place.mkdir(exist_ok=True)
        _link(path, place / path.name)


def _copy_channel(path: Path, place: Path) -> None:
    """Copy a channel that holds programs: the entry point makes them executable, and they write beside themselves."""
    import shutil

    if not place.exists():
        draft = place.with_name(f".{place.name}")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(path, draft)
        draft.rename(place)


def _link_code(launch: Launch, code: Path) -> None:
    if launch.source_dir is not None:
        for entry in os.scandir(launch.source_dir.absolute()):
            if entry.name not in NOT_LINKED:
                _link(Path(entry.path), code / entry.name)
    elif launch.script is not None:
        _link(launch.script.absolute(), code / launch.script.name)


def requirements_of(launch: Launch) -> Path | None:
    """Return the requirements.txt to install before the script runs, or None."""
    if not launch.requirements or launch.source_dir is None or launch.command is not None or launch.entrypoint:
        return None
    path = launch.source_dir / "requirements.txt"
    return path if path.is_file() else None


# ---- what a sandbox or a container must show ---------------------------------------------------------------------------


def mounts(launch: Launch, host: Host) -> Iterator[tuple[Path, str]]:
    """Yield what has to be mounted besides the host's own `opt/ml`, for a runner whose training jobs have an /opt/ml.

    Args:
        launch: The training job.
        host: The host that is started.

    Yields:
        A folder, and the path at which the host's process sees it.
    """
    ml = Workspace(launch.folder).ml
    if host.name != MAIN_HOST:
        for name in SHARED:
            yield ml / name, str(host.seen.ml / name)
    if Path(launch.checkpoint_path) != host.seen.ml / "checkpoints":
        yield ml / "checkpoints", launch.checkpoint_path


def files_of(launch: Launch) -> Iterator[Path]:
    """Yield the files and folders outside the training job's folder to which links in its `opt/ml` lead.

    They are its code and its channels, and what the links inside folders lead to that alfine made of S3 objects.
    """
    if launch.source_dir is not None:
        yield launch.source_dir.absolute()
    elif launch.script is not None:
        yield launch.script.absolute()
    for folder in {path.absolute() for channel in launch.channels for path in (channel.path, *channel.shards)}:
        yield folder
        if folder.is_relative_to(launch.folder.parent):
            yield from _links_out(folder)


def _links_out(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder) if folder.is_dir() else ():
        if entry.is_symlink():
            yield Path(entry.path).resolve()
        elif entry.is_dir():
            yield from _links_out(Path(entry.path))


# ---- after the end -----------------------------------------------------------------------------------------------------


def model_bytes(space: Workspace) -> int:
    """Return the size of the files in `model/`."""
    if not space.model.is_dir():
        return 0
    return sum(path.stat().st_size for path in space.model.rglob("*") if path.is_file())


def pack_model(space: Workspace) -> Path:
    """Pack `model/` into `output/model.tar.gz`, unless that was done before.

    The same files give the same bytes. An empty model is packed too, as SageMaker does. A crash leaves no incomplete archive.

    Returns:
        The archive.

    Raises:
        OSError: The model can't be read, or the archive can't be written.
    """
    if not space.archive.exists():
        draft = space.archive.with_name(f".model.tar.gz.{os.getpid()}")
        space.archive.parent.mkdir(parents=True, exist_ok=True)
        if any(space.model.iterdir()) if space.model.is_dir() else False:
            _pack(space.model, draft)
        else:
            draft.write_bytes(_empty_archive())
        draft.replace(space.archive)
    return space.archive


@cache
def _empty_archive() -> bytes:
    import gzip

    return gzip.compress(EMPTY_TAR, mtime=0)


def _pack(model: Path, draft: Path) -> None:
    import gzip  # these imports take 20 ms, and most tuning jobs don't need them
    import tarfile

    with draft.open("wb") as raw, gzip.GzipFile("", "wb", PACKING_LEVEL, raw, mtime=0) as packed:
        archive = tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        for path in sorted(model.rglob("*")):
            if path.is_symlink() or path.is_file() or path.is_dir():  # no sockets, no pipes
                archive.add(path, str(path.relative_to(model)), recursive=False, filter=_anonymous)
        archive.close()


def _anonymous(member: Any) -> Any:
    """The archive member without its owner and its times, which differ from run to run."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member
