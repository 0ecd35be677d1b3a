"""The tools that agents have for tuning jobs: each is a method, whose docstring tells the agent what it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from alfine.api.job_file import JobFile, job_of
from alfine.cli.agents import words
from alfine.cli.cost_text import bound_sentence
from alfine.cli.output import plain_lines
from alfine.cli.replay import replayed
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.wording import count_of

if TYPE_CHECKING:
    from alfine.cli.job_access import JobAccess

LOOK_SECONDS = 0.5
"""Time between two looks of `watch_job`."""

LONGEST_WATCH = 300
"""Seconds that `watch_job` waits at most: clients give up on a tool after some minutes."""

MOST_ROWS, MOST_LINES = 500, 2000
"""Rows of a list, and lines of a log, at most."""

Figure = Literal[
    "best",
    "probability",
    "importance",
    "slices",
    "contour",
    "parallel_coordinates",
    "learning_curves",
    "timeline",
    "cost",
    "distribution",
]
"""The figures, by the names of `job.plot`."""


class JobTools:
    """The tools of one home, or of one server.

    Args:
        jobs: The tuning jobs.
        run: Lets a tuning job run, and returns a sentence that says who runs it.
        create: Records the tuning job of a file.
        folder: What relative paths in jobs are meant from.
    """

    def __init__(
        self, jobs: JobAccess, run: Callable[[str], str], create: Callable[[JobFile], None], folder: Path
    ) -> None:
        self._jobs, self._run, self._create, self._folder = jobs, run, create, folder

    # -- reading -------------------------------------------------------------------------------------------------

    def list_jobs(self, status: str = "", limit: int = 20) -> str:
        """List tuning jobs, the newest first, a line each. `status` keeps only InProgress, Completed, Stopped, Stopping or Failed ones."""
        rows = [row for row in self._jobs.list() if status in ("", row["HyperParameterTuningJobStatus"])]
        shown = rows[::-1][: _within("limit", limit, MOST_ROWS)]
        more = f"\n{len(rows) - len(shown)} more: raise limit." if len(shown) < len(rows) else ""
        return words.listed_text(shown, self._jobs.where) + more

    def describe_job(self, name: str) -> str:
        """Describe a tuning job: status, best result, training jobs, cost, forecast, settings and completion criteria."""
        return words.described_text(self._jobs.describe(name))

    def watch_job(self, name: str, seconds: int = 30) -> str:
        """Wait until a training job of a tuning job ends, the best result or the status changes, or `seconds` have passed (1 to 300)."""
        until = time.monotonic() + _within("seconds", seconds, LONGEST_WATCH)
        before = after = self._jobs.describe(name)
        while not (change := words.change_of(before, after)) and not _ended(after) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
            after = self._jobs.describe(name)
        return f"{change or 'Nothing has changed.'}\n{words.outcome_text(after)}"

    def why_does_it_go_on(self, name: str) -> str:
        """Say why a tuning job goes on or why it ended: the verdict of each completion criterion with its evidence, and the forecast of
        its end and of what the rest would gain.
        """
        return words.why_text(self._jobs.describe(name))

    def best(self, name: str) -> str:
        """Return the best training job of a tuning job: its objective and its hyperparameters."""
        return words.best_text(self._jobs.describe(name))

    def training_jobs(
        self, name: str, order: Literal["best", "newest", "oldest"] = "best", status: str = "", limit: int = 20
    ) -> str:
        """List training jobs of a tuning job with their objectives and hyperparameters. `status` keeps only Completed, Stopped, Failed or
        InProgress ones; why one failed or was stopped stands in its line.
        """
        rows = [row for row in self._jobs.training_jobs(name) if status in ("", row["TrainingJobStatus"])]
        if order == "newest":
            rows.reverse()
        if order == "best":
            rows.sort(key=_rank)
        return words.training_jobs_text(rows[: _within("limit", limit, MOST_ROWS)])

    def log(self, training_job: str, lines: int = 50) -> str:
        """Return the last lines of the log of a training job: what its program printed."""
        part = self._jobs.log(training_job, lines=_within("lines", lines, MOST_LINES))
        return part.data.decode(errors="replace") or f"The log of {training_job} is empty."

    def replay(self, name: str, criteria: Sequence[str] = ()) -> str:
        """Say when other completion criteria would have ended a recorded tuning job, what that would have saved and what it would have
        missed. Each criterion is a text such as "BestObjectiveNotImproving 10" or "ConvergenceDetected"; none: the job's own.
        """
        return "\n".join(plain_lines(*replayed(name, self._jobs.replays(name, [*criteria]))))

    def figure(self, name: str, kind: Figure = "best") -> bytes:
        """Draw a figure of a tuning job as a PNG: best (the best objective so far), probability (that the rest still improves it),
        importance, slices, contour, parallel_coordinates, learning_curves, timeline, cost or distribution.
        """
        from alfine.criteria.forecast import forecast_of
        from alfine.figures.plots import Plots
        from alfine.jobs.policy_for import policy_for

        home = getattr(self._jobs, "home", None)
        if home is None:
            message = f"are drawn on the machine of the home. Open them in the console of {self._jobs.where}."
            raise InvalidSpec([Fault("figures", message)])
        row, history = home.service.get(name), home.service.history(name)
        forecast = None if row.ended else forecast_of(history, policy_for(history.spec).criteria)
        drawn: bytes = getattr(Plots(history, row.verdict, forecast), kind)().png()
        return drawn

    def check_job(self, job: Mapping[str, Any], name: str = "", folder: str = "") -> str:
        """Check a job before it is created: returns what it will do and what it costs at most, or everything that is wrong with it. The
        arguments are those of create_job.
        """
        file = self._file(job, name, folder)
        home = getattr(self._jobs, "home", None)
        if home is None:
            return f"{file.name} can be read. The server says whether it can run there when it is created."
        try:
            spec = home.service.check(file.request)
        except InvalidSpec as error:
            raise file.explain(error) from error
        return (
            f"{file.name} is right: strategy {spec.strategy}, {spec.goal.lower()} {spec.metric}, at most "
            f"{count_of(spec.most_training_jobs)}, {spec.max_parallel} at a time. Cost: {bound_sentence(spec)}."
            f"{words.integers_text(job)}"
        )

    # -- changing ------------------------------------------------------------------------------------------------

    def create_job(self, job: Mapping[str, Any], name: str = "", folder: str = "") -> str:
        """Create a tuning job and run it. `job` has the keys of a job file: script (or command), space, metric, goal, criteria,
        max_training_jobs, max_parallel and others (the resource alfine://job-words has all). For example {"script": "train.py", "metric":
        "auc", "goal": "Maximize", "space": {"eta": {"min": 0.01, "max": 1.0, "scaling": "Logarithmic"}, "depth": {"min": 1, "max": 10}},
        "criteria": ["ConvergenceDetected"], "max_training_jobs": 100}. The script gets hyperparameters as arguments (--eta 0.1) and prints
        the metric (auc=0.91). A range with whole bounds is of integers, unless it has "type": "continuous". `folder`: the absolute path
        that relative paths are meant from. Check it with check_job first.
        """
        file = self._file(job, name, folder)
        try:
            self._create(file)
        except InvalidSpec as error:
            raise file.explain(error) from error
        return f"Created {file.name}. {self._run(file.name)} Follow it with watch_job.{words.integers_text(job)}"

    def change_job(
        self,
        name: str,
        *,
        criteria: Sequence[str] | None = None,
        max_training_jobs: int | None = None,
        max_parallel: int | None = None,
        max_runtime_seconds: float | None = None,
        early_stopping: Literal["Auto", "Off"] | None = None,
        at_end: Literal["stop", "drain", "contenders"] | None = None,
        confirm: bool = False,
    ) -> str:
        """Change limits and completion criteria of a tuning job. What isn't given stays; `criteria` replaces all criteria, [] removes them.
        One that has ended goes on after the change: that needs confirm=true, which the user has to agree to.
        """
        from alfine.criteria import criteria_of

        given = {
            "criteria": None if criteria is None else criteria_of(criteria),
            "max_training_jobs": max_training_jobs,
            "max_parallel": max_parallel,
            "max_runtime_seconds": max_runtime_seconds,
            "early_stopping": early_stopping,
            "at_end": at_end,
        }
        changes = {word: value for word, value in given.items() if value is not None}
        described = self._jobs.describe(name)
        if not changes:
            raise InvalidSpec([Fault(name, "nothing to change: give at least one of " + ", ".join(given) + ".")])
        if _ended(described) and not confirm:
            status = described["HyperParameterTuningJobStatus"]
            return (
                f"Nothing was changed. {name} has ended ({status}); after the change it goes on, and its training jobs take time and money. "
                "Ask the user, then call change_job again with confirm=true."
            )
        self._jobs.change(name, **changes)
        return f"Changed {', '.join(changes)} of {name}. {self._run(name)}"

    def stop_job(self, name: str, *, confirm: bool = False) -> str:
        """Stop a tuning job and its training jobs, which keep their last objective. It needs confirm=true, which the user has to agree to."""
        described = self._jobs.describe(name)
        running = count_of(described["TrainingJobStatusCounters"]["InProgress"])
        if _ended(described):
            return f"{name} has ended already ({described['HyperParameterTuningJobStatus']})."
        if not confirm:
            return (
                f"Nothing was stopped. {running} of {name} would be stopped and keep their last objective; the job can go on later. "
                "Ask the user, then call stop_job again with confirm=true."
            )
        self._jobs.request_stop(name)
        return f"{name} is stopping, with {running}. {self._run(name)}"

    def resume_job(self, name: str) -> str:
        """Go on with a tuning job that was interrupted, because the process that ran it has ended."""
        described = self._jobs.describe(name)
        if _ended(described):
            return f"{name} has ended ({described['HyperParameterTuningJobStatus']}). change_job lets it go on."
        return self._run(name)

    def _file(self, job: Mapping[str, Any], name: str, folder: str) -> JobFile:
        """Return a job as the file that says it."""
        where = Path(folder).expanduser() if folder else self._folder
        if not where.is_absolute() or not where.is_dir():
            raise InvalidSpec([Fault("folder", f"{folder!r} must be the absolute path of a folder on this machine.")])
        file = job_of(dict(job), where / f"job-{datetime.now(UTC):%m%d-%H%M%S}.yaml")
        return file.with_overrides(name=name or None)


def _ended(described: Mapping[str, Any]) -> bool:
    return "HyperParameterTuningEndTime" in described


def _within(name: str, value: int, most: int) -> int:
    """Return a number of an argument. Raise InvalidSpec where it is too small or too large."""
    if not 1 <= value <= most:
        raise InvalidSpec([Fault(name, f"{value} must be a whole number from 1 to {most}.")])
    return value


def _rank(row: Mapping[str, Any]) -> tuple[bool, float]:
    """Return a key that sorts the best objective first, and those without one last."""
    final = row.get("FinalHyperParameterTuningJobObjectiveMetric")
    if final is None:
        return True, 0.0
    return False, final["Value"] if final["Type"] == "Minimize" else -final["Value"]


READING = (
    "list_jobs",
    "describe_job",
    "watch_job",
    "why_does_it_go_on",
    "best",
    "training_jobs",
    "log",
    "replay",
    "figure",
    "check_job",
)
"""The tools that change nothing."""

CHANGING = ("create_job", "change_job", "stop_job", "resume_job")
"""The tools that change something; a read-only server doesn't have them."""
