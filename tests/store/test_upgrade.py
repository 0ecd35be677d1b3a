"""A database of an older alfine is copied, then upgraded; one of a newer alfine is refused."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from alfine.core.errors import StoreUnusable
from alfine.store import migrations
from alfine.store.schema import REVISION
from alfine.store.store import Store
from tests.store.damage import execute

COPY = f"alfine.db.before-{REVISION}"


@pytest.fixture
def old(tmp_path):
    """A home whose database has an older revision, with a tuning job in it."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'alfine.db'}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
    engine.dispose()
    execute(
        tmp_path,
        "INSERT INTO tuning_jobs (name, request, status, created_at, modified_at, facts, judged, listed)"
        " VALUES ('old', '{}', 'Completed', 0, 0, 0, 0, 1)",
    )
    return tmp_path


def revision(file):
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def test_an_older_database_is_copied_before_it_is_upgraded(old, caplog):
    with caplog.at_level(logging.WARNING):
        store = Store.at(old)
    assert [job.name for job in store.list()] == ["old"]
    store.close()
    assert (revision(old / "alfine.db"), revision(old / COPY)) == (REVISION, "0006")
    assert (old / COPY).stat().st_mode & 0o777 == 0o600
    assert f"{old / COPY} is a copy of it as it was" in caplog.text
    Store.at(old).close()
    assert sorted(path.name for path in old.iterdir()) == ["alfine.db", COPY]


def test_a_failed_upgrade_leaves_the_database_as_it_was(old):
    execute(old, "CREATE TABLE passed (x)")  # the table that revision 0008 makes
    with pytest.raises(
        StoreUnusable,
        match=r"couldn't be upgraded from revision 0006 .* the alfine of before still works with it. A copy of it is .*alfine.db.before",
    ):
        Store.at(old)
    assert revision(old / "alfine.db") == "0006"
    execute(old, "DROP TABLE passed")
    Store.at(old).close()
    assert revision(old / "alfine.db") == REVISION


def test_a_database_of_a_newer_alfine_is_refused(tmp_path):
    Store.at(tmp_path).close()
    execute(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnusable, match="a newer alfine made this database"):
        Store.at(tmp_path)
