"""Deadline: end the tuning job by an instant, and launch no training job that would end later."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from alfine.core.axis import Array
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.facts import Ended, Started
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.read_values import shown
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook, Verdict, in_seconds
from alfine.core.wording import count_of, duration
from alfine.criteria.checks import is_finite_number, true_or_false
from alfine.criteria.future import Future
from alfine.criteria.tags import read_tag, write_tag

ACTIVE: MemoKey[tuple[int, int, datetime, float]] = MemoKey(__name__, "active seconds")
"""The state of `active_seconds`: the number of facts read, how many training jobs run after them, since when, and the seconds before that."""

NAME = "Deadline"

LONG_ONES = 0.9
"""The quantile of the latest durations that the next training job is taken to last."""

RECENT = 50
"""Number of durations that are looked at."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """Launch no more when the next training job would hardly end in time (DRAIN); stop what runs at the deadline (STOP).

    A training job is taken to last as long as the longest tenth of the last 50 did; before the first has ended, no time.

    Args:
        when: An instant with its time zone, «2026-12-01T18:00+01:00» or an aware datetime; or a number of seconds from the tuning
            job's creation.
        active: Count only the time in which training jobs ran, so that interruptions don't count. It needs a number of seconds.
    """

    is_limit: ClassVar[bool] = True

    when: str | float | datetime
    active: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.when, str | datetime):  # as one word, for the tag
            text = self.when.isoformat() if isinstance(self.when, datetime) else "T".join(self.when.split())
            object.__setattr__(self, "when", text)
        is_number = not isinstance(self.when, bool) and isinstance(self.when, int | float)
        if is_number and not (is_finite_number(self.when) and self.when > 0):
            raise InvalidSpec([Fault(NAME, f"{shown(self.when)} must be a number of seconds above 0.")])
        if not is_number and not _is_instant(str(self.when)):
            raise InvalidSpec(
                [
                    Fault(
                        NAME,
                        f"{self.when!r} must be an instant with its zone, such as 2026-12-01T18:00+01:00, or a number of seconds.",
                    )
                ]
            )
        true_or_false(self, "active")
        if self.active and not is_number:
            raise InvalidSpec([Fault(NAME, "active=true needs a number of seconds, not a date.")])

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        return read_tag(cls, spec)

    def check(self, history: History) -> Verdict:
        left, next_one = self._left(history), _expected_seconds(history)
        passed = left <= 0
        outlook = Outlook.STOP if passed else Outlook.DRAIN if next_one >= left else Outlook.CONTINUE
        whole = self._whole(history)
        more = int(left / next_one) * history.spec.max_parallel if next_one > 0 and not passed else None
        return Verdict(
            outlook=outlook,
            criterion=NAME,
            sentence=_sentence(outlook, left, next_one),
            evidence={
                "seconds_left": max(0.0, left),
                "next_training_job_seconds": next_one,
                "seconds": whole,
                "training_jobs_left": more,
            },
            would_change=_would_change(outlook, more),
            progress=1.0 if outlook is not Outlook.CONTINUE else max(0.0, 1.0 - (left - next_one) / whole),
            ask_again_at=None
            if passed or (self.active and not _anything_runs(history))
            else in_seconds(history.now, left - next_one if next_one < left else left),
        )

    def ends(self, future: Future) -> Array:
        """Return when the deadline comes; the few training jobs that aren't launched shortly before it are left out."""
        return future.after_seconds(self._left(future.history))

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        write_tag(request, self)

    def _whole(self, history: History) -> float:
        """Return the seconds from the creation to the deadline."""
        if isinstance(self.when, str):
            return max(1.0, (datetime.fromisoformat(self.when) - history.created_at).total_seconds())
        return float(self.when)  # type: ignore[arg-type]  # a datetime has become a string

    def _left(self, history: History) -> float:
        """Return the seconds to the deadline; below 0 once it has passed."""
        if isinstance(self.when, str):
            return (datetime.fromisoformat(self.when) - history.now).total_seconds()
        return self._whole(history) - (active_seconds(history) if self.active else history.elapsed_seconds)


def active_seconds(history: History) -> float:
    """Return for how many seconds at least one training job ran, up to now."""
    done, running, since, total = history.recall(ACTIVE, (0, 0, history.created_at, 0.0))
    for fact in history.facts[done:]:
        if isinstance(fact, Started):
            since, running = (fact.at, 1) if running == 0 else (since, running + 1)
        elif isinstance(fact, Ended) and history.job(fact.number).started_at is not None:
            running -= 1
            total += max(0.0, (fact.at - since).total_seconds()) if running == 0 else 0.0
    if not history.hypothetical:
        history.remember(ACTIVE, (len(history.facts), running, since, total))
    return total + (max(0.0, (history.now - since).total_seconds()) if running else 0.0)


def _anything_runs(history: History) -> bool:
    return any(job.started_at is not None for job in history.running.values())


def _expected_seconds(history: History) -> float:
    """Return the expected training time of the next training job, in seconds."""
    seconds = sorted(job.seconds for job in history.finished[-RECENT:] if job.started_at is not None)
    return seconds[int(LONG_ONES * len(seconds))] if seconds else 0.0


def _sentence(outlook: Outlook, left: float, next_one: float) -> str:
    if outlook is Outlook.STOP:
        return "The deadline has passed."
    begin = f"The deadline is in {duration(left)}"
    if outlook is Outlook.DRAIN:
        return f"{begin}, and a training job may take {duration(next_one)}, so that no more are launched."
    return f"{begin}; a training job may take {duration(next_one)}." if next_one else f"{begin}."


def _would_change(outlook: Outlook, more: int | None) -> str:
    if outlook is Outlook.STOP:
        return "Only a later deadline: `alfine change`."
    if outlook is Outlook.DRAIN:
        return "A later deadline, or training jobs that take less time."
    if more is None:
        return "How many training jobs can end in time is known once one has ended."
    return f"About {count_of(more, 'more training job')} can end in time; more of shorter ones, fewer of longer ones."


def _is_instant(text: str) -> bool:
    """Return whether a text is an instant: a time with its zone, in the years 1 to 9999 of UTC."""
    try:
        at = datetime.fromisoformat(text)
        at.astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return at.tzinfo is not None
