"""One receiver of events: posts to its URL, and to no other. Redirects aren't followed, and no proxy is used."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable
from enum import Enum
from urllib.parse import urlsplit

from alfine._version import __version__
from alfine.server.webhooks.signature import signed_headers
from alfine.store.operating_settings import Webhook

PATIENCE_SECONDS = 10.0
"""Seconds that a receiver may be silent: while it is connected to, and before its answer."""

ANSWER_BYTES = 1 << 16
"""Bytes of an answer that are read, so that the connection can be used again."""

TEMPORARY = frozenset({408, 425, 429})
"""The HTTP statuses below 500 that say «later», not «no» (RFC 9110, 8470, 6585)."""


class Answer(Enum):
    """The outcome of an attempt to post an event."""

    TAKEN = "delivered"
    REFUSED = "refused"
    """The receiver doesn't want this event; it may want others."""
    AWAY = "failed"
    """The receiver can't be reached, or can't take anything at present."""


class Receiver:
    """The receiver of one webhook. Only one thread uses it.

    Args:
        webhook: Its settings.
        clock: Returns the seconds since 1970.
    """

    def __init__(self, webhook: Webhook, clock: Callable[[], float] = time.time) -> None:
        self._key = webhook.key
        self._clock = clock
        self._parts = urlsplit(webhook.url)
        self._tls = ssl.create_default_context() if self._parts.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    def post(self, event_id: str, body: bytes) -> tuple[Answer, str]:
        """Post an event, once.

        Args:
            event_id: The event's id.
            body: The event as JSON.

        Returns:
            What became of it, and why, for the log.
        """
        headers = {
            "content-type": "application/json",
            "user-agent": f"alfine/{__version__}",
            **signed_headers(self._key, event_id, int(self._clock()), body),
        }
        try:
            status = self._status(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer.AWAY, f"{type(error).__name__}: {error}"
        return answer_of(status), f"HTTP status {status}"

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _status(self, body: bytes, headers: dict[str, str]) -> int:
        was_open = self._connection is not None
        try:
            return self._asked(body, headers)
        except (ConnectionError, http.client.RemoteDisconnected):
            if not was_open:
                raise
            self.close()  # the receiver has closed the idle connection
            return self._asked(body, headers)

    def _asked(self, body: bytes, headers: dict[str, str]) -> int:
        connection = self._connection = self._connection or self._new_connection()
        target = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()
        answer.read(ANSWER_BYTES)
        if not answer.isclosed():  # there is more, which nobody wants
            self.close()
        return answer.status

    def _new_connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=PATIENCE_SECONDS, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)


def answer_of(status: int) -> Answer:
    """Return what an HTTP status says about an event. A redirection is a refusal: it could lead anywhere."""
    if 200 <= status < 300:
        return Answer.TAKEN
    return Answer.AWAY if status >= 500 or status in TEMPORARY else Answer.REFUSED
