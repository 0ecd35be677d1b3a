"""Server-sent events: tell a page that what it shows has changed, so that it fetches its live parts again.

Only the fact of a change is sent, never its content: how a page looks is decided by its template alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from starlette.concurrency import run_in_threadpool

from alfine.core.errors import AlfineError
from alfine.core.facts import is_terminal
from alfine.server.console.page_request import PageRequest
from alfine.store import queries

POLL_SECONDS = 1.0
"""Seconds between two looks at the store."""

RELOAD_POLLS = 15
"""After so many polls a running job's page is fetched again without a change: its times and forecasts have moved."""

KEEP_ALIVE_POLLS = 5
"""After so many polls without a change a comment is sent: proxies close silent connections."""


def state_of_all(request: PageRequest) -> object:
    """Return a value that differs after every change of any tuning job, or of a forecast. It is never None: the list has no end."""
    with request.service.store.reading() as connection:
        return queries.last_change(connection), request.backend.insights.forecasts, True


def state_of_tuning_job(request: PageRequest) -> object:
    """Return a value that differs after every change of the tuning job, or of what its page shows; its last element is whether the job has ended."""
    with request.service.store.reading() as connection:
        row = queries.state(connection, request.path_part("name"))
    return row.id, row.status, row.facts, request.backend.insights.version(row.id), is_terminal(row.status)


def state_of_training_job(request: PageRequest) -> object:
    """Return a value that differs after every change of the training job or its log; its last element is whether it has ended."""
    with request.service.store.reading() as connection:
        row = queries.training_job(connection, request.path_part("name"))
    log_bytes = request.service.logs.size(row)
    return row.status, row.started_at, row.log_offset, log_bytes, is_terminal(row.status)


async def stream(
    request: PageRequest, state: Callable[[PageRequest], object], leaving: asyncio.Event
) -> AsyncIterator[str]:
    """Yield the text of an event stream: «changed» after each change, a comment every few seconds.

    The stream ends when the job was deleted or the server shuts down.

    Args:
        request: The page's request.
        state: One of the `state_of_…` functions.
        leaving: Set when the server shuts down.
    """
    yield "retry: 3000\n\n"
    before, polls = await _polled(state, request), 0
    while before is not None:
        with suppress(TimeoutError):  # nobody leaves: it's time for the next look
            async with asyncio.timeout(POLL_SECONDS):
                await leaving.wait()
                return
        now, polls = await _polled(state, request), polls + 1
        if now != before or (polls % RELOAD_POLLS == 0 and not _ended(now)):
            yield "event: changed\ndata:\n\n"
        elif polls % KEEP_ALIVE_POLLS == 0:
            yield ": keep-alive\n\n"
        before = now


async def _polled(state: Callable[[PageRequest], object], request: PageRequest) -> object:
    try:
        return await run_in_threadpool(state, request)
    except AlfineError:
        return None  # the job was deleted


def _ended(state: object) -> bool:
    return isinstance(state, tuple) and bool(state[-1])
