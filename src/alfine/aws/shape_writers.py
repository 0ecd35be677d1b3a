"""Writers of the values in an answer: each writes one kind of shape of botocore's service model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

Writer = Callable[[Any], Any]
"""Returns a value as it is written in JSON."""


def structure_writer(members: Mapping[str, Writer]) -> Writer:
    """Return a writer of objects, which leaves out what isn't set and what the model doesn't have."""

    def write(value: Mapping[str, Any]) -> dict[str, Any]:
        return {name: members[name](each) for name, each in value.items() if each is not None and name in members}

    return write


def list_writer(member: Writer) -> Writer:
    """Return a writer of lists."""
    return lambda value: [member(each) for each in value]


def map_writer(member: Writer) -> Writer:
    """Return a writer of objects with any keys, which leaves out what isn't set."""
    return lambda value: {str(key): member(each) for key, each in value.items() if each is not None}


def epoch_seconds(at: datetime | float) -> float:
    """Return epoch seconds in whole milliseconds, as AWS has them; a number is returned unchanged."""
    return round(at.timestamp(), 3) if isinstance(at, datetime) else at


def write_finite(value: float) -> float:
    """Return the value, with the largest double in place of infinity: JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else math.copysign(1.7976931348623157e308, value)


def write_as_is(value: Any) -> Any:
    """Return the value."""
    return value
