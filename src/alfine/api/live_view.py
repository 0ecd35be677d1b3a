"""The live view of a tuning job in a terminal, and plain lines where there is none.

    with LiveView() as view:
        run_to_end(home, name, after_step=view.update)

One thread: nothing is drawn between updates, and an update that comes less than 125 ms after the last one that was drawn
returns at once, so that training jobs of a millisecond don't wait for a terminal.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alfine.core.history import TrainingJob, is_terminal
from alfine.core.memo import MemoKey
from alfine.core.policy import UNDECIDED, Outlook, Verdict, strongest
from alfine.core.read_spec import read_spec
from alfine.core.spec import DEFINITION, DEFINITIONS, TuningJobSpec
from alfine.core.wording import configuration, duration, number
from alfine.criteria import always_present
from alfine.jobs.engine import Run
from alfine.jobs.wording import Printable, printable
from alfine.surrogate.space_diagnosis import remarks

FAILED: MemoKey[int] = MemoKey(__name__, "failed training jobs")

REDRAW_SECONDS = 0.125
GAUGE_WIDTH = 10
BAR_WIDTH = 36
ROOM_FOR_ECHO = 4  # columns: the terminal writes ^C behind the last line, and a wrapped line would be left behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A tuning job as the view shows it: one that this process runs (`of`), or one that it's told of (`told`)."""

    spec: TuningJobSpec
    status: str  # AMT's, or what it's about to be
    elapsed_seconds: float
    training_seconds: float
    ended: int
    running: int
    failed: int
    best: tuple[str, float, str] | None  # which training job, its objective, its hyperparameters in short
    verdicts: tuple[Verdict, ...]
    remarks: tuple[tuple[str, str], ...] = ()  # on the search space: about what, and the sentence

    @classmethod
    def of(cls, run: Run) -> Self:
        history, best = run.history, run.history.incumbent
        return cls(
            spec=run.spec,
            status=_status(
                run.job.status,
                run.judge.verdict,
                len(history.running),
                run.history.stop_requested_at,
                again=any(job.repeats is not None for job in history.running.values()),
            ),
            elapsed_seconds=history.elapsed_seconds,
            training_seconds=history.training_seconds,
            ended=history.ended,
            running=len(history.running),
            failed=history.fold(FAILED, 0, _count_failed),
            best=None
            if best is None or best.objective is None
            else (f"training job {best.number}", best.objective, configuration(best.hyperparameters)),
            verdicts=run.judge.verdicts,
            remarks=tuple((f"{each.kind} {each.hyperparameter}", each.sentence) for each in remarks(history)),
        )

    @classmethod
    def told(cls, described: Mapping[str, Any]) -> Self:
        """By the document of `Service.describe`."""
        keys = ("HyperParameterTuningJobName", "HyperParameterTuningJobConfig", DEFINITION, DEFINITIONS)
        spec = read_spec({key: described[key] for key in keys if key in described})
        counters, alfine = described["TrainingJobStatusCounters"], described["Alfine"]
        best = described.get("BestTrainingJob")
        failed = counters["NonRetryableError"] + counters["RetryableError"]
        spent = alfine["Cost"]["Spent"]["ComputeSeconds"]
        return cls(
            spec=spec,
            status=_status_told(described),
            elapsed_seconds=described["ConsumedResources"]["RuntimeInSeconds"],
            training_seconds=spent / spec.definition.instance_count,
            ended=counters["Completed"] + counters["Stopped"] + failed,
            running=counters["InProgress"],
            failed=failed,
            best=None if best is None else _best_told(best),
            verdicts=tuple(Verdict.from_dict(each) for each in alfine["Verdicts"]),
            remarks=tuple(
                (f"{each['Kind']} {each.get('HyperParameter')}", each["Sentence"]) for each in alfine.get("Space", ())
            ),
        )

    @property
    def allowed(self) -> int:
        return self.spec.most_training_jobs

    @property
    def remaining_seconds(self) -> float | None:
        """About how long the job has still to go: the mean of the training jobs so far for each that is left.

        None before one has ended.
        """
        if self.ended == 0:
            return None
        seconds = (self.allowed - self.ended) * self.training_seconds / self.ended / self.spec.max_parallel
        if self.spec.max_runtime_seconds is not None:
            seconds = min(seconds, self.spec.max_runtime_seconds - self.elapsed_seconds)
        return max(0.0, seconds)


