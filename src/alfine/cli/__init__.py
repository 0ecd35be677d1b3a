"""The command line: one module per command, each a thin layer over `alfine.jobs` and `alfine.api`.

`GROUPS` is the only list of commands. A command's module is imported when the command is called, so that `alfine --help` needs
nothing but click. Exit codes: 0 success; 1 the job failed or doesn't exist; 2 wrong usage or an invalid job; 130 interrupted.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from alfine._version import __version__
from alfine.cli.errors import print_error
from alfine.cli.options import home_option
from alfine.core.errors import AlfineError

GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Run a job": {
        "check": ("check", "Check a job before it is created, or a notebook before it runs."),
        "tune": ("tune", "Run the tuning job of a file, or resume it."),
        "create": ("create", "Create the tuning job of a file, for a server to run."),
        "watch": ("watch", "Watch a tuning job that another process runs."),
        "change": ("change", "Change limits and criteria, or continue an ended job."),
        "stop": ("stop", "Stop a tuning job and its training jobs."),
        "note": ("note", "Show or change the note and the tags of a tuning job."),
    },
    "Look at jobs": {
        "list": ("list_jobs", "List tuning jobs, the newest first."),
        "describe": ("describe", "Show a tuning job: status, best result, criteria, cost."),
        "training-jobs": ("training_jobs", "List the training jobs of a tuning job."),
        "logs": ("logs", "Print the log of a training job."),
        "export": ("export", "Write a tuning job as CSV, JSON or Parquet."),
        "report": ("report", "Write a tuning job with its figures into one HTML file."),
        "track": ("track", "Tell MLflow, W&B or TensorBoard of a tuning job."),
    },
    "Decide when to stop, and what to try next": {
        "replay": ("replay", "See when other criteria would have ended a job."),
        "advise": ("advise", "Recommend a completion criterion from past jobs."),
        "propose": ("propose", "Find problems of a search space, and propose a better job."),
    },
    "Serve AWS clients, browsers and agents": {
        "serve": ("serve", "Serve SageMaker's API and a web console."),
        "client": ("client", "Lead AWS's clients in this shell to the server."),
        "open": ("open_page", "Open a tuning job in the web console."),
        "console": ("console", "Print a link that opens the server's web console."),
        "mcp": ("mcp", "Serve tuning jobs to agents (Model Context Protocol)."),
        "keys": ("keys", "Create, list and delete access keys."),
        "samples": ("samples", "Make small stand-ins for the data sets that AWS's notebooks read."),
    },
    "Home and files": {
        "import": ("import_job", "Import a job that ran on AWS or in Optuna."),
        "delete": ("delete", "Delete a tuning job that has ended."),
        "prune": ("prune", "Remove the files of old tuning jobs."),
        "backup": ("backup", "Copy a home, also while it is used."),
        "restore": ("restore", "Make a home from a backup."),
        "store": ("store", "Copy the records to another database."),
        "doctor": ("doctor", "Check this machine, or a home."),
        "metrics-test": ("try_regex", "Try the regex of a metric on a log."),
        "completion": ("completion", "Let the shell complete commands and job names."),
    },
}
"""The commands as `alfine --help` groups them: name -> (module, line of help).

The module has a function of the command's name (with _ for -), or of its own name.
"""

COMMANDS: dict[str, tuple[str, str]] = {name: entry for group in GROUPS.values() for name, entry in group.items()}
"""All commands: name -> (module, line of help)."""

EPILOG = """
\b
Examples:
  alfine tune job.yaml               run a job and watch it; Ctrl-C stops it
  alfine tune job.yaml --dry-run     run one training job, show what is read
  alfine describe my-job --json      a job as JSON, for a program
  alfine replay my-job --criterion "BestObjectiveNotImproving 10"
"""


class Commands(click.Group):
    """Import a command when it is called, and print every error the same way."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        with _without_collecting_garbage():
            imported = import_module(f"alfine.cli.{module}")
        command = getattr(imported, cmd_name.replace("-", "_"), None) or getattr(imported, module)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        width = max(map(len, COMMANDS))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), line) for name, (_, line) in commands.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed; suggest one for a misspelt name."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from alfine.core.wording import did_you_mean

            raise click.UsageError(f"There is no command {args[0]!r}. {did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT002
        **extra: Any,
    ) -> Any:
        """Run a command as click does, but with alfine's errors and exit codes."""
        words = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
        except (AlfineError, click.ClickException, click.Abort, KeyboardInterrupt, OSError) as error:
            if not standalone_mode:
                raise
            code = print_error(error, as_json="--json" in words)
        if not standalone_mode:
            return code
        gc.freeze()  # else Python looks for garbage among all objects when it ends: a tenth of a second of a server
        sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _without_collecting_garbage() -> Iterator[None]:
    """Collect no garbage in this block, nor later among what it leaves: an import makes none, and looking takes a twentieth of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@home_option
@click.version_option(__version__, "--version", message="alfine %(version)s")
def main() -> None:
    """Hyperparameter tuning that knows when to stop.

    Amazon SageMaker Automatic Model Tuning, on your own machine.
    """


__all__ = ["COMMANDS", "GROUPS", "main"]
