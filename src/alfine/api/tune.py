"""tune(function or script, space, …): a durable tuning job in this process, by the same engine as everywhere.

job = alfine.tune(objective, {"eta": alfine.Continuous(0.01, 1, scaling="Logarithmic")}, metric="auc", goal="Maximize",
                  criteria=[alfine.ConvergenceDetected()], max_training_jobs=200, max_parallel=2)
job.best, job.verdict.sentence, job.dataframe()
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alfine.api import parents
from alfine.api.job_words import job_request
from alfine.api.parents import Parent
from alfine.core.errors import Fault, InUse, InvalidSpec, NotFound
from alfine.core.fields import WORDS, Face, unknown
from alfine.core.history import History, Launched, TrainingJob
from alfine.core.messages import spelled, spelling
from alfine.core.policy import UNDECIDED, Verdict, as_it_ended
from alfine.core.ranges import Range
from alfine.core.replay import Replayed
from alfine.core.space import ParameterSpace
from alfine.criteria import Given
from alfine.criteria.forecast import Forecast, forecast_of
from alfine.jobs.analysis.export_table import dataframe
from alfine.jobs.analysis.next_job import proposed_words
from alfine.jobs.engine import Run
from alfine.jobs.home import Home, home_folder, is_home
from alfine.jobs.policy_for import policy_for, replayed
from alfine.store.records import TuningJob
from alfine.surrogate import parent_evidence
from alfine.surrogate.best_estimate import Estimate, estimate
from alfine.surrogate.space_diagnosis import Remark, remarks

Objective = Callable[..., float | None]
Progress = Callable[["Job"], None]


class Job:
    """A tuning job as it's recorded: a running one as of the last look, an ended one for good."""

    def __init__(
        self, row: TuningJob, history: History, live: Run | None = None, static: Mapping[str, Any] | None = None
    ) -> None:
        self._row = row
        self._live = live
        self._static = static  # as the caller gave it
        self.history = history

    @property
    def name(self) -> str:
        """Of the tuning job."""
        return self._row.name

    @property
    def status(self) -> str:
        """InProgress, Completed, Failed, Stopping or Stopped."""
        return self._row.status

    @property
    def failure_reason(self) -> str | None:
        """Why the tuning job failed; None unless it did."""
        return self._row.failure_reason

    @property
    def verdict(self) -> Verdict:
        """Why the job ended; while it runs, the verdict that is nearest to an end."""
        return (self._live.judge.verdict if self._live else self._row.verdict) or UNDECIDED

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Each criterion's last verdict; of the one that ended the job the one by which it did."""
        return as_it_ended(self.verdict, self._live.judge.verdicts if self._live else self._row.verdicts)

    @property
    def best(self) -> TrainingJob | None:
        """The training job with the best objective; None when none has one."""
        return self.history.incumbent

    @property
    def overall_best(self) -> TrainingJob | None:
        """The same of all that tuned this function: with a warm start by IdenticalDataAndAlgorithm the parents', too, under number 0."""
        return self.history.overall_best

    @property
    def warm_start_sentence(self) -> str | None:
        """What becomes of what the parents found; None without parents."""
        return parent_evidence.sentence(self.history)

    @property
    def training_jobs(self) -> Sequence[TrainingJob]:
        """All of them, in order of launch."""
        return tuple(self.history.jobs)

    @property
    def training_seconds(self) -> float:
        """Training time of all training jobs, added up."""
        return self.history.training_seconds

    @property
    def wall_seconds(self) -> float:
        """From the job's creation to its end, or to now."""
        end = self._row.ended_at or datetime.now(UTC)
        return (end - self._row.created_at).total_seconds()

    def forecast(self) -> Forecast | None:
        """What the rest of the budget would still bring, and when which criterion will end the job; None once it has ended."""
        if self._row.ended:
            return None
        policy = self._live.judge.policy if self._live else policy_for(self.history.spec)
        return forecast_of(self.history, policy.criteria)

    @property
    def best_estimate(self) -> Estimate | None:
        """What the best is likely worth, with a 90 % interval: the best of noisy results was lucky, too. None before ten objectives."""
        return estimate(self.history)

    @property
    def space_remarks(self) -> tuple[Remark, ...]:
        """What the results tell of the search space: the best at the end of a range, no influence, too few combinations."""
        return remarks(self.history)

    def proposed(self) -> dict[str, Any]:
        """The words of `alfine.tune` for the space that the remarks propose, warm-started from this job; empty when they propose none.

        `alfine.tune(objective, **job.proposed(), metric=…, max_training_jobs=…)`: space, warm_start, warm_start_type, and where the
        job has them or something is to be fixed, forbid and static.
        """
        return proposed_words(self.history, self.space_remarks, self._static)

    def dataframe(self) -> Any:
        """One row a training job (needs pandas)."""
        return dataframe(self.history)

    def replay(self, criteria: Given) -> Replayed:
        """When these criteria would have ended the job, what that would have saved, and what it would have missed."""
        return replayed(self.history, criteria)

    def __repr__(self) -> str:
        best = self.best
        found = (
            f"best {best.objective:g} of training job {best.number}"
            if best and best.objective is not None
            else "no objective yet"
        )
        return f"<Job {self.name}: {self.status}, {self.history.launches} training jobs, {found}>"


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
    **settings: Any,
) -> Job:
    """Run a tuning job to its end and return it. Called again with the same name it goes on where it was interrupted.

    target: a function `objective(hyperparameters)` or `objective(hyperparameters, report)` that returns the objective, where
        `report(step, value)` reports an intermediate value and answers True when the training job should end (nothing else can
        stop a function; with early stopping it waits for the decision; values count in their order, whatever their steps); a
        Python script, whose output has the metric; or argv of a program in any language, as a list, in which names of files of
        the working folder are made absolute.
    warm_start: ended tuning jobs of the same home whose results this one begins with, and tables of results (*.csv: a column a
        hyperparameter, and the metric's); `warm_start_type="TransferLearning"` when their data or program were others.
    progress: a function called with the Job after every step; True or False for the live view in the terminal; None shows it
        where there is a terminal.
    settings: everything else that a job file knows (`start_with`, `static`, `early_stopping`, `max_runtime_seconds`,
        `max_training_job_seconds`, `repeats`, `price_per_hour`, …; see alfine.api.job_words.job_request). Those of programs, such as
        `channels`, `environment`, `regex` and `warm`, aren't for functions, which run in this process.
    Ctrl-C stops the job cleanly: its training jobs are told and awaited, its status is Stopped. Twice: at once.
    Raises InvalidSpec before anything starts when the job can't be understood or run here.
    """
    settings = {key: value for key, value in settings.items() if value is not None}  # None is as if not said
    _check_words(settings, target)
    function = target if callable(target) else None
    request = job_request(
        name=name or _name_for(target),
        space=space,
        metric=metric,
        goal=goal,
        strategy=strategy,
        criteria=criteria,
        max_training_jobs=max_training_jobs,
        max_parallel=max_parallel,
        seed=seed,
        warm_start=parents.stored(parents.listed(warm_start)),
        **{**_target(target), **settings},
    )
    job_name = request["HyperParameterTuningJobName"]
    ranges = ParameterSpace(dict(space))
    with Home(home) as opened:
        static = dict(settings.get("static") or {})
        wrapped = _Function(function, ranges, static) if function else None
        native = _Native(ranges)
        with spelling(Face.PYTHON):
            create_or_resume(opened, request, wrapped)
        functions = {job_name: wrapped} if wrapped else {}

        def look(run: Run) -> Job:
            return Job(opened.service.get(job_name), native.of(run.history), run, static)

        with _watching(look, progress=progress) as after_step:
            run_to_end(opened, job_name, functions=functions, after_step=after_step)
        history = opened.service.history(job_name)
        return Job(opened.service.get(job_name), native.of(history), None, static)


