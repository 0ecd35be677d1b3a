"""One tuning job, one step: observe, decide, record, act. And the loop around it.

The order is what makes a crash harmless. What was seen and what was decided on it are recorded in one transaction, before any
of it is carried out or shown. Killed before, the next engine sees the same and decides the same; killed after, it finds the
rows whose training job never started and starts it, and those that ran on meanwhile by their folder.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alfine.core.arns import Arns
from alfine.core.errors import InUse, Overtaken, StorageFull
from alfine.core.history import (
    Ended,
    Fact,
    History,
    Launched,
    Reported,
    Started,
    StopAsked,
    TrainingJob,
    training_job_name,
)
from alfine.core.judge import Judge
from alfine.core.policy import Decision, Outlook, Stop, Suggestion, Verdict
from alfine.core.spec import FUNCTION, TuningJobSpec
from alfine.jobs.policy_for import policy_for
from alfine.programs.data import checkpoints
from alfine.programs.data.locations import BucketsUnreachable
from alfine.programs.data.uploads import Deliveries, Delivery
from alfine.programs.machine import Machine
from alfine.programs.program import Program, programs_for
from alfine.runners.job_folder import Workspace
from alfine.runners.log_metrics import MetricReader, nearest_lines
from alfine.runners.protocol import FAILURE_LIMIT, Exit, Launch, LocalChannel, Observation, Runner
from alfine.runners.retries import failed_attempts, try_again
from alfine.store.records import TuningJob
from alfine.store.store import Store

log = logging.getLogger("alfine.jobs.engine")

POLL_SECONDS = 0.2  # how often logs are looked at while nothing else wakes the engine
LEASE = timedelta(seconds=30)
FULL_DISK_SECONDS = 30  # how long to wait for room: a training job that filled the disk is cleared away when it ends
POLLS_A_STEP = 8  # of at most 1 MiB of log each, so that one flood doesn't keep the others waiting
MAX_EMISSIONS = 10_000  # of a metric that one training job may have recorded; later ones count as final value only
LINES_KEPT = 200  # of a log's beginning and of its end, to find what a regex that matched nothing may have meant

_engines = itertools.count(1)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Wake:
    """News for the engine: set from any thread, waited for by each job's loop."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._count = 0

    def set(self) -> None:
        with self._news:
            self._count += 1
            self._news.notify_all()

    def count(self) -> int:
        return self._count

    def wait(self, seen: int, timeout: float | None) -> None:
        """Return when there is news since `count()` answered `seen`, or after `timeout` seconds."""
        with self._news:
            self._news.wait_for(lambda: self._count != seen, timeout)


@dataclass(slots=True)
class Run:
    """One claimed tuning job: what the engine keeps in memory while it runs it. All of it can be rebuilt from the store."""

    job: TuningJob
    spec: TuningJobSpec
    programs: Mapping[str | None, Program]  # by definition
    runners: Mapping[str, Runner]
    judge: Judge
    arns: Arns
    readers: dict[int, _Reader] = field(default_factory=dict)
    launches: dict[int, Launch] = field(default_factory=dict)
    grace_seconds: float | None = None
    more: bool = False  # a log has more to read at once
    written: tuple[int, Outlook] | None = None  # the facts and the outlook that the store's verdicts are of

    @property
    def history(self) -> History:
        return self.judge.history

    def launch(self, job: TrainingJob) -> Launch:
        if job.number not in self.launches:
            launch = replace(self.programs[job.definition].launch(job), arn=self.arns.training_job(job.name))
            self.launches[job.number] = (
                launch if self.grace_seconds is None else replace(launch, grace_seconds=self.grace_seconds)
            )
        return self.launches[job.number]

    def checkpoints(self, job: TrainingJob) -> checkpoints.Place | None:
        return checkpoints.place_of(self.spec.of(job.definition), job.name)

    def runner(self, job: TrainingJob) -> Runner:
        return self.runners[self.programs[job.definition].runner]


