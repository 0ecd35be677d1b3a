"""The table of `alfine list`, made for the width of the terminal: no name and no word is broken."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from alfine.cli.output import local_time, status, table
from alfine.core.wording import number

GAP = 2
"""Columns of the terminal between two columns of the table."""

HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=\s)")
"""Where a criterion's name may continue on another line."""

LONGEST_PIECE = 14
"""Columns of a criterion's name in a narrow terminal, if its words allow it."""

Row = Mapping[str, Any]
Columns = Mapping[str, Sequence[str]]


def table_of(rows: Sequence[Row], width: int) -> Table:
    """Return the table: with all that fits into this width.

    Of a narrow terminal's rows, criteria take several lines and metrics are left out; of a very narrow one's, criteria, too.
    """
    full = {
        "Name": [str(row["HyperParameterTuningJobName"]) for row in rows],
        "Status": [str(row["HyperParameterTuningJobStatus"]) for row in rows],
        "Jobs": [str(sum(row["TrainingJobStatusCounters"].values())) for row in rows],
        "Best": [_best(row, named=True) for row in rows],
        "Ended by": [_ended_by(row) for row in rows],
        "Created": [(local_time(row["CreationTime"]) or "")[5:16] for row in rows],
    }
    values = {**full, "Best": [_best(row, named=False) for row in rows]}
    narrow = {**values, "Ended by": [_in_pieces(text) for text in full["Ended by"]]}
    least = {title: texts for title, texts in values.items() if title != "Ended by"}
    layouts = (full, {**full, "Ended by": narrow["Ended by"]}, values, narrow, least)
    return _drawn(next((layout for layout in layouts if _width(layout) <= width), least))


def _width(columns: Columns) -> int:
    widths = (
        max(cell_len(line) for text in (title, *texts) for line in text.split("\n")) for title, texts in columns.items()
    )
    return sum(widths) + GAP * (len(columns) - 1)


def _drawn(columns: Columns) -> Table:
    drawn = table(*columns, right=("Jobs",))
    for cells in zip(*columns.values(), strict=True):
        drawn.add_row(
            *(status(cell) if title == "Status" else Text(cell) for title, cell in zip(columns, cells, strict=True))
        )
    return drawn


def _best(row: Row, *, named: bool) -> str:
    best = row["BestObjective"]
    if best is None:
        return ""
    return f"{row['MetricName']} {number(best)}" if named else number(best)


def _ended_by(row: Row) -> str:
    if error := row.get("Error"):
        return str(error)
    if row.get("Standstill"):
        return "nobody runs it"
    verdict = row["Verdict"]
    return str(verdict["criterion"]) if verdict and "HyperParameterTuningEndTime" in row else ""


def _in_pieces(text: str) -> str:
    """Return a criterion's name on several lines, each of whole words: «MaxNumberOf» and «TrainingJobs»."""
    lines = [""]
    for word in HUMP.split(text):
        if lines[-1] and cell_len(lines[-1] + word) > LONGEST_PIECE:
            lines.append("")
        lines[-1] += word
    return "\n".join(line.rstrip() for line in lines)
