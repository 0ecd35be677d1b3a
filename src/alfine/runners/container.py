"""Training jobs in containers of docker or podman: any image that follows SageMaker's contract for training images.

    ENGINE run --name alfine-<training job>-… --mount …,source=<folder>/opt/ml,destination=/opt/ml IMAGE train

An image that isn't there is pulled first (`container_images`); until then a training job hasn't begun. The launcher supervises
`container_client`, which runs the engine's client as its child: the container's output is the log, its exit code the client's. A
container is named after its training job, so that one that outlived its client is found and removed too.

Channels and code are mounted read-only at their own paths, to which the links in /opt/ml lead.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alfine.runners import container_client
from alfine.runners.command_line import ALONE, isolated_hosts, missing_data
from alfine.runners.container_command import container_name, network_name, run_words, variable_trouble
from alfine.runners.container_engine import ContainerEngine, client_environment, engine_of
from alfine.runners.container_images import Pulls
from alfine.runners.container_links import TooManyLinks, links_out
from alfine.runners.executor import LocalLaunch, LocalObservation
from alfine.runners.job_environment import LOOPBACK, NETWORK_INTERFACE
from alfine.runners.job_folder import JobHost, Workspace, hosts_of, let_every_user_in, make_control
from alfine.runners.launcher import CONTAINER, CONTROL, Beneath, control_path, read_json, write_json
from alfine.runners.left_containers import LeftContainers
from alfine.runners.process import ProcessRunner
from alfine.runners.protocol import News
from alfine.runners.supervision import was_started
from alfine.runners.warm import Cold, Warm

INSIDE = Path("/")
"""The path at which a container sees its training job's folder, so that `opt/ml` in it is /opt/ml."""

CONTAINERS = "containers.json"
"""Name of a file in `.alfine`: the one that container_client reads."""


