"""Stops of completion criteria in the figure of the best so far: those that are known without a replay, and their marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alfine.core.history import History
from alfine.core.wording import percent
from alfine.figures.best_so_far import LOSS_DIGITS, MOST_NAMED
from alfine.figures.chart import Chart
from alfine.figures.label_places import Extent, Labelled, LabelPlace, places
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import GOOD
from alfine.figures.training_job_rows import quantitative

MOST_STOPS = 8
"""Criteria whose stops are marked."""

LONGEST_NAME = 48
"""Letters of a criterion beside its mark."""

LETTER, GAP = 6.0, 5.0
"""Width of a letter of a label, and its distance from its rule, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionStop:
    """The place where a completion criterion ends, or would have ended, a tuning job.

    Attributes:
        criterion: The criterion, with its settings.
        after: How many training jobs the tuning job takes with this end: those that had ended, and those that ran then and end with it.
            `History.searched` at the end, which a replay and a tuning job that has ended show as their number of training jobs.
        missed: What it misses, as a share of the best objective; None where that isn't known.
    """

    criterion: str
    after: int
    missed: float | None = None


def stops_of_verdicts(
    verdict: Mapping[str, Any] | None, verdicts: Sequence[Mapping[str, Any]], history: History | None
) -> Iterator[CriterionStop]:
    """Yield the stop of the criterion that ended a tuning job, and those of criteria that only observe it.

    Args:
        verdict: The verdict of the tuning job, as a document; None where none was reached.
        verdicts: Those of its criteria.
        history: Its history; None while it runs.
    """
    if history and history.ended and verdict and verdict.get("outlook") not in (None, "CONTINUE"):
        yield CriterionStop(criterion=str(verdict["criterion"]), after=history.searched)
    for each in verdicts:
        after = each.get("evidence", {}).get("would_have_ended_after_training_jobs")
        if each.get("watching") and after:
            yield CriterionStop(criterion=str(each["criterion"]), after=int(after))


def with_stops(chart: Chart, history: History, stops: Sequence[CriterionStop]) -> Chart:
    """Return the chart of the best so far with a mark where each criterion ends the tuning job.

    Args:
        chart: The chart.
        history: The tuning job.
        stops: The ends.
    """
    return marked(chart, history, stops)[0]


def marked(chart: Chart, history: History, stops: Sequence[CriterionStop]) -> tuple[Chart, bool]:
    """Return what `with_stops` does, and whether no label covers anything."""
    if not chart.view or not stops:
        return chart, True
    encoding = chart.view["encoding"]
    begin, end = encoding["x"]["scale"]["domain"]
    end = max(end, *(stop.after + 1.0 for stop in stops))
    x = {**encoding["x"], "scale": {**encoding["x"]["scale"], "domain": [begin, end]}}
    extent = Extent(x=(begin, end), y=encoding["y"]["scale"]["domain"], minimise=history.sign > 0)
    in_order = sorted(stops, key=lambda stop: stop.after)[:MOST_STOPS]
    labels = [Labelled(x=stop.after, lines=[_text(stop)], letter=LETTER, gap=GAP) for stop in in_order]
    found, free = places(labels, chart.view["layer"], extent)
    marks = (mark for stop, place in zip(in_order, found, strict=True) for mark in _marks(stop, place, extent))
    view = {"encoding": {**encoding, "x": x}, "layer": [*chart.view["layer"], *marks]}
    return replace(chart, title=_finding(history, stops) or chart.title, view=view), free


def _finding(history: History, stops: Sequence[CriterionStop]) -> str:
    """Return what the earlier stops cost, in one sentence; empty where there are none."""
    total = history.searched
    earlier = {stop.after: stop.missed for stop in stops if stop.missed is not None and stop.after < total}
    costs = [
        (after, percent(missed, LOSS_DIGITS) if missed else "nothing")
        for after, missed in sorted(earlier.items())[:MOST_NAMED]
    ]
    if not costs:
        return ""
    then = "".join(f", {cost} after {after}" for after, cost in costs[1:])
    return f"Stopping after {costs[0][0]} of {total} training jobs costs {costs[0][1]} of the best{then}"


def _marks(stop: CriterionStop, place: LabelPlace, extent: Extent) -> Iterator[Plain]:
    """Yield the rule and the label of a stop."""
    row = {"data": {"values": [{"x": stop.after, "level": place.level}]}}
    yield {
        **row,
        "mark": {"type": "rule", "color": GOOD, "strokeDash": [5, 3]},
        "encoding": {"y": quantitative("level", ""), "y2": {"value": "height" if extent.minimise else 0}},
    }
    side = {"align": "right", "dx": -GAP} if place.left else {"align": "left", "dx": GAP}
    yield {
        **row,
        "mark": {"type": "text", "text": _text(stop), **side, "fontSize": 11},
        "encoding": {"y": quantitative("level", "")},
    }


def _text(stop: CriterionStop) -> str:
    return f"{_shortened(stop.criterion)}: {stop.after}{_loss(stop)}"


def _loss(stop: CriterionStop) -> str:
    if stop.missed is None:
        return ""
    return f", {percent(stop.missed, LOSS_DIGITS)} worse" if stop.missed > 0 else ", nothing missed"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"