class Engine:
    """Runs tuning jobs of a store: `run(name)` to the end, or `open`, `step`, `close` by hand.

    runners: by name («inline», «process», …), made with `wake.set` as their news bell. folder: below it each tuning job has a
    folder with its training jobs. functions: the Python functions of jobs that run one, by tuning job. machine: None stands for
    the defaults.
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
        self._deliveries = Deliveries(self.machine.buckets, wake.set)
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}:{next(_engines)}"

    def run(
        self, name: str, after_step: Callable[[Run], None] | None = None, *, grace_seconds: float | None = None
    ) -> None:
        """Run a tuning job to its end. Raise InUse when another alfine runs it.

        grace_seconds: how long training jobs that are stopped may take from now on, instead of what the job says.
        """
        try:
            self._run_with_patience(name, after_step, grace_seconds)
        finally:
            self._deliveries.forget(self.folder / name)

    def _run_with_patience(
        self, name: str, after_step: Callable[[Run], None] | None, grace_seconds: float | None
    ) -> None:
        patience = FULL_DISK_SECONDS
        while True:
            try:
                self._run(name, after_step, grace_seconds)
                return
            except Overtaken:
                continue  # someone asked to stop something: decide again, on the whole record
            except (StorageFull, OSError) as error:
                # A write that failed is taken like a crash: start over from what is recorded, once there is room.
                if patience <= 0 or not _is_full(error):
                    raise
                log.warning("the disk is full, trying again tuning_job=%s", name)
                patience -= 1
                self.wake.wait(self.wake.count(), 1.0)

    def _run(self, name: str, after_step: Callable[[Run], None] | None, grace_seconds: float | None) -> None:
        run = self.open(name, grace_seconds)
        try:
            renewed = self.clock()
            while True:
                seen = self.wake.count()
                if not self.step(run):
                    return
                if after_step is not None:
                    after_step(run)
                if self.clock() - renewed > LEASE / 3:
                    self._claim(name)
                    renewed = self.clock()
                if not run.more:
                    self.wake.wait(seen, self._patience(run))
        finally:
            with suppress(StorageFull):  # the lease runs out by itself
                self.close(run)

    def open(self, name: str, grace_seconds: float | None = None) -> Run:
        """Claim a tuning job and read what is known about it."""
        job = self.store.get(name)
        if not job.ended:
            self._claim(name)
        job, history = self.store.get(name), self.store.history(name)
        programs = programs_for(history.spec, self.folder / name, self.functions.get(name), machine=self.machine)
        past = history.upto(job.judged)
        judge = Judge(past, policy_for(past.spec), policy_for)
        if job.verdict is not None:
            judge.verdict, judge.verdicts = job.verdict, job.verdicts
            judge.judge()  # for the instants at which to judge again, which aren't kept
        judge.record(history.facts[job.judged :])
        run = Run(job, history.spec, programs, self.runners, judge, self.machine.arns, grace_seconds=grace_seconds)
        offsets = self.store.log_offsets(job.id)
        for each in run.history.running.values():
            run.readers[each.number] = _Reader(run.spec.of(each.definition), each, offsets.get(each.number, 0))
            if each.status == "Stopping":
                run.runner(each).stop(run.launch(each))  # told before a crash or not: telling twice changes nothing
        return run

    def end_if_stopped(self, name: str) -> bool:
        """End a tuning job that the user asked to stop and that can't be run here; False while training jobs of it may run."""
        history = self.store.history(name)
        if history.stop_requested_at is None or history.running:
            return False
        self.store.finish(name, "Stopped", self.clock())
        return True

    def close(self, run: Run) -> None:
        """Let go of a tuning job; its training jobs, if any run, run on where the runner lets them."""
        self.store.release(run.spec.name, self.owner)

    def step(self, run: Run) -> bool:
        """Observe, decide, record, act; False once the tuning job has ended."""
        if run.job.ended:
            return False
        facts, offsets = self._observe(run)
        history, known = run.history, len(run.history.facts)
        if not facts and self.store.overtaken(run.job.id, known):
            raise Overtaken("A user asked to stop something.")
        run.judge.record(facts)
        facts += run.judge.look(self.clock())
        decision = self._decide(run)
        run.judge.verdict = decision.verdict
        asked = {stop.number: stop for stop in (*run.judge.due(), *decision.stops)}
        self._act(run, known, facts, offsets, self._intents(run, asked.values(), decision.launches))
        if run.judge.verdict.outlook is not Outlook.CONTINUE and not history.running:
            self._finish(run)
            return False
        return True

    # -- observe -------------------------------------------------------------------------------------------------

    def _observe(self, run: Run) -> tuple[list[Fact], dict[int, int]]:
        """What has happened to the running training jobs, and how far their logs have been read."""
        facts: list[Fact] = []
        offsets: dict[int, int] = {}
        run.more = False
        for job in list(run.history.running.values()):
            reader = run.readers.setdefault(job.number, _Reader(run.spec.of(job.definition), job, 0))
            before = reader.offset
            facts += self._observed(run, job, reader)
            if reader.offset != before and job.number in run.readers:  # the log of one that has ended isn't read again
                offsets[job.number] = reader.offset
        return facts, offsets

    def _observed(self, run: Run, job: TrainingJob, reader: _Reader) -> Iterator[Fact]:
        launch = run.launch(job)
        delivery = self._deliveries.of(launch.folder)
        for _ in range(POLLS_A_STEP if delivery is None else 0):
            seen = run.runner(job).poll(launch, reader.offset)
            if seen is None:
                yield from self._never_started(run, job)
                return
            if seen.exit is not None and not self._tried_again(run, job, seen.exit):
                delivery = self._deliveries.begin(reader.spec, job.name, launch.folder, seen)
                break
            moved = seen.offset != reader.offset
            yield from (fact for fact in reader.read(seen, self.clock()) if not isinstance(fact, Ended))
            if seen.points:  # their function may wait for what is decided: the next poll says that it was
                run.more = True
                return
            if seen.exit is not None or not moved:
                return
        if delivery is None:
            run.more = True
        elif delivery.done:
            yield from self._delivered(run, job, reader, delivery)

    def _tried_again(self, run: Run, job: TrainingJob, end: Exit) -> bool:
        """Whether a training job whose end wasn't its own is begun anew (RetryStrategy), by the next look at it."""
        most, space = run.spec.of(job.definition).definition.retries, Workspace(run.launch(job).folder)
        if end.cause != "lost" or job.status != "InProgress" or failed_attempts(space) >= most:
            return False
        log.warning("training_job=%s was lost and is tried again", job.name)
        try_again(space, most)
        run.more = True
        return True

    def _delivered(self, run: Run, job: TrainingJob, reader: _Reader, delivery: Delivery) -> Iterator[Fact]:
        """The last facts of a training job whose model and output are where the job wants them."""
        self._deliveries.settle(run.launch(job).folder)
        for fact in reader.read(delivery.seen, self.clock()):
            if not isinstance(fact, Ended):
                yield fact
            elif delivery.trouble and fact.status == "Completed":
                yield replace(fact, status="Failed", objective=None, failure_reason=delivery.trouble)
            else:
                yield replace(fact, uploaded_at=self.clock()) if delivery.sent else fact
        run.readers.pop(job.number, None)
        run.launches.pop(job.number, None)

    def _never_started(self, run: Run, job: TrainingJob) -> Iterator[Fact]:
        """A row without a training job: the engine was killed between recording the intent and carrying it out."""
        if job.status == "Stopping":
            yield Ended(at=self.clock(), number=job.number, status="Stopped")
        else:
            self._start(run, job)

    def _start(self, run: Run, job: TrainingJob) -> None:
        """Start a training job, with its checkpoints; without those that can't be had it fails, saying why."""
        launch = run.launch(job)
        try:
            checkpoints.restore(self.machine.buckets, run.checkpoints(job), Workspace(launch.folder))
        except BucketsUnreachable:
            raise  # its row is there already: it's started once they can be had
        except OSError as error:
            gone = LocalChannel(name="checkpoints", path=launch.folder, trouble=str(error))
            launch = replace(launch, channels=(*launch.channels, gone))
        if launch.max_runtime_seconds is not None and job.started_at is not None:  # it spans all attempts
            left = launch.max_runtime_seconds - (self.clock() - job.started_at).total_seconds()
            launch = replace(launch, max_runtime_seconds=max(0.0, left))
        run.runner(job).start(launch)

    def _decide(self, run: Run) -> Decision:
        """The policy's decision; a plug-in that breaks fails this tuning job, not the engine."""
        try:
            return run.judge.policy.decide(run.history, run.judge.verdict)
        except Exception as error:
            log.exception("can't decide tuning_job=%s", run.spec.name)
            sentence = f"alfine could not decide what to do next: {type(error).__name__}: {error}"
            broken = Verdict(
                outlook=Outlook.STOP,
                criterion="InternalFailure",
                sentence=sentence,
                status="Failed",
                is_limit=True,
            )
            return run.judge.policy.decide(run.history, broken)

    # -- record, then act ----------------------------------------------------------------------------------------

    def _intents(self, run: Run, stops: Iterable[Stop], launches: Iterable[Suggestion]) -> list[Launched | StopAsked]:
        now, first = self.clock(), run.history.launches + 1
        return [
            *(StopAsked(at=now, number=stop.number, reason=stop.reason) for stop in stops),
            *(self._launched(run, number, each) for number, each in enumerate(launches, first)),
        ]

    def _act(
        self,
        run: Run,
        known: int,
        facts: Sequence[Fact],
        offsets: Mapping[int, int],
        intents: Sequence[Launched | StopAsked],
    ) -> None:
        """Record what was seen and what was decided on it, in one transaction; then carry it out."""
        judge, history = run.judge, run.history
        state = (len(history.facts), judge.verdict.outlook)
        if not offsets and not intents and run.written == state:
            return
        judged = (len(history.facts), judge.verdict, judge.verdicts)
        facts = [*facts, *intents]
        self.store.record(run.job.id, known, facts, offsets=offsets, texts=run.spec.texts, judged=judged)
        run.written = state
        judge.record(intents)
        for intent in intents:
            job = history.job(intent.number)
            if isinstance(intent, StopAsked):
                run.runner(job).stop(run.launch(job))
            else:
                self._start(run, job)
                log.debug("launched training_job=%s", intent.name)

    def _launched(self, run: Run, number: int, suggestion: Suggestion) -> Launched:
        return Launched(
            at=self.clock(),
            number=number,
            name=training_job_name(run.spec.name, number, run.job.created_at),
            hyperparameters=suggestion.hyperparameters,
            definition=suggestion.definition,
        )

    def _finish(self, run: Run) -> None:
        verdict, now = run.judge.verdict, self.clock()
        status = "Stopped" if run.history.stop_requested_at else verdict.status
        reason = verdict.sentence if status == "Failed" else None
        self.store.finish(run.spec.name, status, now, reason)
        run.job = self.store.get(run.spec.name)
        log.info("ended tuning_job=%s status=%s criterion=%s", run.spec.name, status, verdict.criterion)

    # -- the loop's own needs ------------------------------------------------------------------------------------

    def _patience(self, run: Run) -> float:
        """Seconds until there is something to do without news: the next deadline, or the next look at the logs."""
        deadlines = [v.ask_again_at for v in run.judge.verdicts if v.ask_again_at is not None]
        until = min((at - self.clock()).total_seconds() for at in deadlines) if deadlines else POLL_SECONDS
        return max(0.0, min(POLL_SECONDS, until))

    def _claim(self, name: str) -> None:
        now = self.clock()
        if not self.store.claim(name, self.owner, now, now + LEASE, _alive):
            raise InUse(
                f"tuning job {name} is being run by another alfine ({self.store.get(name).owner}). Wait, or stop it."
            )


