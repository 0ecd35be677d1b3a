"""Limits for unauthenticated connections: how long a request's head may be, how long it may take, and what it must look like.

A *head* is a request line with its header fields, up to the empty line. It's read before anyone knows who sends it. uvicorn bounds
neither the time that a head takes nor (with its h11 parser) what two programs could read differently. So `Limited` stands between
a connection and uvicorn's protocol: it passes on whole heads that pass `unclear`, and bodies as they come.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import cast

import uvicorn

HEADER_SECONDS = 20.0
"""Seconds for a head, from the connection's beginning or from the head's first byte."""

MAX_HEADER_BYTES = 64 << 10
"""Bytes of a head. S3's own limit for all headers is 8 KiB."""

END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(rb"[^\r\n\0]+ HTTP/1\.[01]")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)")  # linear in what a client sends
_LENGTH = re.compile(rb"[0-9]{1,19}")


def limited(config: uvicorn.Config, header_seconds: float = HEADER_SECONDS) -> uvicorn.Config:
    """Load the configuration of a server, and put `Limited` in front of the HTTP protocol that it has chosen.

    Raises:
        OSError, ssl.SSLError: the files of the certificate can't be used.
    """
    config.load()
    config.http_protocol_class = partial(Limited, config.http_protocol_class, header_seconds)  # type: ignore[assignment]
    return config


class Limited(asyncio.Protocol):
    """One connection. It answers 400 and closes where a head is too long or unclear, and closes where a head doesn't come.

    Args:
        make: makes the protocol that answers the requests.
        header_seconds: see `HEADER_SECONDS`.
        arguments: for `make`.
    """

    def __init__(self, make: Callable[..., asyncio.Protocol], header_seconds: float, **arguments: object) -> None:
        self._http = make(**arguments)
        self._header_seconds = header_seconds
        self._head = bytearray()  # of the request that is being sent
        self._body_bytes: int | None = 0  # that are still to come; None: as many as the connection brings
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._begin_head()
        self._http.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        self._http.connection_lost(exc)

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()

    def eof_received(self) -> bool | None:
        return self._http.eof_received()

    def data_received(self, data: bytes) -> None:
        while data and not self._transport.is_closing():
            data = self._read_head(data) if self._body_bytes == 0 else self._pass_body(data)

    def _pass_body(self, data: bytes) -> bytes:
        """Pass on what belongs to the body, and return the rest."""
        size = len(data) if self._body_bytes is None else min(len(data), self._body_bytes)
        if self._body_bytes is not None:
            self._body_bytes -= size
        self._http.data_received(data[:size])
        return data[size:]

    def _read_head(self, data: bytes) -> bytes:
        """Keep what belongs to the head, pass it on once it's whole, and return the rest."""
        self._begin_head()
        start = max(0, len(self._head) - len(END) + 1)
        self._head += data
        end = self._head.find(END, start)
        if end < 0:
            if len(self._head) > MAX_HEADER_BYTES:
                self._refuse("The request's headers are too long.")
            return b""
        end += len(END)
        head, rest = bytes(self._head[:end]), bytes(self._head[end:])
        self._head.clear()
        self._end_head()
        fault, self._body_bytes = unclear(head)
        if fault:
            self._refuse(fault)
        elif self._body_bytes is None:
            # Where a chunked body ends only the HTTP protocol knows, so no other head may follow on this connection.
            self._http.data_received(head[:-2] + b"Connection: close\r\n\r\n")
        else:
            self._http.data_received(head)
        return rest

    def _refuse(self, message: str) -> None:
        self._end_head()
        text = message.encode()
        self._transport.write(
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(text), text)
        )
        self._transport.close()

    def _begin_head(self) -> None:
        if self._deadline is None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._header_seconds, self._transport.close)

    def _end_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def unclear(head: bytes) -> tuple[str, int | None]:
    """Return what in a whole head two programs could read differently ("" for nothing), and how many bytes its body has.

    Such differences are how a second request is smuggled past a proxy in the body of a first one. Stricter than RFC 9112 asks for:
    lines end with CR LF alone, no field is folded over lines, and a body's length is given once and in one way.

    Returns:
        The fault, and the body's bytes; None for these where the body comes in chunks.
    """
    line, *fields = head.removesuffix(END).split(b"\r\n")
    if not _REQUEST_LINE.fullmatch(line):
        return "The request's first line is no request of HTTP/1.0 or HTTP/1.1.", 0
    matches = [_FIELD.fullmatch(field) for field in fields]
    named = [(match[1].lower(), match[2].strip(b" \t")) for match in matches if match]
    if len(named) < len(matches):
        return "A header of the request isn't «name: value» on a line that ends with CR LF.", 0
    lengths = [value for name, value in named if name == b"content-length"]
    encodings = [value for name, value in named if name == b"transfer-encoding"]
    if len(lengths) + len(encodings) > 1:
        return "The request gives the length of its body more than once.", 0
    if encodings:
        return "", None
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        return "The request's Content-Length is no number.", 0
    return "", int(lengths[0]) if lengths else 0
