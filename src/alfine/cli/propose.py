"""alfine propose NAME: the tuning job that the remarks on a job's search space propose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alfine.cli.options import home_option, json_option, open_home

if TYPE_CHECKING:
    from alfine.core.history import History
    from alfine.surrogate.space_diagnosis import Remark

EPILOG = """
\b
Examples:
  alfine propose my-job
  alfine propose my-job --output wider.json
  alfine tune wider.json
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write the job's request here.")
@click.option("--name", "new_name", help="The new job's name, else the old one's with a number.")
@home_option
@json_option
def propose(*, name: str, output: Path | None, new_name: str | None, as_json: bool) -> None:
    """Say what the results tell of a job's search space, and write the job with a better one, warm-started from it.

    Told are: the best at the end of a range, hyperparameters without an influence, too few combinations. The job that is written
    has wider ranges there, fixes what doesn't matter, and begins with all that is known: run it with `alfine tune FILE`, once the old
    one has ended.
    """
    from alfine.cli.output import print_json, show
    from alfine.core.errors import InvalidSpec
    from alfine.core.spec import FUNCTION
    from alfine.jobs.analysis.next_job import proposed_request

    with open_home() as home:
        found, history = home.service.space_remarks(name), home.service.history(name)
        try:
            request = proposed_request(home.service.get(name).request, history, found, new_name)
        except InvalidSpec:
            if output is not None:
                raise
            request = None
    if output is not None:
        output.write_text(json.dumps(request, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        print_json({"Space": [remark.as_dict() for remark in found], "Request": request})
        return
    show(*(remark.sentence for remark in found) if found else ("There is nothing to say about its space.",))
    if request is None:
        return
    function = request["TrainingJobDefinition"].get("StaticHyperParameters", {}).get(FUNCTION)
    if function is not None:
        show(f"\n{_call(function, found, history)}")
        return
    file = output or f"{request['HyperParameterTuningJobName']}.json"
    named = "" if new_name is None else f" --name {new_name}"
    first = "" if output is not None else f"alfine propose {name}{named} --output {file}\n"
    show(f"\n{first}alfine tune {file}")


def _call(function: str, found: Sequence[Remark], history: History) -> str:
    """A job of a Python function can only be run from Python."""
    from alfine.core.spec import IDENTICAL
    from alfine.jobs.analysis.next_job import proposed_words

    words = proposed_words(history, found)
    space = words.pop("space")
    others = [f"{key}={value!r}" for key, value in words.items() if value != IDENTICAL]
    return (
        f"It runs a Python function, so that Python runs the next one, too:\n"
        f"alfine.tune({function.partition(':')[2] or function}, {space}, {', '.join(others)}, …)"
    )
