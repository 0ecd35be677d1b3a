"""One training job as the bridge follows it: from its placing to its end.

Once its place is recorded it starts on that machine or nowhere: so it never runs twice. Its slot may die: another one on the same machine
finds it by its folder. Its node may leave the cluster: it is taken for lost only when the node's own leash has ended it as well.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from alfine.runners.on_ray.calls import NoAnswer
from alfine.runners.on_ray.cluster import SlotDied
from alfine.runners.on_ray.finder import Finder, Gone
from alfine.runners.on_ray.messages import (
    Chosen,
    ClusterSettings,
    Follow,
    FromBridge,
    Pending,
    Seen,
    Trouble,
    key_of,
    without_secrets,
)
from alfine.runners.on_ray.place import Place, places_of, texts_of
from alfine.runners.on_ray.pool import HeldSlot, Pool
from alfine.runners.on_ray.slot import Busy
from alfine.runners.protocol import Exit, Launch, Observation, StaleEpoch

log = logging.getLogger("alfine.runners.on_ray")

WAIT_SECONDS = 10.0
"""How long a slot may wait for news before it answers without, at most."""

WAIT_OF_LEASH = 0.25
"""The same as a share of the leash: while a slot waits, its node takes alfine to be there, although it may have gone."""

BEGIN_SECONDS = 1.0
"""The same for the call that starts a training job."""

LATE_SECONDS = 10.0
"""How much later than it should a slot may answer before it is asked anew: on a node that has just died it never does."""

STOP_SECONDS = 5.0
"""Time after which a training job that still runs is told to stop once more."""

PAUSE_SECONDS = 1.0
"""Pause after a call without an answer, and between two looks for a node that left."""

MARGIN_SECONDS = 3.0
"""Time that a node may take to end a training job beyond its leash and grace."""

Send = Callable[[FromBridge], None]


class NotPlaced(Exception):
    """The training job ends without having been started, with a reason."""


class Lost(Exception):
    """The node has left, and so has whatever ran there."""


class Dropped(Exception):
    """Another server runs its tuning job: this one does nothing more about it."""


class Followed:
    """A training job, followed until its end.

    Args:
        follow: What alfine asked for.
        finder: Finds slots on the machine of a place.
        pool: The pool of slots.
        settings: The settings.
        send: Sends a message to alfine.
    """

    def __init__(self, follow: Follow, finder: Finder, pool: Pool, settings: ClusterSettings, send: Send) -> None:
        self.launch, self.key = follow.launch, key_of(follow.launch)
        self._shape, self._begin, self._keep_seconds = follow.shape, follow.begin, follow.keep_seconds
        self._offset, self._counts = follow.offset, follow.counts
        self._finder, self._pool, self._settings, self._send = finder, pool, settings, send
        self._cluster = finder.cluster
        self._clock = asyncio.get_running_loop().time
        self._heard_at = self._clock()
        self._more = asyncio.Event()
        self._recorded: asyncio.Future[bool] | None = None
        self._stops: asyncio.Task[None] | None = None
        self._began: datetime | None = None
        self._first: tuple[int, Observation | None] | None = None
        self._why = ""
        self.slot: HeldSlot | None = None
        self._task = asyncio.create_task(self._run())
        self._stop_launch: Launch | None = None
        if follow.stopping:
            self.stop(follow.launch)

    # -- what alfine says ----------------------------------------------------------------------------------------------

    def go_on(self, offset: int, counts: Mapping[str, int]) -> None:
        """Tell the news from an offset on, since what came before is recorded."""
        self._offset, self._counts = offset, counts
        self._more.set()

    def may_start(self, *, recorded: bool) -> None:
        """Take note of whether the place is recorded."""
        if self._recorded is not None and not self._recorded.done():
            self._recorded.set_result(recorded)

    def stop(self, launch: Launch) -> None:
        """Stop it, again and again until its end is known. If it wasn't placed yet, it ends without having been started."""
        self._stop_launch = launch
        if self.slot is not None and (self._stops is None or self._stops.done()):
            self._stops = asyncio.create_task(self._keep_stopping())
        elif self.launch.node is None and self._recorded is None and not self._task.done():
            self._task.cancel()
            self._end_unplaced(Exit(cause="stopped"))

    def forget(self) -> None:
        """Follow it no longer."""
        if self.slot is not None:
            self._pool.let_go(self.slot)
        self._task.cancel()
        if self._stops is not None:
            self._stops.cancel()

    @property
    def done(self) -> bool:
        """Return whether nothing is left to be told of it."""
        return self._task.done()

    # -- its life ------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            slot = await self._find(begin=self._begin) if self.launch.node is not None else await self._place()
            if slot is not None:
                await self._watch(slot)
        except NotPlaced as error:
            self._end_unplaced(Exit(cause="not_started", detail=f"CapacityError: {error}"))
        except Lost as error:
            self._tell_end(Exit(cause="lost", detail=str(error)))
        except Dropped:
            return
        except Exception as error:  # noqa: BLE001 - alfine counts it as a failed try, and asks again
            self._send(Trouble(self.key, error))
        finally:
            if self._stops is not None:
                self._stops.cancel()

    async def _place(self) -> HeldSlot | None:
        """Choose a slot, have it recorded, start there, and return the slot. Return None if it may only be looked for: it was never started."""
        if not self._begin:
            self._send(Seen(self.key, self._offset, None))
            return None
        try:
            async with asyncio.timeout(self._settings.pending_seconds):
                slot = await self._pool.take(self._shape, _warm_key(self.launch), self._report)
        except TimeoutError:
            waited = f"It waited for {self._settings.pending_seconds:g} s ([ray] pending_seconds)."
            raise NotPlaced(f"{self._why or 'The Ray cluster has no room.'} {waited}") from None
        except SlotDied as error:
            raise NotPlaced(f"no slot can be made: {error}") from error
        self._report("")
        recorded = False
        try:
            recorded = await self._record(Place.of(slot.name, slot.facts))
        finally:
            if not recorded:
                self._pool.release(slot, self._keep_seconds)
        if not recorded:
            raise Dropped
        return await self._start(slot)

    def _report(self, why: str) -> None:
        if why != self._why:
            self._why = why
            self._send(Pending(self.key, why))

    async def _record(self, *places: Place) -> bool:
        """Have alfine record the place. Return False where it may not start there."""
        self._recorded = asyncio.get_running_loop().create_future()
        node, slot = texts_of(places)
        self._send(Chosen(self.key, node, slot))
        recorded = await self._recorded
        self.launch = replace(self.launch, node=node, slot=slot)
        return recorded

    async def _start(self, slot: HeldSlot) -> HeldSlot:
        """Start it, on the machine of its place and no other, and return the slot that has it. A second start changes nothing."""
        self.slot = slot
        self._pool.used(slot)
        while True:
            try:
                if self._stop_launch is not None:
                    await self._cluster.call(slot.actor.stop.remote(without_secrets(self._stop_launch)))
                asked, counts = self._offset, dict(self._counts)
                call = slot.actor.begin.remote(self.launch, asked, counts, BEGIN_SECONDS)
                self._first = asked, await self._cluster.call(call)
            except NoAnswer:
                await asyncio.sleep(PAUSE_SECONDS)
            except (SlotDied, Busy):  # or another server's training job was quicker
                slot = self.slot = await self._look_for(whole=True)
            except StaleEpoch as error:
                raise Dropped from error
            else:
                self._heard_at = self._clock()
                log.info("training_job=%s: started in slot %s on %s", self.key[1], slot.name, slot.facts.host)
                slot.warm = _warm_key(self.launch)
                return slot

    async def _watch(self, slot: HeldSlot) -> None:
        """Tell its news until its end."""
        while True:
            self.slot = slot
            if self._stop_launch is not None and self._stops is None:
                self._stops = asyncio.create_task(self._keep_stopping())
            try:
                asked, seen = await self._news(slot)
            except NoAnswer:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            except SlotDied as error:
                log.info("training_job=%s: its slot %s died: %s", self.key[1], slot.name, error)
                slot = await self._look_for(whole=False)
                continue
            except Exception as error:  # noqa: BLE001 - the host tries again, and alfine counts how often
                self._send(Trouble(self.key, error))
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self._heard_at = slot.heard_at = self._clock()
            if seen is not None and not self._is_new(seen, asked):
                continue
            if asked != self._offset:  # alfine has asked for other news meanwhile
                continue
            if seen is None and self._begin:  # the request was lost with its slot
                slot = await self._start(slot)
                continue
            self._more.clear()
            if seen is None or seen.exit is not None:
                self.slot = None
                is_free = self._pool.release(slot, self._keep_seconds)
                self._send(Seen(self.key, asked, seen, is_free and slot.name == self.launch.slot))
                return
            self._send(Seen(self.key, asked, seen))
            self._began = seen.started_at
            await self._more.wait()

    async def _news(self, slot: HeldSlot) -> tuple[int, Observation | None]:
        """Return an offset and the news from there on. The first ones have come with the answer to its start."""
        first, self._first = self._first, None
        if first is not None:
            return first
        asked = self._offset
        call = slot.actor.news.remote(
            without_secrets(self.launch), asked, dict(self._counts), self._wait, has_begun=self._began is not None
        )
        return asked, await self._cluster.call(call, self._wait + LATE_SECONDS)

    def _is_new(self, seen: Observation, asked: int) -> bool:
        return bool(seen.points) or seen.offset != asked or seen.exit is not None or seen.started_at != self._began

    async def _keep_stopping(self) -> None:
        """Tell it to stop until its end is known: a request may be lost with its slot."""
        while (launch := self._stop_launch) is not None:
            slot = self.slot
            try:
                if slot is not None:
                    await self._cluster.call(slot.actor.stop.remote(without_secrets(launch)))
                    await asyncio.sleep(STOP_SECONDS)
                else:
                    await asyncio.sleep(PAUSE_SECONDS)
            except (NoAnswer, SlotDied):
                await asyncio.sleep(PAUSE_SECONDS)
            except StaleEpoch:
                return
            except Exception as error:  # noqa: BLE001 - alfine counts it; it is told again
                self._send(Trouble(self.key, error))
                await asyncio.sleep(STOP_SECONDS)

    # -- finding it again ----------------------------------------------------------------------------------------------

    async def _find(self, *, begin: bool) -> HeldSlot:
        """Return a slot on the machine of its place: its own, if that lives. begin: start it there unless it ever was."""
        [place] = places_of(str(self.launch.node), str(self.launch.slot))
        slot = self._pool.held(place.slot) if begin else None
        while slot is None:
            try:
                slot = await self._finder.own(place, self._shape)
                self._pool.adopt(slot)
            except NoAnswer:
                await asyncio.sleep(PAUSE_SECONDS)
            except SlotDied:
                slot = await self._look_for(whole=begin)
        return await self._start(slot) if begin else slot

    async def _look_for(self, *, whole: bool) -> HeldSlot:
        """Return a new slot on the machine of its place: see `Finder.another`. One with its resources becomes the pool's."""
        [place] = places_of(str(self.launch.node), str(self.launch.slot))
        free = self._pool.free_on(place.machine, self._shape) if whole else None
        if free is not None:
            return free
        try:
            slot = await self._finder.another(
                place,
                self._shape,
                whole=whole,
                lost_after=lambda: self._lost_at - self._clock(),
                make_room=lambda: self._pool.dismiss_free(machine=place.machine),
            )
        except Gone as error:
            raise Lost(str(error)) from error
        log.info("training_job=%s: found again by slot %s on %s", self.key[1], slot.name, slot.facts.host)
        if slot.shape == self._shape:
            self._pool.adopt(slot)
        return slot

    @property
    def _lost_at(self) -> float:
        """Return the time from which on its node must have ended it, if nobody could ask it since."""
        leash = self.launch.leash_seconds
        if leash is None:
            return math.inf
        return self._heard_at + self._wait + leash + self.launch.grace_seconds + MARGIN_SECONDS

    @property
    def _wait(self) -> float:
        """Return how long its slot is to wait for news."""
        leash = self.launch.leash_seconds
        return WAIT_SECONDS if leash is None else min(WAIT_SECONDS, leash * WAIT_OF_LEASH)

    # -- ends ----------------------------------------------------------------------------------------------------------

    def _end_unplaced(self, end: Exit) -> None:
        self._send(Seen(self.key, self._offset, Observation(offset=self._offset, exit=end, ended_at=datetime.now(UTC))))

    def _tell_end(self, end: Exit) -> None:
        self.slot = None
        seen = Observation(started_at=self._began, ended_at=datetime.now(UTC), offset=self._offset, exit=end)
        self._send(Seen(self.key, self._offset, seen))


def _warm_key(launch: Launch) -> Hashable:
    """Return what training jobs have in common that import the same."""
    return launch.source, launch.script, launch.python, tuple(sorted(launch.environment.items()))
