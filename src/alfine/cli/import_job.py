"""alfine import: import tuning jobs that ran on AWS or in Optuna."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alfine.cli.options import home_option, json_option, open_home
from alfine.cli.progress import working
from alfine.core.wording import count_of, number

if TYPE_CHECKING:
    from alfine.core.history import History
    from alfine.store.records import Record

EPILOG = """
\b
Examples:
  aws sagemaker describe-hyper-parameter-tuning-job \\
      --hyper-parameter-tuning-job-name my-job > job.json
  aws sagemaker list-training-jobs-for-hyper-parameter-tuning-job \\
      --hyper-parameter-tuning-job-name my-job > list.json
  alfine import aws job.json list.json
  alfine import optuna sqlite:///study.db --study churn
  alfine replay my-job --criterion ConvergenceDetected
"""


@click.group(name="import", epilog=EPILOG)
def import_job() -> None:
    """Import a tuning job that ran on AWS or in Optuna.

    An imported job can be described, replayed with other criteria, exported, and used as the parent of a warm start. Nothing
    is run again.
    """


@import_job.command(epilog="\b\nExample:\n  alfine import aws job.json list.json")
@click.argument("description", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("lists", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", metavar="NAME", help="Name of the imported job. Default: its own name.")
@home_option
@json_option
def aws(*, description: Path, lists: tuple[Path, ...], name: str | None, as_json: bool) -> None:
    """Import a job from AWS.

    DESCRIPTION is a file with the answer of DescribeHyperParameterTuningJob, LISTS are files with all pages of
    ListTrainingJobsForHyperParameterTuningJob.
    """
    from alfine.api.import_aws import from_aws

    with working(f"Importing {description}"):
        imported = _imported(*from_aws(description, lists, name))
    _tell(*imported, as_json=as_json)


@import_job.command(epilog="\b\nExample:\n  alfine import optuna sqlite:///study.db --study churn")
@click.argument("url")
@click.option("--study", metavar="NAME", help="Name of the study; required if the storage has several.")
@click.option("--name", metavar="NAME", help="Name of the imported job. Default: its own name.")
@click.option(
    "--metric", default="objective", show_default=True, metavar="NAME", help="Name of the objective metric here."
)
@home_option
@json_option
def optuna(*, url: str, study: str | None, name: str | None, metric: str, as_json: bool) -> None:
    """Import an Optuna study.

    URL is that of the storage, such as sqlite:///study.db. For a warm start from the imported job, --metric must be the
    metric of the new job.
    """
    from alfine.api.import_optuna import from_optuna

    with working(f"Importing {study or url}"):
        imported = _imported(*from_optuna(url, study, name, metric))
    _tell(*imported, as_json=as_json)


def _imported(record: Record, remarks: Sequence[str]) -> tuple[History, Sequence[str]]:
    """Record a job, and return its history with the remarks on it."""
    with open_home(create=True) as home:
        return home.service.history(home.service.take_over(record).name), remarks


def _tell(history: History, remarks: Sequence[str], *, as_json: bool) -> None:
    from alfine.cli.output import print_json

    name = history.spec.name
    best = None if history.incumbent is None else history.incumbent.objective
    if as_json:
        print_json(
            {
                "HyperParameterTuningJobName": name,
                "TrainingJobs": history.launches,
                "BestObjective": best,
                "Remarks": list(remarks),
            }
        )
        return
    result = "no objective" if best is None else f"best {history.spec.metric} {number(best)}"
    click.echo(f"Imported {name}: {count_of(history.launches)}, {result}.")
    for remark in remarks:
        click.echo(remark, err=True)
    click.echo(f"For example: alfine replay {name} --criterion ConvergenceDetected")
