"""Of several processes that start at once on a new PostgreSQL database, one makes the tables, and the others wait for it."""

import subprocess
import sys
import time

import sqlalchemy as sa

from alfine.store.postgres import wait_for_migrations
from alfine.store.schema import REVISION

OPEN = "import sys; from alfine.store.store import Store; store = Store(sys.argv[1]); print(len(store.list())); store.close()"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
PATIENCE = 60.0


def test_one_of_three_processes_makes_the_tables(databases):
    url, started = databases.without_tables(), time.monotonic()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        wait_for_migrations(connection)  # so that all three have found no tables before one of them makes any
        command = [sys.executable, "-c", OPEN, url]
        openers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
        while connection.exec_driver_sql(WAITING).scalar() < 3 and time.monotonic() - started < PATIENCE:
            pass
        waiting = connection.exec_driver_sql(WAITING).scalar()
    outputs = [opener.communicate(timeout=PATIENCE) for opener in openers]
    assert waiting == 3
    assert outputs == [(b"0\n", b"")] * 3
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all() == [REVISION]
