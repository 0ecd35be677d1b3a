import functools
import json
import threading

import pytest

import alfine
from alfine.core.facts import Launched
from alfine.jobs.home import Home
from tests.building import SPACE, request

SCRIPT = """
import argparse, os, sys
p = argparse.ArgumentParser()
p.add_argument("--eta", type=float); p.add_argument("--depth", type=int); p.add_argument("--booster")
a, _ = p.parse_known_args()
for epoch in range(3):
    print(f"epoch {epoch} loss={a.eta * a.depth + 3 - epoch}")
"""


def loss(hyperparameters):
    return hyperparameters["eta"] * hyperparameters["depth"]


def tune(target, tmp_path, **words):
    words = {
        "strategy": "Random",
        "seed": 1,
        "max_training_jobs": 8,
        "home": tmp_path / "home",
        "progress": False,
        **words,
    }
    return alfine.tune(target, SPACE, **words)


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.usefixtures("each_database")
def test_a_function_is_tuned_to_the_end(tmp_path):
    job = tune(loss, tmp_path)
    assert (job.status, job.verdict.criterion) == ("Completed", "MaxNumberOfTrainingJobs")
    assert [t.status for t in job.training_jobs] == ["Completed"] * 8
    assert job.best.objective == min(loss(t.hyperparameters) for t in job.training_jobs)


@pytest.mark.usefixtures("each_database")
def test_a_script_is_tuned_and_its_last_value_is_the_objective(tmp_path, script):
    job = tune(script, tmp_path, metric="loss", max_parallel=2)
    for each in job.training_jobs:
        assert each.objective == pytest.approx(loss(each.hyperparameters) + 1)
        assert len(each.curve("loss")) == 3


def test_any_program_is_tuned_by_its_command(tmp_path):
    command = ["/bin/sh", "-c", 'while [ $# -gt 0 ]; do [ "$1" = --depth ] && echo "loss: $2"; shift; done', "sh"]
    job = tune(command, tmp_path, metric="loss")
    assert [t.objective for t in job.training_jobs] == [t.hyperparameters["depth"] for t in job.training_jobs]


def test_never_more_run_at_once_than_allowed(tmp_path):
    running, most, mutex = [0], [0], threading.Lock()
    both = threading.Barrier(2, timeout=20)

    def objective(hyperparameters):
        with mutex:
            running[0] += 1
            most[0] = max(most[0], running[0])
        both.wait()
        with mutex:
            running[0] -= 1
        return loss(hyperparameters)

    tune(objective, tmp_path, max_parallel=2)
    assert most[0] == 2


def test_a_function_is_not_given_what_is_inactive(tmp_path):
    space = {
        "bias": alfine.Categorical([True, None]),
        "momentum": alfine.Continuous(0, 1, requires={"bias": True}),
        "layers": alfine.Categorical([1, "a"], requires={"bias": None}),
    }
    given = []

    def objective(hyperparameters):
        given.append(hyperparameters)
        return hyperparameters.get("momentum", 0.5)

    words = {"forbid": {"momentum": "> 0.9"}, "start_with": {"bias": None, "layers": "a"}, "max_training_jobs": 12}
    job = alfine.tune(objective, space, home=tmp_path, progress=False, seed=1, **words)
    assert given[0] == {"bias": None, "layers": "a"}
    assert {frozenset(each) for each in given} == {frozenset({"bias", "momentum"}), frozenset({"bias", "layers"})}
    assert [each.hyperparameters for each in job.training_jobs] == given
    assert all(each["bias"] is True and each["momentum"] <= 0.9 for each in given if "momentum" in each)
    assert set(job.dataframe().columns) >= {"bias", "momentum", "layers"}


def test_categories_reach_a_function_in_their_own_types(tmp_path):
    seen = []

    def objective(hyperparameters):
        seen.append(hyperparameters["layers"])
        return 1.0

    job = alfine.tune(objective, {"layers": alfine.Categorical([1, None, True, "a"])}, home=tmp_path, strategy="Grid")
    assert [repr(value) for value in seen] == ["1", "None", "True", "'a'"]
    assert [t.hyperparameters["layers"] for t in job.training_jobs] == seen
    assert job.verdict.criterion == "SearchSpaceExhausted"


