"""A consistent copy of an SQLite database, also while other processes write to it (SQLite's online backup)."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from alfine.core.errors import AlfineError, StorageFull, StoreUnusable
from alfine.core.wording import size
from alfine.store.database_errors import DAMAGED, PRIMARY, damaged

PAGES_A_STEP = 1000
"""Pages copied between two calls of `progress`: 4 MB."""

Progress = Callable[[int, int], None]
"""Called with how many pages, or files, are done, and how many there are in all."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def copy_database(source: Path, target: Path, progress: Progress | None = None) -> None:
    """Copy a database into a new file. The copy is of one instant, has no WAL beside it, and survives a loss of power.

    Args:
        source: The file of the database. It isn't changed.
        target: The file to write; one that is there is replaced, but only by a complete copy.
        progress: Called after each step.

    Raises:
        StorageFull: There is no room for the copy; nothing is left of it.
        StoreDamaged: It has damaged pages.
        StoreUnusable: The copy can't be written.
    """
    tell = progress or (lambda _done, _total: None)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with closing(sqlite3.connect(source, isolation_level=None)) as old, closing(_new(draft)) as new:
            old.backup(new, pages=PAGES_A_STEP, progress=lambda _, left, total: tell(total - left, total))
            new.execute("PRAGMA journal_mode = DELETE")  # one file holds all of it
        _sync(draft)
        draft.replace(target)
        _sync(target.parent)
    except sqlite3.DatabaseError as error:
        raise _why(error, source, target) from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise _no_room(source, target) from error
        raise
    finally:
        draft.unlink(missing_ok=True)


def _new(draft: Path) -> sqlite3.Connection:
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))  # requests may hold secrets in Environment
    connection = sqlite3.connect(draft, isolation_level=None)
    connection.execute("PRAGMA journal_mode = OFF")  # a draft that isn't complete is thrown away
    return connection


def _why(error: sqlite3.DatabaseError, source: Path, target: Path) -> AlfineError:
    """Return what kept a copy from being made."""
    code = getattr(error, "sqlite_errorcode", 0) & PRIMARY
    if code == sqlite3.SQLITE_FULL:
        return _no_room(source, target)
    if code in DAMAGED:
        return damaged(f"{source}: the database is damaged: {error}")
    return StoreUnusable(f"{source}: the database can't be copied to {target}: {error}.")


def _no_room(source: Path, target: Path) -> StorageFull:
    needed = source.stat().st_size
    return StorageFull(
        f"There is no room for a copy of the database in {target.parent}: it needs {size(needed)}. Free some space, then "
        "run the same command again: nothing was changed."
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
