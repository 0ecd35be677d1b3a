"""A table of training jobs that ran elsewhere, as a parent to begin with: a CSV file with a row a training job.

Columns that count: each hyperparameter by its name, the objective by the metric's name (or `objective`); what `alfine export` writes
is one. `status`, `name` and the instants of that are taken over where they are there; further columns don't matter. A row without an
objective, or of a training job that failed, is passed over. An empty cell stands for a hyperparameter that is inactive, or for None
where that is one of the values, as pandas writes it. Where a hyperparameter is called as another column, that is training_job_<name>.
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
from alfine.core.ranges import Categorical, Range
from alfine.core.space import ParameterSpace
from alfine.core.spec import TuningJobSpec

SUFFIX = ".csv"  # what isn't so is the name of a tuning job, which has no dot
MOST_NAMED = 3  # faults of a kind that are told one by one
NONE = "null"  # in AMT's spelling
MOST_BYTES = 64 << 20
_INSTANTS = ("created_at", "started_at", "ended_at")


def own_column(name: str, hyperparameters: Container[str]) -> str:
    """What a column that isn't a hyperparameter's is called: by its name, unless that is one's."""
    return f"training_job_{name}" if name in hyperparameters else name


def is_table(parent: str) -> bool:
    """Whether a parent is a table, by its name."""
    return parent.lower().endswith(SUFFIX)


def inherited(path: Path, spec: TuningJobSpec, parent: str) -> list[Inherited]:
    """The table's training jobs that had an objective, in its order, for a tuning job that begins with them.

    Values that the job's ranges don't have are taken over too; they don't count for it (core/warm_start.py). Raise InvalidSpec, with
    lines and columns, for a table that isn't one.
    """
    columns, rows = _read(path)
    own = {name: own_column(name, spec.space.ranges) for name in ("name", "status", *_INSTANTS)}
    called = [own_column(name, spec.space.ranges) for name in (spec.metric, "objective")]
    objective = next((name for name in called if name in columns), None)
    faults = [_missing(path, name, columns) for name in spec.space.names if name not in columns]
    if objective is None:
        faults.append(_missing(path, called[0], columns))
    if faults or objective is None:
        raise InvalidSpec(list(dict.fromkeys(faults)))
    at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    found: list[Inherited] = []
    odd: list[Fault] = []
    for line, row in rows:
        told = row[objective].strip()
        status = row.get(own["status"], "").strip()
        if status == "Failed" or told.lower() in ("", "nan", "none", "null"):
            continue
        value = number_of(told)
        if value is None:
            odd.append(Fault(f"{path}:{line} {objective}", f"{told!r} must be a finite number, or empty."))
            continue
        odd += _faults(path, line, row, spec.space)
        cells = {name: _cell(each, row[name]) for name, each in spec.space.ranges.items()}
        texts = {name: _text(spec.space.ranges[name], cell) for name, cell in cells.items() if cell}
        created, started, ended = (_instant(row.get(own[name])) for name in _INSTANTS)
        found.append(
            Inherited(
                parent=parent,
                name=row.get(own["name"], "").strip() or f"{path.stem}-{line - 1:03d}",
                hyperparameters=texts,
                static={},
                status="Stopped" if status == "Stopped" else "Completed",
                created_at=created or at,
                started_at=started,
                ended_at=ended or at,
                objective=value,
            )
        )
    if odd:
        more = [Fault(str(path), f"… and {len(odd) - MOST_NAMED} more.")] if len(odd) > MOST_NAMED else []
        raise InvalidSpec([*odd[:MOST_NAMED], *more])
    if not found:
        raise InvalidSpec([Fault(str(path), f"no row has a value of {objective}.")])
    return found


def _read(path: Path) -> tuple[Sequence[str], list[tuple[int, Mapping[str, str]]]]:
    """Columns, and the rows with their lines in the file."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidSpec(
                [Fault(str(path), f"has more than {MOST_BYTES >> 20} MiB: too much for a table of training jobs.")]
            )
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows: list[tuple[int, Mapping[str, str]]] = [(reader.line_num, row) for row in reader if any(row.values())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidSpec([Fault(str(path), f"can't be read: {getattr(error, 'strerror', None) or error}.")]) from error
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise InvalidSpec([Fault(str(path), f"has two columns {twice[0]!r}. Keep one.")])
    if wide := next((line for line, row in rows if None in row), None):
        raise InvalidSpec([Fault(f"{path}:{wide}", f"has more cells than the {len(columns)} columns.")])
    return columns, rows


def _missing(path: Path, name: str, columns: Sequence[str]) -> Fault:
    if len(columns) == 1 and any(sign in columns[0] for sign in ";\t"):
        return Fault(str(path), f"has a single column, {columns[0]!r}. Its cells must be parted by commas.")
    return Fault(str(path), f"has no column {name!r}. It has: {', '.join(map(repr, columns)) or 'none'}.")


def _faults(path: Path, line: int, row: Mapping[str, str], space: ParameterSpace) -> Iterator[Fault]:
    for name, each in space.ranges.items():
        cell, where = _cell(each, row[name]), f"{path}:{line} {name}"
        if not cell and not each.requires:
            yield Fault(where, "is empty, and the hyperparameter is always there.")
        elif cell and not isinstance(each, Categorical) and number_of(cell) is None:
            yield Fault(where, f"{cell!r} must be a number.")


def _cell(found: Range, cell: str) -> str:
    """Without white space around it. Empty, it's None where the hyperparameter is always there and may be that."""
    empty = isinstance(found, Categorical) and not found.requires and found.contains(None)
    return cell.strip() or (NONE if empty else "")


def _text(found: Range, cell: str) -> str:
    """The cell in AMT's spelling: of the category that it means, whoever wrote it (True, 1.0); of a whole number without a point."""
    if isinstance(found, Categorical):
        known = [found.to_text(value) for value in found.values]
        alike = (each for each in known if cell == each or _plain(cell) == _plain(each))
        return next(alike, cell)
    number = number_of(cell)
    return cell if number is None or not (number.is_integer() and found.cells < math.inf) else str(int(number))


def _plain(text: str) -> Any:
    number = number_of(text)
    return text.lower() if number is None else number


def _instant(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
