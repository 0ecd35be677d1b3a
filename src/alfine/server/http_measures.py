"""Measures every HTTP request that the server answers, for /metrics."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, MutableMapping
from typing import Any

from alfine.jobs.measures import Histogram

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"})
"""Methods that are counted by name: a client may send any word."""


class HttpMeasures:
    """Counts of answers by method and status, and how long answers took until their first byte."""

    def __init__(self) -> None:
        self.seconds = Histogram()
        self._answers: Counter[tuple[str, int]] = Counter()
        self._mutex = threading.Lock()

    def answers(self) -> Mapping[tuple[str, int], int]:
        """Return how many requests were answered so far, by method and status."""
        with self._mutex:
            return dict(self._answers)

    def add(self, method: str, status: int, seconds: float) -> None:
        """Count an answer."""
        with self._mutex:
            self._answers[method if method in METHODS else "other", status] += 1
        self.seconds.add(seconds)


class Measured:
    """The ASGI application around all others, which counts their answers."""

    def __init__(self, app: Any, measures: HttpMeasures) -> None:
        self.app = app
        self.measures = measures

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.monotonic()

        async def counted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.measures.add(scope["method"], message["status"], time.monotonic() - begun)
            await send(message)

        await self.app(scope, receive, counted)
