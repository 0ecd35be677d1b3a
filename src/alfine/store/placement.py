"""The place of a training job, as the store records it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The place where a training job runs.

    Attributes:
        attempt: Which of its attempts this is, from 1.
        runner: The name of the runner that placed it; None for the runners of the server's own machine.
        node: The machine; None: it wasn't placed yet, or runs on the server's own machine.
        slot: The slot of that machine.
        pending: Why it can't be placed yet. None: it is placed, or nothing is known.
    """

    attempt: int = 1
    runner: str | None = None
    node: str | None = None
    slot: str | None = None
    pending: str | None = None


UNPLACED = Placement()
"""The first attempt of a training job that isn't placed yet."""

NOWHERE: Mapping[int, Placement] = MappingProxyType({})
"""No training job is placed yet."""
