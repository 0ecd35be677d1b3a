"""Announcements of what users ask for: PostgreSQL tells every process at once (LISTEN and NOTIFY). With SQLite, each process looks."""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from alfine.store.database import Connection, Database

log = logging.getLogger("alfine.store.announcements")

CHANNEL = "alfine"
"""The channel's name. Channels belong to one database."""

RETRY_SECONDS = 1.0
"""Time between two attempts to listen again, while the server is away."""

Heard = Callable[[str | None], None]
"""Called with the name of a tuning job; None when announcements may have been missed: any tuning job may be meant."""

_NOTIFY = sa.text("SELECT pg_notify(:channel, :name)")


def announce(connection: Connection, name: str) -> None:
    """Tell every process, once the transaction is committed, that a user has asked for something.

    Args:
        connection: An open transaction.
        name: The tuning job.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY, {"channel": CHANNEL, "name": name})


class Announcements:
    """The listener to what users of any process ask for: a thread with a connection of its own, while anybody wants to hear it.

    Args:
        database: Only PostgreSQL announces anything.
    """

    def __init__(self, database: Database) -> None:
        self.are_made = database.is_postgres
        self._database = database
        self._mutex = threading.Lock()
        self._hearers: list[Heard] = []
        self._thread: threading.Thread | None = None
        self._leave = -1  # a pipe: whoever closes it ends the thread

    @contextmanager
    def heard_by(self, hearer: Heard) -> Iterator[None]:
        """Call a function, in another thread, for each tuning job that a user creates, stops, changes or deletes, while the block runs."""
        if not self.are_made:
            yield
            return
        with self._mutex:
            self._hearers.append(hearer)
            if self._thread is None:
                left, self._leave = os.pipe()
                self._thread = threading.Thread(target=self._listen, args=(left,), name="alfine-listen", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            self._forget(hearer)

    def close(self) -> None:
        """Stop listening, whoever wants to hear."""
        with self._mutex:
            self._hearers.clear()
        self._leave_if_unheard()

    def _forget(self, hearer: Heard) -> None:
        with self._mutex:
            if hearer in self._hearers:
                self._hearers.remove(hearer)
        self._leave_if_unheard()

    def _leave_if_unheard(self) -> None:
        with self._mutex:
            thread = None if self._hearers else self._thread
            if thread is not None:
                self._thread = None
                os.close(self._leave)
        if thread is not None:
            thread.join()

    def _listen(self, left: int) -> None:
        driver_errors = self._database.engine.dialect.loaded_dbapi.Error
        try:
            while not _is_ready(left, 0.0):
                try:
                    self._listen_once(left)
                except driver_errors as error:  # the server is away, which whoever writes is told
                    log.info("the database announces nothing at present: %s", error)
                    _is_ready(left, RETRY_SECONDS)
        finally:
            os.close(left)

    def _listen_once(self, left: int) -> None:
        """Listen until the connection ends, or this is to end."""
        connection = self._database.engine.raw_connection()
        driver: Any = connection.dbapi_connection
        try:
            driver.autocommit = True
            driver.execute(f"LISTEN {CHANNEL}")
            self._tell(None)
            ready = select.poll()
            ready.register(left, select.POLLIN)
            ready.register(driver.fileno(), select.POLLIN)
            while not any(descriptor == left for descriptor, _ in ready.poll()):
                for notification in driver.notifies(timeout=0):
                    self._tell(notification.payload)
        finally:
            connection.invalidate()  # closes it, and the pool doesn't use it again

    def _tell(self, name: str | None) -> None:
        with self._mutex:
            hearers = [*self._hearers]
        for hearer in hearers:
            hearer(name)


def _is_ready(descriptor: int, seconds: float) -> bool:
    """Return whether the other end of a pipe was closed, or is within some seconds."""
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    return bool(ready.poll(seconds * 1000))
