"""The chart of when each training job ran, by slot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from alfine.core.history import History
from alfine.core.training_job import TrainingJob
from alfine.core.wording import count_of, duration, percent
from alfine.figures.chart import WIDTH, Chart
from alfine.figures.svg_layer import Plain
from alfine.figures.theme import BEST, COLOURS, FAINT, GOOD, MAIN
from alfine.figures.training_job_rows import (
    hyperparameter_fields,
    quantitative,
    tooltip_of,
    training_job_row,
)

MOST_BARS = 3000
"""Training jobs in a timeline: the latest."""

WORDS = {"InProgress": "In progress"}
"""Statuses in words, where these differ."""

SLOT_HEIGHT = 18
"""Height of a slot in a timeline, in pixels."""


def timeline(history: History) -> Chart:
    """Return the chart of when each training job ran, by slot, with what it waited for its start."""
    bars = _bars(history)[-MOST_BARS:]
    if not bars:
        return Chart(name="timeline", title="Timeline", empty="No training job was launched yet.")
    slots = max(bar.slot for bar in bars)
    fields = hyperparameter_fields([history])
    span = max(bar.ended for bar in bars) - min(bar.launched for bar in bars)
    busy = sum(bar.ended - bar.started for bar in bars)
    waited = sum(bar.started - bar.launched for bar in bars)
    y = {"field": "slot", "type": "ordinal", "title": "slot"}
    known = {"Completed": MAIN, "Stopped": COLOURS[4], "Failed": BEST, "InProgress": GOOD, "Stopping": COLOURS[4]}
    seen = {bar.job.status for bar in bars}
    colours = {WORDS.get(status, status): colour for status, colour in known.items() if status in seen}
    colour = {
        "field": "state",
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
            "data": {"values": [_row(bar, fields) for bar in bars]},
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """A training job in its slot, with its times in seconds since the creation of the tuning job."""

    job: TrainingJob
    slot: int
    launched: float
    started: float
    ended: float


def _row(bar: _Bar, fields: Mapping[str, str]) -> Plain:
    return {
        **training_job_row(bar.job, fields),
        "state": WORDS.get(bar.job.status, bar.job.status),
        "slot": bar.slot,
        "launched": bar.launched,
        "started": bar.started,
        "ended": bar.ended,
        "took": duration(bar.ended - bar.started),
    }


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
