"""alfine delete NAME: delete a tuning job that has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from alfine.cli.job_access import JobAccess, jobs_option, open_jobs
from alfine.cli.job_argument import job_argument
from alfine.cli.options import confirm, json_option
from alfine.cli.progress import working
from alfine.core.errors import InvalidSpec, NotTerminal
from alfine.core.wording import count_of

EPILOG = """
\b
Examples:
  alfine delete my-job
  alfine delete my-job --yes --keep-files
"""


@click.command(epilog=EPILOG)
@job_argument
@click.option("--yes", "-y", is_flag=True, help="Don't ask for confirmation.")
@click.option("--keep-files", is_flag=True, help="Keep the files of its training jobs: logs, models, outputs.")
@jobs_option
@json_option
def delete(*, name: str, yes: bool, keep_files: bool, as_json: bool) -> None:
    """Delete a tuning job that has ended, with the logs and models of its training jobs."""
    from alfine.cli.output import print_json

    with open_jobs() as jobs:
        described = _described(jobs, name)
        status = described["HyperParameterTuningJobStatus"]
        if "HyperParameterTuningEndTime" not in described:
            raise NotTerminal(
                f"The tuning job {name} has not ended ({status}). Stop it first: alfine stop {name} --wait"
            )
        keep_files = keep_files or jobs.keeps_files
        if not yes:
            launched = sum(described["TrainingJobStatusCounters"].values())
            files = f"the files of its {count_of(launched)} are " + ("kept" if keep_files else "deleted")
            confirm(f"Delete {name} ({status}; {files})?", f"To delete {name}, give --yes.")
        with working(f"Deleting {name}"):
            jobs.delete(name, files=not keep_files)
    if as_json:
        print_json({"HyperParameterTuningJobName": name, "Deleted": True, "FilesKept": keep_files})
    else:
        click.echo(f"Deleted {name}." + (f" Its files are kept in {jobs.where}." if keep_files else ""))


def _described(jobs: JobAccess, name: str) -> Mapping[str, Any]:
    """Return the status and the counters of a job, also of one whose request isn't understood any more."""
    try:
        return jobs.describe(name)
    except InvalidSpec:
        return next(row for row in jobs.list() if row["HyperParameterTuningJobName"] == name)
