"""Models on their way to where the job wants them: the engine goes on meanwhile, and nothing is Completed before its model is there."""

import fcntl
import io
import threading
from contextlib import contextmanager

import pytest

from alfine.jobs.home import Home
from tests.building import request

PATIENCE_SECONDS = 30.0
SCRIPT = """
import os, time
from pathlib import Path

def wait(word):
    while not (Path({place!r}) / word).exists():
        time.sleep(0.01)

Path(os.environ["SM_MODEL_DIR"], "weights").write_text("w")
try:
    open(Path({place!r}) / "the first one", "x")
    print("objective=1")
except FileExistsError:
    wait("go")
    print("objective=2", flush=True)
    wait("end")
"""


@pytest.fixture
def home(tmp_path):
    with Home(tmp_path / "home") as home:
        yield home


@pytest.fixture
def held(home):
    """A bucket that takes nothing for as long as the context lasts, as if what is put there were very large."""
    home.machine.buckets.put("s3://models/first", io.BytesIO(b"x"))

    @contextmanager
    def hold():
        with (home.folder / "buckets" / "models" / ".alfine" / "lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    return hold


def created(home, tmp_path, **words):
    """A tuning job of two training jobs: one ends at once; the other reports when told to `go`, ends when told to `end`."""
    (tmp_path / "train.py").write_text(SCRIPT.format(place=str(tmp_path)))
    asked = request(script=tmp_path / "train.py", max_training_jobs=2, max_parallel=2, **words)
    asked["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"] = "s3://models/out"
    home.service.create(asked)


class Running:
    """A tuning job in a thread, seen after each step."""

    def __init__(self, home):
        self.home = home
        self.stepped = threading.Condition()
        self.thread = threading.Thread(target=home.engine().run, args=("job", self._step), daemon=True)
        self.thread.start()

    def _step(self, run):
        with self.stepped:
            self.stepped.notify_all()

    def until(self, condition):
        with self.stepped:
            assert self.stepped.wait_for(lambda: condition(self.home.store.history("job")), PATIENCE_SECONDS)

    def end(self):
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive()
        return self.home.store.get("job")


def objectives(history):
    return sorted(report.value for job in history.running.values() for report in job.reports)


def models(home):
    return [each.uri for each in home.machine.buckets.find("s3://models/out")]


def test_a_model_on_its_way_holds_up_no_other_training_job(home, held, tmp_path):
    created(home, tmp_path)
    with held():
        running = Running(home)
        (tmp_path / "go").touch()
        running.until(lambda history: 2 in objectives(history))  # of the other one the end isn't known to anyone yet
        assert home.store.history("job").ended == 0
        assert models(home) == []
    running.until(lambda history: history.ended == 1)
    (tmp_path / "end").touch()
    assert running.end().status == "Completed"
    assert len(models(home)) == 2


def test_a_stop_while_a_model_is_on_its_way_lets_it_arrive(home, held, tmp_path):
    created(home, tmp_path)
    with held():
        running = Running(home)
        (tmp_path / "go").touch()
        running.until(lambda history: 2 in objectives(history))
        home.service.request_stop("job")
        running.until(lambda history: len([job for job in history.jobs if job.status == "Stopping"]) == 2)
    assert running.end().status == "Stopped"
    assert sorted(job.status for job in home.store.history("job").jobs) == ["Completed", "Stopped"]
    assert len(models(home)) == 2


def test_after_a_crash_in_between_the_model_is_put_there_again(home, held, tmp_path):
    created(home, tmp_path)
    (tmp_path / "go").touch()
    (tmp_path / "end").touch()

    class Crashed(Exception):
        pass

    def crash(run):
        if all((home.jobs_folder / "job" / job.name / ".alfine" / "exit.json").exists() for job in run.history.jobs):
            raise Crashed

    with held(), pytest.raises(Crashed):
        home.engine().run("job", crash)
    with Home(home.folder) as again:
        again.engine().run("job")
        assert [job.status for job in again.store.history("job").jobs] == ["Completed"] * 2
        assert len(models(again)) == 2
