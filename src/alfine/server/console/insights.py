"""The parts of a tuning job's page that need its whole history: the figure, the forecast, what the results say of the search space.

For a small tuning job they are made with the page. For a large one they take seconds: a thread makes them, the page shows the latest that
there are, and its event stream tells when there are newer ones.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from alfine.core.history import History
from alfine.figures.chart import Chart
from alfine.figures.svg import PHONE
from alfine.jobs.describe import TuningJobDescription
from alfine.jobs.documents import Plain
from alfine.jobs.overview import Overview
from alfine.jobs.service import Service

log = logging.getLogger("alfine.server.console.insights")

SMALL = 100
"""Training jobs up to which everything is made with the page, in some 0.1 s."""

WIDE, NARROW = 790, 350
"""Width of a figure in pixels, for desktops and for phones."""

KEPT = 20
"""Tuning jobs whose latest insight is kept: each has some 0.5 MB of drawings."""

SHARE = 0.05
"""Share of one core that one tuning job's insights may take while its page is looked at."""

OLD_SECONDS = 60.0
"""Age, in seconds, at which an insight is made anew although nothing was recorded: forecasts move with the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFigure:
    """A figure inside of a page.

    Attributes:
        chart: The figure.
        wide: Its drawing for a desktop; empty while there is nothing to show.
        narrow: Its drawing for a phone.
    """

    chart: Chart
    wide: Markup
    narrow: Markup


def drawn_figure(chart: Chart) -> DrawnFigure:
    """Return the drawings of a chart."""
    if not chart.view:
        return DrawnFigure(chart=chart, wide=Markup(), narrow=Markup())
    wide, narrow = chart.inside_page(WIDE), chart.inside_page(NARROW, PHONE)
    return DrawnFigure(chart=chart, wide=wide, narrow=narrow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """The conclusions from the history of a tuning job, and their drawings.

    Attributes:
        extra: The part «Alfine» of its description.
        figure: The best result so far.
        changes: What the user changed.
        at: When it was made.
    """

    extra: dict[str, Any]
    figure: DrawnFigure
    changes: Sequence[object]
    at: datetime


@dataclass(slots=True)
class _Kept:
    """The latest insight of a tuning job, the state that it is of, and from when on it may be made anew (monotonic seconds)."""

    insight: Insight
    state: object
    version: int
    made_at: float
    next_at: float


class Insights:
    """Makes insights, and keeps the latest ones.

    Args:
        service: Where histories come from.
        draw: Makes the insight of a description with its history.
    """

    def __init__(self, service: Service, draw: Callable[[Plain, History], Insight]) -> None:
        self._service = service
        self._draw = draw
        self._mutex = threading.Lock()
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._counted: OrderedDict[str, TuningJobDescription] = OrderedDict()
        self._wanted: dict[int, tuple[str, object]] = {}
        self._runs = False

    def of(self, overview: Overview) -> tuple[Insight | None, bool]:
        """Return the insight of a tuning job, and whether it is that of this overview.

        Args:
            overview: The tuning job. If it is a large one, the insight may be older, and None at first: then one is on its way.
        """
        job = overview.description.job
        if overview.launches <= SMALL:
            return self._made(job.name), True
        state = (job.status, job.facts)
        with self._mutex:
            kept = self._kept.get(job.id)
            now = time.monotonic()
            fresh = kept is not None and kept.state == state
            old = kept is not None and not job.ended and now - kept.made_at > OLD_SECONDS
            self._counted[job.name] = overview.description
            while len(self._counted) > KEPT:
                self._counted.popitem(last=False)
            if kept is None or ((not fresh or old) and now >= kept.next_at):
                self._want(job.id, job.name, state)
            return None if kept is None else kept.insight, fresh

    def counted(self, name: str) -> TuningJobDescription | None:
        """Return the latest description of a large tuning job: what that counted needn't be counted again."""
        with self._mutex:
            return self._counted.get(name)

    def version(self, job: int) -> int:
        """Return a number that differs once there is a newer insight; job: the tuning job's id."""
        with self._mutex:
            kept = self._kept.get(job)
            return 0 if kept is None else kept.version

    def _want(self, job: int, name: str, state: object) -> None:
        self._wanted[job] = (name, state)
        if self._runs:
            return
        try:
            threading.Thread(target=self._make_wanted, name="alfine-insights", daemon=True).start()
        except RuntimeError as error:  # there can be no more threads at present: the next page asks again
            log.warning("can't make insights of tuning_job=%s yet: %s", name, error)
        else:
            self._runs = True

    def _make_wanted(self) -> None:
        while True:
            with self._mutex:
                self._runs = bool(self._wanted)
                if not self._wanted:
                    return
                job, (name, state) = self._wanted.popitem()
            begun = time.monotonic()
            try:
                self._keep(job, self._made(name), state, begun)
            except Exception:  # logged with its traceback; the page shows what it has, and its next view tries again
                log.exception("can't make insights of tuning_job=%s", name)

    def _keep(self, job: int, insight: Insight, state: object, begun: float) -> None:
        now = time.monotonic()
        with self._mutex:
            before = self._kept.pop(job, None)
            version = 1 if before is None else before.version + 1
            self._kept[job] = _Kept(insight, state, version, now, now + (now - begun) / SHARE)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _made(self, name: str) -> Insight:
        return self._draw(*self._service.describe_with_history(name))
