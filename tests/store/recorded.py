"""What is done to a store, or asked of it, written down: what came of it, and which rows it changed.

The tests that compare such lines with a file say how the file is written anew; git then shows what a change means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import sqlalchemy as sa

from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Verdict
from alfine.store.conditions import Listing
from alfine.store.schema import TABLES, algorithms, last_tuning_job
from alfine.store.store import Store
from tests.building import EPOCH

Rows = dict[str, tuple[Any, ...]]
"""The values of a table's rows by their keys."""

WATCHED = [table for table in TABLES.sorted_tables if table is not last_tuning_job]
"""The last id is seen in other tables."""

WRITES = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) (\w+)")

SHORT = 40
"""Characters of a key that are written down: of hashes, enough."""

NOW = timedelta(minutes=1)
"""What the database's clock said so short a time ago is «now»."""


class Written:
    """The lines about what is done to a store, or asked of it.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self.lines: list[str] = []
        self._store = store
        self._rows: dict[str, Rows] = {table.name: {} for table in WATCHED}
        self._touched: set[str] = set()
        sa.event.listen(store.database.engine, "before_cursor_execute", self._look)

    def heading(self, text: str) -> None:
        self.lines.append(f"== {text}")

    def do(self, function: Callable[..., Any], *words: Any, **named: Any) -> Any:
        """Call a function that may write, and write down what came of it, and which rows have changed."""
        result = self._called(function, words, named)
        found: list[str] = []
        with self._store.reading() as connection:
            for table in WATCHED:
                if table.name in self._touched:
                    before, self._rows[table.name] = self._rows[table.name], rows_of(connection, table)
                    found += sorted(differences(table, before, self._rows[table.name]))
        self.lines += found
        self._touched.clear()
        return result

    def _look(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        """Remember which tables were written, so that only these are read again; what is deleted may take rows of others along."""
        if found := WRITES.match(statement):
            self._touched |= {table.name for table in WATCHED} if found[1] == "DELETE FROM" else {found[2]}

    def ask(self, function: Callable[..., Any], *words: Any, **named: Any) -> None:
        """Call a function that reads from a connection, and write down what it returned."""

        def asked(*words: Any, **named: Any) -> Any:
            with self._store.reading() as connection:
                found = function(connection, *words, **named)
                return list(found) if isinstance(found, Iterator) else found

        asked.__qualname__ = function.__name__
        self._called(asked, words, named)

    def _called(self, function: Callable[..., Any], words: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        result: Any
        try:
            result = function(*words, **named)
        except Exception as error:  # noqa: BLE001 - what it raises is what came of it
            result = error
        asked = ", ".join([*map(shown, words), *(f"{name}={shown(value)}" for name, value in named.items())])
        came = shown(result).replace(self._store.database.name, "DATABASE")
        self.lines.append(f"{function.__qualname__.rpartition('.<locals>.')[2]}({asked}): {came}")
        return result


def rows_of(connection: sa.Connection, table: sa.Table) -> Rows:
    """The rows of a table by their keys."""
    keys = [algorithms.c.name] if table is algorithms else [*table.primary_key]  # nobody knows algorithms by their ids
    places = [table.columns.values().index(key) for key in keys]
    rows = connection.execute(sa.select(table))
    return {" ".join(str(row[place]) for place in places)[:SHORT]: tuple(row) for row in rows}


def differences(table: sa.Table, before: Rows, after: Rows) -> Iterator[str]:
    for key in before.keys() | after.keys():
        was, now, name = before.get(key), after.get(key), f"  {table.name} {key}"
        if now is None:
            yield f"{name} is gone"
        elif was is None:
            cells = cells_of(table, now)
            yield f"{name} is new: " + ", ".join(f"{each} {value}" for each, value in cells.items() if value != "None")
        elif was != now and (changes := changed(cells_of(table, was), cells_of(table, now))):
            yield f"{name}: {changes}"


def changed(was: Mapping[str, str], now: Mapping[str, str]) -> str:
    return ", ".join(f"{each} {was[each]} -> {now[each]}" for each in now if was[each] != now[each])


def cells_of(table: sa.Table, row: tuple[Any, ...]) -> dict[str, str]:
    """The values of a row in short, without its key."""
    known = {column.name for column in table.primary_key} | ({"name"} if table is algorithms else set())
    return {
        column.name: cell(column.name, value)
        for column, value in zip(table.columns, row, strict=True)
        if column.name not in known
    }


def cell(column: str, value: Any) -> str:
    """A value of a column, in short."""
    if value is not None:
        match column:
            case "request":
                return request_in_short(json.loads(value))
            case "verdict":
                return shown(Verdict.from_dict(json.loads(value)))
            case "verdicts":
                return shown([Verdict.from_dict(each) for each in json.loads(value)])
            case "seen_at":
                return "now" if abs(datetime.now(UTC) - value) < NOW else "long ago"
    return shown(value)


def request_in_short(request: Mapping[str, Any]) -> str:
    limits = request.get("HyperParameterTuningJobConfig", {}).get("ResourceLimits", {})
    return f"<{limits.get('MaxNumberOfTrainingJobs')} training jobs>"


def shown(value: Any) -> str:
    """A value as short as it says all: instants as seconds since the tests' epoch, and without defaults and what is None."""
    match value:
        case Mapping() if "HyperParameterTuningJobName" in value:
            return request_in_short(value)
        case Mapping():
            return "{" + ", ".join(sorted(f"{shown(key)}: {shown(each)}" for key, each in value.items())) + "}"
        case set() | frozenset():
            return "{" + ", ".join(sorted(map(shown, value))) + "}"
        case tuple() if hasattr(value, "_fields"):
            return _named(type(value).__name__, _kept(value._asdict()))
        case list() | tuple():
            return "[" + ", ".join(map(shown, value)) + "]"
    return _alone(value)


def _alone(value: Any) -> str:
    match value:
        case datetime():
            return f"@{(value - EPOCH).total_seconds():.12g}"
        case timedelta():
            return f"{value.total_seconds():.12g}s"
        case sa.exc.SQLAlchemyError():
            return type(value).__name__  # what it says is the database's
        case BaseException():
            return f"{type(value).__name__}: {value}{getattr(value, 'hint', '')}"
        case Verdict():
            return value.criterion
        case TuningJobSpec():
            return f"spec {value.name!r} {request_in_short(value.request)}"
        case FunctionType() | MethodType():
            return value.__name__
        case Store() | sa.ColumnElement():
            return "store" if isinstance(value, Store) else "condition"
        case Listing():
            return value.table.name
        case _ if is_dataclass(value):
            given = {each.name: getattr(value, each.name) for each in fields(value) if each.repr}
            defaults = {each.name: each.default for each in fields(value)}
            return _named(
                type(value).__name__, _kept({name: own for name, own in given.items() if own != defaults[name]})
            )
    return repr(value)


def _kept(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: cell(name, value) if name == "seen_at" else shown(value)
        for name, value in values.items()
        if value is not None
    }


def _named(kind: str, values: Mapping[str, str]) -> str:
    return f"{kind}({', '.join(f'{name}={value}' for name, value in values.items())})"


def written_anew(file: Path, lines: list[str]) -> None:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
