"""alfine watch NAME: show the live view of a tuning job that another process runs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import click

from alfine.cli.errors import FAILED, INTERRUPTED
from alfine.cli.job_access import JobAccess, jobs_option, open_jobs
from alfine.cli.job_argument import job_argument

POLL_SECONDS = 0.5
"""Least seconds between two requests; slow ones wait ten times as long as a request takes."""

MAX_POLL_SECONDS = 10.0
"""Most seconds between two requests."""

PATIENCE_SECONDS = 60.0
"""Seconds for which a server may be away."""

EPILOG = """
\b
Examples:
  alfine watch my-job
  alfine watch my-job --endpoint http://127.0.0.1:8765
  alfine watch my-job --json | jq -c .TrainingJobStatusCounters

Exit codes: 0 completed, 1 failed, 130 stopped, or watching ended by Ctrl-C.
"""


@click.command(epilog=EPILOG)
@job_argument
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON after each change.")
@jobs_option
def watch(*, name: str, as_json: bool) -> None:
    """Watch a tuning job until it ends, whichever process runs it.

    It shows the criteria, the best result and a chart of the best so far. Ctrl-C only ends the watching; the job runs on.
    """
    from alfine.cli.job_report import outcome
    from alfine.cli.output import show

    with open_jobs() as jobs:
        try:
            described = _as_lines(jobs, name) if as_json else _as_view(jobs, name)
        except KeyboardInterrupt:
            click.echo(f"{name} runs on. To stop it: alfine stop {name}", err=True)
            click.get_current_context().exit(INTERRUPTED)
    if not as_json:
        show(*outcome(described))
    codes = {"Failed": FAILED, "Stopped": INTERRUPTED}
    click.get_current_context().exit(codes.get(described["HyperParameterTuningJobStatus"], 0))


def _as_view(jobs: JobAccess, name: str) -> dict[str, Any]:
    from alfine.api.live_view import LiveView

    poll = _Poll(jobs, name)
    with LiveView(transient=True) as view:
        while True:
            described = poll()
            view.show_description(described, poll.training_jobs(described))
            if _ended(described):
                return described
            poll.wait()


def _as_lines(jobs: JobAccess, name: str) -> dict[str, Any]:
    poll, before = _Poll(jobs, name), ""
    while True:
        described = poll()
        state = json.dumps({key: value for key, value in described.items() if key != "ConsumedResources"}, default=str)
        if state != before:
            click.echo(json.dumps(described, default=str, ensure_ascii=False))
            before = state
        if _ended(described):
            return described
        poll.wait()


def _ended(described: dict[str, Any]) -> bool:
    return "HyperParameterTuningEndTime" in described


class _Poll:
    """Describe a job again and again, and wait for a server that is away for a while."""

    def __init__(self, jobs: JobAccess, name: str) -> None:
        self.jobs, self.name = jobs, name
        self._took = 0.0
        self._seen = False
        self._ended = 0
        self._training_jobs: Sequence[dict[str, Any]] = ()

    def __call__(self) -> dict[str, Any]:
        from alfine.cli.remote_jobs import Unreachable

        begin = time.monotonic()
        while True:
            try:
                described = self.jobs.describe(self.name)
            except Unreachable:
                if not self._seen or time.monotonic() - begin > PATIENCE_SECONDS:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                self._seen, self._took = True, time.monotonic() - begin
                return described

    def training_jobs(self, described: dict[str, Any]) -> Sequence[dict[str, Any]]:
        """Return the training jobs for the chart; they are asked for again only once another one has ended."""
        counters = described["TrainingJobStatusCounters"]
        ended = sum(counters.values()) - counters["InProgress"]
        if ended != self._ended:
            begin = time.monotonic()
            self._ended, self._training_jobs = ended, self.jobs.training_jobs(self.name)
            self._took += time.monotonic() - begin
        return self._training_jobs

    def wait(self) -> None:
        time.sleep(min(MAX_POLL_SECONDS, max(POLL_SECONDS, 10 * self._took)))
