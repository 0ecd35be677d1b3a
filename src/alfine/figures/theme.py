"""The look of all figures: one typeface, colours for the colour-blind, a light and a dark page."""

from __future__ import annotations

from typing import Any, Literal

Theme = Literal["light", "dark"]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""The version of Vega-Lite in which figures are written."""

VEGA_LITE = "6.4"
"""The release of it that draws pictures and pages."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of lines and marks, which people with any common colour blindness can tell apart (Okabe & Ito 2008)."""

MAIN, BEST, GOOD, FAINT = COLOURS[0], COLOURS[1], COLOURS[2], "#8A8F98"
"""The colours of a job's own line, of its best training job, of what was saved, and of what counts less."""

ON_DARK = {COLOURS[0]: "#58A6DC", COLOURS[1]: "#F0803C", COLOURS[2]: "#2FC39A"}
"""What stands for the darkest of COLOURS on a dark page, where they would be too faint; the style sheet of the console has the same."""

DASHES = ((1, 0), (6, 3), (2, 3), (8, 3, 2, 3), (1, 3), (10, 4))
"""Dashes and gaps of lines, in pixels, in the order of COLOURS: colours alone are not enough."""

SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down")
"""Shapes of marks, in the order of COLOURS: colours alone are not enough."""

SEQUENCE = "viridis"
"""Colours of a number on a map, even in lightness and safe for the colour-blind (van der Walt & Smith 2015)."""

FONT = "system-ui, 'Liberation Sans', Helvetica, Arial, sans-serif"

INKS = {"light": ("#1F2328", "#57606A", "#D8DEE4", "#FFFFFF"), "dark": ("#E6EDF3", "#9DA7B3", "#30363D", "#0D1117")}
"""Of each page: text, faint text, grid lines, background."""


NUMBERS = {"decimal": ".", "thousands": "\N{NARROW NO-BREAK SPACE}", "grouping": [3], "currency": ["$", ""]}
"""How Vega writes numbers: as `alfine.core.wording.number` does, «12 500»."""


def config(theme: Theme) -> dict[str, Any]:
    """Return Vega-Lite's `config` for a light or a dark page."""
    ink, faint, grid, page = INKS[theme]
    return {
        "font": FONT,
        "background": page,
        "padding": 12,
        "locale": {"number": NUMBERS},
        "view": {"stroke": None},
        "range": {"category": list(COLOURS), "symbol": list(SHAPES), "ramp": {"scheme": SEQUENCE}},
        "title": {
            "anchor": "start",
            "frame": "group",
            "color": ink,
            "fontSize": 15,
            "subtitleColor": faint,
            "subtitleFontSize": 12,
            "subtitlePadding": 5,
            "offset": 12,
            "limit": 2000,
        },
        "axis": {
            "labelColor": faint,
            "titleColor": ink,
            "titleFontWeight": "normal",
            "titleFontSize": 12,
            "labelFontSize": 11,
            "gridColor": grid,
            "domainColor": faint,
            "tickColor": faint,
            "labelOverlap": True,
        },
        "axisX": {"grid": False},
        "axisXQuantitative": {"tickCount": 9},
        "header": {"labelColor": ink, "titleColor": ink, "labelFontSize": 12},
        "legend": {"labelColor": ink, "titleColor": ink, "titleFontWeight": "normal", "labelLimit": 260},
        "text": {"color": ink},
        "rule": {"color": faint},
        "line": {"strokeWidth": 2},
        "point": {"filled": True, "size": 36},
    }
