"""Facts as rows and columns: how each one is written, and how a history's facts are read back in order.

A status changes only along the tables of transitions in core/facts.py: an UPDATE that would do otherwise changes no row.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
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
from alfine.store.placement import NOWHERE, UNPLACED, Placement
from alfine.store.schema import changes, metrics, passed, tags, training_jobs

log = logging.getLogger("alfine.store.facts")

# From a definition's name and hyperparameters to their spelling in AMT's requests.
Texts = Callable[[str | None, Mapping[str, Any]], Mapping[str, str]]


# -- writing -----------------------------------------------------------------------------------------------------------


@cache  # built once, so that SQLAlchemy's cache of compiled statements finds them
def _change_of(*columns: str, status: str | None = None) -> sa.Update:
    """Return an UPDATE of one training job; with a status, only of one that may take it by the table of transitions.

    One that has begun doesn't begin again.
    """
    row = (training_jobs.c.tuning_job == sa.bindparam("job")) & (training_jobs.c.number == sa.bindparam("nr"))
    values: dict[str, Any] = {name: sa.bindparam(name) for name in columns}
    if status is not None:
        values["status"] = status
        # Not IN: SQLAlchemy would render its list anew at each execution.
        before = (training_jobs.c.status == before for before, after in TRANSITIONS.items() if status in after)
        row &= sa.or_(sa.false(), *before)
    if "started_fact" in columns:
        row &= training_jobs.c.started_fact.is_(None)
    return sa.update(training_jobs).where(row).values(values)


NOTHING_READ: Mapping[int, int] = MappingProxyType({})
"""No log has been read."""

# Built once, as those of `_change_of`.
_LAUNCH = sa.insert(training_jobs)
_REPORT = sa.insert(metrics)
_PASS = sa.insert(passed)
_INHERIT_TAGS = sa.insert(tags).from_select(
    ["tuning_job", "number", "key", "value"],
    sa.select(tags.c.tuning_job, sa.bindparam("nr", type_=sa.Integer), tags.c.key, tags.c.value).where(
        tags.c.tuning_job == sa.bindparam("job"), tags.c.number == 0
    ),
)


def write_facts(
    connection: Connection,
    job: int,
    facts: Sequence[Fact],
    first: int,
    texts: Texts | None,
    *,
    offsets: Mapping[int, int] = NOTHING_READ,
    places: Mapping[int, Placement] = NOWHERE,
) -> None:
    """Write facts of a tuning job, numbered from `first` on.

    Args:
        connection: An open transaction.
        job: The tuning job's id.
        facts: All but TuningJobStopAsked and Changed, which `Store.request_stop` and `Store.change` write.
        first: The number of the first of them.
        texts: Spells hyperparameters as AMT does; None keeps those of launches as they are.
        offsets: By training job's number, how many bytes of its log have been read for these facts.
        places: Where training jobs that are launched will start, by number, as far as that is decided.

    Raises:
        IllegalTransition: When a training job can't take the status that a fact gives it.
    """
    numbered = list(enumerate(facts, first))
    reports = [_metric_row(job, number, fact) for number, fact in numbered if isinstance(fact, Reported)]
    if reports:  # all at once: most facts are reports
        connection.execute(_REPORT, reports)
    changes = _Changes(connection, job, offsets)
    for number, fact in numbered:
        match fact:
            case Launched():
                _launch(connection, job, number, fact, texts, place=places.get(fact.number, UNPLACED))
            case TimePassed():
                connection.execute(_PASS, {"tuning_job": job, "fact": number, "at": fact.at})
            case Started() | StopAsked() | Ended():
                changes.add(number, fact)
            case Reported():
                pass  # written before, with all others
            case TuningJobStopAsked() | Changed():
                raise IllegalTransition("what a user asks for is recorded by request_stop and change.")
    changes.write_rest()


class _Changes:
    """Changes of training jobs. What begins and ends among the same facts is changed once.

    Args:
        connection: An open transaction.
        job: The tuning job's id.
        offsets: How far logs have been read, by training job's number.
    """

    def __init__(self, connection: Connection, job: int, offsets: Mapping[int, int]) -> None:
        self._connection, self._job = connection, job
        self._columns: dict[int, dict[str, Any]] = {
            number: {"log_offset": offset} for number, offset in offsets.items()
        }

    def add(self, number: int, fact: Started | StopAsked | Ended) -> None:
        """Take a change over, and write it if it is one of the status."""
        columns = self._columns.setdefault(fact.number, {})
        match fact:
            case Started():
                if "started_fact" in columns:
                    raise IllegalTransition(f"training job {fact.number} can't become started.")
                columns |= {"started_at": fact.at, "started_fact": number}
            case StopAsked():
                columns |= {"stop_asked_at": fact.at, "stop_fact": number, "stop_reason": fact.reason}
                self._write(fact.number, "Stopping")
            case Ended():
                columns |= {"ended_at": fact.at, "ended_fact": number, "objective": fact.objective}
                columns |= {"failure_reason": fact.failure_reason, "uploaded_at": fact.uploaded_at}
                self._write(fact.number, fact.status)

    def write_rest(self) -> None:
        """Write the changes that aren't written yet."""
        for number in list(self._columns):
            self._write(number)

    def _write(self, number: int, status: str | None = None) -> None:
        columns = self._columns.pop(number)
        row = {"job": self._job, "nr": number, **columns}
        if self._connection.execute(_change_of(*columns, status=status), row).rowcount != 1:
            raise IllegalTransition(f"training job {number} can't become {status or 'started'}.")


def _launch(
    connection: Connection, job: int, number: int, fact: Launched, texts: Texts | None, *, place: Placement
) -> None:
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
        "runner": place.runner,
        "node": place.node,
        "slot": place.slot,
    }
    connection.execute(_LAUNCH, row)
    connection.execute(_INHERIT_TAGS, {"job": job, "nr": fact.number})


def _metric_row(job: int, number: int, fact: Reported) -> dict[str, Any]:
    row = {"tuning_job": job, "fact": number, "number": fact.number, "at": fact.at}
    return row | {"metric": fact.metric, "step": fact.step, "value": fact.value}


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
