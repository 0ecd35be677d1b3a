"""The command line: one file a command, each thin over Service and tuning.

This table is the only list of the commands. They are imported when they are called, so that `alfine --help` needs nothing
but click. Exit codes: 0 all is well; 1 the job failed, or there is no such job; 2 wrong usage or an invalid job;
130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from alfine._version import __version__
from alfine.cli.errors import print_error
from alfine.cli.options import home_option
from alfine.core.errors import AlfineError

# name -> (the file, which has a function of the same name with _ for - or of its own name, and the line that `alfine --help` shows).
COMMANDS: dict[str, tuple[str, str]] = {
    "tune": ("tune", "Run the tuning job of a file, or go on with it."),
    "create": ("create", "Create the tuning job of a file, without running it here."),
    "watch": ("watch", "Watch a tuning job that another process runs."),
    "list": ("list_jobs", "List all tuning jobs."),
    "describe": ("describe", "Show a tuning job: status, best, why it ended, cost."),
    "training-jobs": ("training_jobs", "List the training jobs of a tuning job."),
    "logs": ("logs", "Print the log of a training job."),
    "serve": ("serve", "Answer AWS clients: boto3, the AWS CLI, the SageMaker SDK."),
    "keys": ("keys", "Make, list and delete the keys that requests are signed with."),
    "change": ("change", "Change a job's limits and criteria; an ended one goes on."),
    "stop": ("stop", "Stop a tuning job and its training jobs."),
    "delete": ("delete", "Delete a tuning job that has ended."),
    "export": ("export", "Write a tuning job as CSV, JSON or Parquet."),
    "replay": ("replay", "See when other criteria would have ended a job."),
    "propose": ("propose", "Say what the results tell of a job's search space."),
    "advise": ("advise", "Recommend a completion criterion from past jobs."),
    "import": ("import_job", "Take over a job that ran on AWS or in Optuna."),
    "check": ("check", "Check a job before it's created: faults, criteria, cost."),
    "doctor": ("doctor", "Say what works on this machine, and why not."),
    "metrics-test": ("try_regex", "Try a metric's regex on a log."),
}

EPILOG = """
\b
Examples:
  alfine tune job.yaml               run it, watch it; Ctrl-C stops it cleanly
  alfine tune job.yaml --dry-run     run one training job and see what is read
  alfine describe my-job --json      everything about a job, for a program
  alfine replay my-job --criterion "BestObjectiveNotImproving 10"
"""


class Commands(click.Group):
    """Imports a command when it's called, and prints every error the same way."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        found = import_module(f"alfine.cli.{module}")
        command = getattr(found, cmd_name.replace("-", "_"), None) or getattr(found, module)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT002
        **extra: Any,
    ) -> Any:
        """Run a command; like click's own, but with alfine's errors and exit codes."""
        words = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
        except (AlfineError, click.ClickException, click.Abort, KeyboardInterrupt, OSError) as error:
            if not standalone_mode:
                raise
            code = print_error(error, as_json="--json" in words)
        if not standalone_mode:
            return code
        sys.exit(code if isinstance(code, int) else 0)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@home_option
@click.version_option(__version__, "--version", message="alfine %(version)s")
def main() -> None:
    """Hyperparameter tuning that knows when to stop.

    Amazon SageMaker Automatic Model Tuning, on your own machine.
    """


__all__ = ["COMMANDS", "main"]
