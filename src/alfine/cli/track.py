"""alfine track NAME: tell an experiment tracker of a tuning job that is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from alfine.cli.errors import FAILED
from alfine.cli.options import home_option, json_option, open_home

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EPILOG = """
\b
Examples:
  alfine track my-job                  tell its trackers the rest
  alfine track my-job --with mlflow    also one that it ran without
  alfine track my-job --with wandb --again
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option(
    "--with",
    "given",
    multiple=True,
    metavar="TRACKER",
    help="mlflow, wandb or tensorboard. Repeatable. Default: the job's own.",
)
@click.option("--again", is_flag=True, help="Tell everything once more, for example after the runs were deleted there.")
@click.option(
    "--patience",
    type=click.FloatRange(min=1),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up after this time.",
)
@home_option
@json_option
def track(*, name: str, given: Sequence[str], again: bool, patience: float, as_json: bool) -> None:
    """Tell experiment trackers of a tuning job: MLflow, W&B, TensorBoard.

    A job that has `track` in its job file is tracked while it runs. This command tells a tracker what it missed while it was away, or tells
    it of a job that ran without one. What the tracker has already isn't written twice.
    """
    from alfine.cli.output import facts, print_json, show
    from alfine.jobs.trackers import TRACKERS
    from alfine.jobs.trackers.tracking import tell_now

    with open_home() as home:
        states = tell_now(home, name, given, again=again, patience=patience)
    if not states:
        raise click.UsageError(f"{name} has no tracker. Name one: --with {' or --with '.join(TRACKERS)}.")
    if as_json:
        print_json({"HyperParameterTuningJobName": name, "Tracking": states})
    else:
        show(facts({tracker: state.get("Place") for tracker, state in states.items()}))
    failed = {tracker: trouble for tracker, state in states.items() if (trouble := _trouble(state))}
    for tracker, trouble in failed.items():
        click.echo(f"{tracker} wasn't told of everything: {trouble}", err=True)
    click.get_current_context().exit(FAILED if failed else 0)


def _trouble(state: Mapping[str, Any]) -> str:
    """Return what went wrong with a tracker; "" for nothing."""
    if "Failure" in state:
        return str(state["Failure"])
    behind = state.get("FactsBehind")
    return f"another process tells it of this job ({behind} facts to go)." if behind else ""
