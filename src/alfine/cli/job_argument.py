"""The argument NAME of commands: the name of a tuning job, which the shell can complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from alfine.core.errors import AlfineError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from alfine.cli.job_access import JobAccess

F = TypeVar("F", bound=Callable[..., Any])


def job_argument(command: F) -> F:
    """Add the argument NAME, a tuning job, which the command gets as `name`."""
    return click.argument("name", shell_complete=tuning_jobs)(command)


def job_or_training_job_argument(command: F) -> F:
    """Add the argument NAME, a tuning job or a training job, which the command gets as `name`."""
    return click.argument("name", shell_complete=_jobs_and_training_jobs)(command)


def tuning_jobs(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the tuning jobs whose names begin so, each with its status, for the shell."""
    return _completions(context, lambda jobs: _named(jobs, incomplete))


def _jobs_and_training_jobs(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    def found(jobs: JobAccess) -> list[tuple[str, str]]:
        begun = [name for name, _ in _named(jobs, "") if incomplete.startswith(f"{name}-")]
        rows = [row for name in begun for row in jobs.training_jobs(name)]
        training = [(str(row["TrainingJobName"]), str(row["TrainingJobStatus"])) for row in rows]
        return [*_named(jobs, incomplete), *(pair for pair in training if pair[0].startswith(incomplete))]

    return _completions(context, found)


def _named(jobs: JobAccess, incomplete: str) -> list[tuple[str, str]]:
    rows = [(row["HyperParameterTuningJobName"], row["HyperParameterTuningJobStatus"]) for row in jobs.list()]
    return [pair for pair in rows if pair[0].startswith(incomplete)]


def _completions(context: click.Context, find: Callable[[JobAccess], list[tuple[str, str]]]) -> list[CompletionItem]:
    """Return what is found among the jobs that the command line names so far."""
    from click.shell_completion import CompletionItem

    from alfine.cli.job_access import open_jobs

    try:
        with context.scope(cleanup=False), open_jobs() as jobs:
            return [CompletionItem(name, help=status) for name, status in find(jobs)]
    except (AlfineError, OSError, click.ClickException):
        return []  # in the middle of a command line a message would only be in the way: nothing is completed
