"""What a training job finds around it: `/opt/ml` as SageMaker lays it out, its arguments and its environment.

    <folder>/                       the training job's own
      opt/ml/                       SAGEMAKER_BASE_DIR
        input/config/               hyperparameters.json, inputdataconfig.json, resourceconfig.json
        input/data/<channel>/       a link to the channel's folder (or a folder with a link to its file)
        model/  output/data/  output/intermediate/  output/failure  checkpoints/
        code/                       the current folder: a link to each entry of the source folder
      output/model.tar.gz           packed from model/ when the training job has ended
      .alfine/                      the launcher's files, the log among them

Where a training job has several hosts, algo-1 is the folder above and each other one has a folder of its own with an `opt/ml`
of its own, `<folder>/hosts/<name>`, in which `model`, `output` and `checkpoints` are algo-1's: as SageMaker has it, what the
hosts leave there is one model and one output.

`code/` is a folder of links, not a copy: a source folder may hold data or a virtual environment. What a script writes beside
itself lands in its own training job all the same.

Sources: SageMaker's developer guide (your-algorithms-training-algo-running-container) for the layout, the
sagemaker-training toolkit (environment.py, mapping.py) for the SM_ variables and the arguments.
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

from alfine.runners.job_environment import MAIN_HOST, host_names, input_data_config, resource_config
from alfine.runners.launcher import CONTROL, LOG, write_json
from alfine.runners.protocol import FAILURE_LIMIT, Launch

CODE, DRIVERS = "code", "sm_drivers"
"""Channels of SDK 3: a ModelTrainer's source folder, and what its entry point starts it with."""
PIPES = "input/config/.pipes.json"  # below `opt/ml`
SHARED = ("model", "output", "checkpoints")
"""Folders of `opt/ml` that the hosts of a training job have in common."""


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
        """The packed model, there once the training job has ended."""
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
        """What the training job wrote to `output/failure`: its first 1024 characters, "" without.

        A link is not followed: from out here it could lead to what the training job itself may not read.
        """
        try:
            descriptor = os.open(self.ml / "output" / "failure", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
                return file.read(FAILURE_LIMIT).strip()
        except OSError:
            return ""


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a training job. space: its files; seen: the same as its process names them (/opt/ml, say)."""

    name: str
    space: Workspace
    seen: Workspace


def hosts_of(launch: Launch, root: Path | None = None) -> tuple[Host, ...]:
    """The hosts, sorted by name as in resourceconfig.json. root: where each process sees its folder; None: where it is."""
    names = host_names(launch)
    folders = [launch.folder if name == MAIN_HOST else launch.folder / "hosts" / name for name in names]
    return tuple(
        Host(name, Workspace(folder), Workspace(folder if root is None else root))
        for name, folder in zip(names, folders, strict=True)
    )


def lay_out(launch: Launch, hosts: Sequence[Host] | None = None) -> Workspace:
    """Create the training job's folder with everything that it will look for; again changes nothing."""
    space = Workspace(launch.folder)
    space.ml.mkdir(parents=True, exist_ok=True)
    _make_folders(space.ml, "model", "output", "output/data", "output/intermediate", "checkpoints")
    _make_folders(space.folder, "output")
    space.control.mkdir(mode=0o700, exist_ok=True)  # launch.json holds the Environment: secrets, perhaps
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
            else:  # the runner puts algo-1's in its place
                (ml / name).mkdir(exist_ok=True)
    config = f"{ml}/input/config"
    write_json(f"{config}/hyperparameters.json", dict(launch.hyperparameters))
    write_json(f"{config}/inputdataconfig.json", input_data_config(launch))
    write_json(f"{config}/resourceconfig.json", resource_config(launch, host.name))
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
        (ml / PIPES).write_text(json.dumps(_pipes(launch, host, number)), encoding="utf-8")
    _link_code(launch, host.space.code)


def _make_folders(top: Path, *names: str) -> None:
    """Make folders that may be there already, whose parents are: no call more than it takes, for each training job."""
    for name in names:
        with suppress(FileExistsError):
            os.mkdir(f"{top}/{name}")  # noqa: PTH102


def _pipes(launch: Launch, host: Host, number: int) -> list[dict[str, Any]]:
    """What pipes.py is told."""
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
    """The files of a channel in the order of their names."""
    if path.is_file():
        return [path]
    return sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)


def mounts(launch: Launch, host: Host) -> Iterator[tuple[Path, str]]:
    """Where a training job has an /opt/ml: folders that stand in it, or beside it, besides the host's own."""
    ml = Workspace(launch.folder).ml
    if host.name != MAIN_HOST:
        for name in SHARED:
            yield ml / name, str(host.seen.ml / name)
    if Path(launch.checkpoint_path) != host.seen.ml / "checkpoints":
        yield ml / "checkpoints", launch.checkpoint_path


def files_of(launch: Launch) -> Iterator[Path]:
    """Where the links in `opt/ml` lead: code and channels, and the links in folders that alfine made of objects."""
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


def _link(target: Path, link: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target)


def _link_channel(path: Path, place: Path) -> None:
    if path.is_dir():
        _link(path, place)
    else:  # a lone file (or, for a telling error in the script, one that isn't there) is an object in the channel
        place.mkdir(exist_ok=True)
        _link(path, place / path.name)


def _copy_channel(path: Path, place: Path) -> None:
    """A channel of programs: they are made executable, and write beside themselves."""
    import shutil

    if not place.exists():
        draft = place.with_name(f".{place.name}")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(path, draft)
        draft.rename(place)


def _link_code(launch: Launch, code: Path) -> None:
    if launch.source_dir is not None:
        for entry in os.scandir(launch.source_dir.absolute()):
            if entry.name not in ("__pycache__", ".git"):
                _link(Path(entry.path), code / entry.name)
    elif launch.script is not None:
        _link(launch.script.absolute(), code / launch.script.name)


def requirements_of(launch: Launch) -> Path | None:
    """The requirements.txt that is to be installed before the script runs; None without."""
    if not launch.requirements or launch.source_dir is None or launch.command is not None or launch.entrypoint:
        return None
    path = launch.source_dir / "requirements.txt"
    return path if path.is_file() else None


# ---- arguments and environment -----------------------------------------------------------------------------------------


# ---- afterwards --------------------------------------------------------------------------------------------------------


def pack_model(space: Workspace) -> Path:
    """Pack `model/` into `output/model.tar.gz` unless that was done; the same files give the same bytes.

    An empty model is packed as well, as SageMaker does. A crash leaves no half an archive.
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

    return gzip.compress(bytes(10240), mtime=0)  # a tar file of no members is one record of zeros


def _pack(model: Path, draft: Path) -> None:
    import gzip  # these imports take 20 ms, and most tuning jobs need them not at all
    import tarfile

    # level 1: weights hardly compress, and level 9 takes ten times as long over it
    with draft.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
        archive = tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        for path in sorted(model.rglob("*")):
            if path.is_symlink() or path.is_file() or path.is_dir():  # no sockets, no pipes
                archive.add(path, str(path.relative_to(model)), recursive=False, filter=_anonymous)
        archive.close()


def _anonymous(member: Any) -> Any:
    """The member without what differs from run to run: owner and instants."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member
