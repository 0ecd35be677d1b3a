"""alfine check JOB: check a tuning job before it is created."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from alfine.cli.errors import FAILED
from alfine.cli.options import home_option, home_to_look_into, json_option
from alfine.cli.progress import working

if TYPE_CHECKING:
    from alfine.cli.notebook_report import CheckedCell
    from alfine.cli.preflight import PreflightReport
    from alfine.cli.trial_run import TrialRun
    from alfine.core.cost import Cost
    from alfine.core.spec import TuningJobSpec

EPILOG = """
\b
Examples:
  alfine check request.json
  alfine check request.json --log old-training.log
  alfine check job.yaml --run
  alfine check notebook.ipynb

Exit codes: 0 the job can be created and makes sense, or all cells will be
answered; 1 otherwise.
"""


@click.command(epilog=EPILOG)
@click.argument("job", type=click.Path(path_type=Path))
@click.option("--log", type=click.File("rb"), metavar="FILE", help="Log to try the regexes of the metrics on.")
@click.option("--run", is_flag=True, help="Run one training job with the middle of every range.")
@home_option
@json_option
def check(*, job: Path, log: BinaryIO | None, run: bool, as_json: bool) -> None:
    """Check a tuning job before it is created, or a notebook before it runs. Nothing is recorded.

    JOB is a job file or a CreateHyperParameterTuningJob request, which is checked against all of AWS's rules.

    The check lists all faults at once, completion criteria that can never end the job or end it at once, and limits that
    don't fit together. It computes the maximum cost and, if the home has similar jobs, the likely one. --log and --run show
    what is read for each metric; --run also predicts the duration and the cost of the whole job.

    JOB can also be a notebook (*.ipynb) or a Python file (*.py). It is read, not run: for each cell the check says which
    operations of AWS, images, buckets and modules it uses, and which of them aren't there.
    """
    if job.suffix in (".ipynb", ".py"):
        _check_notebook(job, as_json=as_json)
        return
    from alfine.cli import preflight
    from alfine.cli.try_regex import log_lines

    with home_to_look_into() as home, working("Running one training job" if run else "Checking the job"):
        report = preflight.check(job, home, log=None if log is None else log_lines(log), run=run)
    (_print_json if as_json else _print)(report)
    if not report.good:
        click.get_current_context().exit(FAILED)


def _check_notebook(path: Path, *, as_json: bool) -> None:
    from alfine.cli.notebook_report import as_json as report_json
    from alfine.cli.notebook_report import check_notebook
    from alfine.cli.output import print_json

    with home_to_look_into() as home, working("Reading the notebook"):
        cells = check_notebook(path, home)
    (print_json(report_json(cells)) if as_json else _print_cells(cells))
    if not all(cell.answered for cell in cells):
        click.get_current_context().exit(FAILED)


def _print_cells(cells: Sequence[CheckedCell]) -> None:
    from rich.text import Text

    from alfine.cli.output import show

    for cell in cells:
        for verdict in cell.verdicts:
            use = verdict.use
            name = use.name.replace(":", " ", 1).strip() if use.kind == "operation" else use.name
            name = "" if use.kind == "unreadable" else name
            words = (
                f"cell {cell.number}, line {use.line}{f': {name}' if name else ''}{f' ({use.by})' if use.by else ''}"
            )
            mark = {True: ("yes   ", "green"), False: ("no    ", "bold red"), None: ("note  ", "bold yellow")}[
                verdict.answered
            ]
            show(Text.assemble(mark, words, f": {verdict.message}" if verdict.message else ""))
    good = sum(cell.answered for cell in cells)
    show(
        f"{good} of {len(cells)} cells will be answered."
        if good < len(cells)
        else f"All {good} cells will be answered."
    )


def _print_json(report: PreflightReport) -> None:
    from alfine.cli.output import print_json
    from alfine.cli.preflight import predicted
    from alfine.core import cost
    from alfine.core.range_words import scaling_of
    from alfine.core.spec import describe_ranges

    answer: dict[str, Any] = {
        "Faults": [{"Path": fault.path, "Message": fault.message} for fault in report.faults],
        "Remarks": [
            {"Path": remark.where, "Message": remark.sentence, "Fatal": remark.fatal} for remark in report.remarks
        ],
    }
    spec, trials = report.spec, report.trials
    if spec is not None:
        answer["Scaling"] = describe_ranges(spec, scaling_of)
    if report.logs:
        answer["Log"] = [
            {**_of(part), **readings.as_dict(name)} for part, readings in report.logs for name in readings.regexes
        ]
    if spec is not None and trials:
        answer["TrainingJobs"] = [trial.as_dict() for trial in trials]
        seconds, spent = predicted(spec, trials)
        answer["Predicted"] = {"RuntimeInSeconds": seconds, **_cost(spent)}
    if spec is not None and (bound := cost.bound(spec)) is not None:
        answer["Bound"] = _cost(bound)
    if report.likely is not None:
        answer["Likely"] = report.likely.as_dict()
    print_json(answer)


def _of(part: TuningJobSpec) -> dict[str, str]:
    return {} if part.definition.name is None else {"DefinitionName": part.definition.name}


def _cost(spent: Cost) -> dict[str, float]:
    return {"ComputeSeconds": spent.compute_seconds, **({} if spent.money is None else {"Money": spent.money})}


def _print(report: PreflightReport) -> None:
    from rich.text import Text

    from alfine.cli.cost_text import likely_sentence
    from alfine.cli.dry_run import metric
    from alfine.cli.output import facts, show
    from alfine.core.range_words import scaling_of
    from alfine.core.spec import describe_ranges
    from alfine.core.wording import count_of, duration

    for fault in report.faults:
        show(Text.assemble(("fault: ", "bold red"), str(fault)))
    spec = report.spec
    if spec is None:
        show(f"{count_of(len(report.faults), 'fault')}: the job can't be created.")
        return
    for part, readings in report.logs:
        show(f"From the log{f', as one of {part.definition.name}' if spec.parts else ''}:")
        show(*(line for name in readings.regexes for line in metric(readings, name, part.metric)))
    for trial in report.trials:
        values = ", ".join(f"{name}={text}" for name, text in trial.spec.space.to_text(trial.hyperparameters).items())
        ending = f"{trial.reason or f'exit code {trial.exit.code}'}, after {duration(trial.seconds)}"
        show(f"One training job{f' of {trial.spec.definition.name}' if spec.parts else ''}:")
        show(facts({"  command": trial.command, "  with": values, "  ended": ending}))
        show(*(line for name in trial.readings.regexes for line in metric(trial.readings, name, trial.spec.metric)))
    for remark in report.remarks:
        kind = ("wrong: ", "bold red") if remark.fatal else ("note: ", "bold yellow")
        show(Text.assemble(kind, f"{remark.where}: {remark.sentence}"))
    scaling = ", ".join(f"{name} {scaling}" for name, scaling in describe_ranges(spec, scaling_of).items()) or None
    show(facts({"scaling": scaling, **_costs(spec, report.trials), "likely": likely_sentence(report.likely)}))
    show(
        "The job can be created."
        if report.good
        else "The job could be created, but it would be wasted. See «wrong» above."
    )


def _costs(spec: TuningJobSpec, trials: Sequence[TrialRun]) -> dict[str, str]:
    """Return the likely and the largest cost of the job, as texts by label."""
    from alfine.cli.preflight import predicted
    from alfine.core import cost
    from alfine.core.wording import duration, money

    def text(spent: Cost) -> str:
        price = "" if spent.money is None else f", cost {money(spent.money)}"
        return f"{duration(spent.compute_seconds)} of compute time{price}"

    answer = {}
    if trials:
        seconds, spent = predicted(spec, trials)
        how = f"{spec.most_training_jobs} training jobs, {spec.max_parallel} at a time"
        answer["predicted"] = f"{duration(seconds)} ({how}), {text(spent)}, unless a criterion ends the job earlier"
    bound = cost.bound(spec)
    answer["maximum"] = "not limited" if bound is None else text(bound)
    return answer
