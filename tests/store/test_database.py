"""The database behind a store: how it is opened, what is left open, and what its errors show."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa

from alfine.core.errors import StoreBusy, StoreUnusable
from alfine.core.facts import Launched
from alfine.store import queries
from alfine.store.access_keys import AccessKey, KeyFiles
from alfine.store.algorithms import Algorithm
from alfine.store.check_database import damages, revision_of
from alfine.store.database import Database
from alfine.store.schema import REVISION
from alfine.store.sqlite_copy import copy_database
from alfine.store.store import Store
from tests.building import at, spec
from tests.store.damage import execute


def open_files():
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - names alone


def told(connection, *questions):
    return [connection.exec_driver_sql(question).scalar() for question in questions]


def test_sqlite_keeps_what_was_committed_and_refuses_rows_without_their_tuning_job(tmp_path):
    asked = ("PRAGMA synchronous", "PRAGMA journal_mode", "PRAGMA foreign_keys", "PRAGMA busy_timeout")
    with closing(Store.at(tmp_path)) as store, store.reading() as connection:
        assert told(connection, *asked) == [2, "wal", 1, 10_000]


def test_postgresql_shows_readers_one_instant_and_lets_them_write_nothing(postgres_url):
    asked = ("SHOW transaction_isolation", "SHOW transaction_read_only", "SHOW application_name", "SHOW lock_timeout")
    with closing(Store(postgres_url)) as store:
        with store.reading() as connection:
            assert told(connection, *asked) == ["repeatable read", "on", "alfine", "10s"]
        with store.database.writing() as connection:
            assert told(connection, *asked) == ["read committed", "off", "alfine", "10s"]


def test_whoever_closes_a_store_has_no_file_of_it_open(tmp_path):
    def used(home):
        with closing(Store.at(home)) as store:
            store.create(spec(), at(0))
            with store.commits() as commits:
                commits()
        keys = KeyFiles(home)
        keys.add(AccessKey("key", "secret", at(0)))
        keys.delete("key")
        copy_database(home / "alfine.db", home / "copy.db")
        execute(home, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StoreUnusable):
            Store.at(home)
        assert (revision_of(home / "copy.db"), [*damages(home / "copy.db")]) == (REVISION, [])

    used(tmp_path / "first")  # what is opened once for all
    before = open_files()
    used(tmp_path / "second")
    assert open_files() == before


def test_a_number_changes_with_each_commit_of_anybody(store_of_two):
    store, other = store_of_two
    with store.commits() as number:
        first = number()
        assert number() == first
        other.create(spec(), at(0))
        second = number()
        assert number() == second
        other.tag(1, 0, {"a": "b"})
        assert len({first, second, number()}) == (1 if store.database.is_postgres else 3)
        assert (first is None) == store.database.is_postgres


def test_what_a_reader_sees_does_not_change_meanwhile(store_of_two):
    store, other = store_of_two
    store.create(spec(), at(0))
    with store.reading() as connection:
        assert queries.state(connection, "job").facts == 0
        other.request_stop("job", at(5))
        assert queries.state(connection, "job").facts == 0
    assert store.get("job").facts == 1


@pytest.fixture
def store_of_two(database_url):
    with closing(Store(database_url)) as store, closing(Store(database_url)) as other:
        yield store, other


def test_threads_write_to_sqlite_in_turn_and_to_postgresql_at_once(store_of_two, monkeypatch):
    monkeypatch.setattr("alfine.store.database.TURN_SECONDS", 0.01)
    store, _ = store_of_two
    algorithm = Algorithm(name="mine", request={}, tags={}, created_at=at(0))
    with ThreadPoolExecutor(1) as others, store.database.writing():
        written = others.submit(store.create_algorithm, algorithm)
        assert isinstance(written.exception(), type(None) if store.database.is_postgres else StoreBusy)
    store.create(spec(), at(0))


def test_an_error_of_the_database_shows_no_values(tmp_path):
    with closing(Store.at(tmp_path)) as store:
        job = store.create(spec(), at(0))
        facts = [Launched(at=at(1), number=number, name="hunter2", hyperparameters={}) for number in (1, 2)]
        with pytest.raises(sa.exc.IntegrityError) as error:
            store.record(job.id, 0, facts)
    assert "hunter2" not in str(error.value)


def test_a_server_that_was_never_reached_is_not_waited_for(monkeypatch):
    def sleep(_seconds):
        raise AssertionError("it waits")

    monkeypatch.setattr("alfine.store.database.time.sleep", sleep)
    with pytest.raises(StoreBusy, match="can't be reached"):
        Store("postgresql+psycopg://127.0.0.1:1/alfine")


def test_a_database_is_named_without_its_password(tmp_path):
    names = [
        Database(url).name for url in (f"sqlite:///{tmp_path}/a.db", "postgresql+psycopg://me:hunter2@db:5/alfine")
    ]
    assert names == [f"{tmp_path}/a.db", "postgresql://me@db:5/alfine"]


def test_a_copy_is_one_file_for_its_owner_alone_and_tells_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("alfine.store.sqlite_copy.PAGES_A_STEP", 10)
    steps, copy = [], tmp_path / "copy.db"
    with closing(Store.at(tmp_path)) as store:
        store.create(spec(), at(0))
        copy_database(tmp_path / "alfine.db", copy, lambda done, total: steps.append((done, total)))
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
            [pages] = connection.execute("PRAGMA page_count").fetchone()
    assert steps == [(min(done, pages), pages) for done in range(10, pages + 10, 10)]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alfine.db", "copy.db"]


def test_a_server_whose_database_cannot_be_upgraded_has_no_copy_of_it(databases):
    url = databases.without_tables()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0016')")
    with pytest.raises(StoreUnusable, match="couldn't be upgraded from revision 0016") as refused:
        Store(url)
    assert "A copy" not in str(refused.value)
