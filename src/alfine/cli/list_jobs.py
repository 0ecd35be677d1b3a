"""alfine list: all tuning jobs."""

from __future__ import annotations

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.options import json_option
from alfine.core.errors import NotFound
from alfine.core.wording import number

EPILOG = """
\b
Examples:
  alfine list
  alfine list --json | jq -c '.HyperParameterTuningJobSummaries[]'
"""


@click.command("list", epilog=EPILOG)
@jobs_option
@json_option
def list(*, as_json: bool) -> None:  # noqa: A001 - the command's name
    """List all tuning jobs, the oldest first."""
    from alfine.cli.output import local_time, print_json, show, status, table

    try:
        with open_jobs() as opened:
            rows = [*opened.list()]
            if not rows and not as_json:
                show(f"There are no tuning jobs in {opened.where}.")
    except NotFound as error:
        if not as_json:
            show(str(error))
        rows = []
    if as_json:
        print_json({"HyperParameterTuningJobSummaries": rows})
        return
    if not rows:
        return
    jobs = table("Name", "Status", "Training jobs", "Best", "Ended by", "Created", right=("Training jobs",))
    jobs.columns[5].no_wrap = True
    for row in rows:
        best, verdict = row["BestObjective"], row["Verdict"]
        ended = "HyperParameterTuningEndTime" in row
        created = local_time(row["CreationTime"]) or ""
        jobs.add_row(
            row["HyperParameterTuningJobName"],
            status(row["HyperParameterTuningJobStatus"]),
            str(sum(row["TrainingJobStatusCounters"].values())),
            "" if best is None else f"{row['MetricName']} {number(best)}",
            row.get("Error") or (verdict["criterion"] if ended and verdict else ""),
            created[5:16],
        )
    show(jobs)
