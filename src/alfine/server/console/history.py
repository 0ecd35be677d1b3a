"""The events of a tuning job: what happened to it and to its training jobs, the newest first, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from alfine.core.facts import is_terminal
from alfine.core.settings import in_order
from alfine.core.wording import number, short_text
from alfine.jobs.status_words import status_words
from alfine.server.console.page_request import PageRequest
from alfine.store import queries
from alfine.store.records import TrainingJobRow, TuningJob
from alfine.store.state_changes import StateChange, Told, state_changes

PAGE_FACTS = 200
"""Facts of which a page tells: some 70 events, since most facts are values of metrics."""

LARGEST_FACT = 10**12
"""Larger numbers in the address are taken for this one."""


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """One line of the page.

    Attributes:
        fact: The number of the fact; lines are in its order.
        at: When it happened.
        what: What happened, in a few words.
        why: The reason or the circumstances; "" where there is nothing to say.
        training_job: The training job that it happened to; None for the tuning job itself.
    """

    fact: int
    at: datetime
    what: str
    why: str = ""
    training_job: TrainingJobRow | None = None


def page(request: PageRequest) -> Response:
    """Render the page. Query: `before`, the number of a fact: the events before it are shown; none: the newest ones."""
    with request.service.store.reading() as connection:
        row = queries.tuning_job_row(connection, request.path_part("name"))
        job = queries.tuning_job(connection, row.id)
        end = min(row.facts, _fact(request.query.get("before", "")))
        begin = max(0, end - PAGE_FACTS)
        told = Told(begin, None if begin == 0 else "InProgress")
        changes, _ = state_changes(connection, job.id, told, end - begin)
        changed = queries.changed_at(connection, job.id)
    events = [*(_shown(job, change) for change in changes), *_of_user(changed, begin, end)]
    return request.render(
        "history.html",
        name=job.name,
        ended=is_terminal(job.status),
        events=sorted(events, key=_place, reverse=True),
        older=begin or None,
        is_newest=end == row.facts,
    )


def _place(event: ShownEvent) -> tuple[int, bool]:
    """Return a key that sorts events: the end of the tuning job has the number of its last fact, and follows that."""
    return event.fact, event.training_job is None


def _fact(text: str) -> int:
    """Return the number of a fact in an address; the largest for anything else."""
    is_number = text.isascii() and text.isdigit() and len(text) < len(str(LARGEST_FACT))
    return int(text) if is_number else LARGEST_FACT


def _of_user(changed: Mapping[int, datetime], begin: int, end: int) -> Iterator[ShownEvent]:
    for fact, at in changed.items():
        if begin < fact <= end:
            yield ShownEvent(fact, at, "Changed by the user", "What is asked for since then stands in Configuration.")


def _shown(job: TuningJob, change: StateChange) -> ShownEvent:
    """Return the line of a state change of a tuning job or of one of its training jobs."""
    row = change.training_job
    what, why = _of_tuning_job(job, change) if row is None else _of_training_job(job, row)
    return ShownEvent(change.fact, change.at, what, why, row)


def _of_tuning_job(job: TuningJob, change: StateChange) -> tuple[str, str]:
    if change.status == "InProgress":
        return ("Created", "") if change.fact == 0 else ("Goes on", "")
    if change.status == "Stopping":
        return "The user asked to stop it", ""
    verdict = "" if job.verdict is None else job.verdict.sentence
    return change.status, job.failure_reason or verdict


def _of_training_job(job: TuningJob, row: TrainingJobRow) -> tuple[str, str]:
    """Return what happened to a training job, as it was then."""
    if row.status == "InProgress":
        values = ", ".join(
            f"{name} {short_text(value)}" for name, value in in_order(job.request, row.hyperparameters).items()
        )
        return "Launched", values
    if row.status == "Stopping":
        return "Asked to stop", row.stop_reason or ""
    words = status_words(row.status, row.failure_reason, row.stop_reason)
    objective = row.valid_objective
    found = "" if objective is None else f"objective {number(objective)}"
    return words.head, ". ".join(filter(None, (found, words.cause)))
