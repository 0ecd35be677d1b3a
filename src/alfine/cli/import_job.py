"""alfine import: tuning jobs that ran elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alfine.cli.options import home_option, json_option, open_home
from alfine.core.wording import number

if TYPE_CHECKING:
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
    """Take over the record of a tuning job that ran on AWS or in Optuna.

    It can be described, replayed under other criteria, exported and warm started from; nothing of it is run again.
    """


@import_job.command()
@click.argument("description", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("lists", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="Another name for it here.")
@home_option
@json_option
def aws(*, description: Path, lists: tuple[Path, ...], name: str | None, as_json: bool) -> None:
    """From AWS's answers, as files: DescribeHyperParameterTuningJob, and every page of its list of training jobs."""
    from alfine.api.import_aws import from_aws

    _take_over(*from_aws(description, lists, name), as_json=as_json)


@import_job.command()
@click.argument("url")
@click.option("--study", help="Its name; needed when the storage has several.")
@click.option("--name", help="Another name for it here.")
@click.option("--metric", default="objective", show_default=True, help="What its objective is called here.")
@home_option
@json_option
def optuna(*, url: str, study: str | None, name: str | None, metric: str, as_json: bool) -> None:
    """From an Optuna study: URL is that of its storage, such as sqlite:///study.db.

    To begin a tuning job with it, give its objective the name of that job's metric.
    """
    from alfine.api.import_optuna import from_optuna

    _take_over(*from_optuna(url, study, name, metric), as_json=as_json)


def _take_over(record: Record, remarks: Sequence[str], *, as_json: bool) -> None:
    from alfine.cli.output import print_json

    with open_home(create=True) as home:
        job = home.service.take_over(record)
        found = home.service.history(job.name)
    best = found.incumbent and found.incumbent.objective
    if as_json:
        print_json(
            {
                "HyperParameterTuningJobName": job.name,
                "TrainingJobs": found.launches,
                "BestObjective": best,
                "Remarks": list(remarks),
            }
        )
        return
    said = "no objective" if best is None else f"best {found.spec.metric} {number(best)}"
    click.echo(f"Imported {job.name}: {found.launches} training jobs, {said}.")
    for remark in remarks:
        click.echo(remark, err=True)
    click.echo(f"Try: alfine replay {job.name} --criterion ConvergenceDetected")
