"""The pool: slots without a training job, and the training jobs that wait for one.

A free slot is used again by a training job that needs the same resources, first by one with the same script, whose modules it has
imported already. As many slots are asked for as training jobs wait, so that the cluster's autoscaler sees what is needed.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from alfine.runners.on_ray.calls import NoAnswer
from alfine.runners.on_ray.cluster import CannotBegin, Cluster, SlotDied
from alfine.runners.on_ray.shapes import NOTHING, Shape, fits, why_pending
from alfine.runners.on_ray.slot import SlotFacts

log = logging.getLogger("alfine.runners.on_ray")

PENDING_SECONDS = 2.0
"""How long a training job waits for a slot before it says why: a new slot takes up to two seconds."""

ROOM_SECONDS = 0.2
"""How long a training job waits before slots end for it that nobody uses, and that hold other resources."""

ABANDONED_SECONDS = 5.0
"""Time between two looks for the slots of bridges that have ended, while training jobs wait."""

CLOSE_SECONDS = 5.0
"""How long slots without a training job may take to end when the bridge does. Later they are found abandoned, or end by themselves."""

ANSWER_SECONDS = 5.0
"""How long a free slot may take to answer before a training job gets it. Otherwise another one is taken."""

SURPLUS_SECONDS = 2.0
"""How long a request for a slot stays when no training job waits for it any more. The next one may come at once. To take the request back and
to ask again costs as much as a training job, and a process that Ray was just starting.
"""

TAKEN_SECONDS = 2.0
"""How long a free slot is held for the training job that takes its place: so long it may take to record that."""

MOST_DEATHS = 5
"""Slots that die while they are made, before the training job fails that waits for one: they may be killed with their nodes."""

FRESH_SECONDS = 1.0
"""A free slot that has answered within this time isn't asked whether it lives."""

TEND_SECONDS = 20.0
"""Time between two calls of a slot without a training job, which would end itself if nobody called it."""

PAUSE_SECONDS = 1.0
"""Time before the head is asked again that doesn't answer."""


@dataclass(slots=True, eq=False)
class HeldSlot:
    """A slot that exists.

    Attributes:
        name: Its name.
        actor: The actor.
        shape: Its resources.
        facts: Where it is.
        warm: What it has imported: the key of its last training job.
        pooled: Whether it is the pool's, which uses it again.
        heard_at: When it answered last, in the event loop's seconds.
    """

    name: str
    actor: Any
    shape: Shape
    facts: SlotFacts
    warm: Hashable = None
    pooled: bool = True
    heard_at: float = -math.inf


@dataclass(slots=True, eq=False)
class _Waiting:
    """A training job that waits for a slot."""

    shape: Shape
    slot: asyncio.Future[HeldSlot]


