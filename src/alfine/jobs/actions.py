"""Actions of the engine on training jobs: it starts them, tells them to stop, lets them begin anew, gives them up.

What keeps a runner from an action is a failed try of this one training job (tries.py): the next look tries again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from alfine.core.errors import Fenced
from alfine.core.facts import Ended, Launched, StopAsked
from alfine.core.training_job import TrainingJob
from alfine.jobs.clock import Clock
from alfine.jobs.ownership import Ownership
from alfine.jobs.run import Run
from alfine.jobs.tries import Tries
from alfine.runners.protocol import Exit, StaleEpoch
from alfine.store.placement import Placement
from alfine.store.store import Store

log = logging.getLogger("alfine.jobs.engine")


class Actions:
    """Carries out what an engine has recorded.

    Args:
        store: Where the placements of training jobs are recorded.
        folder: Has a folder for each tuning job, which has one for each training job.
        tries: Counts the actions that fail.
        ownership: Knows whether the engine still has a tuning job.
        clock: Returns the present instant.
    """

    def __init__(self, store: Store, folder: Path, tries: Tries, ownership: Ownership, clock: Clock) -> None:
        self._store = store
        self._folder = folder
        self._tries = tries
        self._ownership = ownership
        self._clock = clock

    def folder_of(self, run: Run, job: TrainingJob | None = None) -> Path:
        """Return the folder of a tuning job, or of one of its training jobs."""
        return self._folder / run.spec.name / ("" if job is None else job.name)

    def act(self, run: Run, intents: Sequence[Launched | StopAsked]) -> None:
        """Start and stop what is recorded as to be started and stopped."""
        if intents:
            self._ownership.check(run)
        for intent in intents:
            job = run.history.job(intent.number)
            if isinstance(intent, StopAsked):
                self.stop(run, job)
                continue
            try:
                self.start(run, job)
                log.debug("launched training_job=%s", intent.name)
            except Fenced:
                raise
            except Exception as error:  # noqa: BLE001 - the next look finds that it was never started, and starts it again
                self._tries.failed(self.folder_of(run, job), error)

    def stop(self, run: Run, job: TrainingJob) -> None:
        """Tell a training job to stop. If that fails, the next look tells it again."""
        run.not_told_to_stop.add(job.number)
        try:
            self.tell_to_stop(run, job)
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 - counted, logged, and tried again
            self._tries.failed(self.folder_of(run, job), error)

    def tell_to_stop(self, run: Run, job: TrainingJob) -> None:
        """Tell a training job to stop, and raise what keeps its runner from it."""
        with _fenced():
            run.runner(job).stop(run.launch(job))
        run.not_told_to_stop.discard(job.number)

    def start(self, run: Run, job: TrainingJob) -> None:
        """Start a training job, and raise what keeps its runner from it."""
        node = run.own_node(job.definition)
        if node is not None and run.placement(job).node is None:  # it was launched when it was created
            placement = replace(run.placement(job), node=node)
            self._store.place(run.spec.name, job.name, placement, run.epoch)
            run.place(job, placement)
        launch = run.launch(job)
        if launch.max_runtime_seconds is not None and job.started_at is not None:  # the limit spans all attempts
            left = launch.max_runtime_seconds - (self._clock() - job.started_at).total_seconds()
            launch = replace(launch, max_runtime_seconds=max(0.0, left))
        with _fenced():
            run.runner(job).start(launch)

    def begin_anew(self, run: Run, job: TrainingJob, end: Exit) -> bool:
        """Let a training job begin anew that was lost (RetryStrategy); the next poll starts it. Return False if it may not."""
        attempt = run.placement(job).attempt + 1
        if end.cause != "lost" or job.status != "InProgress" or attempt > 1 + run.launch(job).retries:
            return False
        log.warning("training_job=%s was lost and is tried again", job.name)
        placement = Placement(attempt=attempt, node=run.own_node(job.definition))
        self._store.place(run.spec.name, job.name, placement, run.epoch)
        run.place(job, placement)
        run.look_again(job)
        return True

    def give_up(self, run: Run, job: TrainingJob, reason: str) -> Ended:
        """Kill what runs of a training job with which nothing else can be done, and return its end."""
        folder = self.folder_of(run, job)
        log.error("training_job=%s is given up: %s", job.name, reason)
        try:
            with _fenced():
                run.runner(job).stop(replace(run.launch(job), grace_seconds=0.0))
        except Fenced:
            raise
        except Exception:  # its end is recorded all the same: nothing may keep the tuning job from ending
            log.exception("training_job=%s can't be stopped: its processes may still run", job.name)
        self._tries.succeeded(folder)
        run.forget(job)
        return Ended(at=self._clock(), number=job.number, status="Failed", failure_reason=reason)


@contextmanager
def _fenced() -> Iterator[None]:
    """Raise Fenced where a host has heard of a later claim of the tuning job."""
    try:
        yield
    except StaleEpoch as error:
        raise Fenced(str(error)) from error
