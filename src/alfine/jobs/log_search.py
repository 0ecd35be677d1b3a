"""Searches the log of a training job for a text, piece by piece: a log may have a gigabyte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alfine.runners.log_files import PART_BYTES
from alfine.runners.protocol import LogPiece

SEARCHED_BYTES = 64 << 20
"""Bytes of a log that one search looks at: some 0.2 s."""

MOST_FOUND = 100_000
"""Lines that one search finds, at most."""


@dataclass(frozen=True, slots=True)
class LogMatches:
    """The lines of a log that have a text.

    Attributes:
        lines: Where each begins, in bytes.
        begin: Where the search began.
        end: Where it ended: the first byte that it didn't look at.
        at_end: Whether that is the end of the log.
    """

    lines: tuple[int, ...]
    begin: int
    end: int
    at_end: bool


def find_lines(read: Callable[[int, int], LogPiece], text: str, begin: int = 0) -> LogMatches:
    """Return the lines that have a text, in ASCII letters of any case.

    Args:
        read: Reads bytes of the log: from where, and how many at most.
        text: The text, without line ends.
        begin: Where the search begins, in bytes.
    """
    needle, found = text.lower().encode(), list[int]()
    position, carried = begin, b""  # what was read of a line before its end
    while position - begin < SEARCHED_BYTES and len(found) < MOST_FOUND:
        data = read(position, PART_BYTES).data
        block, start = carried + data.lower(), position - len(carried)
        if not data:
            found += _lines_with(needle, block, start)
            return LogMatches(tuple(found), begin, position, at_end=True)
        position += len(data)
        whole = block.rfind(b"\n") + 1 or len(block)  # of a line longer than a part, each part is looked at alone
        found += _lines_with(needle, block[:whole], start)
        carried = block[whole:]
    return LogMatches(tuple(found), begin, position - len(carried), at_end=False)


def _lines_with(needle: bytes, block: bytes, start: int) -> list[int]:
    """Return where lines of a block begin that have the needle; `start` is where the block begins in the log."""
    found, at = [], 0
    while (at := block.find(needle, at)) >= 0:
        line = block.rfind(b"\n", 0, at) + 1
        found.append(start + line)
        at = block.find(b"\n", at)
        if at < 0:
            break
    return found
