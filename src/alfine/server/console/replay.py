"""The page that replays a job's record with other completion criteria: when they would have ended it, what that saves and misses.

The replays are worked out by the server's desk (server/replay_desk.py). The page shows what there is, and its script fetches it again as long as
some are under way; without the script the page loads itself again. Whoever leaves it watches no more, which ends them.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from alfine.core.errors import InvalidSpec
from alfine.core.history import History
from alfine.core.protocols import name_of
from alfine.criteria import criterion_from_text
from alfine.figures.best_so_far_chart import best_so_far
from alfine.figures.chart import Chart
from alfine.figures.criterion_stops import CriterionStop, with_stops
from alfine.jobs.analysis.replay_report import alternatives, check_size, recorded_row
from alfine.server.console.insights import drawn_figure
from alfine.server.console.page_request import PageRequest
from alfine.server.console.replay_form import ReplayForm, form_of
from alfine.server.replay_desk import ReplayBusy, ReplayState, Watch, wanted_replays
from alfine.store.records import TuningJob

AT_ONCE_SECONDS = 0.4
"""Time, in seconds, that a page waits for its replays: small ones are there then."""

WATCHED_SECONDS = 6.0
"""Time, in seconds, for which a page watches its replays. While some are under way it asks again after three at the latest."""

STREAM_WATCHES_SECONDS = 2.5
"""Time, in seconds, for which the event stream of a page watches; it asks every second, until the page is left."""

LONGEST_TAB = 40
"""Letters by which a browser tells its tabs apart."""

SAME_RECORD_SECONDS = 10.0
"""Time, in seconds, since it was used last, for which the record of a running job stays: a replay of a large job needs minutes."""

MOST_KEPT = 4
"""Records of tuning jobs that are kept for the next move of a slider: some 10 KB a training job."""


@dataclass(slots=True, kw_only=True)
class Recorded:
    """The record of a tuning job at one state, and the figure of its best.

    Attributes:
        key: Names the tuning job and the state.
        history: The record.
        chart: The figure.
        used_at: When it was asked for last (monotonic seconds).
    """

    key: Hashable
    history: History
    chart: Chart
    used_at: float


class _Records:
    """The records that were asked for last. Any thread may ask."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._kept: OrderedDict[int, Recorded] = OrderedDict()

    def of(self, request: PageRequest, job: TuningJob) -> Recorded:
        """Return the record of a tuning job; of a running one the same as before, as long as somebody replays it."""
        key, now = (job.id, job.facts, job.status), time.monotonic()
        with self._mutex:
            kept = self._kept.get(job.id)
            if kept is not None and (kept.key == key or (not job.ended and now - kept.used_at < SAME_RECORD_SECONDS)):
                self._kept.move_to_end(job.id)
                kept.used_at = now
                return kept
        history = request.service.history(job.name)
        recorded = Recorded(key=key, history=history, chart=best_so_far({"": history}), used_at=now)
        with self._mutex:
            self._kept[job.id] = recorded
            self._kept.move_to_end(job.id)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return recorded


_records = _Records()


def page(request: PageRequest) -> Response:
    """Render the form and its results.

    Query: `use`, repeated: criteria with sliders; their settings, such as `ConvergenceDetected.0`; `criteria`: further ones, one a line.
    """
    recorded = _records.of(request, request.service.get(request.path_part("name")))
    form = _form(request, recorded.history)
    try:
        texts = form.texts()
        states = _asked(request, recorded, texts, WATCHED_SECONDS)
        if not all(state.ended for state in states):
            states = request.backend.replays.wait(
                [(recorded.key, each) for each in alternatives(texts)], AT_ONCE_SECONDS
            )
    except InvalidSpec as error:
        return _rendered(request, recorded, form, 422, faults=[str(fault) for fault in error.faults])
    except ReplayBusy as error:
        return _rendered(request, recorded, form, 503, faults=[str(error)])
    return _rendered(request, recorded, form, 200, rows=list(_rows(texts, states)))


def state_of_replays(request: PageRequest) -> object:
    """Return a value that differs whenever the page has more to show; its last element is whether all replays have ended."""
    recorded = _records.of(request, request.service.get(request.path_part("name")))
    texts = _form(request, recorded.history).texts()
    states = _asked(request, recorded, texts, STREAM_WATCHES_SECONDS)
    return *(round(state.share, 2) for state in states), all(state.ended for state in states)


def left(request: PageRequest) -> None:
    """End what a page watched whose event stream was closed: it was left. What it watched while it was loaded ends, too."""
    for tab in (_tab(request), ""):
        request.backend.replays.leave(_watch(request, tab))


def _form(request: PageRequest, history: History) -> ReplayForm:
    return form_of(history, request.query, request.http.query_params.getlist("use"))


def _asked(request: PageRequest, recorded: Recorded, texts: Sequence[str], seconds: float) -> list[ReplayState]:
    """Ask the desk for the replays.

    Raises:
        InvalidSpec: A criterion can't be understood, can't be judged in this job, or there are too many.
        ReplayBusy: Too many replays are under way.
    """
    check_size(texts)
    return request.backend.replays.ask(
        _watch(request, _tab(request)), wanted_replays(recorded.key, recorded.history, texts), seconds
    )


def _watch(request: PageRequest, tab: str) -> Watch:
    return Watch(owner=request.session.key or request.session.form_token, place=(request.path_part("name"), tab))


def _tab(request: PageRequest) -> str:
    """Return by what a browser tells its tabs apart; "" while a page is loaded, and without scripts."""
    return request.query.get("tab", "")[:LONGEST_TAB]


def _rows(texts: Sequence[str], states: Sequence[ReplayState]) -> Iterator[dict[str, Any]]:
    for alternative, state in zip(alternatives(texts), states, strict=True):
        yield {"Criteria": alternative, "share": state.share, "failed": state.failed, **(state.result or {})}


def _stops(rows: Sequence[dict[str, Any]]) -> Iterator[CriterionStop]:
    """Yield where each criterion alone would have ended the job; nothing for one that wouldn't have."""
    for row in rows:
        if len(row["Criteria"]) == 1 and row.get("Ended"):
            (text,) = row["Criteria"]
            if row["Verdict"]["criterion"] == name_of(criterion_from_text(text)):
                yield CriterionStop(criterion=text, after=row["TrainingJobs"], missed=row["Missed"])


def _rendered(
    request: PageRequest,
    recorded: Recorded,
    form: ReplayForm,
    status: int,
    *,
    rows: Sequence[dict[str, Any]] = (),
    faults: Sequence[str] = (),
) -> Response:
    history = recorded.history
    stops = list(_stops(rows))
    under_way = sum(not (row["failed"] or "Ended" in row) for row in rows)
    query = urlencode([(key, value) for key, value in request.http.query_params.multi_items() if key != "tab"])
    return request.render(
        "replay.html",
        status,
        name=history.spec.name,
        form=form,
        faults=faults,
        rows=rows,
        history=history,
        recorded=recorded_row(history),
        spec=history.spec,
        figure=drawn_figure(with_stops(recorded.chart, history, stops)),
        under_way=under_way,
        events=f"/console/tuning-jobs/{history.spec.name}/replay/events?{query}" if under_way else "",
    )
