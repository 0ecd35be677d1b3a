"""Tuning jobs that a server can't run at once: their code is gone, perhaps for a moment."""

import pytest

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from tests.cli.conftest import until


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
