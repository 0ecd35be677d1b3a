"""Calls of ray that block, each in a thread, and the sentences for ray's errors."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alfine.runners.on_ray.shapes import Shape

ANSWER_SECONDS = 20.0
"""How long the head may take to answer. While it is away Ray's own calls block for longer."""


class NoAnswer(Exception):
    """Ray can't tell at present. It isn't known what became of the slot."""


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


async def aside(function: Any, *arguments: Any) -> Any:
    """Call a function of ray that blocks, in a thread.

    Raises:
        ValueError: As the function.
        NoAnswer: The head doesn't answer in time, or something else is wrong with the connection.
    """
    return await answer(asyncio.ensure_future(asyncio.to_thread(function, *arguments)))


async def answer(call: asyncio.Future[Any]) -> Any:
    """Return what a call returns that runs in a thread. Whoever is cancelled here doesn't end it. Errors are those of `aside`."""
    try:
        return await asyncio.wait_for(asyncio.shield(call), ANSWER_SECONDS)
    except ValueError:
        raise
    except Exception as error:
        raise NoAnswer(first_line(error) or "the cluster's head doesn't answer") from error


def why_not(error: Exception, address: str, version: str) -> str:
    text = str(error)
    if "ersion" in text and "ismatch" in text:
        here = f"Ray {version} and Python {platform.python_version()}"
        return f"the cluster at {address} has other versions than alfine, which has {here}: {first_line(error)}"
    if isinstance(error, ConnectionError):
        return f"there is no Ray cluster at {address}: {first_line(error)}"
    return f"the cluster at {address} can't be used: {first_line(error)}"


def why_died(error: Exception) -> str:
    text = str(error)
    if "ModuleNotFoundError" in text or "ImportError" in text:
        missing = next((line for line in reversed(text.splitlines()) if "Error: " in line), "")
        return f"a node of the cluster can't load alfine ({missing.strip()}). Install this version of alfine on every node."
    return first_line(error)


def first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def living_nodes() -> list[ClusterNode]:
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


def group_of(name: str, shape: Shape, count: int) -> Any:
    """Return the placement group of a name; where there is none, ask for it."""
    from ray.util import get_placement_group, placement_group

    try:
        return get_placement_group(name)
    except ValueError:
        return placement_group([shape.amounts] * count, strategy="STRICT_SPREAD", name=name, lifetime="detached")


def named_groups() -> list[tuple[str, int]]:
    """Return the names of all placement groups that aren't removed, with the number of their bundles."""
    from ray.util import placement_group_table

    groups = placement_group_table().values()
    return [(group["name"], len(group["bundles"])) for group in groups if group["state"] != "REMOVED"]


def remove_group(name: str) -> None:
    """Remove the placement group of a name. Raises ValueError where there is none."""
    from ray.util import get_placement_group, remove_placement_group

    remove_placement_group(get_placement_group(name))


def named_actors() -> list[str]:
    import ray

    return list(ray.util.list_named_actors())


def ended_drivers() -> frozenset[str]:
    """Return the bridges that have ended, by Ray's id; none where this version of Ray, or its client, doesn't tell."""
    try:
        from ray._private.state import jobs

        return frozenset(job["JobID"] for job in jobs() if job["IsDead"])
    except (ImportError, AttributeError, TypeError, KeyError):  # then such slots end by themselves after a time
        return frozenset()
