"""What may be written to a terminal: texts come from requests and from training programs, and a terminal obeys what it's sent."""

from __future__ import annotations

import re

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)  # all but tab and newline: what moves, recolours, renames, answers
_CONTROL_BYTES = re.compile(rb"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")


def printable(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def printable_log(data: bytes) -> bytes:
    """A log for a terminal: its colours stay, and its carriage returns."""
    return _CONTROL_BYTES.sub(b"?", data)


class Printable:
    """A renderable without control characters in its text."""

    def __init__(self, inner: RenderableType) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for each in console.render(self.inner, options):
            yield each if each.control else Segment(printable(each.text), each.style)
