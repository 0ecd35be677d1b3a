"""The read model: what is recorded of tuning jobs and training jobs, as every face of alfine shows it.

AWS's operations, the REST documents, the console, the CLI and Python render these values, and add nothing to them. They are read by
SQL, at the cost of what they hold, and only from what was recorded. What alfine concludes beyond that is in jobs/assessment.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alfine.core.arns import name_as_created
from alfine.core.errors import InvalidSpec
from alfine.core.history import History
from alfine.core.inherited import Inherited
from alfine.core.settings import names_in_order, settings_in
from alfine.core.spec import IDENTICAL, TuningJobSpec, definition_of, objective_of
from alfine.core.training_job import objective_status_of
from alfine.core.verdict import Outlook
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.plateau import NOTHING, State, counted, not_improving
from alfine.jobs.standstill import Standstill, standstill
from alfine.jobs.status_words import FailureCause, failure_causes
from alfine.store import queries
from alfine.store.counters import Counters, counters_of
from alfine.store.database import Connection
from alfine.store.inherited import best_inherited
from alfine.store.records import TrainingJobRow, TuningJob

CONVERGENCE = ConvergenceDetected.__name__

MOST_FAILURES = 1000
"""Failed training jobs, the latest of a tuning job, whose causes are counted."""


# -- training jobs -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJobSummary:
    """One training job of a tuning job: AMT's HyperParameterTrainingJobSummary.

    Attributes:
        tuning_job: The name of the tuning job that ran it, which is a parent's for an inherited one.
        definition: The name of its training job definition, if that has one.
        hyperparameters: The tuned ones, in AMT's spelling.
        goal: The goal of its objective; None for a single training job.
        metric: The metric of its objective; None for a single training job.
        objective: Its final value; None before the end, and where there is none that counts.
    """

    name: str
    tuning_job: str
    definition: str | None
    status: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    hyperparameters: Mapping[str, str]
    goal: str | None
    metric: str | None
    objective: float | None
    failure_reason: str | None
    stop_reason: str | None

    @property
    def objective_status(self) -> str:
        """AMT's ObjectiveStatus: Pending, Succeeded or Failed."""
        return objective_status_of(ended=self.ended_at is not None, objective=self.objective)


def training_job_summaries(rows: Iterable[TrainingJobRow], request: Mapping[str, Any]) -> list[TrainingJobSummary]:
    """Return the summaries of training jobs of one tuning job.

    Args:
        request: The tuning job's request.
    """
    definitions: dict[str | None, tuple[str | None, str | None, str | None]] = {}
    settings, summaries = settings_in(request), []
    for row in rows:
        if row.definition not in definitions:
            name = definition_of(request, row.definition).get("DefinitionName")
            objective = objective_of(request, row.definition)
            definitions[row.definition] = name, objective.get("Type"), objective.get("MetricName")
        definition, goal, metric = definitions[row.definition]
        summary = TrainingJobSummary(
            name=row.name,
            tuning_job=name_as_created(row.tuning_job_name),
            definition=definition,
            status=row.status,
            created_at=row.created_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
            hyperparameters={name: row.hyperparameters[name] for name in names_in_order(settings, row.hyperparameters)},
            goal=goal,
            metric=metric,
            objective=row.valid_objective,
            failure_reason=row.failure_reason,
            stop_reason=row.stop_reason,
        )
        summaries.append(summary)
    return summaries


def _summary_of_inherited(inherited: Inherited, spec: TuningJobSpec) -> TrainingJobSummary:
    return TrainingJobSummary(
        name=inherited.name,
        tuning_job=inherited.parent,
        definition=None,
        status=inherited.status,
        created_at=inherited.created_at,
        started_at=inherited.started_at,
        ended_at=inherited.ended_at,
        hyperparameters=inherited.hyperparameters,
        goal=spec.goal,
        metric=spec.metric,
        objective=inherited.objective,
        failure_reason=None,
        stop_reason=None,
    )


