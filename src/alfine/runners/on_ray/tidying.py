"""Tidying: has nodes remove the folders of training jobs that have ended, within limits, once alfine has said that their ends are recorded."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from itertools import count

from alfine.runners.node_cache import ANY, SWEEP_SECONDS
from alfine.runners.on_ray.calls import NoAnswer
from alfine.runners.on_ray.cluster import Cluster, SlotDied
from alfine.runners.on_ray.messages import Beyond, ClusterSettings, FromBridge, MayGo, NodeTrouble
from alfine.runners.on_ray.pool import HeldSlot

LOOK_SECONDS = 600.0
"""How long a node may take to look at its folders, or to remove some."""

RECORDED_SECONDS = 60.0
"""How long alfine may take to say which ends are recorded."""

REST = 50.0
"""The time between two looks at a node is at least so many times as long as the last one took."""


class Tidying:
    """Has each node of a cluster keep folders of training jobs that have ended within limits.

    Args:
        cluster: The cluster.
        settings: The settings, with the limits.
        send: Sends a message to alfine.
    """

    def __init__(self, cluster: Cluster, settings: ClusterSettings, send: Callable[[FromBridge], None]) -> None:
        self._cluster, self._send = cluster, send
        self._has_limits = settings.ended_limits != ANY or settings.limits != ANY
        self._due: dict[str, float] = {}  # by machine
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[Sequence[tuple[str, str]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, slot: HeldSlot) -> None:
        """Tidy the machine of a slot, unless that was done a short time ago, or is under way. Nobody waits for it."""
        machine, now = slot.facts.machine, asyncio.get_running_loop().time()
        if self._has_limits and now >= self._due.get(machine, -math.inf):
            self._due[machine] = math.inf
            task = asyncio.create_task(self._tidy(slot))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def hear(self, answer: MayGo) -> None:
        """Take note of which folders may go."""
        asked = self._asked.get(answer.number)
        if asked is not None and not asked.done():
            asked.set_result(answer.names)

    async def _tidy(self, slot: HeldSlot) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            beyond = await self._cluster.call(slot.actor.beyond_limits.remote(), LOOK_SECONDS)
            may_go = await self._recorded(beyond) if beyond else ()
            why = await self._cluster.call(slot.actor.tidy.remote(may_go), LOOK_SECONDS)
        except (NoAnswer, SlotDied, TimeoutError):  # looked at again when a later training job starts there
            why = ""
        except OSError as error:
            why = str(error)
        finally:
            self._due[slot.facts.machine] = loop.time() + max(SWEEP_SECONDS, REST * (loop.time() - began))
        if why:
            self._send(NodeTrouble(slot.facts.host, why))

    async def _recorded(self, names: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """Return the training jobs whose ends are recorded, as alfine says."""
        number = next(self._numbers)
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(Beyond(number, names))
            return await asyncio.wait_for(asked, RECORDED_SECONDS)
        finally:
            del self._asked[number]
