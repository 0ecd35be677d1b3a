"""The figures of the console: each as a Vega-Lite document for the page's script, and as a picture for pages without scripts.

A figure is computed once for each state of its tuning job, and kept for whoever looks next.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from functools import cache

from starlette.exceptions import HTTPException
from starlette.responses import Response

from alfine.core.errors import AlfineError, Fault, InvalidSpec
from alfine.core.wording import did_you_mean
from alfine.criteria.forecast import forecast_of
from alfine.figures.chart import Chart, draws_live, javascript
from alfine.figures.comparison import COMPARED_BY, comparison
from alfine.figures.distribution import distribution
from alfine.figures.plots import Plots
from alfine.figures.report import EMBED
from alfine.figures.svg import PAGE
from alfine.figures.theme import Theme
from alfine.jobs.policy_for import policy_for
from alfine.server.console.insights import WIDE
from alfine.server.console.page_request import PageRequest
from alfine.store.records import TuningJob

LIBRARY = "vega.js"
"""The file among the console's own that comes from the package which draws figures."""

MOST_KEPT = 128
"""Figures that are kept: some 50 KB each."""

WIDTHS = (240, 1400)
"""Least and greatest width of a figure that a page asks for, in pixels."""

WIDTH_STEP = 20
"""Widths are rounded down to multiples of it, in pixels, so that browsers share what was drawn."""

LARGE_FACTS = 2000
"""Facts of a tuning job from which on its figures take a second or more."""

SLOW = ("probability-of-improvement",)
"""Figures of a large tuning job that take up to 20 seconds: a criterion is asked again and again."""

PATIENCE_SECONDS = 30.0
"""Longest time, in seconds, that a request waits for another one's figure."""

MOST_COMPARED = 8
"""Tuning jobs that are compared."""

Draw = Callable[[Plots, Mapping[str, str]], Chart]

FIGURES: dict[str, tuple[str, Draw]] = {
    "best-so-far": ("Best objective so far", lambda plots, _: plots.best()),
    "probability-of-improvement": ("Probability of an improvement", lambda plots, _: plots.probability()),
    "importance": ("Importance of the hyperparameters", lambda plots, query: plots.importance(query.get("definition"))),
    "slices": ("Objective by hyperparameter", lambda plots, query: plots.slices(query.get("definition"))),
    "contour": (
        "Two hyperparameters together",
        lambda plots, query: plots.contour(query.get("x"), query.get("y"), query.get("definition")),
    ),
    "parallel-coordinates": (
        "Configurations",
        lambda plots, query: plots.parallel_coordinates(query.get("definition")),
    ),
    "learning-curves": ("Learning curves", lambda plots, _: plots.learning_curves()),
    "timeline": ("Timeline", lambda plots, _: plots.timeline()),
    "cost": ("Best objective by cost", lambda plots, _: plots.cost()),
    "distribution": ("Distribution of the objectives", lambda plots, _: plots.distribution()),
}
"""The figures of a tuning job, in the order of the page: name -> (title, what draws it)."""

OF_A_DEFINITION = ("importance", "slices", "contour", "parallel-coordinates")
"""Figures of one training job definition."""

IN_PAGE = replace(PAGE, titled=True)
"""The look of a figure that a page's script puts into the page."""

FORMATS = {"json": "application/json", "svg": "image/svg+xml", "png": "image/png"}
"""The formats of a figure, and their media types."""


class FigureBusy(AlfineError):
    """Other figures take too long."""

    code = "ServiceUnavailable"


class Lane(Enum):
    """Figures that take about as long. Each lane computes one at a time: a quick figure never waits for a slow one."""

    QUICK = "quick"
    LARGE = "large"
    SLOW = "slow"


class _Kept:
    """The figures that were computed last. Any thread may ask."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._turns = {lane: threading.Lock() for lane in Lane}
        self._bodies: OrderedDict[Hashable, bytes] = OrderedDict()

    def body(self, key: Hashable, lane: Lane, compute: Callable[[], bytes]) -> bytes:
        """Return what was computed for this key; compute it when it's asked for the first time."""
        if (known := self._known(key)) is not None:
            return known
        with self._in_turn(lane):
            if (known := self._known(key)) is not None:  # computed while this request waited
                return known
            body = compute()
        with self._mutex:
            self._bodies[key] = body
            while len(self._bodies) > MOST_KEPT:
                self._bodies.popitem(last=False)
        return body

    def _known(self, key: Hashable) -> bytes | None:
        with self._mutex:
            if key in self._bodies:
                self._bodies.move_to_end(key)
            return self._bodies.get(key)

    @contextmanager
    def _in_turn(self, lane: Lane) -> Iterator[None]:
        if not self._turns[lane].acquire(timeout=PATIENCE_SECONDS):
            raise FigureBusy("Other figures are being drawn. Try again in a while.")
        try:
            yield
        finally:
            self._turns[lane].release()


