"""The environment of a training job: arguments, environment variables and the settings in `/opt/ml/input/config`.

Sources: SageMaker's developer guide («How Amazon SageMaker AI Runs Your Training Image») for the files, the sagemaker-training
toolkit (environment.py, mapping.py) for the SM_ variables and the arguments.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alfine.runners.executor import LocalLaunch
from alfine.runners.gpus import VISIBLE, gpus_of_machine
from alfine.runners.protocol import SHARED_VARIABLE

if TYPE_CHECKING:
    from alfine.runners.job_folder import JobHost

MAIN_HOST = "algo-1"
"""The host whose folder is the training job's own. The name is SageMaker's."""

INSTANCE_GROUP = "homogeneousCluster"
"""The one group that all hosts are in. The name is SageMaker's."""

NETWORK_INTERFACE = "eth0"
"""The network interface of a single host: the interface of SageMaker's containers."""

LOOPBACK = "lo" if sys.platform.startswith("linux") else "lo0"
"""The network interface of several hosts that are processes: all of them are on this machine and reach each other by its loopback interface."""

LOG_LEVEL = 20
"""SM_LOG_LEVEL: `logging.INFO`, the toolkit's default."""

RESERVED = frozenset(
    {"_tuning_objective_metric", "default_user_module_name", "alfine_command", "alfine_python", "alfine_script"}
)
"""Hyperparameters that a script never sees, besides `sagemaker_*`. The toolkit drops the first two as well."""

HOST_VARIABLES = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "JAVA_HOME", "HF_HOME", "TORCH_HOME"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
}
"""Variables of alfine's own process that training jobs inherit. Every other variable may hold a secret."""

HOST_PREFIXES = ("LC_", "CUDA", "NVIDIA_", "ROCM_", "HIP_", "NCCL_")
"""Training jobs also inherit variables whose names begin so."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Variables by which numerical libraries are told how many threads to start."""


def host_names(launch: LocalLaunch) -> list[str]:
    """Return the names of a training job's hosts, the first one first: algo-1, algo-10, algo-2, sorted as text, or those of machines."""
    return list(launch.hosts) or sorted(f"algo-{number}" for number in range(1, launch.instance_count + 1))


# ---- files in /opt/ml/input/config -------------------------------------------------------------------------------------


def input_data_config(launch: LocalLaunch) -> dict[str, dict[str, str]]:
    """Return the content of inputdataconfig.json."""
    return {
        channel.name: {
            "TrainingInputMode": channel.input_mode,
            "S3DistributionType": "ShardedByS3Key" if channel.sharded else "FullyReplicated",
            "RecordWrapperType": "RecordIO" if channel.record_io else "None",
        }
        | ({"ContentType": channel.content_type} if channel.content_type else {})
        for channel in launch.channels
    }


def resource_config(launch: LocalLaunch, host: JobHost) -> dict[str, Any]:
    """Return the content of resourceconfig.json on one host."""
    names = host_names(launch)
    group = {"instance_group_name": INSTANCE_GROUP, "instance_type": launch.instance_type, "hosts": names}
    return {
        "current_host": host.name,
        "current_instance_type": launch.instance_type,
        "current_group_name": INSTANCE_GROUP,
        "hosts": names,
        "instance_groups": [group],
        "network_interface_name": host.interface,
    }


# ---- arguments ---------------------------------------------------------------------------------------------------------


