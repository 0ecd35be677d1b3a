"""The operations on tuning jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from alfine.aws.json_protocol import Plain, Written, api, epoch_seconds
from alfine.aws.sagemaker import pagination, shapes
from alfine.aws.sagemaker.algorithms import named_by_arn
from alfine.aws.sagemaker.backend import AwsBackend, Function
from alfine.aws.sagemaker.tags import tag_list
from alfine.aws.sagemaker.unsupported_fields import refuse_what_is_not
from alfine.core.read_spec import read_spec
from alfine.core.spec import IDENTICAL, TuningJobSpec
from alfine.criteria.plateau import NOTHING, State, counted, not_improving
from alfine.jobs.describe import converged_at
from alfine.store import queries
from alfine.store.conditions import TUNING_JOBS
from alfine.store.database import Connection
from alfine.store.inherited import best_inherited
from alfine.store.pages import tuning_job_page
from alfine.store.queries import TuningJobState
from alfine.store.records import TrainingJobRow, TuningJob
from alfine.store.tags import tags_of

KEPT = 256  # tuning jobs whose Describe is kept
SORTS = {"Name": "name", "Status": "status", "CreationTime": "created_at"}


@dataclass(slots=True)
class Shown:
    """What Describe answered last of one tuning job, and all that it is a function of: the job's status and facts."""

    job: int
    status: str
    facts: int
    answer: Plain
    fold: tuple[int, State]  # the facts up to here are in the count of training jobs that didn't improve


def create_tuning_job(backend: AwsBackend, request: Plain) -> Plain:
    refuse_what_is_not(request)
    job = backend.service.create(named_by_arn(request, backend.arns))
    backend.created(job.name)
    return {"HyperParameterTuningJobArn": backend.arns.tuning_job(job.name)}


def describe_tuning_job(backend: AwsBackend, request: Plain) -> Plain:
    name = request["HyperParameterTuningJobName"]
    with backend.reading() as connection:
        state = queries.state(connection, name)
        shown = backend.shown.get(name)
        if not _is_of(shown, state):
            shown = _described(backend, connection, state, shown)
            if len(backend.shown) >= KEPT:
                backend.shown.clear()
            backend.shown[name] = shown
    return _as_of_now(backend, shown.answer)


def records(
    backend: AwsBackend, connection: Connection, rows: Sequence[TuningJob], wanted: frozenset[str] | None
) -> Iterator[Plain]:
    """Tuning jobs for Search: as Describe shows them, with their tags if those are among the `wanted` members."""
    tags = tags_of(connection, [(row.id, 0) for row in rows]) if wanted is None or "Tags" in wanted else {}
    for row in rows:
        shown = backend.shown.get(row.name)
        answer = shown.answer if _is_of(shown, row) else _described(backend, connection, row, None).answer
        yield {**_as_of_now(backend, answer), "Tags": tag_list(tags.get((row.id, 0), {}))}


def _is_of(shown: Shown | None, row: TuningJobState | TuningJob) -> TypeGuard[Shown]:
    """Whether what was shown last still holds."""
    return shown is not None and (shown.job, shown.status, shown.facts) == (row.id, row.status, row.facts)


def _as_of_now(backend: AwsBackend, answer: Plain) -> Plain:
    ended = answer.get("HyperParameterTuningEndTime")
    seconds = (ended if ended is not None else backend.now.timestamp()) - answer["CreationTime"]
    return Written(answer, ConsumedResources={"RuntimeInSeconds": int(seconds)})


