"""Training jobs in containers of docker or podman: any image that follows SageMaker's contract for training images.

    ENGINE run --name alfine-<training job>-… -v <folder>/opt/ml:/opt/ml IMAGE train

The launcher supervises the engine's client as it does any process: the container's output is the log, its exit code is the
client's, and the client passes SIGTERM on to its process 1. Two things only the engine can do: kill the container when its grace is
over (`kill` in launch.json), and remove it once its end is recorded. A container is named after its training job, so that one that
outlived its client is found and removed too.

Channels and code are mounted read-only at their own paths, to which the links in /opt/ml lead.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from alfine.runners.command_line import isolated_hosts, missing_data
from alfine.runners.job_environment import THREAD_VARIABLES, host_environment, job_names
from alfine.runners.job_folder import Host, files_of, hosts_of, mounts
from alfine.runners.process import ProcessRunner
from alfine.runners.protocol import Launch, Observation
from alfine.runners.warm import Cold

INSIDE = Path("/")
"""Where a container sees its training job's folder, so that `opt/ml` in it is /opt/ml."""

ENGINES = ("docker", "podman")
"""The engines that `auto` tries, in this order."""

PROBE_SECONDS = 20
"""How long an engine may take to say that it works."""

END_SECONDS = 60
"""How long an engine may take to carry out a command."""

CLIENTS_OWN = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "DOCKER_HOST", "DOCKER_CONFIG", "XDG_RUNTIME_DIR")
"""Variables that the engine's client itself reads, so that the container can't get its own values of them from the client."""


