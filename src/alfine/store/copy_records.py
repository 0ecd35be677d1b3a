"""A copy of all records of a store in another one, from SQLite to PostgreSQL or back: checked, and whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa

from alfine.core.errors import InUse, StoreUnusable
from alfine.store.database import Connection
from alfine.store.postgres import without_limits
from alfine.store.schema import TABLES, Line, training_jobs, tuning_jobs
from alfine.store.store import Store

ROWS_A_STEP = 5000
"""Rows written between two calls of `progress`."""

NOT_COPIED = ("servers", "console_tokens", "access_keys", "last_tuning_job")
"""Tables that say who uses a database at present; keys, which SQLite's homes have in files (store/stored_keys.py); the last id, which the
next tuning job finds in its rows.
"""

Progress = Callable[[str, int, int], None]
"""Called with a table's name, how many of its rows are done, and how many there are."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class CopyReport:
    """The numbers of copied rows, by table; tuning_jobs and training_jobs: those that users know."""

    rows: Mapping[str, int]

    @property
    def tuning_jobs(self) -> int:
        """The copied tuning jobs, deleted ones that still have training jobs included."""
        return self.rows[tuning_jobs.name]

    @property
    def training_jobs(self) -> int:
        """The copied training jobs."""
        return self.rows[training_jobs.name]


def copy_records(source: Store, target: Store, runs: Callable[[str], bool], progress: Progress) -> CopyReport:
    """Copy all records of a store into an empty one, in one transaction, and compare what can be read there.

    Args:
        source: The store with the records. It isn't changed. The copy is of one instant.
        target: The empty store. Its tuning jobs that haven't ended belong to nobody afterwards: the next alfine runs them.
        runs: Whether the engine with that id still runs, as far as this machine can tell.
        progress: Called after each step.

    Raises:
        InUse: The target has records, or an alfine runs tuning jobs of the source: both would run them. Nothing was copied.
        StoreUnusable: What was written can't be read as it was. Nothing was copied.
    """
    _refuse_running(source, runs)
    with source.reading() as old, target.database.writing() as new:
        without_limits(old)
        without_limits(new)
        _refuse_full(new, target.database.name)
        rows = {table.name: _copy(old, new, table, progress) for table in _tables()}
        _go_on_counting(new)
    target.release_all()
    return CopyReport(rows)


def _tables() -> list[sa.Table]:
    return [table for table in TABLES.sorted_tables if table.name not in NOT_COPIED]


def _refuse_running(source: Store, runs: Callable[[str], bool]) -> None:
    free = {job.name for job in source.claimable(runs)}
    if name := next((name for name in source.unfinished() if name not in free), None):
        raise InUse(
            f"Another alfine runs the tuning job {name}. End it first (Ctrl-C, or SIGTERM for a server): its training jobs run on, and "
            "the next alfine finds them."
        )


def _refuse_full(connection: Connection, name: str) -> None:
    for table in _tables():
        if connection.scalar(sa.select(sa.select(table).exists())):
            raise InUse(f"{name} has records already (table {table.name}). Copy into an empty database.")


def _copy(old: Connection, new: Connection, table: sa.Table, progress: Progress) -> int:
    """Copy a table, compare it, and return how many rows it has."""
    total = int(old.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
    read, written = hashlib.sha256(), hashlib.sha256()
    done = 0
    for rows in _chunks(_rows(old, table)):
        _add(read, rows)
        new.exec_driver_sql(_insertion(new, table), [*rows])
        done += len(rows)
        progress(table.name, done, total)
    count = 0
    for rows in _chunks(_rows(new, table)):
        _add(written, rows)
        count += len(rows)
    if (count, written.digest()) != (done, read.digest()):
        raise StoreUnusable(
            f"The table {table.name} can't be copied: of {done} rows {count} are there, or some of them differ. Nothing was copied."
        )
    return count


def _rows(connection: Connection, table: sa.Table) -> Iterator[Row]:
    """Yield the rows of a table as both databases keep them, in the order of their keys."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    order = ", ".join(f'"{column.name}"' for column in table.primary_key)
    query = f'SELECT {names} FROM "{table.name}" ORDER BY {order}'  # noqa: S608 - our own names
    streamed = {"stream_results": True, "max_row_buffer": ROWS_A_STEP}
    for row in connection.exec_driver_sql(query, execution_options=streamed):
        yield tuple(map(_plain, table.columns, row))


def _plain(column: sa.Column[Any], value: Any) -> Any:
    """Return a value in the form that PostgreSQL keeps, too: SQLite has no truth values, and its texts may have NUL characters."""
    if isinstance(column.type, sa.Boolean):
        return bool(value)
    if isinstance(value, str) and isinstance(column.type, Line):
        return Line.without_nul(value)
    return value


def _insertion(connection: Connection, table: sa.Table) -> str:
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    marks = ", ".join([mark] * len(table.columns))
    return f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608 - our own names


def _chunks(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    while chunk := [*islice(rows, ROWS_A_STEP)]:
        yield chunk


def _add(digest: Any, rows: Sequence[Row]) -> None:
    for row in rows:
        digest.update(repr(row).encode(errors="surrogatepass"))


def _go_on_counting(connection: Connection) -> None:
    """Let PostgreSQL give new rows the ids that follow; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table, key in ((table, key) for table in _tables() if (key := table.autoincrement_column) is not None):
        sequence = f"pg_get_serial_sequence('{table.name}', '{key.name}')"
        last = f'SELECT max("{key.name}") AS last FROM "{table.name}"'  # noqa: S608 - our own names
        connection.exec_driver_sql(f"SELECT setval({sequence}, last) FROM ({last}) AS ids WHERE last IS NOT NULL")  # noqa: S608
