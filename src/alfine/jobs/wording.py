"""Make text safe for a terminal: texts come from requests and training programs, and a terminal executes control characters."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All control characters but tab and newline: they move the cursor, recolour, rename the window, or answer."""

_CONTROL_BYTES = re.compile(rb"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
"""The control bytes of a log, but for colours (ESC [ … m) and carriage returns."""


def printable(text: str) -> str:
    """Return the text with a replacement character for each control character but tab and newline."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def printable_log(data: bytes) -> bytes:
    """Return a log for a terminal: with its colours and carriage returns, but without other control characters."""
    return _CONTROL_BYTES.sub(b"?", data)
