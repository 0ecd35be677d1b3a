"""The best objective so far by number of ended training jobs: of one tuning job with its forecast and its criteria, or of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from alfine.core.facts import Changed, Ended
from alfine.core.history import History
from alfine.core.training_job import TrainingJob
from alfine.core.wording import number
from alfine.figures.best_so_far import ROOM_ABOVE
from alfine.figures.chart import Chart
from alfine.figures.criterion_stops import CriterionStop, marked
from alfine.figures.curve_layout import WIDTH_OF_LETTER, Curve, Layout, end_text, layout_of
from alfine.figures.label_places import LINE, Extent, Labelled, LabelPlace, places
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import BEST, FAINT, MAIN
from alfine.figures.training_job_rows import (
    hyperparameter_fields,
    quantitative,
    tooltip_of,
    training_job_row,
    whole_axis,
)

GAP = 7.0
"""Distance of a label from the rule of its curve's end, in pixels."""

SHARE_ON_THE_RIGHT = 0.6
"""Share of the training jobs from which on «changed» stands on the left of its line, so that it isn't cut off."""

ROOMS = (ROOM_ABOVE, 0.5, 0.7, 1.0)
"""Rooms for labels that are tried until none covers a mark, in heights of what is shown."""

MOST_DOTS = 600
"""Training jobs of a curve that have a dot; of more, every second, third, …"""


def best_so_far(
    histories: Mapping[str, History],
    *,
    title: str | None = None,
    forecast: Mapping[str, Any] | None = None,
    stops: Sequence[CriterionStop] = (),
) -> Chart:
    """Return the chart of the best objective so far.

    Args:
        histories: Tuning jobs by label, in the order of their colours; the label of a single one may be empty.
        title: The title; None writes what the figure finds.
        forecast: Of a single tuning job that runs: `Forecast.as_dict`.
        stops: Where which criterion ends the first tuning job.
    """
    for room in (*ROOMS, ROOMS[0]):  # the first again where labels cover marks in each
        layout = layout_of(histories, title, room)
        if not layout.curves:
            return Chart(
                name="best-so-far", title="Best objective so far", empty="No training job has an objective yet."
            )
        chart, ends_are_free = _drawn(histories, layout, forecast)
        found, free = marked(chart, next(iter(histories.values())), stops)
        if ends_are_free and free:
            break
    return found if title is None else replace(found, title=title)


def _drawn(histories: Mapping[str, History], layout: Layout, forecast: Mapping[str, Any] | None) -> tuple[Chart, bool]:
    """Return the chart without stops, and whether no label covers anything."""
    fields, first = hyperparameter_fields(histories.values()), next(iter(histories.values()))
    layers = [
        *_forecast(first, forecast),
        *_changes(first if len(histories) == 1 else None),
        *(layer for curve in layout.curves for layer in _curve(curve, fields, layout)),
        *_failed(histories),
    ]
    x = quantitative("x", "training jobs ended", axis=whole_axis())
    x_domain = [layout.x_range[0], max(layout.x_range[1], _last(histories, forecast))]
    x["scale"] = {"domain": x_domain, "nice": False}
    domain = _reach(layout, first, forecast)
    y = quantitative("y", layout.y_label, scale={"domain": domain, "nice": False, "zero": False})
    free = True
    if len(layout.curves) == 1 and not layout.curves[0].label:
        layers.append(_best(layout.curves[0], fields, layout, first.incumbent))
    else:
        labels = [
            Labelled(x=curve.end[0], lines=end_text(curve), letter=WIDTH_OF_LETTER, gap=GAP) for curve in layout.curves
        ]
        found, free = places(labels, layers, Extent(x=x_domain, y=domain, minimise=layout.minimise))
        layers += [mark for curve, place in zip(layout.curves, found, strict=True) for mark in _end(curve, place)]
    chart = Chart(
        name="best-so-far",
        title=layout.title,
        notes=(layout.note, *_notes(histories, forecast)),
        view={"encoding": {"x": x, "y": y}, "layer": layers},
    )
    return chart, free


