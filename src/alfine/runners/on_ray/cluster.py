"""The cluster as the bridge sees it: the only module that calls ray, with what its errors mean.

Three answers are kept apart: a value, `SlotDied` (Ray is sure of it), and `NoAnswer` (nobody can tell at present: ask again).
"""

from __future__ import annotations

import asyncio
import platform
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from alfine._version import __version__
from alfine.runners.on_ray.messages import ClusterSettings
from alfine.runners.on_ray.shapes import Shape
from alfine.runners.on_ray.slot import THREADS, Slot, SlotFacts

ANSWER_SECONDS = 20.0
"""How long the head may take to answer. While it is away Ray's own calls block for longer."""

CALL_SECONDS = 60.0
"""How long a slot may take for a call that waits for nothing."""

CONNECT_SECONDS = 5.0
"""How long the cluster's port may take to take a connection: Ray itself would try for more than a minute."""

AUTO = "auto"
"""The address with which Ray looks for a cluster of this machine."""

CLIENT = "ray://"
"""The beginning of an address for Ray's client, from a machine outside of the cluster."""

STALE_SECONDS = 1.0
"""How long a look at the cluster's nodes is good for."""


class NoAnswer(Exception):
    """Ray can't tell at present. It isn't known what became of the slot."""


class SlotDied(Exception):
    """Ray is sure that the slot's process has ended."""


class NoCluster(Exception):
    """The cluster can't be used, with a sentence for people that says why."""


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A living node of the cluster.

    Attributes:
        ray_id: Ray's id of it.
        host: The machine's name.
        address: Its address.
        resources: What it has, by Ray's name of the resource.
        free: What of that is free; {} where that isn't known.
    """

    ray_id: str
    host: str
    address: str
    resources: Mapping[str, float]
    free: Mapping[str, float]


def trouble_with(address: str) -> str:
    """Return why nothing can listen at an address; "" where something does. It asks the port, not Ray.

    Args:
        address: The cluster's address, with or without «ray://».
    """
    if address == AUTO:
        return ""
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if not host or not port.isdigit():
        return f"{address!r} isn't an address. Give it as «10.0.0.5:6379», «ray://10.0.0.5:10001» or «auto»."
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        return f"there is no Ray cluster at {address}: {error.strerror or error}. Start one with `ray start --head`."
    return ""


class Cluster:
    """A connection to the cluster. There is one in a process.

    Args:
        settings: The settings.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        self._nodes: Sequence[ClusterNode] = ()
        self._looked_at = -STALE_SECONDS

    def connect(self) -> None:
        """Connect to the cluster.

        Raises:
            NoCluster: It isn't there, or has another version of Ray or Python.
        """
        why = trouble_with(self._settings.address)
        if why:
            raise NoCluster(why)
        try:
            import ray
        except ImportError as error:
            raise NoCluster(f"Ray can't be imported here: {error}. Run: pip install 'alfine[ray]'") from error
        try:
            ray.init(
                address=self._settings.address,
                namespace=self._settings.namespace,
                log_to_driver=False,
                configure_logging=False,
            )
        except Exception as error:
            raise NoCluster(_why_not(error, self._settings.address, ray.__version__)) from error

    def close(self) -> None:
        """Let go of the cluster. Slots live on."""
        import ray

        ray.shutdown()

    # -- nodes ---------------------------------------------------------------------------------------------------------

    async def nodes(self) -> Sequence[ClusterNode]:
        """Return the living nodes.

        Raises:
            NoAnswer: The head doesn't answer.
        """
        now = asyncio.get_running_loop().time()
        if now - self._looked_at > STALE_SECONDS:
            self._nodes = await _aside(_living_nodes)
            self._looked_at = now
        return self._nodes

    # -- slots ---------------------------------------------------------------------------------------------------------

    async def create(
        self, name: str, shape: Shape, *, node: str | None = None, group: Any = None, bundle: int = -1
    ) -> Any:
        """Ask Ray for a slot, or return that of this name. It exists once it answers.

        Args:
            name: Its name.
            shape: Its resources.
            node: Ray's id of the node on which it must be; None: Ray chooses.
            group: The placement group that has its resources; None: it has its own.
            bundle: The number of its bundle in the group.

        Raises:
            NoAnswer: The head doesn't answer.
        """
        return await _aside(self._create, name, shape, node, group, bundle)

    def _create(self, name: str, shape: Shape, node: str | None, group: Any, bundle: int) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

        strategy: Any = "DEFAULT"
        if node is not None:
            strategy = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        elif group is not None:
            strategy = PlacementGroupSchedulingStrategy(placement_group=group, placement_group_bundle_index=bundle)
        actor = ray.remote(Slot).options(
            name=name,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=THREADS,
            num_cpus=shape.cpus,
            num_gpus=shape.gpus,
            memory=shape.memory or None,
            resources=dict(shape.resources) or None,
            scheduling_strategy=strategy,
        )
        return actor.remote(
            self._settings.folder, self._settings.keep_seconds, gpus=shape.gpus > 0, buckets=self._settings.buckets
        )

    async def find(self, name: str) -> Any:
        """Return the slot of a name.

        Raises:
            SlotDied: There is none.
            NoAnswer: The head doesn't answer.
        """
        import ray

        try:
            return await _aside(ray.get_actor, name, self._settings.namespace)
        except ValueError as error:
            raise SlotDied(f"there is no slot {name}") from error

    async def facts(self, actor: Any, seconds: float | None) -> SlotFacts:
        """Wait until a slot is there, and return where.

        Args:
            actor: The slot.
            seconds: How long to wait. None: until Ray has room for it.

        Raises:
            SlotDied: It can't be made: alfine isn't installed on its node, for example.
            NoAnswer: It isn't there yet.
        """
        try:
            facts: SlotFacts = await self.call(actor.facts.remote(), seconds)
        except (SlotDied, NoAnswer):
            raise
        except Exception as error:
            raise SlotDied(_first_line(error)) from error
        if facts.alfine != __version__:
            await self.kill(actor)
            raise SlotDied(
                f"{facts.host} has alfine {facts.alfine}, but here it is {__version__}. Install the same version."
            )
        return facts

    async def call(self, reference: Any, seconds: float | None = CALL_SECONDS) -> Any:
        """Return what a call of a slot returned.

        Args:
            reference: What `actor.method.remote(…)` returned.
            seconds: How long to wait; None: without end.

        Raises:
            SlotDied: The slot's process has ended.
            NoAnswer: There was no answer in time, or the slot can't be reached.
            Exception: What the method raised.
        """
        import ray.exceptions as errors

        try:
            return await asyncio.wait_for(asyncio.wrap_future(reference.future()), seconds)
        except errors.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, Exception) else error) from error
        except errors.ActorUnavailableError as error:
            raise NoAnswer(_first_line(error)) from error
        except (errors.RayActorError, errors.ActorUnschedulableError) as error:
            raise SlotDied(_why_died(error)) from error
        except (errors.RayError, TimeoutError, ConnectionError) as error:
            raise NoAnswer(_first_line(error) or "there was no answer in time") from error

    async def dismiss(self, actor: Any) -> None:
        """End a slot, unless a training job of another server runs in it."""
        with suppress(NoAnswer, SlotDied):  # it ends by itself when nobody calls it
            await self.call(actor.leave.remote(), ANSWER_SECONDS)

    async def kill(self, actor: Any) -> None:
        """End a slot in which nothing has ever run, or take back the request for one."""
        import ray

        with suppress(NoAnswer, ValueError):  # it ends by itself when nobody calls it
            await _aside(ray.kill, actor)

    # -- several instances ---------------------------------------------------------------------------------------------

    async def group(self, name: str, shape: Shape, count: int) -> Any:
        """Ask for a placement group: the resources of `count` instances on as many nodes. The one of this name is found again.

        Raises:
            NoAnswer: The head doesn't answer.
        """
        return await _aside(_group, name, shape, count)

    async def group_is_ready(self, group: Any, seconds: float) -> bool:
        """Wait until a placement group has its resources; return whether it has."""
        try:
            return bool(await asyncio.to_thread(group.wait, seconds))
        except Exception as error:
            raise NoAnswer(_first_line(error)) from error

    async def remove_group(self, name: str) -> None:
        """Give back the resources of a placement group, with the slots in it. One that isn't there is left out."""
        with suppress(
            NoAnswer, ValueError
        ):  # what is left over ends with its slots' processes, and is found by its name
            await _aside(_remove_group, name)


