"""Access to tuning jobs: those of a home on this machine, or those of a server (--endpoint). Commands use `JobAccess` for both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

import click

from alfine.cli.options import home_option, open_home
from alfine.cli.progress import Tell
from alfine.core.errors import InUse

if TYPE_CHECKING:
    from alfine.store.tuning_job_table import TuningJobSelection

Plain = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


class JobAccess(Protocol):
    """Access of the commands to tuning jobs. Answers have the form of `alfine.jobs.service`."""

    keeps_files: bool
    """Whether deleting a job always keeps its logs and models."""

    @property
    def where(self) -> str:
        """The folder of the home, or the URL of the server."""

    def create(self, request: Mapping[str, Any]) -> None:
        """Create a tuning job from a CreateHyperParameterTuningJob request."""

    def describe(self, name: str) -> Plain:
        """Return the description of a tuning job."""

    def list(self) -> Iterable[Plain]:
        """Return summaries of all tuning jobs, the oldest first."""

    def listed(self, selection: TuningJobSelection, limit: int | None) -> tuple[Sequence[Plain], int]:
        """Return summaries of the tuning jobs of a selection, at most `limit`, and how many it has."""

    def training_jobs(self, name: str) -> Sequence[Plain]:
        """Return summaries of the training jobs of a tuning job, in order of launch."""

    def log(self, name: str, begin: int = 0, lines: int | None = None) -> Any:
        """Return a part of the log of a training job, as a `LogPart`: from byte `begin`, or the last `lines` lines."""

    def replays(self, name: str, texts: Sequence[str], tell: Tell = ...) -> Plain:
        """Replay a tuning job with criteria, each given as text; `tell` is told how far that is, where it is known."""

    def export(self, name: str, kind: str) -> bytes:
        """Return the training jobs of a tuning job as a file of this format."""

    def report(self, name: str, texts: Sequence[str]) -> bytes:
        """Return the report of a tuning job as an HTML page, with the ends of criteria that are given as text."""

    def request_stop(self, name: str) -> None:
        """Ask the process that runs the tuning job to stop it."""

    def force_stop(self, name: str) -> Sequence[str]:
        """Kill what runs of the tuning job and record it as Stopped. Return the training jobs of which something may still run."""

    def carry_out_stop(self, name: str) -> bool:
        """Return whether the job has ended. If no process runs it, end it in this one."""

    def delete(self, name: str, *, files: bool) -> None:
        """Delete a tuning job, with the files of its training jobs if `files`."""

    def change(self, name: str, **words: Any) -> None:
        """Change limits and criteria of a tuning job; the arguments are those of `Service.change`."""

    def annotate(self, name: str, *, note: str | None, tags: Mapping[str, str | None]) -> None:
        """Set the note and tags of a tuning job; the arguments are those of `Service.annotate`."""

    def go_on(self, name: str, *, quiet: bool) -> bool:
        """Run the job to its end in this process, with the live view unless `quiet`; return False if another process runs it."""


class LocalJobs:
    """The tuning jobs of a home on this machine."""

    keeps_files = False

    def __init__(self, home: Any) -> None:
        self.home = home
        service = home.service
        self.describe, self.list, self.training_jobs = service.describe, service.list, service.training_jobs
        self.listed = service.listed
        self.log, self.request_stop, self.force_stop = service.log, service.request_stop, home.force_stop
        self.annotate = service.annotate

    @property
    def where(self) -> str:
        return str(self.home.folder)

    def create(self, request: Mapping[str, Any]) -> None:
        self.home.service.create(request)

    def replays(self, name: str, texts: Sequence[str], tell: Tell = lambda *_: None) -> Plain:
        from alfine.jobs.analysis.replay_report import replay_report

        return replay_report(self.home.service.history(name), texts, tell)

    def export(self, name: str, kind: str) -> bytes:
        from alfine.jobs.analysis.export_table import export_table

        return export_table(self.home.service.history(name), kind)

    def report(self, name: str, texts: Sequence[str]) -> bytes:
        from alfine.figures.report import report

        service = self.home.service
        return report(service.get(name), service.history(name), texts).encode()

    def delete(self, name: str, *, files: bool) -> None:
        self.home.service.delete(name, files=files)

    def change(self, name: str, **words: Any) -> None:
        self.home.service.change(name, **words)

    def go_on(self, name: str, *, quiet: bool) -> bool:
        from alfine.api.live_view import LiveView
        from alfine.api.run_job import run_to_end

        with LiveView(transient=True) as view:
            try:
                run_to_end(self.home, name, after_step=None if quiet else view.update)
            except InUse:
                return False
        return True

    def carry_out_stop(self, name: str) -> bool:
        from alfine.api.run_job import run_to_end
        from alfine.core.spec import DEFINITION, FUNCTION

        job = self.home.service.get(name)
        if job.ended:
            return True
        static = job.request.get(DEFINITION, {}).get("StaticHyperParameters") or {}
        functions = {name: _gone} if FUNCTION in static else {}
        try:
            run_to_end(self.home, name, functions=functions)
        except InUse:
            return False
        return True


def _gone(*_: Any) -> NoReturn:
    """Stand for the Python function of a job whose process has ended, and its training jobs with it."""
    raise RuntimeError("the process that ran this function has ended")


def jobs_option(command: F) -> F:
    """Add --home and --endpoint, which decide what `open_jobs` opens."""
    option = click.option(
        "--endpoint",
        metavar="URL",
        expose_value=False,
        callback=_remember,
        help="Use the jobs of this `alfine serve` instead of a home. Default: $ALFINE_ENDPOINT.",
    )
    return option(home_option(command))


def _remember(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.meta["alfine.endpoint"] = value


@contextmanager
def open_jobs(*, create: bool = False) -> Iterator[JobAccess]:
    """Open the jobs that --endpoint, --home or the environment names; `create` makes a home that doesn't exist."""
    meta = click.get_current_context().meta
    if "alfine.endpoint" in meta and "alfine.home" in meta:
        raise click.UsageError("--endpoint and --home can't be combined: give one of them.")
    endpoint = meta.get("alfine.endpoint") or ("" if "alfine.home" in meta else os.environ.get("ALFINE_ENDPOINT"))
    if endpoint:
        from alfine.cli.home_server import key_for
        from alfine.cli.remote_jobs import RemoteJobs, key_in_environment

        yield RemoteJobs(endpoint, key_in_environment() or key_for(endpoint))
        return
    with open_home(create=create) as home:
        yield LocalJobs(home)
