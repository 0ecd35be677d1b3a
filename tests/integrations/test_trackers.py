"""MLflow, W&B and TensorBoard, each with its real library: one contract for all."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import alfine
from alfine.jobs.home import Home
from alfine.jobs.trackers import TRACKERS, tracker_class
from alfine.jobs.trackers.tracking import tell_now
from tests.integrations.tracked_runs import mlflow_runs, tensorboard_runs, wandb_runs
from tests.missing import of_integration

SCRIPT = Path(__file__).with_name("track_script.py")
PAGE = Path(__file__).parents[2] / "docs/how-to/track-experiments.md"
READERS = {"mlflow": mlflow_runs, "tensorboard": tensorboard_runs, "wandb": wandb_runs}
NEEDS = {"tensorboard": ("tensorboardX", "tensorboard")}

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(params=sorted(TRACKERS))
def tracker(request, tmp_path, monkeypatch):
    """A tracker, and a function that returns the runs that it has."""
    name = request.param
    for package in NEEDS.get(name, (tracker_class(name).package,)):
        of_integration(package)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    if name == "mlflow":  # its database takes some seconds to be made
        import mlflow

        mlflow.MlflowClient(uri).search_experiments()
    place = {"mlflow": uri, "tensorboard": tmp_path / "home" / "tensorboard", "wandb": tmp_path}[name]
    return name, lambda: READERS[name](place)


def run(home, name, count, ending):
    return subprocess.Popen([sys.executable, str(SCRIPT), str(home), name, str(count), str(ending)])


def test_killed_and_resumed_it_has_every_training_job_once(tracker, tmp_path):
    name, runs_of = tracker
    home = tmp_path / "home"
    process = run(home, name, 20, 5)
    while told(home) < 8:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run(home, name, 20, 20).wait() == 0
    with Home(home) as opened:  # the rest, where the tracker took longer than a tuning job waits for it
        tell_now(opened, "tracked", patience=120)
    job, runs = alfine.attach("tracked", home=home), runs_of()
    assert told(home) == len(job.history.facts)
    trained = [one for one in job.training_jobs if one.status == "Completed"]
    assert len(trained) == 20
    assert runs.status.keys() == {"tracked", *(one.name for one in job.training_jobs)}
    for one in trained:
        mine = runs.values[one.name]
        reported = [(report.step, report.value) for report in one.reports]
        assert [value for _, value in mine["objective"]] == pytest.approx([value for _, value in reported], abs=1e-6)
        assert [step for step, _ in mine["objective"]] == [step for step, _ in reported]
        assert float(runs.parameters[one.name]["x"]) == pytest.approx(one.hyperparameters["x"])
        assert runs.parameters[one.name]["kind"] == one.hyperparameters["kind"]
        assert runs.parent[one.name] == "tracked"
    best = [value for _, value in runs.values["tracked"]["best/objective"]]
    assert best == sorted(best, reverse=True)
    assert best[-1] == pytest.approx(job.best.objective)
    assert len(best) == len(job.training_jobs)
    assert any("20 of at most 20" in str(text) for text in runs.texts["tracked"].values())
    with Home(home) as opened:  # what is there isn't written twice
        tell_now(opened, "tracked", again=True, patience=60)
    again = runs_of()
    assert {run: dict(values) for run, values in again.values.items()} == {
        run: dict(values) for run, values in runs.values.items()
    }


def test_the_pages_example_runs(tracker, tmp_path, monkeypatch):
    monkeypatch.setenv("ALFINE_HOME", str(tmp_path / "home"))
    name, runs_of = tracker
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names = {}
    exec(example.replace('"tensorboard"', repr(name)), names)
    assert len(runs_of().status) == 1 + len(names["job"].training_jobs) == 11


def told(home):
    """How many facts the tracker was told of."""
    try:
        described = alfine.attach("tracked", home=home)
    except LookupError:
        return 0
    with Home(home) as opened:
        [state] = opened.service.describe("tracked")["Alfine"]["Tracking"].values()
    return len(described.history.facts) - state.get("FactsBehind", 0)