def test_reports_of_a_function_are_its_curve_and_can_stop_it(tmp_path):
    def objective(hyperparameters, report):
        for step in range(1, 100):
            if report(step, 1.0 if number[0] < 10 else 9.0):
                return None
        number[0] += 1
        return 1.0

    number = [0]
    job = tune(objective, tmp_path, early_stopping="Auto", max_training_jobs=11)
    last = job.training_jobs[-1]
    assert (last.status, last.objective) == ("Stopped", 9.0)
    assert len(last.reports) < 99
    assert job.status == "Completed"


@pytest.mark.parametrize("max_parallel", [1, 4])
def test_a_function_that_takes_no_time_is_stopped_at_max_resource(tmp_path, max_parallel):
    def objective(hyperparameters, report):
        for step in range(1, 100):
            if report(step, hyperparameters["eta"] + 1 / step):
                return

    words = {"strategy": "Hyperband", "max_resource": 9, "max_training_jobs": 12, "max_parallel": max_parallel}
    job = tune(objective, tmp_path, **words)
    told = [len(each.reports) for each in job.training_jobs]
    assert max(told) == 9, "the report that makes it nine says so"


@pytest.mark.usefixtures("each_database")
def test_a_failing_function_says_why_and_the_job_goes_on(tmp_path):
    def objective(hyperparameters):
        if hyperparameters["depth"] > 5:
            raise ValueError(f"depth {hyperparameters['depth']} is too deep")
        return 1.0

    job = tune(objective, tmp_path)
    failed = [t for t in job.training_jobs if t.status == "Failed"]
    assert failed
    assert all("is too deep" in t.failure_reason for t in failed)
    assert job.status == "Completed"


def test_when_nothing_works_the_job_fails_after_five(tmp_path):
    def objective(hyperparameters):
        raise RuntimeError("broken")

    job = tune(objective, tmp_path)
    assert (job.status, len(job.training_jobs)) == ("Failed", 5)
    assert job.failure_reason.startswith("No training job succeeded after 5 attempts.")


def test_a_log_without_the_metric_says_so_with_the_nearest_lines(tmp_path, script):
    job = tune(script, tmp_path, metric="validation:loss", max_training_jobs=1)
    reason = job.training_jobs[0].failure_reason
    assert job.training_jobs[0].status == "Completed"
    assert job.training_jobs[0].objective_status == "Failed"
    assert "matched nothing in the log" in reason
    assert "epoch 2 loss=" in reason


def test_an_objective_that_is_no_number_is_told_as_it_was_printed(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("print('epoch 1 loss=0.5,'); print('epoch 2 loss=nan')")
    job = tune(script, tmp_path, metric="loss", regex=r"loss=(\S+)", max_training_jobs=1)
    reason = job.training_jobs[0].failure_reason
    assert (
        "'loss': printed 0.5, 1 time; printed nan 1 time. A value is a finite number, found by the first group of"
        in reason
    )
    assert "matched nothing" not in reason


def test_a_target_stops_the_training_jobs_that_still_run(tmp_path):
    started, release = threading.Event(), threading.Event()

    def objective(hyperparameters, report):
        with mutex:
            first = not started.is_set()
            started.set()
        if first:
            release.wait(20)
            return 0.0
        release.set()
        for step in range(2000):
            if report(step, 1.0):
                return None
            pause.wait(0.01)
        return 1.0

    mutex, pause = threading.Lock(), threading.Event()
    job = tune(objective, tmp_path, max_parallel=2, criteria=[alfine.TargetObjectiveMetricValue(0.5)])
    assert job.verdict.criterion == "TargetObjectiveMetricValue"
    assert job.status == "Completed"
    assert {t.status for t in job.training_jobs} == {"Completed", "Stopped"}


def test_the_wall_clock_stops_a_job_whose_training_hangs(tmp_path):
    script = tmp_path / "hang.py"
    script.write_text("import time\nprint('loss=1')\ntime.sleep(600)\n")
    job = tune(script, tmp_path, metric="loss", max_runtime_seconds=1, max_parallel=2, grace_seconds=5)
    assert (job.status, job.verdict.criterion) == ("Completed", "MaxRuntimeInSeconds")
    assert {t.status for t in job.training_jobs} == {"Stopped"}
    assert {t.objective for t in job.training_jobs} == {1.0}


def test_each_training_job_has_a_limit_of_its_own(tmp_path):
    script = tmp_path / "hang.py"
    script.write_text("import time\nprint('loss=1')\ntime.sleep(600)\n")
    job = tune(script, tmp_path, metric="loss", max_training_job_seconds=1, max_training_jobs=1, grace_seconds=5)
    assert (job.status, job.training_jobs[0].status, job.training_jobs[0].objective) == ("Completed", "Stopped", 1.0)


class Interrupted(Exception):
    pass


@pytest.mark.usefixtures("each_database")
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8])
def test_a_job_goes_on_where_it_was_interrupted(tmp_path, steps):
    whole = tune(loss, tmp_path, name="whole", seed=5)

    def interrupt(job):
        nonlocal steps
        steps -= 1
        if steps == 0:
            raise Interrupted

    with pytest.raises(Interrupted):
        tune(loss, tmp_path, name="halved", seed=5, progress=interrupt)
    job = tune(loss, tmp_path, name="halved", seed=5)
    assert [t.hyperparameters for t in job.training_jobs] == [t.hyperparameters for t in whole.training_jobs]
    assert job.status == "Completed"


