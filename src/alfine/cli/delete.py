"""alfine delete NAME: forget a tuning job that has ended."""

from __future__ import annotations

import sys

import click

from alfine.cli.options import home_option, json_option, open_home
from alfine.core.errors import NotTerminal

EPILOG = """
\b
Examples:
  alfine delete my-job
  alfine delete my-job --yes --keep-files
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@click.option("--keep-files", is_flag=True, help="Keep the folders of its training jobs: logs, models, outputs.")
@home_option
@json_option
def delete(*, name: str, yes: bool, keep_files: bool, as_json: bool) -> None:
    """Delete a tuning job that has ended, with the logs and models of its training jobs."""
    from alfine.cli.output import print_json

    with open_home() as home:
        job = home.service.get(name)
        if not job.ended:
            raise NotTerminal(f"The tuning job {name} is {job.status}. Stop it first: alfine stop {name} --wait")
        launched = home.service.history(name).launches
        folder = home.jobs_folder / name
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError(f"Nobody is there to be asked. To delete {name}, give --yes.")
            files = (
                f"the files of its {launched} training jobs stay"
                if keep_files
                else f"{launched} training jobs and {folder}"
            )
            click.confirm(f"Delete {name} ({job.status}; {files})?", abort=True, err=True)
        home.service.delete(name, files=not keep_files)
    if as_json:
        print_json({"HyperParameterTuningJobName": name, "Deleted": True, "FilesKept": keep_files})
    else:
        click.echo(f"Deleted {name}." + (f" Its files are in {folder}." if keep_files and folder.exists() else ""))
