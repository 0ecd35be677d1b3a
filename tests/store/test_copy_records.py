"""A copy of all records is compared with what was read, table by table, and tells how far it is."""

from contextlib import closing

import pytest

from alfine.core.errors import InUse, StoreUnusable
from alfine.store import copy_records as copying
from alfine.store.copy_records import copy_records
from alfine.store.store import Store
from tests.building import at, spec
from tests.store.damage import execute


@pytest.fixture
def stores(tmp_path):
    with closing(Store.at(tmp_path / "old")) as old, closing(Store.at(tmp_path / "new")) as new:
        for number in range(5):
            old.create(spec(name=f"job-{number}"), at(number))
        old.detach("job-3")
        old.annotate(1, "a note", {"a": "b"})
        yield old, new


def copied(stores, progress=lambda *_: None):
    return copy_records(*stores, lambda _: False, progress)


def test_progress_is_told_by_table_and_step(stores, monkeypatch):
    monkeypatch.setattr(copying, "ROWS_A_STEP", 2)
    steps = []
    report = copied(stores, lambda *step: steps.append(step))
    assert [step for step in steps if step[0] == "tuning_jobs"] == [("tuning_jobs", done, 5) for done in (2, 4, 5)]
    assert (report.tuning_jobs, report.training_jobs, report.rows["tags"]) == (5, 0, 6)
    old, new = stores
    assert old.list() == new.list()
    assert [job.name for job in new.list()] == ["job-0", "job-1", "job-2", "job-4"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE tags SET value = 'x' WHERE key = 'a'", "of 6 rows 6 are there, or some of them differ"),
        ("DELETE FROM tags WHERE key = 'a'", "of 6 rows 5 are there"),
    ],
)
def test_a_copy_that_differs_is_refused_and_leaves_nothing(stores, tmp_path, change, why):
    execute(tmp_path / "new", f"CREATE TRIGGER spoil AFTER INSERT ON tags WHEN NEW.key = 'a' BEGIN {change}; END")
    with pytest.raises(StoreUnusable, match=f"The table tags can't be copied: {why}"):
        copied(stores)
    assert stores[1].list() == ()


def test_a_database_with_any_record_is_refused(stores):
    _, new = stores
    new.create(spec(name="there"), at(0))
    with pytest.raises(InUse, match="has records already"):
        copied(stores)
    assert [job.name for job in new.list()] == ["there"]


def test_the_first_tuning_job_that_runs_is_named(stores):
    old, new = stores
    for name in ("job-4", "job-1"):
        old.claim(name, "engine", "node", lambda _: True)
    with pytest.raises(InUse, match="runs the tuning job job-1"):
        copy_records(old, new, lambda _: True, lambda *_: None)
