"""alfine tune JOB: run a tuning job in the foreground, or go on with one that was interrupted."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from alfine.cli.errors import FAILED, INTERRUPTED
from alfine.cli.options import field_option, home_option, json_option, open_home
from alfine.core.errors import InUse, InvalidSpec, NotFound

if TYPE_CHECKING:
    from alfine.api.job_file import JobFile
    from alfine.api.live_view import LiveView

DIFFERENCES_SHOWN = 3

EPILOG = """
\b
Examples:
  alfine tune job.yaml
  alfine tune job.yaml --dry-run
  alfine tune job.yaml --name again --max-training-jobs 50 --max-parallel 4
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

Exit codes: 0 completed, 1 failed, 2 an invalid job, 130 stopped.
"""


class _Left(SystemExit):
    """SIGTERM or SIGHUP: this process ends, the training jobs don't."""


@click.command(epilog=EPILOG)
@click.argument("job", type=click.Path(path_type=Path))
@click.option("--name", help="The tuning job's name, instead of the file's.")
@field_option("max_training_jobs")
@field_option("max_parallel")
@field_option("seed")
@click.option(
    "--criterion", "criteria", multiple=True, metavar="TEXT", help="Instead of the file's criteria; repeatable."
)
@field_option("price_per_hour")
@click.option("--no-warm", is_flag=True, help="Start every training job from a cold interpreter.")
@click.option("--dry-run", is_flag=True, help="Run one training job, record nothing, show what is read from it.")
@click.option("--quiet", "-q", is_flag=True, help="No live view.")
@home_option
@json_option
def tune(*, job: Path, no_warm: bool, dry_run: bool, quiet: bool, as_json: bool, **overrides: Any) -> None:
    """Run the tuning job of a file, or go on with it where it was interrupted.

    JOB is a CreateHyperParameterTuningJob request or a job file in shorter words (docs/reference/job-file.md), as JSON or
    YAML. Ctrl-C stops it cleanly: its training jobs are told and awaited; again, at once. Told to end by SIGTERM, alfine
    leaves the training jobs running, and the next `alfine tune JOB` finds them again.
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
    return {"Failed": FAILED, "Stopped": INTERRUPTED}.get(described["HyperParameterTuningJobStatus"], 0)


def _created_or_found(home: Any, file: JobFile) -> list[str]:
    """Create the job, or find the interrupted one of that name; what there is to say before it runs."""
    from alfine.api.run_job import create_or_resume
    from alfine.cli.cost_text import bound_sentence, likely_sentence
    from alfine.core.wording import count_of

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
    said = [f"{name}: {spec.strategy}, {goal}, {launches}", f"cost: {bound_sentence(spec)}"]
    if known is None and (told := likely_sentence(home.likely(spec, replaying=False))):
        said.append(f"likely: {told}")
    if known is not None:
        history = home.service.history(name)
        running = f", {len(history.running)} of them not known to have ended" if history.running else ""
        said.append(f"Going on with {name} after {count_of(history.launches)}{running}.")
    return said


def _refuse_another(known: Any, file: JobFile, original: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Raise InUse when the recorded job of that name isn't this one, or is over."""
    from alfine.api.job_file import differences

    name = known.name
    if known.ended:
        raise InUse(
            f"the tuning job {name} has ended ({known.status}). Give this one another name with --name, or delete that one: "
            f"alfine delete {name}"
        )
    told = (file.spelled(each) for each in differences(request, original))
    found = [f"{each.path} {each.message}" for each in told]
    if found:
        more = f" (and {len(found) - DIFFERENCES_SHOWN} more)" if len(found) > DIFFERENCES_SHOWN else ""
        raise InUse(
            f"the tuning job {name} was interrupted, and this isn't the same one: {'; '.join(found[:DIFFERENCES_SHOWN])}{more}. "
            f"To go on with it, give it the same file and options (`alfine change {name}` changes its limits and criteria); for a new "
            f"one another --name."
        )


def _watch(home: Any, name: str, view: LiveView, *, live: bool, silent: bool) -> None:
    """Run the job to its end with the view on it, and tell what Ctrl-C does."""
    from alfine.api.run_job import run_to_end
    from alfine.core.wording import count_of

    def interrupted(times: int) -> None:
        running = count_of(len(home.service.history(name).running))
        words = f"Stopping: telling {running} (Ctrl-C again: at once)" if times == 1 else f"Ending {running} at once"
        if not silent:
            view.say(words)

    with view:
        try:
            run_to_end(home, name, after_step=view.update if live else None, on_interrupt=interrupted)
        except InUse as error:
            raise InUse(f"{error} `alfine watch {name}` shows how it goes.") from error


@contextmanager
def _leaving_training_jobs(home: Any, name: str, job: str) -> Iterator[None]:
    """While this runs, SIGTERM and SIGHUP end this process, and leave the training jobs to the next one."""

    def leave(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - a signal handler's signature
        raise _Left(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except _Left:
        with suppress(OSError):  # the terminal may be gone
            running = len(home.service.history(name).running)
            jobs = "1 training job runs" if running == 1 else f"{running} training jobs run"
            click.echo(f"Told to end. {jobs} on; `alfine tune {job}` goes on with {name}.", err=True)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
