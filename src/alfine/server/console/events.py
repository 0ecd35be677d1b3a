"""Server-sent events: tells a page that what it shows has changed; the page then fetches its live parts anew.

Only that something changed is sent, never what: the page's template stays the one place that says how things look.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from starlette.concurrency import run_in_threadpool

from alfine.core.arns import name_as_created
from alfine.core.errors import AlfineError
from alfine.core.history import is_terminal
from alfine.runners.job_folder import Workspace
from alfine.server.console.page_request import Visit
from alfine.store import queries

LOOK_SECONDS = 1.0
TIME_PASSES = 15  # looks: what runs is shown anew then, since times and forecasts have moved
SIGN_OF_LIFE = 5  # looks: proxies close what is silent, and a session may have ended


def of_jobs(visit: Visit) -> object:
    """Of all tuning jobs; never None, which would mean that there is nothing to look at any more."""
    with visit.service.store.reading() as connection:
        return (queries.last_change(connection), True)


def of_job(visit: Visit) -> object:
    with visit.service.store.reading() as connection:
        row = queries.state(connection, visit.part("name"))
    return row.id, row.status, row.facts, is_terminal(row.status)


def of_training_job(visit: Visit) -> object:
    with visit.service.store.reading() as connection:
        row = queries.training_job(connection, visit.part("name"))
    log = Workspace(visit.service.folder / name_as_created(row.tuning_job_name) / row.name).log
    size = 0
    with suppress(OSError):
        size = log.stat().st_size
    return row.status, row.started_at, row.log_offset, size, is_terminal(row.status)


async def stream(visit: Visit, look: Callable[[Visit], object], leaving: asyncio.Event) -> AsyncIterator[str]:
    """«changed» after each change, until what is looked at is gone or the server leaves; something every few seconds."""
    yield "retry: 3000\n\n"
    before, looks = await _looked(look, visit), 0
    while before is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await leaving.wait()
                return
        now, looks = await _looked(look, visit), looks + 1
        if now != before or (looks % TIME_PASSES == 0 and not _ended(now)):
            yield "event: changed\ndata:\n\n"
        elif looks % SIGN_OF_LIFE == 0:
            yield ": still here\n\n"
        before = now


async def _looked(look: Callable[[Visit], object], visit: Visit) -> object:
    try:
        return await run_in_threadpool(look, visit)
    except AlfineError:
        return None  # deleted meanwhile


def _ended(state: object) -> bool:
    return isinstance(state, tuple) and bool(state[-1])
