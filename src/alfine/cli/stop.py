"""alfine stop NAME: ask for the end of a tuning job, and carry it out where nobody else does."""

from __future__ import annotations

import time
from typing import Any, NoReturn

import click

from alfine.cli.options import home_option, json_option, open_home
from alfine.core.errors import InUse

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
@home_option
@json_option
def stop(*, name: str, wait: bool, as_json: bool) -> None:
    """Stop a tuning job and its training jobs.

    The alfine process that runs the job is asked to; its training jobs are told (SIGTERM) and get their grace period. When
    no process runs the job any more, this one stops what it left behind.
    """
    from alfine.cli.output import print_json, show
    from alfine.cli.report import outcome

    with open_home() as home:
        home.service.request_stop(name)
        ended = carried_out(home, name)
        if not ended and not as_json:
            note = "waiting for it" if wait else f"`alfine describe {name}` tells when it has ended"
            click.echo(f"Stopping {name}: the process that runs it was asked to; {note}.", err=True)
        while wait and not ended:
            time.sleep(POLL_SECONDS)
            ended = carried_out(home, name)
        described = home.service.describe(name)
    if as_json:
        print_json(described)
    elif ended:
        show(*outcome(described))


def carried_out(home: Any, name: str) -> bool:
    """Whether the job has ended; where nobody runs it, it's run to its end here. False while another process runs it."""
    from alfine.programs import FUNCTION
    from alfine.tuning import run_to_end

    job = home.service.get(name)
    if job.ended:
        return True
    functions = {name: _gone} if FUNCTION in job.spec().definition.static_hyperparameters else {}
    try:
        run_to_end(home, name, functions=functions)
    except InUse:
        return False
    return True


def _gone(*_: Any) -> NoReturn:
    """Stands for the Python function of a job whose process has ended: its training jobs ended with it."""
    raise RuntimeError("the process that ran this function has ended")