def _status(status: str, verdict: Verdict, running: int, stop_requested: object, *, again: bool) -> str:
    if is_terminal(status):
        return status
    if again and stop_requested is None and verdict.outlook is not Outlook.CONTINUE:
        return "InProgress, the best are run again"
    if stop_requested is not None or verdict.outlook is Outlook.STOP:
        return "Stopping" if running else verdict.status
    if verdict.outlook is Outlook.DRAIN:
        return "InProgress, the last training jobs run" if running else verdict.status
    return "InProgress"


def _status_told(described: Mapping[str, Any]) -> str:
    status: str = described["HyperParameterTuningJobStatus"]
    verdict, running = described["Alfine"]["Verdict"], described["TrainingJobStatusCounters"]["InProgress"]
    asked = True if status == "Stopping" else None
    known = UNDECIDED if verdict is None else Verdict.from_dict(verdict)
    return _status(status, known, running, asked, again="Repeats" in described["Alfine"])


def _best_told(best: Mapping[str, Any]) -> tuple[str, float, str]:
    numbered = re.search(r"-(\d{3,})-[0-9a-f]{8}$", best["TrainingJobName"])
    name = f"training job {int(numbered[1])}" if numbered else best["TrainingJobName"]
    value = best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    return name, value, configuration(best["TunedHyperParameters"])


class LiveView:
    """Draws one tuning job while it runs. Close it, or use it in a `with`: until then the terminal's cursor is hidden.

    console: where to; default: stderr. transient: leave nothing behind at the end. clock: monotonic seconds.
    """

    def __init__(
        self, console: Console | None = None, *, transient: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console(stderr=True)
        self._transient = transient
        self._clock = clock
        self._live: Live | None = None
        self._progress: Callable[[], Progress] | None = None
        self._next = float("-inf")
        self._lines = _Lines()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def update(self, run: Run) -> None:
        """To be called after each step of the engine."""
        self._show(lambda: Progress.of(run))

    def told(self, described: Mapping[str, Any]) -> None:
        """To be called with what `Service.describe` says of a job that another process runs."""
        self._show(lambda: Progress.told(described))

    def _show(self, progress: Callable[[], Progress]) -> None:
        self._progress = progress
        if self._clock() < self._next:
            return
        self._draw(progress())
        self._next = self._clock() + REDRAW_SECONDS

    def close(self) -> None:
        """Draw the last state and give the terminal back."""
        if self._progress is not None:
            self._draw(self._progress(), last=True)
        self._progress = None
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def say(self, text: str) -> None:
        """A line of its own, above the view where there is one."""
        self._console.print(Text(printable(text)), soft_wrap=not self._console.is_terminal)

    def _draw(self, progress: Progress, *, last: bool = False) -> None:
        if not self._console.is_terminal:
            for line in self._lines.news(progress):
                self._console.print(Text(printable(line)), soft_wrap=True)
            return
        if last and self._transient:
            return
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=self._transient)
            self._live.start()
        self._live.update(Printable(Constrain(picture(progress), self._console.width - ROOM_FOR_ECHO)), refresh=True)


def picture(progress: Progress) -> RenderableType:
    """The view as it is now, made for 80 columns."""
    parts = Table.grid(padding=(0, 1))
    parts.add_column(style="dim", no_wrap=True)
    parts.add_column()
    parts.add_row("jobs", _bar(progress))
    parts.add_row("best", _best(progress))
    parts.add_row("ETA", Text(_eta(progress)))
    if progress.remarks:
        parts.add_row("space", Text("\n".join(sentence for _, sentence in progress.remarks)))
    return Group(_header(progress), parts, _criteria(progress.verdicts))


