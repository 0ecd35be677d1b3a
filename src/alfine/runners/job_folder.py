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
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from alfine.runners.launcher import CONTROL, LOG, write_json
from alfine.runners.protocol import FAILURE_LIMIT, Launch

__all__ = ["Host", "Workspace", "arguments", "environment", "host_environment", "hosts_of", "lay_out", "pack_model"]

MAIN_HOST = "algo-1"
NETWORK_INTERFACE = "eth0"
LOOPBACK = "lo" if sys.platform.startswith("linux") else "lo0"  # how several hosts of one machine reach each other
CODE, DRIVERS = "code", "sm_drivers"
"""Channels of SDK 3: a ModelTrainer's source folder, and what its entry point starts it with."""
PIPES = "input/config/.pipes.json"  # below `opt/ml`
SHARED = ("model", "output", "checkpoints")
"""Folders of `opt/ml` that the hosts of a training job have in common."""
RESERVED = frozenset(
    {"_tuning_objective_metric", "default_user_module_name", "alfine_command", "alfine_python", "alfine_script"}
)
"""Hyperparameters that are for the runner, besides `sagemaker_*`; the toolkit drops the first two as well."""
HOST_VARIABLES = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "JAVA_HOME", "HF_HOME", "TORCH_HOME"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
}
HOST_PREFIXES = ("LC_", "CUDA", "NVIDIA_", "ROCM_", "HIP_", "NCCL_")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


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


def host_names(launch: Launch) -> list[str]:
    return sorted(f"algo-{number}" for number in range(1, launch.instance_count + 1))


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


def entry_point(launch: Launch) -> str:
    """The script's path inside `code/`; "" with a command."""
    if launch.script is None:
        return ""
    if launch.source_dir is None:
        return launch.script.name
    if not launch.script.is_absolute():
        return str(launch.script)
    return str(launch.script.relative_to(launch.source_dir.absolute()))


def input_data_config(launch: Launch) -> dict[str, dict[str, str]]:
    """The content of inputdataconfig.json."""
    return {
        channel.name: {
            "TrainingInputMode": channel.input_mode,
            "S3DistributionType": "ShardedByS3Key" if channel.sharded else "FullyReplicated",
            "RecordWrapperType": "RecordIO" if channel.record_io else "None",
        }
        | ({"ContentType": channel.content_type} if channel.content_type else {})
        for channel in launch.channels
    }


def resource_config(launch: Launch, current: str) -> dict[str, Any]:
    """The content of resourceconfig.json, as the current host has it."""
    names = host_names(launch)
    group = {"instance_group_name": "homogeneousCluster", "instance_type": launch.instance_type, "hosts": names}
    return {
        "current_host": current,
        "current_instance_type": launch.instance_type,
        "current_group_name": group["instance_group_name"],
        "hosts": names,
        "instance_groups": [group],
        "network_interface_name": _network_interface(launch),
    }


def _network_interface(launch: Launch) -> str:
    return NETWORK_INTERFACE if launch.instance_count == 1 else LOOPBACK


# ---- arguments and environment -----------------------------------------------------------------------------------------