_kept = _Kept()


def figure(request: PageRequest) -> Response:
    """Answer a figure of a tuning job.

    Query: `definition`; `x` and `y` of a contour; `theme`; of an SVG its `width` in pixels, and `inside` for one that goes into a page.
    """
    job = request.service.get(request.path_part("name"))
    name = request.path_part("figure")
    if name not in FIGURES:
        raise InvalidSpec([Fault("figure", f"{name!r} isn't one. {did_you_mean(name, FIGURES)}")])
    chosen = {key: request.query[key] for key in ("definition", "x", "y") if request.query.get(key)}

    def draw() -> Chart:
        history = request.service.history(job.name)
        forecast = None if job.ended else forecast_of(history, policy_for(history.spec).criteria)
        return FIGURES[name][1](Plots(history, job.verdict, forecast, job.verdicts), chosen)

    key = (job.id, job.facts, job.status, name, *sorted(chosen.items()))
    return _answer(request, key, _lane([job], name), draw)


def _lane(jobs: Sequence[TuningJob], name: str) -> Lane:
    if sum(job.facts for job in jobs) < LARGE_FACTS:
        return Lane.QUICK
    return Lane.SLOW if name in SLOW else Lane.LARGE


def compared(request: PageRequest) -> Response:
    """Answer a figure of several tuning jobs. Query: `name`, repeated; `theme`."""
    names, by = chosen_names(request), request.path_part("figure")
    if by != "distribution" and by not in COMPARED_BY:
        raise InvalidSpec([Fault("figure", f"{by!r} isn't one. {did_you_mean(by, [*COMPARED_BY, 'distribution'])}")])
    jobs = [request.service.get(name) for name in names]

    def draw() -> Chart:
        histories = {job.name: request.service.history(job.name) for job in jobs}
        return distribution(histories) if by == "distribution" else comparison(histories, by=by)

    return _answer(request, (by, *((job.id, job.facts) for job in jobs)), _lane(jobs, by), draw)


def chosen_names(request: PageRequest) -> list[str]:
    """Return the names of the tuning jobs to compare.

    Raises:
        InvalidSpec: There are none, or too many.
    """
    names = list(dict.fromkeys(request.http.query_params.getlist("name")))
    if not 1 <= len(names) <= MOST_COMPARED:
        raise InvalidSpec([Fault("name", f"Choose two to {MOST_COMPARED} tuning jobs to compare.")])
    return names


def library() -> Response:
    """Answer the library that draws figures in a page: LIBRARY."""
    if not draws_live():
        raise HTTPException(404)
    return Response(_bundle(), media_type="text/javascript", headers={"cache-control": "max-age=86400"})


@cache
def _bundle() -> str:
    return javascript(EMBED)


def _answer(request: PageRequest, key: tuple[Hashable, ...], lane: Lane, draw: Callable[[], Chart]) -> Response:
    theme: Theme = "dark" if request.query.get("theme") == "dark" else "light"
    kind = request.path_part("kind")
    if kind not in FORMATS:
        raise InvalidSpec([Fault("figure", f".{kind} isn't a format. {did_you_mean(kind, FORMATS)}")])
    inside, width = "inside" in request.query, _width(request.query.get("width", ""))

    def body() -> bytes:
        chart = draw()
        if kind == "png":
            return chart.png(theme)
        if kind == "json":
            return json.dumps(chart.vega_lite(theme)).encode()
        return (str(chart.inside_page(width or WIDE, IN_PAGE)) if inside else chart.svg(theme, width)).encode()

    return Response(_kept.body((*key, theme, kind, inside, width), lane, body), media_type=FORMATS[kind])


def _width(text: str) -> int | None:
    """Return the width that a page asks for, rounded; None: the figure's own."""
    if not text.isascii() or not text.isdigit():
        return None
    least, greatest = WIDTHS
    return max(least, min(greatest, int(text[:9]) // WIDTH_STEP * WIDTH_STEP))