def _living_nodes() -> list[ClusterNode]:
    import ray

    free = _free_by_node()
    return [
        ClusterNode(
            ray_id=node["NodeID"],
            host=node["NodeManagerHostname"],
            address=node["NodeManagerAddress"],
            resources=dict(node["Resources"]),
            free=free.get(node["NodeID"], {}),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def _free_by_node() -> Mapping[str, Mapping[str, float]]:
    """Return what is free on each node, by Ray's id of it; {} where this version of Ray, or its client, doesn't tell."""
    try:
        from ray._private.state import available_resources_per_node

        return dict(available_resources_per_node())
    except (ImportError, AttributeError, TypeError):  # then the reason for waiting only says what the cluster has
        return {}


def _group(name: str, shape: Shape, count: int) -> Any:
    from ray.util import get_placement_group, placement_group

    try:
        return get_placement_group(name)
    except ValueError:
        return placement_group([shape.amounts] * count, strategy="STRICT_SPREAD", name=name, lifetime="detached")


def _remove_group(name: str) -> None:
    from ray.util import get_placement_group, remove_placement_group

    remove_placement_group(get_placement_group(name))


async def _aside(function: Any, *arguments: Any) -> Any:
    """Call a function of ray that blocks, in a thread.

    Raises:
        ValueError: As the function.
        NoAnswer: The head doesn't answer in time, or something else is wrong with the connection.
    """
    try:
        return await asyncio.wait_for(asyncio.to_thread(function, *arguments), ANSWER_SECONDS)
    except ValueError:
        raise
    except Exception as error:
        raise NoAnswer(_first_line(error) or "the cluster's head doesn't answer") from error


def _why_not(error: Exception, address: str, version: str) -> str:
    text = str(error)
    if "ersion" in text and "ismatch" in text:
        here = f"Ray {version} and Python {platform.python_version()}"
        return f"the cluster at {address} has other versions than alfine, which has {here}: {_first_line(error)}"
    if isinstance(error, ConnectionError):
        return f"there is no Ray cluster at {address}: {_first_line(error)}"
    return f"the cluster at {address} can't be used: {_first_line(error)}"


def _why_died(error: Exception) -> str:
    text = str(error)
    if "ModuleNotFoundError" in text or "ImportError" in text:
        missing = next((line for line in reversed(text.splitlines()) if "Error: " in line), "")
        return f"a node of the cluster can't load alfine ({missing.strip()}). Install this version of alfine on every node."
    return _first_line(error)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
