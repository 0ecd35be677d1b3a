"""Values as HTML: instants that the browser writes in the reader's time zone, and nested data as lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from markupsafe import Markup, escape

from alfine.core.wording import UNKNOWN, number

HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Where a word of a criterion's name begins."""


def instant(at: datetime | str | None) -> Markup:
    """Return a `<time>` element in the server's time zone; the page's script rewrites it in the reader's.

    Args:
        at: An instant, or its ISO 8601 text; None returns «–».
    """
    if at is None:
        return escape(UNKNOWN)
    local = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone()
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        local.isoformat(timespec="seconds"),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        f"{local.day} {local:%b %H:%M:%S}",
    )


def prose(text: str) -> Markup:
    """Return a sentence as HTML: what stands between backticks as code, and a number on one line with its percent sign."""
    parts = text.replace(" %", "\N{NO-BREAK SPACE}%").split("`")
    if len(parts) % 2 == 0:  # a single backtick is one
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    )


def breakable(text: str) -> Markup:
    """Return a criterion with its settings, which a narrow column may break between the words of its name: «BestObjective», «NotImproving»."""
    return Markup("<wbr>").join(HUMP.split(text))


def nested_list(value: Any) -> Markup:
    """Return JSON-like data as nested HTML lists: mappings as `<dl>`, lists as `<ul>`, everything else as text."""
    match value:
        case Mapping():
            rows = (
                Markup("<dt>{}</dt><dd>{}</dd>").format(_in_words(str(key)), nested_list(entry))
                for key, entry in value.items()
            )
            return Markup("<dl>{}</dl>").format(Markup("").join(rows))
        case list() | tuple():
            items = Markup("").join(Markup("<li>{}</li>").format(nested_list(entry)) for entry in value)
            return Markup("<ul>{}</ul>").format(items) if value else escape(UNKNOWN)
        case bool():
            return Markup("yes") if value else Markup("no")
        case float() | int():
            return escape(number(value))
        case None:
            return escape(UNKNOWN)
        case _:
            return escape(str(value))


def _in_words(name: str) -> str:
    """Split a name into words: «BestEstimate» becomes «best estimate»."""
    letters = "".join(f" {char.lower()}" if char.isupper() and not name.isupper() else char for char in name)
    return letters.replace("_", " ").strip()
