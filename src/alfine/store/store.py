"""The store: everything that alfine remembers about tuning jobs, in one database. SQLite or PostgreSQL, by URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from alfine.core.arns import DETACHED
from alfine.core.errors import InUse, Overtaken, StoreUnusable
from alfine.core.facts import TUNING_TRANSITIONS, Fact, check_transition
from alfine.core.history import History
from alfine.core.inherited import Inherited
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Verdict
from alfine.store import algorithms as stored_algorithms
from alfine.store.algorithm_store import AlgorithmStore
from alfine.store.announcements import Announcements, announce
from alfine.store.conditions import UNFINISHED, listed
from alfine.store.database import Connection, Database
from alfine.store.facts import NOTHING_READ, Texts, write_facts
from alfine.store.failed_tries import FailedTries
from alfine.store.home_files import FILE, check_no_files, make_home
from alfine.store.inherited import write_inherited
from alfine.store.leases import Leases, facts_under
from alfine.store.placement import NOWHERE, Placement
from alfine.store.placements import Placements
from alfine.store.queries import history, original_request, tuning_job_row
from alfine.store.records import Record, TuningJob, tuning_job_of
from alfine.store.schema import changes, inherited, metrics, passed, tags, training_jobs, tuning_jobs
from alfine.store.tag_store import TagStore
from alfine.store.tracker_cursors import track
from alfine.store.tuning_job_rows import (
    APPEND,
    APPEND_AND_JUDGE,
    insert_row,
    lock_row,
    update_row,
    verdict_values,
)
from alfine.store.upgrade import bring_up_to_date
from alfine.store.user_requests import UserRequests


class Store(AlgorithmStore, FailedTries, Leases, Placements, TagStore, UserRequests):
    """Writes facts and reads histories: the one place where alfine's state is kept.

    Everything else (the engine, the service, every server on the same database) holds only what it can read again from here.

    * Each method that writes is one transaction. When it returns, what it wrote survives a crash of the machine.
    * Facts are numbered in the order in which they were recorded. `record` appends to the facts that its caller knows, and raises
      Overtaken if there are more: then the caller reads the history again and decides again.
    * A status changes only along the tables of transitions in core/facts.py.
    * Several processes may use one database at once. At most one engine runs a tuning job: the one that claimed it last (`claim`).
      What it records names the epoch of its claim, and raises Fenced once another engine has taken over.

    Args:
        url: An URL of SQLAlchemy: «sqlite:////path/to/alfine.db» or «postgresql+psycopg://user@host/name». Its tables are made, or
            upgraded to the newest revision.
        check_new: Called before the tables of a new database are made; raises where there can't be a new one.

    Raises:
        StoreUnusable: The database can't be opened or written, or isn't one.
        StoreDamaged: What a method reads is damaged; every method may raise it.
        StorageFull: The disk is full; every method that writes may raise it. What was recorded before is kept.

    Example:
        >>> store = Store.at(Path("~/.alfine").expanduser())
        >>> job = store.create(read_spec(request), at=now)
        >>> store.record(job.id, known=0, facts=[Launched(at=now, number=1, name="job-001", hyperparameters={"x": 0.5})])
        >>> store.history("job").launches
        1
        >>> store.close()
    """

    def __init__(self, url: str, check_new: Callable[[], None] = lambda: None) -> None:
        self.database = Database(url)
        self.announcements = Announcements(self.database)
        try:
            bring_up_to_date(self.database, check_new)
        except BaseException as error:
            self.close()
            if isinstance(error, sa.exc.DatabaseError):
                raise StoreUnusable(f"{self.database.name}: can't be opened: {error.orig}.") from error
            raise

    @classmethod
    def at(cls, home: Path) -> Store:
        """Open the embedded store of a home.

        Args:
            home: The home's folder, which is made if it isn't there.

        Raises:
            StoreUnusable: The folder can't be made or written, or its database can't be opened.
            StoreDamaged: The database is damaged, or is missing beside the files of tuning jobs.
        """
        make_home(home)
        if not (home / FILE).exists():  # else connecting would make it
            check_no_files(home)
        return cls(f"sqlite:///{home / FILE}", lambda: check_no_files(home))

    def close(self) -> None:
        """Close the database."""
        self.announcements.close()
        self.database.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection for the functions of store/queries.py. What it sees doesn't change while it is open."""
        with self.database.reading() as connection:
            yield connection

    # -- tuning jobs ---------------------------------------------------------------------------------------------

    def create(
        self,
        spec: TuningJobSpec,
        at: datetime,
        inheritance: Sequence[Inherited] = (),
        check: Callable[[Connection], None] = lambda _: None,
        trackers: Sequence[str] = (),
    ) -> TuningJob:
        """Write a new tuning job, InProgress.

        A spec of a single training job (CreateTrainingJob) is written with that training job launched: whoever runs the tuning job
        starts it.

        Args:
            spec: The job, which was checked before.
            at: The instant of creation.
            inheritance: The training jobs that a warm start takes over from parents.
            check: Called in the same transaction, which sees the new job; what it raises undoes the job.
            trackers: The experiment trackers that are told of the job.

        Raises:
            InUse: The name is taken, in letters of any case.
            NotFound: An algorithm that the job uses was deleted since it was checked.
        """
        with self.database.writing() as connection:
            for name in sorted(stored_algorithms.algorithms_in(spec.request)):
                stored_algorithms.get_algorithm(connection, name, to_write=True)
            job = insert_row(connection, spec, at)
            write_inherited(connection, job, inheritance)
            track(connection, job, trackers)
            check(connection)
            announce(connection, spec.name)
        return self.get(spec.name)

    def load(self, record: Record) -> TuningJob:
        """Write a tuning job that ended elsewhere.

        Args:
            record: The job, with its facts and its end.

        Raises:
            InUse: Its name, or the name of one of its training jobs, is taken.
        """
        spec, count = record.spec, len(record.facts)
        try:
            with self.database.writing() as connection:
                job = insert_row(connection, spec, record.created_at)
                write_facts(connection, job, record.facts, 1, spec.texts)
                values = {
                    "status": record.status,
                    "facts": count,
                    "judged": count,
                    "modified_at": record.ended_at,
                    "ended_at": record.ended_at,
                    "failure_reason": record.failure_reason,
                }
                update_row(connection, job, values)
        except sa.exc.IntegrityError as error:
            raise InUse(
                f"Training jobs of {spec.name} are here already, under another tuning job: it was imported before."
            ) from error
        return self.get(spec.name)

    def get(self, name: str) -> TuningJob:
        """Return a tuning job.

        Args:
            name: Its name, in the case in which it was created.

        Raises:
            NotFound: There is none of that name.
        """
        with self.reading() as connection:
            return tuning_job_of(tuning_job_row(connection, name))

    def original(self, name: str) -> Mapping[str, Any]:
        """Return the request that created a tuning job, whatever the user changed since.

        Args:
            name: The tuning job.

        Raises:
            NotFound: There is none of that name.
        """
        with self.reading() as connection:
            return original_request(connection, tuning_job_row(connection, name))

    def list(self) -> tuple[TuningJob, ...]:
        """Return all tuning jobs, the oldest first."""
        with self.reading() as connection:
            query = sa.select(tuning_jobs).where(listed()).order_by(tuning_jobs.c.created_at, tuning_jobs.c.id)
            return tuple(tuning_job_of(row) for row in connection.execute(query))

    def unfinished(self) -> tuple[str, ...]:
        """Return the names of the tuning jobs that have not ended, the oldest first; holders of single training jobs included."""
        with self.reading() as connection:
            query = sa.select(tuning_jobs.c.name).where(UNFINISHED)
            return tuple(connection.execute(query.order_by(tuning_jobs.c.created_at, tuning_jobs.c.id)).scalars())

    def facts_of_unfinished(self) -> dict[int, int]:
        """Return how many facts are recorded about each tuning job that has not ended, by its id."""
        with self.reading() as connection:
            query = sa.select(tuning_jobs.c.id, tuning_jobs.c.facts).where(UNFINISHED)
            return {row.id: row.facts for row in connection.execute(query)}

    def commits(self) -> AbstractContextManager[Callable[[], int | None]]:
        """Open what tells whether anybody has recorded anything: see `Database.commits`."""
        return self.database.commits()

    def delete(self, name: str) -> Sequence[str]:
        """Delete a tuning job and its training jobs.

        Args:
            name: The tuning job, which has ended: the caller checks it.

        Returns:
            The names of its training jobs, so that the caller can delete their folders.

        Raises:
            NotFound: There is none of that name.
        """
        with self.database.writing() as connection:
            job = tuning_job_row(connection, name, to_write=True).id
            names = connection.scalars(sa.select(training_jobs.c.name).where(training_jobs.c.tuning_job == job)).all()
            for table in (changes, passed, tags, metrics, inherited, training_jobs):
                connection.execute(sa.delete(table).where(table.c.tuning_job == job))
            connection.execute(sa.delete(tuning_jobs).where(tuning_jobs.c.id == job))
            announce(connection, name)
        return names

    def detach(self, name: str) -> None:
        """Delete a tuning job as AMT does: its training jobs stay, each under its own name, and its name is free.

        Args:
            name: The tuning job.

        Raises:
            NotFound: There is none of that name.
        """
        with self.database.writing() as connection:
            job = tuning_job_row(connection, name, to_write=True).id
            update_row(connection, job, {"name": f"{name}{DETACHED}{job}", "listed": False})

    def delete_training_job(self, job: int, number: int) -> None:
        """Delete a training job, and its tuning job where that was deleted before (or holds only this one) and has no others.

        Args:
            job: The id of its tuning job.
            number: Its number in that tuning job, from 1.
        """
        with self.database.writing() as connection:
            lock_row(connection, job)
            for table in (tags, metrics, training_jobs):
                connection.execute(sa.delete(table).where(table.c.tuning_job == job, table.c.number == number))
            others = sa.exists().where(training_jobs.c.tuning_job == job)
            for table, key in ((tags, tags.c.tuning_job), (tuning_jobs, tuning_jobs.c.id)):
                connection.execute(sa.delete(table).where(key == job, ~others))

    # -- facts ---------------------------------------------------------------------------------------------------

    def record(
        self,
        job: int,
        known: int,
        facts: Sequence[Fact],
        *,
        offsets: Mapping[int, int] = NOTHING_READ,
        texts: Texts | None = None,
        judged: tuple[int, Verdict, Sequence[Verdict]] | None = None,
        epoch: int | None = None,
        places: Mapping[int, Placement] = NOWHERE,
    ) -> None:
        """Append facts to a tuning job's history.

        Args:
            job: The tuning job's id.
            known: How many facts the caller knows.
            facts: The new ones, in order.
            offsets: By training job's number, how many bytes of its log have been read for these facts.
            texts: Spells the hyperparameters of launches as AMT does.
            judged: How many facts the verdicts take into account, the strongest verdict, and the last of each criterion.
            epoch: That of the engine's claim; None for whoever isn't an engine.
            places: Where training jobs that are launched will start, by number, as far as that is decided.

        Raises:
            Overtaken: There are more than `known` facts; nothing is written.
            Fenced: Another engine has claimed the tuning job since; nothing is written.
            NotFound: The tuning job was deleted.
        """
        with self.database.writing() as connection:
            row = {"job": job, "known": known, "claimed": epoch or 0, "new": len(facts), **verdict_values(judged)}
            if connection.execute(APPEND if judged is None else APPEND_AND_JUDGE, row).rowcount != 1:
                facts_under(connection, job, epoch)
                raise Overtaken("Someone else has recorded something about this tuning job: read it again.")
            write_facts(connection, job, facts, known + 1, texts, offsets=offsets, places=places)

    def history(self, name: str) -> History:
        """Return everything recorded about a tuning job, fact by fact in the order in which it was recorded.

        Args:
            name: The tuning job.

        Raises:
            NotFound: There is none of that name.
        """
        with self.reading() as connection:
            return history(connection, tuning_job_row(connection, name))

    def finish(
        self,
        name: str,
        status: str,
        at: datetime,
        failure_reason: str | None = None,
        known: int | None = None,
        *,
        epoch: int | None = None,
    ) -> None:
        """Write the end of a tuning job.

        Args:
            name: The tuning job.
            status: Completed, Stopped or Failed. Completed becomes Stopped if the user asked to stop the job meanwhile.
            at: The instant of its end.
            failure_reason: Why it failed; None otherwise.
            known: How many facts the caller knows; None: whatever was recorded.
            epoch: See `record`.

        Raises:
            NotFound: There is none of that name.
            Overtaken: There are more facts: a user who changes the job lets it go on.
            Fenced: Another engine has claimed the tuning job since.
            IllegalTransition: It has ended already.
        """
        with self.database.writing() as connection:
            row = tuning_job_row(connection, name, to_write=True)
            facts_under(connection, row.id, epoch)
            if known is not None and row.facts != known:
                raise Overtaken("Someone else has recorded something about this tuning job: read it again.")
            if row.stop_fact is not None and status == "Completed":
                status = "Stopped"  # the user asked between the last decision and now
            check_transition(name, row.status, status, TUNING_TRANSITIONS)
            values = {"status": status, "ended_at": at, "modified_at": at, "owner": None}
            update_row(connection, row.id, {**values, "failure_reason": failure_reason})
