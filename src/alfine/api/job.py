"""Job: a tuning job of a home, as `alfine.tune` and `alfine.attach` return it."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alfine.api import notebook_view
from alfine.api.background import Background
from alfine.api.recorded import RecordedTrainingJob, TrainingJobs
from alfine.api.results import Results
from alfine.api.targets import NativeHistory
from alfine.core.cost import Cost, spent
from alfine.core.field import Face
from alfine.core.history import History
from alfine.core.messages import spelling
from alfine.core.replay import Replayed
from alfine.core.space import ParameterSpace
from alfine.core.verdict import UNDECIDED, Verdict, as_it_ended
from alfine.core.wording import number
from alfine.criteria import Given
from alfine.criteria.forecast import Forecast, forecast_of
from alfine.jobs.analysis.next_job import next_words
from alfine.jobs.home import Home
from alfine.jobs.policy_for import policy_for, replayed
from alfine.jobs.run import Run
from alfine.jobs.server_record import ServerRecord
from alfine.store.records import TuningJob

if TYPE_CHECKING:
    from alfine.figures.plots import Plots


LOOK_SECONDS = 1.0
"""Time between two looks at a job that another process runs."""


@dataclass(slots=True)
class Kept:
    """The place where a job is kept, and how it's read there.

    Attributes:
        name: The tuning job's name.
        folder: The home.
        native: Gives hyperparameters the types that the caller's space has; None: they are as they are recorded.
        static: The static hyperparameters as the caller gave them.
        background: The thread that runs it; None where this process doesn't.
    """

    name: str
    folder: Path
    native: NativeHistory | None = None
    static: Mapping[str, Any] | None = None
    background: Background | None = None

    def read(self, home: Home, run: Run | None = None) -> Job:
        """Return the job as it is recorded now.

        Args:
            run: Its run, where this process runs it.
        """
        history = home.service.history(self.name) if run is None else run.history
        return Job(home.service.get(self.name), history if self.native is None else self.native.of(history), self, run)

    def now(self) -> Job:
        """Return the job as it is recorded now."""
        with Home(self.folder) as home:
            return self.read(home)


class Job(Results):
    """A tuning job of a home.

    It doesn't change any more: of a job that still runs it has the state when it was read. `refresh` reads it again.
    """

    def __init__(self, row: TuningJob, history: History, kept: Kept, live: Run | None = None) -> None:
        self._row = row
        self._history = history
        self._kept = kept
        self._live = live

    @property
    def history(self) -> History:
        """Everything that was recorded: the facts, in order, and what follows from them."""
        return self._history

    @property
    def name(self) -> str:
        """The tuning job's name."""
        return self._row.name

    @property
    def status(self) -> str:
        """InProgress, Completed, Failed, Stopping or Stopped."""
        return self._row.status

    @property
    def ended(self) -> bool:
        """True once the tuning job is Completed, Failed or Stopped."""
        return self._row.ended

    @property
    def standstill(self) -> str:
        """The reason why nobody runs the job at present, and how to go on; "" while somebody does, and once it has ended."""
        with Home(self._kept.folder) as home:
            return home.service.standstill(self.name)

    @property
    def failure_reason(self) -> str | None:
        """The reason why the tuning job failed; None unless it did."""
        return self._row.failure_reason

    @property
    def verdict(self) -> Verdict:
        """The verdict that ended the job; while the job runs, the one that is nearest to an end."""
        return (self._live.judge.verdict if self._live else self._row.verdict) or UNDECIDED

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The last verdict of each completion criterion; for the criterion that ended the job, the verdict that did."""
        return as_it_ended(self.verdict, self._live.judge.verdicts if self._live else self._row.verdicts)

    @property
    def training_seconds(self) -> float:
        """The training time of all training jobs together, in seconds."""
        return self.history.training_seconds

    @property
    def wall_seconds(self) -> float:
        """The time from the job's creation to its end, or to now, in seconds."""
        end = self._row.ended_at or datetime.now(UTC)
        return (end - self._row.created_at).total_seconds()

    @property
    def space(self) -> ParameterSpace:
        """The search space; of a job with several definitions it is empty, and each of `history.spec.parts` has its own."""
        return self.history.spec.space

    @property
    def cost(self) -> Cost:
        """The cost so far: `cost.compute_seconds`, and `cost.money` in US dollars where the job has a price."""
        return spent(self.history)

    @property
    def note(self) -> str:
        """The note that people wrote about the job; "" where nobody did."""
        return self._row.note or ""

    @property
    def tags(self) -> Mapping[str, str]:
        """The job's tags at present, by their keys."""
        with Home(self._kept.folder) as home:
            return home.service.tags(self.name)

    def annotate(self, note: str | None = None, tags: Mapping[str, str | None] | None = None) -> Job:
        """Set the note and tags of the job, at any time, and return the job as it is then.

        Args:
            note: The note; "" removes it, None leaves it as it is.
            tags: The new value of each tag; None removes a tag. Other tags stay.

        Example:
            >>> job.annotate("The learning rate was too narrow.", {"team": "vision", "draft": None})
        """
        with Home(self._kept.folder) as home, spelling(Face.PYTHON):
            home.service.annotate(self.name, note=note, tags=tags)
            return self._kept.read(home)

    @property
    def training_jobs(self) -> TrainingJobs:
        """All training jobs in the order in which they were launched. Each has its `log()`, `model_path` and `metrics`.

        Example:
            >>> job.training_jobs[3].metrics["loss"]
        """
        return TrainingJobs(self.history.jobs, self._kept.folder)

    @property
    def best(self) -> RecordedTrainingJob | None:
        """The training job with the best objective; None while no training job has one.

        With `repeats`, once configurations have been run again, the one with the best average counts.
        """
        best = self.history.incumbent
        return None if best is None else RecordedTrainingJob.of(best, self._kept.folder)

    @property
    def url(self) -> str:
        """The address of the job's page in the web console; while no server runs on its home, a sentence that says how to start one."""
        record = ServerRecord.read(self._kept.folder)
        if record is None or not record.answers():
            return f"No server runs on this home. Start one: alfine serve --home {shlex.quote(str(self._kept.folder))}"
        return f"{record.local_url}/console/tuning-jobs/{self.name}"

    def refresh(self) -> Job:
        """Return the job as it is recorded now."""
        return self._kept.now()

    def wait(self, seconds: float | None = None) -> Job:
        """Return the job once it has ended.

        A job that another process runs is looked at once a second.

        Args:
            seconds: Return after this time at the latest, even if the job still runs. None: however long it takes.

        Raises:
            Exception: What ended the run of the job in this process.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while not (job := self.refresh()).ended:
            left = LOOK_SECONDS if until is None else min(LOOK_SECONDS, until - time.monotonic())
            if left <= 0:
                break
            if self._kept.background is None or self._kept.background.wait(left):
                time.sleep(left)
        return job

    def stop(self) -> None:
        """Ask whoever runs the job to stop it and its training jobs; `wait` returns once that is done.

        Raises:
            AlreadyEnded: It has ended.
        """
        with Home(self._kept.folder) as home:
            home.service.request_stop(self.name)

    def change(self, **words: Any) -> Job:
        """Change limits and completion criteria, and return the job as it is then: see `alfine.change` for the arguments."""
        given = {word: value for word, value in words.items() if value is not None}
        with Home(self._kept.folder) as home, spelling(Face.PYTHON):
            home.service.change(self.name, **given)
            return self._kept.read(home)

    def extend(self, training_jobs: int) -> Job:
        """Allow more training jobs, and return the job as it is then. A job that had ended is InProgress again: `alfine.change` says
        how to go on with it.

        Args:
            training_jobs: How many more than its limit, or than it launched where it has none.
        """
        limit = self.refresh().history.spec.max_training_jobs
        return self.change(max_training_jobs=(limit or self.history.launches) + training_jobs)

    def forecast(self) -> Forecast | None:
        """Return what further training jobs would probably improve, and which criterion will probably end the job, and
        when.

        Returns:
            None once the job has ended.
        """
        if self._row.ended:
            return None
        policy = self._live.judge.policy if self._live else policy_for(self.history.spec)
        return forecast_of(self.history, policy.criteria)

    @property
    def plot(self) -> Plots:
        """The figures: `job.plot.best()`, `job.plot.importance()` and others, which notebooks show and `save` writes."""
        from alfine.figures.plots import Plots

        return Plots(self.history, self.verdict, self.forecast(), self.verdicts)

    def report(self, path: str | os.PathLike[str], criteria: Given = ()) -> None:
        """Write everything about the job into one HTML file that needs no network: figures, criteria, training jobs.

        Args:
            path: The file.
            criteria: Completion criteria whose ends are marked on the curve of the best, each alone.

        Raises:
            MissingExtra: What draws figures isn't installed (`pip install 'alfine[plots]'`).
        """
        from alfine.figures.report import report

        Path(path).write_text(report(self._row, self.history, criteria), encoding="utf-8")

    def proposed(self) -> dict[str, Any]:
        """Return arguments of `alfine.tune` for the search space that `space_remarks` proposes, with a warm start from
        this job.

        Returns:
            `space`, `warm_start` and `warm_start_type`; `forbid` where the job has it; `static` where the job has it or
            a hyperparameter is to be fixed. Empty when no remark proposes another space.

        Example:
            >>> alfine.tune(objective, **job.proposed(), metric="auc", max_training_jobs=50)
        """
        return next_words(self.history, self.space_remarks, self._kept.static)

    def replay(self, criteria: Given) -> Replayed:
        """Return when other completion criteria would have ended the job, what that would have saved and what it would
        have missed.

        Args:
            criteria: Completion criteria, as in `alfine.tune`; none of them replays the job's own.
        """
        return replayed(self.history, criteria)

    def _repr_html_(self) -> str:
        return notebook_view.pictured(self.history, self.status, self.verdict, self.verdicts)[0]

    def _ipython_display_(self) -> None:
        """Show a job that runs live in a notebook, once in each cell. NotImplementedError leaves it to IPython to show the job."""
        key = (self._kept.folder, self.name)
        if notebook_view.is_shown_in_this_cell(key):
            return
        if self.ended or notebook_view.kernel() is None:
            raise NotImplementedError
        notebook_view.follow(key, self.refresh)

    def __repr__(self) -> str:
        best, value = self.best, self.best_objective
        known = (
            f"best {number(value)} of training job {best.number}" if best and value is not None else "no objective yet"
        )
        return f"<Job {self.name}: {self.status}, {self.history.launches} training jobs, {known}>"
