"""Best objective so far by number of training jobs, for one tuning job or several side by side.

`_Picture` holds everything that is drawn. Plotly draws it for notebooks and HTML files; matplotlib draws it as a PNG, because
Plotly needs a browser for that.
"""

from __future__ import annotations

import html
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from alfine.core.errors import MissingExtra
from alfine.core.history import History
from alfine.core.training_job import TrainingJob
from alfine.core.wording import count_of, number
from alfine.figures.best_so_far import finding, frame, outside_note, training_job_lines

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of the curves, which people with any common colour blindness can tell apart (Okabe & Ito 2008)."""

MARKERS = (("circle", "o"), ("square", "s"), ("diamond", "D"), ("triangle-up", "^"), ("star", "*"), ("x", "X"))
"""Markers of the ends of the curves, for Plotly and for matplotlib: colours alone are not enough."""

INK = "#333333"
"""Colour of texts and axes."""

PALE = "#E4E4E4"
"""Colour of grid lines."""

FAINT = "#666666"
"""Colour of the note below the title."""

MOST_BANDS = 4
"""Up to so many curves have different widths and carefully placed labels."""

HIGHEST_LABEL = 0.93
"""Height of the topmost label, in heights of the frame."""

LABEL_STEP = 0.125
"""Distance of two labels, in heights of the frame."""

TITLE_POINTS = 14.0
"""Font size of the PNG's title."""

TITLE_LETTERS = 78
"""Letters of that size that fit on the PNG; a longer title is set smaller."""

WIDTH_OF_LETTER = 0.0098
"""Width of a letter of a label, in widths of the frame, measured on the PNG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    """The curve of one tuning job.

    Attributes:
        x: Numbers of ended training jobs, from the one with the first objective on.
        best: The best objective after each of them.
        jobs: The training jobs that have an objective, with their number in order of completion.
    """

    label: str
    colour: str
    marker: tuple[str, str]
    width: float
    x: list[int]
    best: list[float]
    jobs: list[tuple[int, TrainingJob]]

    @property
    def end(self) -> tuple[int, float]:
        return self.x[-1], self.best[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Label:
    """The place of a curve's label: its height, in heights of the frame, and whether it is on the left of the curve's end."""

    height: float
    left: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Everything that is drawn."""

    title: str
    note: str
    metrics: str
    goal: str
    curves: list[_Curve]
    labels: list[_Label]
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    @property
    def y_label(self) -> str:
        """The label of the y-axis: «auc (higher is better)»."""
        return f"{self.metrics} ({self.goal})"


