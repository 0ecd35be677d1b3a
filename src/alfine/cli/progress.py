"""One line in a terminal that shows what a command does for so long, and how far it is."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from alfine.core.wording import duration

SILENCE_SECONDS = 2.0
"""Time for which a command may be silent."""

REDRAW_SECONDS = 0.5
"""Time between two drawings of the line."""

Tell = Callable[[int, int], None]
"""Is told how many are done, and of how many (0: nobody knows)."""


class _Line:
    """The line: what is done, for how long, and how much of it."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._begin = time.monotonic()
        self._done = self._total = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw_again_and_again, name="progress", daemon=True)

    def __enter__(self) -> Tell:
        if sys.stderr.isatty():
            self._thread.start()
        return self.tell

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def tell(self, done: int, total: int) -> None:
        self._done, self._total = done, total

    def _draw_again_and_again(self) -> None:
        if self._over.wait(SILENCE_SECONDS):
            return
        while True:
            click.echo(f"\r{_in_one_line(self._text(), '… (Ctrl-C ends it)')}\x1b[K", err=True, nl=False)
            if self._over.wait(REDRAW_SECONDS):
                click.echo("\r\x1b[K", err=True, nl=False)
                return

    def _text(self) -> str:
        seconds = time.monotonic() - self._begin
        if not self._total:
            return f"{self.what}: {duration(seconds)}"
        rest = f", about {duration(seconds * (self._total - self._done) / self._done)} to go" if self._done else ""
        return f"{self.what}: {100 * self._done // self._total} %{rest}"


def _in_one_line(text: str, more: str = "") -> str:
    """Return a text with what may follow it, as far as both fit into a line of the terminal: a longer one couldn't be drawn again."""
    columns = shutil.get_terminal_size().columns - 1
    whole = f"{text} {more}".rstrip()
    return whole if len(whole) <= columns else text if len(text) <= columns else f"{text[: columns - 1]}…"


def working(what: str) -> _Line:
    """Return a context that shows in a terminal, from `SILENCE_SECONDS` on, what a command does and for how long.

    Args:
        what: What the command does, as in «Replaying my-job».

    Returns:
        In a `with` statement, what is told how far it is, if anybody knows.

    Example:
        >>> with working("Replaying 12 jobs") as tell:
        ...     tell(3, 12)
    """
    return _Line(what)


@contextmanager
def showing_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Return what shows how far a command is, in one line of a terminal; it shows nothing where there is none."""
    shown = False

    def show(what: str, done: int, total: int) -> None:
        nonlocal shown
        if sys.stderr.isatty():
            line = _in_one_line(f"{what}: {done:,}{f' of {total:,}' if total else ''}")
            click.echo(f"\r{line}\x1b[K", err=True, nl=False)
            shown = True

    try:
        yield show
    finally:
        if shown:
            click.echo("\r\x1b[K", err=True, nl=False)
