"""Amounts as people write them in settings and commands: «500 GB», «30d»."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from alfine.core.errors import Fault, InvalidSpec

_AMOUNT = re.compile(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*([A-Za-z]*)\s*")

BYTES: Mapping[str, int] = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
"""Units of sizes (IEC 80000-13)."""

SPANS: Mapping[str, timedelta] = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
"""Units of time spans."""

LONGEST_SPAN = timedelta(days=36_500)
"""The longest time span that is taken: a date so long before today can still be computed."""


def bytes_of(text: str, where: str) -> int:
    """Return the bytes of a size such as «500 GB».

    Args:
        text: The size.
        where: The setting or option, for the message.

    Raises:
        InvalidSpec: It is no size.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None or found[2] not in BYTES:
        raise InvalidSpec([Fault(where, f"{text!r} is no size. Write it as 500 GB, 20 GiB or 2 TB.")])
    return int(float(found[1]) * BYTES[found[2]])


def span_of(text: str, where: str) -> timedelta:
    """Return a time span such as «30d».

    Args:
        text: The time span.
        where: The setting or option, for the message.

    Raises:
        InvalidSpec: It is no time span, or longer than `LONGEST_SPAN`.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None or found[2] not in SPANS:
        raise InvalidSpec([Fault(where, f"{text!r} is no time span. Write it as 30d, 12h or 4w.")])
    if float(found[1]) > LONGEST_SPAN / SPANS[found[2]]:
        raise InvalidSpec([Fault(where, f"{text!r} is more than a century.")])
    return float(found[1]) * SPANS[found[2]]
