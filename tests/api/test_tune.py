"""The words of alfine.tune, alfine.change and alfine.Tuner: each does what it says, or is refused in words of Python."""

import os
import threading
from datetime import datetime

import numpy as np
import pytest

import alfine
from alfine import Categorical, Continuous, Integer, InvalidSpec, Tuner
from alfine.core.errors import InUse, NotFound

SPACE = {"x": Continuous(0, 1)}


@pytest.fixture
def tune(tmp_path):
    """alfine.tune of two training jobs in a home of its own."""

    def run(target=lambda hyperparameters: hyperparameters["x"], space=SPACE, **words):
        words = {"max_training_jobs": 2, "strategy": "Random", "home": tmp_path / "home", "progress": False, **words}
        return alfine.tune(target, space, **words)

    return run


def refusal(call, *arguments, **words):
    """What an InvalidSpec says."""
    with pytest.raises(InvalidSpec) as error:
        call(*arguments, **words)
    return str(error.value)


# -- what can't be run --------------------------------------------------------------------------------------------------------


async def eventually(hyperparameters):
    return 1.0


class Eventually:
    async def __call__(self, hyperparameters):
        return 1.0


def one_by_one(hyperparameters):
    yield 1.0


@pytest.mark.parametrize(
    ("target", "said"), [(eventually, "is async"), (Eventually(), "is async"), (one_by_one, "is a generator")]
)
def test_a_function_whose_call_does_not_run_it_is_refused_before_anything_starts(tmp_path, target, said):
    with pytest.raises(InvalidSpec, match=said):
        alfine.tune(target, SPACE, home=tmp_path / "home")
    assert not (tmp_path / "home").exists()


# -- what would do nothing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        {"environment": {"A": "1"}},
        {"channels": {"train": "."}},
        {"regex": "x=(.*)"},
        {"metrics": {"m": "m=(.*)"}},
        {"python": "python3"},
        {"source_dir": "."},
        {"threads": 2},
        {"warm": False},
        {"grace_seconds": 1},
    ],
    ids=lambda words: next(iter(words)),
)
def test_words_of_programs_are_not_for_functions(tune, words):
    (name,) = words
    assert refusal(tune, **words).startswith(f"{name}: is for scripts and commands; a function runs in this process")


def test_none_is_as_if_not_said(tune):
    said = dict.fromkeys(("channels", "script", "warm", "static", "start_with", "forbid", "seed", "at_end"))
    assert tune(**said).status == "Completed"


@pytest.mark.parametrize("name", ["script", "command", "function"])
@pytest.mark.parametrize("target", [lambda hyperparameters: 0.0, "train.py"])
def test_what_runs_is_said_once(tune, target, name):
    assert refusal(tune, target, **{name: "other.py"}) == f"{name}: is what target says: alfine.tune(target, space, …)."


def test_words_of_scripts_are_not_for_commands(tune):
    said = refusal(tune, ["sh", "-c", "true"], source_dir=".", python="python3")
    assert (
        said == "source_dir: is for a script, and this is a command.\npython: is for a script, and this is a command."
    )


# -- values ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            {"warm_start_type": "TransferLearning"},
            "warm_start_type: says how to use what warm_start names, and warm_start is ",
        ),
        ({"seed": -1}, "seed: -1 must be a whole number from 0 on."),
        ({"seed": 1.7}, "seed: 1.7 must be a whole number from 0 on."),
        (
            {"repeats": 5, "max_training_jobs": 9},
            "repeats: 15 training jobs to run the best again leave none of the 9 ",
        ),
        (
            {"strategy": "Hyperband"},
            "max_resource: is missing: how many values of the metric a training job reports",
        ),
    ],
)
def test_faults_of_tune_and_tuner_are_told_in_their_words(tune, words, said):
    assert refusal(tune, **words).startswith(said)
    assert refusal(Tuner, SPACE, **words).startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"instances": 0}, "instances: 0 must be a whole number from 1 on."),
        ({"instances": 1.5}, "instances: 1.5 must be a whole number from 1 on."),
        ({"static": {"data": object}}, "static.data: <class 'object'> can't be kept with the job: use texts, numbers"),
    ],
)
def test_faults_of_functions_jobs(tune, words, said):
    assert refusal(tune, **words).startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"threads": 0}, "threads: '0' must be a whole number from 1 on."),
        ({"grace_seconds": -1}, "grace_seconds: '-1' must be a number from 0 on."),
        ({"warm": "off"}, "warm: 'off' must be true or false."),
        ({"environment": {"A": object}}, "environment.A: <class 'object'> can't be kept with the job"),
    ],
)
def test_faults_of_programs_jobs(tune, words, said):
    assert refusal(tune, ["sh", "-c", "true"], **words).startswith(said)