class ContainerRunner(ProcessRunner):
    """Runs training jobs in containers.

    Args:
        news: See `ProcessRunner`.
        engine: Called when the first container is needed; see `engine_of` for what it returns.
        home: See `ProcessRunner`.
    """

    def __init__(
        self,
        news: News,
        engine: Callable[[], tuple[ContainerEngine | None, str]] = engine_of,
        *,
        home: Path | None = None,
    ) -> None:
        super().__init__(news, home=home)
        self._engine = engine
        self._pulls = Pulls(news)
        self._left = LeftContainers(engine)
        self._has_looked = False

    # -- an image that isn't there yet --

    def start(self, launch: LocalLaunch) -> None:
        """See `Executor.start`. A training job whose image has to be pulled waits for it; polls start it afterwards."""
        with self._mutex:
            if not self._has_looked:  # an alfine before this one may have left some
                self._has_looked = True
                self._left.remove(_top(launch))
            if was_started(str(launch.folder)) or self._is_asked_for(str(launch.folder)) or not self._must_wait(launch):
                super().start(launch)

    def poll(self, launch: LocalLaunch, offset: int) -> LocalObservation | None:
        """See `Executor.poll`. While the image is pulled, the log says so."""
        with self._mutex:
            if self._pulls.has_waiting(launch.folder):
                if self._must_wait(launch):
                    return self._observe(launch, offset, {}, None)
                super().start(launch)
                self._pulls.forget(launch.folder)
        return super().poll(launch, offset)

    def stop(self, launch: LocalLaunch) -> None:
        """See `Executor.stop`. One that waits for its image ends at once."""
        super().stop(launch)
        with self._mutex:
            if self._pulls.has_waiting(launch.folder):
                super().start(launch)
                self._pulls.forget(launch.folder)

    def close(self) -> None:
        """See `Executor.close`."""
        super().close()
        self._left.close()

    def _observe(
        self, launch: LocalLaunch, offset: int, process: dict[str, Any], record: dict[str, Any] | None
    ) -> LocalObservation:
        seen = super()._observe(launch, offset, process, record)
        if seen.exit is not None and process and not self._are_removed(launch):
            self._left.remove(_top(launch))
        return seen

    def _are_removed(self, launch: LocalLaunch) -> bool:
        """Return whether the engine has removed the containers and their network, as far as its clients have written."""
        names = [CONTAINER.format(host=host.name) for host in self._hosts(launch)]
        settled, *records = [read_json(control_path(str(launch.folder), name)) or {} for name in (CONTAINERS, *names)]
        network_is_left = settled.get("network") and not any(record.get("network_removed") for record in records)
        return not network_is_left and all(record.get("removed") for record in records)

    def _must_wait(self, launch: LocalLaunch) -> bool:
        engine, _ = self._engine()
        if engine is None or launch.image is None or self._quick_refusal(launch):
            return False
        return self._pulls.must_wait(engine, launch.image, launch.folder)

    # -- what the process is --

    def _refusal(self, launch: LocalLaunch) -> str:
        return self._quick_refusal(launch) or _too_many_links(launch)

    def _quick_refusal(self, launch: LocalLaunch) -> str:
        """Return why the training job can't be started, as far as that is known without a look at all files of its channels."""
        if launch.image is None:
            return "There is nothing to run: give a container image."
        if isolated := isolated_hosts(launch):
            return isolated
        if any(channel.piped for channel in launch.channels):
            return "Containers can't have channels in Pipe mode here. Use File."
        for name, text in launch.environment.items():
            if trouble := variable_trouble(name, text):
                return f"Environment: {trouble}"
        engine, reason = self._engine()
        if engine is None:
            return reason
        return missing_data(launch) or self._pulls.trouble(launch.folder)

    def _plan(self, launch: LocalLaunch) -> Cold:  # noqa: ARG002
        return Cold()

    def _hosts(self, launch: LocalLaunch) -> tuple[JobHost, ...]:
        engine, _ = self._engine()
        own_machine = engine is not None and engine.network == "host"
        return hosts_of(launch, INSIDE, interface=LOOPBACK if own_machine else NETWORK_INTERFACE)

    def _process(self, launch: LocalLaunch, host: JobHost) -> dict[str, Any]:
        engine = self._working_engine()
        return {
            "host": host.name,
            "argv": [*_client("run", launch), host.name, *run_words(engine, launch, host)],
            "cwd": str(Workspace(launch.folder).control),
            "env": client_environment(),
            "kill": [engine.command, "kill", container_name(launch, host)],
        }

    def _supervision(self, launch: LocalLaunch) -> dict[str, Any]:
        return {"behind": 0, "scratch": [], "wrapper": "container", "settle": _client("end", launch)}

    def _write_launch(self, launch: LocalLaunch, decision: Warm | Cold) -> None:
        engine, _ = self._engine()
        if engine is not None:
            make_control(launch.folder)
            _forget_containers(launch.folder)
            write_json(control_path(str(launch.folder), CONTAINERS), self._containers(engine, launch))
        super()._write_launch(launch, decision)
        if not self._refusal(launch):
            let_every_user_in(launch, self._hosts(launch))

    def _containers(self, engine: ContainerEngine, launch: LocalLaunch) -> dict[str, Any]:
        own_network = launch.hosts_here > 1 and launch.network and not engine.network
        return {
            "engine": engine.command,
            "podman": engine.is_podman,
            "hosts": {host.name: container_name(launch, host) for host in self._hosts(launch)},
            "network": network_name(launch) if own_network else "",
            "written": [str(host.space.ml) for host in self._hosts(launch)],
            "retry": launch.attempt > 1,
        }

    def _working_engine(self) -> ContainerEngine:
        engine, reason = self._engine()
        assert engine is not None, reason  # refused before
        return engine


def _client(action: str, launch: LocalLaunch) -> list[str]:
    return [sys.executable, *ALONE, container_client.__file__, action, control_path(str(launch.folder), CONTAINERS)]


def _top(launch: LocalLaunch) -> Path:
    """Return the folder of all tuning jobs."""
    return launch.folder.parent.parent


def _forget_containers(folder: Path) -> None:
    """Remove what the engine said about the containers of an earlier try."""
    with Beneath.at(folder) as top, top.folder(CONTROL) as control:
        for name in control.names():
            if name.startswith(CONTAINER.partition("{")[0]):
                control.remove(name)


def _too_many_links(launch: LocalLaunch) -> str:
    try:
        links_out(launch)
    except TooManyLinks as error:
        return f"ClientError: {error}"
    return ""
