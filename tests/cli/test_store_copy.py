"""`alfine store copy`: from SQLite to PostgreSQL and back, row by row."""

import json
import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from alfine.core.errors import InUse
from alfine.store.access_keys import KeyFiles
from alfine.store.algorithms import Algorithm
from alfine.store.copy_records import NOT_COPIED, copy_records
from alfine.store.schema import TABLES, last_tuning_job, tuning_jobs
from alfine.store.store import Store
from alfine.store.stored_keys import StoredKeys
from tests.building import at, history, one_job, spec
from tests.cli.conftest import alfine_cli


def tables(folder):
    with closing(sqlite3.connect(folder / "alfine.db")) as connection:
        return {
            table.name: connection.execute(f"SELECT * FROM {table.name} ORDER BY 1, 2").fetchall()
            for table in TABLES.sorted_tables
            if table.name not in NOT_COPIED
        }


@pytest.fixture
def full(tmp_path):
    """A home with a bit of everything, and with numbers and texts at which databases differ."""
    with closing(Store.at(tmp_path / "full")) as store:
        job = store.create(spec(name="Job", price_per_hour=0.1), at(0.123456))
        past = history()
        for objective in (1e-308, None, float("inf"), 0.1 + 0.2, -0.0, 1.0):
            facts = one_job(
                past, objective, status="Failed" if objective is None else "Completed", reports=[5.0, 1e300]
            )
            store.record(job.id, len(past.facts), facts, texts=job.spec().texts)
            for fact in facts:
                past.record(fact)
        store.tag(job.id, 0, {"Zoë": "ü ☃ 𝛼", "a": ""})
        store.change("Job", job.request, spec(name="Job", max_training_jobs=9), at(99))
        store.create(spec(name="job-2"), at(1))
        store.create_algorithm(Algorithm(name="mine", request={"a": "\0"}, tags={"k": "v"}, created_at=at(3)))
    return tmp_path / "full"


def test_there_and_back_is_the_same_row_by_row(full, tmp_path, postgres_url):
    made = KeyFiles(full).create(at(7))
    there = alfine_cli(full, "store", "copy", str(full), postgres_url)
    assert "Copied to postgresql://" in there.stdout
    assert "2 tuning jobs with 6 training jobs" in there.stdout
    back = alfine_cli(full, "store", "copy", postgres_url, str(tmp_path / "back"))
    assert "Use it with --home" in back.stdout
    assert tables(tmp_path / "back") == tables(full)
    assert KeyFiles(tmp_path / "back").all() == [made]
    with closing(Store(postgres_url)) as store:
        assert StoredKeys(store.database).all() == [made]
        assert store.create(spec(name="third"), at(5)).id == 3, "ids go on where they were"
        store.create_algorithm(Algorithm(name="another", request={}, tags={}, created_at=at(5)))
        assert store.history("Job").facts[0].at == at(0)


def test_a_database_with_records_is_refused_and_left_as_it_is(full, postgres_url):
    with closing(Store.at(full)) as old, closing(Store(postgres_url)) as new:
        new.create(spec(name="there"), at(0))
        with pytest.raises(InUse, match="has records already"):
            copy_records(old, new, lambda _: False, lambda *_: None)
        assert [job.name for job in new.list()] == ["there"]


def test_jobs_that_run_are_refused_and_those_of_a_killed_alfine_belong_to_nobody(full, postgres_url):
    with closing(Store.at(full)) as old, closing(Store(postgres_url)) as new:
        assert old.claim("job-2", "engine", "node", lambda _: True)
        with pytest.raises(InUse, match="Another alfine runs the tuning job job-2. End it first"):
            copy_records(old, new, lambda _: True, lambda *_: None)
        assert new.list() == ()
        copy_records(old, new, lambda _: False, lambda *_: None)
        assert new.get("job-2").owner is None


def test_a_copy_that_is_interrupted_leaves_nothing(full, postgres_url):
    class Interrupted(Exception):
        pass

    def interrupt(table, done, total):
        if table == "metrics":
            raise Interrupted

    with closing(Store.at(full)) as old, closing(Store(postgres_url)) as new:
        with pytest.raises(Interrupted):
            copy_records(old, new, lambda _: False, interrupt)
        with new.reading() as connection:
            for table in TABLES.sorted_tables:
                rows = connection.execute(sa.select(table)).all()
                assert rows == ([(0,)] if table is last_tuning_job else []), table.name


def test_a_home_with_postgresql_is_checked_and_not_backed_up(full, tmp_path, postgres_url, databases):
    with closing(Store.at(full)) as old, closing(Store(postgres_url)) as new:
        copy_records(old, new, lambda _: False, lambda *_: None)
    home = tmp_path / "home"
    checked = alfine_cli(home, "--store", postgres_url, "doctor", "--check")
    assert "no problems found (1 tuning job, 6 training jobs, 0 objects checked)" in checked.stdout
    with new.database.writing() as connection:
        connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.name == "Job").values(status="Lost"))
    checked = alfine_cli(home, "--store", postgres_url, "doctor", "--check")
    assert checked.exit_code == 1
    assert "there is no status 'Lost'" in checked.stdout
    new.close()
    machine = json.loads(alfine_cli(home, "--store", postgres_url, "doctor", "--json").stdout)["Checks"]
    [postgres] = [check for check in machine if check["Name"] == "postgresql"]
    assert (
        databases.server is None
        or "A crash of its machine may lose what was recorded: fsync = off" in postgres["Detail"]
    )
    for command in ("backup", "restore"):
        refused = alfine_cli(home, "--store", postgres_url, command, str(tmp_path / "place"))
        assert refused.exit_code == 2
        assert "pg_dump" in refused.output
