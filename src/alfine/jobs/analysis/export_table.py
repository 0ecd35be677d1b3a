"""A tuning job as a table with a row for each training job: for pandas, CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alfine.core.errors import MissingExtra
from alfine.core.history import History
from alfine.jobs.analysis.results_table import column_name

FORMATS = ("csv", "json", "parquet")
"""Formats of `export_table`; also the endings of their files."""


def table_rows(history: History) -> list[dict[str, Any]]:
    """Return a row for each training job, in order of launch.

    All rows have the same columns. A hyperparameter's column has its name; the value is None if the training job didn't have it.
    Instants are in UTC. Another column whose name a hyperparameter has is called training_job_<name>.
    """
    columns = dict.fromkeys(name for spec in history.spec.definition_specs for name in spec.names_in_order)

    def others(**values: Any) -> dict[str, Any]:
        return {column_name(name, columns): value for name, value in values.items()}

    best: dict[int, float] = {job.number: value for job, value in history.best_curve()}
    return [
        {
            **others(number=job.number, name=job.name),
            **(others(definition=job.definition) if history.spec.parts else {}),
            **others(status=job.status, objective=job.objective),
            **(others(repeats=job.repeats) if history.spec.repeats else {}),
            **others(best_so_far=best.get(job.number)),
            **columns,
            **job.hyperparameters,
            **others(created_at=job.created_at, started_at=job.started_at, ended_at=job.ended_at, seconds=job.seconds),
            **others(failure_reason=job.failure_reason, stop_reason=job.stop_reason),
        }
        for job in history.jobs
    ]


def dataframe(history: History) -> Any:
    """Return the rows as a pandas DataFrame. Raise MissingExtra without pandas."""
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtra("A DataFrame needs pandas: pip install 'alfine[dataframe]'") from error
    return pd.DataFrame(table_rows(history))


def export_table(history: History, kind: str, numbers: Sequence[int] | None = None) -> bytes:
    """Return the rows as a file.

    Args:
        history: The tuning job's.
        kind: One of FORMATS.
        numbers: The numbers of the training jobs to export, in their order; None: all.

    Raises:
        MissingExtra: For Parquet without pyarrow.
    """
    rows = table_rows(history)
    if numbers is not None:  # a training job that was launched since the numbers were read isn't among them
        by_number = {job.number: row for job, row in zip(history.jobs, rows, strict=True)}
        rows = [by_number[number] for number in numbers if number in by_number]
    if kind == "json":
        return (json.dumps(rows, default=str, indent=2) + "\n").encode()
    if kind == "parquet":
        return _parquet(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["number"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("Parquet needs pyarrow: pip install 'alfine[parquet]'") from error
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def format_of(path: Path) -> str | None:
    """Return the format that a file's name ends with, if it is one of FORMATS."""
    suffix = path.suffix.removeprefix(".").lower()
    return suffix if suffix in FORMATS else None