class _Reader:
    """Turns what a runner saw of one training job into facts."""

    def __init__(self, spec: TuningJobSpec, job: TrainingJob, offset: int) -> None:
        self.spec, self.job, self.offset = spec, job, offset
        self._started = job.started_at is not None
        self._metrics: MetricReader | None = None  # made when there is a line to read
        self._emitted: dict[str, int] = {}
        for report in job.reports:
            self._emitted[report.metric] = int(report.step)
        self._last: dict[str, Reported] = {}
        self._recorded = dict(self._emitted)
        self._first_lines: list[str] = []
        self._last_lines: deque[str] = deque(maxlen=LINES_KEPT)

    def read(self, seen: Observation, now: datetime) -> Iterator[Fact]:
        if seen.started_at is not None and not self._started:
            self._started = True
            yield Started(at=seen.started_at, number=self.job.number)
        for at, name, value in self._values(seen, now):
            count = self._emitted[name] = self._emitted.get(name, 0) + 1
            fact = Reported(at=at, number=self.job.number, metric=name, step=count, value=value)
            self._last[name] = fact
            if count <= MAX_EMISSIONS:
                self._recorded[name] = count
                yield fact
        self.offset = seen.offset
        if seen.exit is not None:
            yield from (fact for name, fact in self._last.items() if self._emitted[name] > self._recorded.get(name, 0))
            yield self._ended(seen, seen.exit, now)

    def _values(self, seen: Observation, now: datetime) -> Iterator[tuple[datetime, str, float]]:
        if seen.lines and self._metrics is None:
            self._metrics = MetricReader([(m.name, m.regex) for m in self.spec.definition.metric_definitions])
        for line in seen.lines:
            (self._first_lines if len(self._first_lines) < LINES_KEPT else self._last_lines).append(line)
            for name, value in self._metrics.read(line) if self._metrics else ():
                yield now, name, value
        for point in seen.points:
            yield point.at, point.name, point.value

    def _ended(self, seen: Observation, end: Exit, now: datetime) -> Ended:
        last = self._last.get(self.spec.metric)
        earlier = self.job.curve(self.spec.metric)
        objective = last.value if last else earlier[-1] if earlier else None
        status = _status(self.job, end)
        reason = end.reason()
        if objective is None and status == "Completed" and not self.spec.single_training_job:
            reason = self._no_metric(end)
        at = max(seen.ended_at or now, self.job.started_at or seen.started_at or self.job.created_at)
        objective = None if status == "Failed" else objective
        return Ended(at=at, number=self.job.number, status=status, objective=objective, failure_reason=reason)

    def _no_metric(self, end: Exit) -> str:
        """Why a training job that succeeded has no objective, with the lines that may have been meant."""
        if FUNCTION in self.spec.definition.static_hyperparameters:
            return f"The function has no objective. {end.detail or 'It must return one, or report one on its way.'}"
        metric = self.spec.metric
        regex = next(m.regex for m in self.spec.definition.metric_definitions if m.name == metric)
        remarks = "; ".join(self._metrics.remarks(metric)) if self._metrics else ""
        why = f"{remarks}. A value is a finite number, found by the first group of {regex!r}." if remarks else ""
        said = [
            f"No value of the objective metric {metric!r}: {why or f'its regex {regex!r} matched nothing in the log.'}"
        ]
        near = nearest_lines((metric, regex), [*self._first_lines, *self._last_lines])
        said.append("Nearest lines: " + " | ".join(near) if near else "No line of the log looks like it.")
        return " ".join(said)[:FAILURE_LIMIT]


def _status(job: TrainingJob, end: Exit) -> str:
    if end.succeeded:
        return "Completed"
    if end.cause in ("stopped", "max_runtime") or job.status == "Stopping":
        return "Stopped"
    return "Failed"


def _is_full(error: Exception) -> bool:
    return isinstance(error, StorageFull) or (
        isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    )


def _started(pid: int) -> str:
    """When a process began, as the kernel counts it: two processes of one pid differ in it.

    «dead» for one that only waits to be reaped; empty where it can't be told.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "dead" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        return ""


def _alive(owner: str) -> bool:
    """Whether an owner's process exists; one on another host is taken to, until its lease runs out."""
    host, pid, started, _ = owner.rsplit(":", 3)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _started(int(pid)) == started
