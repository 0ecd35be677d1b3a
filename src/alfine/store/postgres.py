"""PostgreSQL beside SQLite: settings of a connection, a name without secrets, locks, and its errors in alfine's words."""

from __future__ import annotations

import select
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from alfine.core.errors import AlfineError, StorageFull, StoreBusy, StoreUnusable

CONNECT_SECONDS = 10
"""Time, in seconds, that a server may take to accept a connection."""

LOCK_SECONDS = 10
"""Longest time, in seconds, that a statement waits for a row that another transaction holds; SQLite's writers wait as long."""

STATEMENT_SECONDS = 60
"""Longest time, in seconds, of one statement: a plan that went wrong holds up nobody for ever."""

IDLE_SECONDS = 15
"""Time, in seconds, after which the server ends a transaction whose process doesn't go on: one that was frozen holds no row for longer."""

LOCKS = 0x616C6669
"""First key of alfine's advisory locks («alfi»); the second says what is locked."""

MIGRATIONS = 1
NAMES = 2

_ADVISORY_LOCK = sa.text("SELECT pg_advisory_xact_lock(:room, :what)")

KEEPALIVE: Mapping[str, int] = MappingProxyType(
    {
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 25_000,
    }
)
"""libpq's settings (seconds; the last in milliseconds) that find within half a minute that the server's machine is gone."""

BUSY_STATES = ("40001", "40P01", "55P03", "57014", "25P03")
"""SQLSTATEs of a transaction that may succeed when it is run again: serialization failure, deadlock, lock timeout, statement
timeout, idle in transaction. Source: postgresql.org/docs/current/errcodes-appendix.html, as of all others here."""

AWAY_CLASSES = ("08", "57P", "53300")
"""Beginnings of SQLSTATEs of a server that is gone, starts, ends, or takes no more connections."""

FULL_STATE = "53100"
"""SQLSTATE of a full disk."""

DENIED_STATE = "42501"
"""SQLSTATE of a missing privilege."""

REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "password authentication failed": "it refuses this user's password. Correct the password, for example in ~/.pgpass or PGPASSWORD",
        "no password supplied": "it asks for a password. Give it in ~/.pgpass or PGPASSWORD",
        "does not exist": "{said}. Create it first (createdb, createuser), or correct the URL",
        "no pg_hba.conf entry": "it doesn't admit this user from this machine (pg_hba.conf)",
    }
)
"""What a server says when it refuses a connection for good, and what alfine says then."""


def engine_settings(url: sa.URL) -> dict[str, Any]:
    """Return the arguments of `create_engine` for PostgreSQL; what the URL's query sets counts first."""
    limits = {
        "lock_timeout": LOCK_SECONDS,
        "statement_timeout": STATEMENT_SECONDS,
        "idle_in_transaction_session_timeout": IDLE_SECONDS,
    }
    settings: dict[str, Any] = {
        "application_name": "alfine",
        "connect_timeout": CONNECT_SECONDS,
        "options": " ".join(f"-c {name}={seconds}s" for name, seconds in limits.items()),
        **KEEPALIVE,
    }
    return {
        "isolation_level": "READ COMMITTED",
        "connect_args": {name: value for name, value in settings.items() if name not in url.query},
    }


def shown_name(url: sa.URL) -> str:
    """Return a URL without its password and its query, which may hold one too."""
    host = url.host or str(url.query.get("host", "")) or None
    shown = sa.URL.create("postgresql", username=url.username, host=host, port=url.port, database=url.database)
    return shown.render_as_string()


def wait_for_migrations(connection: sa.Connection) -> None:
    """Hold the lock of migrations until the transaction ends; wait for it, and for the migrations, as long as they take."""
    without_limits(connection)
    _lock(connection, MIGRATIONS)


def without_limits(connection: sa.Connection) -> None:
    """Let the open transaction take as long as it takes."""
    if connection.dialect.name == "postgresql":
        for limit in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {limit} = 0")


def lock_names(connection: sa.Connection) -> None:
    """Keep others from giving names to jobs until the transaction ends: names are compared in letters of any case."""
    _lock(connection, NAMES)


def _lock(connection: sa.Connection, what: int) -> None:
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        connection.execute(_ADVISORY_LOCK, {"room": LOCKS, "what": what})


def refuse_closed(connection: Any, record: object, proxy: object) -> None:  # noqa: ARG001 - what SQLAlchemy calls
    """Make the pool replace a connection that the server has closed meanwhile. Costs no message to the server.

    The server only sends something to an idle connection when it ends it.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        raise sa.exc.DisconnectionError


def is_away(error: sa.exc.DBAPIError) -> bool:
    """Return whether an error says that the server can't be reached, or has ended the connection."""
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return bool(state.startswith(AWAY_CLASSES))
    return isinstance(error, sa.exc.OperationalError) and not any(said in str(error.orig) for said in REFUSALS)


def explained_postgres(error: sa.exc.DBAPIError, database: str) -> AlfineError | None:
    """Return what is to be raised in place of an error of PostgreSQL; None for one that the store doesn't know.

    Args:
        error: As SQLAlchemy raised it.
        database: The database's name, without a password.
    """
    state, said = getattr(error.orig, "sqlstate", None), _last_line(error)
    if state == FULL_STATE:
        return StorageFull(
            f"There is no room left for {database}. Free some space there: everything recorded so far is kept."
        )
    if state in BUSY_STATES:
        return StoreBusy(f"{database}: another process holds what this one needs ({said}). Try again in a while.")
    if is_away(error):
        return StoreBusy(
            f"{database}: the database can't be reached ({said}). Nothing recorded so far is lost. Is PostgreSQL running there? "
            "Try again in a while."
        )
    if state == DENIED_STATE:
        return StoreUnusable(
            f"{database}: {said}. Grant this user the right, for example by: ALTER DATABASE … OWNER TO …"
        )
    for refusal, sentence in REFUSALS.items() if state is None else ():
        if refusal in str(error.orig):
            return StoreUnusable(f"{database}: the database can't be opened: {sentence.format(said=said)}.")
    return None


def _last_line(error: sa.exc.DBAPIError) -> str:
    """Return what the server said, without the address that libpq puts before it."""
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    said = next(
        (line for line in lines if "FATAL:" in line or "failed:" in line), lines[0] if lines else "no reason given"
    )
    return said.rpartition("FATAL:")[2].rpartition("failed:")[2].strip().rstrip(".")
