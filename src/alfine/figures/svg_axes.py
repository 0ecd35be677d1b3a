"""The axes of a drawing: grid lines, ticks, labels that don't hide each other, titles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from alfine.core.wording import short
from alfine.figures.svg_layer import Layer, Plain
from alfine.figures.svg_marks import Frame, length, written
from alfine.figures.svg_scales import Categories, PixelScale, Tick, scale_of

LETTER = 6.2
"""Width of a letter of a label, in pixels."""

RIGHT, RIGHT_OF_LABELS = 14.0, 60.0
"""Room on the right of a frame, in pixels; where its last axis has labels beside it."""

LONGEST_LABEL, LONGEST_ON_PHONE = 26, 13
"""Letters of a category's label; of a longer one the first are written."""

BETWEEN_ROWS, BETWEEN_COLUMNS = 50.0, 80.0
"""Pixels from a grid line to the next one, at least; from a label of the x-axis to the next one."""

ANCHORS = ("start", "middle")
"""Where the name of the first of several axes side by side stands, which would reach beyond the drawing, and that of any other."""

LINE = 14.0
"""Height of a label, in pixels."""


def title_of(layers: Sequence[Layer], axis: str) -> str:
    """Return the title of an axis: the first that a layer has."""
    titles = (layer.encoding.get(axis, {}).get("title") for layer in layers)
    return next((title for title in titles if title), "")


def axis_of(layers: Sequence[Layer], axis: str) -> Plain | None:
    """Return the properties of an axis; None where it isn't drawn."""
    found = [layer.encoding[axis].get("axis", {}) for layer in layers if "field" in layer.encoding.get(axis, {})]
    if not found or found[0] is None:
        return None
    return {"drawn": True, **{key: value for each in reversed(found) if each for key, value in each.items()}}


def shortened(text: str, most: int) -> str:
    """Return the text, or its beginning where it has more than `most` letters."""
    return text if len(text) <= most else f"{text[: max(1, most - 1)]}…"


class Axes:
    """Both axes of a frame.

    Args:
        layers: The layers of the frame.
        height: Its height, in pixels.
        phone: Whether the drawing is narrow.

    Attributes:
        y: The scale of the y-axis.
        left: Room on the left of the frame, in pixels; `right` and `top` likewise.
    """

    def __init__(self, layers: Sequence[Layer], height: float, *, phone: bool) -> None:
        self._layers, self._most = layers, LONGEST_ON_PHONE if phone else LONGEST_LABEL
        self._x_axis, y_axis = axis_of(layers, "x"), axis_of(layers, "y")
        self.y = scale_of(layers, "y", height, 0.0)
        self._y_ticks: list[Tick] = []
        if self.y is not None and y_axis is not None:
            self._y_ticks = _inside(self.y.ticks(max(3, int(height / BETWEEN_ROWS)), y_axis), height)
        longest = max((min(self._most, len(text)) for _, text in self._y_ticks), default=0)
        self._overhead = self._x_axis is not None and self._x_axis.get("orient") == "top"
        self.left = 14.0 + LETTER * longest
        self.right = RIGHT_OF_LABELS if self._overhead else RIGHT
        self.top = 18.0 if self._overhead else 0.0

    def drawn(self, frame: Frame) -> tuple[str, float]:
        """Return both axes, and the height of the x-axis below the frame."""
        y, x = self._drawn_y(frame), frame.scales.get("x")
        if x is None or self._x_axis is None:
            return y, 6.0
        below, height = self._overhead_x(frame, x) if self._overhead else self._drawn_x(frame, x)
        return y + below, height

    def _drawn_y(self, frame: Frame) -> str:
        numbers = not isinstance(self.y, Categories)
        lines = "".join(f"M0,{length(at)}H{length(frame.width)}" for at, _ in self._y_ticks) if numbers else ""
        every = max(1, -(-int(LINE * len(self._y_ticks)) // max(1, int(frame.height))))
        labels = (
            written(-6, at + 3.8, shortened(text, self._most), frame.look.soft, anchor="end")
            for at, text in self._y_ticks[::every]
        )
        return (f'<path d="{lines}" {frame.look.grid}/>' if lines else "") + "".join(labels)

    def _overhead_x(self, frame: Frame, scale: PixelScale) -> tuple[str, float]:
        """Return axes that stand side by side, each with its name above."""
        ticks = scale.ticks(0, {})
        room = int(frame.width / max(1, len(ticks) - 1) / LETTER) - 1
        second = min(len(ticks[1][1]), room) if len(ticks) > 1 else 0
        lines = "".join(f"M{length(at)},0V{length(frame.height)}" for at, _ in ticks)
        names = [
            written(
                at,
                -8,
                shortened(text, max(3, room - (0 if i else second // 2))),
                frame.look.soft,
                anchor=ANCHORS[i > 0],
            )
            for i, (at, text) in enumerate(ticks)
        ]
        return f'<path d="{lines}" {frame.look.axis}/>{"".join(names)}', 8.0

    def _drawn_x(self, frame: Frame, scale: PixelScale) -> tuple[str, float]:
        axis, foot = self._x_axis or {}, frame.height
        ticks = (
            _chosen(scale, axis["values"])
            if "values" in axis
            else scale.ticks(max(4, int(frame.width / BETWEEN_COLUMNS)), axis)
        )
        ticks = _inside(ticks, frame.width)
        line = f"M0,{length(foot)}H{length(frame.width)}" + "".join(
            f"M{length(at)},{length(foot)}v4" for at, _ in ticks
        )
        longest = max((len(text) for _, text in ticks), default=0)
        turned = isinstance(scale, Categories) and LETTER * longest > scale.step
        labels = _turned(ticks, frame) if turned else self._level(ticks, frame)
        height = LINE + LETTER * min(LONGEST_ON_PHONE, longest) if turned else 20.0
        parts = [f'<path d="{line}" fill="none" {frame.look.axis}/>', *labels]
        if title := title_of(self._layers, "x"):
            title = shortened(title, int((frame.width + self.left) / LETTER))
            parts.append(written((frame.width - self.left / 2) / 2, foot + height + 12, title, frame.look.ink))
            height += 18.0
        return "".join(parts), height + 2

    def _level(self, ticks: Sequence[Tick], frame: Frame) -> Iterator[str]:
        """Yield the labels that don't hide each other, moved inside where they would reach beyond the drawing."""
        taken = -self.left
        for at, text in ticks:
            half = LETTER * len(text) / 2
            middle = min(max(at, half - self.left), frame.width + self.right - half)
            if middle - half >= taken:
                yield written(middle, frame.height + 16, text, frame.look.soft)
                taken = middle + half + 6


def _turned(ticks: Sequence[Tick], frame: Frame) -> Iterator[str]:
    for at, text in ticks:
        x, y = at + 4, frame.height + 8
        around = f' transform="rotate(-90 {length(x)} {length(y)})"'
        yield written(x, y, shortened(text, LONGEST_ON_PHONE), frame.look.soft, anchor="end", more=around)


def _inside(ticks: Sequence[Tick], end: float) -> list[Tick]:
    return [(at, text) for at, text in ticks if -0.5 <= at <= end + 0.5]


def _chosen(scale: PixelScale, values: Sequence[Any]) -> list[Tick]:
    """Return ticks at the values that the axis names."""
    return [(scale(value), short(float(value))) for value in values]