def user_hyperparameters(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the hyperparameters that a script sees, sorted by name.

    Args:
        hyperparameters: All of the training job's, as text.

    Returns:
        Values decoded from JSON where they are JSON («"5"» is the number 5), else their text («adam»).
    """
    return {name: _decoded(text) for name, text in sorted(hyperparameters.items()) if not _is_reserved(name)}


def _is_reserved(name: str) -> bool:
    return name in RESERVED or name.startswith("sagemaker_")


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def arguments(hyperparameters: Mapping[str, str]) -> list[str]:
    """Return `--name value` for each of the script's hyperparameters, sorted by name.

    SageMaker's toolkit writes `-n value` for a name of one letter. alfine writes two dashes there too, because that is how
    scripts usually declare it.
    """
    return [
        text
        for name, value in user_hyperparameters(hyperparameters).items()
        for text in (f"--{name}", _argument(value))
    ]


def _argument(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return str(value)


def entry_point(launch: LocalLaunch) -> str:
    """Return the script's path inside `code/`; "" where there is a command instead."""
    if launch.script is None:
        return ""
    if launch.source_dir is None:
        return launch.script.name
    if not launch.script.is_absolute():
        return str(launch.script)
    return str(launch.script.relative_to(launch.source_dir.absolute()))


# ---- environment variables ---------------------------------------------------------------------------------------------


def host_environment() -> dict[str, str]:
    """Return the variables of alfine's own process that a training job inherits: never AWS_* or ALFINE_*."""
    return {
        name: value for name, value in os.environ.items() if name in HOST_VARIABLES or name.startswith(HOST_PREFIXES)
    }


def shared_environment(launch: LocalLaunch) -> dict[str, str]:
    """Return the variables that all training jobs of one definition have in common.

    They are the inherited ones, the number of threads, and the request's Environment.
    """
    threads = dict.fromkeys(THREAD_VARIABLES, str(launch.threads))
    # Without OMP_WAIT_POLICY idle OpenMP threads spin: 4.3 s instead of 0.07 s for a small fit on a busy machine of 2 cores.
    settings = {"PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "passive"}
    return host_environment() | threads | settings | dict(launch.environment)


def environment(launch: LocalLaunch, args: list[str], host: JobHost) -> dict[str, str]:
    """Return all variables of a training job's process on one host.

    Args:
        launch: The training job.
        args: Its arguments, for SM_USER_ARGS.
        host: The host.
    """
    shared = {**shared_environment(launch), **gpu_variables(launch, host.name), **launch.environment}
    if launch.entrypoint:  # it looks for the image's Python on PATH: here that is the Python of this launch
        shared["PATH"] = f"{Path(launch.python).parent}{os.pathsep}{shared.get('PATH', os.defpath)}"
    toolkit = _toolkit_variables(launch, host, args, _gpus(shared.get(VISIBLE)))
    own_paths = host.seen == host.space  # not in a sandbox, nor in a container
    folder = {SHARED_VARIABLE: str(launch.shared)} if launch.shared and own_paths else {}
    return shared | job_names(launch, host) | toolkit | folder | dict(launch.environment)


def gpu_variables(launch: LocalLaunch, host: str) -> dict[str, str]:
    """Return the variable that shows one host its GPUs: {} where the training job wasn't given any."""
    devices = devices_of(launch, host)
    return {} if devices is None else {VISIBLE: ",".join(devices)}


def devices_of(launch: LocalLaunch, host: str) -> tuple[str, ...] | None:
    """Return the GPUs of one host; None where the training job wasn't given any. Hosts share them where there is none for each."""
    if launch.devices is None:
        return None
    count = len(launch.devices) // launch.instance_count
    at = int(host.rpartition("-")[2]) - 1
    return launch.devices[at * count : (at + 1) * count] if count else launch.devices


def job_names(launch: LocalLaunch, host: JobHost) -> dict[str, str]:
    """Return the variables that say which training job this is and where its /opt/ml lies."""
    return {
        "TRAINING_JOB_NAME": launch.name,
        "TRAINING_JOB_ARN": launch.arn,
        "SAGEMAKER_BASE_DIR": str(host.seen.ml),
    }


def _toolkit_variables(launch: LocalLaunch, host: JobHost, args: list[str], gpus: int) -> dict[str, str]:
    """Return the SM_ variables, which inside SageMaker's containers the sagemaker-training toolkit sets."""
    hyperparameters = user_hyperparameters(launch.hyperparameters)
    channels = {channel.name: str(host.seen.channel(channel.name)) for channel in launch.channels}
    facts = _toolkit_facts(launch, host) | {"num_gpus": gpus}
    training = facts | {
        "additional_framework_parameters": {},
        "channel_input_dirs": channels,
        "framework_module": None,
        "hyperparameters": hyperparameters,
        "is_master": host.name == host_names(launch)[0],
        "job_name": launch.name,
        "master_hostname": host_names(launch)[0],
    }
    values = facts | {"channels": sorted(channels), "hps": hyperparameters, "user_args": args, "framework_params": {}}
    values |= {"training_env": training, "framework_module": ""}
    values |= {f"channel_{name}": path for name, path in channels.items()}
    values |= {f"hp_{name}": value for name, value in hyperparameters.items()}
    return {f"SM_{name.upper()}": _variable(value) for name, value in values.items()}


def _toolkit_facts(launch: LocalLaunch, host: JobHost) -> dict[str, Any]:
    """Return the values that stand both in SM_ variables of their own and in SM_TRAINING_ENV."""
    script, space = entry_point(launch), host.seen
    return {
        "current_host": host.name,
        "current_instance_group": INSTANCE_GROUP,
        "current_instance_type": launch.instance_type,
        "hosts": host_names(launch),
        "input_config_dir": f"{space.ml}/input/config",
        "input_data_config": input_data_config(launch),
        "input_dir": f"{space.ml}/input",
        "instance_groups": [INSTANCE_GROUP],
        "log_level": LOG_LEVEL,
        "model_dir": str(space.model),
        "module_dir": str(space.code),
        "module_name": Path(script).stem,
        "network_interface_name": host.interface,
        "num_cpus": launch.threads,
        "num_neurons": 0,
        "output_data_dir": f"{space.ml}/output/data",
        "output_dir": f"{space.ml}/output",
        "output_intermediate_dir": f"{space.ml}/output/intermediate",
        "resource_config": resource_config(launch, host),
        "user_entry_point": script,
    }


def _variable(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _gpus(visible: str | None) -> int:
    """Return the number of GPUs that a training job sees. visible: the value of CUDA_VISIBLE_DEVICES; None where it isn't set."""
    if visible is None:
        return len(gpus_of_machine())
    devices = [device.strip() for device in visible.split(",")]
    return sum(1 for device in devices if device and not device.startswith("-"))
