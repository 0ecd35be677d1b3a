"""The container engine of this machine: docker, podman or a program with docker's command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from alfine.runners.container_client import answer
from alfine.runners.job_environment import host_environment

ENGINES = ("docker", "podman")
"""The engines that `auto` tries, in this order."""

PROBE_SECONDS = 20
"""Longest time, in seconds, that an engine may take to say that it works."""

CLIENT_VARIABLES = ("DBUS_SESSION_BUS_ADDRESS", "REGISTRY_AUTH_FILE", "SSH_AUTH_SOCK", "TMPDIR")
"""Variables of alfine's own environment that an engine's client reads: rootless podman, ssh:// as DOCKER_HOST, credentials."""

CLIENT_PREFIXES = ("BUILDAH_", "CONTAINER", "DOCKER_", "PODMAN_", "STORAGE_", "XDG_")
"""The client also reads variables whose names begin so: DOCKER_HOST, DOCKER_CONFIG, CONTAINER_HOST, XDG_RUNTIME_DIR, …"""

NETWORK_OPTIONS = {
    *(
        "--network",
        "--net",
        "--publish",
        "-p",
        "--expose",
        "--ip",
        "--ip6",
        "--mac-address",
        "--network-alias",
        "--net-alias",
    ),
    *("--link", "--dns", "--dns-option", "--dns-opt", "--dns-search", "--add-host"),
}
"""Options of `run` that say something about the network, each with a value."""

PULL_OPTIONS = {"--platform", "--arch", "--os", "--variant", "--authfile", "--creds", "--cert-dir", "--tls-verify"}
"""Options of `run` that its pull needs too, each with a value."""

PUBLISH_ALL = {"--publish-all", "-P"}
"""Options about the network without a value."""


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
        """Return whether it is podman, also one that is called docker (the package podman-docker)."""
        return "podman" in Path(self.command).name or _calls_itself_podman(self.command)

    @property
    def network(self) -> str:
        """Return the value of the last `--network` among the options, or ""."""
        words = [
            word.removeprefix("--net=").removeprefix("--network=") for word in self._words_of({"--network", "--net"})
        ]
        return words[-1] if words else ""

    @property
    def pull_options(self) -> tuple[str, ...]:
        """Return the options that a pull needs too, such as `--platform`."""
        return tuple(self._words_of(PULL_OPTIONS))

    @property
    def options_without_network(self) -> tuple[str, ...]:
        """Return the options without those that say something about the network."""
        return tuple(word for word, picked in self._sorted(NETWORK_OPTIONS) if not picked and word not in PUBLISH_ALL)

    def tell(self, *words: str, timeout: float = 60) -> bool:
        """Run a command of the engine to its end, and return whether it succeeded.

        Args:
            *words: The words after the engine's own name.
            timeout: How many seconds it may take.
        """
        done = answer((self.command, *words), timeout, client_environment())
        return done is not None and done.returncode == 0

    def _words_of(self, options: set[str]) -> Iterator[str]:
        return (word for word, picked in self._sorted(options) if picked)

    def _sorted(self, options: set[str]) -> Iterator[tuple[str, bool]]:
        """Yield each word, and whether it belongs to one of the options: «--name value» is two words, «--name=value» one."""
        is_value = False
        for word in self.options:
            yield word, is_value or word.partition("=")[0] in options
            is_value = not is_value and word in options


def client_environment() -> dict[str, str]:
    """Return the variables of an engine's client: alfine's own, and never those of a request.

    Variables that may hold a secret (AWS_*, ALFINE_*) aren't among them, since launch.json keeps them.
    """
    read = (name for name in os.environ if name in CLIENT_VARIABLES or name.startswith(CLIENT_PREFIXES))
    return {**host_environment(), **{name: os.environ[name] for name in read}}


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
            env=client_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=PROBE_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        return "", f"{name} doesn't work here: {error.stderr.decode(errors='replace').strip()[-300:]}"
    except (OSError, subprocess.TimeoutExpired) as error:  # it is told, not swallowed
        return "", f"{name} doesn't work here: {error}."
    return str(Path(path).absolute()), ""


@cache
def _calls_itself_podman(command: str) -> bool:
    done = answer((command, "--version"), PROBE_SECONDS, client_environment())
    return done is not None and "podman" in done.stdout  # without an answer nothing else that it is told works either
