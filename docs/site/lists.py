"""Indent what belongs to list items by four spaces each, as Python-Markdown wants it; GitHub takes the width of the marker."""

from __future__ import annotations

import re
from collections.abc import Iterator

MARKER = re.compile(r"(?:[-*+]|\d+\.) +(?=\S)")
FENCE = re.compile(r"`{3,}|~{3,}")
INDENT = 4


def with_wide_lists(text: str) -> str:
    """Return a page whose nested lists, paragraphs and code blocks in list items are indented by four spaces a level."""
    return "\n".join(_lines(text.split("\n")))


def _lines(lines: list[str]) -> Iterator[str]:
    offsets: list[int] = []  # where the content of each open list item begins
    fence, before = "", ""
    for line in lines:
        rest = line.lstrip(" ")
        if fence or not rest:
            yield _moved(line, offsets) if rest else ""
            fence = "" if fence and rest.rstrip() == fence else fence
            before = rest
            continue
        indent = len(line) - len(rest)
        while offsets and indent < offsets[-1] and (not before or MARKER.match(rest)):
            offsets.pop()
        if (marker := MARKER.match(rest)) and indent - (offsets[-1] if offsets else 0) < INDENT:
            if not offsets and before and not before.startswith("#"):
                yield ""  # a list doesn't interrupt a paragraph here
            yield " " * INDENT * len(offsets) + rest
            offsets.append(indent + marker.end())
        else:
            yield _moved(line, offsets)
        opened = FENCE.match(rest)
        fence, before = opened[0] if opened else "", rest


def _moved(line: str, offsets: list[int]) -> str:
    """Return a line of an item's content at the item's wider indent; what begins further left is left to the paragraph."""
    began = offsets[-1] if offsets else 0
    indent = len(line) - len(line.lstrip(" "))
    return " " * (INDENT * len(offsets) + max(0, indent - began)) + line.lstrip(" ")
