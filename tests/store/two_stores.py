"""Two stores on one PostgreSQL database, whose transactions overlap in an order that is always the same."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import sqlalchemy as sa

from alfine.store.store import Store

PATIENCE = 30.0
"""Seconds after which a test that hangs fails."""

WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class Two:
    """Two stores on one database, as two processes have them."""

    def __init__(self, url: str) -> None:
        self.first, self.second, self._watcher = Store(url), Store(url), sa.create_engine(url)
        self._stores = (self.first, self.second)

    def overlapping(self, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Future[Any], Future[Any]]:
        """Run what the first does up to its commit; what the second does until it waits for the first, or ends; then both to the end."""
        reached, go = Event(), Event()

        def pause(_connection: object) -> None:
            reached.set()
            go.wait(PATIENCE)

        sa.event.listen(self.first.database.engine, "commit", pause)
        try:
            with ThreadPoolExecutor(2) as pool:
                one = pool.submit(first)
                assert reached.wait(PATIENCE)
                two = pool.submit(second)
                while not two.done() and not self._waits():
                    pass
                go.set()
        finally:
            sa.event.remove(self.first.database.engine, "commit", pause)
        return one, two

    def _waits(self) -> bool:
        with self._watcher.connect() as connection:
            return bool(connection.execute(WAITING).scalar())

    def close(self) -> None:
        for store in self._stores:
            store.close()
        self._watcher.dispose()
