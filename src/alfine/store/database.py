"""The database behind a store: connections, transactions, errors. SQLite or PostgreSQL, by URL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Connection  # noqa: PLC0414 - for signatures outside this package

from alfine.store.database_errors import busy, explained

BUSY_SECONDS = 10.0
"""Longest time, in seconds, that a writer waits for the transaction of another process: long beside one transaction, short beside a client's patience."""

PRIMARY_CODE = 0xFF
"""The bits of SQLite's extended error code that say which kind of error it is. Source: sqlite.org/rescode.html."""


class Database:
    """A database, with tables of any revision or none (store/upgrade.py).

    Args:
        url: of SQLAlchemy: «sqlite:////path/to/alfine.db» or «postgresql+psycopg://user@host/name».
    """

    def __init__(self, url: str) -> None:
        # Requests hold secrets: errors don't show them.
        self.engine = sa.create_engine(url, hide_parameters=True, pool_timeout=BUSY_SECONDS)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _prepare_sqlite)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for others."""
        name = self.engine.url.database if self.engine.dialect.name == "sqlite" else None
        return Path(name) if name else None

    @property
    def name(self) -> str:
        """The file, or the URL without its password."""
        return str(self.file or self.engine.url.render_as_string())

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection for reading. What it sees doesn't change while it is open.

        Raises:
            StoreDamaged: when a page that is read is damaged.
            StoreUnusable: when the database can't be opened.
        """
        with self._explaining(), self.engine.connect() as connection:
            self._begin(connection, "BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a connection for one transaction, which is committed at the end, or rolled back when an error leaves the block.

        Raises:
            StorageFull: when the disk has no room for what was written.
            StoreBusy: when another process has held the database for BUSY_SECONDS.
            StoreDamaged: when a page that is read or changed is damaged.
            StoreUnusable: when the database can't be opened or written.
        """
        with self._explaining(), self.engine.begin() as connection:
            # SQLite's write lock is taken at once: a transaction that began by reading could fail with «database is locked».
            self._begin(connection, "BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Raise the database's errors as alfine's, as far as there is something to say about them."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            if (known := explained(error, self.name)) is None:
                raise
            raise known from error
        except sa.exc.TimeoutError as error:  # each connection of this process waits for another process
            raise busy(self.name) from error

    def _begin(self, connection: Connection, statement: str) -> None:
        """Begin a transaction by hand: with a listener to SQLAlchemy's «begin» event every statement would be slower."""
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(statement)


def _prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001 - what SQLAlchemy calls
    connection.isolation_level = None  # transactions begin where `_begin` says, not where sqlite3 guesses
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a commit survives a loss of power, not only of the process
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
    _refuse_reading_only(connection)


def _refuse_reading_only(connection: Any) -> None:
    """Close a connection that can only read a file that can be written, and raise SQLite's error.

    While a file can't be opened for writing, because descriptors or the rights are missing for a moment, SQLite opens it for
    reading. All later connections of the process would then share its memory, which is mapped for reading, too.
    """
    cursor = connection.cursor()
    file = cursor.execute("PRAGMA database_list").fetchone()[2]
    try:
        cursor.execute("PRAGMA busy_timeout = 0")
        cursor.execute("BEGIN IMMEDIATE")  # where the file is open for reading, this begins to read
        cursor.execute("PRAGMA user_version = 0")  # any write; SQLite refuses it before it takes a lock
        cursor.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & PRIMARY_CODE != sqlite3.SQLITE_BUSY and os.access(file, os.W_OK):
            connection.close()
            raise
    cursor.execute(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}")
    cursor.close()
