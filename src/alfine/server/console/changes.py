"""What users changed of a job, in words: each change against what was asked for before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from alfine.core.errors import InvalidSpec
from alfine.core.history import Changed, Ended, History, TuningJobStopAsked
from alfine.core.wording import duration
from alfine.server.console.change_form import Fields, fields_of

NAMES = {
    "max_training_jobs": "training jobs at most",
    "max_parallel": "at once",
    "max_runtime_seconds": "time",
    "early_stopping": "early stopping",
    "at_end": "at the end",
    "repeats": "the best again",
    "price_per_hour": "price an hour",
    "target": "target",
    "patience": "training jobs without improvement",
    "strict": "any improvement counts",
    "convergence": "convergence",
    "epsilon": "epsilon",
    "delta": "delta",
    "others": "other criteria",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """training_jobs: how many had ended by then."""

    at: datetime
    training_jobs: int
    words: tuple[str, ...]


def changes(history: History) -> list[Change]:
    """Changes and stops that were asked for, the oldest first."""
    return list(_changes(history))


def _changes(history: History) -> Iterator[Change]:
    spec, ended = history.first_spec, 0
    for fact in history.facts:
        match fact:
            case Ended():
                ended += 1
            case TuningJobStopAsked():
                yield Change(at=fact.at, training_jobs=ended, words=("asked to stop",))
            case Changed():
                try:
                    words = tuple(_words(fields_of(spec), fields_of(fact.spec)))
                except InvalidSpec:  # a criterion of a package that isn't here any more
                    words = ()
                yield Change(at=fact.at, training_jobs=ended, words=words or ("gone on with",))
                spec = fact.spec


def _words(before: Fields, after: Fields) -> Iterator[str]:
    for key, name in NAMES.items():
        was, became = before[key], after[key]
        if was == became:
            continue
        if key == "max_runtime_seconds":
            was, became = (duration(float(each)) if each else "" for each in (was, became))
        was, became = (each.replace("\n", "; ") for each in (was, became))
        yield f"{name} {became}, was {was or 'not set'}" if became else f"{name} taken away, was {was}"