def _notes(histories: Mapping[str, History], forecast: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield how to read the marks that the figure has."""
    statuses = {job.status for history in histories.values() for job in history.finished}
    if "Stopped" in statuses:
        yield "Diamonds: stopped before their end."
    if any(layer["data"]["values"] for layer in _failed(histories)):
        yield "× at the foot: no objective."
    if (forecast or {}).get("TrainingJobs"):
        yield "Shaded: when the job will end (90 %)."
    if (forecast or {}).get("Gain"):
        yield "Cone: the best that the rest of the budget may reach (90 %)."


def _failed(histories: Mapping[str, History]) -> Iterator[Plain]:
    """Yield the training jobs of a single tuning job that have no objective, at the foot of the figure."""
    if len(histories) != 1:
        return
    (history,) = histories.values()
    rows = [{"x": at, "name": job.name} for at, job in enumerate(history.finished, 1) if job.objective is None]
    if 0 < len(rows) <= MOST_DOTS:
        yield {
            "data": {"values": rows},
            "mark": {"type": "text", "text": "×", "fontSize": 12, "dy": -6},
            "encoding": {"y": {"value": "height"}},
        }


def _curve(curve: Curve, fields: Mapping[str, str], layout: Layout) -> Iterator[Plain]:
    low, high = layout.y_range
    shown = [(at, job) for at, job in curve.jobs if low <= (job.objective or 0.0) <= high]
    shown = shown[:: max(1, -(-len(shown) // MOST_DOTS))]
    rows = [{"x": at, "y": job.objective, **training_job_row(job, fields)} for at, job in shown]
    yield {
        "data": {"values": rows},
        "mark": {"type": "point", "color": curve.colour, "opacity": 0.35, "size": 28, "clip": True},
        "encoding": {
            "tooltip": tooltip_of(layout.metrics, fields),
            "shape": {"condition": {"test": "datum.status === 'Completed'", "value": "circle"}, "value": "diamond"},
        },
    }
    line = [{"x": x, "y": y, "label": curve.label, "best": number(y)} for x, y in zip(curve.x, curve.best, strict=True)]
    lines = [("label", "tuning job"), ("x", "training jobs ended"), ("best", "best so far")]
    yield {
        "data": {"values": line},
        "mark": {
            "type": "line",
            "interpolate": "step-after",
            "color": curve.colour,
            "strokeWidth": 0.85 * curve.width,
            "clip": True,
        },
        "encoding": {"tooltip": [{"field": f, "type": "nominal", "title": t} for f, t in lines[not curve.label :]]},
    }


def _best(curve: Curve, fields: Mapping[str, str], layout: Layout, incumbent: TrainingJob | None) -> Plain:
    """Return the mark of the best training job: by its mean where the best were run again, which may not be the one with the best result."""
    best = [(at, job) for at, job in curve.jobs if incumbent is not None and job.number == incumbent.number]
    at, job = best[0] if best else next((at, job) for at, job in curve.jobs if job.objective == curve.best[-1])
    return {
        "data": {"values": [{"x": at, "y": job.objective, **training_job_row(job, fields)}]},
        "mark": {"type": "point", "color": BEST, "size": 130, "shape": "circle", "opacity": 1},
        "encoding": {"tooltip": tooltip_of(layout.metrics, fields)},
    }


def _end(curve: Curve, place: LabelPlace) -> Iterator[Plain]:
    x, y = curve.end
    row = {"data": {"values": [{"x": x, "y": y, "level": place.level}]}}
    yield {
        **row,
        "mark": {"type": "rule", "color": curve.colour, "strokeDash": [2, 3]},
        "encoding": {"y": quantitative("y", ""), "y2": {"field": "level"}},
    }
    yield {
        **row,
        "mark": {
            "type": "point",
            "color": curve.colour,
            "shape": curve.shape,
            "size": 120,
            "stroke": "white",
            "opacity": 1,
        },
    }
    for line, text in enumerate(end_text(curve)):
        yield {
            **row,
            "mark": {
                "type": "text",
                "text": text,
                "align": "right" if place.left else "left",
                "dx": -GAP if place.left else GAP,
                "dy": LINE * (line - 0.5),
                "color": curve.colour,
                "fontWeight": "bold" if line == 0 else "normal",
                "fontSize": 12,
            },
            "encoding": {"y": quantitative("level", "")},
        }


def _last(histories: Mapping[str, History], forecast: Mapping[str, Any] | None) -> float:
    """Return the right end of the x-axis that the forecast needs."""
    jobs = (forecast or {}).get("TrainingJobs")
    return 0.0 if not jobs else next(iter(histories.values())).ended + 1.05 * float(jobs["High"])


def _reach(layout: Layout, history: History, forecast: Mapping[str, Any] | None) -> list[float]:
    """Return the range of the y-axis, with room for what the rest of the budget is expected to gain."""
    gain, best = (forecast or {}).get("Gain"), history.incumbent
    low, high = layout.y_range
    if not gain or best is None or best.objective is None:
        return [low, high]
    hoped = best.objective - history.sign * 1.3 * gain["Middle"]
    return [min(low, hoped), max(high, hoped)]


def _forecast(history: History, forecast: Mapping[str, Any] | None) -> Iterator[Plain]:
    """Yield when the job will probably end, and what its whole budget would still gain."""
    jobs, gain, best = (forecast or {}).get("TrainingJobs"), (forecast or {}).get("Gain"), history.incumbent
    if forecast is None or best is None or best.objective is None:
        return
    now = history.ended
    if jobs:
        yield {
            "data": {"values": [{"x": now + jobs["Low"], "to": now + jobs["High"]}]},
            "mark": {"type": "rect", "color": MAIN, "opacity": 0.1},
            "encoding": {"x2": {"field": "to"}, "y": {"value": 0}, "y2": {"value": "height"}},
        }
        yield {
            "data": {"values": [{"x": now + jobs["Middle"]}]},
            "mark": {"type": "rule", "color": MAIN, "strokeDash": [2, 2]},
            "encoding": {"y": {"value": 0}, "y2": {"value": "height"}},
        }
        text = {"type": "text", "text": "likely end", "align": "right", "dx": -4, "fontSize": 11}
        yield {
            "data": {"values": [{"x": now + jobs["Middle"]}]},
            "mark": text,
            "encoding": {"y": {"value": 10}},
        }
    if gain:
        end = now + (float(jobs["High"]) if jobs else float(forecast["Remaining"]))
        levels = {key: best.objective - history.sign * gain[key] for key in ("Low", "Middle", "High")}
        band = [
            {"x": now, "y": best.objective, "low": best.objective, "high": best.objective},
            {"x": end, "y": levels["Middle"], "low": levels["Low"], "high": levels["High"]},
        ]
        yield {
            "data": {"values": band},
            "mark": {"type": "area", "color": MAIN, "opacity": 0.15, "clip": True},
            "encoding": {"y": quantitative("low", ""), "y2": {"field": "high"}},
        }
        yield {"data": {"values": band}, "mark": {"type": "line", "color": MAIN, "strokeDash": [4, 4], "clip": True}}


def _changes(history: History | None) -> Iterator[Plain]:
    """Yield a line where the user changed limits or criteria."""
    ended, rows = 0, []
    for fact in () if history is None else history.facts:
        ended += isinstance(fact, Ended)
        if isinstance(fact, Changed):
            rows.append({"x": ended + 0.5})
    if not rows:
        return
    span = {"y": {"value": 0}, "y2": {"value": "height"}}
    yield {"data": {"values": rows}, "mark": {"type": "rule", "color": FAINT}, "encoding": span}
    late = [row["x"] > SHARE_ON_THE_RIGHT * ended for row in rows]
    for side, dx, is_left in (("left", 4, False), ("right", -4, True)):
        if beside := [row for row, is_late in zip(rows, late, strict=True) if is_late is is_left]:
            yield {
                "data": {"values": beside},
                "mark": {"type": "text", "text": "changed", "align": side, "dx": dx, "fontSize": 11},
                "encoding": {"y": {"value": 24}},
            }
