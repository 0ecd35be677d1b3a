"""A table of results from elsewhere, which a tuning job can begin with: a CSV file with a row for each training job.

Columns: each hyperparameter by its name, and the objective by the metric's name, or `objective`; `alfine export` writes such a table.
Its columns `status`, `name`, `created_at`, `started_at` and `ended_at` are used if they are there; others are ignored. Rows of failed
training jobs, and rows without an objective, are left out. An empty cell means that the hyperparameter was inactive, or the value
None if that is one of its values, as pandas writes it. If a hyperparameter has the name of another column, that column is called
training_job_<name>.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alfine.core.conditions import number_of
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.inherited import Inherited
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical
from alfine.core.space import ParameterSpace
from alfine.core.spec import TuningJobSpec

SUFFIX = ".csv"
"""Endings of the names of tables. Any other parent is the name of a tuning job, which has no dot."""

MOST_FAULTS = 3
"""Faults of cells that are named one by one."""

MOST_BYTES = 64 << 20
"""Bytes of a table."""

NONE = "null"
"""The value None, as AMT's requests spell it."""

_INSTANTS = ("created_at", "started_at", "ended_at")


def column_name(name: str, hyperparameters: Container[str]) -> str:
    """Return the name of a column that isn't a hyperparameter's."""
    return f"training_job_{name}" if name in hyperparameters else name


def is_results_table(parent: str) -> bool:
    """Return whether a parent's name is that of a table."""
    return parent.lower().endswith(SUFFIX)


def read_results(path: Path, spec: TuningJobSpec, parent: str) -> list[Inherited]:
    """Return the training jobs of a table that have an objective, in its order.

    Args:
        path: The file.
        spec: The tuning job that begins with them. Values outside its ranges are returned, too; they don't count for it
            (core/inherited.py).
        parent: The table's name in the request.

    Raises:
        InvalidSpec: It can't be read as a table; faults name lines and columns.
    """
    columns, rows = _read(path)
    ranges = spec.space.ranges
    objective = next((name for name in _objective_columns(spec) if name in columns), None)
    faults = [_missing(path, name, columns) for name in spec.space.names if name not in columns]
    if objective is None:
        faults.append(_missing(path, _objective_columns(spec)[0], columns))
    if faults or objective is None:
        raise InvalidSpec(list(dict.fromkeys(faults)))
    written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    status_column, name_column = (column_name(name, ranges) for name in ("status", "name"))
    results: list[Inherited] = []
    for line, row in rows:
        cell, status = row[objective].strip(), row.get(status_column, "").strip()
        if status == "Failed" or cell.lower() in _NO_OBJECTIVE:
            continue
        value, wrong = number_of(cell), list(_faults_of_row(path, line, row, spec.space))
        if value is None:
            wrong = [Fault(f"{path}:{line} {objective}", f"{cell!r} must be a finite number, or empty.")]
        if value is None or wrong:
            faults += wrong
            continue
        created_at, started_at, ended_at = (_instant(row.get(column_name(name, ranges))) for name in _INSTANTS)
        result = Inherited(
            parent=parent,
            name=row.get(name_column, "").strip() or f"{path.stem}-{line - 1:03d}",
            hyperparameters=_hyperparameters(row, spec.space),
            static={},
            status="Stopped" if status == "Stopped" else "Completed",
            created_at=created_at or written_at,
            started_at=started_at,
            ended_at=ended_at or written_at,
            objective=value,
        )
        results.append(result)
    if faults:
        others = len(faults) - MOST_FAULTS
        more = [Fault(str(path), f"… and {others} more.")] if others > 0 else []
        raise InvalidSpec([*faults[:MOST_FAULTS], *more])
    if not results:
        raise InvalidSpec([Fault(str(path), f"no row has a value of {objective}.")])
    return results


_NO_OBJECTIVE = ("", "nan", "none", "null")  # cells in lower case


def _objective_columns(spec: TuningJobSpec) -> tuple[str, str]:
    """Return the names that the column of the objective may have, the first preferred."""
    metric, objective = (column_name(name, spec.space.ranges) for name in (spec.metric, "objective"))
    return metric, objective


def _read(path: Path) -> tuple[Sequence[str], list[tuple[int, Mapping[str, str]]]]:
    """Return the columns, and the rows with their numbers of line."""
    try:
        if path.stat().st_size > MOST_BYTES:
            message = f"has more than {MOST_BYTES >> 20} MiB: too much for a table of training jobs."
            raise InvalidSpec([Fault(str(path), message)])
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows: list[tuple[int, Mapping[str, str]]] = [(reader.line_num, row) for row in reader if any(row.values())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidSpec([Fault(str(path), f"can't be read: {getattr(error, 'strerror', None) or error}.")]) from error
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise InvalidSpec([Fault(str(path), f"has two columns {repeated[0]!r}. Keep one.")])
    if wide := next((line for line, row in rows if None in row), None):
        raise InvalidSpec([Fault(f"{path}:{wide}", f"has more cells than the {len(columns)} columns.")])
    return columns, rows


def _missing(path: Path, name: str, columns: Sequence[str]) -> Fault:
    if len(columns) == 1 and any(sign in columns[0] for sign in ";\t"):
        return Fault(str(path), f"has a single column, {columns[0]!r}. Its cells must be parted by commas.")
    return Fault(str(path), f"has no column {name!r}. It has: {', '.join(map(repr, columns)) or 'none'}.")


def _faults_of_row(path: Path, line: int, row: Mapping[str, str], space: ParameterSpace) -> Iterator[Fault]:
    for name, range_ in space.ranges.items():
        cell, where = _cell(range_, row[name]), f"{path}:{line} {name}"
        if not cell and not range_.requires:
            yield Fault(where, "is empty, and the hyperparameter is always active.")
        elif cell and not isinstance(range_, Categorical) and number_of(cell) is None:
            yield Fault(where, f"{cell!r} must be a number.")


def _hyperparameters(row: Mapping[str, str], space: ParameterSpace) -> dict[str, str]:
    """Return the active hyperparameters of a row, in AMT's spelling."""
    cells = {name: _cell(range_, row[name]) for name, range_ in space.ranges.items()}
    return {name: _spelled(space.ranges[name], cell) for name, cell in cells.items() if cell}


def _cell(range_: Range, cell: str) -> str:
    """Return a cell without white space around it; an empty one as None if the hyperparameter is always active and may be None."""
    may_be_none = isinstance(range_, Categorical) and not range_.requires and range_.contains(None)
    return cell.strip() or (NONE if may_be_none else "")


def _spelled(range_: Range, cell: str) -> str:
    """Return a cell as AMT spells it: the category that it means, however it was written (True, 1.0); a whole number without a point."""
    if isinstance(range_, Categorical):
        categories = [range_.to_text(value) for value in range_.values]
        same = (category for category in categories if cell == category or _plain(cell) == _plain(category))
        return next(same, cell)
    number = number_of(cell)
    is_whole = number is not None and number.is_integer() and range_.cells < math.inf
    return str(int(number)) if number is not None and is_whole else cell


def _plain(text: str) -> Any:
    number = number_of(text)
    return text.lower() if number is None else number


def _instant(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
