"""What a client may cost before it's known: uvicorn's HTTP protocol with an end to headers, in bytes and in seconds."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 20.0  # from the first byte of a request, or from the connection's beginning
MAX_HEADER_BYTES = 64 << 10  # S3's own limit for all headers is 8 KiB


class Limited(HttpToolsProtocol):
    """Closes a connection whose headers don't come to an end."""

    header_seconds = HEADER_SECONDS

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._begin_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_headers()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_headers()

    def on_headers_complete(self) -> None:
        self._end_headers()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._deadline is not None:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._end_headers()
                self.send_400_response("The request's headers are too long.")

    def _begin_headers(self) -> None:
        if self._deadline is None:
            self._header_bytes = 0
            self._deadline = self.loop.call_later(self.header_seconds, self.transport.close)

    def _end_headers(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