def attach(name: str, *, home: str | Path | None = None) -> Job:
    """A tuning job of a home as it is recorded now: to look at, replay, or begin with.

    It's running or ended, and whoever made it: alfine.tune, a job file, an AWS client, an import. A running one is not taken over.
    Its categories and static hyperparameters are texts, as they are recorded.
    Raises NotFound (a LookupError) when there is no job of this name.
    """
    with _existing(home) as opened:
        return Job(_known(opened, name), opened.service.history(name))


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
    """Change limits and completion criteria of a tuning job, while it runs or afterwards.

    criteria take the place of all that the job has, [] takes them away; repeats: "never" does so with repeats. Whoever runs the
    job takes the change up at its next step. A job that has ended is InProgress again: call alfine.tune with its other words
    unchanged, or `alfine change` on the command line, to go on with it.
    Raises InvalidSpec when the change can't be understood or would have the job end again at once, NotFound when there is no
    job of this name.
    """
    with _existing(home) as opened:
        _known(opened, name)
        with spelling(Face.PYTHON):
            opened.service.change(
                name,
                criteria=criteria,
                max_training_jobs=max_training_jobs,
                max_parallel=max_parallel,
                max_runtime_seconds=max_runtime_seconds,
                early_stopping=early_stopping,
                at_end=at_end,
                repeats=repeats,
                price_per_hour=price_per_hour,
            )


