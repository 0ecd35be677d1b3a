"""A training job with several instances: a placement group, with a slot in each bundle, each on a node of its own.

Each instance is followed as a training job of its own. The first one's metrics and log are those of the whole. It ends when all have ended;
when one fails the others are stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from alfine.runners.on_ray.calls import ClusterNode, NoAnswer
from alfine.runners.on_ray.cluster import CannotBegin, Cluster, SlotDied
from alfine.runners.on_ray.finder import Finder
from alfine.runners.on_ray.followed import PAUSE_SECONDS, Dropped, Followed, NotPlaced, Send
from alfine.runners.on_ray.messages import Chosen, ClusterSettings, Follow, FromBridge, Pending, Seen, Trouble, key_of
from alfine.runners.on_ray.place import Place, places_of, texts_of
from alfine.runners.on_ray.pool import MOST_DEATHS, PENDING_SECONDS, ROOM_SECONDS, HeldSlot, Pool
from alfine.runners.on_ray.shapes import Shape
from alfine.runners.protocol import Exit, Launch, Observation

LOOPBACK = "lo"
"""The network interface of instances that are all on one machine."""


class FollowedGroup:
    """A training job with several instances, followed until its end. Arguments and methods are those of `Followed`."""

    def __init__(self, follow: Follow, finder: Finder, pool: Pool, settings: ClusterSettings, send: Send) -> None:
        self.launch, self.key = follow.launch, key_of(follow.launch)
        self._follow, self._settings, self._send = follow, settings, send
        self._cluster, self._pool = finder.cluster, pool
        self._name = group_of(self.launch) or self._cluster.group_name(self.launch.name, self.launch.attempt)
        self._recorded: asyncio.Future[bool] | None = None
        self._members: list[Followed] = []
        self._ends: dict[int, Seen] = {}
        self._over = asyncio.Event()
        self._stop_launch: Launch | None = follow.launch if follow.stopping else None
        self._why = ""
        self._removal: asyncio.Task[bool] | None = None
        self._task = asyncio.create_task(self._run())

    def go_on(self, offset: int, counts: Mapping[str, int]) -> None:
        """See `Followed.go_on`."""
        if self._members:
            self._members[0].go_on(offset, counts)

    def may_start(self, *, recorded: bool) -> None:
        """See `Followed.may_start`."""
        if self._recorded is not None and not self._recorded.done():
            self._recorded.set_result(recorded)

    def stop(self, launch: Launch) -> None:
        """See `Followed.stop`."""
        self._stop_launch = launch
        if self._members:
            for number, member in enumerate(self._members):
                member.stop(replace(self._launch_of(number), grace_seconds=launch.grace_seconds))
        elif self.launch.node is None and self._recorded is None and not self._task.done():
            self._task.cancel()
            self._removal = asyncio.create_task(self._cluster.remove_group(self._name))
            self._end_unplaced(Exit(cause="stopped"))

    def forget(self) -> None:
        """See `Followed.forget`."""
        self._task.cancel()
        for member in self._members:
            member.forget()

    @property
    def done(self) -> bool:
        """See `Followed.done`."""
        return self._task.done()

    @property
    def slot(self) -> HeldSlot | None:
        """Return the slot of the first instance, while it is known."""
        return self._members[0].slot if self._members else None

    # -- its life ------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            if self.launch.node is None and not await self._place():
                return
            self._follow_members()
            await self._over.wait()
            is_removed = await self._cluster.remove_group(self._name)
            self._tell_end()  # only now: a bridge that is killed between the two finds the training job again, and removes the group
            while not is_removed:
                await asyncio.sleep(PAUSE_SECONDS)
                is_removed = await self._cluster.remove_group(self._name)
        except NotPlaced as error:
            await self._cluster.remove_group(self._name)
            self._end_unplaced(Exit(cause="not_started", detail=f"CapacityError: {error}"))
        except Dropped:
            await self._cluster.remove_group(self._name)
        except Exception as error:  # noqa: BLE001 - alfine counts it as a failed try, and asks again
            self._send(Trouble(self.key, error))

    async def _place(self) -> bool:
        """Have the placement group made, a slot in each bundle, and the places recorded; False where it may only be looked for."""
        if not self._follow.begin:
            self._send(Seen(self.key, self._follow.offset, None))
            return False
        if self._stop_launch is not None:
            self._end_unplaced(Exit(cause="stopped"))
            return False
        count, shape = self.launch.instance_count, self._follow.shape
        try:
            async with asyncio.timeout(self._settings.pending_seconds):
                slots = await self._slots(count, shape)
        except TimeoutError:
            waited = f"It waited for {self._settings.pending_seconds:g} s ([ray] pending_seconds)."
            raise NotPlaced(f"{self._why or 'The Ray cluster has no room.'} {waited}") from None
        except SlotDied as error:
            raise NotPlaced(f"no slot can be made: {error}") from error
        self._report("")
        node, slot = texts_of([Place.of(slot.name, slot.facts) for slot in slots])
        self._recorded = asyncio.get_running_loop().create_future()
        self._send(Chosen(self.key, node, slot))
        if not await self._recorded:
            raise Dropped
        self.launch = replace(self.launch, node=node, slot=slot)
        return True

    async def _slots(self, count: int, shape: Shape) -> list[HeldSlot]:
        deaths = 0
        while True:
            try:
                group = await self._cluster.group(self._name, shape, count)
                ready = await self._cluster.group_is_ready(group, ROOM_SECONDS)
                while not ready and not await self._cluster.group_is_ready(group, PENDING_SECONDS):
                    self._pool.dismiss_free()
                    self._report(await self._pool.why_pending(shape, count))
                names = [f"{self._name}-{number}" for number in range(count)]
                actors = [
                    await self._cluster.create(name, shape, group=group, bundle=bundle)
                    for bundle, name in enumerate(names)
                ]
                facts = [await self._cluster.facts(actor, None) for actor in actors]
            except NoAnswer:
                await asyncio.sleep(PAUSE_SECONDS)
            except SlotDied as error:  # killed with its node, perhaps
                deaths += 1
                if isinstance(error, CannotBegin) or deaths == MOST_DEATHS:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                parts = zip(names, actors, facts, strict=True)
                return [HeldSlot(name, actor, shape, fact, pooled=False) for name, actor, fact in parts]

    def _report(self, why: str) -> None:
        if why != self._why:
            self._why = why
            self._send(Pending(self.key, why))

    # -- its instances -------------------------------------------------------------------------------------------------

    def _follow_members(self) -> None:
        for number in range(self.launch.instance_count):
            first = number == 0
            follow = replace(
                self._follow,
                launch=self._launch_of(number),
                stopping=self._stop_launch is not None,
                offset=self._follow.offset if first else 0,
                counts=self._follow.counts if first else {},
            )
            finder = _BundleFinder(self._cluster, self._name, self.launch.instance_count, number)
            pool = _NoPool(self._cluster, self._pool.used)
            member = Followed(follow, finder, pool, self._settings, self._hear(number))
            self._members.append(member)

    def _launch_of(self, number: int) -> Launch:
        """Return the launch of one instance: on its own machine it is a training job with one host, which knows the others' names."""
        places = places_of(str(self.launch.node), str(self.launch.slot))
        names = names_of([place.host for place in places])
        place, whole = places[number], self.launch
        return replace(
            whole,
            name=whole.name if number == 0 else f"{whole.name}.algo-{number + 1}",
            node=place.node,
            slot=place.slot,
            hosts=names,
            host=names[number],
            interface=LOOPBACK if names[0].startswith("127.") else place.interface,
            environment={**whole.environment, "TRAINING_JOB_NAME": whole.name},
            output_uri=whole.output_uri if number == 0 else "",
            log_uri=whole.log_uri if number == 0 else "",
            checkpoints_shared=True,  # no instance removes those of another
            metrics=whole.metrics if number == 0 else (),
        )

    def _hear(self, number: int) -> Send:
        return lambda message: self._heard(number, message)

    def _heard(self, number: int, message: FromBridge) -> None:
        """Pass on what the first instance tells; of the others only how they end."""
        if isinstance(message, Seen) and message.observation is not None and message.observation.exit is not None:
            self._ends[number] = message
            if not message.observation.exit.succeeded and self._stop_launch is None:
                self.stop(self.launch)
            if len(self._ends) == len(self._members):
                self._over.set()
        elif isinstance(message, Seen) and number:
            self._members[number].go_on(message.observation.offset if message.observation else 0, {})
        elif isinstance(message, Seen | Trouble):
            self._send(replace(message, key=self.key))

    def _tell_end(self) -> None:
        """Tell the end of the whole: that of the instance that failed first, else of the first."""
        ends = [seen.observation for seen in self._ends.values() if seen.observation is not None]
        failed = [seen.exit for seen in ends if seen.exit is not None and not seen.exit.succeeded]
        first = self._ends[0].observation
        if first is not None:
            exit_of_all = failed[0] if failed else first.exit
            last = max((seen.ended_at for seen in ends if seen.ended_at is not None), default=first.ended_at)
            seen = replace(first, exit=exit_of_all, ended_at=last)
            self._send(Seen(self.key, self._ends[0].begin, seen))

    def _end_unplaced(self, end: Exit) -> None:
        offset = self._follow.offset
        self._send(Seen(self.key, offset, Observation(offset=offset, exit=end, ended_at=datetime.now(UTC))))


