"""Marks of a drawing: points, lines, areas, bars, rules and texts of a Vega-Lite layer, as SVG."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import escape

from alfine.figures.svg_layer import Layer, Plain
from alfine.figures.svg_scales import Categories, PixelScale
from alfine.figures.theme import COLOURS

NEAR = 0.4
"""Pixels between two points of a line below which the second one is left out."""

LETTER = 5.8
"""Width of a letter of a text among marks, in pixels."""

SENTENCE_LETTER, SENTENCE_LINE = 8.0, 18.0
"""Width of a letter and height of a line of the sentence in a figure without data, in pixels."""

FREE_OF_LIMITS = 60.0
"""Pixels of a text that may reach beyond the frame: the numbers beside the last axis of parallel coordinates do."""

MOST_TOLD = 1000
"""Marks of a layer that tell more with the pointer over them: each takes some 200 bytes."""

OFFSET_BAND = 0.8
"""Share of a category's band over which marks with an offset are spread."""

_CONDITION = re.compile(r"datum\.(\w+) === (?:'([^']*)'|(\d+))")
"""The conditions that charts use: a field is a text or a whole number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The look of a drawing where it stands. Inks are attributes of SVG elements: a colour, or a class of the page.

    Attributes:
        ink: Ink of texts.
        label: Ink of texts among marks, which stand out from what lies behind them.
        soft: Ink of labels and notes.
        grid: Ink of grid lines.
        axis: Ink of axes.
        rule: Ink of rules among marks.
        page: Ink of the background; empty: none.
        told: Whether marks tell more with the pointer over them.
        titled: Whether the drawing has its title and notes; a page writes them itself.
        link: The path of a training job's page, with «{}» for its name; empty: dots lead nowhere.
    """

    ink: str
    label: str
    soft: str
    grid: str
    axis: str
    rule: str
    page: str = ""
    told: bool = True
    titled: bool = True
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The frame into which marks are drawn: its size in pixels, its scales, and the colours of its layers.

    Attributes:
        colour: Returns the colour of a row by a channel with a field.
        dashes: The dashes of lines by category.
    """

    width: float
    height: float
    scales: Mapping[str, PixelScale]
    colour: Callable[[Plain, Plain], str]
    look: Look
    dashes: Mapping[Any, str] = field(default_factory=dict)

    def place(self, layer: Layer, channel: str, row: Plain) -> float | None:
        """Return the pixel of a row on a channel (x, x2, y, y2); None where it has none."""
        extent = self.width if channel[0] == "x" else self.height
        found = layer.encoding.get(channel)
        if found is None:
            return None
        if "value" in found:
            return extent if found["value"] in ("width", "height") else float(found["value"])
        value = row.get(found["field"])
        return None if value is None else self.scales[channel[0]](value)

    def inside(self, x: float, y: float) -> bool:
        return -1 <= x <= self.width + 1 and -1 <= y <= self.height + 1


def marks(layer: Layer, frame: Frame) -> str:
    """Return the marks of a layer as SVG, in pixels of the frame."""
    body = "".join(_DRAWN[layer.mark["type"]](layer, frame))
    crisp = ' shape-rendering="crispEdges"' if _is_map(layer) else ""  # no line shows between neighbours
    return f"<g{_opacity(layer)}{crisp}>{body}</g>" if body else ""


def length(pixels: float) -> str:
    """Write a length: one digit behind the point."""
    return f"{pixels:.1f}".removesuffix(".0")


def written(x: float, y: float, words: object, ink: str, *, anchor: str = "middle", more: str = "") -> str:
    """Return a text.

    Args:
        more: Further attributes of the element.
    """
    around = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{length(x)}" y="{length(y)}"{around} {ink}{more}>{escape(str(words))}</text>'


# -- one function a mark ---------------------------------------------------------------------------------------------


def _points(layer: Layer, frame: Frame) -> Iterator[str]:
    shape, mark = layer.encoding.get("shape", {}), layer.mark
    radius, opacity = math.sqrt(mark.get("size", 36) / math.pi), _opacities(layer)
    for row in layer.rows:
        x, y = _at(layer, frame, row)
        if layer.clipped and not frame.inside(x, y):
            continue
        hollow = mark.get("filled") is False
        ink = f'{"stroke" if hollow else "fill"}="{_colour(layer, frame, row)}"' + (' fill="none"' if hollow else "")
        if "stroke" in mark:
            ink += f' stroke="{mark["stroke"]}"'
        if "strokeWidth" in mark:
            ink += f' stroke-width="{mark["strokeWidth"]}"'
        drawn = _shape(str(_valued(shape, row) or mark.get("shape", "circle")), x, y, radius, ink + opacity(row))
        yield _told(drawn, layer, frame, row)


def _shape(kind: str, x: float, y: float, r: float, ink: str) -> str:
    if kind == "circle":
        return f'<circle cx="{length(x)}" cy="{length(y)}" r="{length(r)}" {ink}/>'
    if kind == "stroke":
        return f'<path d="M{length(x - r)},{length(y)}H{length(x + r)}" {ink}/>'
    corners = {
        "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        "triangle-up": ((0, -1.1), (1.1, 0.9), (-1.1, 0.9)),
        "triangle-down": ((0, 1.1), (1.1, -0.9), (-1.1, -0.9)),
    }.get(kind, ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)))
    path = "L".join(f"{length(x + r * dx)},{length(y + r * dy)}" for dx, dy in corners)
    return f'<path d="M{path}Z" {ink}/>'


def _told(drawn: str, layer: Layer, frame: Frame, row: Plain) -> str:
    """Return a mark with its text, as a link where it stands for a training job. The Tab key skips it: a table has the same link."""
    if len(layer.rows) > MOST_TOLD:
        return drawn
    titles = layer.titles(row)
    if titles and frame.look.told:
        end = drawn.index(" ")
        drawn = f"{drawn[:-2]}><title>{escape(titles)}</title></{drawn[1:end]}>"
    if frame.look.link and row.get("name"):
        return f'<a href="{escape(frame.look.link.format(row["name"]))}" tabindex="-1">{drawn}</a>'
    return drawn


def _lines(layer: Layer, frame: Frame) -> Iterator[str]:
    mark, dashed, opacity = layer.mark, layer.encoding.get("strokeDash"), _opacities(layer)
    for rows in _series(layer).values():
        places = [_at(layer, frame, row) for row in rows]
        path = _path(places, mark.get("interpolate", "linear"))
        dash = frame.dashes.get(rows[0].get(dashed["field"]), "") if dashed else _dash(mark)
        ink = f'stroke="{_colour(layer, frame, rows[0])}" stroke-width="{mark.get("strokeWidth", 2)}"'
        ink += f' stroke-dasharray="{dash}"' if dash else ""
        told = escape(layer.titles(rows[0])) if "detail" in layer.encoding and frame.look.told else ""
        drawn = f'<path d="{path}" fill="none" stroke-linejoin="round" {ink}{opacity(rows[0])}'
        yield f"{drawn}><title>{told}</title></path>" if told else f"{drawn}/>"
        if isinstance(mark.get("point"), dict):
            dots = {"type": "point", "clip": True, "color": mark["color"], **mark["point"]}
            yield from _points(Layer(mark=dots, encoding=layer.encoding, rows=rows), frame)


def _series(layer: Layer) -> dict[Any, list[Plain]]:
    """Return the rows of each line, in the order of x."""
    split = next((layer.encoding[c] for c in ("detail", "color") if "field" in layer.encoding.get(c, {})), None)
    found: dict[Any, list[Plain]] = {}
    for row in layer.rows:
        found.setdefault(row.get(split["field"]) if split else None, []).append(row)
    by = layer.encoding["x"]["field"]
    if layer.encoding["x"]["type"] == "quantitative":
        for rows in found.values():
            rows.sort(key=lambda row: float(row[by]))
    return found


def _path(places: list[tuple[float, float]], interpolate: str) -> str:
    """Return the path through the places, without those that nobody could see."""
    kept = [places[0]]
    for i, (x, y) in enumerate(places[1:], 1):
        level = interpolate != "linear" and abs(y - kept[-1][1]) < NEAR
        if i == len(places) - 1 or not (level or (abs(x - kept[-1][0]) < NEAR and abs(y - kept[-1][1]) < NEAR)):
            kept.append((x, y))
    parts = [f"M{length(kept[0][0])},{length(kept[0][1])}"]
    for x, y in kept[1:]:
        parts.append(
            {"step-after": "H{0}V{1}", "step-before": "V{1}H{0}"}.get(interpolate, "L{0},{1}").format(
                length(x), length(y)
            )
        )
    return "".join(parts)


def _areas(layer: Layer, frame: Frame) -> Iterator[str]:
    for rows in _series(layer).values():
        top = [_at(layer, frame, row) for row in rows]
        foot = [(x, frame.place(layer, "y2", row) or 0.0) for (x, _), row in zip(top, rows, strict=True)]
        path = "L".join(f"{length(x)},{length(y)}" for x, y in [*top, *reversed(foot)])
        yield f'<path d="M{path}Z" fill="{_colour(layer, frame, rows[0])}"/>'


def _rules(layer: Layer, frame: Frame) -> Iterator[str]:
    mark = layer.mark
    ink = f'stroke="{mark["color"]}"' if "color" in mark else frame.look.rule
    ink += f' stroke-width="{mark.get("strokeWidth", 1)}"'
    ink += f' stroke-dasharray="{_dash(mark)}"' if _dash(mark) else ""
    for row in layer.rows:
        x, x2, y, y2 = (frame.place(layer, channel, row) for channel in ("x", "x2", "y", "y2"))
        x1, y1 = 0.0 if x is None else x, 0.0 if y is None else y
        ends = (
            (frame.width if x is None else x1 if x2 is None else x2),
            (frame.height if y is None else y1 if y2 is None else y2),
        )
        drawn = f'<path d="M{length(x1)},{length(y1)}L{length(ends[0])},{length(ends[1])}" {ink}/>'
        yield _told(drawn, layer, frame, row)


def _rectangles(layer: Layer, frame: Frame) -> Iterator[str]:
    """Rectangles and bars: from x to x2 and from y to y2, the whole band of a category, or from zero."""
    stroke = (
        f' stroke="{layer.mark["stroke"]}" stroke-width="{layer.mark.get("strokeWidth", 1)}"'
        if "stroke" in layer.mark
        else ""
    )
    for row in layer.rows:
        (left, right), (top, foot) = (sorted(_span(layer, frame, axis, row)) for axis in ("x", "y"))
        if _is_map(layer):
            right, foot = right + 0.3, foot + 0.3
        size = f'width="{length(right - left)}" height="{length(foot - top)}"'
        drawn = f'<rect x="{length(left)}" y="{length(top)}" {size} fill="{_colour(layer, frame, row)}"{stroke}/>'
        yield _told(drawn, layer, frame, row)


def _is_map(layer: Layer) -> bool:
    return layer.mark["type"] == "rect" and "color" in layer.encoding


def _span(layer: Layer, frame: Frame, axis: str, row: Plain) -> tuple[float, float]:
    at, to, scale = frame.place(layer, axis, row), frame.place(layer, f"{axis}2", row), frame.scales.get(axis)
    if at is None:
        return 0.0, frame.width if axis == "x" else frame.height
    if to is not None:
        return at, to
    if isinstance(scale, Categories):
        height = layer.mark.get("height", {"band": 1.0})
        half = (scale.step * height["band"] if isinstance(height, dict) else height) / 2
        return at - half, at + half
    return at, scale(0.0) if scale is not None else at


def _texts(layer: Layer, frame: Frame) -> Iterator[str]:
    mark, words = layer.mark, layer.encoding.get("text")
    anchor = {"left": "start", "right": "end"}.get(mark.get("align", "center"), "middle")
    more = f' font-size="{mark.get("fontSize", 11)}"' + (
        ' font-weight="600"' if mark.get("fontWeight") == "bold" else ""
    )
    ink = f'fill="{mark["color"]}"' if "color" in mark else frame.look.label
    if not layer.encoding:  # what the figure waits for
        for line, text in enumerate(textwrap.wrap(mark["text"], int(frame.width / SENTENCE_LETTER))):
            yield written(frame.width / 2, frame.height / 2 + SENTENCE_LINE * line, text, ink, more=more)
        return
    for row in layer.rows:
        x, y = _at(layer, frame, row)
        if layer.clipped and not frame.inside(x, y):
            continue
        x, y = x + mark.get("dx", 0), y + mark.get("dy", 0) + 0.35 * mark.get("fontSize", 11)
        text = str(row[words["field"]] if words else mark["text"])
        yield written(_moved_inside(x, text, anchor, frame), y, text, ink, anchor=anchor, more=more)


def _moved_inside(x: float, text: str, anchor: str, frame: Frame) -> float:
    """Return where a long text begins, or ends, so that it doesn't reach beyond the frame."""
    wide = LETTER * len(text)
    if anchor == "start" and wide > FREE_OF_LIMITS:
        return max(0.0, min(x, frame.width - wide))
    return min(frame.width, max(x, wide)) if anchor == "end" else x


