"""One-time links into the console, as Jupyter has them: `alfine serve` prints one, `alfine console` asks for another.

Only who reads the server's output, or signs a request with one of the home's keys, gets one. A link opens one session, once, within
`LINK_SECONDS`, at any server that shares the database; what is left of it in a browser's history is worth nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from alfine.store.console_tokens import ConsoleToken, ConsoleTokens

LINK_SECONDS = 3600.0
"""Seconds for which a link can be opened."""

MOST_LINKS = 100
"""Links that wait to be opened; another one replaces the oldest."""


class OneTimeLinks:
    """The links that wait to be opened.

    Args:
        tokens: Where they are kept.
        clock: Returns the present instant.
    """

    def __init__(self, tokens: ConsoleTokens, clock: Callable[[], datetime]) -> None:
        self._tokens = tokens
        self._clock = clock

    def new(self, key: str) -> str:
        """Return the token of a new link, which opens a session for the access key with this id."""
        token, now = secrets.token_urlsafe(32), self._clock()
        known = ConsoleToken(key, "", now + timedelta(seconds=LINK_SECONDS))
        self._tokens.add("link", token, known, now, MOST_LINKS)
        return token

    def redeem(self, token: str) -> str | None:
        """Return the id of the link's access key, once; None for a token that was used, has ended, or never was one."""
        link = self._tokens.take("link", token, self._clock())
        return None if link is None else link.access_key
