"""The engine: runs tuning jobs, step by step. A step observes, decides, records and acts, in this order.

The order makes a crash harmless. What was observed and what was decided about it are recorded in one transaction, before any of it
is carried out. Killed before, the next engine observes the same and decides the same. Killed after, it finds training jobs that are
recorded and were never started, and starts them; it finds those that run on by their folders.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from alfine.core.errors import Fenced, InvalidSpec, Overtaken, StorageFull, StoreBusy
from alfine.core.facts import Fact, Launched, StopAsked
from alfine.core.history import History
from alfine.core.judge import Judge
from alfine.core.policy import MOST_LAUNCHES, Decision
from alfine.core.protocols import Stop, Suggestion
from alfine.core.training_job import training_job_name
from alfine.core.verdict import Outlook, Verdict
from alfine.jobs.actions import Actions
from alfine.jobs.clock import Clock, utc_now
from alfine.jobs.forced_stop import end_leftovers
from alfine.jobs.lease_owner import node_of
from alfine.jobs.measures import EngineMeasures
from alfine.jobs.observer import Observer
from alfine.jobs.other_writers import OtherWriters
from alfine.jobs.ownership import Ownership
from alfine.jobs.policy_for import policy_for
from alfine.jobs.run import Run
from alfine.jobs.tries import Tries
from alfine.jobs.wake import Bell, Wake
from alfine.programs.machine import Machine
from alfine.programs.program import Program, programs_for, programs_to_stop
from alfine.runners.protocol import Runner
from alfine.runners.shortages import is_shortage
from alfine.store.placements import placements
from alfine.store.queries import history as recorded_history
from alfine.store.queries import progress, tuning_job_row
from alfine.store.records import tuning_job_of
from alfine.store.store import Store

log = logging.getLogger("alfine.jobs.engine")

POLL_SECONDS = 0.2
"""Time between two looks at training jobs whose runner doesn't tell of news."""

LOOK_SECONDS = 10.0
"""Time between two looks at all training jobs, whether or not there is news: so long a tuning job waits for news that was lost."""

BUSY_SECONDS = 1.0
"""Time after which a tuning job is read again when the database couldn't be reached."""

FULL_DISK_TRIES = 30
"""Number of times that a step is tried again, a second apart, while the disk is full: the end of the training job that filled it makes room."""


