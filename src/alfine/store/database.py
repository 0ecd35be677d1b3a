"""The database behind a store: connections, transactions, migrations. SQLite or PostgreSQL, by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Connection  # noqa: PLC0414 - for signatures outside this package

from alfine.core.errors import StorageFull, StoreUnusable
from alfine.store.schema import REVISION

BUSY_SECONDS = 30  # how long a writer waits for the transaction of another process


class Database:
    """A database whose tables have the newest revision.

    Args:
        url: of SQLAlchemy: «sqlite:////path/to/alfine.db» or «postgresql+psycopg://user@host/name».

    Raises:
        StoreUnusable: when the database can't be opened, or isn't one.
    """

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url, hide_parameters=True)  # requests hold secrets: errors don't show them
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
        try:
            self._upgrade()
        except sa.exc.DatabaseError as error:
            self.close()
            where = self.engine.url.database or self.engine.url.render_as_string()
            raise StoreUnusable(f"{where}: can't be opened: {error.orig}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection for reading. What it sees doesn't change while it is open."""
        with self.engine.connect() as connection:
            self._begin(connection, "BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a connection for one transaction, which is committed at the end, or rolled back when an error leaves the block.

        Raises:
            StorageFull: when the disk has no room for what was written.
        """
        try:
            with self.engine.begin() as connection:
                # SQLite's write lock is taken at once: a transaction that began by reading could fail with «database is locked».
                self._begin(connection, "BEGIN IMMEDIATE")
                yield connection
        except sa.exc.OperationalError as error:
            if "full" not in str(error.orig):
                raise
            raise StorageFull(
                f"There is no room left for {self.engine.url.database}. Free some space, then run the same command again: "
                "everything recorded so far is kept."
            ) from error

    def _begin(self, connection: Connection, statement: str) -> None:
        """Begin a transaction by hand: with a listener to SQLAlchemy's «begin» event every statement would be slower."""
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(statement)

    def _upgrade(self) -> None:
        """Run the migrations that the database lacks. Alembic is imported only if there are any: its import is slow."""
        with self.reading() as connection:
            exists = sa.inspect(connection).has_table("alembic_version")
            query = sa.text("SELECT version_num FROM alembic_version")
            revision = connection.execute(query).scalar() if exists else None
        if revision != REVISION:
            from alfine.store.migrations import upgrade

            with self.writing() as connection:
                upgrade(connection)


def _prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001 - what SQLAlchemy calls
    connection.isolation_level = None  # transactions begin where `_begin` says, not where sqlite3 guesses
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a commit survives a loss of power, not only of the process
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