def _described(
    backend: AwsBackend, connection: Connection, state: TuningJobState | TuningJob, before: Shown | None
) -> Shown:
    row = queries.tuning_job(connection, state.id)
    request = row.request
    spec = read_spec(request)
    fold = before.fold if before is not None and before.job == state.id else (0, NOTHING)
    fold = _not_improving(connection, state.id, spec, fold)
    answer: Plain = {
        "HyperParameterTuningJobName": row.name,
        "HyperParameterTuningJobArn": backend.arns.tuning_job(row.name),
        "HyperParameterTuningJobConfig": shapes.config(request, spec),
        **shapes.definitions(request, spec),
        "HyperParameterTuningJobStatus": row.status,
        "CreationTime": epoch_seconds(row.created_at),
        "LastModifiedTime": row.modified_at,
        **shapes.counters(queries.counters(connection, [state.id])[state.id]),
        "TuningJobCompletionDetails": {
            "NumberOfTrainingJobsObjectiveNotImproving": fold[1][1]
            if spec.repeats is None
            else _count(backend, row.name),
            "ConvergenceDetectedTime": converged_at(connection, row),
        },
    }
    number = backend.service.best_by_repeats(row.name, spec)
    best = queries.best(connection, state.id, minimise=spec.sign > 0, ranked=spec.ranked, number=number)
    optional = {
        "HyperParameterTuningEndTime": None if row.ended_at is None else epoch_seconds(row.ended_at),
        "FailureReason": row.failure_reason and row.failure_reason[:1024],
        "BestTrainingJob": best and shapes.training_job_summary(best, request, backend.arns, best=True),
        "OverallBestTrainingJob": _overall_best(backend, connection, spec, request, best),
        **{key: request.get(key) for key in ("WarmStartConfig", "Autotune")},
    }
    answer |= {key: value for key, value in optional.items() if value is not None}
    written = api("sagemaker").operation("DescribeHyperParameterTuningJob").write(answer)
    return Shown(state.id, state.status, state.facts, written, fold)


def _count(backend: AwsBackend, name: str) -> int:
    """Results of the search alone: those that run a configuration again improve nothing."""
    return not_improving(backend.service.store.history(name))


def _overall_best(
    backend: AwsBackend,
    connection: Connection,
    spec: TuningJobSpec,
    request: Mapping[str, Any],
    own: TrainingJobRow | None,
) -> Plain | None:
    """The best of the job and its parents, where they tuned the same function; on a tie the parents' is the earlier."""
    if spec.warm_start != IDENTICAL:
        return None
    job = queries.state(connection, spec.name).id
    first = best_inherited(connection, job, minimise=spec.sign > 0)
    if first is not None and (own is None or spec.sign * first.objective <= spec.sign * (own.objective or 0.0)):
        return shapes.inherited_summary(first, request, backend.arns)
    return own and shapes.training_job_summary(own, request, backend.arns, best=True)


def _not_improving(connection: Connection, job: int, spec: TuningJobSpec, fold: tuple[int, State]) -> tuple[int, State]:
    fact, state = fold
    for ended, objective in queries.objectives_after(connection, job, fact, spec.ranked):
        fact = ended
        state = state if objective is None else counted(state, spec.sign * objective)
    return fact, state


def list_tuning_jobs(backend: AwsBackend, request: Plain) -> Plain:
    page = pagination.page_of(request, SORTS, "Name")
    with backend.reading() as connection:
        rows = tuning_job_page(connection, page, pagination.filters(request, TUNING_JOBS))
        counts = queries.counters(connection, [row.id for row in rows])

    def show(row: TuningJob) -> Plain:
        return shapes.tuning_job_summary(row, counts[row.id], backend.arns)

    return pagination.answered(request, page, rows, "HyperParameterTuningJobSummaries", show)


def stop_tuning_job(backend: AwsBackend, request: Plain) -> Plain:
    backend.service.request_stop(request["HyperParameterTuningJobName"])
    backend.changed()
    return {}


def delete_tuning_job(backend: AwsBackend, request: Plain) -> Plain:
    backend.service.detach(request["HyperParameterTuningJobName"])
    return {}


OPERATIONS: Mapping[str, Function] = {
    "CreateHyperParameterTuningJob": create_tuning_job,
    "DescribeHyperParameterTuningJob": describe_tuning_job,
    "ListHyperParameterTuningJobs": list_tuning_jobs,
    "StopHyperParameterTuningJob": stop_tuning_job,
    "DeleteHyperParameterTuningJob": delete_tuning_job,
}
