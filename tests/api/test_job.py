"""Job: a tuning job in the background, what can be done with it, and what it says about itself."""

import threading

import pytest

import alfine
from alfine import Continuous
from alfine.core.errors import AlreadyEnded

SPACE = {"x": Continuous(0, 1)}


@pytest.fixture
def background(tmp_path):
    """A job in the background whose training jobs wait for an event: (job, event)."""
    go = threading.Event()

    def objective(hyperparameters, report):
        report(1, hyperparameters["x"])
        go.wait(60)
        return hyperparameters["x"]

    words = {
        "max_training_jobs": 4,
        "strategy": "Random",
        "home": tmp_path,
        "name": "background",
        "price_per_hour": 2.0,
    }
    yield alfine.tune(objective, SPACE, wait=False, **words), go
    go.set()


def test_a_job_in_the_background_is_looked_at_and_waited_for(background):
    job, go = background
    assert not job.ended
    assert not job.wait(0).ended
    go.set()
    ended = job.wait()
    assert (ended.status, ended.history.launches) == ("Completed", 4)
    assert ended.best_params == {"x": min(each.objective for each in ended.training_jobs)}
    assert ended.space.names == ("x",)
    assert ended.cost.money == pytest.approx(ended.cost.compute_seconds / 1800)
    assert job.status == "InProgress"  # as it was when it was read
    with pytest.raises(AlreadyEnded):
        ended.stop()


def test_a_job_in_the_background_is_changed_extended_and_stopped(background):
    job, go = background
    assert job.extend(3).history.spec.max_training_jobs == 7
    assert job.change(max_training_jobs=9).history.spec.max_training_jobs == 9
    written = job.annotate("The range of x was too wide.", {"team": "vision", "paper": ""})
    assert (written.note, written.tags) == ("The range of x was too wide.", {"paper": "", "team": "vision"})
    assert (job.annotate(tags={"paper": None}).note, job.tags) == (written.note, {"team": "vision"})
    job.stop()
    go.set()
    assert job.wait().status == "Stopped"


def test_what_ends_the_run_in_the_background_is_raised_where_somebody_waits(tmp_path, monkeypatch):
    monkeypatch.setattr("alfine.api.tune.run_to_end", lambda *_, **__: 1 / 0)
    job = alfine.tune(lambda _: 0.0, SPACE, wait=False, max_training_jobs=2, home=tmp_path)
    with pytest.raises(ZeroDivisionError):
        job.wait()


def test_faults_of_a_job_in_the_background_are_told_at_once(tmp_path):
    with pytest.raises(alfine.InvalidSpec, match="max_training_jobs"):
        alfine.tune(lambda _: 0.0, SPACE, wait=False, max_training_jobs=0, home=tmp_path)
