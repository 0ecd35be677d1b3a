"""alfine export NAME: write the training jobs as a table for other programs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.job_argument import job_argument
from alfine.cli.progress import working

FORMATS = ("csv", "json", "parquet")

EPILOG = """
\b
Examples:
  alfine export my-job > my-job.csv
  alfine export my-job --output my-job.parquet
"""


@click.command(epilog=EPILOG)
@job_argument
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="Format of the table. Default: by the ending of --output, else csv.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File to write. Default: stdout.")
@jobs_option
def export(*, name: str, kind: str | None, as_json: bool, output: Path | None) -> None:
    """Write the training jobs of a tuning job as a table.

    The columns are number, status, objective, best so far, hyperparameters and times (UTC).
    """
    from alfine.jobs.analysis.export_table import format_of

    if as_json and kind not in (None, "json"):
        raise click.UsageError(f"--json and --format {kind} can't be combined: give one of them.")
    kind = "json" if as_json else kind or (format_of(output) if output else None) or "csv"
    if kind == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is a binary format. Give --output FILE, or redirect the output.")
    with open_jobs() as jobs, working(f"Reading {name}"):
        data = jobs.export(name, kind)
    if output is None:
        click.echo(data, nl=False)
    else:
        output.write_bytes(data)
        click.echo(f"Wrote {output}.", err=True)
