"""What alfine remembers: tuning jobs, training jobs, metrics. SQLAlchemy Core on SQLite or PostgreSQL, by URL.

Facts aren't kept as a log of their own: each is a column or a row of what it's about, with its number, so that nothing is
said twice and `history` can put them back in order. Every method that writes is one transaction; when it returns, what it
wrote survives the machine. Status changes outside the tables of core/history.py are refused here too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect, Row

from alfine.core.arns import DETACHED
from alfine.core.errors import Conflict, IllegalTransition, InUse, NotFound, Overtaken, StorageFull
from alfine.core.history import (
    TRANSITIONS,
    TUNING_TRANSITIONS,
    Changed,
    Ended,
    Fact,
    History,
    Launched,
    Reported,
    Started,
    StopAsked,
    StopRequested,
    TimePassed,
    check_transition,
    is_terminal,
)
from alfine.core.inherited import Inherited
from alfine.core.policy import Verdict
from alfine.core.read_spec import read_spec
from alfine.core.spec import TuningJobSpec

REVISION = "0008"  # the newest migration; a store at another revision is upgraded when it's opened
BUSY_SECONDS = 30  # how long a writer waits for another process's transaction
DELETED = "The tuning job was deleted while it ran."
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Texts = Callable[[str | None, Mapping[str, Any]], Mapping[str, str]]  # of a definition's hyperparameters


class Instant(sa.TypeDecorator[datetime]):
    """An aware UTC datetime, kept as whole microseconds since 1970."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else EPOCH + timedelta(microseconds=value)


tables = sa.MetaData()

