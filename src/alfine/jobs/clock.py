"""The present instant. Everything that needs it takes a clock as an argument, so that tests can turn it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present instant, in UTC."""


def utc_now() -> datetime:
    """Return the present instant of this machine."""
    return datetime.now(UTC)
