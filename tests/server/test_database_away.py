"""A PostgreSQL server that is away for a while, or ends connections: requests are answered with 503, jobs go on waiting, nothing is lost."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from alfine.core.errors import NotFound, StoreBusy
from alfine.core.facts import Launched
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.store.store import Store
from tests.building import at, request, spec
from tests.cli.conftest import until
from tests.missing import missing
from tests.server.test_locked_database import SCRIPT, answered

# It waits until each has ended: one that ends after it was tried, and before it is used, is an error.
END_ALL = "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def own_server(databases):
    """The tests' own PostgreSQL server, which runs again afterwards."""
    if databases.server is None:
        missing("a PostgreSQL server that the tests may stop", "unset ALFINE_TEST_POSTGRES")
    yield databases.server
    if not databases.server.runs:
        databases.server.start()


@pytest.fixture
def store(postgres_url):
    store = Store(postgres_url)
    yield store
    store.close()


def end_all_connections(url):
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(END_ALL)


def test_connections_that_the_server_has_ended_are_replaced_unnoticed(store, postgres_url):
    store.create(spec(), at(0))
    end_all_connections(postgres_url)
    assert [job.name for job in store.list()] == ["job"]


def test_what_was_written_over_a_connection_that_ends_is_not_there_and_can_be_written_again(store, postgres_url):
    with pytest.raises(StoreBusy, match="can't be reached"), store.database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE written (x int)")
        end_all_connections(postgres_url)
        connection.exec_driver_sql("SELECT 1")
    with store.reading() as connection:
        assert not sa.inspect(connection).has_table("written")


def test_a_server_that_is_away_for_a_moment_is_waited_for(store, own_server):
    store.create(spec(), at(0))
    own_server.stop()
    with ThreadPoolExecutor() as pool:
        read = pool.submit(store.get, "job")
        own_server.start()
        assert read.result().name == "job"
    with pytest.raises(NotFound):
        store.get("other")


def test_a_database_that_is_away_while_jobs_run_loses_nothing_and_fails_nothing(
    tmp_path, monkeypatch, caplog, postgres_url, own_server
):
    monkeypatch.setattr("alfine.store.database.BUSY_SECONDS", 0.2)
    monkeypatch.setenv("ALFINE_STORE", postgres_url)
    (tmp_path / "train.py").write_text(SCRIPT)
    gate = tmp_path / "gate"
    words = {"script": tmp_path / "train.py", "metric": "loss", "static": {"gate": str(gate)}}
    with Home(tmp_path / "home") as home:
        home.service.create(request(name="job", strategy="Random", max_training_jobs=3, max_parallel=2, **words))
        pool = EnginePool(home.engine())
        pool.run_all()
        until(lambda: sum(bool(job.reports) for job in home.store.history("job").jobs) == 2, "two run")
        with caplog.at_level(logging.WARNING):
            own_server.stop()
            gate.touch()  # they end while the database is away
            stop = answered(home, "/", {"HyperParameterTuningJobName": "job"}, "StopHyperParameterTuningJob")
            until(lambda: "waits for the database" in caplog.text, "the engine has told it")
            own_server.start()
        assert (stop[0], stop[2]["__type"]) == (503, "ServiceUnavailable")
        assert "can't be reached" in stop[2]["Message"]
        until(lambda: home.service.get("job").ended, "it goes on")
        history = home.store.history("job")
        assert home.service.get("job").status == "Completed"
        assert [(job.status, job.objective) for job in history.jobs] == [("Completed", 1.0)] * 3
        assert sum(isinstance(fact, Launched) for fact in history.facts) == 3
        assert "Traceback" not in caplog.text
        pool.leave(10)