class Pool:
    """The slots of one bridge.

    Args:
        cluster: The cluster.
        used: Called with each slot that a training job gets.
    """

    def __init__(self, cluster: Cluster, used: Callable[[HeldSlot], None] = lambda _: None) -> None:
        self._cluster = cluster
        self.used = used
        self._free: list[HeldSlot] = []
        self._waiting: dict[Shape, list[_Waiting]] = defaultdict(list)
        self._coming: dict[Shape, list[asyncio.Task[None]]] = defaultdict(list)
        self._most_waiting: dict[Shape, int] = defaultdict(int)  # how many waited at once since the last `_trim`
        self._to_trim: set[Shape] = set()  # for which a `_trim` is due
        self._endings: dict[HeldSlot, asyncio.Task[None]] = {}
        self._taken: dict[str, tuple[HeldSlot, asyncio.TimerHandle]] = {}  # by name: see `hold`
        self._tasks: set[asyncio.Task[Any]] = set()  # that nobody waits for
        self._names: set[str] = set()  # of all slots that this pool has made or adopted
        self._looking: asyncio.Task[None] | None = None  # for abandoned slots
        self._first_look: asyncio.Task[None] | None = None
        self._looked_at = -math.inf

    async def take(self, shape: Shape, warm: Hashable, report: Callable[[str], None]) -> HeldSlot:
        """Return a slot for a training job; wait until there is one.

        Args:
            shape: The resources that it needs.
            warm: The key of what it imports.
            report: Called with the reason while the cluster has no room for it.

        Raises:
            SlotDied: A slot can't be made: alfine isn't installed on its node, for example.
        """
        if self._first_look is not None:  # what the bridge before has left is used before more is asked for
            await asyncio.wait({self._first_look}, timeout=ANSWER_SECONDS)
        slot = await self._free_one(shape, warm)
        if slot is not None:
            return slot
        waiting = _Waiting(shape, asyncio.get_running_loop().create_future())
        self._waiting[shape].append(waiting)
        self._match(shape)
        try:
            if not (await asyncio.wait({waiting.slot}, timeout=ROOM_SECONDS))[0]:
                await self._make_room(shape)
            while not (await asyncio.wait({waiting.slot}, timeout=PENDING_SECONDS))[0]:
                await self._make_room(shape)
                report(await self.why_pending(shape, 1))
            return waiting.slot.result()
        except asyncio.CancelledError:
            if waiting.slot.done() and not waiting.slot.exception():
                self.release(waiting.slot.result(), 0.0)
            raise
        finally:
            if waiting in self._waiting[shape]:  # it waits no longer, without a slot: it is stopped
                self._waiting[shape].remove(waiting)
                self._take_back(shape, len(self._waiting[shape]))

    def release(self, slot: HeldSlot, keep_seconds: float) -> bool:
        """Take back a slot whose training job has ended.

        Args:
            slot: The slot.
            keep_seconds: How long it is kept for another training job.

        Returns:
            Whether it is free now, and stays so for long enough to be held: see `hold`.
        """
        if slot.shape == NOTHING:
            self.end(slot)
        if not slot.pooled:
            return False
        for waiting in self._waiting[slot.shape]:
            if not waiting.slot.done():
                waiting.slot.set_result(slot)
                self._waiting[slot.shape].remove(waiting)
                self._match(slot.shape)
                return False
        self._free.append(slot)
        self._endings[slot] = asyncio.create_task(self._keep(slot, keep_seconds))
        return keep_seconds >= TAKEN_SECONDS

    def hold(self, name: str) -> None:
        """Hold a free slot for a training job that takes its place, and that comes once its place is recorded."""
        slot = self._free_of(name)
        if slot is not None:
            loop = asyncio.get_running_loop()
            self._taken[name] = slot, loop.call_later(TAKEN_SECONDS, self._let_others_have, name)

    def held(self, name: str) -> HeldSlot | None:
        """Return the slot of this name if it is held for a training job, or free; None where it is neither."""
        slot, timer = self._taken.pop(name, (None, None))
        if timer is not None:
            timer.cancel()
        return slot or self._free_of(name)

    def _let_others_have(self, name: str) -> None:
        slot, _ = self._taken.pop(name)
        self.release(slot, PENDING_SECONDS)

    def _free_of(self, name: str) -> HeldSlot | None:
        """Return the free slot of this name, which isn't free then."""
        slot = next((slot for slot in self._free if slot.name == name), None)
        if slot is not None:
            self._unfree(slot)
        return slot

    def adopt(self, slot: HeldSlot) -> None:
        """Take over a slot that was found, unless it is another training job's here: then it is only visited."""
        free = self._free_of(slot.name)
        slot.pooled = free is not None or slot.name not in self._names
        self._names.add(slot.name)

    def let_go(self, slot: HeldSlot) -> None:
        """Leave a slot to whoever finds it: its training job is followed no longer, but may run on."""
        if slot.pooled:
            self._names.discard(slot.name)

    def free_on(self, machine: str, shape: Shape) -> HeldSlot | None:
        """Return a free slot with these resources on a machine, and None where there is none."""
        for slot in self._free:
            if slot.facts.machine == machine and slot.shape == shape:
                self._unfree(slot)
                return slot
        return None

    # -- slots of bridges that have ended ------------------------------------------------------------------------------

    def look_for_abandoned(self) -> None:
        """Take over the slots without a training job whose bridge has ended, which would hold their resources for minutes."""
        now = asyncio.get_running_loop().time()
        if self._looking is None and now - self._looked_at > ABANDONED_SECONDS:
            self._looked_at = now
            self._looking = asyncio.create_task(self._take_over_abandoned())
            self._first_look = self._first_look or self._looking

    async def _take_over_abandoned(self) -> None:
        try:
            await self._cluster.remove_abandoned_groups()
            for name, actor, vacancy in await self._cluster.abandoned(self._names):
                facts = await self._cluster.take_over(actor, vacancy)
                if facts is not None and name not in self._names:
                    self._names.add(name)
                    log.info("slot %s on %s is taken over", name, facts.host)
                    self.release(HeldSlot(name, actor, vacancy.terms.shape, facts), vacancy.terms.keep_seconds)
        except NoAnswer:  # looked for again when a training job waits
            pass
        finally:
            self._looking = None

    async def why_pending(self, shape: Shape, count: int) -> str:
        """Return why slots can't be had at present; count: how many are needed at once, each on a node of its own."""
        try:
            nodes = await self._cluster.nodes()
        except NoAnswer as error:
            return f"The Ray cluster doesn't answer: {error}."
        free = [node.free for node in nodes if node.free]
        return why_pending(shape, count, [node.resources for node in nodes], free)

    async def _free_one(self, shape: Shape, warm: Hashable) -> HeldSlot | None:
        """Return a free slot that lives, first one with the same imports; None where there is none."""
        while fitting := [slot for slot in self._free if slot.shape == shape]:
            slot = next((slot for slot in fitting if slot.warm == warm), fitting[0])
            self._unfree(slot)
            if asyncio.get_running_loop().time() - slot.heard_at < FRESH_SECONDS:
                return slot
            try:
                await self._cluster.facts(slot.actor, ANSWER_SECONDS)
            except (SlotDied, NoAnswer, asyncio.CancelledError) as error:
                self.end(slot)
                if isinstance(error, asyncio.CancelledError):
                    raise
            else:
                return slot
        return None

    # -- slots to come -------------------------------------------------------------------------------------------------

    def _match(self, shape: Shape) -> None:
        """Ask for as many slots as training jobs wait for. What was asked for beyond that is taken back if it stays so."""
        waiting, coming = len(self._waiting[shape]), self._coming[shape]
        self._most_waiting[shape] = max(self._most_waiting[shape], waiting)
        while len(coming) < waiting:
            coming.append(asyncio.create_task(self._make(shape)))
        if len(coming) > waiting and shape not in self._to_trim:
            self._to_trim.add(shape)
            asyncio.get_running_loop().call_later(SURPLUS_SECONDS, self._trim, shape)

    def _trim(self, shape: Shape) -> None:
        """Take back the requests for slots that no training job has needed lately."""
        self._to_trim.discard(shape)
        self._take_back(shape, self._most_waiting[shape])
        self._most_waiting[shape] = 0
        self._match(shape)

    def _take_back(self, shape: Shape, kept: int) -> None:
        """Take back the last requests for slots, beyond a number."""
        while len(self._coming[shape]) > kept:
            self._coming[shape].pop().cancel()

    async def _make(self, shape: Shape) -> None:
        name = self._cluster.slot_name()
        slot: HeldSlot | None = None
        trouble: Exception | None = None
        deaths = 0
        while slot is None and trouble is None:
            try:
                actor = await self._cluster.create(name, shape)
                slot = HeldSlot(name, actor, shape, await self._cluster.facts(actor, None))
            except NoAnswer:
                await asyncio.sleep(PAUSE_SECONDS)
            except asyncio.CancelledError:
                self._later(self._cluster.take_back(name))
                raise
            except SlotDied as error:  # the last one fails the training job that waits for it
                deaths += 1
                if isinstance(error, CannotBegin) or deaths == MOST_DEATHS:
                    trouble = error
        me = asyncio.current_task()
        self._coming[shape] = [task for task in self._coming[shape] if task is not me]
        if slot is not None:
            self._names.add(name)
            self.release(slot, PENDING_SECONDS)
        elif self._waiting[shape]:
            self._waiting[shape].pop(0).slot.set_exception(trouble or SlotDied("it wasn't made"))

    async def _make_room(self, shape: Shape) -> None:
        """End the slots without a training job that hold other resources, where a training job waits for some that the cluster has, but not free."""
        with suppress(NoAnswer):  # looked at again in a moment
            nodes = await self._cluster.nodes()
            if not any(fits(shape, node.resources) for node in nodes) or any(fits(shape, node.free) for node in nodes):
                return
        self.dismiss_free(but=shape)

    def dismiss_free(self, *, but: Shape | None = None, machine: str = "") -> None:
        """End the slots without a training job, since another one needs their resources.

        Args:
            but: Those with these resources are kept.
            machine: Only those on this machine end; "": on all.
        """
        self.look_for_abandoned()
        for shape in [shape for shape in self._coming if shape != but]:
            self._take_back(shape, len(self._waiting[shape]))
        for slot in [slot for slot in self._free if slot.shape != but and machine in ("", slot.facts.machine)]:
            self._unfree(slot)
            self.end(slot)

    # -- slots without a training job ----------------------------------------------------------------------------------

    def _unfree(self, slot: HeldSlot) -> None:
        self._free.remove(slot)
        self._endings.pop(slot).cancel()

    async def _keep(self, slot: HeldSlot, seconds: float) -> None:
        """Keep a slot for a time, and end it then."""
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, TEND_SECONDS))
            try:
                await self._cluster.facts(slot.actor, TEND_SECONDS)
            except NoAnswer:
                continue  # nobody can tell: a training job that gets it finds out
            except SlotDied:
                break
        self._free.remove(slot)
        del self._endings[slot]
        self.end(slot)

    def end(self, slot: HeldSlot) -> None:
        """End a slot, unless a training job of another server runs in it."""
        self._names.discard(slot.name)
        self._later(self._cluster.dismiss(slot.actor))

    def _later(self, work: Any) -> None:
        """Run a coroutine that nobody waits for. It is kept until its end: a task without a reference may vanish."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End the slots without a training job, and take back the requests for further ones."""
        self._waiting.clear()
        for name in list(self._taken):
            self._let_others_have(name)
        coming = [task for tasks in self._coming.values() for task in tasks]
        for task in coming:
            task.cancel()
        if coming:
            await asyncio.wait(coming)  # then `_tasks` has what takes them back
        for slot in list(self._free):
            self._unfree(slot)
            self.end(slot)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
