"""Best objective so far against training jobs, for one tuning job or several side by side.

What is drawn (`_Picture`) is worked out once and drawn twice: with Plotly for pages and notebooks, with matplotlib for a PNG,
since Plotly's own way to a PNG needs a browser.
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
from alfine.core.history import History, TrainingJob
from alfine.core.ranges import Array
from alfine.core.wording import count_of, number, percent, short

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Okabe & Ito 2008: told apart with every common colour blindness. Each curve has a marker of its own as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = (("circle", "o"), ("square", "s"), ("diamond", "D"), ("triangle-up", "^"), ("star", "*"), ("x", "X"))
INK, PALE = "#333333", "#E4E4E4"

# The frame ends where this share of all objectives lies inside: a search's worst training jobs are often ten times worse
# than its best, and would press the contest into one line.
SHARE_SHOWN = 0.75
MOST_BANDS = 4
HIGHEST_LABEL, LABEL_STEP = 0.93, 0.125  # in heights of the frame
MOST_NAMED = 3  # in the title
TITLE_POINTS, TITLE_LETTERS = 14.0, 78  # so many letters of that size fit on the PNG
WIDTH_OF_LETTER = 0.0098  # of a label, in widths of the frame; measured on the PNG
LONGEST_HOVER = 12  # hyperparameters


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    """One tuning job. `x` counts ended training jobs from 1; `best` is given from the first objective on."""

    label: str
    colour: str
    marker: tuple[str, str]
    width: float
    x: list[int]
    best: list[float]
    jobs: list[tuple[int, TrainingJob]]  # those that have an objective

    @property
    def end(self) -> tuple[int, float]:
        return self.x[-1], self.best[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Label:
    """Where a curve's label stands above (or below) its end: a height in heights of the frame, and on which side."""

    height: float
    left: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Everything that both ways of drawing need."""

    title: str
    note: str
    metric: str
    curves: list[_Curve]
    labels: list[_Label]
    x_range: tuple[float, float]
    y_range: tuple[float, float]


def figure(histories: Mapping[str, History], *, title: str | None = None) -> go.Figure:
    """A Plotly figure of each tuning job's best objective so far, with the point at which it stopped.

    histories: by label, in the order of their colours; a good label is the name of the criterion that ended the job.
    title: None writes the finding. Raise MissingExtra without Plotly.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise _missing("plotly") from error

    picture = _picture(histories, title)
    drawn = go.Figure()
    for curve in picture.curves:
        drawn.add_trace(_dots(go, curve, picture.metric))
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
            "subtitle": {"text": html.escape(picture.note), "font": {"size": 13, "color": "#666666"}},
            "x": 0.02,
            "xanchor": "left",
        },
        xaxis={**axis, "title": {"text": "training jobs ended"}, "range": picture.x_range, "showgrid": False},
        yaxis={**axis, "title": {"text": html.escape(picture.metric)}, "range": picture.y_range},
        font={"family": "system-ui, Helvetica, Arial, sans-serif", "size": 14, "color": INK},
        plot_bgcolor="white",
        paper_bgcolor="white",
        showlegend=False,
        margin={"l": 80, "r": 30, "t": 90, "b": 60},
    )
    return drawn


def save_html(histories: Mapping[str, History], path: str | os.PathLike[str], *, title: str | None = None) -> None:
    """Write `figure` as one HTML file that needs no network (some 5 MB: it brings Plotly along)."""
    drawn = figure(histories, title=title)
    config = {"displaylogo": False, "responsive": True}
    drawn.write_html(os.fspath(path), include_plotlyjs=True, config=config, default_height="96vh")