@pytest.mark.parametrize("target", [None, [], 3, {"script": "train.py"}])
def test_what_cannot_run_is_no_target(tune, target):
    assert (
        refusal(tune, target) == f"target: {target!r} must be a function, a Python script, or the words of a command."
    )


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"x": Continuous("0.1", "1")}, "space.x: '0.1' and '1' must be numbers."),
        ({"x": Integer(1.5, 1e3)}, "space.x: 1.5 and 1000 must be whole numbers."),
        ({"x": Continuous(-1.5e308, 1.5e308)}, "space.x: low -1.5e+308 and high 1.5e+308 lie too far apart"),
        ({1: Continuous(0, 1)}, "space: a hyperparameter's name must be a text, not 1."),
        ([("x", Continuous(0, 1))], "space: [('x', Continuous(0, 1))] must map names to ranges"),
        ({"x": Categorical([len, max])}, "space.x: <built-in function len> can't be a category"),
    ],
)
def test_a_space_that_is_none_is_told_so(tune, space, said):
    assert refusal(Tuner, space).startswith(said)
    assert refusal(tune, space=space).startswith(said)


@pytest.mark.parametrize("values", ["adam", {"adam", "sgd"}, 3])
def test_categories_are_a_list_whose_order_stays(values):
    """A set has another order in each process, and with it the same seed would make other suggestions."""
    assert "isn't a list. Give the values as a list" in refusal(Categorical, values)


def test_numbers_of_numpy_are_numbers(tune):
    job = tune(max_training_jobs=np.int64(3), max_parallel=np.int32(2), seed=np.int64(7), static={"k": np.float32(0.5)})
    assert (len(job.training_jobs), job.history.spec.max_parallel, job.history.spec.seed) == (3, 2, 7)


def test_a_clock_without_a_zone_and_time_backwards_are_refused():
    assert "clock: " in refusal(Tuner, SPACE, clock=datetime.now)
    assert refusal(Tuner(SPACE).observe, {"x": 0.5}, 1.0, seconds=-1) == "seconds: -1 must be a number from 0 on."


def test_hyperparameters_are_not_given_one_by_one(tune):
    space = {"x": Continuous(0, 1), "y": Continuous(0, 1)}
    for objective in (lambda x, y: x + y, lambda x, y, z: 0.0, lambda **words: 0.0):
        assert "must take the hyperparameters (a dict), and report if" in refusal(tune, objective, space)
    for objective in (lambda x: x["x"], lambda x, report: x["y"] if not report(1, 0.5) else 0.0):
        assert tune(objective, space).status == "Completed"


# -- programs ----------------------------------------------------------------------------------------------------------------


def test_a_command_names_files_of_the_working_folder_and_hears_its_environment(tune, tmp_path, monkeypatch):
    (tmp_path / "train.sh").write_text("echo objective=$HEIGHT\n")
    monkeypatch.chdir(tmp_path)
    assert tune(["sh", "train.sh"], environment={"HEIGHT": 4}).best.objective == 4.0


# -- again, and changes ------------------------------------------------------------------------------------------------------


def test_a_name_that_is_taken_is_refused_with_the_reason(tune):
    tune(name="mine")
    with pytest.raises(
        InUse, match=r"mine has ended \(Completed\). Choose another name, or go on with it by alfine.change"
    ):
        tune(name="mine")

    class Gone(Exception):
        pass

    def leave(job):
        raise Gone

    with pytest.raises(Gone):
        tune(name="left", progress=leave)
    with pytest.raises(
        InUse,
        match="left was interrupted, and this isn't the same one: seed is 4 and was not given; max_training_jobs is 3",
    ):
        tune(name="left", max_training_jobs=3, seed=4)
    assert len(tune(name="left").training_jobs) == 2


