"""The parts of a page that change while it's looked at: each has a digest, and a script that names those it has is sent the others alone.

A template marks a part with `{% filter part|live %}` around its element, and a table whose rows are parts with `{% filter live %}` around the
table and `{% filter part %}` around each row. A page that is asked for without digests is sent whole.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

import jinja2
from markupsafe import Markup

HAS = "x-alfine-has"
"""The header with the digests of the parts that a page has, with spaces between them."""

DIGEST_BYTES = 6
"""Bytes of a digest: of a thousand parts a second, two different ones have the same once in some 10,000 years."""

BEGIN = re.compile(r'\s*<(?P<tag>\w+)[^>]* id="(?P<id>[^"]+)"')
"""The beginning of a part: its element, with its id."""


class LiveParts:
    """The parts of one answer.

    Args:
        has: The header of the request; None where the whole page is asked for.
    """

    def __init__(self, has: str | None) -> None:
        self._is_whole = has is None
        self._has = frozenset((has or "").split())
        self._live: list[str] = []

    def part(self, html: str) -> Markup:
        """Return a part with its digest; without its content where the page has it."""
        begin = BEGIN.match(html)
        assert begin is not None, f"a part needs an id: {html[:200]}"
        digest = blake2b(html.encode(), digest_size=DIGEST_BYTES).hexdigest()
        if digest in self._has:
            return Markup(f'<{begin["tag"]} id="{begin["id"]}" data-same></{begin["tag"]}>')  # noqa: S704 - the template wrote it
        at = begin.end()
        return Markup(f'{html[:at]} data-digest="{digest}"{html[at:]}')  # noqa: S704 - the template wrote it

    def live(self, html: str) -> Markup:
        """Return what is sent in any case, and keep it for the answer."""
        self._live.append(html)
        return Markup(html)  # noqa: S704 - the template wrote it

    def answer(self, page: str) -> str:
        """Return what is sent of a rendered page: all of it, or its parts."""
        return page if self._is_whole else "".join(self._live)


@jinja2.pass_context
def part(context: jinja2.runtime.Context, html: str) -> Markup:
    """Return a part of a page as its request asks for it."""
    return _parts(context).part(html)


@jinja2.pass_context
def live(context: jinja2.runtime.Context, html: str) -> Markup:
    """Return a piece of a page that changes, and keep it for an answer that is made of these alone."""
    return _parts(context).live(html)


def _parts(context: jinja2.runtime.Context) -> LiveParts:
    parts: Any = context["parts"]
    assert isinstance(parts, LiveParts)
    return parts
