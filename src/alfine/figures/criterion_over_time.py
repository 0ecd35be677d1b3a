"""The chart of a number that a completion criterion judges by, over the course of a tuning job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alfine.core.wording import percent
from alfine.figures.chart import WIDTH, Chart
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import GOOD, MAIN
from alfine.figures.training_job_rows import (
    quantitative,
    whole_axis,
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
    lower = f"{title[:1].lower()}{title[1:]}"
    y = quantitative("y", lower, axis={"format": "~%"}, scale={"type": "log", "domain": [max(1e-4, least / 1.5), 1.0]})
    line: Plain = {
        "data": {"values": [{"y": threshold}]},
        "mark": {"type": "rule", "color": GOOD, "strokeDash": [5, 3]},
        "encoding": {"y": quantitative("y", lower), "x": {"value": 0}, "x2": {"value": "width"}},
    }
    crossed = next((each.after for each in samples if threshold and each.value <= threshold), None)
    after = "" if threshold is None else f", {'below' if crossed else 'never below'} {percent(threshold)}"
    return Chart(
        name=name,
        title=f"{title}: {percent(samples[-1].value)}{after}" + (f" after {crossed}" if crossed else ""),
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
                            {"field": "text", "type": "nominal", "title": lower},
                        ],
                    },
                },
                *([line] if threshold else []),
            ]
        },
    )
