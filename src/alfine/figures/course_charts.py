"""Charts of the course of a tuning job: learning curves, timeline by slot, cost, distribution of the results, the criteria over time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from alfine.core import cost
from alfine.core.history import History
from alfine.core.training_job import TrainingJob
from alfine.core.wording import count_of, duration, number, percent, short
from alfine.figures.best_so_far import frame_of
from alfine.figures.chart import WIDTH, Chart, Plain
from alfine.figures.theme import BEST, COLOURS, FAINT, GOOD, MAIN, SEQUENCE
from alfine.figures.training_job_rows import (
    hyperparameter_fields,
    objective_title,
    quantitative,
    tooltip_of,
    training_job_row,
    whole_axis,
)

MOST_CURVES = 300
"""Learning curves that are drawn: the best, and the latest of the others."""

SHARE_SHOWN = 0.9
"""Share of the values of learning curves, and of the objectives of a distribution, that lie inside the frame."""

MOST_VALUES = 200
"""Values of a learning curve that are drawn."""

MOST_BARS = 3000
"""Training jobs in a timeline: the latest."""

MOST_AXES = 12
"""Hyperparameters in a figure of parallel coordinates."""

MOST_LINES = 500
"""Training jobs in a figure of parallel coordinates: the best, and the latest of the others."""

SLOT_HEIGHT = 18
"""Height of a slot in a timeline, in pixels."""


def learning_curves(history: History) -> Chart:
    """Return the chart of all learning curves, those that were stopped early marked."""
    metric = history.spec.metric
    jobs = _best_and_latest(history, [j for j in history.jobs if len(j.curve(metric)) > 1], MOST_CURVES)
    if not jobs:
        empty = "No training job has reported its objective more than once."
        return Chart(name="learning-curves", title="Learning curves", empty=empty)
    fields = hyperparameter_fields([history])
    rows = [row for job in jobs for row in _curve_rows(job, metric, fields)]
    ends = [row for job in jobs if job.status == "Stopped" for row in _curve_rows(job, metric, fields)[-1:]]
    values = np.sort([history.sign * row["y"] for row in rows])
    low, high = float(values[0]), float(np.quantile(values, SHARE_SHOWN))
    room = 0.04 * ((high - low) or abs(low) or 1.0)
    domain = [low - room, high + room] if history.sign > 0 else [-high - room, -low + room]
    best = history.incumbent
    stopped = sum(job.status == "Stopped" for job in history.finished)
    colour = {
        "condition": {"test": f"datum.job === {best.number if best else 0}", "value": BEST},
        "value": MAIN,
    }
    heavy = {"condition": {"test": f"datum.job === {best.number if best else 0}", "value": 1.0}, "value": 0.28}
    x = quantitative("x", "value of the metric", axis=whole_axis())
    y = quantitative("y", objective_title(history), scale={"domain": domain, "zero": False, "nice": False})
    return Chart(
        name="learning-curves",
        title=f"{count_of(len(jobs), 'learning curve')}, {stopped} of {history.ended} training jobs stopped early",
        notes=("Orange: the best training job. ×: where a training job was stopped.",),
        view={
            "encoding": {"x": x, "y": y, "tooltip": tooltip_of(metric, fields)},
            "layer": [
                {
                    "data": {"values": rows},
                    "mark": {"type": "line", "strokeWidth": 1.3, "clip": True},
                    "encoding": {
                        "detail": {"field": "job", "type": "nominal"},
                        "color": colour,
                        "opacity": heavy,
                    },
                },
                {
                    "data": {"values": ends},
                    "mark": {"type": "text", "text": "×", "fontSize": 13, "color": FAINT, "clip": True},
                },
            ],
        },
    )


def _curve_rows(job: TrainingJob, metric: str, fields: Mapping[str, str]) -> list[Plain]:
    curve = job.curve(metric)
    every = max(1, -(-len(curve) // MOST_VALUES))
    row = training_job_row(job, fields)
    shown = [(at, value) for at, value in enumerate(curve, 1) if at % every == 0 or at in (1, len(curve))]
    return [{**row, "x": at, "y": value, "value": number(value)} for at, value in shown]


def _best_and_latest(history: History, jobs: Sequence[TrainingJob], most: int) -> list[TrainingJob]:
    if len(jobs) <= most:
        return list(jobs)
    valued = sorted((j for j in jobs if j.objective is not None), key=lambda j: history.sign * (j.objective or 0.0))
    chosen = {job.number for job in valued[: most // 2]}
    for job in reversed(jobs):
        if len(chosen) >= most:
            break
        chosen.add(job.number)
    return [job for job in jobs if job.number in chosen]


def parallel_coordinates(history: History) -> Chart:
    """Return the chart of all configurations, each a line across the hyperparameters, coloured by its objective.

    Args:
        history: The tuning job; of one definition, where it has several.
    """
    names = list(history.spec.space.names)[:MOST_AXES]
    valued = [j for j in history.finished if j.objective is not None]
    jobs = _best_and_latest(history, valued, MOST_LINES)
    if not jobs:
        empty = "No training job has an objective yet."
        return Chart(name="parallel-coordinates", title="Configurations", empty=empty)
    fields = hyperparameter_fields([history])
    ranks = {job.number: i for i, job in enumerate(sorted(jobs, key=lambda j: history.sign * (j.objective or 0.0)))}
    worst, best = (max, min) if history.sign > 0 else (min, max)
    ends = tuple(number(end(job.objective or 0.0 for job in jobs)) for end in (worst, best))
    axes = [*names, history.spec.metric]
    rows = []
    for job in sorted(jobs, key=lambda job: -ranks[job.number]):
        place = 1.0 - ranks[job.number] / max(1, len(jobs) - 1)
        row = {**training_job_row(job, fields), "rank": place}
        for i, name in enumerate(names):
            if name in job.hyperparameters:
                height = float(history.spec.space.ranges[name].to_unit(job.hyperparameters[name]))
                rows.append({**row, "axis": i, "place": height})
        rows.append({**row, "axis": len(names), "place": place})
    labels = [
        {"axis": i, "place": end, "text": text}
        for i, name in enumerate(names)
        for end, text in zip((0.0, 1.0), _ends_of(history, name), strict=True)
    ]
    labels += [
        {"axis": len(names), "place": 0.0, "text": ends[0]},
        {"axis": len(names), "place": 1.0, "text": ends[1]},
    ]
    expression = " : ".join(f"datum.value === {i} ? {_quoted(name)}" for i, name in enumerate(axes)) + " : ''"
    x = quantitative(
        "axis",
        "",
        scale={"domain": [0, len(names)], "nice": False},
        axis={
            "values": list(range(len(axes))),
            "labelExpr": expression,
            "grid": True,
            "orient": "top",
            "labelLimit": 110,
        },
    )
    y = quantitative("place", "", axis=None, scale={"domain": [-0.04, 1.04], "nice": False})
    colour = quantitative("rank", history.spec.metric, legend=None, scale={"scheme": SEQUENCE, "domain": [0, 1]})
    left = len(history.spec.space.names) - len(names)
    return Chart(
        name="parallel-coordinates",
        title=f"{count_of(len(jobs), 'configuration')}, the better the lighter",
        notes=tuple(
            [
                "Each line is a training job; every axis has the scale of its range; the last one ranks the objectives, the best at the top."
            ]
            + ([f"{left} more hyperparameters aren't shown."] if left else [])
        ),
        view={
            "encoding": {"x": x, "y": y},
            "layer": [
                {
                    "data": {"values": rows},
                    "mark": {"type": "line", "strokeWidth": 1.4, "opacity": 0.55},
                    "encoding": {
                        "detail": {"field": "job", "type": "nominal"},
                        "color": colour,
                        "tooltip": tooltip_of(history.spec.metric, fields),
                    },
                },
                {
                    "data": {"values": labels},
                    "mark": {"type": "text", "fontSize": 10, "align": "left", "dx": 4},
                    "encoding": {"text": {"field": "text", "type": "nominal"}},
                },
            ],
        },
    )


def _quoted(text: str) -> str:
    """Return a text as a constant of Vega's expressions: every character outside of letters and digits is escaped."""
    return (
        "'"
        + "".join(c if c.isascii() and c.isalnum() else "".join(f"\\u{u:04x}" for u in _units(c)) for c in text)
        + "'"
    )


