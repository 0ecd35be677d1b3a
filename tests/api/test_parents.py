"""A Tuner that begins with what is known: the words of `alfine.tune`, and other Tuners."""

import json
import subprocess
import sys

import pytest

import alfine
from alfine import Categorical, Continuous, Integer, InvalidSpec, Tuner
from alfine.surrogate.parent_evidence import prior, related

SPACE = {"x": Continuous(0, 1), "y": Continuous(0, 1), "bias": Categorical([True, False])}
TRANSFER = {"warm_start_type": "TransferLearning"}


def bowl(hyperparameters):
    return (hyperparameters["x"] - 0.8) ** 2 + (hyperparameters["y"] - 0.2) ** 2 + hyperparameters["bias"]


def run(tuner, count, objective=bowl):
    for _ in range(count):
        job = tuner.ask()
        tuner.tell(job, objective(job.hyperparameters))
    return tuner


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a job «elder» of the bowl, and a table of it beside."""
    folder = tmp_path_factory.mktemp("home")
    words = {"name": "elder", "home": folder, "progress": False, "static": {"epochs": 3}}
    job = alfine.tune(bowl, SPACE, strategy="Random", max_training_jobs=25, seed=3, **words)
    job.dataframe().to_csv(folder / "elder.csv", index=False)
    return folder, job


@pytest.fixture(params=["its name", "its Job", "a table", "a Tuner"])
def parent(request, home):
    """The same results, however they are named."""
    folder, job = home
    elder = Tuner(SPACE, strategy="Random", seed=3)
    for each in job.training_jobs:
        elder.observe(each.hyperparameters, each.objective)
    return {"its name": "elder", "its Job": job, "a table": folder / "elder.csv", "a Tuner": elder}[request.param]


def cold(count):
    return run(Tuner(SPACE, seed=5), count)


def test_results_of_the_same_function_replace_the_initial_design(home, parent):
    tuner = run(Tuner(SPACE, seed=5, warm_start=parent, home=home[0]), 3)
    assert tuner.best.objective < min(home[1].best.objective, cold(3).best.objective)
    assert len(tuner.training_jobs) == 3, "the parents' training jobs are none of its own"


def test_related_results_show_where_to_begin_on_whatever_scale(home, parent):
    tuner = Tuner(SPACE, seed=5, warm_start=parent, home=home[0], **TRANSFER)
    run(tuner, 2, lambda hyperparameters: 100 + 1e3 * bowl(hyperparameters) ** 3)
    assert bowl(tuner.best.hyperparameters) < 0.1


def test_values_of_any_type_are_recognised(home, parent):
    tuner = Tuner(SPACE, warm_start=parent, home=home[0])
    values = [tuner.history.spec.space.from_unit(point)["bias"] for point in prior(tuner.history)[0]]
    assert values == [job.hyperparameters["bias"] for job in home[1].training_jobs]


def test_however_a_parent_is_named_the_suggestion_is_the_same(home):
    found = [Tuner(SPACE, seed=5, warm_start=each, home=home[0]).ask() for each in ("elder", home[1])]
    assert found[0].hyperparameters == found[1].hyperparameters


def test_any_number_of_parents_of_every_kind_are_weighed_each_by_itself(home):
    misleading = [run(Tuner(SPACE, seed=seed), 8, lambda point: -bowl(point)) for seed in range(6)]
    tuner = Tuner(SPACE, seed=5, warm_start=[*misleading, "elder", home[0] / "elder.csv"], home=home[0], **TRANSFER)
    assert len(related(tuner.history)) == 8
    assert run(tuner, 25).best.objective < 0.01


def test_what_a_parent_holds_fixed_is_no_obstacle(home):
    assert "epochs" in home[1].history.spec.definition.static_hyperparameters
    assert len(prior(Tuner(SPACE, warm_start=home[1]).history)[1]) == 25


@pytest.mark.parametrize("kind", ["IdenticalDataAndAlgorithm", "TransferLearning"])
def test_no_number_of_a_parents_stops_the_search(kind):
    elder = run(Tuner(SPACE), 20, lambda point: (point["x"] - 0.5) * sys.float_info.max)
    tuner = run(Tuner(SPACE, warm_start=elder, warm_start_type=kind), 12, lambda point: -(point["x"] ** 2) * 1e308)
    assert len(tuner.training_jobs) == 12


def test_a_hyperparameter_less_is_another_function():
    elder = run(Tuner(SPACE), 5)
    narrow = {"x": SPACE["x"]}
    with pytest.raises(InvalidSpec, match="warm_start: tuner also tuned y, bias, so that its function is another one"):
        Tuner(narrow, warm_start=elder)
    assert len(related(Tuner(narrow, warm_start=elder, **TRANSFER).history)["tuner-1"][1]) == 5


OTHERS = "the others have values that this job doesn't"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "All 25 objectives of the parents count as the job's own."),
        (TRANSFER, "All 25 objectives of the parents say where to begin."),
        (
            {"space": {**SPACE, "x": Continuous(0.5, 1)}},
            f"of the 25 objectives of the parents count as the job's own: {OTHERS}.",
        ),
        (
            {"space": {**SPACE, "x": Continuous(2, 3)}},
            "Of the 25 objectives of the parents none can be used: they have values",
        ),
        ({"strategy": "Hyperband", "max_resource": 3}, "All 25 objectives of the parents count as the job's own."),
        ({"strategy": "Random", **TRANSFER}, "Random takes nothing from its parents."),
    ],
)
def test_it_says_what_becomes_of_what_the_parents_found(home, words, said):
    of_tuner = Tuner(**{"space": SPACE, "warm_start": home[1], **words}).warm_start_sentence
    assert said in of_tuner
    words = {"static": {"epochs": 3}, **words}
    job = alfine.tune(
        bowl, words.pop("space", SPACE), warm_start="elder", home=home[0], max_training_jobs=1, progress=False, **words
    )
    assert job.warm_start_sentence == of_tuner
    with alfine.Home(home[0]) as opened:
        assert opened.service.describe(job.name)["Alfine"]["WarmStart"] == of_tuner


def test_without_parents_nothing_is_said_of_them():
    assert Tuner(SPACE).warm_start_sentence is None


def test_the_overall_best_is_the_parents_until_its_own_is_better(home, parent):
    tuner = Tuner(SPACE, warm_start=parent, home=home[0], seed=5)
    assert tuner.best is None
    best, theirs = tuner.overall_best, home[1].best
    assert (best.number, best.objective, best.hyperparameters) == (0, theirs.objective, theirs.hyperparameters)
    tuner.observe({"x": 0.8, "y": 0.2, "bias": False}, 0.0)
    assert tuner.overall_best is tuner.best
    assert Tuner(SPACE, warm_start=parent, home=home[0], **TRANSFER).overall_best is None, "of another function"


def test_a_finite_space_is_gone_through_once_by_parent_and_child():
    space = {"c": Categorical([*"abcd"])}
    elder = run(Tuner(space, strategy="Random"), 2, lambda point: ord(point["c"]))
    tuner = Tuner(space, strategy="Random", warm_start=elder)
    run(tuner, 2, lambda point: ord(point["c"]))
    assert tuner.ask() is None
    assert sorted(job.hyperparameters["c"] for job in (*elder.training_jobs, *tuner.training_jobs)) == [*"abcd"]


@pytest.mark.parametrize(
    ("warm_start", "words", "said"),
    [
        ("nobody", {}, "warm_start: there is no tuning job called nobody here"),
        ("nowhere.csv", {}, "nowhere.csv: can't be read: No such file or directory"),
        ("s3://bucket/runs.csv", {}, "s3://bucket/runs.csv: isn't a file of this machine"),
        (
            "elder",
            {"metric": "loss"},
            "metric: must be the parent's: elder has Minimize objective, and this Minimize loss",
        ),
        (
            "elder",
            {"warm_start_type": "Same"},
            "warm_start_type: 'Same' isn't one of IdenticalDataAndAlgorithm, Transfer",
        ),
        (["elder", "elder"], {}, "warm_start: 'elder' is there more than once"),
        (7, {}, "warm_start: 7 must be a tuning job"),
        ([7], {}, "warm_start: 7 must be a tuning job"),
        ({"x": 0.5}, {}, "warm_start: {'x': 0.5} must be a tuning job"),
        ("elder", {"space": {**SPACE, "z": Integer(1, 3)}}, "warm_start: elder has no z"),
        ("elder", {"space": {**SPACE, "x": Integer(0, 1)}}, "space.x: is integer, and continuous in elder"),
    ],
)
def test_parents_that_cannot_be_are_refused_at_the_argument(home, warm_start, words, said):
    with pytest.raises(InvalidSpec) as error:
        Tuner(**{"space": SPACE, "warm_start": warm_start, "home": home[0], **words})
    assert said in str(error.value)


def test_a_home_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(InvalidSpec, match="there is no tuning job called elder"):
        Tuner(SPACE, warm_start="elder", home=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_tuning_job_cannot_begin_with_what_is_kept_nowhere(tmp_path):
    with pytest.raises(InvalidSpec, match="a Tuner isn't kept in a home. Write its results to a table"):
        alfine.tune(bowl, SPACE, warm_start=run(Tuner(SPACE), 3), home=tmp_path)
    tuner = run(Tuner(SPACE), 6)
    tuner.dataframe().to_csv(tmp_path / "results.csv")
    job = alfine.tune(
        bowl, SPACE, warm_start=tmp_path / "results.csv", home=tmp_path, max_training_jobs=2, progress=False
    )
    assert len(job.history.inherited) == 6


@pytest.mark.parametrize("kind", ["IdenticalDataAndAlgorithm", "TransferLearning"])
def test_another_process_suggests_the_same(kind):
    program = f"""
import json, alfine
space = {{"x": alfine.Continuous(0, 1), "c": alfine.Categorical(["a", "b"]), "n": alfine.Integer(1, 9)}}
def run(tuner, count):
    for _ in range(count):
        job = tuner.ask()
        tuner.tell(job, job.hyperparameters["x"] ** 2 + (job.hyperparameters["c"] == "a") + job.hyperparameters["n"])
    return tuner
tuner = run(alfine.Tuner(space, seed=2, warm_start=[run(alfine.Tuner(space, seed=s), 8) for s in (0, 1)],
                         warm_start_type={kind!r}), 9)
print(json.dumps([job.hyperparameters for job in tuner.training_jobs]))
"""
    found = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", program],
                env={"PYTHONHASHSEED": seed, "OPENBLAS_NUM_THREADS": threads, "PATH": "/usr/bin:/bin"},
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for seed, threads in (("1", "1"), ("2", "2"))
    ]
    assert found[0] == found[1]