def test_a_change_is_refused_in_the_words_of_change(tune, tmp_path):
    tune(name="mine")
    home = tmp_path / "home"
    for words, said in (
        ({"max_training_jobs": 0}, "max_training_jobs: 0 must be"),
        ({"max_parallel": 0}, "max_parallel: 0 must be"),
        ({"max_runtime_seconds": -1}, "max_runtime_seconds: -1 must be"),
        ({"early_stopping": "auto"}, "early_stopping: 'auto' isn't one of Off, Auto."),
        ({"at_end": "wait"}, "at_end: 'wait' isn't one of stop, drain, contenders."),
        ({"price_per_hour": -1}, "price_per_hour: '-1' must be a number from 0 on."),
        ({"repeats": 9}, "repeats: 27 training jobs to run the best again leave none of the 2 that are allowed"),
        (
            {"criteria": [alfine.MaxCost(3)]},
            "MaxCost: needs the price of an instance of type local: price_per_hour, or",
        ),
    ):
        assert refusal(alfine.change, "mine", home=home, **words).startswith(said)
    for call in (alfine.attach, alfine.change):
        with pytest.raises(NotFound, match=f"There is no tuning job called yours in {os.fspath(home)}."):
            call("yours", home=home)
        with pytest.raises(
            NotFound, match=f"There is no tuning job called mime in {os.fspath(home)}. Did you mean mine?"
        ):
            call("mime", home=home)


# -- what is seen of a job ---------------------------------------------------------------------------------------------------


def test_progress_sees_the_callers_own_values_and_the_status_of_now(tune, tmp_path):
    seen, called, stopping = [], [], threading.Event()

    def objective(hyperparameters):
        assert isinstance(hyperparameters["k"], int)
        called.append(hyperparameters)
        if len(called) == 3:
            stopping.wait(30)
        return 1.0 / hyperparameters["k"]

    def progress(job):
        seen.append((job.status, [each.hyperparameters["k"] for each in job.training_jobs]))
        if len(job.training_jobs) == 3 and job.status == "InProgress":
            with alfine.Home(tmp_path / "home") as other:
                other.service.request_stop(job.name)
        if job.status == "Stopping":
            stopping.set()

    job = tune(objective, {"k": Categorical([1, 2, 4])}, max_training_jobs=3, progress=progress, name="seen")
    assert (job.status, stopping.is_set()) == ("Stopped", True)
    assert all(type(value) is int for _, values in seen for value in values)
    assert [each.hyperparameters["k"] for each in job.training_jobs] == seen[-1][1]


def test_the_next_job_keeps_what_is_forbidden_and_what_is_static(tune):
    space = {"a": Continuous(0.5, 1.5), "kind": Categorical(["a b", "c"]), "n": Integer(1, 9)}

    def objective(hyperparameters):
        assert hyperparameters["epochs"] == 20
        return (hyperparameters["a"] - 2.0) ** 2

    words = {"static": {"epochs": 20}, "max_training_jobs": 40, "seed": 1, "strategy": "Bayesian"}
    job = tune(objective, space, forbid={"kind": "a b", "n": "> 7"}, name="narrow", **words)
    proposed = job.proposed()
    assert proposed["space"]["a"].high > 1.5
    assert proposed["static"] == {"epochs": 20, **proposed["static"]}
    following = tune(objective, name="next", max_training_jobs=3, **proposed)
    assert following.history.spec.space.forbidden == job.history.spec.space.forbidden
    assert following.history.spec.parents == ("narrow",)


def test_a_hyperparameter_called_as_a_column_keeps_its_values_and_the_objectives(tmp_path):
    space = {"objective": Categorical(["l1", "l2"]), "name": Integer(70, 90), "seconds": Continuous(5, 6)}
    tuner = Tuner(space, max_training_jobs=4, strategy="Random")
    while job := tuner.ask():
        tuner.tell(job, job.hyperparameters["seconds"])
    table = tuner.dataframe()
    assert list(table["objective"]) == [job.hyperparameters["objective"] for job in tuner.training_jobs]
    assert list(table["training_job_objective"]) == [job.objective for job in tuner.training_jobs]
    assert (table["seconds"] >= 5).all()
    assert (table["training_job_seconds"] < 5).all()
    table.to_csv(tmp_path / "runs.csv", index=False)
    after = Tuner(space, warm_start=tmp_path / "runs.csv")
    assert (after.overall_best.objective, after.overall_best.hyperparameters) == (
        tuner.best.objective,
        tuner.best.hyperparameters,
    )


def test_a_parent_that_runs_is_named_at_warm_start(tune, tmp_path):
    tune(name="elder")
    alfine.change("elder", home=tmp_path / "home", max_training_jobs=9)
    said = "warm_start: elder is InProgress. A parent must be Completed, Stopped or Failed."
    assert refusal(tune, warm_start="elder") == said
    assert refusal(Tuner, SPACE, warm_start="elder", home=tmp_path / "home") == said
