"""Experiment trackers are told of everything that is committed, and harm no tuning job: with trackers of this file's own."""

import json
import threading

import pytest

import alfine
from alfine.api.job_words import job_request
from alfine.cli import main
from alfine.cli.doctor_trackers import tracker_rows
from alfine.jobs import trackers
from alfine.jobs.home import Home
from alfine.jobs.trackers import follower, tracking
from alfine.jobs.trackers.wandb import WeightsAndBiases
from alfine.store.tracker_cursors import TrackerCursors


class Keeps:
    """A tracker that writes what it is told into a file of the home."""

    package = "json"
    extra = "keeps"
    fault = None

    def __init__(self, place, home):
        self.file = home / (place or "told.jsonl")

    @staticmethod
    def why_not():
        return ""

    def tuning_job(self, job):
        self.write(job, best=[point[:2] for point in job.best_so_far], verdict=job.verdict and job.verdict.criterion)
        return str(self.file)

    def training_job(self, job, parent):
        if self.fault and job.number == 2:
            raise self.fault
        self.write(job, x=job.hyperparameters["x"], values=[point.value for point in job.points], first=job.first)

    def close(self):
        self.write(None)

    def write(self, job, **more):
        row = {"name": job and job.name, "status": job and job.status, **more}
        with self.file.open("a") as file:
            file.write(json.dumps(row) + "\n")


class Raises(Keeps):
    """A tracker that refuses one training job."""

    fault = ValueError("no room\nat all")

    def close(self):
        raise OSError


class Hangs(Keeps):
    """A tracker that answers nothing."""

    def tuning_job(self, job):
        threading.Event().wait()


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Make the trackers of this file known."""
    own = {kind.__name__.lower(): f"{__name__}:{kind.__name__}" for kind in (Keeps, Raises, Hangs)}
    monkeypatch.setattr(trackers, "TRACKERS", {**trackers.TRACKERS, **own, "absent": f"{__name__}:Absent"})
    monkeypatch.setattr(tracking, "TRACKERS", trackers.TRACKERS)
    monkeypatch.setattr(follower, "LOOK_SECONDS", 0.02)


class Absent(Keeps):
    """A tracker whose tool isn't installed."""

    package = "no_such_package"
    extra = "absent"


def objective(hyperparameters, report):
    for step in range(3):
        report(step, hyperparameters["x"] + 2 - step)
    return hyperparameters["x"]


def tune(home, name="job", **settings):
    space = {"x": alfine.Integer(1, 50)}
    return alfine.tune(
        objective, space, strategy="Random", max_training_jobs=4, name=name, home=home, progress=False, **settings
    )


def rows(home, file="told.jsonl"):
    return [json.loads(line) for line in (home / file).read_text().splitlines()]


def described(home):
    with Home(home) as opened:
        return opened.service.describe("job")["Alfine"].get("Tracking")


def test_it_is_told_of_everything_and_says_where_it_has_it(tmp_path):
    job = tune(tmp_path, track="keeps")
    told = rows(tmp_path)
    for training_job in job.training_jobs:
        mine = [row for row in told if row["name"] == training_job.name]
        assert [value for row in mine for value in row["values"]] == [one.value for one in training_job.reports]
        assert (mine[-1]["status"], mine[-1]["x"]) == ("Completed", training_job.hyperparameters["x"])
    best = [point for row in told if row["name"] == "job" for point in row["best"]]
    assert [number for number, _ in best] == [1, 2, 3, 4]
    assert best[-1][1] == job.best.objective
    assert [(row["status"], row["verdict"]) for row in told if row["name"] == "job"][-1] == (
        "Completed",
        "MaxNumberOfTrainingJobs",
    )
    assert described(tmp_path) == {"keeps": {"Place": str(tmp_path / "told.jsonl")}}


