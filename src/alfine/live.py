"""The live view of a tuning job in a terminal, and plain lines where there is none.

    with LiveView() as view:
        run_to_end(home, name, after_step=view.update)

One thread: nothing is drawn between updates, and an update that comes less than 125 ms after the last one that was drawn
returns at once, so that training jobs of a millisecond don't wait for a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alfine.core.decide import Outlook, Verdict
from alfine.core.history import History, TrainingJob
from alfine.core.spec import MAX_TRAINING_JOBS, TuningJobSpec
from alfine.engine import Run

REDRAW_SECONDS = 0.125
GAUGE_WIDTH = 10
BAR_WIDTH = 36
ROOM_FOR_ECHO = 4  # columns: the terminal writes ^C behind the last line, and a wrapped line would be left behind
SILENT = ("StopRequested", "NoTrainingJobSucceeded")  # rules that every job has: shown once they have something to say


def duration(seconds: float) -> str:
    """«3.2 s», «45 s», «12 min 05 s», «3 h 07 min»."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def in_short(hyperparameters: Mapping[str, Any]) -> str:
    """«eta=0.08134 depth=6»: four digits, enough to tell configurations apart."""
    return " ".join(f"{name}={_short(value)}" for name, value in hyperparameters.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def count_of(number: int, thing: str = "training job") -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def launches_allowed(spec: TuningJobSpec) -> int:
    """How many training jobs the tuning job launches if nothing ends it earlier."""
    size = spec.size
    limit = spec.max_training_jobs or MAX_TRAINING_JOBS
    return limit if size is None else min(limit, size)


def remaining_seconds(history: History) -> float | None:
    """About how long the job has still to go: the mean of the training jobs so far for each that is left.

    None before one has ended.
    """
    if history.ended == 0:
        return None
    spec = history.spec
    left = launches_allowed(spec) - history.ended
    seconds = left * history.training_seconds / history.ended / spec.max_parallel
    if spec.max_runtime_seconds is not None:
        seconds = min(seconds, spec.max_runtime_seconds - history.elapsed_seconds)
    return max(0.0, seconds)


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
        self._run: Run | None = None
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
        if self._clock() < self._next:
            self._run = run
            return
        self._run = run
        self._draw(run)
        self._next = self._clock() + REDRAW_SECONDS

    def close(self) -> None:
        """Draw the last state and give the terminal back."""
        if self._run is not None:
            self._draw(self._run, last=True)
        self._run = None
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def say(self, text: str) -> None:
        """A line of its own, above the view where there is one."""
        self._console.print(Text(text), soft_wrap=not self._console.is_terminal)

    def _draw(self, run: Run, *, last: bool = False) -> None:
        if not self._console.is_terminal:
            for line in self._lines.news(run.history):
                self._console.print(Text(line), soft_wrap=True)
            return
        if last and self._transient:
            return
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=self._transient)
            self._live.start()
        self._live.update(Constrain(picture(run), self._console.width - ROOM_FOR_ECHO), refresh=True)


def picture(run: Run) -> RenderableType:
    """The view as it is now, made for 80 columns."""
    history, parts = run.history, Table.grid(padding=(0, 1))
    parts.add_column(style="dim", no_wrap=True)
    parts.add_column()
    parts.add_row("jobs", _progress(history))
    parts.add_row("best", _best(history))
    parts.add_row("ETA", Text(_eta(history, run.judge.verdicts)))
    return Group(_header(run), parts, _criteria(run.judge.verdicts))


def _header(run: Run) -> Text:
    history, spec = run.history, run.spec
    facts = [_status(run), spec.strategy, duration(history.elapsed_seconds)]
    return Text.assemble((spec.name, "bold"), "  ", (" · ".join(facts), "dim"))


def _status(run: Run) -> str:
    """AMT's status, or what it's about to be."""
    if run.job.ended:
        return run.job.status
    if run.history.stop_requested_at is not None or run.judge.verdict.outlook is Outlook.STOP:
        return "Stopping" if run.history.running else run.judge.verdict.status
    if run.judge.verdict.outlook is Outlook.DRAIN:
        return "InProgress, the last training jobs run" if run.history.running else run.judge.verdict.status
    return "InProgress"


def _progress(history: History) -> RenderableType:
    allowed = launches_allowed(history.spec)
    failed = int(history.fold("failed", 0, _count_failed))
    counts = [f"{history.ended} of {allowed}", f"{len(history.running)} running"]
    line = Text(" · ".join(counts))
    if failed:
        line.append(f" · {failed} failed", style="red")
    row = Table.grid(padding=(0, 1))
    row.add_row(ProgressBar(total=allowed, completed=history.ended, width=BAR_WIDTH, pulse=False), line)
    return row


def _count_failed(count: int, job: TrainingJob) -> int:
    return count + (job.status == "Failed")


def _best(history: History) -> Text:
    best = history.incumbent
    if best is None or best.objective is None:
        return Text("no objective yet", style="dim")
    return Text.assemble(
        f"{history.spec.metric} ",
        (f"{best.objective:.6g}", "bold"),
        f"  training job {best.number}\n",
        (in_short(best.hyperparameters), "dim"),
    )


def _eta(history: History, verdicts: tuple[Verdict, ...]) -> str:
    seconds, allowed = remaining_seconds(history), launches_allowed(history.spec)
    if seconds is None:
        return "known once a training job has ended"
    words = f"{duration(seconds)} for all {allowed}"
    forecasts = (verdict.evidence.get("forecast_training_jobs") for verdict in verdicts)
    ahead = next((int(each) for each in forecasts if each is not None), None)
    if ahead is None or ahead >= allowed - history.ended:
        return words
    sooner = ahead * history.training_seconds / history.ended / history.spec.max_parallel
    return f"{words}; {duration(min(seconds, sooner))} if the next {ahead} don't improve the best"


def _criteria(verdicts: tuple[Verdict, ...]) -> RenderableType:
    rows = Table.grid(padding=(0, 1))
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(style="dim")
    for verdict in verdicts:
        if verdict.progress or verdict.criterion not in SILENT:
            met = verdict.outlook is not Outlook.CONTINUE
            gauge = ProgressBar(total=1.0, completed=verdict.progress, width=GAUGE_WIDTH)
            rows.add_row(Text(verdict.criterion, style="bold green" if met else ""), gauge, Text(verdict.sentence))
    return rows


class _Lines:
    """What a log file gets instead of a view: a line an improvement, and one each tenth of the training jobs."""

    def __init__(self) -> None:
        self._best: int | None = None
        self._tenths = 0
        self._ended = 0

    def news(self, history: History) -> Iterator[str]:
        if history.ended == self._ended:
            return
        self._ended = history.ended
        best, allowed = history.incumbent, launches_allowed(history.spec)
        if best is not None and best.number != self._best:
            self._best = best.number
            yield f"training job {best.number}: {history.spec.metric} {best.objective:.6g}, the best so far ({in_short(best.hyperparameters)})"
        tenths = 10 * history.ended // allowed
        if tenths > self._tenths:
            self._tenths = tenths
            seconds = remaining_seconds(history) or 0.0
            rest = f", about {duration(seconds)} to go" if history.ended < allowed else ""
            yield f"{history.ended} of {allowed} training jobs ended after {duration(history.elapsed_seconds)}{rest}"
