"""Draw a chart as SVG, with nothing but Python: for pages without scripts, notebooks, reports and files.

It draws the part of Vega-Lite that alfine's charts are written in: layers and panels, seven marks, linear and logarithmic scales and
categories. A live page and a PNG are drawn by Vega itself, from the same definition.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace

from markupsafe import Markup, escape

from alfine.figures.svg_axes import Axes, axis_of, title_of
from alfine.figures.svg_layer import Layer, Plain
from alfine.figures.svg_legend import Colours
from alfine.figures.svg_marks import Frame, Look, length, marks, written
from alfine.figures.svg_scales import names_of, scale_of
from alfine.figures.theme import FONT, INKS, Theme

TITLE_MARGIN = 12.0
"""Room on both sides of a title, in pixels."""

TITLE_LETTER, TITLE_LINE = 8.6, 20.0
"""Width of a letter and height of a line of a title, in pixels."""

NOTE_LETTER, NOTE_LINE = 6.0, 16.0
"""Width of a letter and height of a line of a note, in pixels."""

GAP = 22.0
"""Room between panels, in pixels."""

PANEL_AND_AXIS = 300.0
"""Width of a panel with its axis, in pixels, by which the number of panels side by side is chosen."""

LEAST_FRAME = 60.0
"""Width of a frame, in pixels, at least."""

PAGE = Look(
    ink='class="ink"',
    label='class="ink halo"',
    soft='class="soft"',
    grid='class="grid"',
    axis='class="axis"',
    rule='class="rule"',
    titled=False,
    link="/console/training-jobs/{}",
)
"""The look inside of a page of the console, whose style sheet has the inks."""

PHONE = replace(PAGE, told=False, link="")
"""PAGE on a phone, where nothing points: it weighs a quarter."""


def file_look(theme: Theme) -> Look:
    """Return the look of a file, on a light or a dark background."""
    ink, soft, grid, page = INKS[theme]
    return Look(
        ink=f'fill="{ink}"',
        label=f'fill="{ink}" stroke="{page}" stroke-width="3" paint-order="stroke"',
        soft=f'fill="{soft}"',
        grid=f'stroke="{grid}"',
        axis=f'stroke="{soft}"',
        rule=f'stroke="{soft}"',
        page=f'fill="{page}"',
    )


def draw(view: Plain, look: Look, width: float | None = None) -> Markup:
    """Return the SVG element of a chart.

    Args:
        view: The chart as a document of Vega-Lite (`Chart.vega_lite`).
        look: PAGE, or that of a file.
        width: Width of the whole drawing, in pixels; None: the frame is as wide as the view says.
    """
    panels = list(_panels(view, look, width))
    across = max(panel.x + panel.width for panel in panels)
    head, top = _head(view["title"], look, across)
    high = top + max(panel.y + panel.height for panel in panels)
    body = "".join(f'<g transform="translate({length(p.x)} {length(top + p.y)})">{p.body}</g>' for p in panels)
    size = (
        f'viewBox="0 0 {length(across)} {length(high)}" width="{length(across)}" height="{length(high)}" font-size="11"'
    )
    around, paper = 'class="figure"', ""
    if look.page:
        around = f'xmlns="http://www.w3.org/2000/svg" font-family="{FONT}"'
        paper = f'<rect width="100%" height="100%" {look.page}/>'
    label = escape(view["title"]["text"])
    role = "group" if "<a " in body else "img"  # an image has no links inside
    return Markup(f'<svg {around} {size} role="{role}" aria-label="{label}">{paper}{head}{body}</svg>')  # noqa: S704 - each text is escaped where it is written


def _head(title: Plain, look: Look, width: float) -> tuple[str, float]:
    """Return the title and the notes, and their height."""
    if not look.titled:
        return "", 0.0
    y, parts, room = 10.0, [], max(LEAST_FRAME, width - 2 * TITLE_MARGIN)
    for line in textwrap.wrap(title["text"], int(room / TITLE_LETTER)):
        y += TITLE_LINE
        parts.append(
            written(TITLE_MARGIN, y - 4, line, look.ink, anchor="start", more=' font-size="15" font-weight="600"')
        )
    for line in textwrap.wrap(" ".join(title["subtitle"]), int(room / NOTE_LETTER)):
        y += NOTE_LINE
        parts.append(written(TITLE_MARGIN, y - 3, line, look.soft, anchor="start", more=' font-size="12"'))
    return "".join(parts), y + 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """A frame with its axes, drawn, and its place in pixels."""

    body: str
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


def _panels(view: Plain, look: Look, width: float | None) -> Iterator[_Panel]:
    """Yield the panels of a view: one, or those of a `concat`, row by row."""
    if "concat" not in view:
        yield _panel(view, look, width)
        return
    columns = view["columns"] if width is None else max(1, int(width / PANEL_AND_AXIS))
    outer = None if width is None else (width - GAP * (columns - 1)) / columns
    y = 0.0
    for begin in range(0, len(view["concat"]), columns):
        row, x = [_panel(each, look, outer) for each in view["concat"][begin : begin + columns]], 0.0
        for panel in row:
            yield replace(panel, x=x, y=y)
            x += panel.width + GAP
        y += max(panel.height for panel in row) + GAP


def _panel(view: Plain, look: Look, outer: float | None) -> _Panel:
    """Return one frame with its axes; outer: the width with them, in pixels, or None."""
    layers = list(_layers(view, {}, []))
    high = _height(view, layers)
    axes = Axes(layers, high, phone=outer is not None and outer < 480)
    wide = float(view.get("width", 300.0)) if outer is None else max(LEAST_FRAME, outer - axes.left - axes.right)
    colours = Colours(layers)
    scales = {"x": scale_of(layers, "x", 0.0, wide), "y": axes.y}
    frame = Frame(
        width=wide,
        height=high,
        scales={axis: scale for axis, scale in scales.items() if scale is not None},
        colour=colours.of,
        look=look,
        dashes=colours.dashes,
    )
    legend, top = colours.legend(look, axes.left + wide, title_of(layers, "y") if axis_of(layers, "y") else "")
    top += axes.top
    drawn, foot = axes.drawn(frame)
    body = f'{legend}<g transform="translate({length(axes.left)} {length(top)})">{drawn}{_marks(layers, frame)}</g>'
    return _Panel(body=body, width=axes.left + wide + axes.right, height=top + high + foot)


def _marks(layers: list[Layer], frame: Frame) -> str:
    """Return the marks of all layers. Frames of one size have one clip path, whichever drawing of a page defines it."""
    name = f"clip-{length(frame.width)}-{length(frame.height)}"
    parts = [f'<clipPath id="{name}"><rect width="{length(frame.width)}" height="{length(frame.height)}"/></clipPath>']
    for layer in layers:
        drawn = marks(layer, frame)
        parts.append(f'<g clip-path="url(#{name})">{drawn}</g>' if layer.clipped and drawn else drawn)
    return "".join(parts)


def _height(view: Plain, layers: list[Layer]) -> float:
    height = view.get("height", 60.0)
    if isinstance(height, dict):
        return float(height["step"]) * max(1, len(names_of(layers, "y") or ()))
    return float(height)


def _layers(view: Plain, encoding: Plain, rows: list[Plain]) -> Iterator[Layer]:
    """Yield the layers of a view, each with the channels and the data that it shares."""
    encoding = {**encoding, **view.get("encoding", {})}
    rows = view["data"]["values"] if "data" in view else rows
    for each in view.get("layer", ()):
        yield from _layers(each, encoding, rows)
    if "mark" in view:
        yield Layer(mark=view["mark"], encoding=encoding, rows=rows)
