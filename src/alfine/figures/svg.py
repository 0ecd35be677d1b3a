"""Axes and marks in SVG, where classes bear the colours: a page's style sheet decides about them, in light and in dark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

Point = tuple[float, float]
LETTER = 7.0  # at most the width of a digit of a label


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A number's place on an axis. low, high: at pixel `begin` and at pixel `end`."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(self.begin + share * (self.end - self.begin), 2)

    def ticks(self, most: int) -> list[float]:
        """At most so many round numbers inside."""
        span = self.high - self.low
        if not (span > 0 and math.isfinite(span)):
            return [self.low]
        rough = span / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(each * power for each in (1, 2, 5, 10) if each * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [each * step for each in range(first, last + 1)]


def tick_text(value: float, step: float) -> str:
    """As many digits as tell neighbours apart."""
    if value == 0:
        return "0"
    finest = math.floor(math.log10(abs(step) or 1.0) + 1e-9)  # the power of ten of the last digit
    if 1e-4 <= abs(value) < 1e7:
        return f"{value:.{min(max(0, -finest), 8)}f}"
    digits = min(max(0, math.floor(math.log10(abs(value)) + 1e-9) - finest), 8)
    mantissa, _, power = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def labels(axis: Axis, most: int) -> list[tuple[float, str]]:
    """(value, text) of its ticks."""
    ticks = axis.ticks(most)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else ticks[0] if ticks else 1.0
    return [(tick, tick_text(tick, step)) for tick in ticks]


@dataclass(slots=True, kw_only=True)
class Drawing:
    """An SVG that grows by its methods. label: what it shows, for who doesn't see it."""

    width: float
    height: float
    label: str
    left: float = 52.0
    right: float = 10.0
    top: float = 10.0
    bottom: float = 34.0
    parts: list[Markup] = field(default_factory=list)

    def across(self, low: float, high: float) -> Axis:
        return Axis(low=low, high=high, begin=self.left, end=self.width - self.right)

    def upwards(self, low: float, high: float, most: int) -> Axis:
        """The axis that `grid` labels, with room for at most so many labels: it's made before the one across."""
        axis = Axis(low=low, high=high, begin=self.height - self.bottom, end=self.top)
        self.left = max(self.left, 8.0 + LETTER * max((len(text) for _, text in labels(axis, most)), default=0))
        return axis

    def line(self, begin: Point, end: Point, kind: str) -> None:
        self.parts.append(
            Markup('<line class="{}" x1="{:g}" y1="{:g}" x2="{:g}" y2="{:g}"/>').format(kind, *begin, *end)
        )

    def path(self, points: Sequence[Point], kind: str) -> None:
        if points:
            words = " ".join(f"{x:g},{y:g}" for x, y in points)
            self.parts.append(Markup('<polyline class="{}" points="{}"/>').format(kind, words))

    def rectangle(self, corner: Point, width: float, height: float, kind: str) -> None:
        self.parts.append(
            Markup('<rect class="{}" x="{:g}" y="{:g}" width="{:g}" height="{:g}"/>').format(
                kind, *corner, max(0.0, width), max(0.0, height)
            )
        )

    def dot(self, at: Point, kind: str, title: str = "", *, radius: float = 3.0, href: str = "") -> None:
        """A point; with a page behind it, it's a link that the keyboard passes over: a table beside it has the same."""
        mark = Markup('<circle class="{}" cx="{:g}" cy="{:g}" r="{:g}"/>').format(kind, *at, radius)
        if title:
            mark = Markup('<circle class="{}" cx="{:g}" cy="{:g}" r="{:g}"><title>{}</title></circle>').format(
                kind, *at, radius, title
            )
        self.parts.append(Markup('<a href="{}" tabindex="-1">{}</a>').format(href, mark) if href else mark)

    def text(self, at: Point, words: str, kind: str = "tick", anchor: str = "middle") -> None:
        self.parts.append(
            Markup('<text class="{}" x="{:g}" y="{:g}" text-anchor="{}">{}</text>').format(kind, *at, anchor, words)
        )

    def grid(self, axis: Axis, most: int) -> None:
        """Lines across at round values, with their labels on the left."""
        for tick, text in labels(axis, most):
            y = axis(tick)
            self.line((self.left, y), (self.width - self.right, y), "grid")
            self.text((self.left - 6, y + 3.5), text, anchor="end")

    def foot(self, axis: Axis, ticks: Iterable[float], name: str) -> None:
        """The axis below: its line, labels and name."""
        y = self.height - self.bottom
        self.line((self.left, y), (self.width - self.right, y), "axis")
        for tick in ticks:
            self.line((axis(tick), y), (axis(tick), y + 4), "axis")
            words = f"{tick:g}"
            self.text((min(axis(tick), self.width - LETTER * len(words) / 2), y + 15), words)
        self.text(((self.left + self.width - self.right) / 2, y + 29), name, "name")

    def markup(self, kind: str = "") -> Markup:
        return Markup(
            '<svg class="figure {}" viewBox="0 0 {:g} {:g}" width="{:g}" height="{:g}" role="img" aria-label="{}">{}</svg>'
        ).format(kind, self.width, self.height, self.width, self.height, self.label, Markup("").join(self.parts))
