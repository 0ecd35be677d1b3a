"""Checks of a cluster, in a process of their own: ray is never imported into alfine's.

Run as a module it reads `ClusterSettings` and what to look for from its standard input, and writes a `ClusterReport`, both pickled.
"""

from __future__ import annotations

import asyncio
import math
import os
import pickle
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass

from alfine.runners.on_ray.calls import ClusterNode, NoAnswer
from alfine.runners.on_ray.cluster import Cluster, NoCluster, SlotDied, trouble_with
from alfine.runners.on_ray.connection import import_path
from alfine.runners.on_ray.messages import ClusterSettings
from alfine.runners.on_ray.shapes import NOTHING, in_words

CHECK_SECONDS = 90.0
"""How long all checks may take. Those of a node take up to two seconds, several nodes at the same time."""

NODE_SECONDS = 30.0
"""How long a slot on a node may take to begin."""

WORKS_SECONDS = 60.0
"""How long a cluster that worked isn't connected to again only to see whether it works: that takes a second or two."""

INTERNAL = ("node:", "object_store_memory", "accelerator_type:")
"""Beginnings of the names of resources that Ray gives to every node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """The result of the check of one node.

    Attributes:
        host: The machine's name.
        address: Its address.
        resources: What it has, for people.
        detail: Its versions, or what is wrong.
        works: Whether training jobs can run there.
    """

    host: str
    address: str
    resources: str
    detail: str
    works: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReport:
    """The result of the check of a cluster.

    Attributes:
        trouble: Why it can't be used at all; "" where it can.
        version: The version of Ray.
        nodes: What was found on each node with CPUs or other resources.
    """

    trouble: str = ""
    version: str = ""
    nodes: tuple[NodeReport, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNeeds:
    """The things that every node must have.

    Attributes:
        nodes: Whether to look at the nodes at all.
        file: A file that each node must see at this path, where the home's folder is to be shared. "": none.
        endpoint: The URL of the buckets that each node must reach. "": none.
    """

    nodes: bool = True
    file: str = ""
    endpoint: str = ""


def check_cluster(settings: ClusterSettings, wanted: NodeNeeds) -> ClusterReport:
    """Check a cluster and its nodes.

    Args:
        settings: The cluster.
        wanted: What to look for.
    """
    why = trouble_with(settings.address)
    if why:
        return ClusterReport(trouble=why)
    try:
        done = subprocess.run(
            [sys.executable, "-m", __spec__.name],
            input=pickle.dumps((settings, wanted)),
            env={**os.environ, "PYTHONPATH": import_path()},
            capture_output=True,
            timeout=CHECK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return ClusterReport(trouble=f"the cluster at {settings.address} can't be checked: {error}")
    try:
        report = pickle.loads(done.stdout)  # noqa: S301 - written by this module in the child process
    except (
        EOFError,
        pickle.UnpicklingError,
    ):  # ray ends its process when the head doesn't answer; its last line says why
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["Ray ended without a word."])[-1]
        return ClusterReport(trouble=f"the cluster at {settings.address} doesn't answer: {last[:300]}")
    assert isinstance(report, ClusterReport)
    return report


_WORKED_AT: dict[str, float] = {}
"""When a cluster worked that was looked at, by its address, in monotonic seconds."""


def trouble_at(address: str) -> str:
    """Return why the cluster at an address can't be used; "" where it can. The answer of the last minute is taken again.

    Args:
        address: The cluster's address.
    """
    now = time.monotonic()
    if now - _WORKED_AT.get(address, -math.inf) < WORKS_SECONDS:
        return trouble_with(address)
    trouble = check_cluster(ClusterSettings(address=address), NodeNeeds(nodes=False)).trouble
    if not trouble:
        _WORKED_AT[address] = now
    return trouble


async def _check(settings: ClusterSettings, wanted: NodeNeeds) -> ClusterReport:
    cluster = Cluster(settings)
    try:
        cluster.connect()
        nodes = [node for node in await cluster.nodes() if _own_resources(node)] if wanted.nodes else []
    except (NoCluster, NoAnswer) as error:
        return ClusterReport(trouble=str(error))
    import ray

    reports = await asyncio.gather(*(_check_node(cluster, node, wanted) for node in nodes))
    return ClusterReport(version=ray.__version__, nodes=tuple(reports))


def _own_resources(node: ClusterNode) -> dict[str, float]:
    return {
        name: amount for name, amount in node.resources.items() if not name.startswith(INTERNAL) and name != "memory"
    }


async def _check_node(cluster: Cluster, node: ClusterNode, wanted: NodeNeeds) -> NodeReport:
    works, detail = False, ""
    actor = None
    try:
        actor = await cluster.create(f"check-{uuid.uuid4().hex[:12]}", NOTHING, node=node.ray_id)
        facts = await cluster.facts(actor, NODE_SECONDS)
        trouble = await cluster.call(actor.trouble.remote(wanted.file, wanted.endpoint), NODE_SECONDS)
        works, detail = not trouble, trouble or f"alfine {facts.alfine}, Python {facts.python}"
    except (SlotDied, NoAnswer) as error:
        detail = str(error)
    except Exception as error:  # noqa: BLE001 - whatever is wrong there is what the check is to tell
        detail = f"{type(error).__name__}: {error}"
    if actor is not None:
        await cluster.kill(actor)
    resources = in_words(_own_resources(node))
    return NodeReport(host=node.host, address=node.address, resources=resources, detail=detail, works=works)


def main() -> None:
    """Check the cluster that standard input names, and write what was found to standard output."""
    settings, wanted = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by `check_cluster`
    out = os.dup(1)
    os.dup2(2, 1)  # whatever ray prints isn't the report
    report = asyncio.run(_check(settings, wanted))
    with os.fdopen(out, "wb") as file:
        file.write(pickle.dumps(report))
    os._exit(0)  # threads that wait for the head must not keep it alive


if __name__ == "__main__":
    from alfine.runners.on_ray.check import main as run  # so that what is pickled has the module's name

    run()
