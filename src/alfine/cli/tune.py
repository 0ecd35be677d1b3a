"""alfine tune JOB: run a tuning job in the foreground, or resume one that was interrupted."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from alfine.cli.errors import FAILED, INTERRUPTED
from alfine.cli.options import field_option, home_option, json_option, open_home
from alfine.cli.progress import working
from alfine.core.errors import InUse, InvalidSpec, NotFound
from alfine.core.wording import count_of

if TYPE_CHECKING:
    from alfine.api.job_file import JobFile
    from alfine.api.live_view import LiveView

DIFFERENCES_SHOWN = 3
"""Differences from the interrupted job of the same name that a message lists."""

EPILOG = """
\b
Examples:
  alfine tune job.yaml
  alfine tune job.yaml --dry-run
  alfine tune job.yaml --name try-2 --max-training-jobs 50 --max-parallel 4
  alfine tune job.json --criterion "BestObjectiveNotImproving 10" \\
      --criterion ConvergenceDetected

\b
A job file, job.yaml:
  script: train.py
  metric: auc
  goal: Maximize
  space:
    eta: {min: 0.01, max: 1.0, scaling: Logarithmic}
    depth: {min: 1, max: 10}
  criteria: [ConvergenceDetected]
  max_training_jobs: 100

Exit codes: 0 completed, 1 failed, 2 invalid job, 130 stopped.
"""


class _Left(SystemExit):
    """SIGTERM or SIGHUP: this process ends, the training jobs don't."""


