"""Chart: one figure, defined once as a Vega-Lite view and drawn everywhere: page, notebook, report, HTML file, SVG and PNG.

SVG is drawn here (svg.py); PNG and what lives in a page by Vega itself, which the extra `plots` installs.

A chart says what it shows in its title, or, as long as it has nothing to show, what it waits for. What a training job wrote is text in
it: it never becomes an expression of Vega or markup.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup

from alfine.core.errors import MissingExtra
from alfine.figures.svg import PAGE, draw, file_look
from alfine.figures.svg_layer import Plain
from alfine.figures.svg_marks import Look
from alfine.figures.theme import ON_DARK, SCHEMA, VEGA_LITE, Theme, config

WIDTH, HEIGHT = 760, 340
"""Size of the frame of a chart that stands alone, in pixels."""

NARROW = 480
"""Width of a whole drawing below which it's a narrow one, as on a phone, in pixels."""

PNG_SCALE = 2.0
"""Pixels of a PNG over those of the page."""

MIME_TYPE = "application/vnd.vegalite.v5+json"
"""The type under which JupyterLab draws Vega-Lite itself; what figures use is the same in versions 5 and 6."""

NOTEBOOK_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A figure of one tuning job or several.

    Attributes:
        name: For addresses and files, such as `best-so-far`.
        title: What the figure shows, in a sentence.
        notes: How to read it, and what isn't in it.
        view: The Vega-Lite view, without title, size and colours of the page; empty while there is nothing to show.
        narrow: The view in a narrow drawing, where labels need other places; empty where it's the same.
        empty: What the figure waits for, where the view is empty.
        size: Width and height of the frame, in pixels; `None` where the view has a size of its own.

    Example:
        >>> chart = job.plot.best()
        >>> chart.save("best.png")
    """

    name: str
    title: str
    notes: tuple[str, ...] = ()
    view: Mapping[str, Any] = field(default_factory=dict)
    narrow: Mapping[str, Any] = field(default_factory=dict)
    empty: str = ""
    size: tuple[int | None, int | None] = (WIDTH, HEIGHT)

    def vega_lite(self, theme: Theme = "light") -> Plain:
        """Return the complete Vega-Lite specification, as a document of JSON.

        Args:
            theme: For a light or a dark page.
        """
        width, height = self.size
        frame = {key: value for key, value in (("width", width), ("height", height)) if value is not None}
        view: Mapping[str, Any] = self.view or _sentence(self.empty)
        if theme == "dark":
            view = _on_dark(view)
        return {
            "$schema": SCHEMA,
            "title": {"text": self.title, "subtitle": list(self.notes)},
            **frame,
            **view,
            "config": config(theme),
        }

    def svg(self, theme: Theme = "light", width: float | None = None) -> str:
        """Return the figure as SVG.

        Args:
            theme: For a light or a dark page.
            width: Width of the whole figure, in pixels; None: the frame has its own.
        """
        return str(draw(self._as_wide_as(width).vega_lite(theme), file_look(theme), width))

    def inside_page(self, width: float, look: Look = PAGE) -> Markup:
        """Return the figure as an SVG element of the console, whose style sheet has the colours of texts and lines.

        Args:
            width: Its width, in pixels.
            look: PAGE, or a look made from it.
        """
        return draw(self._as_wide_as(width).vega_lite(), look, width)

    def _as_wide_as(self, width: float | None) -> Chart:
        return replace(self, view=self.narrow) if self.narrow and width is not None and width < NARROW else self

    def png(self, theme: Theme = "light", scale: float = PNG_SCALE) -> bytes:
        """Return the figure as PNG.

        Args:
            theme: For a light or a dark page.
            scale: Pixels of the picture over those of the page.

        Raises:
            MissingExtra: What draws it isn't installed.
        """
        picture: bytes = converter().vegalite_to_png(self.vega_lite(theme), vl_version=VEGA_LITE, scale=scale)
        return picture

    def html(self, theme: Theme = "light") -> str:
        """Return the figure as one HTML page that needs no network; with the pointer over a mark it tells more.

        Raises:
            MissingExtra: What draws it isn't installed.
        """
        page: str = converter().vegalite_to_html(self.vega_lite(theme), vl_version=VEGA_LITE, bundle=True)
        return page

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the figure into a file.

        Args:
            path: Its name ends in .html, .svg, .png or .json; .json is the Vega-Lite specification.

        Raises:
            ValueError: It ends in something else.
            MissingExtra: What draws it isn't installed.
        """
        file = Path(path)
        match file.suffix.lower():
            case ".html":
                file.write_text(self.html(), encoding="utf-8")
            case ".svg":
                file.write_text(self.svg(), encoding="utf-8")
            case ".png":
                file.write_bytes(self.png())
            case ".json":
                file.write_text(json.dumps(self.vega_lite(), indent=1), encoding="utf-8")
            case other:
                raise ValueError(
                    f"{file.name}: can't write a figure as {other or 'a file without an ending'}. "
                    "Use .html, .svg, .png or .json."
                )

    def _repr_mimebundle_(self, **_: Any) -> Plain:
        """Return what a notebook shows: Jupyter draws the specification itself; viewers that can't show the picture."""
        specification = {**self.vega_lite(), "$schema": NOTEBOOK_SCHEMA}
        return {MIME_TYPE: specification, "text/plain": repr(self), "image/svg+xml": self.svg()}

    def __repr__(self) -> str:
        return f"<Chart {self.name}: {self.title if self.view else self.empty}>"


def _on_dark(view: Any) -> Any:
    """Return a view with the colours of a dark page. Rows of data have no colours."""
    if isinstance(view, Mapping):
        return {key: each if key == "data" else _on_dark(each) for key, each in view.items()}
    if isinstance(view, list):
        return [_on_dark(each) for each in view]
    return ON_DARK.get(view, view) if isinstance(view, str) else view


def _sentence(text: str) -> Plain:
    """Return the view of a chart that has nothing to show yet: the sentence that says why."""
    return {
        "data": {"values": [{}]},
        "height": 60,
        "mark": {"type": "text", "text": text, "fontSize": 14, "align": "center"},
    }


def converter() -> Any:
    try:
        import vl_convert
    except ImportError as error:
        raise MissingExtra(
            "vl-convert-python isn't installed, but it draws PNG files, HTML files and live figures. "
            "Run: pip install 'alfine[plots]'"
        ) from error
    return vl_convert


def draws_live() -> bool:
    """Return whether what draws live figures and PNG files is installed (`pip install 'alfine[plots]'`)."""
    return find_spec("vl_convert") is not None


def javascript(snippet: str) -> str:
    """Return a script that draws live figures: Vega with this snippet, which may use its names.

    Raises:
        MissingExtra: What draws it isn't installed.
    """
    text: str = converter().javascript_bundle(snippet, vl_version=VEGA_LITE)
    return text


DrawnAs = Literal["html", "svg", "png", "json"]
"""The formats of `Chart.save`."""