tuning_jobs = sa.Table(
    "tuning_jobs",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("modified_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("stop_requested_at", Instant),
    sa.Column("stop_fact", sa.Integer),
    sa.Column("facts", sa.Integer, nullable=False),  # how many have been recorded
    sa.Column("judged", sa.Integer, nullable=False),  # how many of them the verdict rests on
    sa.Column("verdict", sa.Text),
    sa.Column("verdicts", sa.Text),
    sa.Column("failure_reason", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("owned_until", Instant),
    sa.Column("listed", sa.Boolean, nullable=False),  # False: it was deleted, or stands for a training job on its own
    sa.Index("tuning_jobs_by_name", "listed", "name"),
    sa.Index("tuning_jobs_by_status", "listed", "status", "name"),
    sa.Index("tuning_jobs_by_age", "listed", "created_at", "name"),
    sa.Index("tuning_jobs_by_change", "listed", "modified_at", "name"),
    sa.Index("tuning_jobs_by_any_case", sa.text("lower(name)")),
)

training_jobs = sa.Table(
    "training_jobs",
    tables,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("definition", sa.Text),
    sa.Column("hyperparameters", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_fact", sa.Integer, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("started_fact", sa.Integer),
    sa.Column("stop_asked_at", Instant),
    sa.Column("stop_fact", sa.Integer),
    sa.Column("stop_reason", sa.Text),
    sa.Column("ended_at", Instant),
    sa.Column("ended_fact", sa.Integer),
    sa.Column("objective", sa.Float),
    sa.Column("failure_reason", sa.Text),
    sa.Column("log_offset", sa.BigInteger, nullable=False),  # up to here the log's metrics have been recorded
    sa.Column("uploaded_at", Instant),
    sa.Index("training_jobs_by_name", "tuning_job", "name"),
    sa.Index("training_jobs_by_status", "tuning_job", "status", "name"),
    sa.Index("training_jobs_by_objective", "tuning_job", "objective", "ended_fact"),
    sa.Index("training_jobs_by_value", "tuning_job", "objective", "name"),
    sa.Index("training_jobs_by_age", "created_at", "name"),
    sa.Index(
        "training_jobs_by_change",
        sa.text("coalesce(uploaded_at, ended_at, stop_asked_at, started_at, created_at)"),
        "name",
    ),
    sa.Index("training_jobs_by_any_case", sa.text("lower(name)")),
    sa.Index("all_training_jobs_by_status", "status", "name"),
    sa.Index("all_training_jobs_by_status_and_age", "status", "created_at", "name"),
)

metrics = sa.Table(
    "metrics",
    tables,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("fact", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("metric", sa.Text, nullable=False),
    sa.Column("step", sa.Float, nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    sa.Index("metrics_of_training_job", "tuning_job", "number"),
)

inherited = sa.Table(
    "inherited",
    tables,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # in order of parents and completion
    sa.Column("parent", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("hyperparameters", sa.Text, nullable=False),
    sa.Column("static", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("objective", sa.Float, nullable=False),
)

tags = sa.Table(
    "tags",
    tables,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # of the training job; 0 is the tuning job itself
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


# What users changed of a tuning job while it ran or afterwards. Of one that was changed: its request as it was created (fact 0),
# each later request, and stops that were asked for before a change and gone on from (no request).
changes = sa.Table(
    "changes",
    tables,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("fact", sa.Integer, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("request", sa.Text),
)

# Instants at which time alone made the verdict stronger.
passed = sa.Table(
    "passed",
    tables,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("fact", sa.Integer, primary_key=True),
    sa.Column("at", Instant, nullable=False),
)

algorithms = sa.Table(
    "algorithms",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("request", sa.Text, nullable=False),  # the one that created it, without its tags
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("algorithms_by_name", "name"),
    sa.Index("algorithms_by_any_case", sa.text("lower(name)"), unique=True),
    sa.Index("algorithms_by_age", "created_at", "name"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningJob:
    """One row of tuning_jobs, as it was when it was read."""

    id: int
    name: str
    request: Mapping[str, Any]
    status: str
    created_at: datetime
    modified_at: datetime
    ended_at: datetime | None
    facts: int
    judged: int
    verdict: Verdict | None
    verdicts: tuple[Verdict, ...]
    failure_reason: str | None
    owner: str | None
    owned_until: datetime | None

    @property
    def ended(self) -> bool:
        return is_terminal(self.status)

    def spec(self) -> TuningJobSpec:
        return read_spec(self.request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A tuning job that has ended, in full: what ran elsewhere is kept as this (see api/import_records.py)."""

    spec: TuningJobSpec
    created_at: datetime
    ended_at: datetime
    status: str
    facts: tuple[Fact, ...]
    failure_reason: str | None = None


class Store:
    """`Store(url)`: «sqlite:////path/to/alfine.db» or «postgresql+psycopg://…»; `Store.at(folder)` for the embedded one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sa.create_engine(url, hide_parameters=True)  # in errors: requests hold secrets
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
        self._upgrade()

    @classmethod
    def at(cls, home: Path) -> Store:
        """The embedded store in a folder, which is made if it isn't there."""
        home.mkdir(parents=True, exist_ok=True, mode=0o700)  # requests hold secrets in Environment
        return cls(f"sqlite:///{home / 'alfine.db'}")

    def close(self) -> None:
        self._engine.dispose()

    # -- tuning jobs ---------------------------------------------------------------------------------------------

    def create(self, spec: TuningJobSpec, at: datetime, inheritance: Sequence[Inherited] = ()) -> TuningJob:
        """Write a new tuning job, InProgress, with what it inherits. Raise InUse when the name is taken (in letters of any case).

        A training job on its own is there at once, launched: whoever runs it next starts it.
        """
        with self._write() as connection:
            # Looked at again: one may have been deleted since the spec was made.
            for name in _algorithms_of(spec.request):
                algorithm_called(connection, name)
            job = _insert(connection, spec, at)
            rows = [_inherited_row(job, number, each) for number, each in enumerate(inheritance, 1)]
            if rows:
                connection.execute(sa.insert(inherited), rows)
        return self.get(spec.name)

    def load(self, record: Record) -> TuningJob:
        """Write a tuning job that ended elsewhere, all at once. Raise InUse when its name, or one of its training jobs', is."""
        try:
            with self._write() as connection:
                job = _insert(connection, record.spec, record.created_at)
                _write_facts(connection, job, list(enumerate(record.facts, 1)), record.spec.texts)
                values = {
                    "status": record.status,
                    "facts": len(record.facts),
                    "judged": len(record.facts),
                    "modified_at": record.ended_at,
                    "ended_at": record.ended_at,
                    "failure_reason": record.failure_reason,
                }
                connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.id == job).values(values))
        except sa.exc.IntegrityError as error:
            raise InUse(
                f"Training jobs of {record.spec.name} are here already, under another tuning job: it was imported before."
            ) from error
        return self.get(record.spec.name)

    def get(self, name: str) -> TuningJob:
        """Raise NotFound when there is no such tuning job."""
        with self.reading() as connection:
            return _tuning_job(self._row(connection, name))

    def original(self, name: str) -> Mapping[str, Any]:
        """The request that a tuning job was created with, whatever was changed since."""
        with self.reading() as connection:
            request: dict[str, Any] = json.loads(_original(connection, self._row(connection, name)))
            return request

    def list(self) -> tuple[TuningJob, ...]:
        """All of them, the oldest first."""
        with self.reading() as connection:
            query = sa.select(tuning_jobs).where(listed()).order_by(tuning_jobs.c.created_at, tuning_jobs.c.id)
            return tuple(_tuning_job(row) for row in connection.execute(query))

    def unfinished(self) -> tuple[str, ...]:
        """The names of those that haven't ended, training jobs on their own among them, the oldest first."""
        with self.reading() as connection:
            running = [name for name, after in TUNING_TRANSITIONS.items() if after]
            query = sa.select(tuning_jobs.c.name).where(tuning_jobs.c.status.in_(running))
            return tuple(connection.execute(query.order_by(tuning_jobs.c.created_at, tuning_jobs.c.id)).scalars())

    def delete(self, name: str) -> Sequence[str]:
        """Forget a tuning job and its training jobs, whose names are returned. Whether it may be forgotten is for the caller to know."""
        with self._write() as connection:
            row = self._row(connection, name)
            names = connection.scalars(
                sa.select(training_jobs.c.name).where(training_jobs.c.tuning_job == row.id)
            ).all()
            for table in (changes, passed, tags, metrics, inherited, training_jobs):
                connection.execute(sa.delete(table).where(table.c.tuning_job == row.id))
            connection.execute(sa.delete(tuning_jobs).where(tuning_jobs.c.id == row.id))
        return names

    def delete_training_job(self, job: int, number: int) -> None:
        """Forget one training job, and its tuning job if that stood for it alone or was deleted and has no other left."""
        with self._write() as connection:
            for table in (tags, metrics, training_jobs):
                connection.execute(sa.delete(table).where(table.c.tuning_job == job, table.c.number == number))
            left = sa.exists().where(training_jobs.c.tuning_job == job)
            for table, key in ((tags, tags.c.tuning_job), (tuning_jobs, tuning_jobs.c.id)):
                connection.execute(sa.delete(table).where(key == job, ~left))

    def detach(self, name: str) -> None:
        """Forget a tuning job as AMT does: its training jobs stay, each under its own name, and its name is free."""
        with self._write() as connection:
            row = self._row(connection, name)
            values = {"name": f"{name}{DETACHED}{row.id}", "listed": False}
            connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.id == row.id).values(values))

    # -- who runs it ---------------------------------------------------------------------------------------------

    def claim(self, name: str, owner: str, now: datetime, until: datetime, alive: Callable[[str], bool]) -> bool:
        """Make `owner` the one engine that runs the job, unless another one's lease holds and that one is alive."""
        with self._write() as connection:
            row = self._row(connection, name)
            free = (
                row.owner in (None, owner) or row.owned_until is None or row.owned_until < now or not alive(row.owner)
            )
            if free:
                values = {"owner": owner, "owned_until": until}
                connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.id == row.id).values(values))
            return free

    def release(self, name: str, owner: str) -> None:
        with self._write() as connection:
            mine = (tuning_jobs.c.name == name) & (tuning_jobs.c.owner == owner)
            connection.execute(sa.update(tuning_jobs).where(mine).values(owner=None, owned_until=None))

    # -- facts ---------------------------------------------------------------------------------------------------

    def record(
        self,
        job: int,
        known: int,
        facts: Sequence[Fact],
        *,
        offsets: Mapping[int, int] | None = None,
        texts: Texts | None = None,
        judged: tuple[int, Verdict, Sequence[Verdict]] | None = None,
    ) -> None:
        """Append facts to the `known` ones. Raise Overtaken, and write nothing, when someone else has recorded more.

        offsets: how far each training job's log has been read; kept with the facts that were read from it.
        texts: hyperparameters -> AMT's strings, for launches. judged: how many facts the verdicts rest on, the strongest, all.
        """
        with self._write() as connection:
            count = {"job": job, "known": known, "new": len(facts), **_verdict_values(judged)}
            if connection.execute(_APPEND if judged is None else _APPEND_AND_JUDGE, count).rowcount != 1:
                if connection.execute(_FACTS_OF, {"job": job}).first() is None:
                    raise NotFound(DELETED)
                raise Overtaken("Someone else has recorded something about this tuning job: read it again.")
            _write_facts(connection, job, list(enumerate(facts, known + 1)), texts)
            for number, offset in (offsets or {}).items():
                connection.execute(_SET_OFFSET, {"job": job, "nr": number, "log_offset": offset})

    def overtaken(self, job: int, known: int) -> bool:
        """Whether someone else (a user who asks to stop something) has recorded more than the `known` facts."""
        with self.reading() as connection:
            count = connection.execute(_FACTS_OF, {"job": job}).scalar()
        if count is None:
            raise NotFound(DELETED)
        return bool(count != known)

    def request_stop_of_training_job(self, name: str, at: datetime, reason: str) -> None:
        """Record that the user asked to stop one training job; asked twice is asked once. IllegalTransition: it has ended."""
        with self._write() as connection:
            row = connection.execute(sa.select(training_jobs).where(training_jobs.c.name == name)).first()
            if row is None:
                raise NotFound(f"There is no training job called {name}.")
            if row.status == "Stopping":
                return
            connection.execute(_COUNT_FACTS, {"job": row.tuning_job, "new": 1})
            count = connection.execute(_FACTS_OF, {"job": row.tuning_job}).scalar_one()
            _write_fact(connection, row.tuning_job, count, StopAsked(at=at, number=row.number, reason=reason), None)

    def request_stop(self, name: str, at: datetime) -> None:
        """Record that the user asked to stop; asked twice is asked once."""
        with self._write() as connection:
            row = self._row(connection, name)
            if row.stop_fact is None:
                check_transition(name, row.status, "Stopping", TUNING_TRANSITIONS)
                fact = row.facts + 1
                values = {
                    "facts": fact,
                    "stop_fact": fact,
                    "stop_requested_at": at,
                    "status": "Stopping",
                    "modified_at": at,
                }
                connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.id == row.id).values(values))

    def change(self, name: str, before: Mapping[str, Any], spec: TuningJobSpec, at: datetime) -> None:
        """Record that the user changed the job's request into the spec's; one that has ended goes on.

        Raise Overtaken when its request isn't `before` any more, IllegalTransition while it is stopping.
        """
        with self._write() as connection:
            row = self._row(connection, name)
            if json.loads(row.request) != dict(before):
                raise Overtaken("Someone else has changed this tuning job: read it again.")
            if row.status == "Stopping":
                raise IllegalTransition(f"{name} is stopping. Change it once it has stopped: it goes on then.")
            facts = [{"fact": row.facts + 1, "at": at, "request": json.dumps(spec.request)}]
            if not connection.execute(sa.select(changes.c.fact).where(changes.c.tuning_job == row.id)).first():
                facts.append({"fact": 0, "at": row.created_at, "request": row.request})
            if row.stop_fact is not None:
                facts.append({"fact": row.stop_fact, "at": row.stop_requested_at, "request": None})
            connection.execute(sa.insert(changes), [{"tuning_job": row.id, **fact} for fact in facts])
            values = {"request": json.dumps(spec.request), "facts": row.facts + 1, "modified_at": at}
            again = {"status": "InProgress", "ended_at": None, "failure_reason": None}
            stop = {"stop_fact": None, "stop_requested_at": None}
            connection.execute(
                sa.update(tuning_jobs).where(tuning_jobs.c.id == row.id).values({**values, **again, **stop})
            )
            old, new = ({tag["Key"]: tag["Value"] for tag in each.get("Tags") or []} for each in (before, spec.request))
            _put_tags(connection, row.id, 0, {**dict.fromkeys(set(old) - set(new)), **new})

    def finish(self, name: str, status: str, at: datetime, failure_reason: str | None = None) -> None:
        """Write the end of a tuning job."""
        with self._write() as connection:
            row = self._row(connection, name)
            if row.stop_fact is not None and status == "Completed":
                status = "Stopped"  # the user asked in the moment between the last decision and this
            check_transition(name, row.status, status, TUNING_TRANSITIONS)
            values = {
                "status": status,
                "ended_at": at,
                "modified_at": at,
                "failure_reason": failure_reason,
                "owner": None,
            }
            connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.id == row.id).values(values))

    def history(self, name: str) -> History:
        """Everything recorded about a tuning job, fact by fact in the order in which it was recorded."""
        with self.reading() as connection:
            row = self._row(connection, name)
            spec = read_spec(json.loads(_original(connection, row)))
            history = History(spec, row.created_at, self._inheritance(connection, row.id) if spec.parents else ())
            for _, fact in sorted(self._facts(connection, row, spec), key=lambda pair: pair[0]):
                history.record(fact)
        return history

    def log_offsets(self, job: int) -> dict[int, int]:
        """How far the logs of the training jobs that haven't ended have been read."""
        with self.reading() as connection:
            running = (training_jobs.c.tuning_job == job) & training_jobs.c.ended_at.is_(None)
            query = sa.select(training_jobs.c.number, training_jobs.c.log_offset).where(running)
            return {row.number: row.log_offset for row in connection.execute(query)}

    def _inheritance(self, connection: Connection, job: int) -> tuple[Inherited, ...]:
        query = sa.select(inherited).where(inherited.c.tuning_job == job).order_by(inherited.c.number)
        return tuple(_inherited(row) for row in connection.execute(query))

    def _facts(self, connection: Connection, job: Row[Any], spec: TuningJobSpec) -> Iterator[tuple[int, Fact]]:
        if job.stop_fact is not None:
            yield job.stop_fact, StopRequested(at=job.stop_requested_at)
        for row in connection.execute(sa.select(changes).where(changes.c.tuning_job == job.id, changes.c.fact > 0)):
            after = row.request and read_spec(json.loads(row.request))
            yield row.fact, Changed(at=row.at, spec=after) if after else StopRequested(at=row.at)
        for row in connection.execute(sa.select(passed).where(passed.c.tuning_job == job.id)):
            yield row.fact, TimePassed(at=row.at)
        for row in connection.execute(sa.select(training_jobs).where(training_jobs.c.tuning_job == job.id)):
            yield from _facts_of(row, spec)
        for row in connection.execute(sa.select(metrics).where(metrics.c.tuning_job == job.id)):
            fact = Reported(at=row.at, number=row.number, metric=row.metric, step=row.step, value=row.value)
            yield row.fact, fact

    # -- tags ----------------------------------------------------------------------------------------------------

    def tag(self, job: int, number: int, changes: Mapping[str, str | None]) -> Mapping[str, str]:
        """Put tags on a training job (number 0: on the tuning job), take those away whose value is None; return them all."""
        with self._write() as connection:
            _put_tags(connection, job, number, changes)
            return self.tags(job, number, connection)

    def tags(self, job: int, number: int, connection: Connection | None = None) -> Mapping[str, str]:
        """All tags, in the order of their keys."""
        query = sa.select(tags.c.key, tags.c.value).where(tags.c.tuning_job == job, tags.c.number == number)
        with nullcontext(connection) if connection is not None else self.reading() as open_connection:
            return {row.key: row.value for row in open_connection.execute(query.order_by(tags.c.key))}

    # -- algorithms ----------------------------------------------------------------------------------------------

    def create_algorithm(self, request: Mapping[str, Any], given: Mapping[str, str], at: datetime) -> None:
        """Write an algorithm with the tags `given`. Raise InUse when there is one of that name, in letters of any case."""
        name = request["AlgorithmName"]
        row = {"name": name, "request": json.dumps(request), "tags": json.dumps(dict(given)), "created_at": at}
        with self._write() as connection:
            if connection.execute(_ALGORITHM, {"name": name.lower()}).first():
                raise InUse(f"There is an algorithm called {name}.")
            connection.execute(sa.insert(algorithms).values(row))

    def algorithm(self, name: str) -> Mapping[str, Any] | None:
        """The request that created an algorithm, found in letters of any case."""
        with self.reading() as connection:
            row = connection.execute(_ALGORITHM, {"name": name.lower()}).first()
        return None if row is None else json.loads(row.request)

    def delete_algorithm(self, name: str) -> None:
        """Raise NotFound when there is none, Conflict while a job that hasn't ended needs it."""
        with self._write() as connection:
            row = algorithm_called(connection, name)
            ended = [status for status, after in TUNING_TRANSITIONS.items() if not after]
            query = sa.select(tuning_jobs.c.name, tuning_jobs.c.request).where(tuning_jobs.c.status.not_in(ended))
            for job in connection.execute(query):
                request = json.loads(job.request)
                if name.lower() in _algorithms_of(request):
                    user = request.get("TrainingJobName", job.name)  # a training job on its own has one
                    raise Conflict(f"The algorithm {row.name} is in use by {user}, which hasn't ended.")
            connection.execute(sa.delete(algorithms).where(algorithms.c.id == row.id))

    def tag_algorithm(self, name: str, changes: Mapping[str, str | None]) -> Mapping[str, str]:
        """Put tags on an algorithm, take those away whose value is None; return them all."""
        with self._write() as connection:
            row = algorithm_called(connection, name)
            changed = {key: value for key, value in {**json.loads(row.tags), **changes}.items() if value is not None}
            whole = dict(sorted(changed.items()))
            update = sa.update(algorithms).where(algorithms.c.id == row.id).values(tags=json.dumps(whole))
            connection.execute(update)
        return whole

    # -- underneath ----------------------------------------------------------------------------------------------

    def _row(self, connection: Connection, name: str) -> Row[Any]:
        row = connection.execute(sa.select(tuning_jobs).where(tuning_jobs.c.name == name)).first()
        if row is None:
            raise NotFound(f"Amazon SageMaker can't find a tuning job called {name}. Type another name.")
        return row

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading: what it sees doesn't change while it's open (store/queries.py has the questions)."""
        with self._engine.connect() as connection:
            self._begin(connection, "BEGIN")
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                # The lock at once: a read transaction that wants to write later could fail with «database is locked».
                self._begin(connection, "BEGIN IMMEDIATE")
                yield connection
        except sa.exc.OperationalError as error:
            if "full" not in str(error.orig):
                raise
            raise StorageFull(
                f"There is no room left for {self._engine.url.database}. Free some space, then run the same command again: "
                "what was recorded so far stands."
            ) from error

    def _begin(self, connection: Connection, statement: str) -> None:
        """Not by SQLAlchemy's «begin» event: an engine with any listener calls all its hooks at each statement."""
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(statement)

    def _upgrade(self) -> None:
        """Bring the tables to REVISION. Alembic is imported only when there is something to do: it takes its time."""
        with self.reading() as connection:
            known = sa.inspect(connection).has_table("alembic_version")
            revision = (
                connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() if known else None
            )
        if revision != REVISION:
            from alfine.store.migrations import upgrade

            with self._write() as connection:
                upgrade(connection)


def _prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001
    connection.isolation_level = None  # transactions begin where `Store._begin` says, not where sqlite3 guesses
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a commit survives a loss of power, not only of the process
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


_FACTS_OF = sa.select(tuning_jobs.c.facts).where(tuning_jobs.c.id == sa.bindparam("job"))
_COUNT_FACTS = (
    sa.update(tuning_jobs)
    .where(tuning_jobs.c.id == sa.bindparam("job"))
    .values(facts=tuning_jobs.c.facts + sa.bindparam("new"))
)
_APPEND = _COUNT_FACTS.where(tuning_jobs.c.facts == sa.bindparam("known"))
_APPEND_AND_JUDGE = _APPEND.values({name: sa.bindparam(f"to_{name}") for name in ("judged", "verdict", "verdicts")})


def _change_of(*names: str, status: str | None = None) -> sa.Update:
    """An UPDATE of one training job; to a status only along the table of transitions."""
    row = (training_jobs.c.tuning_job == sa.bindparam("job")) & (training_jobs.c.number == sa.bindparam("nr"))
    values: dict[str, Any] = {name: sa.bindparam(name) for name in names}
    if status is not None:
        values["status"] = status
        # Not IN: its list would be rendered anew at each execution.
        row &= sa.or_(*(training_jobs.c.status == before for before, after in TRANSITIONS.items() if status in after))
    return sa.update(training_jobs).where(row).values(values)


_START = _change_of("started_at", "started_fact").where(training_jobs.c.started_fact.is_(None))
_ASK_TO_STOP = _change_of("stop_asked_at", "stop_fact", "stop_reason", status="Stopping")
_END = {
    status: _change_of("ended_at", "ended_fact", "objective", "failure_reason", "uploaded_at", status=status)
    for status, after in TRANSITIONS.items()
    if not after
}
_SET_OFFSET = _change_of("log_offset")
_LAUNCH = sa.insert(training_jobs)
_REPORT = sa.insert(metrics)
_INHERIT_TAGS = sa.insert(tags).from_select(
    ["tuning_job", "number", "key", "value"],
    sa.select(tags.c.tuning_job, sa.bindparam("nr", type_=sa.Integer), tags.c.key, tags.c.value).where(
        tags.c.tuning_job == sa.bindparam("job"), tags.c.number == 0
    ),
)


def listed() -> sa.ColumnElement[bool]:
    """That a tuning job wasn't deleted, and doesn't stand for a training job on its own."""
    return tuning_jobs.c.listed == sa.true()


_TUNING_JOB_IN_ANY_CASE = sa.select(tuning_jobs.c.id, tuning_jobs.c.status).where(
    sa.func.lower(tuning_jobs.c.name) == sa.bindparam("name")
)
_TRAINING_JOB_IN_ANY_CASE = sa.select(training_jobs.c.number).where(
    sa.func.lower(training_jobs.c.name) == sa.bindparam("name")
)
_OF_TUNING_JOB = re.compile(r"(.+)-\d{3,}-[0-9a-f]{8}")  # how training jobs of tuning jobs are called


def _check_free(connection: Connection, name: str) -> None:
    """Raise InUse when a training job has the name, in letters of any case, or a tuning job that runs may yet give it."""
    small = name.lower()
    if connection.execute(_TRAINING_JOB_IN_ANY_CASE, {"name": small}).first():
        raise InUse(f"A training job with the name, {name}, already exists. Choose a different name.")
    likely = _OF_TUNING_JOB.fullmatch(small)
    owner = connection.execute(_TUNING_JOB_IN_ANY_CASE, {"name": likely[1]}).first() if likely else None
    if owner is not None and not is_terminal(owner.status):
        raise InUse(f"The name, {name}, is of the form that the running tuning job gives. Choose a different name.")


_ALGORITHM = sa.select(algorithms).where(sa.text("lower(name) = :name"))


def algorithm_called(connection: Connection, name: str) -> Row[Any]:
    """A created algorithm by its name in letters of any case. Raise NotFound when there is none."""
    row = connection.execute(_ALGORITHM, {"name": name.lower()}).first()
    if row is None:
        raise NotFound(f"The algorithm {name} does not exist.")
    return row


def _algorithms_of(request: Mapping[str, Any]) -> set[str]:
    """The created algorithms that a job names, in small letters."""
    definitions = [request.get("TrainingJobDefinition") or {}, *(request.get("TrainingJobDefinitions") or ())]
    named = [(each.get("AlgorithmSpecification") or {}).get("AlgorithmName") for each in definitions]
    return {name.rpartition("/")[2].lower() for name in named if name}


def _put_tags(connection: Connection, job: int, number: int, changes: Mapping[str, str | None]) -> None:
    for key, value in changes.items():
        this = (tags.c.tuning_job == job) & (tags.c.number == number) & (tags.c.key == key)
        connection.execute(sa.delete(tags).where(this))
        if value is not None:
            connection.execute(sa.insert(tags).values(tuning_job=job, number=number, key=key, value=value))


def _verdict_values(judged: tuple[int, Verdict, Sequence[Verdict]] | None) -> dict[str, Any]:
    if judged is None:
        return {}
    count, strongest, each = judged
    texts = {"to_verdict": json.dumps(strongest.as_dict()), "to_verdicts": json.dumps([v.as_dict() for v in each])}
    return {"to_judged": count, **texts}


def _original(connection: Connection, job: Row[Any]) -> str:
    """The request that a tuning job was created with."""
    first = sa.select(changes.c.request).where(changes.c.tuning_job == job.id, changes.c.fact == 0)
    return str(connection.execute(first).scalar() or job.request)


def _insert(connection: Connection, spec: TuningJobSpec, at: datetime) -> int:
    """A new tuning job's row and tags; its id."""
    if spec.alone:
        _check_free(connection, spec.alone)
    elif connection.execute(_TUNING_JOB_IN_ANY_CASE, {"name": spec.name.lower()}).first():
        raise InUse(f"A hyperparameter tuning job with the name, {spec.name}, already exists. Choose a different name.")
    row = {
        "name": spec.name,
        "request": json.dumps(spec.request),
        "status": "InProgress",
        "created_at": at,
        "modified_at": at,
        "facts": 0,
        "judged": 0,
        "listed": spec.alone is None,
    }
    job = int(connection.execute(sa.insert(tuning_jobs).values(row).returning(tuning_jobs.c.id)).scalar_one())
    _put_tags(connection, job, 0, {str(tag["Key"]): str(tag["Value"]) for tag in spec.request.get("Tags") or []})
    if spec.alone:
        connection.execute(_COUNT_FACTS, {"job": job, "new": 1})
        _write_fact(connection, job, 1, Launched(at=at, number=1, name=spec.alone, hyperparameters={}), None)
    return job


def _inherited_row(job: int, number: int, each: Inherited) -> dict[str, Any]:
    texts = {name: json.dumps(dict(getattr(each, name))) for name in ("hyperparameters", "static")}
    return {"tuning_job": job, "number": number, **{f.name: getattr(each, f.name) for f in fields(each)}, **texts}


def _inherited(row: Row[Any]) -> Inherited:
    texts = {name: json.loads(getattr(row, name)) for name in ("hyperparameters", "static")}
    return Inherited(**{f.name: getattr(row, f.name) for f in fields(Inherited)} | texts)


def _write_facts(
    connection: Connection,
    job: int,
    numbered: Sequence[tuple[int, Fact]],
    texts: Texts | None,
) -> None:
    reports = [_metric_row(job, number, fact) for number, fact in numbered if isinstance(fact, Reported)]
    if reports:
        connection.execute(_REPORT, reports)
    for number, fact in numbered:
        _write_fact(connection, job, number, fact, texts)


def _write_fact(
    connection: Connection,
    job: int,
    number: int,
    fact: Fact,
    texts: Texts | None,
) -> None:
    match fact:
        case Launched():
            values = {
                "tuning_job": job,
                "number": fact.number,
                "name": fact.name,
                "definition": fact.definition,
                "hyperparameters": json.dumps(
                    dict(texts(fact.definition, fact.hyperparameters) if texts else fact.hyperparameters)
                ),
                "status": "InProgress",
                "created_at": fact.at,
                "created_fact": number,
                "log_offset": 0,
            }
            connection.execute(_LAUNCH, values)
            connection.execute(_INHERIT_TAGS, {"job": job, "nr": fact.number})
        case Started():
            _change(connection, _START, job, fact.number, "started", started_at=fact.at, started_fact=number)
        case StopAsked():
            changes = {"stop_asked_at": fact.at, "stop_fact": number, "stop_reason": fact.reason}
            _change(connection, _ASK_TO_STOP, job, fact.number, "Stopping", **changes)
        case Ended():
            changes = {"ended_at": fact.at, "ended_fact": number}
            changes |= {
                "objective": fact.objective,
                "failure_reason": fact.failure_reason,
                "uploaded_at": fact.uploaded_at,
            }
            _change(connection, _END[fact.status], job, fact.number, fact.status, **changes)
        case TimePassed():
            connection.execute(sa.insert(passed), {"tuning_job": job, "fact": number, "at": fact.at})
        case Reported():
            pass  # written all at once, before
        case StopRequested() | Changed():
            raise IllegalTransition("what a user asks for is recorded by request_stop and change.")


def _metric_row(job: int, number: int, fact: Reported) -> dict[str, Any]:
    row = {"tuning_job": job, "fact": number, "number": fact.number, "at": fact.at}
    return row | {"metric": fact.metric, "step": fact.step, "value": fact.value}


def _change(connection: Connection, statement: sa.Update, job: int, number: int, to: str, **values: Any) -> None:
    if connection.execute(statement, {"job": job, "nr": number, **values}).rowcount != 1:
        raise IllegalTransition(f"training job {number} can't become {to}.")


def _facts_of(row: Row[Any], spec: TuningJobSpec) -> Iterable[tuple[int, Fact]]:
    yield (
        row.created_fact,
        Launched(
            at=row.created_at,
            number=row.number,
            name=row.name,
            hyperparameters=spec.of(row.definition).space.from_text(json.loads(row.hyperparameters)),
            definition=row.definition,
        ),
    )
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


def _tuning_job(row: Row[Any]) -> TuningJob:
    return TuningJob(
        id=row.id,
        name=row.name,
        request=json.loads(row.request),
        status=row.status,
        created_at=row.created_at,
        modified_at=row.modified_at,
        ended_at=row.ended_at,
        facts=row.facts,
        judged=row.judged,
        verdict=Verdict.from_dict(json.loads(row.verdict)) if row.verdict else None,
        verdicts=tuple(Verdict.from_dict(each) for each in json.loads(row.verdicts or "[]")),
        failure_reason=row.failure_reason,
        owner=row.owner,
        owned_until=row.owned_until,
    )
