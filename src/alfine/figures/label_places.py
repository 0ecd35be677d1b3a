"""Places for labels of vertical rules in a figure of the best so far: where they cover no mark, no other label and no other rule.

The labels stand at the side of the worst results, where there are fewest marks. Each is tried at all heights there and on both sides of its
rule, one label after the other, in several orders.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alfine.core.axis import Array
from alfine.figures.chart import HEIGHT, WIDTH

Box = tuple[float, float, float, float]
"""Left, head, right and foot of a label, in pixels. The head of the frame, where the worst results are, is 0."""

LINE = 14.0
"""Height of a line of a label, in pixels."""

DOT = 5.0
"""Distance of a label from the middle of a mark, in pixels."""

STEP = 4.0
"""Distance of two heights that are tried, and of the points by which a line is seen, in pixels."""

DEEPEST = 0.75
"""Share of the frame's height, from its head, in which labels stand."""

LETTER = 6.0
"""Width of a letter of a text that is there already, in pixels."""

OUTSIDE, ON_LABEL, ON_RULE, ON_MARK, LOWER = 1e4, 1e3, 1e2, 10.0, 1e-2
"""Faults of a place: a pixel beyond the frame, another label there, a rule across a label, a mark below it; per pixel from the head."""

MOST_PERMUTED = 4
"""Labels up to which they are placed in every order, until none covers anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A label that needs a place.

    Attributes:
        x: The place of its rule, on the x-axis.
        lines: Its texts, one below the other.
        letter: The width of a letter, in pixels.
        gap: The distance of the text from the rule, in pixels.
    """

    x: float
    lines: Sequence[str]
    letter: float
    gap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlace:
    """The place of a label.

    Attributes:
        level: The middle of its height, on the y-axis.
        left: Whether it is on the left of its rule.
    """

    level: float
    left: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The frame of a figure.

    Attributes:
        x: Both ends of the x-axis.
        y: Both ends of the y-axis.
        minimise: Whether the worst results are at its top.
        width: Its width, in pixels.
    """

    x: Sequence[float]
    y: Sequence[float]
    minimise: bool
    width: float = WIDTH

    def across(self, x: float) -> float:
        """Return the pixels from the left."""
        return self.width * (x - self.x[0]) / (self.x[1] - self.x[0])

    def from_head(self, y: float) -> float:
        """Return the pixels from the side of the worst results."""
        share = (y - self.y[0]) / (self.y[1] - self.y[0])
        return HEIGHT * (1.0 - share if self.minimise else share)

    def level(self, pixels: float) -> float:
        """Return the value that is so far from the head."""
        share = pixels / HEIGHT
        return self.y[0] + (1.0 - share if self.minimise else share) * (self.y[1] - self.y[0])


def places(
    labels: Sequence[Labelled], layers: Sequence[Mapping[str, Any]], extent: Extent
) -> tuple[list[LabelPlace], bool]:
    """Return the place of each label, and whether none of them covers anything.

    Args:
        labels: The labels.
        layers: The layers of the figure's view that are there already, whose marks stay free.
        extent: The frame.
    """
    marks = np.array([*_marks(layers, extent)] or np.empty((0, 2)))
    tried = []
    for order in _orders(labels):
        tried.append(_in_order(labels, order, marks, extent))
        if tried[-1][0] < ON_MARK:
            break
    faults, boxes = min(tried, key=lambda each: each[0])
    found = [
        LabelPlace(level=extent.level((head + foot) / 2), left=left)
        for (_, head, _, foot), left in (boxes[index] for index in range(len(labels)))
    ]
    return found, faults < ON_MARK


def _orders(labels: Sequence[Labelled]) -> Iterator[Sequence[int]]:
    """Yield orders in which to place the labels: from the left, from the right, and of a few labels all others."""
    by_x = sorted(range(len(labels)), key=lambda index: labels[index].x)
    yield by_x
    yield by_x[::-1]
    if len(labels) <= MOST_PERMUTED:
        yield from itertools.permutations(by_x)


def _in_order(
    labels: Sequence[Labelled], order: Sequence[int], marks: Array, extent: Extent
) -> tuple[float, dict[int, tuple[Box, bool]]]:
    """Return the faults of all labels, each placed beside those before it, and their places."""
    total, found = 0.0, dict[int, tuple[Box, bool]]()
    for index in order:
        others = [(extent.across(labels[other].x), box) for other, (box, _) in found.items()]
        faults, box, left = _best(labels[index], others, marks, extent)
        total, found[index] = total + faults, (box, left)
    return total, found


def _best(
    label: Labelled, others: Sequence[tuple[float, Box]], marks: Array, extent: Extent
) -> tuple[float, Box, bool]:
    """Return the least faults of a label, its place with them, and whether that is on the left of its rule."""
    at, height = extent.across(label.x), LINE * len(label.lines)
    wide = label.letter * max(map(len, label.lines))
    heads = np.arange(0.0, DEEPEST * HEIGHT, STEP)
    tried = []
    for start, left in ((at + label.gap, False), (at - label.gap - wide, True)):
        beyond = max(0.0, -start, start + wide - extent.width)
        faults = _faults((start, start + wide), heads, height, at, others) + LOWER * heads + OUTSIDE * beyond
        faults += ON_MARK * _covered((start, start + wide), heads, height, marks)
        least = int(faults.argmin())
        head = float(heads[least])
        tried.append((float(faults[least]), left, (start, head, start + wide, head + height)))
    least_faults, left, box = min(tried)
    return least_faults, box, left


def _faults(
    sides: tuple[float, float], heads: Array, height: float, at: float, others: Sequence[tuple[float, Box]]
) -> Array:
    """Return the faults of each height beside the others: each has the x of its rule, which goes from its label to the foot."""
    left, right = sides
    total = np.zeros(len(heads))
    for rule, (other_left, other_head, other_right, other_foot) in others:
        if left < other_right and other_left < right:
            total += ON_LABEL * ((heads < other_foot) & (other_head < heads + height))
        if rule != at and left <= rule <= right:
            total += ON_RULE * (other_head < heads + height)
        if rule != at and other_left <= at <= other_right:
            total += ON_RULE * (heads < other_foot)
    return total


def _covered(sides: tuple[float, float], heads: Array, height: float, marks: Array) -> Array:
    """Return how many marks lie below the label at each height."""
    x, y = marks.T
    below = y[(x > sides[0] - DOT) & (x < sides[1] + DOT)]
    covered: Array = ((below > heads[:, None] - DOT) & (below < heads[:, None] + height + DOT)).sum(axis=1)
    return covered


# -- what is there already ---------------------------------------------------------------------------------------------


def _marks(layers: Sequence[Mapping[str, Any]], extent: Extent) -> Iterator[tuple[float, float]]:
    """Yield points that stand for the marks of a view: dots, lines and texts."""
    for layer in layers:
        rows = layer["data"]["values"]
        match layer["mark"]["type"]:
            case "point":
                yield from ((extent.across(row["x"]), extent.from_head(row["y"])) for row in rows)
            case "line":
                yield from _line([(extent.across(row["x"]), extent.from_head(row["y"])) for row in rows])
            case "text":
                yield from (point for row in rows for point in _text(layer, row, extent))


def _line(corners: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield the points of a line by steps."""
    for (x, y), (to_x, to_y) in itertools.pairwise(corners):
        yield from ((float(at), y) for at in np.arange(x, to_x, STEP))
        yield from ((to_x, float(at)) for at in np.arange(min(y, to_y), max(y, to_y), STEP))


def _text(layer: Mapping[str, Any], row: Mapping[str, Any], extent: Extent) -> Iterator[tuple[float, float]]:
    """Yield the points of a text at a height of its own, in pixels from the top."""
    mark, at = layer["mark"], layer["encoding"].get("y", {}).get("value")
    if at is None:
        return
    from_top = (HEIGHT if at == "height" else at) + mark.get("dy", 0)
    wide, x = LETTER * len(mark["text"]), extent.across(row["x"]) + mark.get("dx", 0)
    begin = {"left": x, "right": x - wide}.get(mark.get("align", ""), x - wide / 2)
    head = from_top if extent.minimise else HEIGHT - from_top
    yield from ((float(at), head) for at in np.arange(begin, begin + wide + 1.0, STEP))
