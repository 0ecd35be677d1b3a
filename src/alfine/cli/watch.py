"""alfine watch NAME: the live view of a tuning job that another process runs."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from alfine.cli.errors import FAILED, INTERRUPTED
from alfine.cli.job_access import Jobs, jobs_option, open_jobs

LOOK_SECONDS = 0.5  # between two looks, or ten times what a look takes
MAX_LOOK_SECONDS = 10.0
PATIENCE_SECONDS = 60.0  # with a server that doesn't answer

EPILOG = """
\b
Examples:
  alfine watch my-job
  alfine watch my-job --endpoint http://127.0.0.1:8765
  alfine watch my-job --json | jq -c .TrainingJobStatusCounters

Exit codes: 0 completed, 1 failed, 130 stopped or no longer watched.
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON whenever something has changed.")
@jobs_option
def watch(*, name: str, as_json: bool) -> None:
    """Watch a tuning job until it has ended, whoever runs it.

    Ctrl-C ends the watching alone: the job runs on.
    """
    from alfine.cli.job_report import outcome
    from alfine.cli.output import show

    with open_jobs() as jobs:
        try:
            described = _as_lines(jobs, name) if as_json else _as_view(jobs, name)
        except KeyboardInterrupt:
            click.echo(f"No longer watching: {name} runs on. `alfine stop {name}` stops it.", err=True)
            click.get_current_context().exit(INTERRUPTED)
    if not as_json:
        show(*outcome(described))
    codes = {"Failed": FAILED, "Stopped": INTERRUPTED}
    click.get_current_context().exit(codes.get(described["HyperParameterTuningJobStatus"], 0))


def _as_view(jobs: Jobs, name: str) -> dict[str, Any]:
    from alfine.api.live_view import LiveView

    look = _Looks(jobs, name)
    with LiveView(transient=True) as view:
        while True:
            described = look()
            view.show_description(described)
            if _ended(described):
                return described
            look.wait()


def _as_lines(jobs: Jobs, name: str) -> dict[str, Any]:
    look, before = _Looks(jobs, name), ""
    while True:
        described = look()
        state = json.dumps({key: each for key, each in described.items() if key != "ConsumedResources"}, default=str)
        if state != before:
            click.echo(json.dumps(described, default=str, ensure_ascii=False))
            before = state
        if _ended(described):
            return described
        look.wait()


def _ended(described: dict[str, Any]) -> bool:
    return "HyperParameterTuningEndTime" in described


class _Looks:
    """Looks at a job again and again; a server that is away for a while is waited for."""

    def __init__(self, jobs: Jobs, name: str) -> None:
        self.jobs, self.name = jobs, name
        self._took = 0.0
        self._seen = False

    def __call__(self) -> dict[str, Any]:
        from alfine.cli.remote_jobs import Unreachable

        begin = time.monotonic()
        while True:
            try:
                found = self.jobs.describe(self.name)
            except Unreachable:
                if not self._seen or time.monotonic() - begin > PATIENCE_SECONDS:
                    raise
                time.sleep(LOOK_SECONDS)
            else:
                self._seen, self._took = True, time.monotonic() - begin
                return found

    def wait(self) -> None:
        time.sleep(min(MAX_LOOK_SECONDS, max(LOOK_SECONDS, 10 * self._took)))