def figure(histories: Mapping[str, History], *, title: str | None = None) -> go.Figure:
    """Return a Plotly figure of each tuning job's best objective so far, with the point at which the job stopped.

    Args:
        histories: Histories by label, in the order of their colours. A good label is the criterion that ended the job.
        title: The title; None writes the finding.

    Raises:
        MissingExtra: Plotly isn't installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise _missing("plotly") from error

    picture = _picture(histories, title)
    drawn = go.Figure()
    for curve in picture.curves:
        drawn.add_trace(_dots(go, curve, picture.metrics))
    for curve in picture.curves:
        drawn.add_trace(
            go.Scatter(
                x=curve.x,
                y=curve.best,
                mode="lines",
                name=html.escape(curve.label),
                line={"shape": "hv", "width": 1.4 * curve.width, "color": curve.colour},
                hovertemplate="best after %{x} training jobs: %{y:.6g}",
            )
        )
    for curve, label in zip(picture.curves, picture.labels, strict=True):
        _mark_the_end(drawn, curve, picture, label)
    axis: dict[str, Any] = {
        "showline": True,
        "linecolor": INK,
        "ticks": "outside",
        "gridcolor": PALE,
        "zeroline": False,
    }
    drawn.update_layout(
        title={
            "text": html.escape(picture.title),
            "subtitle": {"text": html.escape(picture.note), "font": {"size": 13, "color": FAINT}},
            "x": 0.02,
            "xanchor": "left",
        },
        xaxis={**axis, "title": {"text": "training jobs ended"}, "range": picture.x_range, "showgrid": False},
        yaxis={**axis, "title": {"text": html.escape(picture.y_label)}, "range": picture.y_range},
        font={"family": "system-ui, Helvetica, Arial, sans-serif", "size": 14, "color": INK},
        plot_bgcolor="white",
        paper_bgcolor="white",
        showlegend=False,
        margin={"l": 80, "r": 30, "t": 90, "b": 60},
    )
    return drawn


def save_html(histories: Mapping[str, History], path: str | os.PathLike[str], *, title: str | None = None) -> None:
    """Write `figure` as one HTML file that needs no network. It contains Plotly, and has some 5 MB."""
    drawn = figure(histories, title=title)
    config = {"displaylogo": False, "responsive": True}
    drawn.write_html(os.fspath(path), include_plotlyjs=True, config=config, default_height="96vh")


def save_png(histories: Mapping[str, History], path: str | os.PathLike[str], *, title: str | None = None) -> None:
    """Write the same figure as a PNG of 1600 x 900 pixels.

    Raises:
        MissingExtra: matplotlib isn't installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise _missing("matplotlib") from error

    picture = _picture(histories, title)
    canvas = FigureCanvasAgg(Figure(figsize=(10, 5.625), dpi=160))  # no pyplot: it would keep a global list of figures
    axes = canvas.figure.add_axes((0.085, 0.115, 0.885, 0.735))
    for curve in picture.curves:
        x, y = [at for at, _ in curve.jobs], [job.objective for _, job in curve.jobs]
        axes.plot(x, y, ".", color=curve.colour, alpha=0.25, markersize=6, markeredgewidth=0)
    for curve in picture.curves:
        axes.step(curve.x, curve.best, where="post", color=curve.colour, linewidth=curve.width, solid_capstyle="butt")
    for curve, label in zip(picture.curves, picture.labels, strict=True):
        x_end, y_end = curve.end
        span = picture.y_range[1] - picture.y_range[0]
        level = picture.y_range[0] + label.height * span
        axes.plot([x_end, x_end], [y_end, level], ":", color=curve.colour, linewidth=1.3, zorder=3)
        axes.plot(
            x_end,
            y_end,
            curve.marker[1],
            color=curve.colour,
            markersize=10,
            markeredgecolor="white",
            zorder=4,
            clip_on=False,
        )
        axes.annotate(
            "\n".join(_end_text(curve)),
            (x_end, level),
            xytext=(-6 if label.left else 6, 0),
            textcoords="offset points",
            multialignment="right" if label.left else "left",
            linespacing=1.25,
            ha="right" if label.left else "left",
            va="center",
            color=curve.colour,
            fontsize=10.5,
            fontweight="bold",
            parse_math=False,
            bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5},
            zorder=5,
        )
    axes.set_xlim(*picture.x_range)
    axes.set_ylim(*picture.y_range)
    axes.set_xlabel("training jobs ended", color=INK)
    axes.set_ylabel(picture.y_label, color=INK, parse_math=False)
    axes.grid(visible=True, axis="y", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    points = TITLE_POINTS * min(1.0, TITLE_LETTERS / max(1, len(picture.title)))
    canvas.figure.text(0.02, 0.945, picture.title, fontsize=points, fontweight="bold", color=INK, parse_math=False)
    canvas.figure.text(0.02, 0.895, picture.note, fontsize=10, color=FAINT, parse_math=False)
    canvas.print_png(os.fspath(path))


def _missing(package: str) -> MissingExtra:
    return MissingExtra(f"{package} isn't installed, but this figure needs it. Run: pip install 'alfine[plots]'")


# -- what is drawn -----------------------------------------------------------------------------------------------


def _picture(histories: Mapping[str, History], title: str | None) -> _Picture:
    shown = {label: history for label, history in histories.items() if history.incumbent is not None}
    lengths = sorted(history.ended for history in shown.values())
    curves = [
        _curve(label, history, index, _width(lengths.index(history.ended), len(shown)))
        for index, (label, history) in enumerate(shown.items())
    ]
    # The widest line is drawn first, so that jobs that took the same path show as bands and not as one line.
    curves.sort(key=lambda curve: -curve.width)
    metrics = ", ".join(sorted({history.spec.metric for history in histories.values()}))
    minimise = all(history.sign > 0 for history in histories.values())
    x_range = _x_range(curves)
    y_range, outside = _frame(curves, minimise=minimise)
    notes = ["Line: best so far. Dots: single training jobs."]
    if outside:
        notes.append(f"{outside_note(outside)}.")
    return _Picture(
        title=title if title is not None else finding(shown),
        note=" ".join(notes) if curves else "",
        metrics=metrics,
        goal="lower is better" if minimise else "higher is better",
        curves=curves,
        labels=_labels(curves, x_range, minimise=minimise),
        x_range=x_range,
        y_range=y_range,
    )


def _curve(label: str, history: History, index: int, width: float) -> _Curve:
    finished = list(enumerate(history.finished, 1))
    curve = history.best_curve()
    first = len(finished) - len(curve)
    return _Curve(
        label=label,
        colour=COLOURS[index % len(COLOURS)],
        marker=MARKERS[index % len(MARKERS)],
        width=width,
        x=[at for at, _ in finished[first:]],
        best=[best for _, best in curve],
        jobs=[(at, job) for at, job in finished if job.objective is not None],
    )


def _width(shorter_ones: int, count: int) -> float:
    """Return a line's width: of a few jobs the longest has the widest; of many jobs all lines are thin."""
    return 2.0 + 2.5 * shorter_ones if count <= MOST_BANDS else 2.0


def _frame(curves: Iterable[_Curve], *, minimise: bool) -> tuple[tuple[float, float], int]:
    """Return the range of the y-axis, and how many objectives lie outside it."""
    curves = list(curves)
    if not curves:
        return (0.0, 1.0), 0
    sign = 1.0 if minimise else -1.0
    values = np.array([sign * (job.objective or 0.0) for curve in curves for _, job in curve.jobs])
    low, high = frame(values, max(sign * curve.end[1] for curve in curves))
    outside = int((values > high).sum())
    return ((low, high) if minimise else (-high, -low)), outside


def _x_range(curves: Iterable[_Curve]) -> tuple[float, float]:
    longest = max((curve.end[0] for curve in curves), default=1)
    return min(0.5, 1 - 0.02 * longest), longest + max(0.5, 0.02 * longest)


def _labels(curves: list[_Curve], x_range: tuple[float, float], *, minimise: bool) -> list[_Label]:
    """Place the labels so that as few of them as possible cross the dotted line of another one.

    Every arrangement of up to `MOST_BANDS` labels is tried; more are only kept apart.
    """
    low, high = x_range
    at = [(curve.end[0] - low) / (high - low) for curve in curves]
    widths = [WIDTH_OF_LETTER * max(map(len, _end_text(curve))) for curve in curves]

    def faults(order: Sequence[int], left: Sequence[bool]) -> float:
        total = 0.0
        for place, index in enumerate(order):
            start, end = (
                (at[index] - widths[index], at[index]) if left[index] else (at[index], at[index] + widths[index])
            )
            total += 10 * (start < 0) + 10 * (end > 1)
            total += sum(start <= at[taller] <= end for taller in order[:place])
        return total

    by_end = sorted(range(len(curves)), key=lambda index: at[index])
    orders = itertools.permutations(by_end) if len(curves) <= MOST_BANDS else [tuple(by_end)]
    sides = (
        itertools.product((False, True), repeat=len(curves)) if len(curves) <= MOST_BANDS else [[x > 0.5 for x in at]]
    )
    # Among equals, min takes the first: the earliest stop at the top, and labels on the right.
    order, left = min(itertools.product(orders, sides), key=lambda both: faults(*both))
    heights = {index: max(0.05, HIGHEST_LABEL - LABEL_STEP * place) for place, index in enumerate(order)}
    return [
        _Label(height=heights[index] if minimise else 1 - heights[index], left=left[index])
        for index in range(len(curves))
    ]


def _end_text(curve: _Curve) -> tuple[str, str]:
    count, best = curve.end
    return curve.label, f"{count_of(count)}, best {number(best)}"


# -- with Plotly -------------------------------------------------------------------------------------------------


def _dots(go: Any, curve: _Curve, metric: str) -> Any:
    return go.Scatter(
        x=[at for at, _ in curve.jobs],
        y=[job.objective for _, job in curve.jobs],
        mode="markers",
        name=html.escape(curve.label),
        marker={"size": 6, "color": curve.colour, "opacity": 0.25},
        text=[_hover(job, metric) for _, job in curve.jobs],
        hovertemplate="%{text}",
    )


def _hover(job: TrainingJob, metric: str) -> str:
    return "<br>".join(html.escape(line) for line in training_job_lines(job, metric))


def _mark_the_end(drawn: Any, curve: _Curve, picture: _Picture, label: _Label) -> None:
    x, y = curve.end
    low, high = picture.y_range
    level = low + label.height * (high - low)
    drawn.add_shape(
        type="line",
        x0=x,
        x1=x,
        y0=y,
        y1=level,
        layer="below",
        line={"color": curve.colour, "width": 1.5, "dash": "dot"},
    )
    drawn.add_scatter(
        x=[x],
        y=[y],
        mode="markers",
        name=html.escape(curve.label),
        cliponaxis=False,
        marker={"size": 13, "symbol": curve.marker[0], "color": curve.colour, "line": {"color": "white", "width": 1.5}},
        hovertemplate="stopped after %{x} training jobs; best %{y:.6g}",
    )
    name, result = _end_text(curve)
    drawn.add_annotation(
        x=x,
        y=level,
        text=f"<b>{html.escape(name)}</b><br>{result}",
        align="right" if label.left else "left",
        showarrow=False,
        xanchor="right" if label.left else "left",
        xshift=-6 if label.left else 6,
        font={"color": curve.colour, "size": 13},
        bgcolor="rgba(255,255,255,0.85)",
    )
