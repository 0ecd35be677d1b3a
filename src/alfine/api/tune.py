"""alfine.tune, alfine.attach and alfine.change: tuning jobs that are kept in a home, from Python."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alfine.api import notebook_view, parents
from alfine.api.background import Background
from alfine.api.job import Job, Kept
from alfine.api.job_words import job_request
from alfine.api.notebook_view import NotebookView
from alfine.api.parents import Parent
from alfine.api.run_job import create_or_resume, run_to_end
from alfine.api.targets import NativeFunction, NativeHistory, Objective, check_settings, fields_of_target, name_for
from alfine.core.errors import NotFound, NoTuningJob
from alfine.core.field import Face
from alfine.core.fields import CHANGEABLE, fields_among
from alfine.core.messages import spelling
from alfine.core.range_protocol import Range
from alfine.core.space import ParameterSpace
from alfine.criteria import Given
from alfine.jobs.home import Home, is_home
from alfine.jobs.run import Run
from alfine.store.home_folder import home_folder
from alfine.store.records import TuningJob

if TYPE_CHECKING:
    from alfine.api.live_view import LiveView

Progress = Callable[[Job], None]

INTERRUPTED = (
    "Stopping the job: waiting for its training jobs. Interrupt again to end them at once.",
    "Ending its training jobs at once.",
)
"""What is said after the first and after each further Ctrl-C."""


def tune(
    target: Objective | str | Path | Sequence[str],
    space: Mapping[str, Range],
    *,
    metric: str = "objective",
    goal: str = "Minimize",
    strategy: str = "Bayesian",
    criteria: Given = (),
    max_training_jobs: int | None = None,
    max_parallel: int = 1,
    seed: int | None = None,
    warm_start: Parent | Sequence[Parent] = (),
    name: str | None = None,
    home: str | Path | None = None,
    progress: bool | Progress | None = None,
    wait: bool = True,
    **settings: Any,
) -> Job:
    """Run a tuning job to its end and return it.

    The job is kept in a home. A call with the same name and arguments goes on with a job that was interrupted. Ctrl-C
    stops the job and waits for its training jobs; its status is then Stopped. A second Ctrl-C ends the training jobs at
    once.

    Args:
        target: What trains. A function `objective(hyperparameters)` or `objective(hyperparameters, report)` that
            returns the objective; a Python script that prints the metric; or the words of a command in any language, as
            a list, in which names of files in the working folder become absolute paths. `report(step, value)` reports
            an intermediate value and returns True when the training job should end: nothing else can stop a function.
            With early stopping it waits for the decision. Values count in the order in which they are reported,
            whatever their steps.
        space: The hyperparameters to tune, each with its range. For example `{"eta": alfine.Continuous(0.01, 1)}`.
        metric: The name of the objective metric.
        goal: Whether to `Minimize` or `Maximize` the objective metric.
        strategy: How configurations are chosen: `Bayesian`, `Random`, `Grid` or `Hyperband`.
        criteria: Completion criteria: the first one that is met ends the job, even before its limits do. Objects such
            as `alfine.ConvergenceDetected()`, or texts such as `"BestObjectiveNotImproving 10"`.
        max_training_jobs: Launch at most this many training jobs. None means 750, AMT's quota.
        max_parallel: Run at most this many training jobs at the same time.
        seed: The random seed: the same seed and the same results give the same configurations. None takes one from the
            name.
        warm_start: Earlier results to begin with: an ended tuning job of the same home, a table of results
            (`runs.csv`), or a list of these, of any length. A job is given by its name or as a Job. A table has a
            column for each hyperparameter and one for the metric. Give `warm_start_type="TransferLearning"` when the
            earlier jobs had other data or another program.
        name: The tuning job's name: 1 to 32 letters, digits and hyphens. None makes one from the target's name and the
            time.
        home: The folder that keeps tuning jobs; default `$ALFINE_HOME`, else `~/.alfine`.
        progress: A function that is called with the Job after every step; True or False for the live view in the
            notebook or the terminal. None shows the view in a notebook, and when the standard error is a terminal.
        wait: False returns at once: the job runs in a thread of this process, with `job.refresh()` as it is now,
            `job.stop()`, and `job.wait()` for its end. In a notebook, the cell shows it live.
        settings: Any other field of a job, by the same words as in job files: `start_with`, `static`, `early_stopping`,
            `max_runtime_seconds`, `max_training_job_seconds`, `repeats`, `price_per_hour`, `track` and others. None
            means not given. Fields of programs, such as `channels`, `environment`, `regex` and `warm`, aren't for functions, which run
            in this process.

    Returns:
        The job as it ended; as it began with `wait=False`.

    Raises:
        InvalidSpec: Nothing was started, since the job can't be understood or can't run here.
        InUse: A job of this name has ended, is another one, or is run by another process.

    Example:
        >>> job = alfine.tune(
        ...     objective,
        ...     {"eta": alfine.Continuous(0.01, 1, scaling="Logarithmic"), "depth": alfine.Integer(1, 10)},
        ...     metric="auc",
        ...     goal="Maximize",
        ...     criteria=[alfine.ConvergenceDetected()],
        ...     max_training_jobs=200,
        ... )
        >>> job.best.hyperparameters, job.verdict.sentence
    """
    given = fields_among(locals())
    settings = {word: value for word, value in settings.items() if value is not None}
    check_settings(settings, target)
    function = target if callable(target) else None
    given["name"] = name or name_for(target)
    given["warm_start"] = parents.stored(parents.listed(warm_start))
    request = job_request(**given, **fields_of_target(target), **settings)
    job_name = request["HyperParameterTuningJobName"]
    ranges = ParameterSpace(dict(space))
    static = dict(settings.get("static") or {})
    wrapped = NativeFunction(function, ranges, static) if function else None
    job = Kept(job_name, home_folder(home), NativeHistory(ranges), static)
    with Home(home) as opened, spelling(Face.PYTHON):
        create_or_resume(opened, request, wrapped)
    functions = {job_name: wrapped} if wrapped else {}

    shown = progress if wait else False  # in the background, what follows the job shows it

    def run() -> None:
        with Home(home) as opened, _watching(job, opened, progress=shown) as (after_step, on_interrupt):
            run_to_end(opened, job_name, functions=functions, after_step=after_step, on_interrupt=on_interrupt)

    if wait:
        run()
        return job.now()
    job.background = Background(run, f"alfine-{job_name}")
    now = job.now()
    if progress is not False and notebook_view.kernel() is not None:
        notebook_view.follow((job.folder, job_name), job.now)
    return now


def attach(name: str, *, home: str | Path | None = None) -> Job:
    """Return a tuning job of a home as it is recorded now, to look at, to replay or to begin with.

    The job may run or have ended, and it doesn't matter who created it: alfine.tune, a job file, an AWS client or an
    import. A job that runs goes on where it runs. Its categories and fixed hyperparameters are texts, as they are
    recorded.

    Args:
        name: The tuning job's name.
        home: The folder that keeps it; default `$ALFINE_HOME`, else `~/.alfine`.

    Raises:
        NotFound: There is no tuning job of this name. (It's a LookupError, too.)
    """
    with _existing(home) as opened:
        _known(opened, name)
        return Kept(name, opened.folder).read(opened)


def change(
    name: str,
    *,
    home: str | Path | None = None,
    criteria: Given | None = None,
    max_training_jobs: int | None = None,
    max_parallel: int | None = None,
    max_runtime_seconds: float | None = None,
    early_stopping: str | None = None,
    at_end: str | None = None,
    repeats: int | str | Mapping[str, int] | None = None,
    price_per_hour: float | None = None,
) -> None:
    """Change limits and completion criteria of a tuning job, while it runs or after it has ended.

    Whoever runs the job takes the change up at its next step. A job that had ended is InProgress again: to go on with
    it, call alfine.tune with its other arguments unchanged, or `alfine change` on the command line.

    Args:
        name: The tuning job's name.
        home: The folder that keeps it; default `$ALFINE_HOME`, else `~/.alfine`.
        criteria: Completion criteria: the first one that is met ends the job, even before its limits do. They replace
            all criteria that the job has; `[]` removes them.
        max_training_jobs: Launch at most this many training jobs.
        max_parallel: Run at most this many training jobs at the same time.
        max_runtime_seconds: End the tuning job this many seconds after its creation.
        early_stopping: `Auto` stops training jobs whose learning curve leaves them hardly a chance to become the best;
            `Off` stops none.
        at_end: What happens to running training jobs when a criterion ends the job: `stop`, `drain` (let them finish)
            or `contenders` (let those finish that may still become the best).
        repeats: Run the best configurations again before the job ends, and choose the best average: how many
            configurations and how many times, as `best=3 times=5`, or the number of times alone. Also as
            `{"best": 3, "times": 5}`. `"never"` removes the repeats.
        price_per_hour: The price of one instance an hour, in US dollars: for the cost, and for criteria about money.

    Raises:
        InvalidSpec: The change can't be understood, or the job would end again at once.
        NotFound: There is no tuning job of this name.
    """
    changes = {word: value for word, value in fields_among(locals()).items() if word in CHANGEABLE}
    with _existing(home) as opened:
        _known(opened, name)
        with spelling(Face.PYTHON):
            opened.service.change(name, **changes)


def _existing(home: str | Path | None) -> Home:
    """Return the home. Raise NotFound where there is none."""
    folder = home_folder(home)
    if not is_home(folder):
        raise NotFound(f"There are no tuning jobs in {folder}. Another home is chosen with home=… or ALFINE_HOME.")
    return Home(folder)


def _known(home: Home, name: str) -> TuningJob:
    try:
        return home.service.get(name)
    except NoTuningJob as error:
        raise NotFound(error.sentence(f" in {home.folder}")) from None


@contextmanager
def _watching(
    job: Kept, home: Home, *, progress: bool | Progress | None
) -> Iterator[tuple[Callable[[Run], None] | None, Callable[[int], None] | None]]:
    """Return what is called after each step, and what after each Ctrl-C. A live view gives the terminal back at the end, even after an error."""
    if callable(progress):
        yield lambda run: progress(job.read(home, run)), None
        return
    if progress is False or (progress is None and notebook_view.kernel() is None and not sys.stderr.isatty()):
        yield None, None
        return
    with _live_view(job) as view:
        yield view.update, lambda times: view.say(INTERRUPTED[min(times, len(INTERRUPTED)) - 1])


def _live_view(job: Kept) -> LiveView | NotebookView:
    if notebook_view.kernel() is not None:
        return NotebookView((job.folder, job.name))
    from alfine.api.live_view import LiveView

    return LiveView()