def test_an_interrupted_job_with_another_setting_is_another_one(tmp_path):
    def interrupt(job):
        raise Interrupted

    with pytest.raises(Interrupted):
        tune(loss, tmp_path, name="halved", seed=5, progress=interrupt)
    with pytest.raises(alfine.AlfineError, match="halved was interrupted, and this isn.t the same one: "):
        tune(loss, tmp_path, name="halved", seed=5, price_per_hour=1)


def test_a_step_after_the_end_does_nothing(tmp_path):
    with Home(tmp_path / "home") as home:
        home.service.create(request(name="once", command=["true"]))
        home.service.request_stop("once")
        engine = home.engine()
        run = engine.open("once")
        assert [engine.step(run), engine.step(run)] == [False, False]
        assert home.service.get("once").status == "Stopped"


def test_an_ended_job_is_not_run_again(tmp_path):
    tune(loss, tmp_path, name="once")
    with pytest.raises(alfine.AlfineError, match="once has ended .Completed.. Choose another name"):
        tune(loss, tmp_path, name="once")


def test_another_job_of_the_same_name_is_refused(tmp_path):
    with Home(tmp_path / "home") as home:
        home.service.create(request(name="mine", command=["true"]))
    with pytest.raises(alfine.AlfineError, match="mine was interrupted, and this isn.t the same one: "):
        tune(loss, tmp_path, name="mine")