def test_one_that_raises_harms_nothing_is_said_and_is_told_the_rest_later(tmp_path, monkeypatch, caplog):
    job = tune(tmp_path, track=["raises", "keeps"])
    assert (job.status, len(job.training_jobs)) == ("Completed", 4)
    states = described(tmp_path)
    assert states["raises"]["Failure"] == "ValueError: no room"
    assert "raises wasn't told of tuning_job=job, trying again: ValueError: no room" in caplog.text
    assert "raises can't be closed: OSError" in caplog.text
    assert "Failure" not in states["keeps"]
    [failing] = [detail for _, _, detail in tracker_rows(tmp_path) if "job isn't told" in detail]
    assert failing.endswith("ValueError: no room -> alfine track job tells it the rest")
    monkeypatch.setattr(Raises, "fault", None)
    assert main(["--home", str(tmp_path), "track", "job", "--with", "raises"], standalone_mode=False) == 0
    assert "Failure" not in described(tmp_path)["raises"]
    assert {row["name"] for row in rows(tmp_path)} >= {one.name for one in job.training_jobs}


def test_a_fault_of_the_database_is_logged_and_the_tracker_is_told_once_it_is_over(tmp_path, monkeypatch, caplog):
    job = tune(tmp_path)
    with Home(tmp_path) as home:

        def rename(table, name):
            with home.store.database.writing() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")

        TrackerCursors(home.store.database, "keeps").add("job")
        rename("tracked", "away")
        one = tracking.follower_of(home, "keeps", "job")
        one.start()
        while "can't look for news for the tracker keeps" not in caplog.text:
            threading.Event().wait(0.01)
        rename("away", "tracked")
        tracking.let_finish([one], 10)
    assert {row["name"] for row in rows(tmp_path)} >= {one.name for one in job.training_jobs}


def test_one_that_hangs_holds_up_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(tracking, "FINISH_SECONDS", 0.2)
    job = tune(tmp_path, track="hangs")
    assert (job.status, len(job.training_jobs)) == ("Completed", 4)
    assert "hangs hasn't taken everything within 0.2 s: alfine track job tells it the rest" in caplog.text
    assert described(tmp_path)["hangs"]["Failure"].startswith("It hasn't answered for ")


def test_a_training_job_that_is_refused_again_and_again_is_left_out(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(follower, "FIRST_PAUSE", 0.0)
    tune(tmp_path)
    monkeypatch.setattr(follower, "MOST_TRIES", 1)
    assert main(["--home", str(tmp_path), "track", "job", "--with", "raises"], standalone_mode=False) == 0
    assert "raises is never told of training_job=job-002" in caplog.text
    assert len({row["name"] for row in rows(tmp_path)} - {"job", None}) == 3


@pytest.mark.parametrize(
    ("track", "message"),
    [
        ("keep", "track: there is no tracker 'keep'. Did you mean keeps?"),
        (
            "absent",
            "track: absent needs the package no_such_package, which isn't installed here. Run: pip install 'alfine[absent]'",
        ),
        ("none keeps", "track: none and keeps contradict each other. Keep one of the two."),
    ],
)
def test_what_cannot_be_tracked_is_refused_at_create(tmp_path, track, message):
    with pytest.raises(alfine.InvalidSpec) as error:
        tune(tmp_path, track=track)
    assert str(error.value) == message


def test_wandb_never_asks_for_a_key_in_the_terminal(tmp_path, monkeypatch):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert WeightsAndBiases.why_not().startswith("wandb has no API key here. Run `wandb login`, or set WANDB_API_KEY.")
    with pytest.raises(LookupError, match="wandb has no API key here"):
        WeightsAndBiases("", tmp_path)
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret\n")
    assert WeightsAndBiases.why_not() == ""
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert WeightsAndBiases.why_not() == ""


def test_the_home_names_trackers_and_places_and_a_job_can_refuse_them(tmp_path):
    (tmp_path / "alfine.toml").write_text('[track]\ntrackers = ["keeps"]\nplaces = {keeps = "elsewhere.jsonl"}\n')
    (tmp_path / "train.sh").write_text("echo objective=1")
    space = {"x": alfine.Integer(1, 50)}
    with Home(tmp_path) as home:
        for name, settings in (("job", {}), ("untracked", {"track": "none"})):
            home.service.create(job_request(name=name, space=space, script=tmp_path / "train.sh", **settings))
        assert home.service.describe("untracked")["Alfine"].get("Tracking") is None
        told = tracking.tell_now(home, "job", patience=10)
    assert told["keeps"]["Place"] == str(tmp_path / "elsewhere.jsonl")
    (tmp_path / "alfine.toml").write_text('[track]\ntrackers = ["kept"]\n')
    with pytest.raises(alfine.InvalidSpec, match="there is no tracker 'kept'"):
        tune(tmp_path)
