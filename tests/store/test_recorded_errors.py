"""What the store makes of each error of a database is what errors.txt says; and with what it asks PostgreSQL for a connection.

`python -m tests.store.test_recorded_errors` writes the file anew; git then shows what a change means for whoever reads an error.
"""

import errno
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import sqlalchemy as sa

from alfine.core.errors import AlfineError
from alfine.store.database_errors import explained, is_of_database, no_folder
from alfine.store.home_files import check_no_files, files_of_tuning_jobs
from alfine.store.postgres import engine_settings, explained_postgres, is_away
from alfine.store.records import reading_record_of
from tests.store.recorded import shown, written_anew

FILE = Path(__file__).with_name("errors.txt")

CODES = ("BUSY", "LOCKED", "PERM", "READONLY", "CANTOPEN", "CORRUPT", "NOTADB", "FULL", "IOERR", "ERROR", "CONSTRAINT")
EXTENDED = 7 << 8
"""Bits of an extended code that say more than the kind of the error."""

STATES = (
    "40001",
    "40P01",
    "55P03",
    "57014",
    "25P03",
    "53100",
    "42501",
    "08006",
    "57P01",
    "53300",
    "53200",
    "42P01",
    "08",
    "57",
)
SAID = (
    "FATAL: the database system is starting up",
    'connection to server at "::1", port 5 failed: FATAL:  password authentication failed for user "me"\n',
    "connection failed: fe_sendauth: no password supplied",
    'connection to server failed: FATAL:  database "a" does not exist.\n\n',
    "could not connect\nFATAL:  no pg_hba.conf entry for host\nand more",
    "timeout expired",
    "first\nFATAL: it shuts down.\nlast",
    "first\nconnection to it failed: refused\nlast",
    "",
)


def of_sqlite() -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        for code in CODES:
            for more in (0, EXTENDED):
                error = sqlite3.OperationalError(f"sqlite says {code}")
                error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{code}") + more
                found = shown(explained(sa.exc.OperationalError("", {}, error), f"{folder}/alfine.db"))
                yield f"SQLite's {code} + {more}", found.replace(folder, "FOLDER")
    unwritable = sqlite3.OperationalError("attempt to write a readonly database")
    unwritable.sqlite_errorcode = sqlite3.SQLITE_READONLY
    yield (
        "a folder that isn't there",
        shown(explained(sa.exc.OperationalError("", {}, unwritable), "/nowhere/alfine.db")),
    )
    for said in ("Could not decode to UTF-8 column 'x'", "database or disk is full", "near x: syntax error"):
        yield said, shown(explained(sa.exc.OperationalError("", {}, sqlite3.OperationalError(said)), "alfine.db"))
    for error in (sa.exc.NoResultFound(), ValueError()):
        yield f"{type(error).__name__} of the database", str(is_of_database(error))


def of_postgresql() -> Iterator[tuple[str, str]]:
    for state in STATES:
        error = psycopg.OperationalError("it said so")
        error.sqlstate = state
        yield f"PostgreSQL's {state}", _in_short(sa.exc.OperationalError("", {}, error))
    for said in SAID:
        yield f"PostgreSQL: {said!r}", _in_short(sa.exc.OperationalError("", {}, psycopg.OperationalError(said)))
        yield (
            f"PostgreSQL, programming: {said!r}",
            _in_short(sa.exc.ProgrammingError("", {}, psycopg.ProgrammingError(said))),
        )
    for url in (
        "postgresql://db/alfine",
        "postgresql://db/alfine?application_name=mine&options=-c%20a&connect_timeout=3&tcp_user_timeout=1",
    ):
        yield url, shown(engine_settings(sa.make_url(url)))


def _in_short(error):
    return f"{'away, ' if is_away(error) else ''}{shown(explained_postgres(error, 'DATABASE'))}"


def of_homes() -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "file").write_text("")
        for number, home in (
            (errno.EEXIST, "file"),
            (errno.ENOTDIR, "file/below/it"),
            (errno.EACCES, "there"),
            (errno.ENOENT, ""),
        ):
            yield (
                f"{errno.errorcode[number]} for {home!r}",
                shown(no_folder(folder / home, OSError(number, "so it is"))).replace(name, "FOLDER"),
            )
        yield "an OSError without a number", shown(no_folder(folder, OSError("so it is"))).replace(name, "FOLDER")
        for count in range(6):
            for kind in (files_of_tuning_jobs, check_no_files):
                yield f"{kind.__name__}, {count}", _raised(kind, folder).replace(name, "FOLDER")
            (folder / f"tuning-jobs/job-{count}/files").mkdir(parents=True)
            (folder / f"tuning-jobs/empty-{count}").mkdir()
            (folder / f"tuning-jobs/file-{count}").write_text("")


def _raised(function, *words):
    try:
        return shown(function(*words))
    except AlfineError as error:
        return shown(error)


def of_records() -> Iterator[tuple[str, str]]:
    for error in (ValueError("x" * 250), KeyError("x"), TypeError("x"), AttributeError("x"), ZeroDivisionError("x")):

        def read(error=error):
            with reading_record_of("job"):
                raise error

        yield f"{type(error).__name__} in a record", _raised(read)


def lines_of():
    return [
        f"{what}: {found}" for part in (of_sqlite(), of_postgresql(), of_homes(), of_records()) for what, found in part
    ]


def test_errors_are_explained_as_was_recorded():
    assert lines_of() == FILE.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    written_anew(FILE, lines_of())
