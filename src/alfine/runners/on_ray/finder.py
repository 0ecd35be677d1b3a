"""Finds the machine on which a training job was placed: by its slot, or by a new slot there."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any

from alfine.runners.on_ray.calls import ClusterNode, NoAnswer
from alfine.runners.on_ray.cluster import CALL_SECONDS, Cluster, SlotDied
from alfine.runners.on_ray.place import Place
from alfine.runners.on_ray.pool import HeldSlot
from alfine.runners.on_ray.shapes import NOTHING, Shape, fits

LOOK_SECONDS = 1.0
"""Time between two looks for a machine that isn't in the cluster at present."""

BEGIN_SECONDS = 15.0
"""How long a new slot on a node may take to begin: the head may not know yet that the node is dead."""

SURE_SECONDS = 5.0
"""How long the head must have answered without the node among its nodes: after a restart it learns of them one by one."""


class Gone(Exception):
    """The machine of a place has left the cluster for good."""


class Finder:
    """Finds the machines of places.

    Args:
        cluster: The cluster.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._visitors: dict[str, HeldSlot] = {}

    async def own(self, place: Place, shape: Shape) -> HeldSlot:
        """Return the slot of a place.

        Args:
            place: The place.
            shape: The resources that the slot was made with.

        Raises:
            SlotDied: It has ended.
            NoAnswer: Nobody can tell at present.
        """
        actor = await self.cluster.find(place.slot)
        return HeldSlot(place.slot, actor, shape, await self.cluster.facts(actor, CALL_SECONDS), pooled=False)

    async def another(
        self,
        place: Place,
        shape: Shape,
        *,
        whole: bool,
        lost_after: Callable[[], float],
        make_room: Callable[[], None] = lambda: None,
    ) -> HeldSlot:
        """Return a new slot on the machine of a place, where the folder of its training job is. Wait for the machine.

        Args:
            place: The place.
            shape: The resources of the training job.
            whole: Whether the slot must have them, because the training job may start there. Otherwise one without any may do.
            lost_after: Returns the seconds after which the machine is gone if it isn't in the cluster.
            make_room: Called where the machine may have no room for a whole slot.

        Raises:
            Gone: The machine isn't in the cluster, and the time is over.
        """
        others: set[str] = set()
        answered_since = math.inf
        clock = asyncio.get_running_loop().time
        while True:
            try:
                near = [node for node in _near(place, await self.cluster.nodes()) if node.ray_id not in others]
                answered_since = min(answered_since, clock())
                if whole and not any(fits(shape, node.free) for node in near):
                    make_room()
                for node in near:
                    slot = await self._slot_on(node, shape, whole=whole)
                    if slot is not None and slot.facts.machine == place.machine:
                        return slot
                    if slot is not None:
                        others.add(node.ray_id)
                        await self.cluster.dismiss(slot.actor)
                if not near and lost_after() < 0 and clock() - answered_since > SURE_SECONDS:
                    raise Gone(f"its node {place.host} has left the Ray cluster")
            except NoAnswer:
                answered_since = math.inf  # nobody can tell: no conclusion
            await asyncio.sleep(LOOK_SECONDS)

    async def visitor(self, place: Place) -> HeldSlot:
        """Return a slot without resources on the machine of a place, to read a log there.

        Raises:
            SlotDied: The machine isn't in the cluster.
            NoAnswer: Nobody can tell at present.
        """
        known = self._visitors.get(place.machine)
        if known is not None:
            try:
                await self.cluster.facts(known.actor, CALL_SECONDS)
            except SlotDied:
                del self._visitors[place.machine]
            else:
                return known
        for node in _near(place, await self.cluster.nodes()):
            slot = await self._slot_on(node, NOTHING, whole=True)
            if slot is not None and slot.facts.machine == place.machine:
                self._visitors[place.machine] = slot
                return slot
            if slot is not None:
                await self.cluster.dismiss(slot.actor)
        raise SlotDied(f"{place.host} has left the Ray cluster")

    async def new_actor(self, name: str, shape: Shape, node: ClusterNode) -> Any:
        """Ask Ray for a slot on a node.

        Args:
            name: Its name.
            shape: Its resources.
            node: The node.
        """
        return await self.cluster.create(name, shape, node=node.ray_id)

    async def _slot_on(self, node: ClusterNode, shape: Shape, *, whole: bool) -> HeldSlot | None:
        """Return a new slot on a node; None where the node has just left."""
        given = shape if whole or fits(shape, node.free) else NOTHING
        name = self.cluster.slot_name()
        try:
            actor = await self.new_actor(name, given, node)
            return HeldSlot(name, actor, given, await self.cluster.facts(actor, BEGIN_SECONDS), pooled=False)
        except SlotDied:
            return None
        except (NoAnswer, asyncio.CancelledError):
            await self.cluster.take_back(name)
            raise


def _near(place: Place, nodes: Sequence[ClusterNode]) -> list[ClusterNode]:
    """Return the nodes on which the training job may be: its own, or others on a machine of the same name."""
    return [node for node in nodes if node.ray_id == place.ray_node] or [
        node for node in nodes if node.host == place.host
    ]
