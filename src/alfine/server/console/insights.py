"""The parts of a tuning job's page that need its whole history: the figure, the forecast, what the results say of the search space.

For a small tuning job they are made with the page. For a large one they take seconds: a thread makes them, the page shows the latest that
there are, and its event stream tells when there are newer ones. The list of tuning jobs shows forecasts that are made in the same way.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from alfine.core.history import History
from alfine.figures.chart import Chart
from alfine.figures.svg import PHONE
from alfine.jobs.assessment import forecast_while_searching
from alfine.jobs.describe import TuningJobDescription
from alfine.jobs.documents import Plain
from alfine.jobs.overview import Overview
from alfine.jobs.service import Service
from alfine.server.console.made_aside import MadeAside
from alfine.store.records import TuningJob

SMALL = 100
"""Training jobs up to which everything is made with the page, in some 0.1 s."""

WIDE, NARROW = 790, 350
"""Width of a figure in pixels, for desktops and for phones."""

KEPT = 20
"""Tuning jobs whose latest insight is kept: each has some 0.5 MB of drawings."""

SHARE = 0.05
"""Share of one core that one tuning job's insights may take while its page is looked at."""

SHARE_OF_FORECAST = 0.002
"""Share of one core that one tuning job's forecasts may take while the list is looked at: its 25 rows take a twentieth together."""

KEPT_FORECASTS = 1000
"""Tuning jobs whose latest forecast is kept."""


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


class Insights:
    """Makes insights, and keeps the latest ones.

    Args:
        service: Where histories come from.
        draw: Makes the insight of a description with its history.
    """

    def __init__(self, service: Service, draw: Callable[[Plain, History], Insight]) -> None:
        self._service = service
        self._draw = draw
        self._counted: OrderedDict[str, TuningJobDescription] = OrderedDict()
        self._mutex = threading.Lock()
        self._aside = MadeAside("insights", self._made, share=SHARE, most=KEPT)
        self._forecasts = MadeAside("forecasts", self._forecast, share=SHARE_OF_FORECAST, most=KEPT_FORECASTS)

    def of(self, overview: Overview) -> tuple[Insight | None, bool]:
        """Return the insight of a tuning job, and whether it is that of this overview.

        Args:
            overview: The tuning job. If it is a large one, the insight may be older, and None at first: then one is on its way.
        """
        job = overview.description.job
        if overview.launches <= SMALL:
            return self._made(job.name), True
        with self._mutex:
            self._counted[job.name] = overview.description
            while len(self._counted) > KEPT:
                self._counted.popitem(last=False)
        return self._aside.of(job)

    def counted(self, name: str) -> TuningJobDescription | None:
        """Return the latest description of a large tuning job: what that counted needn't be counted again."""
        with self._mutex:
            return self._counted.get(name)

    def version(self, job: int) -> int:
        """Return a number that differs once there is a newer insight; job: the tuning job's id."""
        return self._aside.version(job)

    def forecast(self, job: TuningJob) -> Mapping[str, Any] | None:
        """Return the latest forecast of a running tuning job for the list; None at first: then it is on its way."""
        return self._forecasts.of(job)[0]

    @property
    def forecasts(self) -> int:
        """The number of forecasts that were made for the list."""
        return self._forecasts.made

    def _made(self, name: str) -> Insight:
        return self._draw(*self._service.describe_with_history(name))

    def _forecast(self, name: str) -> Mapping[str, Any]:
        found = forecast_while_searching(self._service.get(name), self._service.history(name))
        return {} if found is None else found.as_dict()
