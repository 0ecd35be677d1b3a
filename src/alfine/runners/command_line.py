"""The command or script of a training job as a process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from alfine.runners import pipes, requirements
from alfine.runners.job_environment import arguments, entry_point, environment
from alfine.runners.job_folder import PIPES, Host
from alfine.runners.protocol import Launch


def missing(launch: Launch) -> str:
    """What a command or script needs and isn't there; ""."""
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


def missing_data(launch: Launch) -> str:
    """What a channel should have and isn't there; ""."""
    for channel in launch.channels:
        if channel.trouble:
            return f"ClientError: Data download failed: {channel.trouble}"
        if not channel.path.exists():
            return f"Channel {channel.name}: {channel.path} doesn't exist."
    return ""


def _script_path(launch: Launch) -> Path | None:
    if launch.script is None or launch.command is not None:
        return None
    return launch.script if launch.source_dir is None else launch.source_dir / launch.script


def process_of(launch: Launch, host: Host, venv: Path | None) -> dict[str, Any]:
    """The command or script as a process on a host; venv: the folder of its virtual environment, if it has one."""
    env = environment(launch, arguments(launch.hyperparameters), host)
    return {
        "host": host.name,
        "argv": argv_of(launch, host, venv),
        "cwd": str(host.seen.code),
        "env": env if venv is None else {**_for_pip(), **env},
    }


def argv_of(launch: Launch, host: Host, venv: Path | None) -> list[str]:
    python = launch.python if venv is None else f"{venv}/venv/bin/python"
    args = arguments(launch.hyperparameters)
    command = _argv(launch, script_inside(launch, host), python, args)
    return [*_installer(launch, host, venv), *_feeder(launch, host), *command]


def _installer(launch: Launch, host: Host, venv: Path | None) -> list[str]:
    """What installs the script's requirements and then becomes it; nothing without any."""
    if venv is None:
        return []
    texts = f"{host.seen.code}/requirements.txt", f"{host.seen.ml}/output/failure"
    return [sys.executable, "-I", "-S", requirements.__file__, str(venv), launch.python, *texts]


def _for_pip() -> dict[str, str]:
    """Where pip finds its packages: the user's settings, which a training job of another HOME wouldn't have."""
    known = {name: text for name, text in os.environ.items() if name.startswith("PIP_")}
    home = Path.home()
    file = next((path for path in (home / ".config/pip/pip.conf", home / ".pip/pip.conf") if path.is_file()), None)
    return {**({} if file is None else {"PIP_CONFIG_FILE": str(file)}), **known}


def _feeder(launch: Launch, host: Host) -> list[str]:
    """What feeds the training job's pipes and then becomes it; nothing without pipes."""
    if not any(channel.piped for channel in launch.channels):
        return []
    return [sys.executable, "-I", "-S", pipes.__file__, str(host.seen.ml / PIPES)]


def script_inside(launch: Launch, host: Host) -> str:
    """The script as its process names it; "" with a command."""
    return str(host.seen.code / entry_point(launch)) if launch.command is None else ""


def _argv(launch: Launch, script: str, python: str, args: list[str]) -> list[str]:
    if launch.entrypoint:
        return [*launch.entrypoint, *launch.arguments]  # its hyperparameters are in hyperparameters.json
    if launch.command is not None:
        return [*launch.command, *args]
    interpreter = {".py": [python], ".sh": ["/bin/sh"]}.get(Path(script).suffix, [])
    return [*interpreter, script, *args]
