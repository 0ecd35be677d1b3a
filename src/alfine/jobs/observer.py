"""The look of the engine at the training jobs of a tuning job: what has happened to them since the last one, as facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from alfine.core.errors import Fenced
from alfine.core.facts import INTERNAL_ERROR, Ended, Fact
from alfine.core.training_job import TrainingJob
from alfine.jobs.actions import Actions
from alfine.jobs.clock import Clock
from alfine.jobs.observed_facts import ObservedFacts
from alfine.jobs.ownership import Ownership
from alfine.jobs.run import Run
from alfine.jobs.tries import Tries
from alfine.programs.program import INLINE
from alfine.runners.protocol import FAILURE_LIMIT
from alfine.store.store import Store

POLLS_A_STEP = 8
"""Polls of one training job in a step, of at most 1 MiB of log each: a flood of output doesn't keep the others waiting."""


class Observer:
    """Asks the runners of training jobs what is new.

    Args:
        store: Where the reason is recorded for which a training job can't start yet.
        actions: Starts and stops those that a look finds not started, or not stopped.
        tries: Counts the looks that fail.
        ownership: Knows whether the engine still has a tuning job.
        clock: Returns the present instant.
    """

    def __init__(self, store: Store, actions: Actions, tries: Tries, ownership: Ownership, clock: Clock) -> None:
        self._store = store
        self._actions = actions
        self._tries = tries
        self._ownership = ownership
        self._clock = clock

    def observe(self, run: Run, news: set[str] | None) -> tuple[list[Fact], dict[int, int]]:
        """Return what has happened to the training jobs with news, and how far their logs have been read, by number."""
        self._ownership.check(run)
        facts: list[Fact] = []
        offsets: dict[int, int] = {}
        run.more = False
        due = self._tries.due(self._actions.folder_of(run))
        for job in run.with_news(None if news is None else news | due):
            before = run.reader(job).offset
            facts += self._try_to_observe(run, job, before)
            if job.number in run.readers and run.reader(job).offset != before:  # one that has ended isn't read again
                offsets[job.number] = run.reader(job).offset
        return facts, offsets

    def _try_to_observe(self, run: Run, job: TrainingJob, offset: int) -> list[Fact]:
        """Return what has happened to one training job. An exception is a failed try of this one, and harms no other."""
        folder = self._actions.folder_of(run, job)
        if self._tries.is_waiting(folder):
            return []
        if (reason := self._tries.reason_to_give_up(folder, stopping=False)) is not None:  # counted before a restart
            return [self._actions.give_up(run, job, reason)]
        facts: list[Fact] = []
        try:
            if job.number in run.not_told_to_stop:
                self._actions.tell_to_stop(run, job)
            facts = list(self._observed(run, job, run.reader(job)))
            if not run.is_storing(job):
                self._tries.succeeded(folder)
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 - counted and logged; it ends the training job if it comes again
            run.read_again(job, offset)
            self._tries.failed(folder, error)
        stopping = job.status == "Stopping" or run.history.stop_requested_at is not None
        reason = self._tries.reason_to_give_up(folder, stopping=stopping)
        return facts if reason is None else [self._actions.give_up(run, job, reason)]

    def _observed(self, run: Run, job: TrainingJob, reader: ObservedFacts) -> Iterator[Fact]:
        """Yield what has happened to one training job."""
        launch, begin = run.launch(job), reader.offset
        for _ in range(POLLS_A_STEP):
            seen = run.runner(job).poll(launch, reader.offset, reader.counts)
            if seen is None:
                yield from self._never_started(run, job)
                return
            if seen.pending != run.pending.get(job.number):
                self._store.pend(run.spec.name, job.name, seen.pending, run.epoch)
                run.pending[job.number] = seen.pending
            lost = seen.exit is not None and seen.exit.cause == "lost"
            if lost and seen.offset != begin:  # what it has told is recorded before it may begin anew
                yield from reader.read(replace(seen, exit=None), self._clock())
                break
            moved, again = (
                seen.offset != reader.offset,
                seen.exit is not None and self._actions.begin_anew(run, job, seen.exit),
            )
            for fact in reader.read(seen, self._clock()):
                if not isinstance(fact, Ended):
                    yield fact
                elif not again:
                    run.forget(job)
                    yield fact
            if seen.exit is not None or not moved:
                return
            if seen.points and launch.function is not None:  # it may wait for what is decided: the next poll tells it
                break
        run.look_again(job)

    def _never_started(self, run: Run, job: TrainingJob) -> Iterator[Fact]:
        """Start a training job that was recorded before a crash and never started; if it was stopped meanwhile, end it."""
        is_first = run.placement(job).attempt == 1 and run.programs[job.definition].runner != INLINE
        if job.status == "Stopping":
            yield Ended(at=self._clock(), number=job.number, status="Stopped")
        elif is_first and job.started_at is not None:
            reason = f"{INTERNAL_ERROR}the folder of this training job was removed while it ran: {self._actions.folder_of(run, job)}."
            yield self._actions.give_up(run, job, reason[:FAILURE_LIMIT])  # with what may run of it all the same
        else:
            self._actions.start(run, job)
