"""alfine stop NAME: ask for the end of a tuning job, and carry it out where nobody else does."""

from __future__ import annotations

import time

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.options import json_option

POLL_SECONDS = 0.2

EPILOG = """
\b
Examples:
  alfine stop my-job
  alfine stop my-job --wait && alfine delete my-job --yes
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option("--wait", is_flag=True, help="Return once the tuning job has ended.")
@jobs_option
@json_option
def stop(*, name: str, wait: bool, as_json: bool) -> None:
    """Stop a tuning job and its training jobs.

    The alfine process that runs the job is asked to; its training jobs are told (SIGTERM) and get their grace period. When
    no process runs the job any more, this one stops what it left behind.
    """
    from alfine.cli.job_report import outcome
    from alfine.cli.output import print_json, show

    with open_jobs() as jobs:
        jobs.request_stop(name)
        ended = jobs.carry_out_stop(name)
        if not ended and not as_json:
            note = "waiting for it" if wait else f"`alfine describe {name}` tells when it has ended"
            click.echo(f"Stopping {name}: the process that runs it was asked to; {note}.", err=True)
        while wait and not ended:
            time.sleep(POLL_SECONDS)
            ended = jobs.carry_out_stop(name)
        described = jobs.describe(name)
    if as_json:
        print_json(described)
    elif ended:
        show(*outcome(described))
