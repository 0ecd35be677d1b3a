"""The bridge's end of the socket between alfine and the bridge, in the bridge's event loop: no thread waits for messages there."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Self

from alfine.runners.on_ray.messages import FromBridge, ToBridge, packed

HEADER_BYTES = 4
"""The size of a message, which comes before it, as `multiprocessing.connection.Connection` writes it: big-endian, signed."""


class MessageStream(asyncio.Protocol):
    """Passes on messages as they come, and sends some without waiting.

    Args:
        take: Called with each message.

    Attributes:
        closed: Is done when alfine has hung up.
    """

    def __init__(self, take: Callable[[ToBridge], None]) -> None:
        self._take = take
        self._read = bytearray()
        self._transport: asyncio.Transport | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def over(cls, connection: Connection, take: Callable[[ToBridge], None]) -> Self:
        """Go on with a connection over a socket, which isn't used any more."""
        ours = socket.socket(fileno=os.dup(connection.fileno()))
        connection.close()
        _, stream = await asyncio.get_running_loop().connect_accepted_socket(lambda: cls(take), ours)
        return stream

    def send(self, message: FromBridge) -> None:
        """Send a message, unless alfine has hung up."""
        if self._transport is not None:
            data = packed(message)
            self._transport.write(len(data).to_bytes(HEADER_BYTES, "big", signed=True) + data)

    # -- asyncio.Protocol --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while len(self._read) >= HEADER_BYTES:
            end = HEADER_BYTES + int.from_bytes(self._read[:HEADER_BYTES], "big", signed=True)
            if len(self._read) < end:
                return
            message = pickle.loads(self._read[HEADER_BYTES:end])  # noqa: S301 - alfine has made the socket, and nobody else has it
            del self._read[:end]
            self._take(message)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - why doesn't matter: the bridge ends
        self._transport = None
        if not self.closed.done():
            self.closed.set_result(None)
