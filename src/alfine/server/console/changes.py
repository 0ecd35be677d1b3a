"""The changes that users made to a running or ended job, each with the value before and after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from alfine.core.errors import InvalidSpec
from alfine.core.facts import Changed, Ended, TuningJobStopAsked
from alfine.core.fields import FIELDS
from alfine.core.history import History
from alfine.core.wording import duration
from alfine.server.console.change_form import Fields, form_fields

LABELS = {
    **{field.word: field.label for field in FIELDS if field.changeable and field.word != "criteria"},
    "target": "Target",
    "patience": "Training jobs without improvement",
    "strict": "Any improvement counts",
    "convergence": "Stop on convergence",
    "epsilon": "Epsilon",
    "delta": "Delta",
    "others": "Other criteria",
}
"""The fields of the change form, as the page of the job calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChange:
    """The changes that a user made at one time.

    Attributes:
        at: When.
        training_jobs: The number of training jobs that had ended by then.
        lines: One line per changed setting.
    """

    at: datetime
    training_jobs: int
    lines: tuple[str, ...]


def changes(history: History) -> list[UserChange]:
    """Return a job's changes and stop requests, the oldest first."""
    return list(_changes(history))


def _changes(history: History) -> Iterator[UserChange]:
    spec, ended = history.first_spec, 0
    for fact in history.facts:
        match fact:
            case Ended():
                ended += 1
            case TuningJobStopAsked():
                yield UserChange(at=fact.at, training_jobs=ended, lines=("Stop requested",))
            case Changed():
                try:
                    lines = tuple(_lines(form_fields(spec), form_fields(fact.spec)))
                except InvalidSpec:  # a criterion of a package that is no longer installed
                    lines = ()
                yield UserChange(at=fact.at, training_jobs=ended, lines=lines or ("Continued",))
                spec = fact.spec


def _lines(before: Fields, after: Fields) -> Iterator[str]:
    for key, label in LABELS.items():
        if before[key] == after[key]:
            continue
        old, new = _value(key, before[key]), _value(key, after[key])
        yield f"{label}: {old or 'not set'} → {new or 'removed'}"


def _value(key: str, text: str) -> str:
    return duration(float(text)) if text and key == "max_runtime_seconds" else text.replace("\n", "; ")
