"""Print errors, one sentence per line without a traceback, or as JSON, and choose the exit code."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from alfine.core.errors import AlfineError, InvalidSpec, NoTuningJob

FAILED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes: the job failed or doesn't exist; wrong usage or an invalid job; interrupted or stopped."""

_NO_JOB = re.compile(r"Amazon SageMaker can't find a tuning job called (.*)\. Type another name\.")
"""AWS's message, which a server sends, too."""


def print_error(error: BaseException, *, as_json: bool) -> int:
    """Print an error on stderr and return the exit code."""
    from alfine.jobs.wording import printable

    code = _exit_code(error)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
    elif as_json:
        click.echo(json.dumps({"Error": _as_json(error)}), err=True)
    elif isinstance(error, click.ClickException):
        error.show()
    else:
        for line in lines_of(error):
            click.echo(click.style("error:", fg="red", bold=True) + f" {printable(line)}", err=True)
    return code


def _exit_code(error: BaseException) -> int:
    match error:
        case click.ClickException():
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            return INTERRUPTED
        case InvalidSpec():
            return USAGE
        case _:
            return FAILED


def lines_of(error: BaseException) -> list[str]:
    """Return the lines to print, one per fault."""
    if isinstance(error, InvalidSpec):
        return [str(fault) for fault in error.faults]
    if isinstance(error, OSError) and error.strerror:
        return [f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."]
    if isinstance(error, NoTuningJob) and error.similar:
        return [error.sentence()]
    return [_NO_JOB.sub(r"There is no tuning job called \1. `alfine list` shows all tuning jobs.", str(error))]


def _as_json(error: BaseException) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "Code": error.code if isinstance(error, AlfineError) else type(error).__name__,
        "Message": error.format_message() if isinstance(error, click.ClickException) else "\n".join(lines_of(error)),
    }
    if isinstance(error, InvalidSpec):
        answer["Faults"] = [{"Path": fault.path, "Message": fault.message} for fault in error.faults]
    return answer
