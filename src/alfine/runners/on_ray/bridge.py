"""The bridge: alfine's child process that talks to Ray. It is started with the descriptor of a socket, and ends when that is closed.

It keeps nothing that only it knows. Ray may end it at any moment: alfine starts another one, and tells it what to follow.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from alfine.runners.on_ray.calls import NoAnswer
from alfine.runners.on_ray.cluster import CALL_SECONDS, Cluster, NoCluster, SlotDied
from alfine.runners.on_ray.finder import Finder
from alfine.runners.on_ray.followed import Followed
from alfine.runners.on_ray.group import FollowedGroup
from alfine.runners.on_ray.messages import (
    AskToStop,
    ClusterSettings,
    Connected,
    Follow,
    FromBridge,
    Key,
    LogRead,
    MayGo,
    MayStart,
    More,
    NotConnected,
    ReadLog,
    TakePlace,
    ToBridge,
    key_of,
    without_secrets,
)
from alfine.runners.on_ray.place import places_of
from alfine.runners.on_ray.pool import Pool
from alfine.runners.on_ray.stream import MessageStream
from alfine.runners.on_ray.tidying import Tidying
from alfine.runners.protocol import Launch

log = logging.getLogger("alfine.runners.on_ray")

THREADS = 32
"""Calls of ray at the same time: each blocks a thread, for long while the head is away."""


class Bridge:
    """The bridge's own side of the socket.

    Args:
        connection: The socket to alfine.
        settings: The settings.
    """

    def __init__(self, connection: Connection, settings: ClusterSettings) -> None:
        self._connection, self._settings = connection, settings
        self._stream: MessageStream | None = None
        self._cluster = Cluster(settings)
        self._tidying = Tidying(self._cluster, settings, self._send)
        self._pool, self._finder = Pool(self._cluster, self._tidying.begin), Finder(self._cluster)
        self._followed: dict[Key, Followed | FollowedGroup] = {}
        self._readings: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Connect, and do what alfine says until it hangs up."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS))
        try:
            self._cluster.connect()
        except NoCluster as error:
            with suppress(OSError):  # alfine has ended
                self._connection.send(NotConnected(str(error)))
            return
        log.info("connected to %s", self._settings.address)
        self._stream = await MessageStream.over(self._connection, self._do)
        self._send(Connected())
        self._pool.look_for_abandoned()
        await self._stream.closed
        await self._pool.close()

    def _send(self, message: FromBridge) -> None:
        assert self._stream is not None
        self._stream.send(message)

    def _do(self, message: ToBridge) -> None:
        if isinstance(message, Follow):
            self._follow(message)
        elif isinstance(message, ReadLog):
            reading = asyncio.create_task(self._read_log(message))
            self._readings.add(reading)
            reading.add_done_callback(self._readings.discard)
        elif isinstance(message, TakePlace):
            self._pool.hold(message.slot)
        elif isinstance(message, MayGo):
            self._tidying.hear(message)
        else:
            self._tell(message)

    def _follow(self, message: Follow) -> None:
        key = key_of(message.launch)
        known = self._followed.pop(key, None)
        if known is not None:
            known.forget()
        self._followed = {key: one for key, one in self._followed.items() if not one.done}
        kind = Followed if message.launch.instance_count == 1 else FollowedGroup
        self._followed[key] = kind(message, self._finder, self._pool, self._settings, self._send)

    def _tell(self, message: More | AskToStop | MayStart) -> None:
        key = key_of(message.launch) if isinstance(message, AskToStop) else message.key
        one = self._followed.get(key)
        if one is None:
            return
        match message:
            case More():
                one.go_on(message.offset, message.counts)
            case AskToStop():
                one.stop(message.launch)
            case MayStart():
                one.may_start(recorded=message.recorded)

    async def _actor_at(self, launch: Launch) -> Any:
        """Return the actor of the slot of a training job."""
        one = self._followed.get(key_of(launch))
        if one is not None and one.slot is not None:
            return one.slot.actor
        return await self._cluster.find(places_of(str(launch.node), str(launch.slot))[0].slot)

    async def _read_log(self, asked: ReadLog) -> None:
        """Read a part of a log through the slot that the training job was placed in, if that lives."""
        launch = without_secrets(asked.launch)
        try:
            try:
                actor = await self._actor_at(launch)
                piece = await self._cluster.call(actor.log.remote(launch, asked.begin, asked.most), CALL_SECONDS)
            except SlotDied:  # just now, perhaps: another slot there can read it as well
                place = places_of(str(launch.node), str(launch.slot))[0]
                actor = (await self._finder.visitor(place)).actor
                piece = await self._cluster.call(actor.log.remote(launch, asked.begin, asked.most), CALL_SECONDS)
            self._send(LogRead(asked.number, piece))
        except (NoAnswer, SlotDied) as error:
            self._send(LogRead(asked.number, None, f"its node can't be asked: {error}"))
        except Exception as error:  # noqa: BLE001 - whoever reads the log is told
            self._send(LogRead(asked.number, None, f"{type(error).__name__}: {error}"))


def main() -> None:
    """Run the bridge. The settings are the first thing that alfine sends."""
    connection = Connection(int(sys.argv[1]))
    settings: ClusterSettings = connection.recv()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(Bridge(connection, settings).run())
    os._exit(0)  # threads that wait for a head that is away must not keep it alive


if __name__ == "__main__":
    main()
