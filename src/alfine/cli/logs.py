"""alfine logs: what a training job printed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from alfine.cli.options import home_option, json_option, open_home
from alfine.core.errors import NotFound

BLOCK = 1 << 16
POLL_SECONDS = 0.2
LOOK_SECONDS = 1.0  # how often the store is asked whether the training job has ended

EPILOG = """
\b
Examples:
  alfine logs my-job --best            of its best training job
  alfine logs my-job --number 7 --lines 20
  alfine logs my-job-007-5f3a9c21 --follow
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option("--number", type=click.IntRange(min=1), help="Which training job of the tuning job NAME.")
@click.option("--best", is_flag=True, help="The best training job of the tuning job NAME.")
@click.option("--lines", type=click.IntRange(min=0), help="Only the last so many lines.")
@click.option("--follow", "-f", is_flag=True, help="Print what is added until the training job has ended.")
@home_option
@json_option
def logs(*, name: str, number: int | None, best: bool, lines: int | None, follow: bool, as_json: bool) -> None:
    """Print the log of a training job.

    NAME is a training job, or a tuning job: then its newest training job, unless --number or --best says otherwise.
    """
    from alfine.cli.output import print_json
    from alfine.runners.workspace import Workspace

    if number is not None and best:
        raise click.UsageError("Give --number or --best, one of the two.")
    if follow and as_json:
        raise click.UsageError("--json can't follow a log.")
    with open_home() as home:
        history, job = _found(home, name, number, best=best)
        log = Workspace(home.jobs_folder / history.spec.name / job.name).log
        if "alfine_function" in history.spec.definition.static_hyperparameters:
            raise NotFound(
                f"{job.name} ran a Python function in the process that called it, so it has no log of its own."
            )
        if as_json:
            text = b"".join(_last(log, lines)).decode(errors="replace")
            print_json(
                {
                    "TrainingJobName": job.name,
                    "TrainingJobStatus": job.status,
                    "Log": str(log),
                    "Lines": text.splitlines(),
                }
            )
            return
        if job.name != name:
            click.echo(f"==> {job.name} ({job.status})", err=True)
        for block in _last(log, lines):
            click.echo(block, nl=False)
        if follow:
            begin = log.stat().st_size if log.exists() else 0
            for block in _added(log, begin, lambda: not home.service.training_job(job.name)[1].running):
                click.echo(block, nl=False)


def _found(home: Any, name: str, number: int | None, *, best: bool) -> tuple[Any, Any]:
    """The training job that is meant, with the history of its tuning job."""
    try:
        history = home.service.history(name)
    except NotFound:
        if number is not None or best:
            raise
        return home.service.training_job(name)  # type: ignore[no-any-return]
    if not history.jobs:
        raise NotFound(f"The tuning job {name} has no training job yet.")
    if number is not None and number > history.launches:
        raise NotFound(f"The tuning job {name} has {history.launches} training jobs, and no number {number}.")
    if best and history.incumbent is None:
        raise NotFound(f"No training job of {name} has an objective yet. `alfine training-jobs {name}` lists them.")
    return history, history.incumbent if best else history.job(number or history.launches)


def _last(log: Path, lines: int | None) -> Iterator[bytes]:
    """The file in blocks, from where its last `lines` lines begin."""
    if not log.exists():
        return
    with log.open("rb") as file:
        if lines is not None:
            file.seek(_start_of_last(file, lines))
        while block := file.read(BLOCK):
            yield block


def _start_of_last(file: Any, lines: int) -> int:
    """Searched from the end, so that a log of gigabytes is not read for its last line."""
    end = file.seek(0, os.SEEK_END)
    missing, position, last = lines, end, True
    while position > 0:
        begin = max(0, position - BLOCK)
        file.seek(begin)
        block = file.read(position - begin)
        if last and block.endswith(b"\n"):
            missing += 1  # the newline that ends the last line begins none
        last, at = False, len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            missing -= 1
            if missing == 0:
                return int(begin + at + 1)
        position = begin
    return 0 if lines else int(end)


def _added(log: Path, begin: int, has_ended: Callable[[], bool]) -> Iterator[bytes]:
    """What is added after `begin`, until the training job has ended and all of its log was read."""
    looked, ended = 0.0, False
    while True:
        if time.monotonic() - looked > LOOK_SECONDS:
            looked, ended = time.monotonic(), has_ended()
        if log.exists():
            with log.open("rb") as file:
                file.seek(begin)
                while block := file.read(BLOCK):
                    begin += len(block)
                    yield block
        if ended:
            return
        time.sleep(POLL_SECONDS)
