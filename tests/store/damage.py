"""Damages a home's database as a bad disk does: pages that hold something else."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


def damage(home: Path, *tables: str) -> None:
    """Overwrite the first page of each table with random bytes."""
    file = home / "alfine.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [size] = connection.execute("PRAGMA page_size").fetchone()
        pages = [
            page
            for table in tables
            for (page,) in connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table])
        ]
    with file.open("r+b") as pages_of_file:
        for page in pages:
            pages_of_file.seek((page - 1) * size)
            pages_of_file.write(random.Random(page).randbytes(size))


def execute(home: Path, statement: str, *values: object) -> None:
    """Run a statement on a home's database, as somebody who edits it by hand does."""
    with closing(sqlite3.connect(home / "alfine.db")) as connection, connection:
        connection.execute(statement, values)


@contextmanager
def refusing_to_give_back(home: Path) -> Iterator[None]:
    """Let the database say that it's full whenever an engine gives back a tuning job."""
    given_back = "BEFORE UPDATE OF owner ON tuning_jobs WHEN NEW.owner IS NULL"
    execute(home, f"CREATE TRIGGER refuse {given_back} BEGIN SELECT RAISE(FAIL, 'database is full'); END")
    yield
    execute(home, "DROP TRIGGER refuse")
