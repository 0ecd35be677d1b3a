"""alfine training-jobs NAME: list the training jobs of a tuning job."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.job_argument import job_argument
from alfine.cli.options import json_option
from alfine.cli.progress import working
from alfine.core.wording import configuration, number, seconds_between
from alfine.jobs.status_words import status_words

STATUSES = ("InProgress", "Stopping", "Completed", "Failed", "Stopped")

EPILOG = """
\b
Examples:
  alfine training-jobs my-job --sort objective --limit 5
  alfine training-jobs my-job --status Failed
"""


@click.command("training-jobs", epilog=EPILOG)
@job_argument
@click.option(
    "--status", "wanted", type=click.Choice(STATUSES, case_sensitive=False), help="Only training jobs with this status."
)
@click.option(
    "--sort",
    type=click.Choice(["number", "objective"]),
    default="number",
    show_default=True,
    help="number: in order of launch; objective: the best first.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Maximum number of rows.")
@jobs_option
@json_option
def training_jobs(*, name: str, wanted: str | None, sort: str, limit: int | None, as_json: bool) -> None:
    """List the training jobs of a tuning job."""
    from alfine.cli.output import print_json, show, status, table

    with working(f"Reading {name}"), open_jobs() as opened:
        rows = [*enumerate(opened.training_jobs(name), start=1)]
    if wanted is not None:
        rows = [row for row in rows if row[1]["TrainingJobStatus"] == wanted]
    if sort == "objective":
        rows.sort(key=lambda row: _rank(row[1]))
    rows = rows[:limit]
    if as_json:
        print_json({"TrainingJobSummaries": [row for _, row in rows]})
        return
    definitions = [row.get("TrainingJobDefinitionName", "") for _, row in rows]
    whose = ["Definition"] if any(definitions) else []
    columns = ("No.", *whose, "Status", "Objective", "Time", "Hyperparameters")
    jobs = table(*columns, right=("No.", "Objective", "Time"))
    for (index, row), definition in zip(rows, definitions, strict=True):
        value = _objective(row)
        jobs.add_row(
            str(index),
            *([definition] if whose else []),
            status(row["TrainingJobStatus"]),
            "" if value is None else number(value),
            _time(row),
            _remarks(row),
        )
    if rows:
        show(jobs)


def _objective(row: Mapping[str, Any]) -> float | None:
    value: float | None = row.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value")
    return value


def _rank(row: Mapping[str, Any]) -> tuple[bool, float]:
    """Return the sort key that puts the best first and those without an objective last."""
    value = _objective(row)
    if value is None:
        return True, 0.0
    return False, value if row["FinalHyperParameterTuningJobObjectiveMetric"]["Type"] == "Minimize" else -value


def _time(row: Mapping[str, Any]) -> str:
    begin, end = row.get("TrainingStartTime"), row.get("TrainingEndTime")
    if begin is None or end is None:
        return ""
    return seconds_between(datetime.fromisoformat(begin), datetime.fromisoformat(end))


def _remarks(row: Mapping[str, Any]) -> Any:
    """Return the hyperparameters, and below them why it failed or was stopped."""
    from rich.text import Text

    text = Text(configuration(row["TunedHyperParameters"]))
    words = status_words(row["TrainingJobStatus"], row.get("FailureReason"), row.get("StopReason"))
    if words.cause or words.detail:
        text.append(f"\n{words.cause if words.head == row['TrainingJobStatus'] else words.label}", style="dim")
    return text
