"""The history of a tuning job: the facts that were recorded so far, and what follows from them.

The rules of this file:

* A history changes by `History.record(fact)` only, and the status of a training job by the table of transitions (core/facts.py) only.
* Everything that can be read from a history is a function of the facts recorded so far, and of `now` where it depends on time.
* A value in the memo (`remembered`, `remember`, `fold`) is a function of a prefix of the facts: if it's thrown away, it's computed again
  to the same bits.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterable, Iterator, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from alfine.core.axis import Array
from alfine.core.configurations import Configurations
from alfine.core.derived_values import DerivedValues
from alfine.core.errors import IllegalTransition
from alfine.core.extended import ExtendedList, extended_list, extended_mapping
from alfine.core.facts import (
    Changed,
    Ended,
    Fact,
    Launched,
    OfTuningJob,
    Reported,
    Started,
    StopAsked,
    TimePassed,
    TuningJobStopAsked,
    check_transition,
)
from alfine.core.inherited import Inherited, training_job_of
from alfine.core.memo import MemoKey
from alfine.core.observations import Observations
from alfine.core.space import Hyperparameters
from alfine.core.spec import IDENTICAL, TuningJobSpec
from alfine.core.training_job import TrainingJob, valid_objective

MASK_64 = 2**64 - 1  # the lowest 64 bits of an integer

TRAINING_SECONDS: MemoKey[float] = MemoKey(__name__, "training seconds")


class History(DerivedValues):
    """A tuning job as it was known at an instant: its specification, and the facts recorded until then.

    The work for each fact is constant: a history of 10,000 training jobs grows as fast as one of 10. With several definitions it has a
    history for each of them inside (`of`).

    Args:
        spec: The specification of the tuning job.
        created_at: When the tuning job was created.
        inherited: The parents' results of a warm start.

    Attributes:
        spec: The specification, after the user has changed it the new one; `first_spec` is that at the creation.
        now: The instant at which the history is looked at. Whoever owns the history sets it.
        facts: All facts, in the order in which they were recorded.
        jobs: All training jobs, in order of launch.
        running: The training jobs that haven't ended, by number.
        finished: The training jobs that have ended, in order of completion.
        best_first_result: The best training job by the first result of each configuration; None without a result.
        incumbent: The best training job so far; once repeats have ended, by their mean.
        repeated: The repeats of each configuration, by the number of its first training job.
        stop_requested_at: When the user asked to stop the tuning job.
        hypothetical: Whether the last launch hasn't happened (`with_launch`).
        stream: The number that random draws are addressed by, instead of the number of launches; None for that (`with_running`).
        memo: Derived values with the version that they were computed for (`remembered`).

    Example:
        >>> history = History(read_spec(request), created_at)
        >>> history.record(Launched(at=created_at, number=1, name="job-001", hyperparameters={"eta": 0.1}))
        >>> history.pending().shape
        (1, 1)
    """

    def __init__(self, spec: TuningJobSpec, created_at: datetime, inherited: Sequence[Inherited] = ()) -> None:
        self._parts = {name: History(part, created_at) for name, part in spec.parts.items()}
        self.spec = self.first_spec = spec
        self.created_at = created_at
        self.inherited = tuple(inherited)
        self.now = created_at
        self.facts: list[Fact] | ExtendedList[Fact] = []
        self.jobs: list[TrainingJob] | ExtendedList[TrainingJob] = []
        self.running: dict[int, TrainingJob] = {}
        self.finished: list[TrainingJob] = []
        self.best_first_result: TrainingJob | None = None
        self.incumbent: TrainingJob | None = None
        self.repeated: MutableMapping[int, list[TrainingJob]] = {}
        self.stop_requested_at: datetime | None = None
        self.hypothetical = False
        self.stream: int | None = None
        self._copied = 0  # how many training jobs a copy shares with its history
        self.memo: dict[MemoKey[Any], tuple[Hashable, Any]] = {}
        self._numbered: MutableMapping[int, TrainingJob] = {}
        # By configuration, the number of its first training job.
        self._first: MutableMapping[tuple[str | None, bytes], int] = {}
        self._observations = Observations(spec.space.dimension)
        self._configurations = Configurations(self.inherited)

    # -- recording -----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<History of {self.spec.name}: {self.launches} training jobs, {len(self.facts)} facts>"

    def record(self, fact: Fact) -> None:
        """Append a fact.

        Args:
            fact: What happened, not before the last fact.

        Raises:
            IllegalTransition: Where the fact can't follow those before it, or a copy can't take it.
        """
        if isinstance(fact, Launched) and fact.number != len(self.jobs) + 1:
            raise IllegalTransition(f"training job {fact.number} can't be launched after {len(self.jobs)} others.")
        if self.hypothetical and not (isinstance(fact, Launched | Started | Reported) and fact.number > self._copied):
            raise IllegalTransition(
                "a copy takes only launches, and news of what was launched in it: it shares the rest."
            )
        self._take(fact)
        if self._parts and not isinstance(fact, OfTuningJob):
            self.of(self.job(fact.number).definition)._take(fact)  # noqa: SLF001 - another history

    def _take(self, fact: Fact) -> None:
        match fact:
            case Launched():
                self._launch(fact)
            case Started():
                self.job(fact.number).started_at = fact.at
            case Reported():
                self.job(fact.number).reports.append(fact)
            case StopAsked():
                self._ask_to_stop(fact)
            case Ended():
                self._end(fact)
            case TuningJobStopAsked():
                self.stop_requested_at = fact.at
            case Changed():
                self._change(fact.spec)
            case TimePassed():
                pass
        self.facts.append(fact)
        self.now = max(self.now, fact.at)

    def _change(self, spec: TuningJobSpec) -> None:
        """Take over another specification, but for the search space, whose categories keep the types that the caller gave them.

        Values that were derived under the old specification are forgotten.
        """
        for name, part in self._parts.items():
            part._change(spec.parts[name])  # noqa: SLF001 - another history
        parts = {name: part.spec for name, part in self._parts.items()}
        self.spec = replace(spec, space=self.spec.space, parts=parts)
        self.stop_requested_at = None
        self.memo = {}
        if self.spec.repeats is not None:
            for job in self.jobs:
                if job.repeats is None:
                    self._mark(job)
        self._choose()

    def _launch(self, fact: Launched) -> None:
        job = TrainingJob(
            number=fact.number,
            name=fact.name,
            hyperparameters=fact.hyperparameters,
            created_at=fact.at,
            definition=fact.definition,
        )
        self.jobs.append(job)
        self._numbered[job.number] = self.running[job.number] = job
        if self.spec.repeats is not None:
            self._mark(job)

    def _mark(self, job: TrainingJob) -> None:
        """Note a training job as the first of its configuration, or as a repeat of the first."""
        if not job.has_place:
            return
        point = self.spec.of(job.definition).space.to_unit(job.hyperparameters)
        first = self._first.setdefault((job.definition, point.tobytes()), job.number)
        if first != job.number:
            job.repeats = first
            self.repeated[first] = [*self.repeated.get(first, ()), job]

    def _ask_to_stop(self, fact: StopAsked) -> None:
        job = self.job(fact.number)
        check_transition(job.name, job.status, "Stopping")
        job.status, job.stop_reason = "Stopping", fact.reason

    def _end(self, fact: Ended) -> None:
        job = self.job(fact.number)
        check_transition(job.name, job.status, fact.status)
        job.status, job.ended_at = fact.status, fact.at
        job.objective, job.failure_reason = valid_objective(fact.status, fact.objective), fact.failure_reason
        del self.running[job.number]
        self.finished.append(job)
        if job.objective is not None and self.ranks(job):
            self._observe(job, job.objective)
        self._choose()

    def _choose(self) -> None:
        self.incumbent = self._best_by_mean() or self.best_first_result

    def _observe(self, job: TrainingJob, objective: float) -> None:
        best = self.best_first_result
        if job.repeats is None and (best is None or self.sign * objective < self.sign * (best.objective or 0.0)):
            self.best_first_result = job
        self._observations.add(self.spec.space.to_unit(job.hyperparameters), self.spec.minimised(objective))

    # -- reading -------------------------------------------------------------------------------------------------

    def of(self, definition: str | None) -> History:
        """Return the history of one of several definitions; the history itself where the job has one definition.

        It has the facts of that definition only. Training jobs keep their numbers.

        Args:
            definition: The name of the definition.
        """
        return self._parts.get(definition or "", self)

    def ranks(self, job: TrainingJob) -> bool:
        """Return whether a training job's objective is compared with others to find the best (`TuningJobSpec.ranked`)."""
        return self.spec.ranked in (None, job.definition)

    def job(self, number: int) -> TrainingJob:
        """Return the training job of that number."""
        return self._numbered[number]

    @property
    def sign(self) -> float:
        """+1 to minimise, -1 to maximise: of sign * objective the smaller is the better one."""
        return self.spec.sign

    @property
    def launches(self) -> int:
        """The number of training jobs that were launched, whatever became of them."""
        return len(self.jobs)

    @property
    def turn(self) -> int:
        """The number that addresses random draws and places in sequences: that of launches, unless another `stream` was asked for."""
        return self.launches if self.stream is None else self.stream

    @property
    def searched(self) -> int:
        """The number of training jobs of the search: launched ones without repeats."""
        return len(self.jobs) - sum(map(len, self.repeated.values()))

    @property
    def ended(self) -> int:
        """The number of training jobs that have ended, failed and stopped ones included."""
        return len(self.finished)

    @property
    def configurations(self) -> AbstractSet[bytes]:
        """The distinct configurations that were launched, or evaluated by parents of the same function, as the bytes of their points.

        Empty for infinite spaces, where configurations can't run out.
        """
        return set() if self.spec.distinct is None else self._configurations.among(self.spec, self.jobs)

    @property
    def elapsed_seconds(self) -> float:
        """The seconds from the creation of the tuning job to `now`."""
        return (self.now - self.created_at).total_seconds()

    @property
    def training_seconds(self) -> float:
        """The training time of the ended training jobs, added up, in seconds."""
        return self.fold(TRAINING_SECONDS, 0.0, lambda total, job: total + job.seconds)

    def observations(self) -> tuple[Array, Array]:
        """Return the results so far, in order of completion.

        Returns:
            (n, d) points of the unit cube and (n,) objectives, minimised. They must not be changed.
        """
        return self._observations.arrays()

    def pending(self) -> Array:
        """Return the points of the training jobs that run, (m, d)."""
        return self._cube(self.running.values())

    def failed(self) -> Array:
        """Return the points of the training jobs that ended without an objective, (f, d)."""
        return self._cube(job for job in self.finished if job.objective is None)

    def _cube(self, jobs: Iterable[TrainingJob]) -> Array:
        points = [self.spec.space.to_unit(job.hyperparameters) for job in jobs if job.has_place]
        return np.array(points, dtype=float).reshape(len(points), self.spec.space.dimension)

    @property
    def overall_best(self) -> TrainingJob | None:
        """The best training job of this tuning job and of its parents; None without a result.

        Parents count after a warm start of type IdenticalDataAndAlgorithm. A training job of a parent has the number 0.
        """
        result = self.better_inherited
        return self.incumbent if result is None else training_job_of(result, self.spec)

    @property
    def better_inherited(self) -> Inherited | None:
        """The best result of parents of the same function, where this job's own results aren't better; on a tie it's the parent's."""
        spec, own = self.spec, self.incumbent
        if spec.warm_start != IDENTICAL:
            return None
        best = min(self.inherited, key=lambda result: spec.sign * result.objective, default=None)
        if best is None or (own is not None and spec.sign * (own.objective or 0.0) < spec.sign * best.objective):
            return None
        return best

    def contenders(self) -> list[TrainingJob]:
        """Return the training jobs whose configurations are run again: those with the best first results, the best first.

        On a tie the one that ended first comes first. There are none unless the job asks for repeats. No repeat changes them, so that
        repeats go on after a restart.
        """
        repeats = self.spec.repeats
        if repeats is None:
            return []
        first = [j for j in self.finished if j.objective is not None and j.repeats is None and self.ranks(j)]
        return sorted(first, key=lambda job: self.sign * (job.objective or 0.0))[: repeats.best]

    def runs(self, job: TrainingJob) -> list[float]:
        """Return the objectives of a contender's configuration, that of its first training job first."""
        objectives = (run.objective for run in (job, *self.repeated.get(job.number, ())))
        return [objective for objective in objectives if objective is not None]

    @property
    def best_value(self) -> float | None:
        """The objective of the best training job; the mean of its runs once its configuration was run again."""
        best = self.incumbent
        values = [] if best is None else self.runs(best)
        return mean(values) if values else None

    def _best_by_mean(self) -> TrainingJob | None:
        """Return the contender with the best mean, once each of them was run again; None before.

        A contender whose repeats all failed doesn't count, unless those of all contenders did.
        """
        contenders = self.contenders() if self.repeated else []
        ended = [[run for run in self.repeated.get(job.number, ()) if not run.running] for job in contenders]
        if not contenders or not all(ended):
            return None
        proven = [job for job in contenders if len(self.runs(job)) > 1] or contenders
        return min(proven, key=lambda job: self.sign * mean(self.runs(job)))

    def best_curve(self) -> list[tuple[TrainingJob, float]]:
        """Return each ended training job with the best first result so far when it ended, in order of completion.

        Training jobs that ended before the first result are left out.
        """
        curve: list[tuple[TrainingJob, float]] = []
        for job in self.finished:
            best = curve[-1][1] if curve else None
            if (
                job.objective is not None
                and job.repeats is None
                and self.ranks(job)
                and (best is None or self.sign * job.objective < self.sign * best)
            ):
                best = job.objective
            if best is not None:
                curve.append((job, best))
        return curve

    def rng(self, *stream: int) -> np.random.Generator:
        """Return a random generator that depends on the job's seed, the `turn` and the stream, on nothing else.

        Philox is a counter-based generator. Seed and stream are its key, and the training job is the upper half of its counter, so that
        no two training jobs share a draw. Seeding another generator would take longer than all the rest of random search.

        Args:
            stream: Numbers that tell apart the generators of one training job.
        """
        key = (self.spec.seed & MASK_64) | (zlib.crc32(repr(stream).encode()) << 64)
        return np.random.Generator(np.random.Philox(key=key, counter=self.turn << 128))

    # -- other histories of the same job -------------------------------------------------------------------------

    def upto(self, count: int) -> History:
        """Return the history as it was after the first `count` facts."""
        past = self.under(self.first_spec)
        for fact in self.facts[:count]:
            past.record(fact)
        return past

    def under(self, spec: TuningJobSpec) -> History:
        """Return an empty history of the same job with another specification.

        Args:
            spec: The other specification.
        """
        return History(spec, self.created_at, self.inherited)

    def with_launch(self, hyperparameters: Hyperparameters, definition: str | None = None) -> History:
        """Return a copy of this history with one more training job launched, to ask a strategy for the next one.

        Args:
            hyperparameters: The configuration of the training job.
            definition: Its definition, where there are several.
        """
        further = self._copy()
        if definition in self._parts:
            further.__dict__["_parts"] = {**self._parts, definition: self.of(definition)._copy()}  # noqa: SLF001
        further.hypothetical = True
        further.record_hypothetical(hyperparameters, definition)
        return further

    def record_hypothetical(self, hyperparameters: Hyperparameters, definition: str | None = None) -> None:
        """Record one more launch in a copy that `with_launch` or `with_running` has made.

        Args:
            hyperparameters: The configuration of the training job.
            definition: Its definition, where there are several: one whose history was copied, too.
        """
        number = self.launches + 1
        self.record(
            Launched(
                at=self.now, number=number, name=f"#{number}", hyperparameters=hyperparameters, definition=definition
            )
        )

    def with_running(self, configurations: Iterable[Hyperparameters], stream: int | None = None) -> History:
        """Return a copy of this history with training jobs launched that run elsewhere, to ask a strategy for the next one.

        Args:
            configurations: The configurations of the training jobs.
            stream: The number that addresses random draws; None: the number of launches.
        """
        further = self._copy()
        further.hypothetical, further.stream = True, stream
        for hyperparameters in configurations:
            further.record_hypothetical(hyperparameters)
        return further

    def _copy(self) -> History:
        """Return a copy in which training jobs can be launched. It shares what was recorded, so that it costs the same at any length."""
        copy = History.__new__(History)
        copy.__dict__.update(self.__dict__, _copied=self.launches)
        copy.facts, copy.jobs, copy.running = extended_list(self.facts), extended_list(self.jobs), dict(self.running)
        copy.repeated = extended_mapping(self.repeated)
        copy.__dict__["_numbered"] = extended_mapping(self._numbered)
        copy.__dict__["_first"] = extended_mapping(self._first)
        copy.__dict__["_configurations"] = self._configurations.copy()
        copy.__dict__["_observations"] = self._observations.copy()
        return copy

    def replayed(self) -> Iterator[tuple[Fact, History]]:
        """Yield each fact with the history right after it. It's one history, which grows."""
        past = self.under(self.first_spec)
        for fact in self.facts:
            past.record(fact)
            yield fact, past


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean of one value or more."""
    return sum(values) / len(values)