def create_or_resume(home: Home, request: Mapping[str, Any], function: Callable[..., Any] | None = None) -> TuningJob:
    """Create the job, or find it again when it was interrupted. Raise InUse for an ended one or another of that name.

    The same job is one that was created with this request, whatever was changed since.
    """
    try:
        known = home.service.get(request["HyperParameterTuningJobName"])
        original = home.store.original(known.name)
    except (NotFound, KeyError):
        return home.service.create(request, function)
    if known.ended:
        message = f"the tuning job {known.name} has ended ({known.status}). Choose another name, or go on with it by alfine.change."
        raise InUse(message)
    asked = home.service.as_recorded(request)
    if dict(original) != dict(asked):
        from alfine.api.job_file import differences

        faults = [spelled(fault, Face.PYTHON) for fault in differences(asked, original)]
        other = "; ".join(f"{fault.path} {fault.message}" for fault in faults)
        message = (
            f"the tuning job {known.name} was interrupted, and this isn't the same one: {other}. Choose another name."
        )
        raise InUse(message)
    return known


def run_to_end(
    home: Home,
    name: str,
    *,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    after_step: Callable[[Run], None] | None = None,
    on_interrupt: Callable[[int], None] | None = None,
) -> None:
    """Run a tuning job in this thread. The first Ctrl-C stops it cleanly, the second ends its training jobs at once."""
    engine = home.engine(functions)
    interrupts = 0
    while True:
        try:
            if interrupts and not home.service.get(name).ended:
                home.service.request_stop(name)  # in here, since the next Ctrl-C may come while this is written
            engine.run(name, after_step, grace_seconds=0.0 if interrupts > 1 else None)
            return
        except KeyboardInterrupt:
            interrupts += 1
            if interrupts > 2:
                raise
            if on_interrupt is not None:
                on_interrupt(interrupts)


def _existing(home: str | Path | None) -> Home:
    """The home. Raise NotFound where there is none."""
    folder = home_folder(home)
    if not is_home(folder):
        raise NotFound(f"There are no tuning jobs in {folder}. Another home is chosen with home=… or ALFINE_HOME.")
    return Home(folder)


def _known(home: Home, name: str) -> TuningJob:
    try:
        return home.service.get(name)
    except NotFound:
        raise NotFound(f"There is no tuning job called {name} in {home.folder}.") from None


class _Function:
    """The caller's function as the inline runner calls it: with AMT's strings, which become native values again.

    static: what isn't tuned, as the caller gave it.
    """

    def __init__(self, function: Objective, space: ParameterSpace, static: Mapping[str, Any]) -> None:
        self.function, self.space, self.static = function, space, dict(static)
        self.reports = _takes_report(function, space.names)

    def __call__(self, texts: Mapping[str, str], report: Callable[[float, float], bool]) -> float | None:
        native = {**self.static, **self.space.from_text(texts)}
        return self.function(native, report) if self.reports else self.function(native)