class Engine:
    """Runs the tuning jobs of a store: `run` to the end, or `open`, `step` and `close` by hand.

    Args:
        store: Where everything is recorded.
        runners: Where training jobs run, by name («inline», «process», …); made with `wake.set` as what they call for news.
        wake: The bells of the tuning jobs that this engine runs.
        folder: Has a folder for each tuning job, which has one for each training job.
        functions: The Python functions of tuning jobs that run one, by the tuning job's name.
        clock: Returns the present instant.
        machine: What this machine has for training jobs; None stands for the defaults.
    """

    def __init__(
        self,
        store: Store,
        runners: Mapping[str, Runner],
        wake: Wake,
        folder: Path,
        *,
        functions: Mapping[str, Callable[..., Any]] | None = None,
        clock: Clock = utc_now,
        machine: Machine | None = None,
    ) -> None:
        self.store = store
        self.machine = machine or Machine()
        self.runners = runners
        self.wake = wake
        self.folder = folder
        self.functions = functions or {}
        self.clock = clock
        self.measures = EngineMeasures()
        self.ownership = Ownership(store, node_of(folder))
        self._tries = Tries(self._count_failed_tries)
        self._epochs: dict[str, int] = {}
        self._actions = Actions(store, folder, self._tries, self.ownership, clock)
        self._observer = Observer(store, self._actions, self._tries, self.ownership, clock)
        self.others = OtherWriters(store, wake)

    # -- a tuning job from its claim to its end ------------------------------------------------------------------

    def run(
        self, name: str, after_step: Callable[[Run], None] | None = None, *, grace_seconds: float | None = None
    ) -> None:
        """Run a tuning job to its end.

        Args:
            name: The tuning job.
            after_step: Called after each step.
            grace_seconds: How long a training job that is stopped may take from now on; None: what the job says.

        Raises:
            InUse: Another engine runs it.
            Fenced: Another engine has taken it over, because this one was silent for too long.
            InvalidSpec: Its training jobs can't run here.
            NotFound: There is no such tuning job, or it was deleted.
            StorageFull: The disk stayed full.
        """
        with self.ownership.beating():
            self._run_to_end(name, after_step, grace_seconds)

    def _run_to_end(self, name: str, after_step: Callable[[Run], None] | None, grace_seconds: float | None) -> None:
        tries = FULL_DISK_TRIES
        try:
            while True:
                with self.wake.listening(name) as bell:
                    try:
                        self._run(name, bell, after_step, grace_seconds)
                        return
                    except Overtaken:
                        continue  # someone asked to stop or change something: decide again, on all that is recorded
                    except Fenced:
                        if not self.store.get(name).ended:
                            raise
                        self.end_leftovers(name)
                        return
                    except StoreBusy as error:  # nothing was written: decide again, as after a crash
                        log.warning("tuning_job=%s waits for the database: %s", name, error)
                        bell.wait(BUSY_SECONDS)
                    except (StorageFull, OSError) as error:
                        # A write that failed is treated like a crash: start again from what is recorded, once there is room.
                        if tries <= 0 or not _is_full(error):
                            raise
                        log.warning("the disk is full, trying again tuning_job=%s", name)
                        tries -= 1
                        bell.wait(1.0)
        finally:
            self._tries.forget(self.folder / name)
            with suppress(StorageFull, StoreBusy):  # a later heartbeat gives it back
                self.ownership.release(name, self._epochs.pop(name, 0))

    def _run(
        self, name: str, bell: Bell, after_step: Callable[[Run], None] | None, grace_seconds: float | None
    ) -> None:
        run = self.open(name, grace_seconds)
        news = None
        look_at = time.monotonic() + LOOK_SECONDS
        with self.others.watching(name, run.job.id, len(run.history.facts)):
            while self.step(run, news):
                if after_step is not None:
                    after_step(run)
                self.others.knows(run.job.id, len(run.history.facts))
                if not run.more:
                    bell.wait(min(self._seconds_to_wait(run), look_at - time.monotonic()))
                news = bell.take()
                if time.monotonic() >= look_at:
                    news, look_at = None, time.monotonic() + LOOK_SECONDS

    def open(self, name: str, grace_seconds: float | None = None) -> Run:
        """Claim a tuning job, and read what is recorded of it. Arguments and errors are those of `run`."""
        epoch = 0 if self.store.get(name).ended else self.ownership.claim(name)
        self._epochs[name] = epoch
        return self._opened(name, epoch, grace_seconds)

    def _opened(self, name: str, epoch: int, grace_seconds: float | None) -> Run:
        with self.store.reading() as connection:
            row = tuning_job_row(connection, name)
            job, history = tuning_job_of(row), recorded_history(connection, row)
            known, placed = progress(connection, job.id), placements(connection, job.id)
        programs = self._programs(name, history)
        past = history.upto(job.judged)
        judge = Judge(past, policy_for(past.spec), policy_for)
        if job.verdict is not None:
            judge.verdict, judge.verdicts = job.verdict, job.verdicts
            judge.judge()  # finds the instants at which to judge again, which aren't recorded
        judge.record(history.facts[job.judged :])
        arns = self.machine.arns
        run = Run(job, history.spec, programs, self.runners, judge, arns, epoch, grace_seconds=grace_seconds)
        self._tries.restore(self.folder / name, known.failed_tries)
        run.placements = placed
        run.pending = {number: placement.pending for number, placement in run.placements.items()}
        for running in run.history.running.values():
            run.reader(running, known.log_offsets.get(running.number, 0))
            if running.status == "Stopping":  # perhaps it wasn't told before a crash; to tell it twice changes nothing
                self._actions.stop(run, running)
        return run

    def _programs(self, name: str, history: History) -> Mapping[str | None, Program]:
        """Return the programs of a tuning job; once the user asked to stop it, at least what it takes to stop what runs."""
        folder = self.folder / name
        try:
            return programs_for(history.spec, folder, self.functions.get(name), machine=self.machine)
        except (InvalidSpec, OSError) as error:
            if history.stop_requested_at is None:
                raise
            log.warning("tuning_job=%s can't run here, but is to be stopped: %s", name, error)
            return programs_to_stop(history.spec, folder)

    def end_leftovers(self, name: str) -> None:
        """Kill what runs here of a tuning job that was stopped by force elsewhere; see `forced_stop.end_leftovers`."""
        end_leftovers(self.store, self.runners, self.folder, name)

    def close(self, run: Run) -> None:
        """Give back a tuning job. Its training jobs run on, where their runners can let them."""
        self.ownership.release(run.spec.name, run.epoch)

    def step(self, run: Run, news: set[str] | None = None) -> bool:
        """Observe, decide, record, act.

        Args:
            run: The tuning job.
            news: The names of the training jobs that may have news; None: any may.

        Returns:
            False once the tuning job has ended.

        Raises:
            Overtaken: Someone else has recorded something: open the tuning job again.
            Fenced: Another engine has taken over the tuning job: let go of it.
        """
        if run.job.ended:
            return False
        with self.measures.step():
            return self._step(run, news)

    def _step(self, run: Run, news: set[str] | None) -> bool:
        facts, offsets = self._observer.observe(run, news)
        history, known = run.history, len(run.history.facts)
        if not facts and self.store.overtaken(run.job.id, known, run.epoch):
            raise Overtaken("A user asked to stop something.")
        run.judge.record(facts)
        facts += run.judge.look(self.clock())
        decision = self._decide(run)
        run.judge.verdict = decision.verdict
        run.more |= len(decision.launches) >= MOST_LAUNCHES
        stops = {stop.number: stop for stop in (*run.judge.due(), *decision.stops)}
        short = self._tries.is_short(self.folder / run.spec.name)  # those that are launched already wait for it
        intents = self._intents(run, stops.values(), () if short else decision.launches)
        if self._record(run, known, facts, offsets, intents):
            self._actions.act(run, intents)
        if run.judge.verdict.outlook is not Outlook.CONTINUE and not history.running:
            self._finish(run)
            return False
        return True

    # -- decide --------------------------------------------------------------------------------------------------

    def _decide(self, run: Run) -> Decision:
        """Return the policy's decision; a plug-in that raises fails this tuning job, not the engine."""
        begun = time.monotonic()
        try:
            decision = run.judge.policy.decide(run.history, run.judge.verdict)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything: the tuning job fails with it
            return self._decision_after(run, error)
        if decision.launches:
            self.measures.suggestions.add(time.monotonic() - begun)
        return decision

    def _decision_after(self, run: Run, error: Exception) -> Decision:
        """Return the decision that fails a tuning job; raise the error if it comes right by itself, so that the step is tried again."""
        if is_shortage(error):
            raise error
        log.error("can't decide tuning_job=%s", run.spec.name, exc_info=error)
        sentence = f"alfine could not decide what to do next: {type(error).__name__}: {error}"
        broken = Verdict(
            outlook=Outlook.STOP,
            criterion="InternalFailure",
            sentence=sentence,
            status="Failed",
            is_limit=True,
        )
        return run.judge.policy.decide(run.history, broken)

    def _intents(self, run: Run, stops: Iterable[Stop], launches: Iterable[Suggestion]) -> list[Launched | StopAsked]:
        """Return the facts that say what is to be done."""
        now, first = self.clock(), run.history.launches + 1
        return [
            *(StopAsked(at=now, number=stop.number, reason=stop.reason) for stop in stops),
            *(
                Launched(
                    at=self.clock(),
                    number=number,
                    name=training_job_name(run.spec.name, number, run.job.created_at),
                    hyperparameters=suggestion.hyperparameters,
                    definition=suggestion.definition,
                )
                for number, suggestion in enumerate(launches, first)
            ),
        ]

    # -- record ----------------------------------------------------------------------------------------------

    def _record(
        self,
        run: Run,
        known: int,
        facts: Sequence[Fact],
        offsets: Mapping[int, int],
        intents: Sequence[Launched | StopAsked],
    ) -> bool:
        """Record what was observed and what was decided, in one transaction; return False if there is nothing new.

        Args:
            run: The tuning job; its history has the facts already.
            known: How many facts were recorded before.
            facts: What was observed.
            offsets: How far logs have been read, by training job's number.
            intents: What was decided.
        """
        judge = run.judge
        state = (len(run.history.facts), judge.verdict.outlook)
        if not offsets and not intents and run.written == state:
            return False
        judged = (len(run.history.facts), judge.verdict, judge.verdicts)
        texts = run.spec.texts
        new = [*facts, *intents]
        places = run.places_of(intents)
        self.store.record(
            run.job.id, known, new, offsets=offsets, texts=texts, judged=judged, epoch=run.epoch, places=places
        )
        run.written = state
        judge.record(intents)
        for number, place in places.items():
            run.place(run.history.job(number), place)
        return True

    def _finish(self, run: Run) -> None:
        """Record the end of a tuning job."""
        verdict, now = run.judge.verdict, self.clock()
        status = "Stopped" if run.history.stop_requested_at else verdict.status
        reason = verdict.sentence if status == "Failed" else None
        self.store.finish(run.spec.name, status, now, reason, known=len(run.history.facts), epoch=run.epoch)
        self._epochs[run.spec.name] = 0  # its end has given it back
        run.end(self.store.get(run.spec.name))
        log.info("ended tuning_job=%s status=%s criterion=%s", run.spec.name, status, verdict.criterion)

    # -- between two steps ---------------------------------------------------------------------------------------

    def _seconds_to_wait(self, run: Run) -> float:
        """Return the time until there is something to do without news: a deadline, or the next try."""
        deadlines = [verdict.ask_again_at for verdict in run.judge.verdicts if verdict.ask_again_at is not None]
        times = [(at - self.clock()).total_seconds() for at in deadlines]
        times += [self._tries.seconds_to_next(self.folder / run.spec.name)]
        return max(0.0, min(*times, POLL_SECONDS if run.polled() else LOOK_SECONDS))

    def _count_failed_tries(self, folder: Path, count: int) -> None:
        self.store.count_failed_tries(folder.name, count, self._epochs.get(folder.parent.name))


def _is_full(error: Exception) -> bool:
    return isinstance(error, StorageFull) or (
        isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    )
