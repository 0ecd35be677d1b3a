"""Questions about tuning jobs and training jobs, by SQL: each answer costs what it returns, never a whole history.

Every function takes an open connection (`with store.reading() as connection`), so that several answers are of one instant. Lists are
in store/pages.py, values of metrics in store/metrics.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Row

from alfine.core.arns import name_as_created
from alfine.core.errors import NotFound, NoTuningJob
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.core.spec import FUNCTION, TuningJobSpec
from alfine.core.training_job import valid_objective
from alfine.core.wording import closest
from alfine.store.conditions import listed
from alfine.store.database import Connection
from alfine.store.facts import read_facts
from alfine.store.inherited import read_inherited
from alfine.store.pages import LARGEST
from alfine.store.records import TrainingJobRow, TuningJob, reading_record_of, select_training_jobs, tuning_job_of
from alfine.store.schema import changes, training_jobs, tuning_jobs

MOST_COMPARED = 1000
"""Tuning jobs, the newest, with whose names one that doesn't exist is compared: some 20 ms."""

# -- tuning jobs -------------------------------------------------------------------------------------------------------


class TuningJobState(NamedTuple):
    """The state that a tuning job's description depends on: while status and facts stay the same, so does the description."""

    id: int
    name: str
    status: str
    facts: int
    created_at: datetime


_STATE = sa.select(*(tuning_jobs.c[name] for name in TuningJobState._fields)).where(
    tuning_jobs.c.name == sa.bindparam("name"), listed()
)


def state(connection: Connection, name: str) -> TuningJobState:
    """Return the state of a tuning job.

    Args:
        connection: An open connection.
        name: The tuning job.

    Raises:
        NotFound: There is none of that name.
    """
    row = connection.execute(_STATE, {"name": name}).first()
    if row is None:
        raise _no_tuning_job(connection, name)
    return TuningJobState(*row)


_TUNING_JOB = sa.select(tuning_jobs).where(tuning_jobs.c.id == sa.bindparam("job"))


def tuning_job(connection: Connection, job: int) -> TuningJob:
    """Return a tuning job by its id.

    Args:
        connection: An open connection.
        job: The id.

    Raises:
        NotFound: There is none with that id.
    """
    row = connection.execute(_TUNING_JOB, {"job": job}).first()
    if row is None:
        raise NoTuningJob(str(job))
    return tuning_job_of(row)


_BY_NAME = sa.select(tuning_jobs).where(tuning_jobs.c.name == sa.bindparam("name"))
_BY_NAME_TO_WRITE = _BY_NAME.with_for_update()  # SQLite has locked the database


def tuning_job_row(connection: Connection, name: str, *, to_write: bool = False) -> Row[Any]:
    """Return the row of a tuning job.

    Args:
        connection: An open connection.
        name: The name of a tuning job, or of the holder of a single training job.
        to_write: Whether the transaction depends on the row: then others change it only after its end.

    Raises:
        NotFound: There is none of that name.
    """
    row = connection.execute(_BY_NAME_TO_WRITE if to_write else _BY_NAME, {"name": name}).first()
    if row is None:
        raise _no_tuning_job(connection, name)
    return row


def tuning_job_id(connection: Connection, name: str) -> int:
    """Return the id of a tuning job.

    Args:
        connection: An open connection.
        name: Its name, in letters of any case.

    Raises:
        NotFound: There is none of that name.
    """
    query = sa.select(tuning_jobs.c.id, tuning_jobs.c.listed)
    row = connection.execute(query.where(sa.func.lower(tuning_jobs.c.name) == name.lower())).first()
    if row is None or not row.listed:
        raise _no_tuning_job(connection, name)
    return int(row.id)


def _no_tuning_job(connection: Connection, name: str) -> NoTuningJob:
    newest = sa.select(tuning_jobs.c.name).where(tuning_jobs.c.listed).order_by(tuning_jobs.c.id.desc())
    return NoTuningJob(name, closest(name, connection.scalars(newest.limit(MOST_COMPARED))))


_REQUEST = sa.select(tuning_jobs.c.request).where(tuning_jobs.c.id == sa.bindparam("job"))


def request_of(connection: Connection, job: int) -> dict[str, Any]:
    """Return the request of the tuning job with that id."""
    request: dict[str, Any] = json.loads(connection.execute(_REQUEST, {"job": job}).scalar_one())
    return request


