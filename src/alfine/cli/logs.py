"""alfine logs: what a training job printed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from alfine.cli.job_access import Jobs, jobs_option, open_jobs
from alfine.cli.options import json_option
from alfine.core.errors import NotFound

if TYPE_CHECKING:
    from alfine.runners.log_files import LogPart

POLL_SECONDS = 0.3

EPILOG = """
\b
Examples:
  alfine logs my-job --best            of its best training job
  alfine logs my-job --number 7 --lines 20
  alfine logs my-job-007-5f3a9c21 --follow
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option("--number", type=click.IntRange(min=1), help="Which training job of the tuning job NAME.")
@click.option("--best", is_flag=True, help="The best training job of the tuning job NAME.")
@click.option("--lines", type=click.IntRange(min=0), help="Only the last so many lines.")
@click.option("--follow", "-f", is_flag=True, help="Print what is added until the training job has ended.")
@jobs_option
@json_option
def logs(*, name: str, number: int | None, best: bool, lines: int | None, follow: bool, as_json: bool) -> None:
    """Print the log of a training job.

    NAME is a training job, or a tuning job: then its newest training job, unless --number or --best says otherwise.
    """
    from alfine.cli.output import print_json
    from alfine.jobs.wording import printable_log

    if number is not None and best:
        raise click.UsageError("Give --number or --best, one of the two.")
    if follow and as_json:
        raise click.UsageError("--json can't follow a log.")
    with open_jobs() as jobs:
        job = _meant(jobs, name, number, best=best)
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
        seen = printable_log if sys.stdout.isatty() else bytes
        click.echo(seen(first.data), nl=False)
        for part in parts:
            click.echo(seen(part.data), nl=False)


def _meant(jobs: Jobs, name: str, number: int | None, *, best: bool) -> str:
    """The name of the training job that is meant."""
    try:
        rows = jobs.training_jobs(name)
    except NotFound:
        if number is not None or best:
            raise
        return name
    if not rows:
        raise NotFound(f"The tuning job {name} has no training job yet.")
    if number is not None and number > len(rows):
        raise NotFound(f"The tuning job {name} has {len(rows)} training jobs, and no number {number}.")
    if not best:
        return str(rows[(number or len(rows)) - 1]["TrainingJobName"])
    found = jobs.describe(name).get("BestTrainingJob")
    if found is None:
        raise NotFound(f"No training job of {name} has an objective yet. `alfine training-jobs {name}` lists them.")
    return str(found["TrainingJobName"])


def _parts(jobs: Jobs, name: str, lines: int | None, *, follow: bool) -> Iterator[LogPart]:
    """The log a part at a time; with `follow` until the training job has ended and all of its log was read."""
    part = jobs.log(name, lines=lines) if lines is not None else jobs.log(name)
    yield part
    while not part.last or (follow and not part.ended):
        if part.last:
            time.sleep(POLL_SECONDS)
        part = jobs.log(name, part.end)
        yield part
