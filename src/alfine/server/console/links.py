"""One-time links into the console, as Jupyter has them: `alfine serve` prints one, `alfine console` asks for another.

Only who reads the server's output, or signs a request with one of the home's keys, gets one. A link opens one session, once, within
`LINK_SECONDS`; what is left of it in a browser's history is worth nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

LINK_SECONDS = 3600.0
"""Seconds for which a link can be opened."""

MOST_LINKS = 100
"""Links that wait to be opened; another one replaces the oldest."""


@dataclass(frozen=True, slots=True)
class _Link:
    """The id of the access key that its session belongs to, and when it ends in seconds of a monotonic clock."""

    key: str
    until: float


class OneTimeLinks:
    """The links of one server that wait to be opened; kept as hashes, in memory.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._links: dict[bytes, _Link] = {}
        self._mutex = threading.Lock()

    def new(self, key: str) -> str:
        """Return the token of a new link, which opens a session for the access key with this id."""
        token = secrets.token_urlsafe(32)
        with self._mutex:
            self._links = dict([*self._links.items()][-(MOST_LINKS - 1) :])
            self._links[_hashed(token)] = _Link(key, self._clock() + LINK_SECONDS)
        return token

    def redeem(self, token: str) -> str | None:
        """Return the id of the link's access key, once; None for a token that was used, has ended, or never was one."""
        with self._mutex:
            link = self._links.pop(_hashed(token), None)
        return link.key if link is not None and link.until >= self._clock() else None


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
