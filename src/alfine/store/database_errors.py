"""Errors of the database, translated for the callers of the store: what went wrong and what to do."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from alfine.core.errors import AlfineError, StorageFull, StoreBusy, StoreDamaged, StoreUnreachable, StoreUnusable

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
UNWRITABLE = (sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)

PRIMARY = 0xFF
"""The bits of SQLite's extended result code that hold the primary one (sqlite.org/rescode.html)."""

NOT_TEXT = "Could not decode to UTF-8"
"""The message of Python's sqlite3, without a code, of a page whose texts were overwritten."""


def explained(error: sa.exc.DBAPIError, database: str) -> AlfineError | None:
    """Return what is to be raised in place of a database's error; None for an error that the store doesn't know.

    Args:
        error: As SQLAlchemy raised it.
        database: Its file, or its URL.
    """
    said, code = str(error.orig), getattr(error.orig, "sqlite_errorcode", 0) & PRIMARY
    if "full" in said:
        return StorageFull(
            f"There is no room left for {database}. Free some space, then run the same command again: "
            "everything recorded so far is kept."
        )
    if code in BUSY:
        return busy(database)
    if code == sqlite3.SQLITE_NOTADB:
        return damaged(f"{database}: can't be opened: {said}")
    if code == sqlite3.SQLITE_CORRUPT or NOT_TEXT in said:
        return damaged(f"{database}: the database is damaged: {said}")
    if code in UNWRITABLE:
        return unwritable(Path(database), said)
    if code == sqlite3.SQLITE_IOERR:
        return StoreUnreachable(
            f"{database}: the disk or the network drive answers with errors ({said}). Nothing recorded so far is lost if it "
            "comes back: check it, then run the same command again."
        )
    return None


def is_of_database(error: BaseException) -> bool:
    """Return whether the database, or SQLAlchemy, raised an error that the store doesn't know."""
    return isinstance(error, sa.exc.SQLAlchemyError)


def busy(database: str) -> StoreBusy:
    """Return the error for a database that another process has kept locked for too long."""
    return StoreBusy(f"{database}: another process keeps the database locked. Try again in a while.")


def damaged(what: str) -> StoreDamaged:
    """Return the error for a part of a database that can't be read.

    Args:
        what: Which part, and what is wrong with it.
    """
    return StoreDamaged(
        f"{what.removesuffix('.')}. Stop every alfine that uses this home, then run `alfine doctor --check`: it shows what is damaged. "
        "docs/how-to/repair-a-home.md says how to get the records back."
    )


def unwritable(file: Path, said: str) -> StoreUnusable:
    """Return the error for a database that can't be opened for writing."""
    folder = file.parent
    reason = said if os.access(folder, os.W_OK) else f"{folder} can't be written"
    return StoreUnusable(
        f"{file}: the database can't be opened: {reason}. alfine writes in its home even when it only reads: let this user "
        "write there, or use a copy of the home in a folder that can be written."
    )


def no_folder(home: Path, error: OSError) -> StoreUnusable:
    """Return the error for a home whose folder can't be made."""
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        there = next((each for each in (home, *home.parents) if each.exists()), home)
        return StoreUnusable(f"{home} can't be a home: {there} is no folder. Choose another home.")
    return StoreUnusable(f"{home} can't be a home: {error.strerror or error}. Choose another home.")
