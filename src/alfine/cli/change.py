"""alfine change NAME: change the limits and criteria of a running job, or continue an ended one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.job_argument import job_argument
from alfine.cli.options import field_option, json_option
from alfine.core.field import Face
from alfine.core.messages import spelling
from alfine.core.policy import AT_END
from alfine.core.spec import EARLY_STOPPING_TYPES

EPILOG = """
\b
Examples:
  alfine change my-job --max-training-jobs 300
  alfine change my-job --criterion "ConvergenceDetected delta=0.02" \\
      --criterion "BestObjectiveNotImproving 30"
  alfine change my-job --no-criteria --max-runtime-seconds 7200
"""


@click.command(epilog=EPILOG)
@job_argument
@field_option("max_training_jobs", metavar="N")
@field_option("max_parallel", metavar="N")
@field_option("max_runtime_seconds", metavar="SECONDS")
@click.option(
    "--criterion",
    "texts",
    multiple=True,
    metavar="TEXT",
    help="Completion criterion, instead of all current ones. Repeatable.",
)
@click.option("--no-criteria", is_flag=True, help="Remove all completion criteria; limits stay.")
@field_option("early_stopping", type=click.Choice(EARLY_STOPPING_TYPES))
@field_option("at_end", type=click.Choice(AT_END))
@field_option("repeats", '"never" removes the repeats.', metavar="TEXT")
@field_option("price_per_hour", metavar="PRICE")
@click.option("--no-run", is_flag=True, help="Only record the change; another process runs the job.")
@jobs_option
@json_option
def change(*, name: str, texts: tuple[str, ...], no_criteria: bool, no_run: bool, as_json: bool, **words: Any) -> None:
    """Change the limits and completion criteria of a tuning job, or continue one that has ended.

    The process that runs the job applies the change at once. If no process runs it, this one continues the job with all of
    its results; with --endpoint, the server does. Every change is recorded, and replays take it into account.
    """
    from alfine.cli.job_report import outcome
    from alfine.cli.output import print_json, show
    from alfine.criteria import criterion_from_text

    if texts and no_criteria:
        raise click.UsageError("--criterion and --no-criteria can't be combined: give one of them.")
    for text in texts:
        criterion_from_text(text)
    criteria = [*texts] if texts or no_criteria else None
    if criteria is None and not any(value is not None for value in words.values()):
        raise click.UsageError("Nothing to change. Give an option, such as --max-training-jobs 300.")
    with open_jobs() as jobs:
        with spelling(Face.PYTHON):
            jobs.change(name, criteria=criteria, **words)
        function = _function(jobs.describe(name))
        ran = not no_run and function is None and jobs.go_on(name, quiet=as_json)
        described = jobs.describe(name)
    if as_json:
        print_json(described)
    elif ran:
        show(*outcome(described))
    else:
        click.echo(f"Changed {name}. To see it: alfine describe {name}")
        if function is not None:
            message = f"It tunes a Python function. If its process has ended, call alfine.tune with {function} and name={name!r} again."
            click.echo(message, err=True)


def _function(described: Mapping[str, Any]) -> str | None:
    """Return the Python function that a job tunes, as «module:name», or None where it runs a program."""
    from alfine.core.spec import DEFINITION, FUNCTION

    function: str | None = (described.get(DEFINITION) or {}).get("StaticHyperParameters", {}).get(FUNCTION)
    return function
