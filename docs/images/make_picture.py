"""Draw the picture of the README: one recorded search, and where each completion criterion would have ended it.

    python docs/images/make_picture.py

The record, recorded.csv, is tuning job (c) of `make demo`: XGBoost on scikit-learn's diabetes data, 200 training jobs, seed 0. The criteria
judge it by the code that judges a running job. There are two files, one for light and one for dark pages.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import alfine

HERE = Path(__file__).parent
SPACE = {
    "eta": alfine.Continuous(0.01, 1, scaling="Logarithmic"),
    "min_child_weight": alfine.Integer(1, 100, scaling="Logarithmic"),
}
WIDTH, HEIGHT = 960, 440  # pixels
LEFT, RIGHT, TOP, BOTTOM = 72, 36, 92, 56  # margins of the plot
WORST = 55.2  # the largest rmse inside the frame
LEAST = 53.5  # the smallest
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Palette:
    """The colours of one of the two files; `criteria` has one for each stop, in order."""

    name: str
    paper: str
    border: str
    ink: str
    faint: str
    grid: str
    dot: str
    criteria: tuple[str, str, str]


LIGHT = Palette(
    "light", "#ffffff", "#d0d7de", "#1f2328", "#59636e", "#eaeef2", "#afb8c1", ("#0969da", "#bc4c00", "#1a7f37")
)
DARK = Palette(
    "dark", "#0d1117", "#30363d", "#e6edf3", "#9198a1", "#21262d", "#484f58", ("#58a6ff", "#f0883e", "#3fb950")
)


@dataclass(frozen=True)
class Stopped:
    """Where a criterion ends the search: after how many training jobs, with which best rmse, and how much worse than the last one's."""

    name: str
    training_jobs: int
    best: float
    worse: float  # share of the best of all

    @property
    def words(self) -> str:
        if not self.worse:
            return f"{self.training_jobs} training jobs, rmse {self.best:.2f}"
        return f"{self.training_jobs} training jobs, rmse {self.best:.2f} ({100 * self.worse:.2f} % worse)"


def searched() -> alfine.Tuner:
    """Return a Tuner that has observed the recorded training jobs."""
    with (HERE / "recorded.csv").open() as file:
        rows = list(csv.DictReader(file))
    tuner = alfine.Tuner(SPACE, goal="Minimize", metric="rmse", max_training_jobs=len(rows))
    for row in rows:
        point = {"eta": float(row["eta"]), "min_child_weight": int(row["min_child_weight"])}
        tuner.observe(point, float(row["objective"]), seconds=float(row["seconds"]))
    return tuner


def stops(tuner: alfine.Tuner) -> tuple[Stopped, ...]:
    """Return where each criterion would have ended the search, the last one being the whole budget."""
    values = objectives(tuner)
    criteria = {
        "BestObjectiveNotImproving 10": alfine.BestObjectiveNotImproving(10),
        "ConvergenceDetected": alfine.ConvergenceDetected(),
        f"MaxNumberOfTrainingJobs {len(values)}": alfine.MaxNumberOfTrainingJobs(len(values)),
    }
    ended = {name: tuner.replay([criterion]).training_jobs for name, criterion in criteria.items()}
    return tuple(
        Stopped(name, count, min(values[:count]), min(values[:count]) / min(values) - 1)
        for name, count in ended.items()
    )


def objectives(tuner: alfine.Tuner) -> list[float]:
    return [job.objective for job in tuner.training_jobs if job.objective is not None]


def drawn(values: Sequence[float], ends: Sequence[Stopped], colours: Palette) -> str:
    """Return the SVG."""
    parts = [
        *_frame(values, ends, colours),
        *_saved(values, ends, colours),
        *_search(values, colours),
        *_labels(values, ends, colours),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{_title(values, ends)}" font-family="{FONT}" font-size="14">'
    )
    return "\n".join([head, *parts, "</svg>", ""])


def _title(values: Sequence[float], ends: Sequence[Stopped]) -> str:
    detected = ends[1]
    saved = 1 - detected.training_jobs / len(values)
    return f"{detected.name}: {100 * saved:.0f} % of the training jobs saved, result {100 * detected.worse:.2f} % worse"


