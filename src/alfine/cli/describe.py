"""alfine describe NAME: show one tuning job."""

from __future__ import annotations

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.job_argument import job_argument
from alfine.cli.options import json_option
from alfine.cli.progress import working

EPILOG = """
\b
Examples:
  alfine describe my-job
  alfine describe my-job --json | jq .BestTrainingJob.TunedHyperParameters
"""


@click.command(epilog=EPILOG)
@job_argument
@jobs_option
@json_option
def describe(*, name: str, as_json: bool) -> None:
    """Show a tuning job: its status, best result, criteria, search space and cost.

    --json prints the answer of DescribeHyperParameterTuningJob. What SageMaker has no field for is under «Alfine».
    """
    from alfine.cli.job_report import details, outcome
    from alfine.cli.output import print_json, show

    with working(f"Reading {name}"), open_jobs() as jobs:
        described = jobs.describe(name)
    if as_json:
        print_json(described)
    else:
        show(*outcome(described), *details(described))
