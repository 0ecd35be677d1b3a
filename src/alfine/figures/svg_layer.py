"""A layer of a chart's view: what svg_scales and svg_marks read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of a view: a mark, its channels and its data."""

    mark: Plain
    encoding: Plain
    rows: list[Plain]

    @property
    def clipped(self) -> bool:
        return bool(self.mark.get("clip"))

    def titles(self, row: Plain) -> str:
        """Return the text over a mark, line by line."""
        shown = [(each["title"], row.get(each["field"])) for each in self.encoding.get("tooltip", ())]
        return "\n".join(f"{title}: {value}" for title, value in shown if value is not None)
