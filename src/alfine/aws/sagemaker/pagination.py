"""Pagination of List operations and of Search: the page of a request, its filters, and the token of the next page.

A token holds the place of the last row, so that pages neither repeat nor skip rows while jobs come and go, and a fingerprint of the
filters: with other filters it is refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from alfine.aws.shape_readers import Plain
from alfine.aws.wire_error import WireError, validation_error
from alfine.store import conditions
from alfine.store.conditions import Condition, Listing
from alfine.store.pages import LARGEST, Page

DEFAULT_SIZE = 10
"""Rows of a page, as in AMT's lists of jobs."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def page_of(request: Plain, columns: Mapping[str, str], default: str, *, descending: bool = False) -> Page:
    """Return the page that a List request asks for, with one row more, which shows that there is a next page.

    Args:
        request: The request.
        columns: The columns of its SortBy.
        default: SortBy, if the request names none.
        descending: SortOrder, if the request names none.

    Raises:
        WireError: Its token isn't one of this service, or belongs to other filters.
    """
    column = columns[request.get("SortBy", default)]
    if column == "status" and "StatusEquals" in request:
        column = "name"  # the same order, and an index leads straight to the page
    backwards = request["SortOrder"] == "Descending" if "SortOrder" in request else descending
    token = request.get("NextToken")
    after = place_of(opened(token, request), column) if token else None
    return Page(column, backwards, request.get("MaxResults", DEFAULT_SIZE) + 1, after)


def answered(request: Plain, page: Page, rows: Sequence[Any], key: str, show: Callable[[Any], Plain]) -> Plain:
    """Return the answer of a List operation, with a token if there is a next page.

    Args:
        request: The request.
        page: The page of `page_of`.
        rows: What was read for it.
        key: The answer's name for its rows.
        show: Returns a row of the answer.
    """
    shown = rows[: page.size - 1]
    answer: Plain = {key: [show(row) for row in shown]}
    if len(rows) == page.size and shown:
        last = shown[-1]
        answer["NextToken"] = sealed(place(getattr(last, page.sort), last.name), request)
    return answer


def filters(request: Plain, listing: Listing) -> list[Condition]:
    """Return the filters that all List requests share. «After» and «before» exclude the instant itself."""
    chosen: list[Condition] = []
    for key, column in {"CreationTime": "created_at", "LastModifiedTime": "modified_at"}.items():
        if f"{key}After" in request:
            chosen.append(conditions.after(listing, column, request[f"{key}After"]))
        if f"{key}Before" in request:
            chosen.append(conditions.before(listing, column, request[f"{key}Before"]))
    if "NameContains" in request:
        chosen.append(conditions.name_contains(listing, request["NameContains"]))
    if "StatusEquals" in request:
        chosen.append(conditions.equals(listing, "status", request["StatusEquals"]))
    return chosen


# ---- tokens ------------------------------------------------------------------------------------------------------------


def place(value: Any, name: str) -> list[Any]:
    """Return the place of a row, as JSON can hold it: the value by which it is sorted, and its name."""
    return [(value - EPOCH).total_seconds() if isinstance(value, datetime) else value, name]


def place_of(stored: Any, column: str) -> tuple[Any, str]:
    """Return the place that a token stored, for the column of the order. Raise WireError if it can't be one."""
    textual = column in ("name", "status")
    match stored:
        case [str(text), str(name)] if textual:
            return text, name
        case [int() | float() as number, str(name)] if not textual and -LARGEST <= number <= LARGEST:
            return (_instant(number) if column.endswith("_at") else float(number)), name
    raise not_ours()


def _instant(seconds: float) -> datetime:
    try:
        return EPOCH + timedelta(seconds=seconds)
    except OverflowError as error:
        raise not_ours() from error


def sealed(place: Any, request: Plain) -> str:
    """Return a token that stores a place. It is valid for the same filters only."""
    return base64.urlsafe_b64encode(json.dumps([place, _fingerprint(request)]).encode()).decode()


def opened(token: str, request: Plain) -> Any:
    """Return the place that a token stores. Raise WireError if it isn't one of this service, or belongs to other filters."""
    try:
        stored, fingerprint = json.loads(base64.b64decode(token.encode(), b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise not_ours() from error
    if fingerprint != _fingerprint(request):
        raise validation_error("Invalid pagination token because it belongs to a request with other filters.")
    return stored


def not_ours() -> WireError:
    """Return the error for a token that this service didn't make."""
    return validation_error("Invalid pagination token because it isn't one of this service's.")


def _fingerprint(request: Plain) -> int:
    filters = {key: str(value) for key, value in request.items() if key not in ("NextToken", "MaxResults")}
    return zlib.crc32(json.dumps(filters, sort_keys=True).encode())