def save_png(histories: Mapping[str, History], path: str | os.PathLike[str], *, title: str | None = None) -> None:
    """Write the same picture as a PNG of 1600 x 900 pixels. Raise MissingExtra without matplotlib."""
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
    axes.set_ylabel(picture.metric, color=INK, parse_math=False)
    axes.grid(visible=True, axis="y", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    points = TITLE_POINTS * min(1.0, TITLE_LETTERS / max(1, len(picture.title)))
    canvas.figure.text(0.02, 0.945, picture.title, fontsize=points, fontweight="bold", color=INK, parse_math=False)
    canvas.figure.text(0.02, 0.895, picture.note, fontsize=10, color="#666666", parse_math=False)
    canvas.print_png(os.fspath(path))


def _missing(package: str) -> MissingExtra:
    return MissingExtra(f"{package} isn't installed, and this plot needs it. Run: pip install 'alfine[plots]'")


# -- what is drawn -----------------------------------------------------------------------------------------------


def _picture(histories: Mapping[str, History], title: str | None) -> _Picture:
    shown = {label: history for label, history in histories.items() if history.incumbent is not None}
    lengths = sorted(history.ended for history in shown.values())
    curves = [
        _curve(label, history, index, _width(lengths.index(history.ended), len(shown)))
        for index, (label, history) in enumerate(shown.items())
    ]
    # The widest line is drawn first: jobs that took the same path show as bands beside each other and not as one line.
    curves.sort(key=lambda curve: -curve.width)
    metric = ", ".join(sorted({history.spec.metric for history in histories.values()}))
    minimise = all(history.sign > 0 for history in histories.values())
    x_range = _x_range(curves)
    y_range, outside = _frame(curves, minimise=minimise)
    notes = ["Line: best so far. Dots: single training jobs."]
    if outside:
        notes.append(f"{outside} {'worse one lies' if outside == 1 else 'worse ones lie'} outside the frame.")
    return _Picture(
        title=title if title is not None else finding(shown),
        note=" ".join(notes) if curves else "",
        metric=f"{metric} ({'lower' if minimise else 'higher'} is better)",
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
    """Bands for a few jobs, the longest the widest; of a crowd every line is thin."""
    return 2.0 + 2.5 * shorter_ones if count <= MOST_BANDS else 2.0


def _frame(curves: Iterable[_Curve], *, minimise: bool) -> tuple[tuple[float, float], int]:
    """The range of the y-axis and how many objectives lie outside it."""
    curves = list(curves)
    if not curves:
        return (0.0, 1.0), 0
    sign = 1.0 if minimise else -1.0
    values = np.array([sign * (job.objective or 0.0) for curve in curves for _, job in curve.jobs])
    low, high = frame(values, max(sign * curve.end[1] for curve in curves))
    outside = int((values > high).sum())
    return ((low, high) if minimise else (-high, -low)), outside


def frame(values: Array, worst_end: float) -> tuple[float, float]:
    """The range of objectives that is worth showing, minimised; worst_end: the worst best that a curve ends with."""
    best = float(values.min())
    far = max(float(np.quantile(values, SHARE_SHOWN)), worst_end)
    span = (far - best) or abs(best) * 0.01 or 1.0
    # More room on the side of the bad values, where the labels stand.
    return best - 0.08 * span, far + 0.35 * span


def _x_range(curves: Iterable[_Curve]) -> tuple[float, float]:
    longest = max((curve.end[0] for curve in curves), default=1)
    return min(0.5, 1 - 0.02 * longest), longest + max(0.5, 0.02 * longest)


def _labels(curves: list[_Curve], x_range: tuple[float, float], *, minimise: bool) -> list[_Label]:
    """A height and a side for each label, so that as few as can be are crossed by another's dotted line.

    Every arrangement of a few labels is tried; a crowd is only kept apart.
    """
    low, high = x_range
    at = [(curve.end[0] - low) / (high - low) for curve in curves]
    widths = [WIDTH_OF_LETTER * max(map(len, _end_text(curve))) for curve in curves]

    def faults(order: Sequence[int], left: Sequence[bool]) -> float:
        found = 0.0
        for place, index in enumerate(order):
            start, end = (
                (at[index] - widths[index], at[index]) if left[index] else (at[index], at[index] + widths[index])
            )
            found += 10 * (start < 0) + 10 * (end > 1)
            found += sum(start <= at[taller] <= end for taller in order[:place])
        return found

    by_end = sorted(range(len(curves)), key=lambda index: at[index])
    orders = itertools.permutations(by_end) if len(curves) <= MOST_BANDS else [tuple(by_end)]
    sides = (
        itertools.product((False, True), repeat=len(curves)) if len(curves) <= MOST_BANDS else [[x > 0.5 for x in at]]
    )
    # Of equals min takes the first: the earliest stop at the top, and reading to the right.
    order, left = min(itertools.product(orders, sides), key=lambda both: faults(*both))
    heights = {index: max(0.05, HIGHEST_LABEL - LABEL_STEP * place) for place, index in enumerate(order)}
    return [
        _Label(height=heights[index] if minimise else 1 - heights[index], left=left[index])
        for index in range(len(curves))
    ]


def _end_text(curve: _Curve) -> tuple[str, str]:
    count, best = curve.end
    return curve.label, f"{count_of(count)}, best {number(best)}"


def finding(histories: Mapping[str, History]) -> str:
    """The picture in one sentence: what each earlier stop cost against the longest job."""
    if not histories:
        return "No training job has an objective yet."
    by_length = sorted(histories.values(), key=lambda history: history.ended)
    long = by_length[-1]
    best, reached = _best_and_when(long)
    shorter = [history for history in by_length if history.ended < long.ended]
    if not shorter:
        return f"Best of {long.ended} training jobs: {number(best)}, reached after {reached}"
    first, *others = (_price(history, long) for history in shorter[:MOST_NAMED])
    then = "".join(f", after {history.ended} {price}" for history, price in zip(shorter[1:], others, strict=False))
    return f"Stopping after {shorter[0].ended} of {long.ended} training jobs cost {first} of the best{then}"


def _price(history: History, long: History) -> str:
    (mine, _), (best, _) = _best_and_when(history), _best_and_when(long)
    loss = long.sign * (mine - best)
    if loss <= 0:
        return "nothing"
    return percent(loss / abs(best)) if best else short(loss)


def _best_and_when(history: History) -> tuple[float, int]:
    found = history.incumbent
    assert found is not None
    assert found.objective is not None
    return found.objective, history.finished.index(found) + 1


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
    lines = [f"training job {job.number}", f"{metric.partition(' (')[0]}: {number(job.objective)}"]
    lines += [f"{name} = {short(value)}" for name, value in list(job.hyperparameters.items())[:LONGEST_HOVER]]
    more = len(job.hyperparameters) - LONGEST_HOVER
    if more > 0:
        lines.append(f"and {more} more")
    return "<br>".join(html.escape(line) for line in lines)


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
    name, found = _end_text(curve)
    drawn.add_annotation(
        x=x,
        y=level,
        text=f"<b>{html.escape(name)}</b><br>{found}",
        align="right" if label.left else "left",
        showarrow=False,
        xanchor="right" if label.left else "left",
        xshift=-6 if label.left else 6,
        font={"color": curve.colour, "size": 13},
        bgcolor="rgba(255,255,255,0.85)",
    )
