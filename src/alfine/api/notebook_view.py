"""The live view of a tuning job in a notebook: one output of a cell, which is replaced while the job goes on.

It needs nothing but the notebook's own kernel: no widgets, no scripts. A saved notebook keeps the last state.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from alfine.api.job_html import job_html
from alfine.api.job_progress import JobProgress
from alfine.core.errors import AlfineError
from alfine.core.history import History
from alfine.core.verdict import Verdict
from alfine.figures.plots import Plots
from alfine.figures.svg_marks import Look
from alfine.jobs.run import Run

REDRAW_SECONDS = 0.5
"""Least time between two drawings."""

SHARE_OF_TIME = 0.2
"""Share of the time that drawing may take: a figure of a large job takes longer, and is drawn less often."""

LOOK_SECONDS = 1.0
"""Time between two looks at a job that another thread or process runs."""

FIGURE_WIDTH = 720
"""Width of the figure, in pixels."""

INK = 'fill="currentColor"'
LINE = 'stroke="currentColor" stroke-opacity='
LOOK = Look(
    ink=INK,
    label=INK,
    soft=f'{INK} fill-opacity=".75"',
    grid=f'{LINE}".15"',
    axis=f'{LINE}".5"',
    rule=f'{LINE}".5"',
)
"""The look of the figure: the notebook's own colour of texts, light or dark."""

Key = tuple[Path, str]
"""Stands for a tuning job: the home's folder and the job's name."""

_cells: dict[Key, int] = {}
"""The number of the cell in which each job was shown last."""

_followers: dict[Key, threading.Event] = {}
"""Ends the thread that follows a job: it is shown live once."""


def kernel() -> Any:
    """Return the shell of the notebook in which this process runs; None elsewhere, also in a terminal with IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return shell if hasattr(shell, "kernel") else None


def is_shown_in_this_cell(key: Key) -> bool:
    """Return whether the cell that runs now has shown a job already."""
    shell = kernel()
    return shell is not None and _cells.get(key) == shell.execution_count


class ShownJob(Protocol):
    """A tuning job that is shown: an `alfine.Job`."""

    @property
    def history(self) -> History: ...

    @property
    def status(self) -> str: ...

    @property
    def ended(self) -> bool: ...

    @property
    def verdict(self) -> Verdict: ...

    @property
    def verdicts(self) -> tuple[Verdict, ...]: ...


class NotebookView:
    """Shows one tuning job while it runs.

    Args:
        key: The tuning job.
        clock: Returns seconds that never go back.
    """

    def __init__(self, key: Key, clock: Callable[[], float] = time.monotonic) -> None:
        self._key = key
        self._clock = clock
        self._next = float("-inf")
        self._note = ""
        self._last: Callable[[], tuple[str, str]] | None = None
        self._handle: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def update(self, run: Run) -> None:
        """Show a job that this process runs; called after each step of the engine."""
        self._show(lambda: pictured(run.history, run.job.status, run.judge.verdict, run.judge.verdicts, self._note))

    def show(self, job: ShownJob) -> None:
        """Show a job as it was recorded, unless something was drawn just now."""
        self._show(lambda: pictured(job.history, job.status, job.verdict, job.verdicts, self._note))

    def _show(self, draw: Callable[[], tuple[str, str]]) -> None:
        self._last = draw
        if self._clock() >= self._next:
            self._draw()

    def say(self, text: str) -> None:
        """Show a sentence below the job."""
        self._note = text
        self._draw()

    def close(self) -> None:
        """Draw the last state."""
        self._note = ""
        self._draw()

    def _draw(self) -> None:
        if self._last is None:
            return
        begin = self._clock()
        html, text = self._last()
        content = {"text/html": html, "text/plain": text}
        if self._handle is None:
            from IPython.display import display

            _cells[self._key] = kernel().execution_count
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)
        now = self._clock()
        self._next = now + max(REDRAW_SECONDS, (now - begin) / SHARE_OF_TIME)


def pictured(
    history: History, status: str, verdict: Verdict, verdicts: tuple[Verdict, ...], note: str = ""
) -> tuple[str, str]:
    """Return a job as HTML, and as a line of text for what can't show that."""
    progress = JobProgress.of_history(history, status, verdict, verdicts)
    text = f"{progress.spec.name}: {progress.status}, {progress.ended} of {progress.allowed} training jobs"
    return job_html(progress, _figure(history, verdict), note), text


def _figure(history: History, verdict: Verdict) -> str:
    """Return the best objective so far as SVG; nothing while there is nothing to see."""
    if history.incumbent is None or history.ended < 2:
        return ""
    return str(Plots(history, verdict).best().inside_page(FIGURE_WIDTH, LOOK))


def follow(key: Key, look: Callable[[], ShownJob]) -> None:
    """Show a job live that another thread or process runs, until it has ended; whoever showed it live before ends.

    Args:
        key: The tuning job.
        look: Returns the job as it is recorded now.
    """
    over = threading.Event()
    _followers.pop(key, threading.Event()).set()
    _followers[key] = over
    view, job = NotebookView(key), look()
    view.show(job)
    threading.Thread(target=_follow, args=(view, look, over), name=f"alfine-follows-{key[1]}", daemon=True).start()


def _follow(view: NotebookView, look: Callable[[], ShownJob], over: threading.Event) -> None:
    ended = False
    while not ended and not over.wait(LOOK_SECONDS):
        try:
            job = look()
        except (AlfineError, OSError) as error:  # it was deleted, or its home is gone
            view.say(str(error))
            return
        ended = job.ended
        view.show(job)
    view.close()
