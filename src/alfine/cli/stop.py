"""alfine stop NAME: stop a tuning job and its training jobs."""

from __future__ import annotations

import time

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.options import json_option

POLL_SECONDS = 0.2
"""Seconds between two requests with --wait."""

EPILOG = """
\b
Examples:
  alfine stop my-job
  alfine stop my-job --wait && alfine delete my-job --yes
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option("--wait", is_flag=True, help="Wait until the tuning job has ended.")
@jobs_option
@json_option
def stop(*, name: str, wait: bool, as_json: bool) -> None:
    """Stop a tuning job and its training jobs.

    The process that runs the job sends its training jobs SIGTERM and waits for their grace period. If no process runs the
    job any more, this one stops the training jobs that are left.
    """
    from alfine.cli.job_report import outcome
    from alfine.cli.output import print_json, show

    with open_jobs() as jobs:
        jobs.request_stop(name)
        ended = jobs.carry_out_stop(name)
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
