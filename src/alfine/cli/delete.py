"""alfine delete NAME: delete a tuning job that has ended."""

from __future__ import annotations

import sys

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.options import json_option
from alfine.core.errors import NotTerminal
from alfine.core.wording import count_of

EPILOG = """
\b
Examples:
  alfine delete my-job
  alfine delete my-job --yes --keep-files
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Don't ask for confirmation.")
@click.option("--keep-files", is_flag=True, help="Keep the files of its training jobs: logs, models, outputs.")
@jobs_option
@json_option
def delete(*, name: str, yes: bool, keep_files: bool, as_json: bool) -> None:
    """Delete a tuning job that has ended, with the logs and models of its training jobs."""
    from alfine.cli.output import print_json

    with open_jobs() as jobs:
        described = jobs.describe(name)
        status = described["HyperParameterTuningJobStatus"]
        if "HyperParameterTuningEndTime" not in described:
            raise NotTerminal(
                f"The tuning job {name} has not ended ({status}). Stop it first: alfine stop {name} --wait"
            )
        keep_files = keep_files or jobs.keeps_files
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError(f"There is no terminal to ask for confirmation. To delete {name}, give --yes.")
            launched = sum(described["TrainingJobStatusCounters"].values())
            files = f"the files of its {count_of(launched)} are " + ("kept" if keep_files else "deleted")
            click.confirm(f"Delete {name} ({status}; {files})?", abort=True, err=True)
        jobs.delete(name, files=not keep_files)
    if as_json:
        print_json({"HyperParameterTuningJobName": name, "Deleted": True, "FilesKept": keep_files})
    else:
        click.echo(f"Deleted {name}." + (f" Its files are kept in {jobs.where}." if keep_files else ""))
