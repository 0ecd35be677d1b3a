"""Facts as rows and columns: how each one is written, and how a history's facts are read back in order.

A status changes only along the tables of transitions in core/facts.py: an UPDATE that would do otherwise changes no row.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from alfine.core.errors import IllegalTransition, InvalidSpec
from alfine.core.facts import (
    TRANSITIONS,
    Changed,
    Ended,
    Fact,
    Launched,
    Reported,
    Started,
    StopAsked,
    TimePassed,
    TuningJobStopAsked,
)
from alfine.core.read_spec import read_spec
from alfine.core.spec import TuningJobSpec
from alfine.store.schema import changes, metrics, passed, tags, training_jobs

log = logging.getLogger("alfine.store.facts")

# From a definition's name and hyperparameters to their spelling in AMT's requests.
Texts = Callable[[str | None, Mapping[str, Any]], Mapping[str, str]]


# -- writing -----------------------------------------------------------------------------------------------------------


def _change_of(*columns: str, status: str | None = None) -> sa.Update:
    """Return an UPDATE of one training job; with a status, only of one that may take it by the table of transitions."""
    row = (training_jobs.c.tuning_job == sa.bindparam("job")) & (training_jobs.c.number == sa.bindparam("nr"))
    values: dict[str, Any] = {name: sa.bindparam(name) for name in columns}
    if status is not None:
        values["status"] = status
        # Not IN: SQLAlchemy would render its list anew at each execution.
        row &= sa.or_(*(training_jobs.c.status == before for before, after in TRANSITIONS.items() if status in after))
    return sa.update(training_jobs).where(row).values(values)


# Built once, so that SQLAlchemy's cache of compiled statements finds them.
_LAUNCH = sa.insert(training_jobs)
_REPORT = sa.insert(metrics)
_PASS = sa.insert(passed)
_START = _change_of("started_at", "started_fact").where(training_jobs.c.started_fact.is_(None))
_ASK_TO_STOP = _change_of("stop_asked_at", "stop_fact", "stop_reason", status="Stopping")
_END = {
    status: _change_of("ended_at", "ended_fact", "objective", "failure_reason", "uploaded_at", status=status)
    for status, after in TRANSITIONS.items()
    if not after
}
_SET_OFFSET = _change_of("log_offset")
_INHERIT_TAGS = sa.insert(tags).from_select(
    ["tuning_job", "number", "key", "value"],
    sa.select(tags.c.tuning_job, sa.bindparam("nr", type_=sa.Integer), tags.c.key, tags.c.value).where(
        tags.c.tuning_job == sa.bindparam("job"), tags.c.number == 0
    ),
)


def write_facts(connection: Connection, job: int, facts: Sequence[Fact], first: int, texts: Texts | None) -> None:
    """Write facts of a tuning job, numbered from `first` on.

    Args:
        connection: An open transaction.
        job: The tuning job's id.
        facts: All but TuningJobStopAsked and Changed, which `Store.request_stop` and `Store.change` write.
        first: The number of the first of them.
        texts: Spells hyperparameters as AMT does; None keeps those of launches as they are.

    Raises:
        IllegalTransition: When a training job can't take the status that a fact gives it.
    """
    numbered = list(enumerate(facts, first))
    reports = [_metric_row(job, number, fact) for number, fact in numbered if isinstance(fact, Reported)]
    if reports:  # all at once: most facts are reports
        connection.execute(_REPORT, reports)
    for number, fact in numbered:
        _write_fact(connection, job, number, fact, texts)


def write_offset(connection: Connection, job: int, number: int, offset: int) -> None:
    """Write how far the log of a training job has been read for metrics.

    Args:
        connection: A connection that writes.
        job: The tuning job's id.
        number: The training job's number.
        offset: The bytes that have been read.
    """
    connection.execute(_SET_OFFSET, {"job": job, "nr": number, "log_offset": offset})


def _write_fact(connection: Connection, job: int, number: int, fact: Fact, texts: Texts | None) -> None:
    match fact:
        case Launched():
            _launch(connection, job, number, fact, texts)
        case Started():
            _change(connection, _START, job, fact.number, "started", started_at=fact.at, started_fact=number)
        case StopAsked():
            columns = {"stop_asked_at": fact.at, "stop_fact": number, "stop_reason": fact.reason}
            _change(connection, _ASK_TO_STOP, job, fact.number, "Stopping", **columns)
        case Ended():
            columns = {"ended_at": fact.at, "ended_fact": number, "objective": fact.objective}
            columns |= {"failure_reason": fact.failure_reason, "uploaded_at": fact.uploaded_at}
            _change(connection, _END[fact.status], job, fact.number, fact.status, **columns)
        case TimePassed():
            connection.execute(_PASS, {"tuning_job": job, "fact": number, "at": fact.at})
        case Reported():
            pass  # written before, with all others
        case TuningJobStopAsked() | Changed():
            raise IllegalTransition("what a user asks for is recorded by request_stop and change.")


def _launch(connection: Connection, job: int, number: int, fact: Launched, texts: Texts | None) -> None:
    spelled = texts(fact.definition, fact.hyperparameters) if texts else fact.hyperparameters
    row = {
        "tuning_job": job,
        "number": fact.number,
        "name": fact.name,
        "definition": fact.definition,
        "hyperparameters": json.dumps(dict(spelled)),
        "status": "InProgress",
        "created_at": fact.at,
        "created_fact": number,
        "log_offset": 0,
    }
    connection.execute(_LAUNCH, row)
    connection.execute(_INHERIT_TAGS, {"job": job, "nr": fact.number})


def _metric_row(job: int, number: int, fact: Reported) -> dict[str, Any]:
    row = {"tuning_job": job, "fact": number, "number": fact.number, "at": fact.at}
    return row | {"metric": fact.metric, "step": fact.step, "value": fact.value}


def _change(connection: Connection, statement: sa.Update, job: int, number: int, to: str, **columns: Any) -> None:
    if connection.execute(statement, {"job": job, "nr": number, **columns}).rowcount != 1:
        raise IllegalTransition(f"training job {number} can't become {to}.")


# -- reading -----------------------------------------------------------------------------------------------------------


def read_facts(connection: Connection, job: Row[Any], spec: TuningJobSpec) -> list[Fact]:
    """Return all facts of a tuning job, in the order in which they were recorded.

    Args:
        connection: An open connection.
        job: The row of tuning_jobs.
        spec: As the job was created; its ranges turn recorded texts into values.
    """
    return [fact for _, fact in sorted(_numbered_facts(connection, job, spec), key=lambda numbered: numbered[0])]


def _numbered_facts(connection: Connection, job: Row[Any], spec: TuningJobSpec) -> Iterator[tuple[int, Fact]]:
    if job.stop_fact is not None:
        yield job.stop_fact, TuningJobStopAsked(at=job.stop_requested_at)
    yield from _numbered_changes(connection, job, spec)
    for row in connection.execute(sa.select(passed).where(passed.c.tuning_job == job.id)):
        yield row.fact, TimePassed(at=row.at)
    for row in connection.execute(sa.select(training_jobs).where(training_jobs.c.tuning_job == job.id)):
        yield from facts_of_training_job(row, spec)
    for row in connection.execute(sa.select(metrics).where(metrics.c.tuning_job == job.id)):
        yield row.fact, Reported(at=row.at, number=row.number, metric=row.metric, step=row.step, value=row.value)


def _numbered_changes(connection: Connection, job: Row[Any], spec: TuningJobSpec) -> Iterator[tuple[int, Fact]]:
    """Yield the changes that users made, by number. A request that an earlier version took and this one refuses changed nothing."""
    changed = (changes.c.tuning_job == job.id) & (changes.c.fact > 0)
    for row in connection.execute(sa.select(changes).where(changed).order_by(changes.c.fact)):
        if row.request is None:
            yield row.fact, TuningJobStopAsked(at=row.at)
            continue
        try:
            spec = read_spec(json.loads(row.request))
        except InvalidSpec as error:
            log.info("a change of tuning_job=%s at %s isn't understood: %s", job.name, row.at, error)
        yield row.fact, Changed(at=row.at, spec=spec)


def facts_of_training_job(row: Row[Any], spec: TuningJobSpec) -> Iterator[tuple[int, Fact]]:
    """Yield the facts that are columns of a training job's row, each with its number."""
    launched = Launched(
        at=row.created_at,
        number=row.number,
        name=row.name,
        hyperparameters=spec.of(row.definition).space.from_text(json.loads(row.hyperparameters)),
        definition=row.definition,
    )
    yield row.created_fact, launched
    if row.started_fact is not None:
        yield row.started_fact, Started(at=row.started_at, number=row.number)
    if row.stop_fact is not None:
        yield row.stop_fact, StopAsked(at=row.stop_asked_at, number=row.number, reason=row.stop_reason)
    if row.ended_fact is not None:
        ended = Ended(
            at=row.ended_at,
            number=row.number,
            status=row.status,
            objective=row.objective,
            failure_reason=row.failure_reason,
            uploaded_at=row.uploaded_at,
        )
        yield row.ended_fact, ended