@pytest.mark.usefixtures("each_database")
def test_two_engines_do_not_run_one_job(tmp_path):
    def clash(job):
        with (
            pytest.raises(alfine.AlfineError, match="is being run by another alfine"),
            Home(tmp_path / "home") as other,
        ):
            other.engine({"shared": loss}).run("shared")

    tune(loss, tmp_path, name="shared", progress=clash)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"target": "nowhere.py"}, "there is no file"),
        ({"target": ["true"], "channels": {"train": "/no/such/data"}}, "there is nothing at /no/such/data"),
        ({"target": ["true"], "channels": {"train": "gs://bucket/data"}}, "can't be read here. Use file:///"),
        ({"target": ["true"], "channels": {"train": "s3://bucket/data"}}, "No S3 objects found under S3 URL"),
        ({"target": lambda: 1}, "must take the hyperparameters"),
        ({"target": loss, "criteria": [object()]}, "isn't a completion criterion"),
        ({"target": loss, "max_parallel": 0}, "0 must be a whole number from 1 on"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_starts(tmp_path, words, message):
    with pytest.raises(alfine.InvalidSpec, match=message):
        tune(words.pop("target"), tmp_path, **words)
    with Home(tmp_path / "home") as home:
        assert home.store.list() == ()


@pytest.mark.usefixtures("each_database")
def test_the_service_describes_what_was_recorded(tmp_path):
    job = tune(loss, tmp_path, name="told", price_per_hour=1.0, criteria=[alfine.BestObjectiveNotImproving(50)])
    with Home(tmp_path / "home") as home:
        told = home.service.describe("told")
        rows = home.service.training_jobs("told")
    json.dumps(told)
    assert told["HyperParameterTuningJobStatus"] == "Completed"
    assert told["TrainingJobStatusCounters"]["Completed"] == 8
    assert told["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == job.best.objective
    assert told["Alfine"]["Verdict"]["criterion"] == "MaxNumberOfTrainingJobs"
    assert [row["TrainingJobName"] for row in rows] == [t.name for t in job.training_jobs]
    assert {v["criterion"] for v in told["Alfine"]["Verdicts"]} >= {
        "BestObjectiveNotImproving",
        "MaxNumberOfTrainingJobs",
    }


@pytest.mark.usefixtures("each_database")
def test_a_users_stop_ends_stopped(tmp_path):
    def stop(job):
        if job.history.ended == 3:
            with Home(tmp_path / "home") as home:
                if home.service.get("halted").status == "InProgress":
                    home.service.request_stop("halted")

    job = tune(loss, tmp_path, name="halted", progress=stop)
    assert (job.status, job.verdict.criterion) == ("Stopped", "StopRequested")
    assert len(job.training_jobs) < 8


@pytest.mark.usefixtures("each_database")
def test_facts_are_recorded_launch_before_start(tmp_path):
    seen = []

    def objective(hyperparameters):
        with Home(tmp_path / "home") as home:
            facts = home.store.history("first").facts
            seen.append(sum(isinstance(fact, Launched) for fact in facts))
        return 1.0

    tune(objective, tmp_path, name="first", max_training_jobs=3)
    assert seen == [1, 2, 3]


def test_a_job_of_fewer_than_five_fails_when_all_of_them_failed(tmp_path):
    def objective(hyperparameters):
        raise RuntimeError("broken")

    job = tune(objective, tmp_path, max_training_jobs=3)
    assert (job.status, job.verdict.criterion, len(job.training_jobs)) == ("Failed", "NoTrainingJobSucceeded", 3)


def test_describe_says_when_convergence_was_detected(tmp_path):
    job = tune(
        lambda hyperparameters: 1.0,
        tmp_path,
        name="flat",
        max_training_jobs=60,
        criteria=[alfine.ConvergenceDetected()],
    )
    assert job.verdict.criterion == "ConvergenceDetected"
    with Home(tmp_path / "home") as home:
        details = home.service.describe("flat")["TuningJobCompletionDetails"]
    assert details["ConvergenceDetectedTime"] == max(each.ended_at for each in job.training_jobs).isoformat()


def test_a_recorded_job_is_looked_at_and_replayed_by_its_name(tmp_path):
    made = alfine.tune(loss, SPACE, strategy="Random", max_training_jobs=12, name="kept", home=tmp_path, progress=False)
    job = alfine.attach("kept", home=tmp_path)
    assert (job.status, job.best.objective, job.failure_reason) == ("Completed", made.best.objective, None)
    assert job.replay("MaxNumberOfTrainingJobs 5").training_jobs == 5
    assert job.forecast() is None


@pytest.mark.parametrize("call", [alfine.attach, functools.partial(alfine.change, max_training_jobs=9)])
def test_a_job_that_is_nowhere_makes_no_home(tmp_path, call):
    with pytest.raises(LookupError, match="no tuning jobs in"):
        call("nowhere", home=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_running_job_forecasts_its_end(tmp_path):
    seen = []

    def look(job):
        attached = alfine.attach("going", home=tmp_path)
        seen.append((job.forecast(), attached.forecast()))

    words = {"strategy": "Random", "max_training_jobs": 15, "name": "going", "home": tmp_path}
    alfine.tune(loss, SPACE, progress=look, **words)
    ours, theirs = next(pair for pair in seen if pair[0].remaining == 3)
    assert ours.training_jobs == theirs.training_jobs == (3, 3, 3)
    assert ours.chances == {"MaxNumberOfTrainingJobs": 1.0}
