"""Results inherited by a warm start: rows of the table inherited, written once, when the tuning job is created."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from alfine.core.inherited import Inherited
from alfine.store.database import Connection
from alfine.store.schema import inherited

_TEXTS = ("hyperparameters", "static")  # columns that hold JSON


def write_inherited(connection: Connection, job: int, several: Sequence[Inherited]) -> None:
    """Write what a tuning job inherits, in order."""
    rows = [_row_of(job, number, one) for number, one in enumerate(several, 1)]
    if rows:
        connection.execute(sa.insert(inherited), rows)


def read_inherited(connection: Connection, job: int) -> tuple[Inherited, ...]:
    """Return what a tuning job inherited, in order."""
    query = sa.select(inherited).where(inherited.c.tuning_job == job).order_by(inherited.c.number)
    return tuple(_inherited_of(row) for row in connection.execute(query))


def best_inherited(connection: Connection, job: int, *, minimise: bool) -> Inherited | None:
    """Return the best of what a tuning job inherited.

    Args:
        connection: An open connection.
        job: The tuning job's id.
        minimise: Whether the smallest objective is the best.

    Returns:
        The best result, on a tie the first; None if the job inherited nothing.
    """
    order = inherited.c.objective.asc() if minimise else inherited.c.objective.desc()
    query = sa.select(inherited).where(inherited.c.tuning_job == job).order_by(order, inherited.c.number)
    row = connection.execute(query.limit(1)).first()
    return None if row is None else _inherited_of(row)


def _row_of(job: int, number: int, one: Inherited) -> dict[str, Any]:
    columns = {field.name: getattr(one, field.name) for field in fields(one)}
    return {
        "tuning_job": job,
        "number": number,
        **columns,
        **{name: json.dumps(dict(columns[name])) for name in _TEXTS},
    }


def _inherited_of(row: Row[Any]) -> Inherited:
    columns = {field.name: getattr(row, field.name) for field in fields(Inherited)}
    return Inherited(**columns | {name: json.loads(columns[name]) for name in _TEXTS})
