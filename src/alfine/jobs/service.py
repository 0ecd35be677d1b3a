"""The service: everything that can be done with the tuning jobs of a home. Every face of alfine works through it.

It records what is asked for; engines carry it out. The two share nothing but the store.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from alfine.core.errors import AlreadyEnded, Fault, IllegalTransition, InvalidSpec, Overtaken
from alfine.core.history import History
from alfine.core.inherited import Inherited
from alfine.core.protocols import CompletionCriterion
from alfine.core.read_spec import read_spec
from alfine.core.replay import Replayed
from alfine.core.single_training_job import as_asked, tuning_job_of
from alfine.core.spec import TuningJobSpec
from alfine.jobs import delete, documents
from alfine.jobs.annotations import checked_note, checked_tags, own_tags
from alfine.jobs.assessment import Assessor
from alfine.jobs.change_request import changed_request
from alfine.jobs.check_request import RequestCheck
from alfine.jobs.describe import describe_tuning_job, training_job_summaries, tuning_job_summaries
from alfine.jobs.documents import Plain
from alfine.jobs.forced_stop import force_end
from alfine.jobs.inheritance import parent_history
from alfine.jobs.model_folder import model_folder
from alfine.jobs.policy_for import policy_for, replayed
from alfine.jobs.pricing import with_price
from alfine.jobs.quotas import Quotas
from alfine.jobs.standstill import standstill
from alfine.jobs.trackers import SETTING, trackers_in, with_trackers
from alfine.jobs.training_job_log import TrainingJobLogs
from alfine.jobs.tuning_job_list import TuningJobList
from alfine.programs.algorithms.created import request_faults
from alfine.programs.machine import Machine
from alfine.runners.log_files import LogPart
from alfine.runners.protocol import Runner
from alfine.store import queries
from alfine.store.algorithms import Algorithm
from alfine.store.database import Connection
from alfine.store.operating_settings import Limits
from alfine.store.records import Record, TuningJob
from alfine.store.store import Store
from alfine.store.tags import read_tags, tags_in, tags_of
from alfine.store.tracker_cursors import tracker_states
from alfine.store.tuning_job_table import TuningJobSelection, selected_tuning_jobs, tuning_job_count
from alfine.surrogate.space_remarks import Remark

ROWS_AT_ONCE = 500
"""Tuning jobs whose summaries one query reads: databases take some 30,000 variables at most."""


class Service:
    """The operations on the jobs of one store.

    Args:
        store: Where they are recorded.
        folder: Holds a folder for each tuning job, with the files of its training jobs.
        clock: Returns the present instant.
        machine: What this machine has for training jobs; None stands for the defaults.
        quotas: What a new job must not exceed; None: there are none.
        runners: Returns the runners by name: they have the logs.
        trackers: The experiment trackers of tuning jobs that name none.

    Attributes:
        logs: The logs of the training jobs.
        tuning_jobs: The list of tuning jobs, page by page.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        clock: Callable[[], datetime],
        machine: Machine | None = None,
        quotas: Quotas | None = None,
        *,
        runners: Callable[[], Mapping[str, Runner]],
        trackers: Sequence[str] = (),
    ) -> None:
        self.store = store
        self.tuning_jobs = TuningJobList(store)
        self.folder = folder
        self.clock = clock
        self.machine = machine or Machine()
        self.logs = TrainingJobLogs(store, runners, self.machine.buckets)
        self._quotas = quotas or Quotas(Limits(), folder)
        self._check = RequestCheck(store, folder, self.machine)
        self._assessor = Assessor()
        self._trackers = trackers

    # -- create --------------------------------------------------------------------------------------------------

    def create(self, request: Mapping[str, Any], function: Callable[..., Any] | None = None) -> TuningJob:
        """Check a CreateHyperParameterTuningJob request, and record the tuning job.

        Args:
            request: The request.
            function: The Python function that its training jobs run, if they run one.

        Raises:
            InvalidSpec: It can't be understood, decided or run here; with every fault. Nothing is recorded.
            InUse: The name is taken.
            QuotaExceeded: A quota of the home doesn't allow it.
        """
        if "TrainingJobName" in request:
            raise InvalidSpec([Fault("TrainingJobName", "a tuning job has none: it names its training jobs itself.")])
        spec, inheritance = self._check.new_job(self._with_defaults(request), function)
        return self._created(spec, self.clock(), inheritance)

    def _created(self, spec: TuningJobSpec, now: datetime, inheritance: Sequence[Inherited]) -> TuningJob:
        """Record a job, unless a quota doesn't allow it."""
        self._quotas.check_disk()
        check = partial(self._quotas.check_parallel, added=spec.max_parallel)
        trackers = () if spec.single_training_job else trackers_in(spec.settings.get(SETTING, ""))
        return self.store.create(spec, now, inheritance, check, trackers)

    def create_training_job(self, request: Mapping[str, Any]) -> TuningJob:
        """Check a CreateTrainingJob request, and record the training job with a tuning job that holds it alone.

        Args:
            request: The CreateTrainingJob request.

        Raises:
            InvalidSpec: As `create`; paths are those of this request.
            InUse: The name is taken.
            QuotaExceeded: A quota of the home doesn't allow it.
        """
        now = self.clock()
        try:
            spec, inheritance = self._check.new_job(tuning_job_of(request, now))
        except InvalidSpec as error:
            raise InvalidSpec([as_asked(fault) for fault in error.faults]) from error
        return self._created(spec, now, inheritance)

    def check(self, request: Mapping[str, Any]) -> TuningJobSpec:
        """Return the spec that `create` would record for a request. Raise InvalidSpec with every fault if it wouldn't."""
        return self._check.new_job(self._with_defaults(request))[0]

    def as_recorded(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a request as `create` records it, completed by its algorithm, its parents, Autotune, the home's prices and trackers.

        Args:
            request: A CreateHyperParameterTuningJob request.

        Raises:
            InvalidSpec: It can't be understood.
        """
        return self._check.complete(self._with_defaults(request)).request

    def create_algorithm(self, request: Mapping[str, Any]) -> None:
        """Check a CreateAlgorithm request, and record the algorithm.

        Raises:
            InvalidSpec: It can't be understood; with every fault.
            InUse: The name is taken.
        """
        built_in = self.machine.images.built_in(request["TrainingSpecification"]["TrainingImage"])
        metrics = built_in.specification["MetricDefinitions"] if built_in else ()
        faults = list(request_faults(request, implied=[metric["Name"] for metric in metrics]))
        if faults:
            raise InvalidSpec(faults)
        algorithm = Algorithm(
            name=request["AlgorithmName"],
            request={key: value for key, value in request.items() if key != "Tags"},
            tags=tags_in(request),
            created_at=self.clock(),
        )
        self.store.create_algorithm(algorithm)

    def take_over(self, record: Record) -> TuningJob:
        """Record a tuning job that ran elsewhere, with this home's prices. Raise InUse when its name is taken.

        Args:
            record: The tuning job with its facts and its end.

        Raises:
            InvalidSpec: The job can't be decided by this version, for example because a criterion isn't known.
        """
        record = dataclasses.replace(record, spec=read_spec(with_price(record.spec.request, self.machine.prices)))
        policy_for(record.spec)  # raises InvalidSpec for what can't be decided
        return self.store.load(record)

    def parent(self, name: str, path: str) -> History:
        """Return the history of a parent. Raise InvalidSpec, at `path`, if there is none of that name or it has not ended."""
        return parent_history(name, self.store, path)

    def _with_defaults(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return with_trackers(with_price(request, self.machine.prices), self._trackers)

    # -- read ----------------------------------------------------------------------------------------------------

    def get(self, name: str) -> TuningJob:
        """Return a tuning job. Raise NotFound if there is none of that name."""
        return self.store.get(name)

    def history(self, name: str) -> History:
        """Return everything recorded about a tuning job; a running one is seen as of now.

        Args:
            name: The tuning job.

        Raises:
            NotFound: There is none of that name.
        """
        return self._as_of_now(self.store.get(name), self.store.history(name))

    def _as_of_now(self, job: TuningJob, history: History) -> History:
        history.now = max(history.now, job.ended_at or self.clock())
        return history

    def describe(self, name: str) -> Plain:
        """Return DescribeHyperParameterTuningJob's answer as plain data (jobs/documents.py).

        Args:
            name: The tuning job.

        Raises:
            NotFound: There is none of that name.
        """
        return self.describe_with_history(name)[0]

    def describe_with_history(self, name: str) -> tuple[Plain, History]:
        """Return the same, and the history of the job.

        Args:
            name: The tuning job.

        Raises:
            NotFound: There is none of that name.
        """
        with self.store.reading() as connection:
            row = queries.tuning_job_row(connection, name)
            job = queries.tuning_job(connection, row.id)
            description = describe_tuning_job(connection, job)
            tags = read_tags(connection, job.id, 0)
            trackers = tracker_states(connection, job.id)
            history = queries.history(connection, row)
        history.now = max(history.now, description.until(self.clock()))
        assessment = self._assessor.assess(job, history)
        return documents.tuning_job(description, assessment, self.clock(), own_tags(tags), trackers), history

    def standstill(self, name: str) -> str:
        """Return why nobody runs a tuning job, and how to go on; "" while somebody does, and once it has ended.

        Args:
            name: The tuning job.

        Raises:
            NotFound: There is none of that name.
        """
        with self.store.reading() as connection:
            job = queries.tuning_job(connection, queries.tuning_job_row(connection, name).id)
            found = standstill(connection, job, job.spec())
        return found.reason if found else ""

    def space_remarks(self, name: str) -> tuple[Remark, ...]:
        """Return what a tuning job's results say about its search space (surrogate/space_diagnosis.py).

        Args:
            name: The tuning job.

        Raises:
            NotFound: There is none of that name.
        """
        return self._assessor.remarks(self.store.get(name), self.history(name))

    def list(self) -> Iterator[Plain]:
        """Yield ListHyperParameterTuningJobs' rows as plain data, the oldest job first (jobs/documents.py)."""
        for job in self.store.list():
            with self.store.reading() as connection:
                summaries = tuning_job_summaries(connection, [job])
                tags = read_tags(connection, job.id, 0)
            yield documents.tuning_job_row(summaries[0], own_tags(tags))

    def listed(self, selection: TuningJobSelection, limit: int | None = None) -> tuple[Sequence[Plain], int]:
        """Return rows as `list` yields them, of a selection and in its order, and how many tuning jobs the selection has.

        Args:
            selection: Which tuning jobs, and their order.
            limit: How many rows at most; None: all.
        """
        with self.store.reading() as connection:
            total = tuning_job_count(connection, selection)
            jobs = selected_tuning_jobs(connection, selection, total if limit is None else limit, 0, self.clock())
            rows = [*_rows(connection, jobs)]
        return rows, total

    def training_jobs(self, name: str) -> Sequence[Plain]:
        """Return ListTrainingJobsForHyperParameterTuningJob's rows as plain data, in order of launch (jobs/documents.py).

        Args:
            name: The tuning job.

        Raises:
            NotFound: There is none of that name.
        """
        with self.store.reading() as connection:
            job = queries.tuning_job_row(connection, name).id
            request = queries.request_of(connection, job)
            summaries = training_job_summaries(queries.training_jobs_of(connection, job), request)
        return [documents.training_job(summary) for summary in summaries]

    def log(self, name: str, begin: int = 0, lines: int | None = None) -> LogPart:
        """Return a part of a training job's log: see `TrainingJobLogs.part`.

        Args:
            name: The training job.
            begin: Where the part begins, in bytes.
            lines: How many lines from the end to return instead; None: from `begin` on.

        Raises:
            NotFound: There is no such training job, or it has no log.
            OSError: The log can't be read at present.
        """
        return self.logs.part(name, begin, lines)

    def model_folder(self, name: str) -> Path | None:
        """Return the folder with the model of a training job: see `model_folder`."""
        return model_folder(self.store, self.folder, name)

    def replay(self, name: str, criteria: Sequence[CompletionCriterion] = ()) -> Replayed:
        """Return when a recorded job would have ended under other criteria; none stands for its own.

        Args:
            name: The tuning job.
            criteria: The other criteria.

        Raises:
            NotFound: There is none of that name.
        """
        return replayed(self.history(name), criteria)

    # -- change, stop, delete ------------------------------------------------------------------------------------

    def change(self, name: str, **words: Any) -> TuningJob:
        """Change limits and completion criteria of a job. One that has ended goes on; whoever runs it takes up the change.

        One that the user stopped goes on with the settings that it has, too.

        Args:
            name: The tuning job.
            words: What to change: see `changed_request`.

        Raises:
            InvalidSpec: The change can't be understood, changes nothing, or the job would end again at once or can't run here.
            NotTerminal: The job is stopping.
            QuotaExceeded: A quota of the home doesn't allow it.
        """
        while True:
            job, history = self.store.get(name), self.history(name)
            request = changed_request(job.request, **words)
            if request == dict(job.request) and job.status != "Stopped":
                raise InvalidSpec([Fault(name, "nothing to change: the job already has these settings.")])
            spec, policy = self._check.changed_job(request)
            if job.ended:
                self._check.resumed_job(history, spec, policy, self.clock())
            added = spec.max_parallel - (0 if job.ended else history.spec.max_parallel)
            check = partial(self._quotas.check_parallel, added=added)
            try:
                self.store.change(name, job.request, spec, self.clock(), check)
            except Overtaken:
                continue
            return self.store.get(name)

    def annotate(self, name: str, *, note: str | None = None, tags: Mapping[str, str | None] | None = None) -> None:
        """Set the note and tags of a tuning job, at any time; both are for people, and change nothing of the job.

        Args:
            name: The tuning job.
            note: The note, at most LONGEST_NOTE characters; "" removes it, None leaves it as it is.
            tags: The new value of each tag; None removes a tag. Other tags stay.

        Raises:
            NotFound: There is none of that name.
            InvalidSpec: With every fault of the note and the tags; see `alfine.jobs.annotations`.
        """
        job = self.store.get(name)
        text = None if note is None else checked_note(note)
        self.store.annotate(job.id, text, checked_tags(self.store.tags(job.id, 0), {} if tags is None else tags))

    def tags(self, name: str) -> Mapping[str, str]:
        """Return the tags that people gave a tuning job, without alfine's settings. Raise NotFound if there is none of that name."""
        return own_tags(self.store.tags(self.store.get(name).id, 0))

    def request_stop(self, name: str) -> None:
        """Ask a tuning job to stop; whoever runs it stops its training jobs. Raise AlreadyEnded if it has ended."""
        job = self.store.get(name)
        if job.ended:
            raise _ended(job)
        try:
            self.store.request_stop(name, self.clock())
        except IllegalTransition as error:  # it ended in between
            raise _ended(self.store.get(name)) from error

    def force_stop(self, name: str, runners: Mapping[str, Runner]) -> Sequence[str]:
        """Kill what runs of a tuning job, and record it and its training jobs as Stopped: what `request_stop` can't end.

        Args:
            name: The tuning job.
            runners: Where its training jobs may run.

        Returns:
            The names of the training jobs of which something may still run.

        Raises:
            AlreadyEnded: It has ended.
        """
        if (job := self.store.get(name)).ended:
            raise _ended(job)
        try:
            return force_end(self.store, runners, self.folder, name, self.clock())
        except IllegalTransition as error:  # it ended in between
            raise _ended(self.store.get(name)) from error

    def stop_training_job(self, name: str) -> None:
        """Ask one training job to stop; its tuning job goes on. Raise AlreadyEnded if it has ended."""
        try:
            self.store.request_stop_of_training_job(name, self.clock(), "The user asked to stop it.")
        except IllegalTransition as error:
            with self.store.reading() as connection:
                status = queries.training_job(connection, name).status
            raise AlreadyEnded(f"The request was rejected because the training job is in status {status}.") from error

    def detach(self, name: str) -> None:
        """Delete a tuning job as AMT does: its training jobs stay. Raise NotTerminal if it has not ended."""
        delete.detach_tuning_job(self.store, name)

    def delete(self, name: str, *, files: bool = True) -> None:
        """Delete a tuning job and its training jobs. Raise NotTerminal if it has not ended.

        Args:
            files: Whether logs and models are deleted, too.
        """
        delete.delete_tuning_job(self.store, name, self.folder if files else None)

    def delete_training_job(self, name: str) -> None:
        """Delete a training job that has ended; its log and model stay. Raise InUse while its tuning job is there."""
        delete.delete_training_job(self.store, name)


def _ended(job: TuningJob) -> AlreadyEnded:
    return AlreadyEnded(f"The tuning job {job.name} has already ended ({job.status}), so it can't be stopped.")


def _rows(connection: Connection, jobs: Sequence[TuningJob]) -> Iterator[Plain]:
    """Yield ListHyperParameterTuningJobs' row of each tuning job."""
    for some in (jobs[begin : begin + ROWS_AT_ONCE] for begin in range(0, len(jobs), ROWS_AT_ONCE)):
        tags = tags_of(connection, [(job.id, 0) for job in some])
        for summary in tuning_job_summaries(connection, some):
            yield documents.tuning_job_row(summary, own_tags(tags[summary.job.id, 0]))