class ContainerEngine:
    """A container engine that works on this machine.

    Args:
        command: The path of its client.
        options: Further words for each `run`.
    """

    def __init__(self, command: str, options: Iterable[str] = ()) -> None:
        self.command = command
        self.options = tuple(options)

    @property
    def is_podman(self) -> bool:
        return "podman" in Path(self.command).name

    def tell(self, *words: str) -> bool:
        """Run a command of the engine to its end, and return whether it succeeded."""
        try:
            done = subprocess.run(
                [self.command, *words],
                env=host_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=END_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    def remove(self, *names: str) -> None:
        """Remove containers; running ones are killed."""
        self.tell("rm", "-f", *(("--time", "0") if self.is_podman else ()), *names)


def engine_of(wanted: str = "auto", options: tuple[str, ...] = ()) -> tuple[ContainerEngine | None, str]:
    """Find a container engine.

    Args:
        wanted: Its name or path; `auto`: the first of docker and podman that works.
        options: Further words for each `run`.

    Returns:
        The engine and "", or None and why none works.
    """
    reasons: list[str] = []
    for name in ENGINES if wanted == "auto" else (wanted,):
        path, reason = _probed(name)
        if path:
            return ContainerEngine(path, options), ""
        reasons.append(reason)
    return None, " ".join(reasons)


@cache
def _probed(name: str) -> tuple[str, str]:
    path = shutil.which(name)
    if path is None:
        return "", f"{name} isn't installed."
    question = ["version", "--format", "{{.Server.Version}}"] if "docker" in Path(path).name else ["info"]
    try:
        subprocess.run(
            [path, *question],
            env=host_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=PROBE_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        return "", f"{name} doesn't work here: {error.stderr.decode(errors='replace').strip()[-300:]}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"{name} doesn't work here: {error}."
    return path, ""


class ContainerRunner(ProcessRunner):
    """Runs training jobs in containers.

    Args:
        wake: See `ProcessRunner`.
        engine: Called when the first container is needed; see `engine_of` for what it returns.
        launcher_log: See `ProcessRunner`.
    """

    def __init__(
        self,
        wake: Callable[[], None],
        engine: Callable[[], tuple[ContainerEngine | None, str]] = engine_of,
        *,
        launcher_log: Path | None = None,
    ) -> None:
        super().__init__(wake, launcher_log=launcher_log)
        self._engine = engine

    def poll(self, launch: Launch, offset: int) -> Observation | None:
        """See `Runner.poll`. Once the end of a training job is recorded its container is removed."""
        seen = super().poll(launch, offset)
        engine, _ = self._engine()
        if seen is not None and seen.exit is not None and engine is not None:
            names = [_name(launch, host) for host in self._hosts(launch)]
            if seen.exit.cause == "lost":
                engine.remove(*names)  # it may still run, and its end isn't reported before it is gone
            else:
                threading.Thread(target=engine.remove, args=names, name="alfine-remove", daemon=True).start()
        return seen

    def _refusal(self, launch: Launch) -> str:
        if launch.image is None:
            return "There is nothing to run: give a container image."
        if isolated := isolated_hosts(launch):
            return isolated
        if any(channel.piped for channel in launch.channels):
            return "Containers can't have channels in Pipe mode here. Use File."
        engine, reason = self._engine()
        return missing_data(launch) if engine is not None else reason

    def _plan(self, launch: Launch) -> Cold:  # noqa: ARG002
        return Cold()

    def _hosts(self, launch: Launch) -> tuple[Host, ...]:
        return hosts_of(launch, INSIDE)

    def _process(self, launch: Launch, host: Host) -> dict[str, Any]:
        engine, _ = self._engine()
        assert engine is not None, "refused before"
        assert launch.image is not None, "refused before"
        env = _environment(launch, host)
        entry, *first = launch.entrypoint or ("",)
        arguments = launch.arguments or (() if launch.entrypoint else ("train",))
        words = [
            *(engine.command, "run", "--name", _name(launch, host), "--hostname", host.name),
            *(() if launch.network else ("--network", "none")),
            *_gpus(engine),
            *_volumes(launch, host),
            *(word for name, text in env.items() for word in _variable(name, text)),
            *engine.options,
            *(("--entrypoint", entry) if entry else ()),
            *(launch.image, *first, *arguments),
        ]
        return {
            "host": host.name,
            "argv": words,
            "cwd": "/",
            "env": {**{name: text for name, text in env.items() if name not in CLIENTS_OWN}, **host_environment()},
            "kill": [engine.command, "kill", _name(launch, host)],
        }

    def _supervision(self, launch: Launch) -> dict[str, Any]:  # noqa: ARG002
        return {"behind": 0, "scratch": [], "wrapper": "container"}


def _name(launch: Launch, host: Host) -> str:
    """The container's name. It contains a checksum of the folder, since two homes may have training jobs of one name."""
    digits = f"{zlib.crc32(str(launch.folder).encode()):08x}"
    return f"alfine-{launch.name}-{digits}" + ("" if launch.instance_count == 1 else f"-{host.name}")


def _environment(launch: Launch, host: Host) -> dict[str, str]:
    """The variables that SageMaker gives a container. The toolkit inside sets the SM_ variables itself."""
    threads = dict.fromkeys(THREAD_VARIABLES, str(launch.threads))
    return {**threads, "PYTHONUNBUFFERED": "1", **job_names(launch, host), **launch.environment}


def _variable(name: str, text: str) -> tuple[str, str]:
    """A variable as words for `run`: by its name alone where that is enough, since everybody can read a command line."""
    return "--env", f"{name}={text}" if name in CLIENTS_OWN or name in host_environment() else name


def _volumes(launch: Launch, host: Host) -> Iterator[str]:
    yield from ("--volume", f"{host.space.ml}:/opt/ml")
    for folder, inside in mounts(launch, host):
        yield from ("--volume", f"{folder}:{inside}")
    for path in dict.fromkeys(files_of(launch)):
        yield from ("--volume", f"{path}:{path}:ro")


def _gpus(engine: ContainerEngine) -> tuple[str, ...]:
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return ()
    return ("--device", "nvidia.com/gpu=all") if engine.is_podman else ("--gpus", "all")
