"""The pages of a training job's log: read page by page, searched, followed and downloaded."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup, escape
from starlette.responses import Response, StreamingResponse

from alfine.core.errors import Fault, InvalidSpec, NotFound
from alfine.core.facts import is_terminal
from alfine.jobs.wording import printable
from alfine.runners.log_files import LogPart
from alfine.server.console.page_request import PageRequest
from alfine.server.console.sent_files import attachment
from alfine.store import queries

LAST_LINES = 60
"""Lines of the log on the page of the training job."""

PAGE_BYTES = 64 << 10
"""Bytes of the log on one page of it."""

BEFORE_MATCH_BYTES = 4 << 10
"""Bytes of the log that a page shows before the match that it leads to."""

LONGEST_OFFSET = 18
"""Digits of a byte offset in a URL: any that fits into 64 bits."""

LONGEST_TEXT = 200
"""Characters of a text that is searched."""

MARK = Markup("<mark>{}</mark>")
CURRENT_MARK = Markup('<mark class="current">{}</mark>')
FIRST_MARK = Markup('<mark id="match" class="current">{}</mark>')

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def last_lines(request: PageRequest, name: str) -> Mapping[str, Any]:
    """Return the end of a log for the page of its training job."""
    try:
        part = request.service.log(name, lines=LAST_LINES)
    except NotFound as error:
        return {"text": "", "note": str(error)}
    return {
        "text": text_of(part.data),
        "note": "" if part.data else "The log is empty so far.",
        "begin": part.begin,
        "end": part.end,
    }


def log_page(request: PageRequest) -> Response:
    """Render a page of the log. A page ends with a whole line where that is possible.

    Query: `begin`, its first byte; or `find`, a text, with `at`, where the line of the match begins that is led to.
    """
    name, find = request.path_part("name"), request.query.get("find", "").strip()[:LONGEST_TEXT]
    with request.service.store.reading() as connection:
        ended = is_terminal(queries.training_job(connection, name).status)
    search = _search(request, name, find) if find else None
    begin = search["begin"] if search and search["at"] is not None else _offset(request, "begin")
    part = request.service.log(name, begin)
    data = whole_lines(part, PAGE_BYTES)
    end = begin + len(data)
    later = end if end < part.end or not part.last else None
    return request.render(
        "log.html",
        name=name,
        path=part.path,
        text=marked(data, begin, find, search["at"] if search else None),
        begin=begin,
        end=end,
        find=find,
        search=search,
        ended=ended,
        earlier=_earlier(request, name, begin) if begin else None,
        later=later,
        last=_last_page(request, name) if later is not None else None,
    )


def _search(request: PageRequest, name: str, find: str) -> dict[str, Any]:
    """Return where the text is: the match that is led to, its neighbours, and where the page with it begins."""
    found = request.service.logs.search(name, find, _offset(request, "from"))
    lines, wanted = found.lines, _offset(request, "at")
    position = min(bisect_left(lines, wanted), len(lines) - 1)
    at = lines[position] if lines else None
    return {
        "at": at,
        "position": position + 1,
        "count": len(lines),
        "previous": lines[position - 1] if position > 0 else None,
        "next": lines[position + 1] if position + 1 < len(lines) else None,
        "begin": 0 if at is None else _line_before(request, name, max(0, at - BEFORE_MATCH_BYTES), at),
        "from": found.begin,
        "further": None if found.at_end else found.end,
    }


def _line_before(request: PageRequest, name: str, earliest: int, line: int) -> int:
    """Return where the first whole line after a byte begins, or the line itself."""
    if earliest == 0:
        return 0
    before = request.service.log(name, earliest).data[: line - earliest]
    return earliest + before.find(b"\n") + 1 if b"\n" in before else line


def _earlier(request: PageRequest, name: str, begin: int) -> int:
    """Return the first byte of the page before, which begins with a whole line where that is possible."""
    earlier = max(0, begin - PAGE_BYTES)
    before = request.service.log(name, earlier).data[: begin - earlier]
    return earlier + (before.find(b"\n", 0, -1) + 1 if earlier else 0)


def _last_page(request: PageRequest, name: str) -> int:
    """Return the first byte of the last page."""
    return max(0, request.service.log(name, lines=LAST_LINES * 10).begin)


def log_part(request: PageRequest) -> Response:
    """Return what was added to the log, as plain text. Query: `begin`. The header `x-alfine-end` has the next byte."""
    begin = _offset(request, "begin")
    part = request.service.log(request.path_part("name"), begin)
    data = whole_lines(part, PAGE_BYTES)
    headers = {"x-alfine-end": str(begin + len(data))}
    return Response(text_of(data), headers=headers, media_type="text/plain")


def log_file(request: PageRequest) -> Response:
    """Answer the whole log, as it was written, to be saved as a file."""
    name = request.path_part("name")
    pieces: Iterator[bytes] = request.service.logs.pieces(name)
    return StreamingResponse(pieces, media_type="text/plain", headers=attachment(f"{name}.log"))


def whole_lines(part: LogPart, max_bytes: int) -> bytes:
    """Return the data up to the end of its last line; all of it when the log has ended or has no line end there."""
    data = part.data[:max_bytes]
    if part.ended and len(part.data) <= max_bytes:
        return data
    end = data.rfind(b"\n") + 1
    return data[:end] if end or len(data) < max_bytes else data


def text_of(data: bytes) -> str:
    """Decode a log for a page: without colours and other terminal control characters."""
    text = data.decode(errors="replace").replace("\r\n", "\n")
    return printable(_COLOUR.sub("", text))


def marked(data: bytes, begin: int, find: str, at: int | None) -> Markup:
    """Return a part of a log as HTML with marks where a text is.

    Args:
        data: The part.
        begin: Where it begins in the log, in bytes.
        find: The text; "": there are no marks.
        at: Where the line begins whose marks are the current match.
    """
    if not find:
        return escape(text_of(data))
    pattern = re.compile(f"({re.escape(find)})", re.IGNORECASE)
    lines = []
    for line in data.splitlines(keepends=True):
        parts = pattern.split(text_of(line))
        for index in range(1, len(parts), 2):
            mark = MARK if begin != at else FIRST_MARK if index == 1 else CURRENT_MARK
            parts[index] = mark.format(parts[index])
        lines.append(Markup("").join(parts))
        begin += len(line)
    return Markup("").join(lines)


def _offset(request: PageRequest, key: str) -> int:
    text = request.query.get(key, "0")
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_OFFSET:
        raise InvalidSpec([Fault(key, f"{text[:40]!r} must be a whole number.")])
    return int(text)