def user_hyperparameters(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Those meant for the script, decoded from JSON where they are JSON («"5"» is 5, «adam» stays text)."""
    return {name: _decoded(text) for name, text in sorted(hyperparameters.items()) if not _is_reserved(name)}


def _is_reserved(name: str) -> bool:
    return name in RESERVED or name.startswith("sagemaker_")


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def arguments(hyperparameters: Mapping[str, str]) -> list[str]:
    """`--name value` for each of the script's hyperparameters, sorted by name.

    Unlike SageMaker's toolkit, which writes `-n value` for a name of one letter: scripts rarely declare that.
    """
    return [
        text
        for name, value in user_hyperparameters(hyperparameters).items()
        for text in (f"--{name}", _argument(value))
    ]


def _argument(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={each}" for key, each in sorted(value.items()))
    return str(value)


def host_environment() -> dict[str, str]:
    """The part of our own environment that a training job may see: never AWS_* or ALFINE_*."""
    return {
        name: value for name, value in os.environ.items() if name in HOST_VARIABLES or name.startswith(HOST_PREFIXES)
    }


def shared_environment(launch: Launch) -> dict[str, str]:
    """What all training jobs of one configuration have in common: the host's part, threads, the given Environment."""
    threads = dict.fromkeys(THREAD_VARIABLES, str(launch.threads))
    # without it idle OpenMP threads spin: 4.3 s instead of 0.07 s for a small fit on a busy machine of 2 cores
    settings = {"PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "passive"}
    return host_environment() | threads | settings | dict(launch.environment)


def environment(launch: Launch, args: list[str], host: Host | None = None) -> dict[str, str]:
    """The whole environment of a training job on a host (algo-1); args: as `arguments` gives them."""
    host = host or hosts_of(launch)[0]
    names, shared = job_names(launch, host), shared_environment(launch)
    if launch.entrypoint:  # it looks for the image's Python on PATH: that's the one of this launch
        shared["PATH"] = f"{Path(launch.python).parent}{os.pathsep}{shared.get('PATH', os.defpath)}"
    toolkit = _toolkit_variables(launch, host, args, _gpus(shared.get("CUDA_VISIBLE_DEVICES")))
    return shared | names | toolkit | dict(launch.environment)


def job_names(launch: Launch, host: Host) -> dict[str, str]:
    """Which training job it is, and where it lies."""
    return {
        "TRAINING_JOB_NAME": launch.name,
        "TRAINING_JOB_ARN": launch.arn,
        "SAGEMAKER_BASE_DIR": str(host.seen.ml),
    }


def _toolkit_variables(launch: Launch, host: Host, args: list[str], gpus: int) -> dict[str, str]:
    """The SM_ variables, which inside a container the sagemaker-training toolkit would set."""
    hyperparameters = user_hyperparameters(launch.hyperparameters)
    channels = {channel.name: str(host.seen.channel(channel.name)) for channel in launch.channels}
    facts = _toolkit_facts(launch, host) | {"num_gpus": gpus}
    training = facts | {
        "additional_framework_parameters": {},
        "channel_input_dirs": channels,
        "framework_module": None,
        "hyperparameters": hyperparameters,
        "is_master": host.name == MAIN_HOST,
        "job_name": launch.name,
        "master_hostname": MAIN_HOST,
    }
    values = facts | {"channels": sorted(channels), "hps": hyperparameters, "user_args": args, "framework_params": {}}
    values |= {"training_env": training, "framework_module": ""}
    values |= {f"channel_{name}": path for name, path in channels.items()}
    values |= {f"hp_{name}": value for name, value in hyperparameters.items()}
    return {f"SM_{name.upper()}": _variable(value) for name, value in values.items()}


def _toolkit_facts(launch: Launch, host: Host) -> dict[str, Any]:
    script, space = entry_point(launch), host.seen
    return {
        "current_host": host.name,
        "current_instance_group": "homogeneousCluster",
        "current_instance_type": launch.instance_type,
        "hosts": host_names(launch),
        "input_config_dir": f"{space.ml}/input/config",
        "input_data_config": input_data_config(launch),
        "input_dir": f"{space.ml}/input",
        "instance_groups": ["homogeneousCluster"],
        "log_level": 20,
        "model_dir": str(space.model),
        "module_dir": str(space.code),
        "module_name": Path(script).stem,
        "network_interface_name": _network_interface(launch),
        "num_cpus": launch.threads,
        "num_neurons": 0,
        "output_data_dir": f"{space.ml}/output/data",
        "output_dir": f"{space.ml}/output",
        "output_intermediate_dir": f"{space.ml}/output/intermediate",
        "resource_config": resource_config(launch, host.name),
        "user_entry_point": script,
    }


def _variable(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _gpus(visible: str | None) -> int:
    """GPUs that a training job will see; visible: CUDA_VISIBLE_DEVICES, whose first invalid entry ends the list."""
    if visible is None:
        return _gpus_of_machine()
    devices = [device.strip() for device in visible.split(",")]
    return sum(1 for device in devices if device and not device.startswith("-"))


@cache
def _gpus_of_machine() -> int:
    try:
        return sum(entry.name[6:].isdigit() for entry in os.scandir("/dev") if entry.name.startswith("nvidia"))
    except OSError:
        return 0


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