def _frame(values: Sequence[float], ends: Sequence[Stopped], colours: Palette) -> Iterator[str]:
    yield (
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="10" fill="{colours.paper}" '
        f'stroke="{colours.border}"/>'
    )
    yield _text(28, 38, _title(values, ends), colours.ink, size=18, weight=600)
    outside = sum(value > WORST for value in values)
    note = f"XGBoost on scikit-learn's diabetes data. Line: best rmse so far. Dots: training jobs ({outside} worse ones lie above)."
    yield _text(28, 62, note, colours.faint)
    for tick in (54.0, 54.5, 55.0):
        y = _y(tick)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{colours.grid}"/>'
        yield _text(LEFT - 12, y + 5, f"{tick:.1f}", colours.faint, anchor="end")
    for tick in range(0, len(values) + 1, 50):
        yield _text(_x(tick, values), HEIGHT - BOTTOM + 22, str(tick), colours.faint, anchor="middle")
    yield _text(WIDTH - RIGHT, HEIGHT - 14, "training jobs", colours.faint, anchor="end")
    yield f'<path d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}" stroke="{colours.border}"/>'


def _saved(values: Sequence[float], ends: Sequence[Stopped], colours: Palette) -> Iterator[str]:
    """The part of the budget that ConvergenceDetected doesn't use."""
    detected, colour = ends[1], colours.criteria[1]
    start, end = _x(detected.training_jobs, values), _x(len(values), values)
    yield (
        f'<rect x="{start:.1f}" y="{TOP}" width="{end - start:.1f}" height="{HEIGHT - BOTTOM - TOP}" fill="{colour}" '
        'fill-opacity="0.07"/>'
    )
    words = f"{len(values) - detected.training_jobs} training jobs saved"
    yield _text((start + end) / 2, HEIGHT - BOTTOM - 18, words, colour, anchor="middle", weight=600)


def _search(values: Sequence[float], colours: Palette) -> Iterator[str]:
    for number, value in enumerate(values, 1):
        if value <= WORST:
            yield f'<circle cx="{_x(number, values):.1f}" cy="{_y(value):.1f}" r="2.2" fill="{colours.dot}"/>'
    best = list(itertools.accumulate(values, min))
    first = next(number for number, value in enumerate(best, 1) if value <= WORST)
    path = f"M{_x(first, values):.1f} {TOP}"
    for number in range(first, len(values) + 1):
        path += f"H{_x(number, values):.1f}V{_y(best[number - 1]):.1f}"
    yield f'<path d="{path}" fill="none" stroke="{colours.ink}" stroke-width="2.5" stroke-linejoin="round"/>'


def _labels(values: Sequence[float], ends: Sequence[Stopped], colours: Palette) -> Iterator[str]:
    for place, (end, colour) in enumerate(zip(ends, colours.criteria, strict=True)):
        x, y, level = _x(end.training_jobs, values), _y(end.best), TOP + 18 + 62 * place
        last = end is ends[-1]
        yield f'<path d="M{x:.1f} {level - 12}V{y:.1f}" stroke="{colour}" stroke-width="1.5" stroke-dasharray="3 3"/>'
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{colour}" stroke="{colours.paper}" stroke-width="2"/>'
        anchor, place_x = ("end", x - 10) if last else ("start", x + 10)
        halo = f'paint-order="stroke" stroke="{colours.paper}" stroke-width="5" stroke-linejoin="round"'
        yield _text(place_x, level, end.name, colour, anchor=anchor, weight=600, more=halo)
        yield _text(place_x, level + 19, end.words, colours.ink, anchor=anchor, more=halo)


def _x(number: float, values: Sequence[float]) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * number / len(values)


def _y(value: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (WORST - value) / (WORST - LEAST)


def _text(
    x: float,
    y: float,
    words: str,
    colour: str,
    *,
    anchor: str = "start",
    size: int = 14,
    weight: int = 400,
    more: str = "",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
        f"{' ' + more if more else ''}>{words}</text>"
    )


def pictures() -> dict[Path, str]:
    """Return the text of each file."""
    tuner = searched()
    values, ends = objectives(tuner), stops(tuner)
    return {HERE / f"best-so-far-{colours.name}.svg": drawn(values, ends, colours) for colours in (LIGHT, DARK)}


if __name__ == "__main__":
    for file, text in pictures().items():
        file.write_text(text)