def _header(progress: Progress) -> Text:
    spec = progress.spec
    facts = [progress.status, spec.strategy, duration(progress.elapsed_seconds)]
    return Text.assemble((spec.name, "bold"), "  ", (" · ".join(facts), "dim"))


def _bar(progress: Progress) -> RenderableType:
    counts = [f"{progress.ended} of {progress.allowed}", f"{progress.running} running"]
    line = Text(" · ".join(counts))
    if progress.failed:
        line.append(f" · {progress.failed} failed", style="red")
    row = Table.grid(padding=(0, 1))
    row.add_row(ProgressBar(total=progress.allowed, completed=progress.ended, width=BAR_WIDTH, pulse=False), line)
    return row


def _count_failed(count: int, job: TrainingJob) -> int:
    return count + (job.status == "Failed")


def _best(progress: Progress) -> Text:
    if progress.best is None:
        return Text("no objective yet", style="dim")
    name, objective, hyperparameters = progress.best
    return Text.assemble(
        f"{progress.spec.metric} ", (number(objective), "bold"), f"  {name}\n", (hyperparameters, "dim")
    )


def _eta(progress: Progress) -> str:
    seconds, allowed, ended = progress.remaining_seconds, progress.allowed, progress.ended
    if seconds is None:
        return "known once a training job has ended"
    words = f"{duration(seconds)} for all {allowed}"
    forecasts = (verdict.evidence.get("forecast_training_jobs") for verdict in progress.verdicts)
    ahead = next((int(each) for each in forecasts if each is not None), None)
    if ahead is None or ahead >= allowed - ended:
        return words
    sooner = ahead * progress.training_seconds / ended / progress.spec.max_parallel
    return f"{words}; {duration(min(seconds, sooner))} if the next {ahead} don't improve the best"


def _criteria(verdicts: tuple[Verdict, ...]) -> RenderableType:
    rows = Table.grid(padding=(0, 1))
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(style="dim")
    nearest = strongest(verdicts)
    for verdict in verdicts:
        if verdict.progress or not always_present(verdict.criterion):
            met = verdict.outlook is not Outlook.CONTINUE
            gauge = ProgressBar(total=1.0, completed=verdict.progress, width=GAUGE_WIDTH)
            rows.add_row(Text(verdict.criterion, style="bold green" if met else ""), gauge, Text(verdict.sentence))
            if verdict is nearest and not met and verdict.would_change:  # of the others `alfine describe` tells it
                rows.add_row("", "", Text(verdict.would_change, style="italic"))
    return rows


class _Lines:
    """What a log file gets instead of a view: a line an improvement, and one each tenth of the training jobs."""

    def __init__(self) -> None:
        self._best: str | None = None
        self._tenths = 0
        self._ended = 0
        self._remarks: set[str] = set()

    def news(self, progress: Progress) -> Iterator[str]:
        if progress.ended == self._ended:
            return
        self._ended = progress.ended
        best, allowed = progress.best, progress.allowed
        if best is not None and best[0] != self._best:
            self._best = best[0]
            yield f"{best[0]}: {progress.spec.metric} {number(best[1])}, the best so far ({best[2]})"
        for subject, sentence in progress.remarks:
            if subject not in self._remarks:  # its numbers change; it's said once
                self._remarks.add(subject)
                yield sentence
        tenths = 10 * progress.ended // allowed
        if tenths > self._tenths:
            self._tenths = tenths
            seconds = progress.remaining_seconds or 0.0
            rest = f", about {duration(seconds)} to go" if progress.ended < allowed else ""
            yield f"{progress.ended} of {allowed} training jobs ended after {duration(progress.elapsed_seconds)}{rest}"