# -- tuning jobs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningJobDescription:
    """One tuning job, with what its training jobs add up to: AMT's DescribeHyperParameterTuningJob.

    It is a function of the job's facts and status: while both stay, so does the description.

    Attributes:
        job: Its row.
        spec: Its request.
        not_improving: How many objectives in a row didn't improve the best (AMT's NumberOfTrainingJobsObjectiveNotImproving).
        converged_at: When convergence was detected.
        best: The best training job, by means where the best configurations were run again.
        overall_best: The best of it and its parents, for a warm start with identical data and algorithm.
        counted: From where the next description goes on counting `not_improving`.
        best_value: The objective of the best, the mean of its `best_runs` runs where its configuration was run again.
        failures: The causes of the latest failures.
        standstill: That nobody ran the job when it was read; None where somebody did.
    """

    job: TuningJob
    spec: TuningJobSpec
    counters: Counters
    not_improving: int
    converged_at: datetime | None
    best: TrainingJobSummary | None
    overall_best: TrainingJobSummary | None
    counted: Counted
    best_value: float | None = None
    best_runs: int = 1
    failures: tuple[FailureCause, ...] = ()
    standstill: Standstill | None = None

    def until(self, now: datetime) -> datetime:
        """Return the instant up to which the job's clock has run: its end, the last record of one that nobody runs, or now."""
        return self.job.ended_at or (self.standstill.since if self.standstill else now)


@dataclass(frozen=True, slots=True)
class Counted:
    """The state of counting objectives: the number of the last fact, and the plateau's rule after it."""

    fact: int = 0
    state: State = NOTHING


