"""alfine report NAME: write everything about a tuning job into one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.job_argument import job_argument
from alfine.cli.progress import working

EPILOG = """
\b
Examples:
  alfine report my-job -o today.html
  alfine report my-job --criterion "BestObjectiveNotImproving 10"
"""


@click.command(epilog=EPILOG)
@job_argument
@click.option(
    "--criterion",
    "criteria",
    metavar="TEXT",
    multiple=True,
    help="Mark where this criterion alone would have ended the job; repeatable.",
)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File to write. Default: NAME.html."
)
@jobs_option
def report(*, name: str, criteria: tuple[str, ...], output: Path | None) -> None:
    """Write everything about a tuning job into one HTML file: figures, criteria, training jobs.

    The file needs no network, and can be read without scripts.
    """
    with open_jobs() as jobs, working(f"Writing the report of {name}"):
        page = jobs.report(name, criteria)
    file = output or Path(f"{name}.html")
    file.write_bytes(page)
    click.echo(f"Wrote {file}.", err=True)
