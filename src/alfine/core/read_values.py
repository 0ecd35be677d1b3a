"""Read single values of a request, and collect what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alfine.core.errors import Fault

LARGEST_INTEGER = 2**31 - 1
"""The largest whole number of a request: AWS's Integer has 32 bits."""

SHOWN_CHARACTERS = 100
"""Characters of a wrong value that a message shows."""

LONGEST_SHOWN_INTEGER = 10**SHOWN_CHARACTERS
"""This integer and larger ones are shown as such: Python refuses to write one of more than 4,300 digits."""


def shown(value: Any) -> str:
    """Return how a message shows a wrong value: as Python writes it, but short."""
    if isinstance(value, int) and abs(value) >= LONGEST_SHOWN_INTEGER:
        return f"a number with more than {SHOWN_CHARACTERS} digits"
    return f"{value!r:.{SHOWN_CHARACTERS}}"


class FaultCollector:
    """Collects the faults of one request, each of them once, in the order in which they are found."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def add(self, path: str, message: str) -> None:
        """Note a fault, unless it's noted already: what several definitions share is read with each of them.

        Args:
            path: Where in the request the fault is.
            message: What is wrong there, which value, and what to do.
        """
        fault = Fault(path, message)
        if fault not in self.faults:
            self.faults.append(fault)

    def extend(self, faults: Iterable[Fault]) -> None:
        """Note several faults."""
        for fault in faults:
            self.add(fault.path, fault.message)

    def choice(
        self, section: Mapping[str, Any], key: str, allowed: Iterable[str], path: str, default: str | None = None
    ) -> str:
        """Return a member of a section that must be one of several strings.

        Args:
            section: The part of the request that has the member.
            key: The member's name.
            allowed: The strings that it may be.
            path: The member's path in the request.
            default: The value without it; None where it's required.
        """
        value = section.get(key, default)
        if value not in tuple(allowed):
            self.add(path, f"{shown(value)} isn't one of {', '.join(allowed)}.")
        return str(value)

    def whole_number(
        self, section: Mapping[str, Any], key: str, least: int, path: str, *, required: bool = False
    ) -> int | None:
        """Return a member of a section that must be a whole number; None without it, and where it's something else.

        Args:
            section: The part of the request that has the member.
            key: The member's name.
            least: The smallest number that is allowed.
            path: The section's path in the request.
            required: Whether the member must be there.
        """
        value = section.get(key)
        if value is None:
            if required:
                self.add(f"{path}.{key}", f"is missing. Use a whole number from {least} on.")
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.add(f"{path}.{key}", f"{shown(value)} must be a whole number from {least} on.")
            return None
        if value > LARGEST_INTEGER:
            self.add(f"{path}.{key}", f"{shown(value)} is too large. Use a whole number up to {LARGEST_INTEGER}.")
            return None
        return value
