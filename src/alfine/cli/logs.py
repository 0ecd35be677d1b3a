"""alfine logs NAME: print the log of a training job."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from alfine.cli.job_access import JobAccess, jobs_option, open_jobs
from alfine.cli.job_argument import job_or_training_job_argument
from alfine.cli.options import json_option
from alfine.core.errors import NotFound
from alfine.core.wording import count_of

if TYPE_CHECKING:
    from alfine.runners.log_files import LogPart

POLL_SECONDS = 0.3
"""Seconds between two requests with --follow."""

EPILOG = """
\b
Examples:
  alfine logs my-job --best
  alfine logs my-job --number 7 --lines 20
  alfine logs my-job-007-5f3a9c21 --follow
"""


@click.command(epilog=EPILOG)
@job_or_training_job_argument
@click.option("--number", type=click.IntRange(min=1), metavar="N", help="Training job number N of the tuning job NAME.")
@click.option("--best", is_flag=True, help="Best training job of the tuning job NAME.")
@click.option("--lines", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
@click.option("--follow", "-f", is_flag=True, help="Keep printing until the training job ends.")
@jobs_option
@json_option
def logs(*, name: str, number: int | None, best: bool, lines: int | None, follow: bool, as_json: bool) -> None:
    """Print the log of a training job.

    NAME is a training job, or a tuning job. Of a tuning job, --number or --best chooses the training job; the default is the
    newest.
    """
    from alfine.cli.output import print_json
    from alfine.jobs.wording import printable_log

    if number is not None and best:
        raise click.UsageError("--number and --best can't be combined: give one of them.")
    if follow and as_json:
        raise click.UsageError("--json and --follow can't be combined: JSON is printed once the log is complete.")
    with open_jobs() as jobs:
        job = _training_job(jobs, name, number, best=best)
        parts = _parts(jobs, job, lines, follow=follow)
        first = next(parts)
        if as_json:
            text = b"".join([first.data, *(part.data for part in parts)]).decode(errors="replace")
            print_json(
                {
                    "TrainingJobName": job,
                    "TrainingJobStatus": first.status,
                    "Log": first.path,
                    "Lines": text.splitlines(),
                }
            )
            return
        if job != name:
            click.echo(f"==> {job} ({first.status})", err=True)
        shown = printable_log if sys.stdout.isatty() else bytes
        click.echo(shown(first.data), nl=False)
        for part in parts:
            click.echo(shown(part.data), nl=False)


def _training_job(jobs: JobAccess, name: str, number: int | None, *, best: bool) -> str:
    """Return the name of the training job whose log is wanted."""
    try:
        rows = jobs.training_jobs(name)
    except NotFound:
        if number is not None or best:
            raise
        return name
    if not rows:
        raise NotFound(f"The tuning job {name} has no training jobs yet.")
    if number is not None and number > len(rows):
        raise NotFound(f"The tuning job {name} has no training job number {number}: it has {count_of(len(rows))}.")
    if not best:
        return str(rows[(number or len(rows)) - 1]["TrainingJobName"])
    best_job = jobs.describe(name).get("BestTrainingJob")
    if best_job is None:
        raise NotFound(f"No training job of {name} has an objective yet. `alfine training-jobs {name}` lists them.")
    return str(best_job["TrainingJobName"])


def _parts(jobs: JobAccess, name: str, lines: int | None, *, follow: bool) -> Iterator[LogPart]:
    """Yield the log part by part; with `follow`, until the training job has ended and its whole log was read."""
    part = jobs.log(name, lines=lines) if lines is not None else jobs.log(name)
    yield part
    while not part.last or (follow and not part.ended):
        if part.last:
            time.sleep(POLL_SECONDS)
        part = jobs.log(name, part.end)
        yield part
