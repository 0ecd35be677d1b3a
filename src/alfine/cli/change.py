"""alfine change NAME: other limits and completion criteria for a job that runs, or that has ended and goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.options import field_option, json_option
from alfine.core.fields import Face
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
@click.argument("name")
@field_option("max_training_jobs")
@field_option("max_parallel")
@field_option("max_runtime_seconds")
@click.option("--criterion", "texts", multiple=True, metavar="TEXT", help="Instead of its criteria; repeatable.")
@click.option("--no-criteria", is_flag=True, help="Take its criteria away; its limits stay.")
@field_option("early_stopping", type=click.Choice(EARLY_STOPPING_TYPES))
@field_option("at_end", type=click.Choice(AT_END))
@field_option("repeats", '"never" removes the repeats.', metavar="TEXT")
@field_option("price_per_hour")
@click.option("--no-run", is_flag=True, help="Only record it: somebody else goes on with the job.")
@jobs_option
@json_option
def change(*, name: str, texts: tuple[str, ...], no_criteria: bool, no_run: bool, as_json: bool, **words: Any) -> None:
    """Change a tuning job's limits and completion criteria, while it runs or afterwards.

    The process that runs the job takes it up at once. When none does, this one goes on with the job, with its whole record; with
    --endpoint the server does. Each change is kept, and replays honour it.
    """
    from alfine.cli.job_report import outcome
    from alfine.cli.output import print_json, show
    from alfine.criteria import criterion_from_text

    if texts and no_criteria:
        raise click.UsageError("--criterion and --no-criteria contradict each other.")
    for text in texts:
        criterion_from_text(text)
    criteria = [*texts] if texts or no_criteria else None
    if criteria is None and not any(value is not None for value in words.values()):
        raise click.UsageError("Say what to change, as with --max-training-jobs 300.")
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
        click.echo(f"Changed {name}. `alfine describe {name}` tells how far it is.")
        if function is not None:
            who = f"alfine.tune goes on with it, with {function} and name={name!r}"
            click.echo(f"Unless its process still runs, {who}.", err=True)


def _function(described: Mapping[str, Any]) -> str | None:
    """The Python function that a job runs, «module:name»; None where it runs a program."""
    from alfine.core.spec import DEFINITION, FUNCTION

    found: str | None = (described.get(DEFINITION) or {}).get("StaticHyperParameters", {}).get(FUNCTION)
    return found
