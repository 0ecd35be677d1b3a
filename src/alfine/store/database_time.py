"""The clock of the database. Leases are measured by it alone: the clocks of two machines may differ."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from alfine.store.schema import Instant

_MICROSECOND = timedelta(microseconds=1)


class database_now(FunctionElement[Any]):  # noqa: N801 - used as a function of SQL
    """The present instant, as microseconds since 1970; it goes on within a transaction."""

    type = Instant()
    name = "database_now"
    inherit_cache = True


@compiles(database_now, "sqlite")  # type: ignore[no-untyped-call, untyped-decorator, unused-ignore]
def _of_sqlite(element: database_now, compiler: Any, **words: Any) -> str:  # noqa: ARG001 - what SQLAlchemy calls
    return "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"


@compiles(database_now, "postgresql")  # type: ignore[no-untyped-call, untyped-decorator, unused-ignore]
def _of_postgresql(element: database_now, compiler: Any, **words: Any) -> str:  # noqa: ARG001 - what SQLAlchemy calls
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"


def before_now(span: timedelta) -> sa.ColumnElement[Any]:
    """Return the instant that lies a time span before the present one."""
    return sa.type_coerce(sa.type_coerce(database_now(), sa.BigInteger) - span // _MICROSECOND, Instant)
