"""The legend of a drawing: the colours of categories, or of a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from alfine.core.wording import short
from alfine.figures.svg_axes import LETTER, shortened
from alfine.figures.svg_layer import Layer, Plain
from alfine.figures.svg_marks import Look, length, written
from alfine.figures.svg_scales import ramp
from alfine.figures.theme import COLOURS, DASHES

LINE = 16.0
"""Height of a line of the legend, in pixels."""

LONGEST_NAME = 40
"""Letters of a category in the legend."""

RAMP_CELLS, RAMP_WIDTH = 30, 150.0
"""The cells and the width, in pixels, of the legend of a map's colours."""


class Colours:
    """The colours of the channel with a field, and their legend.

    Args:
        layers: The layers of a frame.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        found = [(layer, layer.encoding["color"]) for layer in layers if "field" in layer.encoding.get("color", {})]
        self._channel: Plain = found[0][1] if found else {}
        self._dash: Plain = found[0][0].encoding.get("strokeDash", {}) if found else {}
        self.names: list[Any] = []
        if self._channel.get("type") == "nominal":
            given = self._channel.get("scale", {})
            values = list(dict.fromkeys(row[self._channel["field"]] for layer, _ in found for row in layer.rows))
            self.names = list(
                given.get("domain") or (values if self._channel.get("sort", "") is None else sorted(values))
            )
            self._range = list(given.get("range") or [COLOURS[i % len(COLOURS)] for i in range(len(self.names))])

    @property
    def dashes(self) -> dict[Any, str]:
        """The dashes of lines by category."""
        given = self._dash.get("scale", {}).get("range") or DASHES
        return {
            name: "" if dash[1] == 0 else " ".join(map(str, dash))
            for name, dash in zip(self.names, given, strict=False)
        }

    def of(self, channel: Plain, row: Plain) -> str:
        """Return the colour of a row by a channel with a field."""
        value = row[channel["field"]]
        if channel["type"] == "nominal":
            return str(self._range[self.names.index(value)])
        low, high = channel["scale"]["domain"]
        share = (float(value) - low) / ((high - low) or 1.0)
        return ramp(1.0 - share if channel["scale"].get("reverse") else share)

    def legend(self, look: Look, width: float, title: str) -> tuple[str, float]:
        """Return the title of the y-axis, which stands above it, and the legend; and the height of both."""
        parts, y = [], 8.0
        if title:
            parts, y = [written(2, 12, shortened(title, int(width / LETTER)), look.ink, anchor="start")], 22.0
        if not self._channel or self._channel.get("legend", "") is None:
            return "".join(parts), y
        if not self.names:
            return "".join([*parts, *self._ramp(look, y, width)]), y + 24
        for x, line, name in (rows := list(self._rows(width))):
            colour, top = self._range[self.names.index(name)], y + LINE * line
            parts.append(f'<rect x="{length(x)}" y="{length(top)}" width="11" height="11" rx="2" fill="{colour}"/>')
            parts.append(written(x + 16, top + 10, shortened(str(name), LONGEST_NAME), look.ink, anchor="start"))
        return "".join(parts), y + LINE * (rows[-1][1] + 1) + 8

    def _rows(self, width: float) -> Iterator[tuple[float, int, Any]]:
        """Yield each category with its place and its line."""
        x, line = 4.0, 0
        for name in self.names:
            room = 34 + LETTER * min(LONGEST_NAME, len(str(name)))
            if x > 4.0 and x + room > width:
                x, line = 4.0, line + 1
            yield x, line, name
            x += room

    def _ramp(self, look: Look, y: float, width: float) -> Iterator[str]:
        """Yield the legend of a map's colours: its ends, and what is between them."""
        low, high = self._channel["scale"]["domain"]
        room = max(4, int((width - RAMP_WIDTH) / LETTER) - 20)
        words = f"{shortened(self._channel.get('title') or '', room)} {short(float(low))}".strip()
        x, cell = 10 + LETTER * len(words), RAMP_WIDTH / RAMP_CELLS
        yield written(4, y + 10, words, look.ink, anchor="start")
        for i in range(RAMP_CELLS):
            share = (i + 0.5) / RAMP_CELLS
            colour = ramp(1 - share if self._channel["scale"].get("reverse") else share)
            place = f'x="{length(x + i * cell)}" y="{length(y)}"'
            yield f'<rect {place} width="{length(cell + 0.5)}" height="12" fill="{colour}"/>'
        yield written(x + RAMP_WIDTH + 6, y + 10, short(float(high)), look.ink, anchor="start")