_DRAWN: dict[str, Callable[[Layer, Frame], Iterator[str]]] = {
    "point": _points,
    "line": _lines,
    "area": _areas,
    "rule": _rules,
    "rect": _rectangles,
    "bar": _rectangles,
    "text": _texts,
}


# -- channels --------------------------------------------------------------------------------------------------------


def _at(layer: Layer, frame: Frame, row: Plain) -> tuple[float, float]:
    """Return the place of a row; the middle of the frame on a channel that it doesn't have."""
    x, y = frame.place(layer, "x", row), frame.place(layer, "y", row)
    if x is not None and "xOffset" in layer.encoding:  # 0 to 1, from one end of the band of a category to the other
        x += (float(row[layer.encoding["xOffset"]["field"]]) - 0.5) * OFFSET_BAND * frame.scales["x"].step
    return frame.width / 2 if x is None else x, frame.height / 2 if y is None else y


def _colour(layer: Layer, frame: Frame, row: Plain) -> str:
    channel = layer.encoding.get("color", {})
    if "field" in channel:
        return frame.colour(channel, row)
    return str(_valued(channel, row) or layer.mark.get("color", COLOURS[0]))


def _valued(channel: Plain, row: Plain) -> object:
    """Return the value of a channel without a field: that of its condition where it holds."""
    condition = channel.get("condition")
    if condition is not None:
        name, text, count = _CONDITION.fullmatch(condition["test"]).groups()  # type: ignore[union-attr]
        if row.get(name) == (text if count is None else int(count)):
            return condition["value"]
    return channel.get("value")


def _opacities(layer: Layer) -> Callable[[Plain], str]:
    """Return what gives the opacity of a row's mark among the others of its layer."""
    channel = layer.encoding.get("opacity", {})
    name = channel.get("field")
    if name is None:
        return lambda row: "" if (found := _valued(channel, row)) is None else f' opacity="{found}"'
    values = [float(row[name]) for row in layer.rows]
    least, greatest = min(values, default=0.0), max(values, default=0.0)
    low, high = channel["scale"]["range"]

    def opacity(row: Plain) -> str:
        share = (float(row[name]) - least) / ((greatest - least) or 1.0)
        return f' fill-opacity="{low + share * (high - low):.2f}"'

    return opacity


def _opacity(layer: Layer) -> str:
    found = layer.mark.get("opacity", 1)
    return "" if found == 1 else f' opacity="{found}"'


def _dash(mark: Plain) -> str:
    return " ".join(map(str, mark.get("strokeDash", ())))
