"""alfine list: tuning jobs, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.options import json_option
from alfine.cli.progress import working
from alfine.core.errors import NotFound

STATUSES = ("InProgress", "Stopping", "Completed", "Failed", "Stopped")

Row = Mapping[str, Any]

SORTS = ("created", "changed", "name", "status", "verdict", "training-jobs", "best", "duration", "cost")
"""The orders of the list."""

ASCENDING = ("name", "status", "verdict")
"""Orders whose least value comes first."""

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
    type=click.Choice(SORTS),
    default="created",
    show_default=True,
    help="The newest, most, best, longest or dearest first; names, statuses and the criteria that ended them by the alphabet.",
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
    from alfine.store.tuning_job_table import TuningJobSelection

    pairs = (tag.partition("=") for tag in tags)
    selection = TuningJobSelection(
        names=() if part is None else (part,),
        statuses=statuses,
        tags=[(key, value if equals else None) for key, equals, value in pairs],
        sort=sort.replace("-", "_"),
        descending=(sort in ASCENDING) is reverse,
    )
    where, total = "", 0
    rows: Sequence[Row] = ()
    try:
        with working("Reading tuning jobs"), open_jobs() as opened:
            where = opened.where
            rows, total = opened.listed(selection, limit)
    except NotFound as error:
        if not as_json:
            show(str(error))
    if as_json:
        print_json({"HyperParameterTuningJobSummaries": rows})
    elif rows:
        _show(rows, total)
    elif where:
        filtered = part is not None or statuses or tags
        show(f"No tuning job in {where} is like that." if filtered else f"There are no tuning jobs in {where}.")


def _show(rows: Sequence[Row], found: int) -> None:
    from alfine.cli.list_table import table_of
    from alfine.cli.output import show, terminal_width

    show(table_of(rows, terminal_width()))
    if found > len(rows):
        click.echo(f"{len(rows)} of {found} tuning jobs; without --limit, all.", err=True)
