"""Pages of lists: what a request asks for, its filters, and the token that the next one goes on from.

A token holds the last row's place (keyset), so that pages neither repeat nor skip rows while jobs come and go, and a
fingerprint of the filters: with others it's refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from alfine.aws.protocol import Plain, validation_error
from alfine.queries import Condition, Page

DEFAULT_SIZE = 10  # AMT's, for lists of jobs
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHANGES = ("uploaded_at", "ended_at", "stop_asked_at", "started_at", "created_at")


def page_of(request: Plain, columns: Mapping[str, str], default: str, *, descending: bool = False) -> Page:
    """The page that a List request asks for. columns: its SortBy -> the column; one row more is read, to know of a next page."""
    column = columns[request.get("SortBy", default)]
    if column == "status" and "StatusEquals" in request:
        column = "name"  # the same order, and an index leads straight to the page
    backwards = request["SortOrder"] == "Descending" if "SortOrder" in request else descending
    token = request.get("NextToken")
    after = _place(token, request) if token else None
    return Page(column, backwards, request.get("MaxResults", DEFAULT_SIZE) + 1, after)


def answered(request: Plain, page: Page, rows: Sequence[Any], key: str, show: Callable[[Any], Plain]) -> Plain:
    """The answer of a List operation, with a token when there is more."""
    shown = rows[: page.size - 1]
    answer: Plain = {key: [show(row) for row in shown]}
    if len(rows) == page.size and shown:
        last = shown[-1]
        answer["NextToken"] = _token(getattr(last, page.sort), last.name, request)
    return answer


def filters(request: Plain, table: sa.Table) -> list[Condition]:
    """The filters that all lists of jobs share; «after» and «before» leave out the instant itself."""
    modified = table.c.get("modified_at", sa.func.coalesce(*(table.c.get(name, sa.null()) for name in _CHANGES)))
    conditions: list[Condition] = []
    for key, column in (("CreationTime", table.c.created_at), ("LastModifiedTime", modified)):
        if f"{key}After" in request:
            conditions.append(column > sa.literal(request[f"{key}After"], table.c.created_at.type))
        if f"{key}Before" in request:
            conditions.append(column < sa.literal(request[f"{key}Before"], table.c.created_at.type))
    if "NameContains" in request:
        conditions.append(sa.func.lower(table.c.name).contains(request["NameContains"].lower(), autoescape=True))
    if "StatusEquals" in request:
        conditions.append(table.c.status == request["StatusEquals"])
    return conditions


def _token(value: Any, name: str, request: Plain) -> str:
    place = ["at", (value - EPOCH).total_seconds()] if isinstance(value, datetime) else ["is", value]
    return base64.urlsafe_b64encode(json.dumps([*place, name, _fingerprint(request)]).encode()).decode()


def _place(token: str, request: Plain) -> tuple[Any, str]:
    try:
        kind, value, name, fingerprint = json.loads(base64.b64decode(token.encode(), b"-_", validate=True))
        known = kind in ("at", "is") and isinstance(name, str) and isinstance(value, str | int | float)
        place = datetime.fromtimestamp(value, UTC) if kind == "at" else value
    except (binascii.Error, ValueError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise validation_error("Invalid pagination token because it isn't one of this service's.") from error
    if not known:
        raise validation_error("Invalid pagination token because it isn't one of this service's.")
    if fingerprint != _fingerprint(request):
        raise validation_error("Invalid pagination token because it belongs to a request with other filters.")
    return place, name


def _fingerprint(request: Plain) -> int:
    filters = {key: str(value) for key, value in request.items() if key not in ("NextToken", "MaxResults")}
    return zlib.crc32(json.dumps(filters, sort_keys=True).encode())
