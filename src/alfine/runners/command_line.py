"""The command or script of a training job as a process on each host: its words, its folder, its variables."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from alfine.runners import pipes, requirements
from alfine.runners.executor import LocalLaunch
from alfine.runners.job_environment import arguments, entry_point, environment
from alfine.runners.job_folder import PIPES, JobHost

ALONE = ("-I", "-S")
"""Options of Python for alfine's own small programs: they need nothing of the user's packages and settings."""

PIP_SETTINGS = (".config/pip/pip.conf", ".pip/pip.conf")
"""Below HOME: where pip looks for its settings. Source: pip's documentation, «Configuration»."""


def missing(launch: LocalLaunch) -> str:
    """Return a sentence about a file that a command or script needs and that doesn't exist; "" where nothing is missing."""
    if launch.command is None and launch.script is None:
        return "There is nothing to run: give a command or a script."
    if launch.command is not None and not launch.command:
        return "The command is empty."
    if launch.source_dir is not None and not launch.source_dir.is_dir():
        return f"The source folder {launch.source_dir} doesn't exist."
    script = _script_path(launch)
    if script is not None and not script.is_file():
        return f"The script {script} doesn't exist."
    return missing_data(launch)


def missing_data(launch: LocalLaunch) -> str:
    """Return a sentence about a channel whose data don't exist; "" where all channels have theirs."""
    for channel in launch.channels:
        if channel.trouble:
            return f"ClientError: Data download failed: {channel.trouble}"
        if not channel.path.exists():
            return f"Channel {channel.name}: {channel.path} doesn't exist."
    return ""


def isolated_hosts(launch: LocalLaunch) -> str:
    """Return a sentence about several hosts that can't reach each other, for a sandbox or a container; "" for any other job."""
    if launch.network or launch.instance_count == 1:
        return ""
    return "Several hosts can't reach each other without the network (EnableNetworkIsolation). Use one instance."


def _script_path(launch: LocalLaunch) -> Path | None:
    if launch.script is None or launch.command is not None:
        return None
    return launch.script if launch.source_dir is None else launch.source_dir / launch.script


def process_of(launch: LocalLaunch, host: JobHost, venv: Path | None) -> dict[str, Any]:
    """Return the process of one host, as launch.json has it.

    Args:
        launch: The training job.
        host: The host.
        venv: The folder of the virtual environment with the script's requirements, or None.

    Returns:
        `host` (its name), `argv`, `cwd` and `env`.
    """
    env = environment(launch, arguments(launch.hyperparameters), host)
    return {
        "host": host.name,
        "argv": argv_of(launch, host, venv),
        "cwd": str(host.seen.code),
        "env": env if venv is None else {**_for_pip(), **env},
    }


def argv_of(launch: LocalLaunch, host: JobHost, venv: Path | None) -> list[str]:
    """Return the words of the command line, with alfine's own programs that run before the command and then become it."""
    python = launch.python if venv is None else f"{venv}/{requirements.FIRST}/bin/python"
    args = arguments(launch.hyperparameters)
    command = _argv(launch, script_inside(launch, host), python, args)
    return [*([] if venv is None else installer(launch, host, venv)), *_feeder(launch, host), *command]


def script_inside(launch: LocalLaunch, host: JobHost) -> str:
    """Return the script's path, as the host's process sees it; "" where there is a command instead."""
    return str(host.seen.code / entry_point(launch)) if launch.command is None else ""


def _argv(launch: LocalLaunch, script: str, python: str, args: list[str]) -> list[str]:
    if launch.entrypoint:
        return [*launch.entrypoint, *launch.arguments]  # it reads its hyperparameters in hyperparameters.json
    if launch.command is not None:
        return [*launch.command, *args]
    interpreter = {".py": [python], ".sh": ["/bin/sh"]}.get(Path(script).suffix, [])
    return [*interpreter, script, *args]


def installer(launch: LocalLaunch, host: JobHost, venv: Path) -> list[str]:
    """Return the program that installs the script's requirements, and then becomes the command whose words follow."""
    paths = f"{host.seen.code}/requirements.txt", f"{host.seen.ml}/output/failure"
    return [sys.executable, *ALONE, requirements.__file__, str(venv), launch.python, *paths]


def _feeder(launch: LocalLaunch, host: JobHost) -> list[str]:
    """Return the program that feeds the training job's pipes; nothing where it has none."""
    if not any(channel.piped for channel in launch.channels):
        return []
    return [sys.executable, *ALONE, pipes.__file__, str(host.seen.ml / PIPES)]


def _for_pip() -> dict[str, str]:
    """Return the user's settings of pip, which it wouldn't find by itself where a training job has another HOME."""
    variables = {name: text for name, text in os.environ.items() if name.startswith("PIP_")}
    file = next((path for name in PIP_SETTINGS if (path := Path.home() / name).is_file()), None)
    return {**({} if file is None else {"PIP_CONFIG_FILE": str(file)}), **variables}
