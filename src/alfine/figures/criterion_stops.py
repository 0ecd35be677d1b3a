"""Stops of completion criteria in the figure of the best so far: those that are known without a replay, and their marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alfine.core.history import History
from alfine.core.wording import loss
from alfine.figures.best_so_far import LOSS_DIGITS, MOST_NAMED
from alfine.figures.chart import Chart
from alfine.figures.label_places import Extent, Labelled, places
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import GOOD
from alfine.figures.training_job_rows import quantitative

MOST_STOPS = 8
"""Criteria whose stops are marked."""

LONGEST_NAME = 48
"""Letters of a criterion beside its mark."""

WIDTH_ON_PHONE, LONGEST_ON_PHONE = 290.0, 30
"""Width of the frame on a phone, in pixels, and letters of a criterion there: what it costs stands below."""

LETTER, GAP = 6.0, 5.0
"""Width of a letter of a label, and its distance from its rule, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionStop:
    """The place where a completion criterion ends, or would have ended, a tuning job.

    Attributes:
        criterion: The criterion, with its settings.
        after: How many training jobs the tuning job takes with this end: those that had ended, and those that ran then and end with it.
            `History.searched` at the end, which a replay and a tuning job that has ended show as their number of training jobs.
        missed: By how much its best objective is worse than the whole job's, in units of the objective; None where that isn't known.
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
    layers = chart.view["layer"]
    wide, free = _marks(in_order, [_text(stop, history) for stop in in_order], layers, extent)
    on_phone = replace(extent, width=WIDTH_ON_PHONE)
    narrow, _ = _marks(
        in_order,
        [f"{_shortened(stop.criterion, LONGEST_ON_PHONE)}: {stop.after}" for stop in in_order],
        layers,
        on_phone,
    )
    view, narrow_view = ({"encoding": {**encoding, "x": x}, "layer": [*layers, *marks]} for marks in (wide, narrow))
    return replace(chart, title=_finding(history, stops) or chart.title, view=view, narrow=narrow_view), free


def _finding(history: History, stops: Sequence[CriterionStop]) -> str:
    """Return what the earlier stops cost, in one sentence; empty where there are none."""
    total = history.searched
    earlier = {stop.after: stop.missed for stop in stops if stop.missed is not None and stop.after < total}
    costs = [
        (after, loss(missed, _best(history), LOSS_DIGITS) if missed else "nothing")
        for after, missed in sorted(earlier.items())[:MOST_NAMED]
    ]
    if not costs:
        return ""
    then = "".join(f", {cost} after {after}" for after, cost in costs[1:])
    of_best = "" if costs[0][1][-1].isdigit() else " of the best"  # not of a loss in units of the objective
    return f"Stopping after {costs[0][0]} of {total} training jobs costs {costs[0][1]}{of_best}{then}"


def _best(history: History) -> float | None:
    return history.incumbent.objective if history.incumbent else None


def _marks(
    stops: Sequence[CriterionStop], texts: Sequence[str], layers: Sequence[Plain], extent: Extent
) -> tuple[list[Plain], bool]:
    """Return a rule and a label for each stop, and whether no label covers anything."""
    labels = [
        Labelled(x=stop.after, lines=[text], letter=LETTER, gap=GAP) for stop, text in zip(stops, texts, strict=True)
    ]
    found, free = places(labels, layers, extent)
    marks: list[Plain] = []
    for stop, text, place in zip(stops, texts, found, strict=True):
        row = {"data": {"values": [{"x": stop.after, "level": place.level}]}}
        foot = {"y": quantitative("level", ""), "y2": {"value": "height" if extent.minimise else 0}}
        marks.append({**row, "mark": {"type": "rule", "color": GOOD, "strokeDash": [5, 3]}, "encoding": foot})
        side = {"align": "right", "dx": -GAP} if place.left else {"align": "left", "dx": GAP}
        label = {"type": "text", "text": text, **side, "fontSize": 11}
        marks.append({**row, "mark": label, "encoding": {"y": quantitative("level", "")}})
    return marks, free


def _text(stop: CriterionStop, history: History) -> str:
    return f"{_shortened(stop.criterion, LONGEST_NAME)}: {stop.after}{_loss(stop, history)}"


def _loss(stop: CriterionStop, history: History) -> str:
    if stop.missed is None:
        return ""
    return f", {loss(stop.missed, _best(history), LOSS_DIGITS)} worse" if stop.missed > 0 else ", nothing missed"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