def describe_tuning_job(
    connection: Connection, job: TuningJob, before: TuningJobDescription | None = None
) -> TuningJobDescription:
    """Return the description of a tuning job.

    Args:
        connection: An open connection; all parts are of the instant at which it was opened.
        job: The tuning job, read by that connection.
        before: An earlier description; what it counted isn't counted again.

    Raises:
        NotFound: When the tuning job was deleted.
    """
    spec = job.spec()
    same_job = before is not None and before.job.id == job.id
    counted = _count(connection, job.id, spec, before.counted if before is not None and same_job else Counted())
    found, not_improved = best_result(connection, job, spec), counted.state[1]
    best = found.training_job
    if spec.repeats is not None:  # repeats improve nothing
        not_improved = not_improving(_history(connection, job))
    counters = counters_of(connection, [job.id])[job.id]
    failed = counters.statuses["NonRetryableError"] + counters.statuses["RetryableError"]
    return TuningJobDescription(
        job=job,
        spec=spec,
        counters=counters,
        not_improving=not_improved,
        converged_at=_converged_at(connection, job),
        best=best,
        overall_best=_overall_best(connection, job, spec, best),
        counted=counted,
        best_value=found.value,
        best_runs=found.runs,
        failures=failure_causes(queries.failure_reasons(connection, job.id, MOST_FAILURES) if failed else ()),
        standstill=standstill(connection, job, spec),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningJobSummary:
    """One tuning job in a list.

    Attributes:
        spec: Its request; None if this version of alfine can't understand it.
        best: Its best training job.
        best_value: The objective of the best, the mean of its `best_runs` runs where its configuration was run again.
        standstill: That nobody ran the job when it was read; None where somebody did.
        error: Why this version can't understand its request; "" where it can.
    """

    job: TuningJob
    spec: TuningJobSpec | None
    counters: Counters
    best: TrainingJobSummary | None
    best_value: float | None = None
    best_runs: int = 1
    standstill: Standstill | None = None
    error: str = ""

    @property
    def nobody(self) -> str:
        """The reason why the job stands still, in a sentence; "" while somebody runs it, and once it has ended."""
        return self.standstill.reason if self.standstill else ""

    def until(self, now: datetime) -> datetime:
        """Return the instant up to which the job's clock has run: its end, the last record of one that nobody runs, or now."""
        return self.job.ended_at or (self.standstill.since if self.standstill else now)


def tuning_job_summaries(connection: Connection, jobs: Sequence[TuningJob]) -> list[TuningJobSummary]:
    """Return the summaries of tuning jobs. One whose record can't be understood hides no other."""
    counters = counters_of(connection, [job.id for job in jobs])
    summaries = []
    for job in jobs:
        try:
            spec = job.spec()
            found = best_result(connection, job, spec)
            summary = TuningJobSummary(
                job=job,
                spec=spec,
                counters=counters[job.id],
                best=found.training_job,
                best_value=found.value,
                best_runs=found.runs,
                standstill=standstill(connection, job, spec),
            )
        except InvalidSpec as error:
            summary = TuningJobSummary(job=job, spec=None, counters=counters[job.id], best=None, error=str(error))
        summaries.append(summary)
    return summaries


@dataclass(frozen=True, slots=True, kw_only=True)
class BestResult:
    """The best result of a tuning job; None before the first.

    Attributes:
        training_job: The training job.
        value: Its objective; the mean of its `runs` where its configuration was run again.
        runs: How often its configuration was run.
    """

    training_job: TrainingJobSummary | None = None
    value: float | None = None
    runs: int = 1


def best_of(connection: Connection, job: TuningJob, spec: TuningJobSpec) -> TrainingJobSummary | None:
    """Return the best training job of a tuning job, by means where its best configurations were run again."""
    return best_result(connection, job, spec).training_job


def best_result(connection: Connection, job: TuningJob, spec: TuningJobSpec) -> BestResult:
    """Return the best result of a tuning job."""
    number, value, runs = None, None, 1
    if spec.repeats is not None:
        history = _history(connection, job)
        if (incumbent := history.incumbent) is not None:
            number, value, runs = incumbent.number, history.best_value, len(history.runs(incumbent))
    row = queries.best(connection, job.id, minimise=spec.sign > 0, ranked=spec.ranked, number=number)
    if row is None:
        return BestResult()
    summary = training_job_summaries([row], job.request)[0]
    return BestResult(training_job=summary, value=summary.objective if value is None else value, runs=runs)


def _history(connection: Connection, job: TuningJob) -> History:
    return queries.history(connection, queries.tuning_job_row(connection, job.name))


def _overall_best(
    connection: Connection, job: TuningJob, spec: TuningJobSpec, best: TrainingJobSummary | None
) -> TrainingJobSummary | None:
    """Return the best of a job and its parents, if they tuned the same function; on a tie the parents' is the earlier."""
    if spec.warm_start != IDENTICAL:
        return None
    inherited = best_inherited(connection, job.id, minimise=spec.sign > 0)
    if inherited is None:
        return best
    own = None if best is None else best.objective
    if own is not None and spec.sign * own < spec.sign * inherited.objective:
        return best
    return _summary_of_inherited(inherited, spec)


def _count(connection: Connection, job: int, spec: TuningJobSpec, counted_before: Counted) -> Counted:
    """Count on, over the training jobs that have ended since."""
    fact, state = counted_before.fact, counted_before.state
    for number, objective in queries.objectives_after(connection, job, counted_before.fact, spec.ranked):
        fact = number
        state = state if objective is None else counted(state, spec.sign * objective)
    return Counted(fact, state)


def _converged_at(connection: Connection, job: TuningJob) -> datetime | None:
    """Return when convergence was detected: when it ended the job, or when a shadow of the criterion would have ended it.

    It ended the job with the last training job that ended by itself, before the others were stopped.
    """
    verdict = job.verdict
    if verdict is not None and verdict.criterion == CONVERGENCE and verdict.outlook is not Outlook.CONTINUE:
        return queries.last_end(connection, job.id)
    for shadow in job.verdicts:
        seconds = shadow.evidence.get("would_have_ended_after_seconds")
        if shadow.watching and shadow.criterion.endswith(f"({CONVERGENCE})") and seconds is not None:
            return job.created_at + timedelta(seconds=seconds)
    return None


# -- the life of a training job ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transition:
    """A step in the life of a training job: AWS's SecondaryStatusTransition. The last step of one that runs has no end."""

    status: str
    started_at: datetime
    ended_at: datetime | None
    message: str


MESSAGES = {
    "Pending": "Waiting for resources",
    "Starting": "Preparing the training job",
    "Training": "Training in progress",
    "Stopping": "Stopping the training job",
    "Uploading": "Uploading the model and the output",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job ran for its MaxRuntimeInSeconds and was stopped",
}


def secondary_status(row: TrainingJobRow) -> str:
    """Return AWS's SecondaryStatus. A training job that nobody asked to stop was stopped by its own time limit."""
    if row.status == "InProgress":
        return "Training" if row.started_at else "Pending" if row.pending else "Starting"
    return "MaxRuntimeExceeded" if row.status == "Stopped" and row.stop_asked_at is None else row.status


def transitions(row: TrainingJobRow) -> list[Transition]:
    """Return the steps in the life of a training job; each ends when the next begins, and the last when the training job does."""
    end = row.uploaded_at or row.ended_at
    stopped = row.stop_asked_at and max(row.stop_asked_at, row.started_at or row.stop_asked_at)
    if stopped and row.ended_at and stopped >= row.ended_at:  # it ended before the request reached it
        stopped = None
    steps: list[tuple[str, datetime | None]] = [
        ("Pending" if secondary_status(row) == "Pending" else "Starting", row.created_at),
        ("Training", row.started_at),
        ("Stopping", stopped),
        ("Uploading", row.uploaded_at and row.ended_at),
        (secondary_status(row), end),
    ]
    happened = [(status, at) for status, at in steps if at is not None]
    ends = [at for _, at in happened[1:]] + [end]
    messages = MESSAGES | ({"Pending": row.pending} if row.pending else {})
    return [Transition(status, at, end, messages[status]) for (status, at), end in zip(happened, ends, strict=True)]