def group_of(launch: Launch) -> str:
    """Return the name of the placement group in which a training job was placed; "" where it wasn't yet."""
    return "" if launch.slot is None else launch.slot.split()[0].rpartition("-")[0]


def names_of(hosts: Sequence[str]) -> tuple[str, ...]:
    """Return the names by which instances reach each other: those of their machines.

    Where all are on one machine, as in a test of several nodes on one, each has an address of the loopback interface.
    """
    if len(hosts) > 1 and len(set(hosts)) == 1:
        return tuple(f"127.0.0.{number}" for number in range(1, len(hosts) + 1))
    return tuple(hosts)


class _NoPool(Pool):
    """The slots of a placement group: none is used again."""

    def adopt(self, slot: HeldSlot) -> None:
        """Leave the slot to the group."""

    def release(self, slot: HeldSlot, keep_seconds: float) -> bool:  # noqa: ARG002 - see Pool
        """End the slot, with its bundle."""
        self.end(slot)
        return False


class _BundleFinder(Finder):
    """Finds the machine of one instance; a new slot there gets the resources of its bundle."""

    def __init__(self, cluster: Cluster, group: str, count: int, bundle: int) -> None:
        super().__init__(cluster)
        self._group, self._count, self._bundle = group, count, bundle

    async def new_actor(self, name: str, shape: Shape, node: ClusterNode) -> Any:
        """Return a new slot: see `Finder.new_actor`."""
        if not shape.amounts:
            return await super().new_actor(name, shape, node)
        group = await self.cluster.group(self._group, shape, self._count)
        return await self.cluster.create(name, shape, group=group, bundle=self._bundle)
