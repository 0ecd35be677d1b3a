"""alfine propose NAME: report problems of a job's search space, and write a job with a better one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alfine.cli.job_argument import job_argument
from alfine.cli.options import home_option, json_option, open_home
from alfine.cli.progress import working

if TYPE_CHECKING:
    from alfine.core.history import History
    from alfine.surrogate.space_remarks import Remark

EPILOG = """
\b
Examples:
  alfine propose my-job
  alfine propose my-job --output wider.json
  alfine tune wider.json
"""


@click.command(epilog=EPILOG)
@job_argument
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File to write the new job's request to."
)
@click.option("--name", "new_name", metavar="NAME", help="Name of the new job. Default: the old name with a number.")
@home_option
@json_option
def propose(*, name: str, output: Path | None, new_name: str | None, as_json: bool) -> None:
    """Report problems of a job's search space, and propose a job with a better one.

    It reports ranges whose end is the best value, hyperparameters without effect, and search spaces with few configurations
    left. The new job has wider ranges, fixes hyperparameters without effect, and is warm-started from the old one. Run it
    with `alfine tune FILE` once the old one has ended.
    """
    from alfine.cli.output import print_json, show
    from alfine.core.errors import InvalidSpec
    from alfine.core.spec import FUNCTION
    from alfine.jobs.analysis.next_job import next_request

    with open_home() as home, working(f"Examining the search space of {name}"):
        remarks, history = home.service.space_remarks(name), home.service.history(name)
        try:
            request = next_request(home.service.get(name).request, history, remarks, new_name)
        except InvalidSpec:
            if output is not None:
                raise
            request = None
    if output is not None:
        output.write_text(json.dumps(request, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        print_json({"Space": [remark.as_dict() for remark in remarks], "Request": request})
        return
    show(*(remark.sentence for remark in remarks) if remarks else ("No problem of its search space was found.",))
    if request is None:
        return
    function = request["TrainingJobDefinition"].get("StaticHyperParameters", {}).get(FUNCTION)
    if function is not None:
        show(f"\n{_call(function, remarks, history)}")
        return
    file = output or f"{request['HyperParameterTuningJobName']}.json"
    named = "" if new_name is None else f" --name {new_name}"
    first = "" if output is not None else f"alfine propose {name}{named} --output {file}\n"
    show(f"\n{first}alfine tune {file}")


def _call(function: str, remarks: Sequence[Remark], history: History) -> str:
    """Return the call of `alfine.tune` for the proposed job: only Python can run a job that tunes a function."""
    from alfine.core.spec import IDENTICAL
    from alfine.jobs.analysis.next_job import next_words

    words = next_words(history, remarks)
    space = words.pop("space")
    others = [f"{key}={value!r}" for key, value in words.items() if value != IDENTICAL]
    return (
        f"The job tunes a Python function. Run the next one from Python:\n"
        f"alfine.tune({function.partition(':')[2] or function}, {space}, {', '.join(others)}, …)"
    )
