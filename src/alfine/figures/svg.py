"""Axes and marks in SVG. Marks have classes instead of colours: the page's style sheet colours them, in light and in dark mode."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from alfine.core.wording import number

Point = tuple[float, float]
"""x and y in pixels, from the upper left corner."""

LETTER = 7.0
"""Greatest width of a digit in a label, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A linear axis, called with a value to get its pixel.

    Attributes:
        low: The value at pixel `begin`.
        high: The value at pixel `end`.
    """

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value, rounded to two decimals."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(self.begin + share * (self.end - self.begin), 2)

    def ticks(self, most: int) -> list[float]:
        """Return at most `most` round numbers on the axis, in ascending order."""
        span = self.high - self.low
        if not (span > 0 and math.isfinite(span)):
            return [self.low]
        rough = span / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


def tick_text(value: float, step: float) -> str:
    """Write a tick with as many digits as its distance to the next one needs."""
    if value == 0:
        return "0"
    finest = math.floor(math.log10(abs(step) or 1.0) + 1e-9)  # the power of ten of the last digit
    if 1e-4 <= abs(value) < 1e7:
        return f"{value:.{min(max(0, -finest), 8)}f}"
    digits = min(max(0, math.floor(math.log10(abs(value)) + 1e-9) - finest), 8)
    mantissa, _, power = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def labels(axis: Axis, most: int) -> list[tuple[float, str]]:
    """Return the ticks of an axis as (value, text)."""
    ticks = axis.ticks(most)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else ticks[0] if ticks else 1.0
    return [(tick, tick_text(tick, step)) for tick in ticks]


@dataclass(slots=True, kw_only=True)
class Drawing:
    """An SVG that its methods draw into.

    Attributes:
        width: In pixels, like all lengths.
        height: In pixels.
        label: What the figure shows, for screen readers.
        left: The margin on the left, and so on; labels may widen it.
        parts: What was drawn so far.
    """

    width: float
    height: float
    label: str
    left: float = 52.0
    right: float = 10.0
    top: float = 10.0
    bottom: float = 34.0
    parts: list[Markup] = field(default_factory=list)

    def across(self, low: float, high: float) -> Axis:
        """Return the x-axis for values from `low` to `high`. Make it after the y-axis, whose labels need room."""
        return Axis(low=low, high=high, begin=self.left, end=self.width - self.right)

    def upwards(self, low: float, high: float, most: int) -> Axis:
        """Return the y-axis for values from `low` to `high`, and make room for its labels, at most `most`."""
        axis = Axis(low=low, high=high, begin=self.height - self.bottom, end=self.top)
        self.left = max(self.left, 8.0 + LETTER * max((len(text) for _, text in labels(axis, most)), default=0))
        return axis

    def line(self, begin: Point, end: Point, kind: str) -> None:
        """Draw a line. `kind`, here and below, is its CSS class."""
        self.parts.append(
            Markup('<line class="{}" x1="{:g}" y1="{:g}" x2="{:g}" y2="{:g}"/>').format(kind, *begin, *end)
        )

    def path(self, points: Sequence[Point], kind: str) -> None:
        """Draw straight lines from point to point."""
        if points:
            words = " ".join(f"{x:g},{y:g}" for x, y in points)
            self.parts.append(Markup('<polyline class="{}" points="{}"/>').format(kind, words))

    def rectangle(self, corner: Point, width: float, height: float, kind: str) -> None:
        """Draw a rectangle from its upper left corner."""
        self.parts.append(
            Markup('<rect class="{}" x="{:g}" y="{:g}" width="{:g}" height="{:g}"/>').format(
                kind, *corner, max(0.0, width), max(0.0, height)
            )
        )

    def dot(self, at: Point, kind: str, title: str = "", *, radius: float = 3.0, href: str = "") -> None:
        """Draw a dot.

        With `href` it is a link, which the Tab key skips: a table on the page has the same link.
        """
        mark = Markup('<circle class="{}" cx="{:g}" cy="{:g}" r="{:g}"/>').format(kind, *at, radius)
        if title:
            mark = Markup('<circle class="{}" cx="{:g}" cy="{:g}" r="{:g}"><title>{}</title></circle>').format(
                kind, *at, radius, title
            )
        self.parts.append(Markup('<a href="{}" tabindex="-1">{}</a>').format(href, mark) if href else mark)

    def text(self, at: Point, words: str, kind: str = "tick", anchor: str = "middle") -> None:
        """Write a text. `anchor` is which part of it lies at the point: start, middle or end."""
        self.parts.append(
            Markup('<text class="{}" x="{:g}" y="{:g}" text-anchor="{}">{}</text>').format(kind, *at, anchor, words)
        )

    def grid(self, axis: Axis, most: int) -> None:
        """Draw horizontal lines at round values, with labels on the left."""
        for tick, text in labels(axis, most):
            y = axis(tick)
            self.line((self.left, y), (self.width - self.right, y), "grid")
            self.text((self.left - 6, y + 3.5), text, anchor="end")

    def foot(self, axis: Axis, ticks: Iterable[float], name: str) -> None:
        """Draw the x-axis: its line, labels and name."""
        y = self.height - self.bottom
        self.line((self.left, y), (self.width - self.right, y), "axis")
        for tick in ticks:
            self.line((axis(tick), y), (axis(tick), y + 4), "axis")
            words = number(tick)
            self.text((min(axis(tick), self.width - LETTER * len(words) / 2), y + 15), words)
        self.text(((self.left + self.width - self.right) / 2, y + 29), name, "name")

    def markup(self, kind: str = "") -> Markup:
        """Return the SVG element."""
        return Markup(
            '<svg class="figure {}" viewBox="0 0 {:g} {:g}" width="{:g}" height="{:g}" role="img" aria-label="{}">{}</svg>'
        ).format(kind, self.width, self.height, self.width, self.height, self.label, Markup("").join(self.parts))
