"""alfine stop NAME: stop a tuning job and its training jobs."""

from __future__ import annotations

import time

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.job_argument import job_argument
from alfine.cli.options import confirm, json_option
from alfine.core.errors import Fault, InvalidSpec

POLL_SECONDS = 0.2
"""Seconds between two requests with --wait."""

EPILOG = """
\b
Examples:
  alfine stop my-job
  alfine stop my-job --wait && alfine delete my-job --yes
  alfine stop my-job --force
"""


@click.command(epilog=EPILOG)
@job_argument
@click.option("--wait", is_flag=True, help="Wait until the tuning job has ended.")
@click.option(
    "--force", is_flag=True, help="Kill what runs and record the job as Stopped now, whatever keeps it from ending."
)
@click.option("--yes", "-y", is_flag=True, help="With --force: don't ask for confirmation.")
@jobs_option
@json_option
def stop(*, name: str, wait: bool, force: bool, yes: bool, as_json: bool) -> None:
    """Stop a tuning job and its training jobs.

    The process that runs the job sends its training jobs SIGTERM and waits for their grace period. If no process runs the
    job any more, this one stops the training jobs that are left.

    Use --force if a job stays Stopping. It gives no grace period, and doesn't wait for the process that runs the job.
    """
    from alfine.cli.job_report import outcome
    from alfine.cli.output import print_json, show

    if force:
        _stop_by_force(name, yes=yes, as_json=as_json)
        return
    with open_jobs() as jobs:
        jobs.request_stop(name)
        try:
            ended = jobs.carry_out_stop(name)
        except InvalidSpec as error:
            by_force = f"so no process can run its end. To end it all the same: alfine stop --force {name}"
            raise InvalidSpec(
                [*error.faults, Fault(name, f"the record of this job isn't understood, {by_force}")]
            ) from error
        if not ended and not as_json:
            note = "Waiting for its end." if wait else f"To see when it has ended: alfine describe {name}"
            click.echo(f"Asked the process that runs {name} to stop it. {note}", err=True)
        while wait and not ended:
            time.sleep(POLL_SECONDS)
            ended = jobs.carry_out_stop(name)
        described = jobs.describe(name)
    if as_json:
        print_json(described)
    elif ended:
        show(*outcome(described))


def _stop_by_force(name: str, *, yes: bool, as_json: bool) -> None:
    from alfine.cli.output import print_json

    with open_jobs() as jobs:
        if not yes:
            confirm(f"Kill what runs of {name}, and record it as Stopped?", f"To stop {name} by force, give --yes.")
        left = jobs.force_stop(name)
    if as_json:
        print_json(
            {"HyperParameterTuningJobName": name, "HyperParameterTuningJobStatus": "Stopped", "StillRunning": left}
        )
        return
    click.echo(f"Stopped {name} by force.")
    if left:
        click.echo(f"Some of their processes may still run: {', '.join(left)}.", err=True)
