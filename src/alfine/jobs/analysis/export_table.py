"""A history as a table: rows for a DataFrame, CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from alfine.core.errors import MissingExtra
from alfine.core.history import History
from alfine.jobs.analysis.results_table import own_column

FORMATS = ("csv", "json", "parquet")


def rows(history: History) -> list[dict[str, Any]]:
    """One row a training job, in order of launch; a hyperparameter's column is its name, and instants are UTC.

    Every row has all columns; a hyperparameter that the training job didn't have is None. A column that has the name of a
    hyperparameter is called training_job_<name> instead.
    """
    columns = dict.fromkeys(name for spec in history.spec.definition_specs for name in spec.space.names)

    def own(**found: Any) -> dict[str, Any]:
        return {own_column(name, columns): value for name, value in found.items()}

    best: dict[int, float] = {job.number: value for job, value in history.best_curve()}
    return [
        {
            **own(number=job.number, name=job.name),
            **(own(definition=job.definition) if history.spec.parts else {}),
            **own(status=job.status, objective=job.objective),
            **(own(repeats=job.repeats) if history.spec.repeats else {}),
            **own(best_so_far=best.get(job.number)),
            **columns,
            **job.hyperparameters,
            **own(created_at=job.created_at, started_at=job.started_at, ended_at=job.ended_at, seconds=job.seconds),
            **own(failure_reason=job.failure_reason, stop_reason=job.stop_reason),
        }
        for job in history.jobs
    ]


def dataframe(history: History) -> Any:
    """The rows as a pandas DataFrame. Raise MissingExtra without pandas."""
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtra("A DataFrame needs pandas: pip install 'alfine[dataframe]'") from error
    return pd.DataFrame(rows(history))


def export(history: History, kind: str) -> bytes:
    """The rows in one of FORMATS. Raise MissingExtra for Parquet without pyarrow."""
    table = rows(history)
    if kind == "json":
        return (json.dumps(table, default=str, indent=2) + "\n").encode()
    if kind == "parquet":
        return _parquet(table)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(table[0]) if table else ["number"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode()


def _parquet(table: list[dict[str, Any]]) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("Parquet needs pyarrow: pip install 'alfine[parquet]'") from error
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(table), sink)
    return sink.getvalue()


def format_of(path: Path) -> str | None:
    """The format that a file's name asks for."""
    suffix = path.suffix.removeprefix(".").lower()
    return suffix if suffix in FORMATS else None
