"""Brings the tables of a database to the newest revision: makes them, or copies the database and migrates it.

A new database gets its tables at once, as the migrations would leave them: that takes a tenth of the time, and no Alembic, whose import is
slow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from alfine.core.errors import AlfineError, StoreUnusable
from alfine.store.database import Connection, Database
from alfine.store.postgres import wait_for_migrations
from alfine.store.schema import REVISION, TABLES, last_tuning_job
from alfine.store.sqlite_copy import copy_database

log = logging.getLogger("alfine.store.upgrade")


def bring_up_to_date(database: Database, check_new: Callable[[], None] = lambda: None) -> None:
    """Make the tables of a new database, or run the migrations that a database lacks, in one transaction.

    A database with records is copied first, to `<file>.before-<revision>`: whoever goes back to the alfine of before needs it. The
    copies of PostgreSQL are its administrator's business. Of several processes that start at once, one runs the migrations while the
    others wait.

    Args:
        database: What to bring up to date.
        check_new: Called before the tables of a new database are made; raises where there can't be a new one.

    Raises:
        StoreUnusable: A newer alfine made the database, or a migration failed. Nothing was changed then.
        StorageFull: There is no room for the copy. Nothing was changed.
    """
    with database.reading() as connection:
        revision = revision_in(connection)
    if revision == REVISION:
        return
    if revision is None:
        check_new()
    elif revision > REVISION:
        raise StoreUnusable(
            f"{database.name}: a newer alfine made this database (its revision is {revision}, this alfine's {REVISION}). "
            "Install the newer alfine again, or restore a backup of before the upgrade."
        )
    with database.writing() as connection:
        if database.is_postgres:
            wait_for_migrations(connection)
        revision = revision_in(connection)
        if revision is None:
            _make_tables(connection)
        elif revision != REVISION:
            _migrate(database, connection, revision)


def revision_in(connection: Connection) -> str | None:
    """Return the revision of the tables; None if there are none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _make_tables(connection: Connection) -> None:
    for statement in _statements(connection.dialect.name):
        connection.exec_driver_sql(statement)
    connection.execute(sa.insert(last_tuning_job).values(id=0))
    connection.execute(sa.text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": REVISION})


@cache
def _statements(dialect_name: str) -> tuple[str, ...]:
    """Return the statements that make all tables and indexes, and the table in which Alembic keeps the revision."""
    dialect = sa.dialects.registry.load(dialect_name)()
    key = sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc")  # as Alembic calls it
    revisions = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32)), key)
    tables = [*TABLES.sorted_tables, revisions]
    indexes = [index for table in tables for index in sorted(table.indexes, key=lambda index: str(index.name))]
    made: list[sa.schema.DDLElement] = [*map(sa.schema.CreateTable, tables), *map(sa.schema.CreateIndex, indexes)]
    return tuple(str(each.compile(dialect=dialect)) for each in made)


def _migrate(database: Database, connection: Connection, revision: str) -> None:
    from alfine.store.migrations import upgrade

    copy = None if database.file is None else _copied(database.file)
    try:
        upgrade(connection)
    except AlfineError:
        raise
    except Exception as error:
        kept = f" A copy of it is {copy}." if copy else ""
        raise StoreUnusable(
            f"{database.name}: the database couldn't be upgraded from revision {revision} to {REVISION}, and is as it was: the alfine "
            f"of before still works with it.{kept} The reason: {getattr(error, 'orig', error)}."
        ) from error


def _copied(file: Path) -> Path:
    """Copy the database of a file, and return the copy. The open transaction keeps others from writing meanwhile."""
    copy = file.with_name(f"{file.name}.before-{REVISION}")
    copy_database(file, copy)
    log.warning("the database is being upgraded to revision %s; %s is a copy of it as it was", REVISION, copy)
    return copy
