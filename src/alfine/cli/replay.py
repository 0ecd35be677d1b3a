"""alfine replay NAME: when other criteria would have ended a recorded job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.job_argument import job_argument
from alfine.cli.options import json_option
from alfine.cli.progress import working
from alfine.core.wording import count_of, duration, money, number, short

EPILOG = """
\b
Examples:
  alfine replay my-job
  alfine replay my-job --criterion ConvergenceDetected \\
      --criterion "BestObjectiveNotImproving 10"

\b
A criterion is its name and its settings, such as:
  BestObjectiveNotImproving 10 strict=true
  ConvergenceDetected epsilon=0.01 delta=0.05
  TargetObjectiveMetricValue 0.95
"""


@click.command(epilog=EPILOG)
@job_argument
@click.option("--criterion", "texts", multiple=True, metavar="TEXT", help="Completion criterion to try. Repeatable.")
@jobs_option
@json_option
def replay(*, name: str, texts: tuple[str, ...], as_json: bool) -> None:
    """See when other criteria would have ended a job, and what that would have saved and missed.

    Each --criterion is tried alone; several are also tried together. Without --criterion, the job's own criteria are tried.
    """
    from alfine.cli.output import print_json, show
    from alfine.core.field import Face
    from alfine.core.messages import spelling

    with open_jobs() as jobs, spelling(Face.PYTHON), working(f"Replaying {name}") as tell:
        answer = jobs.replays(name, texts, tell)
    if as_json:
        print_json(answer)
        return
    show(*replayed(name, answer))


def replayed(name: str, answer: Mapping[str, Any]) -> Iterator[Any]:
    """Yield a tuning job as it was recorded, and what each replay came to.

    Args:
        name: The tuning job.
        answer: The document of `JobAccess.replays`.
    """
    recorded = answer["Recorded"]
    result = (
        "no objective"
        if recorded["BestObjective"] is None
        else f"best {recorded['MetricName']} {number(recorded['BestObjective'])} (training job {recorded['BestTrainingJob']})"
    )
    repeats = recorded.get("Repeats", 0)
    again = f" (without {count_of(repeats, 're-run')} of the best)" if repeats else ""
    searched = count_of(recorded["TrainingJobs"] - repeats)
    running = f", {recorded['Running']} still running" if recorded.get("Running") else ""
    took = f"{searched}{again}{running}, {duration(recorded['TrainingSeconds'])} of training time"
    yield f"{name} as recorded{' so far' if running else ''}: {took}, {result}"
    yield from _tables(answer["Replays"])


def _tables(rows: Sequence[dict[str, Any]]) -> list[Any]:
    from rich.table import Table
    from rich.text import Text

    lines: list[Any] = []
    for row in rows:
        several = len(row["Criteria"]) > 1
        title = "all together" if several else row["Criteria"][0] if row["Criteria"] else "the job's own criteria"
        saved_money = f", cost {money(row['SavedMoney'])}" if "SavedMoney" in row else ""
        if row["Ended"]:
            when = f"after {count_of(row['TrainingJobs'])} and {duration(row['RuntimeInSeconds'])}, by {row['Verdict']['criterion']}"
            saves = f"{count_of(row['SavedTrainingJobs'])}, {duration(row['SavedTrainingSeconds'])} of training time{saved_money}"
            saves = saves if row["SavedTrainingJobs"] or row["SavedTrainingSeconds"] else "nothing"
        else:
            when, saves = "not before the end of the record", "nothing"
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("  ends", Text(when))
        if row["Ended"]:
            table.add_row("", Text(row["Verdict"]["sentence"], style="dim"))
        spent = f", cost {money(row['Money'])}" if "Money" in row else ""
        table.add_row("  takes", Text(f"{duration(row['TrainingSeconds'])} of training time{spent}"))
        table.add_row("  saves", Text(saves))
        table.add_row("  best", Text(_best(row)))
        lines += [Text(title, style="bold"), table]
    return lines


def _best(row: dict[str, Any]) -> str:
    if row["BestObjective"] is None:
        return "no objective by then"
    missed = f"worse than the record by {short(row['Missed'])}" if row["Missed"] else "as good as the record"
    return f"{number(row['BestObjective'])}, {missed}"
