"""The list of tuning jobs, page by page: their summaries, with their cost and the course of the best result.

What only grows with a job's facts is kept in memory, so that a list that is looked at again reads only what is new.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alfine.core.cost import Cost, cost_of
from alfine.core.spec import TuningJobSpec
from alfine.jobs.annotations import own_tags
from alfine.jobs.describe import TuningJobSummary, tuning_job_summaries
from alfine.store import queries
from alfine.store.database import Connection
from alfine.store.records import TuningJob
from alfine.store.store import Store
from alfine.store.tags import tags_of
from alfine.store.training_times import training_times
from alfine.store.tuning_job_table import TuningJobSelection, selected_tuning_jobs, tuning_job_count

KEPT = 2000
"""Tuning jobs whose course and summary are kept in memory: some 3 KB each."""

MOST_STEPS = 60
"""Improvements that a course keeps; a drawing of 100 pixels shows no more."""


@dataclass(frozen=True, slots=True)
class Course:
    """The course of the best result of a tuning job.

    Attributes:
        steps: (number of the result, from 1; the best from there on), each time it improved.
        results: How many results there are.
    """

    steps: tuple[tuple[int, float], ...] = ()
    results: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTuningJob:
    """One row of the list.

    Attributes:
        summary: The tuning job.
        cost: What it has cost; None if its record can't be understood.
        course: The course of its best result.
        tags: The tags that people gave it.
    """

    summary: TuningJobSummary
    cost: Cost | None
    course: Course
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ListedTuningJobs:
    """A page of the list: its rows, and how many tuning jobs the whole selection has."""

    rows: Sequence[ListedTuningJob]
    total: int


@dataclass(slots=True)
class _Known:
    """A tuning job as it is known: its state, then the summary and the cost of this state, and the course up to a fact."""

    state: object = None
    summary: TuningJobSummary | None = None
    cost: Cost | None = None
    ranked: str | None = None
    fact: int = 0
    best: float | None = None
    course: Course = field(default_factory=Course)


class TuningJobList:
    """The list of the tuning jobs of a store.

    Args:
        store: Where they are recorded.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._mutex = threading.Lock()
        self._known: OrderedDict[object, _Known] = OrderedDict()

    def page(self, selection: TuningJobSelection, size: int, begin: int, now: datetime) -> ListedTuningJobs:
        """Return a page of the list.

        Args:
            selection: Which tuning jobs, and their order.
            size: How many at most.
            begin: How many come before.
            now: The present instant.
        """
        with self._store.reading() as connection:
            total = tuning_job_count(connection, selection)
            jobs = selected_tuning_jobs(connection, selection, size, begin, now)
            tags = tags_of(connection, [(job.id, 0) for job in jobs]) if jobs else {}
            rows = [self._row(connection, job, own_tags(tags[job.id, 0]), now) for job in jobs]
        return ListedTuningJobs(rows, total)

    def _row(self, connection: Connection, job: TuningJob, tags: Mapping[str, str], now: datetime) -> ListedTuningJob:
        key = (job.id, job.name, job.created_at)
        with self._mutex:
            known = self._known.setdefault(key, _Known())
            self._known.move_to_end(key)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
            state = (job.modified_at, job.status, job.facts, job.judged)
            if known.state != state or known.summary is None or not job.ended:
                self._learn(connection, job, known, now)
                known.state = state
            assert known.summary is not None
            return ListedTuningJob(summary=known.summary, cost=known.cost, course=known.course, tags=tags)

    @staticmethod
    def _learn(connection: Connection, job: TuningJob, known: _Known, now: datetime) -> None:
        """Read what is new of a tuning job."""
        (known.summary,) = tuning_job_summaries(connection, [job])
        spec = known.summary.spec
        if spec is None:
            known.cost = None
            return
        known.cost = _cost(connection, job, spec, known.summary.until(now))
        if known.ranked != spec.ranked:  # it was changed: other results count
            known.fact, known.best, known.course, known.ranked = 0, None, Course(), spec.ranked
        steps, results = list(known.course.steps), known.course.results
        for fact, objective in queries.objectives_after(connection, job.id, known.fact, spec.ranked):
            known.fact = fact
            if objective is None:
                continue
            results += 1
            if known.best is None or spec.sign * objective < spec.sign * known.best:
                known.best = objective
                steps.append((results, objective))
        while len(steps) > MOST_STEPS:  # the first and the last stay
            steps = [*steps[:-1:2], steps[-1]]
        known.course = Course(tuple(steps), results)


def _cost(connection: Connection, job: TuningJob, spec: TuningJobSpec, until: datetime) -> Cost:
    instances = {
        part.definition.name if spec.parts else None: part.definition.instance_count for part in spec.definition_specs
    }
    times = training_times(connection, job.id, until)
    return cost_of(spec, sum((time.ended + time.running) * instances[time.definition] for time in times))
