"""alfine list: tuning jobs, the newest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.options import json_option
from alfine.cli.progress import working
from alfine.core.errors import NotFound

STATUSES = ("InProgress", "Stopping", "Completed", "Failed", "Stopped")

Row = Mapping[str, Any]

SORTS: Mapping[str, Callable[[Row], Any]] = {
    "created": lambda row: row["CreationTime"],
    "ended": lambda row: row.get("HyperParameterTuningEndTime", row["CreationTime"]),
    "training-jobs": lambda row: sum(row["TrainingJobStatusCounters"].values()),
    "name": lambda row: row["HyperParameterTuningJobName"],
    "status": lambda row: STATUSES.index(row["HyperParameterTuningJobStatus"]),
}
"""The orders of the list: the value that each sorts by."""

DESCENDING = ("created", "ended", "training-jobs")
"""Orders whose greatest value comes first."""

EPILOG = """
\b
Examples:
  alfine list --limit 10
  alfine list --status failed --name churn
  alfine list --tag team=vision --sort training-jobs
  alfine list --json | jq -c '.HyperParameterTuningJobSummaries[]'
"""


@click.command("list", epilog=EPILOG)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(STATUSES, case_sensitive=False),
    help="Only tuning jobs with this status. Repeatable.",
)
@click.option(
    "--name", "part", metavar="TEXT", help="Only tuning jobs whose name contains TEXT, in letters of any case."
)
@click.option("--tag", "tags", multiple=True, metavar="KEY[=VALUE]", help="Only tuning jobs with this tag. Repeatable.")
@click.option(
    "--sort",
    type=click.Choice([*SORTS]),
    default="created",
    show_default=True,
    help="created, ended, training-jobs: the latest, or the most, first; name; status: what runs first.",
)
@click.option("--reverse", is_flag=True, help="The other way round: the oldest first.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Maximum number of tuning jobs.")
@jobs_option
@json_option
def list(  # noqa: A001 - the command's name
    *,
    statuses: tuple[str, ...],
    part: str | None,
    tags: tuple[str, ...],
    sort: str,
    reverse: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """List tuning jobs, the newest first."""
    from alfine.cli.output import print_json, show

    where = ""
    try:
        with working("Reading tuning jobs"), open_jobs() as opened:
            where, known = opened.where, [*opened.list()]
    except NotFound as error:
        where, known = "", []
        if not as_json:
            show(str(error))
    chosen = [row for row in known if _is_wanted(row, statuses, part, tags)]
    chosen.sort(key=SORTS[sort], reverse=(sort in DESCENDING) is not reverse)
    rows = chosen[:limit]
    if as_json:
        print_json({"HyperParameterTuningJobSummaries": rows})
    elif rows:
        _show(rows, len(chosen))
    elif where:
        show(f"None of {len(known)} tuning jobs is like that." if known else f"There are no tuning jobs in {where}.")


def _is_wanted(row: Row, statuses: tuple[str, ...], part: str | None, tags: tuple[str, ...]) -> bool:
    if statuses and row["HyperParameterTuningJobStatus"] not in statuses:
        return False
    if part is not None and part.lower() not in row["HyperParameterTuningJobName"].lower():
        return False
    known = row.get("Tags", {})
    pairs = (tag.partition("=") for tag in tags)
    return all(key in known and (not equals or known[key] == value) for key, equals, value in pairs)


def _show(rows: Sequence[Row], found: int) -> None:
    from alfine.cli.list_table import table_of
    from alfine.cli.output import show, terminal_width

    show(table_of(rows, terminal_width()))
    if found > len(rows):
        click.echo(f"{len(rows)} of {found} tuning jobs; without --limit, all.", err=True)