OF_TARGET = ("script", "command", "function")  # words of job_request that `target` stands for
OF_PROGRAMS = (
    "source_dir",
    "python",
    "regex",
    "metrics",
    "channels",
    "environment",
    "warm",
    "threads",
    "grace_seconds",
)


def _check_words(settings: Mapping[str, Any], target: Any) -> None:
    """Raise InvalidSpec for words that there are none of, or that would do nothing here."""
    words = [word for word in WORDS if word not in (*OF_TARGET, "definitions")]
    if odd := [key for key in settings if key not in words and key not in OF_TARGET]:
        raise InvalidSpec([Fault(key, unknown(key, words)) for key in odd])
    if not callable(target) and not (isinstance(target, Path | Sequence) and target):
        message = f"{target!r} must be a function, a Python script, or the words of a command."
        raise InvalidSpec([Fault("target", message)])
    faults = [Fault(key, "is what target says: alfine.tune(target, space, …).") for key in OF_TARGET if key in settings]
    if callable(target):
        why = "is for scripts and commands; a function runs in this process, and returns or reports its objective."
        faults += [Fault(key, why) for key in OF_PROGRAMS if key in settings]
    if faults:
        raise InvalidSpec(faults)


def _takes_report(function: Objective, names: Sequence[str]) -> bool:
    """names: of the hyperparameters, which aren't given one by one."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [p for p in inspect.signature(function).parameters.values() if p.kind in kinds]
    both = len(positional) == 2 and {p.name for p in positional} <= {*names}
    if both or not 1 <= len(positional) <= 2:
        fault = "must take the hyperparameters (a dict), and report if it wants to: objective(hyperparameters, report)."
        raise InvalidSpec([Fault(f"target {getattr(function, '__name__', function)}", fault)])
    return (len(positional) == 2 and positional[1].default is inspect.Parameter.empty) or (
        len(positional) == 2 and positional[1].name == "report"
    )


def _target(target: Objective | str | Path | Sequence[str]) -> dict[str, Any]:
    if callable(target):
        return {"function": f"{target.__module__}:{getattr(target, '__qualname__', type(target).__name__)}"}
    if isinstance(target, str | Path):
        return {"script": target}
    from alfine.api.local_paths import anchored_word

    return {"command": [anchored_word(str(word), Path.cwd()) for word in target]}


def _name_for(target: Objective | str | Path | Sequence[str]) -> str:
    """A name that says what is tuned and when: «train-261123-231502-1a2b», at most AMT's 32 characters."""
    if callable(target):
        stem = getattr(target, "__name__", "function")
    else:
        stem = Path(target if isinstance(target, str | Path) else target[0]).stem
    words = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in stem).strip("-")
    now = datetime.now(UTC)
    return f"{words[:13].strip('-') or 'tune'}-{now:%y%m%d-%H%M%S}-{now.microsecond >> 4:04x}"


class _Native:
    """A history under the caller's own ranges, categories of any type instead of AMT's strings; it's gone on with as that grows."""

    def __init__(self, ranges: ParameterSpace) -> None:
        self.ranges = ranges.ranges
        self._native: History | None = None

    def of(self, history: History) -> History:
        recorded = history.spec.space
        if recorded.ranges == self.ranges:
            return history
        space = replace(recorded, ranges={name: self.ranges[name] for name in recorded.names})
        native = self._native = self._native or history.under(replace(history.first_spec, space=space))
        for fact in history.facts[len(native.facts) :]:
            if isinstance(fact, Launched):
                texts = recorded.to_text(fact.hyperparameters)
                native.record(replace(fact, hyperparameters=space.from_text(texts)))
            else:
                native.record(fact)
        native.now = history.now
        return native


@contextmanager
def _watching(
    look: Callable[[Run], Job], *, progress: bool | Progress | None
) -> Iterator[Callable[[Run], None] | None]:
    """What is called after each step; a live view gives the terminal back at the end, however it comes."""
    if callable(progress):
        yield lambda run: progress(look(run))
    elif progress or (progress is None and sys.stderr.isatty()):
        from alfine.api.live_view import LiveView

        with LiveView() as view:
            yield view.update
    else:
        yield None
