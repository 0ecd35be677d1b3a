"""Tuning jobs that a server can't run at once: their code is gone, perhaps for a moment."""

import pytest

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from tests.cli.conftest import until
from tests.store.damage import execute


@pytest.fixture
def home(tmp_path):
    with Home(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def engine_pool(home):
    engine_pool = EnginePool(home.engine())
    yield engine_pool
    engine_pool.leave(10)


def create(home, tmp_path):
    """A job whose script has been taken away since."""
    script = tmp_path / "train.py"
    script.write_text("print('loss=1')\n")
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 2}
    home.service.create(job_request(name="gone", space={"x": Continuous(0, 1)}, script=script, **words))
    return script.rename(tmp_path / "away.py")


def test_it_goes_on_once_its_code_is_back(home, engine_pool, tmp_path):
    away = create(home, tmp_path)
    engine_pool.run("gone")
    assert home.service.get("gone").status == "InProgress"
    away.rename(tmp_path / "train.py")
    until(lambda: home.service.get("gone").status == "Completed", "completed")
    assert home.service.history("gone").launches == 2


def test_it_can_be_stopped_all_the_same(home, engine_pool, tmp_path):
    create(home, tmp_path)
    engine_pool.run("gone")
    home.service.request_stop("gone")
    until(lambda: home.service.get("gone").status == "Stopped", "stopped")


def test_a_fault_of_the_database_is_logged_and_the_job_goes_on_once_it_is_over(home, engine_pool, tmp_path, caplog):
    away = create(home, tmp_path)
    away.rename(tmp_path / "train.py")
    rename = "ALTER TABLE {} RENAME TO {}"
    execute(home.folder, rename.format("tuning_jobs", "lost"))
    engine_pool.run("gone")
    until(lambda: "the engine broke tuning_job=gone, trying again in 1 s" in caplog.text, "logged")
    assert "no such table: tuning_jobs" in caplog.text
    execute(home.folder, rename.format("lost", "tuning_jobs"))
    until(lambda: home.service.get("gone").status == "Completed", "completed")


def test_a_server_that_cannot_look_for_new_jobs_says_so_and_looks_again(home, engine_pool, tmp_path, caplog):
    engine_pool.run_all()
    execute(home.folder, "ALTER TABLE tuning_jobs RENAME TO lost")
    until(lambda: "can't look for new tuning jobs" in caplog.text, "logged")
    execute(home.folder, "ALTER TABLE lost RENAME TO tuning_jobs")
    create(home, tmp_path).rename(tmp_path / "train.py")
    until(lambda: home.service.get("gone").status == "Completed", "completed")