@click.command(epilog=EPILOG)
@click.argument("job", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Name of the tuning job. Default: the file's.")
@field_option("max_training_jobs", metavar="N")
@field_option("max_parallel", metavar="N")
@field_option("seed", metavar="N")
@click.option(
    "--criterion",
    "criteria",
    multiple=True,
    metavar="TEXT",
    help="Completion criterion, instead of the file's. Repeatable.",
)
@field_option("price_per_hour", metavar="PRICE")
@click.option(
    "--no-warm", is_flag=True, help="Start each training job in a fresh interpreter, without preloaded imports."
)
@click.option(
    "--dry-run", is_flag=True, help="Run one training job, show what is read from its log, and record nothing."
)
@click.option("--quiet", "-q", is_flag=True, help="No live view.")
@home_option
@json_option
def tune(*, job: Path, no_warm: bool, dry_run: bool, quiet: bool, as_json: bool, **overrides: Any) -> None:
    """Run the tuning job of a file, or resume it where it was interrupted.

    JOB is a job file (docs/reference/job-file.md) or a CreateHyperParameterTuningJob request, as YAML or JSON.

    Ctrl-C stops the job cleanly: its training jobs get SIGTERM and time to finish; a second Ctrl-C ends them at once. On
    SIGTERM, alfine exits but leaves the training jobs running, and the next `alfine tune JOB` finds them again.
    """
    from alfine.api.job_file import read_job_file

    file = read_job_file(job).with_overrides(**overrides, warm=not no_warm)
    try:
        if dry_run:
            from alfine.cli.dry_run import dry_run as run_one

            code = run_one(file.request, as_json=as_json)
        else:
            code = _run(file, str(job), quiet=quiet, as_json=as_json)
    except InvalidSpec as error:
        raise file.explain(error) from error
    click.get_current_context().exit(code)


def _run(file: JobFile, job: str, *, quiet: bool, as_json: bool) -> int:
    from alfine.api.live_view import LiveView
    from alfine.cli.job_report import outcome
    from alfine.cli.output import print_json, show

    name = file.name
    with open_home(create=True) as home:
        view = LiveView(transient=True)
        with working(f"Preparing {name}"):
            begin = _created_or_found(home, file)
        for line in () if as_json else begin:
            view.say(line)
        with _leaving_training_jobs(home, name, job):
            _watch(home, name, view, live=not (quiet or as_json), silent=as_json)
        described = home.service.describe(name)
    if as_json:
        print_json(described)
    else:
        show(*outcome(described))
        if described["HyperParameterTuningJobStatus"] == "Stopped":
            click.echo(_next_commands(described), err=True)
    return {"Failed": FAILED, "Stopped": INTERRUPTED}.get(described["HyperParameterTuningJobStatus"], 0)


def _next_commands(described: Mapping[str, Any]) -> str:
    """Return what to type after Ctrl-C: to look at the results, and to go on with the job."""
    from alfine.cli.home_server import command
    from alfine.cli.job_report import spec_of

    name, limit = described["HyperParameterTuningJobName"], spec_of(described).most_training_jobs
    return (
        f"To see the best: {command(f'training-jobs {name} --sort objective --limit 5')}\n"
        f"To go on with it: {command(f'change {name} --max-training-jobs {limit}')}"
    )


def _created_or_found(home: Any, file: JobFile) -> list[str]:
    """Create the job, or find the interrupted one of its name; return the lines to print before it runs."""
    from alfine.api.run_job import create_or_resume
    from alfine.cli.cost_text import bound_sentence, likely_sentence

    name = file.name
    try:
        known = home.service.get(name)
    except NotFound:
        known = None
    if known is not None:
        _refuse_another(known, file, home.store.original(name), home.service.as_recorded(file.request))
    spec = create_or_resume(home, file.request).spec()
    goal = f"{spec.goal.lower()} {spec.metric}"
    launches = f"at most {count_of(spec.most_training_jobs)}, {spec.max_parallel} at a time"
    lines = [f"{name}: {spec.strategy}, {goal}, {launches}", f"cost: {bound_sentence(spec)}"]
    if known is None and (likely := likely_sentence(home.resource_estimate(spec, replaying=False))):
        lines.append(f"likely: {likely}")
    if known is not None:
        history = home.service.history(name)
        running = f", of which {len(history.running)} may still run" if history.running else ""
        lines.append(f"Resuming {name} after {count_of(history.launches)}{running}.")
    return lines


def _refuse_another(known: Any, file: JobFile, original: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Raise InUse when the recorded job of that name is a different one, or has ended."""
    from alfine.api.job_file import differences

    name = known.name
    if known.ended:
        raise InUse(
            f"the tuning job {name} has ended ({known.status}). Give the new job another name with --name, or delete the old one: "
            f"alfine delete {name}"
        )
    faults = (file.spelled(difference) for difference in differences(request, original))
    lines = [f"{fault.path} {fault.message}" for fault in faults]
    if lines:
        more = f" (and {len(lines) - DIFFERENCES_SHOWN} more)" if len(lines) > DIFFERENCES_SHOWN else ""
        raise InUse(
            f"the tuning job {name} was interrupted, but had other settings: {'; '.join(lines[:DIFFERENCES_SHOWN])}{more}. To resume it, give "
            f"the same file and options (`alfine change {name}` changes its limits and criteria). For a new job, give another --name."
        )


def _watch(home: Any, name: str, view: LiveView, *, live: bool, silent: bool) -> None:
    """Run the job to its end with the live view, and print what Ctrl-C does."""
    from alfine.api.run_job import run_to_end

    def interrupted(times: int) -> None:
        running = count_of(len(home.service.history(name).running))
        line = f"Stopping {running} (Ctrl-C again to end them at once)" if times == 1 else f"Ending {running} at once"
        if not silent:
            view.say(line)

    with view:
        try:
            run_to_end(home, name, after_step=view.update if live else None, on_interrupt=interrupted)
        except InUse as error:
            raise InUse(f"{error} To follow it: alfine watch {name}") from error


@contextmanager
def _leaving_training_jobs(home: Any, name: str, job: str) -> Iterator[None]:
    """Let SIGTERM and SIGHUP end this process without ending the training jobs, which the next process finds again."""

    def leave(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - a signal handler's signature
        raise _Left(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except _Left:
        with suppress(OSError):  # the terminal may be gone
            running = len(home.service.history(name).running)
            runs = "runs" if running == 1 else "run"
            click.echo(f"Exiting; {count_of(running)} still {runs}. To resume {name}: alfine tune {job}", err=True)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
