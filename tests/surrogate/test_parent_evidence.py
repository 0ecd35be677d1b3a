"""Parents that are said to be of the same function, and aren't."""

import math

import numpy as np
import pytest

import alfine
from alfine import Categorical, Continuous
from alfine.core.history import History
from alfine.core.warm_start import inheritance
from alfine.jobs.analysis.export_table import export_table
from alfine.jobs.home import Home
from alfine.strategies import strategy_for
from alfine.surrogate.model import model_of
from alfine.surrogate.parent_evidence import contradicted_after, prior, related
from tests.building import EPOCH, history, one_job, spec

SPACE = {"x": Continuous(0, 1), "y": Continuous(0, 1)}


def bowl(point):
    return (point["x"] - 0.8) ** 2 + (point["y"] - 0.2) ** 2


def other_data(point):
    """Good elsewhere, and on another scale."""
    return 40.0 + 9.0 * (point["x"] - 0.1) ** 2 + 9.0 * (point["y"] - 0.9) ** 2


def searched(past, objective, count):
    strategy = strategy_for(past.spec)
    for _ in range(count):
        point = strategy.ask(past).hyperparameters
        for fact in one_job(past, objective(point), hyperparameters=point):
            past.record(fact)
    return past


def child(objective, seed=5, noise=0.0, **words):
    rng = np.random.default_rng(seed)
    parent = history(space=SPACE, strategy="Random", seed=3)
    parent = searched(parent, lambda point: objective(point) + noise * rng.standard_normal(), 25)
    own = spec(name="child", space=SPACE, seed=seed, warm_start="job", **words)
    return History(own, EPOCH, tuple(inheritance(own, parent)))


def test_results_of_other_data_are_found_out_and_the_search_goes_on_without_them():
    past = searched(child(other_data), bowl, 4)
    assert len(prior(past)[1]) == 25
    searched(past, bowl, 12)
    assert contradicted_after(past) == 5
    assert len(prior(past)[1]) == 0
    assert len(related(past)["job"][1]) == 25
    assert past.incumbent.objective < 0.02


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_results_of_the_same_function_contradict_nobody(seed, noise):
    rng = np.random.default_rng(100 + seed)
    past = searched(child(bowl, seed, noise), lambda point: bowl(point) + noise * rng.standard_normal(), 13)
    assert contradicted_after(past) is None
    assert len(prior(past)[1]) == 25


def test_the_same_facts_find_it_out_again():
    past = searched(child(other_data), bowl, 9)
    fresh = past.upto(len(past.facts))
    assert contradicted_after(fresh) == contradicted_after(past) == 5
    strategy = strategy_for(past.spec)
    assert strategy.ask(past) == strategy.ask(fresh)
    assert contradicted_after(past.upto(3)) is None


def test_a_model_that_counted_the_parents_is_not_read_after_the_contradiction():
    past = searched(child(other_data, strategy="Random"), bowl, 4)
    before = model_of(past)
    searched(past, bowl, 25)  # as many observations as the model had with those of the parents
    after, fresh = model_of(past), model_of(past.upto(len(past.facts)))
    assert len(before.surrogate.X) == len(after.surrogate.X) == 29
    assert (past.observations()[0] == after.surrogate.X).all()
    assert (after.surrogate.alpha == fresh.surrogate.alpha).all()


def test_in_a_finite_space_each_configuration_still_comes_once():
    space = {"a": Categorical([*"pqrstu"]), "b": Categorical([*"123456"])}
    parent = searched(history(space=space, strategy="Random", seed=1), lambda p: 900.0 + ord(p["a"]) + int(p["b"]), 12)
    own = spec(name="child", space=space, seed=2, warm_start="job")
    past = History(own, EPOCH, tuple(inheritance(own, parent)))
    strategy = strategy_for(own)
    while (suggestion := strategy.ask(past)) is not None:
        point = suggestion.hyperparameters
        for fact in one_job(past, math.sin(ord(point["a"])) + int(point["b"]), hyperparameters=point):
            past.record(fact)
    assert contradicted_after(past) is not None
    assert past.launches == 36 - 12
    assert len({tuple(job.hyperparameters.items()) for job in past.jobs}) == 24
    assert strategy.ask(past.upto(len(past.facts))) is None


def test_whoever_looks_is_told(tmp_path):
    table = tmp_path / "runs.csv"
    table.write_bytes(export_table(searched(history(space=SPACE, strategy="Random", seed=3), other_data, 25), "csv"))
    job = alfine.tune(
        bowl, SPACE, home=tmp_path / "home", warm_start=table, max_training_jobs=6, progress=False, seed=0
    )
    with Home(tmp_path / "home") as home:
        told = home.service.describe(job.name)["Alfine"]["WarmStart"]
    assert told.startswith("The first 5 objectives contradict the parents' results")


def test_a_wider_space_contradicts_nobody_where_its_parents_never_were():
    def beyond(point):
        return (point["x"] - 2.0) ** 2 + (point["y"] - 0.9) ** 2

    space = {"x": Continuous(0.5, 1.5), "y": Continuous(0.5, 1.5)}
    parent = searched(history(space=space, strategy="Bayesian", seed=1), beyond, 26)
    own = spec(name="child", space={**space, "x": Continuous(0.5, 2.0)}, seed=1, warm_start="job")
    past = searched(History(own, EPOCH, tuple(inheritance(own, parent))), beyond, 12)
    assert max(job.hyperparameters["x"] for job in past.jobs) > 1.7  # it does go there
    assert contradicted_after(past) is None
    assert len(prior(past)[1]) == 26
