"""PostgreSQL tells every process what users ask for, so that no process has to look."""

import os
import threading
from contextlib import closing
from queue import Queue

import pytest

from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.store.store import Store
from tests.building import at, one_job, request, spec
from tests.building import history as built
from tests.cli.conftest import until
from tests.server.test_database_away import end_all_connections

PATIENCE = 30.0


@pytest.fixture
def heard(postgres_url, monkeypatch):
    """What a process hears of others."""
    monkeypatch.setattr("alfine.store.announcements.RETRY_SECONDS", 0.01)
    heard = Queue()
    with closing(Store(postgres_url)) as store, store.announcements.heard_by(heard.put):
        assert heard.get(timeout=PATIENCE) is None, "whatever was announced before was missed"
        yield heard


def test_others_hear_of_what_users_ask_for_and_not_of_what_engines_record(heard, postgres_url):
    with closing(Store(postgres_url)) as other:
        job = other.create(spec(), at(0))
        other.record(job.id, 0, one_job(built(), 1.0)[:2], texts=job.spec().texts)
        other.request_stop_of_training_job("job-001", at(5), "asked")
        other.change("job", job.request, spec(max_training_jobs=3), at(6))
        other.create(spec(name="second"), at(7))
        other.request_stop("second", at(8))
        other.delete("second")
        epoch = other.claim("job", "engine", "node", lambda _: True)
        other.release("job", epoch)
        other.leave("engine")
        other.force_end("job", at(9), "it hangs", None)
    told = [heard.get(timeout=PATIENCE) for _ in range(9)]
    assert told == ["job"] * 3 + ["second"] * 3 + ["job", "engine", "job"]
    assert heard.empty()


def test_who_hears_no_more_leaves_nothing_behind(postgres_url):
    first, second, open_files = Queue(), Queue(), []
    with closing(Store(postgres_url)) as store, closing(Store(postgres_url)) as other:
        for number in range(3):
            with store.announcements.heard_by(first.put):
                assert first.get(timeout=PATIENCE) is None
                with store.announcements.heard_by(second.put):
                    other.create(spec(name=f"both-{number}"), at(0))
                    assert {first.get(timeout=PATIENCE), second.get(timeout=PATIENCE)} == {f"both-{number}"}
                other.create(spec(name=f"first-{number}"), at(0))
                assert first.get(timeout=PATIENCE) == f"first-{number}"
            assert not [thread for thread in threading.enumerate() if thread.name == "alfine-listen"]
            open_files.append(len(os.listdir("/dev/fd")))  # noqa: PTH208 - names alone
        assert second.empty()
        assert len({*open_files}) == 1
        with store.announcements.heard_by(first.put):
            assert first.get(timeout=PATIENCE) is None
            store.announcements.close()
            other.create(spec(), at(0))
        assert first.empty()
        with store.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM pg_listening_channels()").scalar() == 0


def test_after_a_connection_has_ended_any_announcement_may_have_been_missed(heard, postgres_url):
    end_all_connections(postgres_url)
    assert heard.get(timeout=PATIENCE) is None
    with closing(Store(postgres_url)) as other:
        other.create(spec(), at(0))
    assert heard.get(timeout=PATIENCE) == "job"


def test_a_server_finds_a_new_tuning_job_and_its_stop_without_looking(tmp_path, postgres_url, monkeypatch):
    monkeypatch.setattr("alfine.jobs.other_writers.ANNOUNCED_LOOK_SECONDS", 1000.0)
    monkeypatch.setattr("alfine.jobs.engine.LOOK_SECONDS", 1000.0)
    monkeypatch.setattr("alfine.jobs.engine_pool.LOOK_SECONDS", 0.1)
    with Home(tmp_path / "home", store=postgres_url) as home, Home(tmp_path / "other", store=postgres_url) as other:
        pool = EnginePool(home.engine())
        pool.run_all()
        words = {
            "command": ["sh", "-c", "exec sleep 1000"],
            "metric": "loss",
            "strategy": "Random",
            "max_training_jobs": 1,
        }
        other.service.create(request(name="job", **words))
        until(lambda: home.store.history("job").running, "it was found and runs")
        other.service.request_stop("job")
        until(lambda: other.service.get("job").status == "Stopped", "it was stopped")
        pool.leave(10)