def requests_of(connection: Connection, jobs: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return the requests of several tuning jobs, by id."""
    query = sa.select(tuning_jobs.c.id, tuning_jobs.c.request).where(tuning_jobs.c.id.in_(set(jobs)))
    return {row.id: json.loads(row.request) for row in connection.execute(query)}


def last_change(connection: Connection) -> datetime | None:
    """Return when any listed tuning job changed last."""
    return connection.execute(sa.select(sa.func.max(tuning_jobs.c.modified_at)).where(listed())).scalar()


# -- histories ---------------------------------------------------------------------------------------------------------


def history(connection: Connection, row: Row[Any]) -> History:
    """Return everything recorded about a tuning job, fact by fact in the order in which it was recorded.

    Args:
        connection: An open connection.
        row: The job's row, of `tuning_job_row`.
    """
    with reading_record_of(row.name):
        spec = first_spec(connection, row)
        past = History(spec, row.created_at, read_inherited(connection, row.id) if spec.parents else ())
        for fact in read_facts(connection, row, spec):
            past.record(fact)
        return past


def first_spec(connection: Connection, row: Row[Any]) -> TuningJobSpec:
    """Return a tuning job as it was created, whatever the user changed since.

    Args:
        row: The tuning job, as `tuning_job_row` returned it.
    """
    return read_spec(original_request(connection, row))


def original_request(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    """Return the request that created a tuning job, whatever the user changed since.

    Args:
        connection: An open connection.
        row: The job's row, of `tuning_job_row`.
    """
    first = sa.select(changes.c.request).where(changes.c.tuning_job == row.id, changes.c.fact == 0)
    request: dict[str, Any] = json.loads(connection.execute(first).scalar() or row.request)
    return request


def changed_at(connection: Connection, job: int) -> dict[int, datetime]:
    """Return when the user changed a tuning job, by the number of the fact, in order.

    Args:
        job: The tuning job's id.
    """
    changed = (changes.c.tuning_job == job) & (changes.c.fact > 0) & changes.c.request.is_not(None)
    query = sa.select(changes.c.fact, changes.c.at).where(changed).order_by(changes.c.fact)
    return {row.fact: row.at for row in connection.execute(query)}


class TrainingJobFolder(NamedTuple):
    """The folder with a training job's files: `<tuning job>/<training job>`, also once its tuning job was deleted; and what is known of
    them.

    Attributes:
        log_offset: How many bytes of its log, or values of its function, have been read.
        attempt: The number of the attempt that ran last.
        in_process: It was a Python function, which has no files.
        uploaded: Its model was stored at output_path, as one archive if packed.
    """

    tuning_job: str
    training_job: str
    status: str
    log_offset: int
    attempt: int
    in_process: bool
    uploaded: bool
    output_path: str
    packed: bool


def training_job_folders(connection: Connection) -> list[TrainingJobFolder]:
    """Return the folders of all training jobs, whether or not they have any files, in the order of their creation."""
    names = ("name", "status", "log_offset", "attempt", "uploaded_at", "definition")
    columns = [tuning_jobs.c.name.label("job"), tuning_jobs.c.request, *(training_jobs.c[name] for name in names)]
    query = sa.select(*columns).join_from(tuning_jobs, training_jobs, training_jobs.c.tuning_job == tuning_jobs.c.id)
    rows = connection.execute(query.order_by(tuning_jobs.c.id, training_jobs.c.number))
    return [_folder_of(row) for row in rows]


def _folder_of(row: Row[Any]) -> TrainingJobFolder:
    try:
        definition = read_spec(json.loads(row.request)).of(row.definition).definition if row.uploaded_at else None
    except ValueError:  # a damaged record, or one of a plug-in that isn't installed: told where records are checked
        definition = None
    return TrainingJobFolder(
        name_as_created(row.job),
        row.name,
        row.status,
        row.log_offset,
        row.attempt,
        in_process=f'"{FUNCTION}"' in row.request,
        uploaded=definition is not None,
        output_path=definition.output_path if definition else "",
        packed=definition.packs_model if definition else False,
    )


# -- one training job --------------------------------------------------------------------------------------------------


def training_job(connection: Connection, name: str) -> TrainingJobRow:
    """Return a training job.

    Args:
        connection: An open connection.
        name: Its name, in the case in which it was created.

    Raises:
        NotFound: There is none of that name.
    """
    return _training_job(connection, _training_job_query(in_any_case=False), name)


def training_job_in_any_case(connection: Connection, name: str) -> TrainingJobRow:
    """Return a training job.

    Args:
        connection: An open connection.
        name: Its name, in letters of any case.

    Raises:
        NotFound: There is none of that name.
    """
    return _training_job(connection, _training_job_query(in_any_case=True), name.lower())


def training_jobs_of(connection: Connection, job: int) -> list[TrainingJobRow]:
    """Return all training jobs of a tuning job, in order of launch."""
    query = select_training_jobs().where(training_jobs.c.tuning_job == job).order_by(training_jobs.c.number)
    return [TrainingJobRow(*row) for row in connection.execute(query)]


_UNFINISHED = sa.select(*(training_jobs.c[name] for name in ("name", "number", "failed_tries", "log_offset"))).where(
    training_jobs.c.tuning_job == sa.bindparam("job"), training_jobs.c.ended_at.is_(None)
)


class Progress(NamedTuple):
    """The progress of an engine with the training jobs of a tuning job that have not ended.

    Attributes:
        failed_tries: How often in a row it failed to go on with a training job, by its name; of those where it did.
        log_offsets: How many bytes of each log it has read, by the training job's number.
    """

    failed_tries: dict[str, int]
    log_offsets: dict[int, int]


def progress(connection: Connection, job: int) -> Progress:
    """Return the progress of an engine with a tuning job; job: its id."""
    rows = connection.execute(_UNFINISHED, {"job": job}).all()
    failed = {row.name: row.failed_tries for row in rows if row.failed_tries > 0}
    return Progress(failed, {row.number: row.log_offset for row in rows})


def training_job_and_request(connection: Connection, name: str) -> tuple[TrainingJobRow, dict[str, Any]]:
    """Return a training job and the request of its tuning job.

    Args:
        connection: An open connection.
        name: The training job's name.

    Raises:
        NotFound: There is no training job of that name.
    """
    row = training_job(connection, name)
    return row, request_of(connection, row.tuning_job)


@cache
def _training_job_query(*, in_any_case: bool) -> sa.Select[Any]:
    column = sa.func.lower(training_jobs.c.name) if in_any_case else training_jobs.c.name
    return select_training_jobs().where(column == sa.bindparam("name"))


def _training_job(connection: Connection, query: sa.Select[Any], name: str) -> TrainingJobRow:
    row = connection.execute(query, {"name": name}).first()
    if row is None:
        raise NotFound("Requested resource not found.")
    return TrainingJobRow(*row)


# -- the training jobs of a tuning job ---------------------------------------------------------------------------------

_GOOD = (training_jobs.c.status != "Failed") & training_jobs.c.objective.between(-LARGEST, LARGEST)


def best(
    connection: Connection, job: int, *, minimise: bool, ranked: str | None = None, number: int | None = None
) -> TrainingJobRow | None:
    """Return the training job with the best objective, the first to end on a tie: `History.incumbent`, by an index.

    Args:
        connection: An open connection.
        job: The tuning job's id.
        minimise: Whether the least objective is the best.
        ranked: The name of the only definition whose objectives are compared; None compares all.
        number: Of the best training job, where it isn't the best single result that decides (repeats).
    """
    if number is not None:
        one = (training_jobs.c.tuning_job == job) & (training_jobs.c.number == number)
        row = connection.execute(select_training_jobs().where(one)).first()
    else:
        query = _best_query(minimise=minimise, one_definition=ranked is not None)
        row = connection.execute(query, {"job": job, "ranked": ranked}).first()
    return None if row is None else TrainingJobRow(*row)


def failure_reasons(connection: Connection, job: int, most: int) -> list[tuple[str, str]]:
    """Return (name, reason) of the `most` training jobs of a tuning job that failed last, the latest first.

    Args:
        job: The tuning job's id.
    """
    columns = training_jobs.c
    failed = (columns.tuning_job == job) & (columns.status == "Failed") & columns.failure_reason.is_not(None)
    query = sa.select(columns.name, columns.failure_reason).where(failed).order_by(columns.number.desc()).limit(most)
    return [(row.name, row.failure_reason) for row in connection.execute(query)]


@cache
def _best_query(*, minimise: bool, one_definition: bool) -> sa.Select[Any]:
    order = training_jobs.c.objective.asc() if minimise else training_jobs.c.objective.desc()
    query = select_training_jobs().where(training_jobs.c.tuning_job == sa.bindparam("job"), _GOOD)
    if one_definition:
        query = query.where(training_jobs.c.definition == sa.bindparam("ranked"))
    return query.order_by(order, training_jobs.c.ended_fact).limit(1)


_ENDED = (
    sa.select(*(training_jobs.c[name] for name in ("ended_fact", "definition", "status", "objective")))
    .where(training_jobs.c.tuning_job == sa.bindparam("job"), training_jobs.c.ended_fact > sa.bindparam("after"))
    .order_by(training_jobs.c.ended_fact)
)


def objectives_after(
    connection: Connection, job: int, fact: int, ranked: str | None = None
) -> list[tuple[int, float | None]]:
    """Return (number of the fact, objective) of the training jobs that ended after a fact, in order.

    The objective is None where there is none, or it isn't compared with others (ranked: see `best`).
    """
    rows = connection.execute(_ENDED, {"job": job, "after": fact})
    return [
        (fact, valid_objective(status, objective) if ranked in (None, definition) else None)
        for fact, definition, status, objective in rows
    ]


def last_end(connection: Connection, job: int) -> datetime | None:
    """Return the end of the last training job that ended without having been asked to stop.

    Args:
        connection: An open connection.
        job: The tuning job's id.

    Returns:
        The instant; None where no training job has ended so.
    """
    one = (training_jobs.c.tuning_job == job) & training_jobs.c.stop_fact.is_(None)
    return connection.execute(sa.select(sa.func.max(training_jobs.c.ended_at)).where(one)).scalar()
