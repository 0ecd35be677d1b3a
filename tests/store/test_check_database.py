"""Every record of a store is looked at, and what can't be understood is named by its tuning job, table and row."""

import sqlite3
from contextlib import closing

import pytest

from alfine.core.facts import Ended, Launched
from alfine.store.check_database import bad_records, damages, is_current, revision_of
from alfine.store.store import Store
from tests.building import at, spec
from tests.store.damage import execute

VALUES = {"eta": 0.5, "depth": 1, "booster": "dart"}


@pytest.fixture
def home(tmp_path):
    with closing(Store.at(tmp_path)) as store:
        for name in ("a", "b"):
            job = store.create(spec(name=name), at(0))
            facts = [Launched(at=at(1), number=n, name=f"{name}-{n}", hyperparameters=VALUES) for n in (1, 2)]
            store.record(job.id, 0, [*facts, Ended(at=at(2), number=1, status="Completed")], texts=job.spec().texts)
        store.detach("a")
        store.delete_training_job(1, 1)  # its facts are gone with it
    return tmp_path


def found(home, *statements):
    for statement in statements:
        execute(home, statement)
    with closing(Store.at(home)) as store:
        return [tuple(each) for each in bad_records(store)]


def test_a_database_in_order_has_no_damages(home):
    assert found(home) == []
    assert [*damages(home / "alfine.db")] == []
    assert is_current(home / "alfine.db")


OF_B, OF_FIRST, OF_SECOND = (
    *("table tuning_jobs, id 2", "table training_jobs, tuning_job 2, number 1 (b-1)"),
    "table training_jobs, tuning_job 2, number 2 (b-2)",
)
SPOILED = {  # what somebody writes into a record: where it is found, and what is wrong
    "tuning_jobs SET status = 'Odd' WHERE id = 2": (OF_B, "there is no status 'Odd'"),
    "tuning_jobs SET verdict = '{' WHERE id = 2": (f"{OF_B}, its verdicts", "JSONDecodeError: Expecting"),
    "tuning_jobs SET verdicts = '[{}]' WHERE id = 2": (f"{OF_B}, its verdicts", "KeyError: "),
    "tuning_jobs SET request = '{' WHERE id = 2": (OF_B, "The record of the tuning job b can't be read: JSONDecode"),
    "tuning_jobs SET facts = 9 WHERE id = 2": ("", "9 facts were recorded, but 3 are there"),
    "training_jobs SET status = 'Odd' WHERE name = 'b-2'": (OF_SECOND, "there is no status 'Odd'"),
    "training_jobs SET hyperparameters = '{' WHERE name = 'b-1'": (OF_FIRST, "JSONDecodeError: Expecting"),
    "training_jobs SET ended_fact = 1, created_fact = 3 WHERE name = 'b-1'": (
        "",
        "The record of the tuning job b can't",
    ),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_record_that_cannot_be_understood_is_named(home, spoiled):
    where, what = SPOILED[spoiled]
    [(place, why)] = found(home, f"UPDATE {spoiled}")
    assert place == f"tuning job b{': ' if where else ''}{where}"
    assert why.startswith(what)
    assert "Stop every alfine" not in why


def test_rows_without_their_tuning_job_are_damages(home):
    execute(home, "INSERT INTO tags VALUES (77, 0, 'a', 'b')")
    [damage] = damages(home / "alfine.db")
    assert damage.endswith("it belongs to a row of tuning_jobs that isn't there")


def test_of_many_damages_the_first_are_told(home):
    """Entries of an index that lead to no row: SQLite finds one for each."""
    execute(home, "CREATE TABLE odd (x)")
    execute(home, "CREATE INDEX odd_by_x ON odd (x)")
    execute(
        home,
        "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 30) INSERT INTO odd SELECT x FROM n",
    )
    with closing(sqlite3.connect(home / "alfine.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = 'CREATE INDEX odd_by_x ON odd (x + 1)' WHERE name = 'odd_by_x'"
        )
    assert len([*damages(home / "alfine.db")]) == 20


def test_what_is_no_database_has_no_revision(tmp_path):
    (tmp_path / "alfine.db").write_text("x" * 5000)
    assert (revision_of(tmp_path / "alfine.db"), revision_of(tmp_path / "away.db")) == (None, None)
    assert not is_current(tmp_path / "alfine.db")
