"""Checks a database without changing it: SQLite's pages, references between tables, and every record."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from alfine.core.arns import DETACHED
from alfine.core.errors import AlfineError
from alfine.core.facts import TRANSITIONS, TUNING_TRANSITIONS
from alfine.store import facts, queries
from alfine.store.database import Connection, Database
from alfine.store.records import tuning_job_of
from alfine.store.schema import REVISION, TABLES, training_jobs, tuning_jobs
from alfine.store.store import Store
from alfine.store.upgrade import revision_in

MOST_DAMAGES = 20
"""Sentences of SQLite's integrity check that are shown."""


class BadRecord(NamedTuple):
    """A record that can't be understood.

    Attributes:
        where: The tuning job, and the table and row if they are known.
        what: What is wrong with it.
    """

    where: str
    what: str


@contextmanager
def _open(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading only."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


def damages(file: Path) -> Iterator[str]:
    """Yield what SQLite finds wrong with a database: pages, indexes, references to rows that aren't there."""
    try:
        with _open(file) as connection:
            for (sentence,) in connection.execute(f"PRAGMA integrity_check({MOST_DAMAGES})"):
                if sentence != "ok":
                    yield sentence
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
                yield f"table {table}, row {row}: it belongs to a row of {parent} that isn't there"
    except sqlite3.DatabaseError as error:
        yield str(error)
        yield from _damaged_tables(file)


def _damaged_tables(file: Path) -> Iterator[str]:
    """Yield which tables can't be read to their end."""
    for table in TABLES.sorted_tables:
        try:
            with _open(file) as connection:
                for _ in connection.execute(f'SELECT * FROM "{table.name}"'):  # noqa: S608 - one of our own names
                    pass
        except sqlite3.DatabaseError as error:
            yield f"table {table.name} can't be read: {error}"


def revision_of(file: Path) -> str | None:
    """Return the revision of a database's tables; None if it has none, or they can't be read."""
    try:
        with _open(file) as connection:
            [revision] = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(revision)
    except (sqlite3.DatabaseError, TypeError):
        return None


def is_current(file: Path) -> bool:
    """Return whether a database has the tables that this version of alfine uses."""
    return revision_of(file) == REVISION


class ServerState(NamedTuple):
    """A PostgreSQL server, as far as alfine depends on it.

    Attributes:
        version: Its version, for people.
        risks: Settings with which a crash of its machine may lose what was recorded, as «fsync = off».
        connections: How many connections it takes, of all its clients together.
        revision: The revision of alfine's tables; None if there are none.
    """

    version: str
    risks: tuple[str, ...]
    connections: int
    revision: str | None


def server_state(url: str) -> ServerState:
    """Return what a PostgreSQL server says of itself. Nothing is changed.

    Raises:
        StoreBusy: It can't be reached.
        StoreUnusable: It refuses the connection.
    """
    with closing(Database(url)) as database, database.reading() as connection:
        settings = {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar()) for name in _SETTINGS}
        revision = revision_in(connection)
    risks = tuple(f"{name} = off" for name in _DURABLE if settings[name] == "off")
    return ServerState(settings["server_version"], risks, int(settings["max_connections"]), revision)


_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
_SETTINGS = ("server_version", "max_connections", *_DURABLE)


def bad_records(store: Store) -> Iterator[BadRecord]:
    """Yield every record of a store that can't be understood: which tuning job, which row."""
    with store.reading() as connection:
        names = connection.execute(sa.select(tuning_jobs.c.id, tuning_jobs.c.name)).all()
        for job, name in names:
            try:
                yield from _bad_records_of(connection, job, name)
            except (AlfineError, sa.exc.DBAPIError) as error:
                yield BadRecord(f"tuning job {name}: table tuning_jobs, id {job}", _first_sentence(error))


def _bad_records_of(connection: Connection, job: int, name: str) -> Iterator[BadRecord]:
    row = queries.tuning_job_row(connection, name)
    read = tuning_job_of(row)
    where = f"tuning job {name}"
    if row.status not in TUNING_TRANSITIONS:
        yield BadRecord(f"{where}: table tuning_jobs, id {job}", f"there is no status {row.status!r}")
    try:
        read.verdict, read.verdicts  # noqa: B018 - reading them is the check
    except (ValueError, LookupError, TypeError) as error:
        yield BadRecord(f"{where}: table tuning_jobs, id {job}, its verdicts", f"{type(error).__name__}: {error}")
    rows = list(_bad_training_jobs(connection, row, where))
    yield from rows
    if DETACHED in row.name:  # of a deleted tuning job's training jobs some may be gone, too
        return
    try:
        past = queries.history(connection, row)
    except AlfineError as error:
        if not rows:
            yield BadRecord(where, _first_sentence(error))
        return
    if len(past.facts) != row.facts:
        yield BadRecord(where, f"{row.facts} facts were recorded, but {len(past.facts)} are there")


def _bad_training_jobs(connection: Connection, row: Any, where: str) -> Iterator[BadRecord]:
    spec = queries.first_spec(connection, row)
    for job in connection.execute(sa.select(training_jobs).where(training_jobs.c.tuning_job == row.id)):
        place = f"{where}: table training_jobs, tuning_job {row.id}, number {job.number} ({job.name})"
        if job.status not in TRANSITIONS:
            yield BadRecord(place, f"there is no status {job.status!r}")
        try:
            list(facts.facts_of_training_job(job, spec))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            yield BadRecord(place, f"{type(error).__name__}: {error!s:.200}")


def _first_sentence(error: Exception) -> str:
    return str(getattr(error, "orig", error)).partition(". Stop every alfine")[0]
