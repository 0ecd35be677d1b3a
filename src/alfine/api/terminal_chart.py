"""The best objective so far as a line of dots in a terminal.

Each character is one of Unicode's Braille patterns, which has two dots side by side and four above each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

from alfine.core.wording import number

ROWS = 5
"""Lines of the chart, without the line below it."""

LEAST_LINES = 20
"""Lines of a terminal in which there is room for the chart."""

LEAST_COLUMNS = 30
"""Columns in which the chart is drawn."""

BRAILLE = 0x2800
"""The pattern without dots."""

DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each dot: of the left column from above, and of the right one."""


@dataclass(frozen=True, slots=True)
class BestCurve:
    """The chart.

    Args:
        values: The best objective so far, after each training job that ended.
        first: The number of training jobs that had ended at the first value.
    """

    values: Sequence[float]
    first: int = 1

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(LEAST_COLUMNS, options.max_width), options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.height >= LEAST_LINES and options.max_width >= LEAST_COLUMNS and len({*self.values}) > 1:
            yield Text("\n".join(self.lines(options.max_width)), no_wrap=True)

    def lines(self, width: int) -> Iterator[str]:
        """Yield the lines of the chart.

        Args:
            width: Columns of each.
        """
        high, low = max(self.values), min(self.values)
        labels = [number(high), *[""] * (ROWS - 2), number(low)]
        margin = max(map(len, labels))
        cells = width - margin - 2
        for label, dots in zip(labels, _line(self.values, cells), strict=True):
            yield f"{label:>{margin}} {'┤' if label else '│'}{dots}".rstrip(chr(BRAILLE))
        last = f"{number(self.first + len(self.values) - 1)} training jobs"
        begin = number(self.first)
        yield f"{'':>{margin}} └{begin}{last:>{cells - len(begin)}}"


def _line(values: Sequence[float], cells: int) -> Iterator[str]:
    """Yield the rows of a line through values, from above: each is `cells` characters wide."""
    low, high = min(values), max(values)
    columns, height = 2 * cells, 4 * ROWS
    grid = [[BRAILLE] * cells for _ in range(ROWS)]
    before: int | None = None
    for column in range(columns):
        value = values[column * len(values) // columns]
        at = round((high - value) / (high - low) * (height - 1))
        begin, end = sorted((at, at if before is None else before))
        for dot in range(begin, end + 1):
            grid[dot // 4][column // 2] |= DOTS[column % 2][dot % 4]
        before = at
    for row in grid:
        yield "".join(map(chr, row))
