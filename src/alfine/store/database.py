"""The database behind a store: connections, transactions, errors. SQLite or PostgreSQL, by URL."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Connection  # noqa: PLC0414 - for signatures outside this package

from alfine.store.database_errors import busy, explained
from alfine.store.postgres import engine_settings, explained_postgres, is_away, refuse_closed, shown_name

BUSY_SECONDS = 10.0
"""Longest time, in seconds, that a writer waits for the transaction of another process: long beside one transaction, short beside a client's patience."""

POOL_SIZE = 8
"""Connections to PostgreSQL that a process keeps open."""

MOST_CONNECTIONS = 24
"""Connections to PostgreSQL of a process at most. A transaction takes about a millisecond, so that a thousand tuning jobs share them;
PostgreSQL's default, 100 for everybody, leaves room for four processes."""

FIRST_PAUSE = 0.05
"""Seconds before another attempt to reach a server that is away; each further pause is twice as long."""

LONGEST_PAUSE = 1.0
"""Seconds between two such attempts at most."""

TURN_SECONDS = 60.0
"""Longest time, in seconds, that a thread waits for the others of this process: the engine of 1,000 tuning jobs begins with as many claims."""

PRIMARY_CODE = 0xFF
"""The bits of SQLite's extended error code that say which kind of error it is. Source: sqlite.org/rescode.html."""


class Database:
    """A database, with tables of any revision or none (store/upgrade.py).

    Args:
        url: of SQLAlchemy: «sqlite:////path/to/alfine.db» or «postgresql+psycopg://user@host/name».
    """

    def __init__(self, url: str) -> None:
        parsed = sa.make_url(url)
        # Requests hold secrets: errors don't show them.
        settings: dict[str, Any] = {"hide_parameters": True, "pool_timeout": TURN_SECONDS}
        if self._is_postgres_url(parsed):
            settings |= {
                "pool_timeout": BUSY_SECONDS,
                "pool_size": POOL_SIZE,
                "max_overflow": MOST_CONNECTIONS - POOL_SIZE,
                **engine_settings(parsed),
            }
        self.engine = sa.create_engine(parsed, **settings)
        self._reader = self.engine
        self._was_reached = False
        self._turn = threading.Lock()
        if self.is_postgres:
            sa.event.listen(self.engine, "checkout", refuse_closed)
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        else:
            sa.event.listen(self.engine, "connect", _prepare_sqlite)

    @staticmethod
    def _is_postgres_url(url: sa.URL) -> bool:
        return url.get_backend_name() == "postgresql"

    @property
    def is_postgres(self) -> bool:
        """Return whether this is PostgreSQL, and not SQLite."""
        return self._is_postgres_url(self.engine.url)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for others."""
        name = None if self.is_postgres else self.engine.url.database
        return Path(name) if name else None

    @property
    def name(self) -> str:
        """The file, or the URL without its password."""
        return str(self.file or shown_name(self.engine.url))

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection for reading. What it sees doesn't change while it is open.

        Raises:
            StoreBusy: when the server can't be reached for BUSY_SECONDS.
            StoreDamaged: when a page that is read is damaged.
            StoreUnusable: when the database can't be opened.
        """
        with self._explaining(), self._connected(self._reader) as connection:
            self._begin(connection, "BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a connection for one transaction, which is committed at the end, or rolled back when an error leaves the block.

        Several may write to PostgreSQL at once. Whoever reads a row in order to change it locks it (`with_for_update`), the tuning
        job's before those of its training jobs; SQLite lets only one write.

        Raises:
            StorageFull: when the disk has no room for what was written.
            StoreBusy: when another process has held the database for BUSY_SECONDS, or the server can't be reached for as long.
            StoreDamaged: when a page that is read or changed is damaged.
            StoreUnusable: when the database can't be opened or written.
        """
        with self._turn_to_write(), self._explaining(), self._connected(self.engine) as connection, connection.begin():
            # SQLite's write lock is taken at once: a transaction that began by reading could fail with «database is locked».
            self._begin(connection, "BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        """Let the threads of this process write to SQLite in turn: it would let each sleep and try again, and some never win."""
        if self.is_postgres:
            yield
            return
        if not self._turn.acquire(timeout=TURN_SECONDS):
            raise busy(self.name)
        try:
            yield
        finally:
            self._turn.release()

    def _connected(self, engine: sa.Engine) -> Connection:
        """Return a connection. A server that was reached before and is away for a moment is waited for, BUSY_SECONDS at most."""
        until, pause = time.monotonic() + BUSY_SECONDS, FIRST_PAUSE
        while True:
            try:
                connection = engine.connect()
            except sa.exc.DBAPIError as error:
                if not (self.is_postgres and self._was_reached and is_away(error)) or time.monotonic() > until:
                    raise
            else:
                self._was_reached = True
                return connection
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    @contextmanager
    def commits(self) -> Iterator[Callable[[], int | None]]:
        """Open a connection for a function that returns a number which changes at each commit, of this process or another.

        It asks for next to nothing. It returns None for a database that has no such number: any other than SQLite.
        """
        if self.file is None:
            yield lambda: None
            return
        with self._explaining():
            connection = self.engine.raw_connection()
        connection.detach()  # so that it takes no place among those that the others wait for
        try:
            cursor = connection.cursor()
            yield lambda: int(cursor.execute("PRAGMA data_version").fetchone()[0])
        finally:
            connection.close()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Raise the database's errors as alfine's, as far as there is something to say about them."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            known = (explained_postgres if self.is_postgres else explained)(error, self.name)
            if known is None:
                raise
            raise known from error
        except sa.exc.TimeoutError as error:  # each connection of this process waits for another process
            raise busy(self.name) from error

    def _begin(self, connection: Connection, statement: str) -> None:
        """Begin a transaction by hand: with a listener to SQLAlchemy's «begin» event every statement would be slower."""
        if not self.is_postgres:
            connection.exec_driver_sql(statement)


def _prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001 - what SQLAlchemy calls
    connection.isolation_level = None  # transactions begin where `_begin` says, not where sqlite3 guesses
    _wait_for_others(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a commit survives a loss of power, not only of the process
    connection.execute("PRAGMA foreign_keys = ON")
    _refuse_reading_only(connection)
    _wait_for_others(connection)


def _wait_for_others(connection: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}")


def _refuse_reading_only(connection: Any) -> None:
    """Close a connection that can only read a file that can be written, and raise SQLite's error.

    While a file can't be opened for writing, because descriptors or the rights are missing for a moment, SQLite opens it for
    reading. All later connections of the process would then share its memory, which is mapped for reading, too.
    """
    file = connection.execute("PRAGMA database_list").fetchone()[2]
    try:
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("BEGIN IMMEDIATE")  # where the file is open for reading, this begins to read
        connection.execute("PRAGMA user_version = 0")  # any write; SQLite refuses it before it takes a lock
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & PRIMARY_CODE != sqlite3.SQLITE_BUSY and os.access(file, os.W_OK):
            connection.close()
            raise