def _units(character: str) -> Iterator[int]:
    """Yield the UTF-16 units of a character."""
    data = character.encode("utf-16-be", "surrogatepass")
    yield from (int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))


def _ends_of(history: History, name: str) -> tuple[str, str]:
    range_ = history.spec.space.ranges[name]
    return short(range_.from_unit(0.0)), short(range_.from_unit(1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """A training job in its slot, with its times in seconds since the creation of the tuning job."""

    job: TrainingJob
    slot: int
    launched: float
    started: float
    ended: float


def timeline(history: History) -> Chart:
    """Return the chart of when each training job ran, by slot, with what it waited for its start."""
    bars = _bars(history)[-MOST_BARS:]
    if not bars:
        return Chart(name="timeline", title="Timeline", empty="No training job was launched yet.")
    slots = max(bar.slot for bar in bars)
    fields = hyperparameter_fields([history])
    rows = [
        {
            **training_job_row(bar.job, fields),
            "slot": bar.slot,
            "launched": bar.launched,
            "started": bar.started,
            "ended": bar.ended,
            "took": duration(bar.ended - bar.started),
        }
        for bar in bars
    ]
    span = max(bar.ended for bar in bars) - min(bar.launched for bar in bars)
    busy = sum(bar.ended - bar.started for bar in bars)
    waited = sum(bar.started - bar.launched for bar in bars)
    y = {"field": "slot", "type": "ordinal", "title": "slot"}
    known = {"Completed": MAIN, "Stopped": COLOURS[4], "Failed": BEST, "InProgress": GOOD, "Stopping": COLOURS[4]}
    seen = {bar.job.status for bar in bars}
    colours = {status: colour for status, colour in known.items() if status in seen}
    colour = {
        "field": "status",
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(colours), "range": list(colours.values())},
    }
    tip = [*tooltip_of(history.spec.metric, fields), {"field": "took", "type": "nominal", "title": "training time"}]
    return Chart(
        name="timeline",
        title=f"{count_of(slots, 'slot')}, training for {percent(busy / (span * slots) if span else 1.0)} of the time",
        notes=(f"Grey: from the launch of a training job to its start, {duration(waited)} in all.",),
        size=(WIDTH, SLOT_HEIGHT * slots + 20),
        view={
            "data": {"values": rows},
            "encoding": {"y": y, "tooltip": tip},
            "layer": [
                {
                    "mark": {"type": "bar", "color": FAINT, "opacity": 0.4, "height": 4},
                    "encoding": {
                        "x": quantitative("launched", "seconds since the tuning job's creation"),
                        "x2": {"field": "started"},
                    },
                },
                {
                    "mark": {"type": "bar", "height": {"band": 0.75}, "stroke": "white", "strokeWidth": 0.5},
                    "encoding": {
                        "x": quantitative("started", "seconds since the tuning job's creation"),
                        "x2": {"field": "ended"},
                        "color": colour,
                    },
                },
            ],
        },
    )


def _bars(history: History) -> list[_Bar]:
    """Return each training job in the first slot that is free at its launch."""

    def since(at: datetime | None) -> float:
        return ((at or history.now) - history.created_at).total_seconds()

    free_from: list[float] = []
    bars = []
    for job in history.jobs:
        launched, ended = since(job.created_at), since(job.ended_at)
        slot = next((i for i, free in enumerate(free_from) if free <= launched), len(free_from))
        free_from[slot : slot + 1] = [ended]
        started = min(since(job.started_at), ended) if job.started_at or not job.running else launched
        bars.append(_Bar(job=job, slot=slot + 1, launched=launched, started=max(started, launched), ended=ended))
    return bars


def cost_curve(history: History) -> Chart:
    """Return the chart of the best objective so far by training time, or by money where the tuning job has a price."""
    curve = history.best_curve()
    if not curve:
        return Chart(name="cost", title="Best objective by cost", empty="No training job has an objective yet.")
    price = history.spec.price_per_hour
    total, spent = 0.0, {}
    for job in history.finished:
        total += job.seconds * history.spec.of(job.definition).definition.instance_count
        spent[job.number] = total / cost.HOUR * price if price else total
    rows: list[Plain] = [
        {"x": spent[job.number], "y": best, "job": job.number, "best": number(best)} for job, best in curve
    ]
    title = "cost in USD" if price else "training time of all instances in seconds"
    reached = next(row["x"] for row in rows if row["y"] == rows[-1]["y"])
    whole = spent[history.finished[-1].number]
    share = percent(reached / whole if whole else 1.0)
    y = quantitative("y", objective_title(history), scale={"zero": False, "domain": _course_domain(history, rows)})
    return Chart(
        name="cost",
        title=f"The best objective was reached after {share} of the cost so far",
        notes=("Line: best so far.",),
        view={
            "data": {"values": rows},
            "mark": {"type": "line", "interpolate": "step-after", "color": MAIN, "clip": True},
            "encoding": {
                "x": quantitative("x", title),
                "y": y,
                "tooltip": [
                    {"field": "job", "type": "nominal", "title": "training job"},
                    {"field": "best", "type": "nominal", "title": "best so far"},
                ],
            },
        },
    )


def _course_domain(history: History, rows: Sequence[Plain]) -> list[float]:
    jobs = [job for job in history.finished if job.objective is not None]
    low, high = frame_of(jobs, history.sign, history.sign * rows[-1]["y"])
    return [low, high] if history.sign > 0 else [-high, -low]


def distribution(histories: Mapping[str, History]) -> Chart:
    """Return the chart of the share of training jobs with at least an objective so good: the empirical distribution.

    Args:
        histories: Tuning jobs by label; the label of a single one may be empty.
    """
    rows: list[Plain] = []
    for label, history in histories.items():
        sorted_values = np.sort([history.sign * j.objective for j in history.finished if j.objective is not None])
        if len(sorted_values):
            shares = np.arange(1, len(sorted_values) + 1) / len(sorted_values)
            rows += [
                {
                    "x": float(history.sign * v),
                    "y": float(s),
                    "label": label or history.spec.metric,
                    "share": percent(float(s)),
                }
                for v, s in zip(sorted_values, shares, strict=True)
            ]
    if not rows:
        empty = "No training job has an objective yet."
        return Chart(name="distribution", title="Distribution of the objectives", empty=empty)
    first = next(iter(histories.values()))
    values = np.array([first.sign * row["x"] for row in rows])
    low, high = float(values.min()), float(np.quantile(values, SHARE_SHOWN))
    domain = [low, high] if first.sign > 0 else [-high, -low]
    median = first.sign * float(np.median(values))
    several: Plain = {"color": {"field": "label", "type": "nominal", "title": None}} if len(histories) > 1 else {}
    return Chart(
        name="distribution",
        title=f"Half of the training jobs reach {number(median)} or better",
        notes=("Height: the share of training jobs with this objective or a better one.",),
        view={
            "data": {"values": rows},
            "mark": {"type": "line", "interpolate": "step-after" if first.sign > 0 else "step-before", "clip": True},
            "encoding": {
                "x": quantitative("x", objective_title(first), scale={"domain": domain, "nice": False, "zero": False}),
                "y": quantitative("y", "share of training jobs", axis={"format": ".0%"}, scale={"domain": [0, 1]}),
                "tooltip": [
                    {"field": "label", "type": "nominal", "title": "tuning job"},
                    {"field": "share", "type": "nominal", "title": "share"},
                ],
                **several,
            },
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueAfter:
    """A number that a completion criterion judged by, when so many training jobs had ended.

    Attributes:
        after: Training jobs that had ended.
        value: The number, for example a probability.
    """

    after: int
    value: float


def over_time(name: str, title: str, samples: Sequence[ValueAfter], threshold: float | None, empty: str) -> Chart:
    """Return the chart of a probability that a criterion judges by, over the course of the tuning job, with its threshold.

    Args:
        name: The chart's name.
        title: What the number is.
        samples: The number over time.
        threshold: The criterion is met below it; None where it has none.
        empty: What it waits for, where there are no samples.
    """
    if not samples:
        return Chart(name=name, title=title, empty=empty)
    rows = [{"x": each.after, "y": each.value, "text": percent(each.value)} for each in samples]
    least = min([each.value for each in samples] + ([threshold] if threshold else []))
    y = quantitative("y", title, axis={"format": "~%"}, scale={"type": "log", "domain": [max(1e-4, least / 1.5), 1.0]})
    line: Plain = {
        "data": {"values": [{"y": threshold}]},
        "mark": {"type": "rule", "color": GOOD, "strokeDash": [5, 3]},
        "encoding": {"y": quantitative("y", title), "x": {"value": 0}, "x2": {"value": "width"}},
    }
    crossed = next((each.after for each in samples if threshold and each.value <= threshold), None)
    after = "" if threshold is None else f", {'below' if crossed else 'never below'} {percent(threshold)}"
    return Chart(
        name=name,
        title=f"{title[:1].upper()}{title[1:]}: {percent(samples[-1].value)}{after}"
        + (f" after {crossed}" if crossed else ""),
        notes=("Dashed: the criterion's threshold.",) if threshold else (),
        size=(WIDTH, 240),
        view={
            "layer": [
                {
                    "data": {"values": rows},
                    "mark": {"type": "line", "color": MAIN, "point": {"size": 20, "color": MAIN}, "clip": True},
                    "encoding": {
                        "x": quantitative("x", "training jobs ended", axis=whole_axis()),
                        "y": y,
                        "tooltip": [
                            {"field": "x", "type": "nominal", "title": "training jobs ended"},
                            {"field": "text", "type": "nominal", "title": title},
                        ],
                    },
                },
                *([line] if threshold else []),
            ]
        },
    )


COMPARED_BY = {
    "jobs": "training jobs ended",
    "seconds": "training time in seconds",
    "wall": "seconds since the creation of the tuning job",
    "money": "cost in USD",
}
"""What tuning jobs are compared over."""


def comparison(histories: Mapping[str, History], *, by: str = "jobs") -> Chart:
    """Return the chart of several tuning jobs' best objective so far over training jobs, training time, wall time or money.

    Args:
        histories: Tuning jobs by label.
        by: A key of COMPARED_BY.
    """
    rows = [row for label, history in histories.items() for row in _course(label, history, by)]
    if not rows:
        empty = "No tuning job has a price." if by == "money" else "No training job has an objective yet."
        return Chart(name=f"comparison-by-{by}", title="Comparison", empty=empty)
    shown = {row["label"]: row for row in rows}
    first = next(iter(histories.values()))
    best = min(shown.values(), key=lambda row: first.sign * row["y"])
    jobs = [j for history in histories.values() for j in history.finished if j.objective is not None]
    low, high = frame_of(jobs, first.sign, max(first.sign * row["y"] for row in shown.values()))
    domain = [low, high] if first.sign > 0 else [-high, -low]
    same = {"field": "label", "type": "nominal", "title": None, "sort": None}
    return Chart(
        name=f"comparison-by-{by}",
        title=f"{best['label']} has the best objective, {number(best['y'])}",
        notes=("Lines: best so far.",),
        view={
            "data": {"values": rows},
            "mark": {"type": "line", "interpolate": "step-after", "clip": True},
            "encoding": {
                "x": quantitative("x", COMPARED_BY[by]),
                "y": quantitative("y", objective_title(first), scale={"domain": domain, "nice": False, "zero": False}),
                "color": same,
                "strokeDash": {**same, "legend": None},
                "tooltip": [
                    {"field": "label", "type": "nominal", "title": "tuning job"},
                    {"field": "best", "type": "nominal", "title": "best so far"},
                    {"field": "at", "type": "nominal", "title": COMPARED_BY[by]},
                ],
            },
        },
    )


def _course(label: str, history: History, by: str) -> Iterator[Plain]:
    """Yield the best objective so far of a tuning job, over what it is compared by."""
    price = history.spec.price_per_hour
    if by == "money" and not price:
        return
    best = {job.number: value for job, value in history.best_curve()}
    counts = itertools.count(1)
    seconds = 0.0
    for job, count in zip(history.finished, counts, strict=False):
        seconds += job.seconds * history.spec.of(job.definition).definition.instance_count
        wall = ((job.ended_at or history.now) - history.created_at).total_seconds()
        x = {"jobs": float(count), "seconds": seconds, "wall": wall, "money": seconds / cost.HOUR * (price or 0.0)}[by]
        if job.number in best:
            value = best[job.number]
            yield {"label": label, "x": x, "y": value, "best": number(value), "at": short(x)}
