"""alfine change NAME: other limits and completion criteria for a job that runs, or that has ended and goes on."""

from __future__ import annotations

from typing import Any

import click

from alfine.cli.options import home_option, json_option, open_home
from alfine.core.decide import AT_END
from alfine.core.errors import InUse, InvalidSpec
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
@click.option("--max-training-jobs", type=click.IntRange(min=1), help="Launch at most so many in all.")
@click.option("--max-parallel", type=click.IntRange(min=1), help="Run at most so many at once.")
@click.option("--max-runtime-seconds", type=click.FloatRange(min=0, min_open=True), help="Since the job's creation.")
@click.option("--criterion", "texts", multiple=True, metavar="TEXT", help="Instead of its criteria; repeatable.")
@click.option("--no-criteria", is_flag=True, help="Take its criteria away; its limits stay.")
@click.option("--early-stopping", type=click.Choice(EARLY_STOPPING_TYPES), help="Of training jobs.")
@click.option("--at-end", type=click.Choice(AT_END), help="What becomes of training jobs that run at the job's end.")
@click.option("--repeats", metavar="TEXT", help='Run the best again: "best=3 times=5", the times, or never.')
@click.option("--price-per-hour", type=click.FloatRange(min=0), help="Of one instance.")
@click.option("--no-run", is_flag=True, help="Only record it: somebody else goes on with the job.")
@home_option
@json_option
def change(*, name: str, texts: tuple[str, ...], no_criteria: bool, no_run: bool, as_json: bool, **words: Any) -> None:
    """Change a tuning job's limits and completion criteria, while it runs or afterwards.

    The process that runs the job takes it up at once. When none does, this one goes on with the job, with its whole record.
    Each change is kept, and replays honour it.
    """
    from alfine.cli.output import print_json, show
    from alfine.cli.report import outcome
    from alfine.criteria import criterion_from_text
    from alfine.job_file import in_python

    if texts and no_criteria:
        raise click.UsageError("--criterion and --no-criteria contradict each other.")
    criteria = [criterion_from_text(text) for text in texts] if texts or no_criteria else None
    if criteria is None and not any(value is not None for value in words.values()):
        raise click.UsageError("Say what to change, as with --max-training-jobs 300.")
    with open_home() as home:
        try:
            home.service.change(name, criteria=criteria, **words)
        except InvalidSpec as error:
            raise in_python(error) from error
        function = _function(home, name)
        ran = not no_run and _went_on(home, name, as_json=as_json)
        described = home.service.describe(name)
    if as_json:
        print_json(described)
    elif ran:
        show(*outcome(described))
    else:
        click.echo(f"Changed {name}. `alfine describe {name}` tells how far it is.")
        if function is not None:
            click.echo(
                f"Unless its process still runs, alfine.tune goes on with it, with {function} and name={name!r}.",
                err=True,
            )


def _function(home: Any, name: str) -> str | None:
    """The Python function that a job runs, «module:name»; None where it runs a program."""
    from alfine.core.spec import FUNCTION

    statics = [part.definition.static_hyperparameters for part in home.service.get(name).spec().each]
    return next((static[FUNCTION] for static in statics if FUNCTION in static), None)


def _went_on(home: Any, name: str, *, as_json: bool) -> bool:
    """Run the job to its end here; False when another process runs it, or has to since it runs a Python function."""
    from alfine.live import LiveView
    from alfine.tuning import run_to_end

    if _function(home, name) is not None:
        return False
    view = LiveView(transient=True)
    try:
        with view:
            run_to_end(home, name, after_step=None if as_json else view.update)
    except InUse:
        return False
    return True
