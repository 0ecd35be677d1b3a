"""The one door to tuning jobs: create, describe, list, stop, delete, replay. Every face of alfine comes in through here.

What it answers is read from the store, nothing else: no field is invented. Answers are plain data under AMT's names.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from alfine.core import warm_start
from alfine.core.arns import name_as_created
from alfine.core.errors import (
    AlreadyEnded,
    Fault,
    IllegalTransition,
    InUse,
    InvalidSpec,
    NotFound,
    NotTerminal,
    Overtaken,
)
from alfine.core.history import Changed, History, TrainingJob, is_terminal
from alfine.core.inherited import Inherited
from alfine.core.policy import CompletionCriterion, Outlook
from alfine.core.read_spec import read_spec
from alfine.core.replay import Replayed
from alfine.core.settings import put_setting, setting_of
from alfine.core.single_training_job import as_asked, tuning_job_of
from alfine.core.spec import DEFINITION, DEFINITIONS, FUNCTION, PARENTS, TuningJobSpec
from alfine.jobs import documents
from alfine.jobs.analysis import results_table
from alfine.jobs.assessment import Assessor
from alfine.jobs.change_request import changed_request
from alfine.jobs.describe import describe_tuning_job, training_job_summaries, tuning_job_summaries
from alfine.jobs.documents import Plain
from alfine.jobs.policy_for import policy_for, replayed, unread_settings
from alfine.programs.algorithms.created import request_faults
from alfine.programs.complete_request import understood
from alfine.programs.data.channels import INPUTS
from alfine.programs.data.locations import beyond, local
from alfine.programs.machine import Machine
from alfine.programs.program import programs_for
from alfine.runners.job_folder import Workspace
from alfine.runners.log_files import LogPart, part_of
from alfine.store import queries
from alfine.store.algorithms import Algorithm
from alfine.store.records import Record, TrainingJobRow, TuningJob
from alfine.store.store import Store
from alfine.surrogate.space_diagnosis import Remark


class Service:
    """The operations on the jobs of one home. Only those that create, stop, detach or delete change anything."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        clock: Callable[[], datetime],
        machine: Machine | None = None,
    ) -> None:
        self.store = store
        self.folder = folder
        self.clock = clock
        self.machine = machine or Machine()
        self._assessor = Assessor()

    def create(self, request: Mapping[str, Any], function: Callable[..., Any] | None = None) -> TuningJob:
        """Check a CreateHyperParameterTuningJob request in full, and record it.

        Raise InvalidSpec with every fault, when it can't be understood, decided or run here; InUse when the name is taken.
        Nothing is stored unless all is well.
        """
        if "TrainingJobName" in request:
            raise InvalidSpec([Fault("TrainingJobName", "a tuning job has none: it names its training jobs itself.")])
        return self._create(self.priced(request), self.clock(), function)

    def create_training_job(self, request: Mapping[str, Any]) -> TuningJob:
        """Check a CreateTrainingJob request in full, and record the training job with the tuning job that stands for it.

        Raises as `create` does; the paths of faults are those of this request.
        """
        now = self.clock()
        try:
            return self._create(tuning_job_of(request, now), now)
        except InvalidSpec as error:
            raise InvalidSpec([as_asked(fault) for fault in error.faults]) from error

    def _create(
        self, request: Mapping[str, Any], now: datetime, function: Callable[..., Any] | None = None
    ) -> TuningJob:
        spec, inheritance = self._checked(request, function)
        return self.store.create(spec, now, inheritance)

    def check(self, request: Mapping[str, Any]) -> TuningJobSpec:
        """The spec of a CreateHyperParameterTuningJob request that `create` would take. Raise InvalidSpec with every fault."""
        return self._checked(self.priced(request), None)[0]

    def _checked(
        self, request: Mapping[str, Any], function: Callable[..., Any] | None
    ) -> tuple[TuningJobSpec, list[Inherited]]:
        spec = understood(self._with_parents_metrics(request), self.machine)
        policy = policy_for(spec)
        inheritance, faults = self._inheritance(spec)
        faults += unread_settings(spec, policy.criteria)
        try:
            programs_for(spec, self.folder / spec.name, function, machine=self.machine, fetch=False)
        except InvalidSpec as error:
            raise InvalidSpec([*error.faults, *faults]) from error
        if faults:
            raise InvalidSpec(faults)
        return spec, inheritance

    def _with_parents_metrics(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The request with the MetricDefinitions of its first parent, if it has none: SDK 2's warm-started tuners lose them."""
        parents = (request.get("WarmStartConfig") or {}).get(PARENTS) or [{}]
        definition = request.get(DEFINITION) or {}
        algorithm = definition.get("AlgorithmSpecification") or {}
        name = parents[0].get("HyperParameterTuningJobName")
        if not name or DEFINITION not in request or algorithm.get("MetricDefinitions"):
            return request
        try:
            parent = self.store.get(name).request.get(DEFINITION) or {}
        except NotFound:
            return request  # the reason to refuse it, told with the others
        metrics = (parent.get("AlgorithmSpecification") or {}).get("MetricDefinitions")
        algorithm = {**algorithm, **({"MetricDefinitions": metrics} if metrics else {})}
        return {**request, DEFINITION: {**definition, "AlgorithmSpecification": algorithm}}

    def _inheritance(self, spec: TuningJobSpec) -> tuple[list[Inherited], list[Fault]]:
        """What a warm start takes over from the parents, and why it can't."""
        found: list[Inherited] = []
        faults: list[Fault] = []
        for index, name in enumerate(spec.parents):
            path = f"WarmStartConfig.{PARENTS}[{index}]"
            if results_table.is_table(name):
                of_table, wrong = self._table(name, spec)
                found, faults = found + of_table, faults + wrong
                continue
            try:
                history = self.parent(name, path)
            except InvalidSpec as error:
                faults += error.faults
                continue
            faults += warm_start.faults(spec, history.spec, path)
            found += warm_start.inheritance(spec, history)
        return found, list(dict.fromkeys(faults))

    def parent(self, name: str, path: str) -> History:
        """The history of a tuning job to begin with. Raise InvalidSpec, at the path, where there is none or it hasn't ended."""
        try:
            parent, history = self.store.get(name), self.store.history(name)
        except NotFound:
            message = f"there is no tuning job called {name} here. A table of results has a name that ends in {results_table.SUFFIX}."
            raise InvalidSpec([Fault(path, message)]) from None
        if not parent.ended:
            message = f"{name} is {parent.status}. A parent must be Completed, Stopped or Failed."
            raise InvalidSpec([Fault(path, message)])
        return history

    def _table(self, parent: str, spec: TuningJobSpec) -> tuple[list[Inherited], list[Fault]]:
        """What a warm start takes over from a table of training jobs, a file of this machine."""
        file, buckets = local(parent), self.machine.buckets
        refusal = beyond(buckets.roots if buckets else (), file) if file else "isn't a file of this machine."
        if file is None or refusal:
            return [], [Fault(parent, str(refusal))]
        try:
            return results_table.inherited(file, spec, parent), []
        except InvalidSpec as error:
            return [], list(error.faults)

    def create_algorithm(self, request: Mapping[str, Any]) -> None:
        """Check a CreateAlgorithm request, and record the algorithm. Raise InvalidSpec with every fault; InUse: there is one."""
        built_in = self.machine.images.built_in(request["TrainingSpecification"]["TrainingImage"])
        implied = built_in.specification["MetricDefinitions"] if built_in else ()
        faults = list(request_faults(request, implied=[each["Name"] for each in implied]))
        if faults:
            raise InvalidSpec(faults)
        tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()}
        kept = {key: value for key, value in request.items() if key != "Tags"}
        algorithm = Algorithm(name=request["AlgorithmName"], request=kept, tags=tags, created_at=self.clock())
        self.store.create_algorithm(algorithm)

    def take_over(self, record: Record) -> TuningJob:
        """Keep the record of a tuning job that ran elsewhere, with this home's prices. Raise InUse when its name is taken."""
        record = dataclasses.replace(record, spec=read_spec(self.priced(record.spec.request)))
        policy_for(record.spec)
        return self.store.load(record)

    def as_recorded(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """A request as `create` records it: with what its algorithm, its parents, Autotune and the home's prices add.

        Raise InvalidSpec when it can't be understood.
        """
        return understood(self._with_parents_metrics(self.priced(request)), self.machine).request

    def priced(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The request with the price of its instances, from the settings of this home, unless it names one.

        With several definitions it's the price of the dearest: what a job can cost is bounded by it.
        """
        definitions = [request.get(DEFINITION), *(request.get(DEFINITIONS) or ())]
        prices = [self._price(each) for each in definitions if isinstance(each, Mapping)]
        price = max((each for each in prices if each is not None), default=None)
        if price is None or setting_of(request, "price-per-hour") is not None:
            return request
        changed = dict(request)
        put_setting(changed, "price-per-hour", f"{price!r}")
        return changed

    def _price(self, definition: Mapping[str, Any]) -> float | None:
        config = definition.get("ResourceConfig") or definition.get("HyperParameterTuningResourceConfig") or {}
        first = (config.get("InstanceConfigs") or [config])[0]
        spot = bool(definition.get("EnableManagedSpotTraining"))
        return self.machine.prices.of(str(first.get("InstanceType", "local")), spot=spot)

    def get(self, name: str) -> TuningJob:
        return self.store.get(name)

    def history(self, name: str) -> History:
        """Return everything recorded about a tuning job; a running one is seen as of now."""
        return self._as_of_now(self.store.get(name), self.store.history(name))

    def _as_of_now(self, job: TuningJob, history: History) -> History:
        history.now = max(history.now, job.ended_at or self.clock())
        return history

    def describe(self, name: str) -> Plain:
        """Return DescribeHyperParameterTuningJob's answer as plain data (jobs/documents.py)."""
        return self.describe_with_history(name)[0]

    def describe_with_history(self, name: str) -> tuple[Plain, History]:
        """Return the same, and the history of the job."""
        with self.store.reading() as connection:
            job = queries.tuning_job(connection, queries.tuning_job_row(connection, name).id)
            description = describe_tuning_job(connection, job)
            history = self._as_of_now(job, queries.history(connection, queries.tuning_job_row(connection, name)))
        return documents.tuning_job(description, self._assessor.assess(job, history), self.clock()), history

    def space_remarks(self, name: str) -> tuple[Remark, ...]:
        """Return what a tuning job's results say about its search space (surrogate/space_diagnosis.py)."""
        return self._assessor.remarks(self.store.get(name), self.history(name))

    def list(self) -> Iterator[Plain]:
        """Yield ListHyperParameterTuningJobs' rows as plain data, the oldest job first (jobs/documents.py)."""
        for job in self.store.list():
            with self.store.reading() as connection:
                summaries = tuning_job_summaries(connection, [job])
            yield documents.tuning_job_row(summaries[0])

    def training_jobs(self, name: str) -> Sequence[Plain]:
        """Return ListTrainingJobsForHyperParameterTuningJob's rows as plain data, in order of launch (jobs/documents.py)."""
        with self.store.reading() as connection:
            row = queries.tuning_job_row(connection, name)
            request = queries.tuning_job(connection, row.id).request
            summaries = training_job_summaries(queries.training_jobs_of(connection, row.id), request)
        return [documents.training_job(summary) for summary in summaries]

    def training_job(self, name: str) -> tuple[History, TrainingJob]:
        """A training job by its name, with the history of its tuning job."""
        row, _ = self._row(name)
        history = self.history(row.tuning_job_name)
        return history, history.job(row.number)

    def _row(self, name: str) -> tuple[TrainingJobRow, Mapping[str, Any]]:
        try:
            with self.store.reading() as connection:
                return queries.training_job_and_request(connection, name)
        except NotFound as error:
            raise NotFound(
                f"There is no training job called {name}. `alfine training-jobs NAME` lists those of a tuning job."
            ) from error

    def log(self, name: str, begin: int = 0, lines: int | None = None) -> LogPart:
        """A part of a training job's log, from `begin` on, or its last `lines` lines. Raise NotFound where it has none."""
        row, request = self._row(name)
        static = request.get(DEFINITION, {}).get("StaticHyperParameters") or {}
        if FUNCTION in static:
            raise NotFound(f"{name} ran a Python function in the process that called it, so it has no log of its own.")
        log = Workspace(self.folder / name_as_created(row.tuning_job_name) / name).log
        begin, data = part_of(log, begin, lines)
        return LogPart(name, row.status, str(log), begin, data, is_terminal(row.status))

    def change(self, name: str, **words: Any) -> TuningJob:
        """Change limits and completion criteria of a job (see policy.changed_request); one that has ended goes on.

        Whoever runs the job takes it up at its next step. Raise InvalidSpec when the change can't be understood, changes
        nothing, would have an ended job end again at once, or go on with what can't run here; IllegalTransition while the job is stopping.
        """
        while True:
            job, history = self.store.get(name), self.history(name)
            request = changed_request(job.request, **words)
            if request == dict(job.request):
                raise InvalidSpec([Fault(name, "nothing to change: it's asked for already.")])
            spec = read_spec(request)
            policy = policy_for(spec)
            if job.ended:
                self._check_programs(spec)
                history.record(Changed(at=self.clock(), spec=spec))
                verdict = policy.verdict(history)
                if verdict.outlook is not Outlook.CONTINUE and not policy.decide(history, verdict).launches:
                    raise InvalidSpec(
                        [Fault(name, f"it would end again at once. {verdict.criterion}: {verdict.sentence}")]
                    )
            try:
                self.store.change(name, job.request, spec, self.clock())
            except Overtaken:
                continue
            return self.store.get(name)

    def _check_programs(self, spec: TuningJobSpec) -> None:
        """Raise InvalidSpec when the training jobs of a recorded job can't run here; a function is in its caller's hands."""
        if not any(FUNCTION in part.definition.static_hyperparameters for part in spec.definition_specs):
            programs_for(spec, self.folder / spec.name, machine=self.machine, fetch=False)

    def request_stop(self, name: str) -> None:
        """Ask a tuning job to stop; whoever runs it stops its training jobs. Raise AlreadyEnded when it has ended."""
        job = self.store.get(name)
        if job.ended:
            raise AlreadyEnded(f"The tuning job {name} has already ended ({job.status}), so it can't be stopped.")
        self.store.request_stop(name, self.clock())

    def stop_training_job(self, name: str) -> None:
        """Ask one training job to stop; its tuning job goes on. Raise AlreadyEnded when it has ended."""
        with self.store.reading() as connection:
            status = queries.training_job(connection, name).status
        try:
            if is_terminal(status):
                raise AlreadyEnded(f"The request was rejected because the training job is in status {status}.")
            self.store.request_stop_of_training_job(name, self.clock(), "The user asked to stop it.")
        except IllegalTransition as error:  # it ended in between
            raise AlreadyEnded("The request was rejected because the training job has already ended.") from error

    def detach(self, name: str) -> None:
        """Forget an ended tuning job as AMT does: its training jobs, their logs and models stay."""
        self._check_ended(name)
        self.store.detach(name)

    def delete(self, name: str, *, files: bool = True) -> None:
        """Forget an ended tuning job; `files`: with the logs and models of its training jobs, but not those that were kept of an earlier
        job of that name.
        """
        self._check_ended(name)
        own = self.store.delete(name)
        for each in (*own, INPUTS) if files else ():
            shutil.rmtree(self.folder / name / each, ignore_errors=True)
        with suppress(OSError):  # the folder isn't empty
            (self.folder / name).rmdir()

    def delete_training_job(self, name: str) -> None:
        """Forget an ended training job, its log and model stay. Raise InUse while it runs or its tuning job is there."""
        with self.store.reading() as connection:
            row = queries.training_job(connection, name)
        if not is_terminal(row.status):
            raise InUse(f"The training job {name} is in status {row.status}. Stop it first.")
        if row.listed:
            raise InUse(
                f"The training job {name} belongs to the tuning job {row.tuning_job_name}. Delete the tuning job first."
            )
        self.store.delete_training_job(row.tuning_job, row.number)

    def _check_ended(self, name: str) -> None:
        status = self.store.get(name).status
        if not is_terminal(status):
            raise NotTerminal(f"The tuning job {name} is not in a terminal state ({status}). Stop it first.")

    def replay(self, name: str, criteria: Sequence[CompletionCriterion] = ()) -> Replayed:
        """When the recorded job would have ended under other criteria (none given: under its own)."""
        return replayed(self.history(name), criteria)
