"""The live view of a tuning job in a terminal, and plain lines in a file.

    with LiveView() as view:
        run_to_end(home, name, after_step=view.update)

There is no second thread: nothing is drawn between updates. An update less than REDRAW_SECONDS after the last one that
was drawn returns at once, so that training jobs of a millisecond don't wait for a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alfine.api.job_progress import JobProgress
from alfine.api.printable import Printable
from alfine.api.terminal_chart import BestCurve
from alfine.core.verdict import Outlook, Verdict, strongest
from alfine.core.wording import duration, number
from alfine.criteria import always_present
from alfine.jobs.run import Run
from alfine.jobs.wording import printable

REDRAW_SECONDS = 0.125
"""Least time between two drawings."""

GAUGE_WIDTH = 10
"""Columns of a criterion's progress."""

BAR_WIDTH = 36
"""Columns of the bar of training jobs."""

ROOM_FOR_ECHO = 4
"""Columns that stay free: the terminal writes ^C behind the last line, and a line that wraps would be left behind."""


class LiveView:
    """Draws one tuning job while it runs. Close it, or use it in a `with` block: until then the terminal's cursor is
    hidden.

    Args:
        console: Where to draw; default: the standard error.
        transient: Whether to leave nothing behind at the end.
        clock: Returns seconds that never go back.
    """

    def __init__(
        self, console: Console | None = None, *, transient: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console(stderr=True)
        self._transient = transient
        self._clock = clock
        self._live: Live | None = None
        self._progress: Callable[[], JobProgress] | None = None
        self._next = float("-inf")
        self._lines = _Lines()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def update(self, run: Run) -> None:
        """Show a job that this process runs; called after each step of the engine."""
        self._show(lambda: JobProgress.of(run))

    def show_description(self, described: Mapping[str, Any], training_jobs: Sequence[Mapping[str, Any]] = ()) -> None:
        """Show a job that another process runs, by the document of `Service.describe` and the rows of `Service.training_jobs`."""
        self._show(lambda: JobProgress.from_description(described, training_jobs))

    def _show(self, progress: Callable[[], JobProgress]) -> None:
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
        """Print a line above the view."""
        self._console.print(Text(printable(text)), soft_wrap=not self._console.is_terminal)

    def _draw(self, progress: JobProgress, *, last: bool = False) -> None:
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


def picture(progress: JobProgress) -> RenderableType:
    """Return the view of a job, made for 80 columns."""
    parts = Table.grid(padding=(0, 1))
    parts.add_column(style="dim", no_wrap=True)
    parts.add_column()
    parts.add_row("jobs", _bar(progress))
    parts.add_row("best", _best(progress))
    if progress.curve:
        parts.add_row("", BestCurve(progress.curve, max(1, progress.ended - len(progress.curve) + 1)))
    parts.add_row("ETA", Text(_eta(progress)))
    if progress.remarks:
        parts.add_row("space", Text("\n".join(sentence for _, sentence in progress.remarks)))
    return Group(_header(progress), parts, _criteria(progress.verdicts))


def _header(progress: JobProgress) -> Text:
    spec = progress.spec
    facts = [progress.status, spec.strategy, duration(progress.elapsed_seconds)]
    return Text.assemble((spec.name, "bold"), "  ", (" · ".join(facts), "dim"))


def _bar(progress: JobProgress) -> RenderableType:
    counts = [f"{progress.ended} of {progress.allowed}", f"{progress.running} running"]
    line = Text(" · ".join(counts))
    if progress.failed:
        line.append(f" · {progress.failed} failed", style="red")
    row = Table.grid(padding=(0, 1))
    row.add_row(ProgressBar(total=progress.allowed, completed=progress.ended, width=BAR_WIDTH, pulse=False), line)
    return row


def _best(progress: JobProgress) -> Text:
    if progress.best is None:
        return Text("no objective yet", style="dim")
    name, objective, hyperparameters = progress.best
    return Text.assemble(
        f"{progress.spec.metric} ", (number(objective), "bold"), f"  {name}\n", (hyperparameters, "dim")
    )


def _eta(progress: JobProgress) -> str:
    seconds, allowed, ended = progress.remaining_seconds, progress.allowed, progress.ended
    if seconds is None:
        return "known once a training job has ended"
    words = f"{duration(seconds)} for all {allowed}"
    forecasts = (verdict.evidence.get("forecast_training_jobs") for verdict in progress.verdicts)
    ahead = next((int(count) for count in forecasts if count is not None), None)
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
            if verdict is nearest and not met and verdict.would_change:  # `alfine describe` says it of the others
                rows.add_row("", "", Text(verdict.would_change, style="italic"))
    return rows


class _Lines:
    """The progress as plain lines, for a log file: one line for each improvement, and one for each tenth of the training jobs."""

    def __init__(self) -> None:
        self._best: str | None = None
        self._tenths = 0
        self._ended = 0
        self._remarks: set[str] = set()

    def news(self, progress: JobProgress) -> Iterator[str]:
        if progress.ended == self._ended:
            return
        self._ended = progress.ended
        best, allowed = progress.best, progress.allowed
        if best is not None and best[0] != self._best:
            self._best = best[0]
            yield f"{best[0]}: {progress.spec.metric} {number(best[1])}, the best so far ({best[2]})"
        for subject, sentence in progress.remarks:
            if subject not in self._remarks:  # said once, though its numbers change
                self._remarks.add(subject)
                yield sentence
        tenths = 10 * progress.ended // allowed
        if tenths > self._tenths:
            self._tenths = tenths
            seconds = progress.remaining_seconds or 0.0
            rest = f", about {duration(seconds)} to go" if progress.ended < allowed else ""
            yield f"{progress.ended} of {allowed} training jobs ended after {duration(progress.elapsed_seconds)}{rest}"
