"""Remarks on the search space: hits on planted truths, few false alarms on noise, and the spaces that they propose."""

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alfine import Categorical, Continuous, Integer
from alfine.core.facts import Ended, Launched
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.jobs.analysis.next_job import next_name, next_request
from alfine.jobs.policy_for import policy_for
from alfine.surrogate.space_diagnosis import likelihood, remarks, rungs
from alfine.surrogate.space_remarks import AT_EDGE, FEW, NO_INFLUENCE, NOTHING_MATTERS
from alfine.surrogate.wider_space import proposed, stretched
from tests.building import EPOCH, one_job, request, spec

CUBE = {name: Continuous(0.0, 1.5) for name in ("a", "b", "c", "d")}


def searched(objective, count, *, space=None, noise=0.0, seed=0, **words):
    """A search of so many training jobs; what was remarked on at any look, and the history."""
    words = {"strategy": "Random", "max_training_jobs": 200, **words}
    past = History(spec(space=space or CUBE, seed=seed, **words), EPOCH)
    strategy, rng = policy_for(past.spec).strategy, np.random.default_rng(seed)
    told = set()
    for n in range(1, count + 1):
        found = strategy.ask(past).hyperparameters
        for fact in one_job(past, objective(found) + noise * rng.standard_normal(), hyperparameters=found):
            past.record(fact)
        if n in rungs(n):
            told |= about(past)
    return told, past


def about(past):
    return {(each.kind, each.hyperparameter) for each in remarks(past)}


def bowl(**centres):
    """The nearer to the centres the better; what has none doesn't matter."""
    return lambda x: sum((x[name] - centre) ** 2 for name, centre in centres.items())


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_on_pure_noise_no_end_of_a_range_is_blamed(strategy):
    seeds = range(30 if strategy == "Random" else 6)
    found = [searched(lambda _: 0.0, 50, noise=1.0, seed=seed, strategy=strategy)[0] for seed in seeds]
    assert sum(any(kind == AT_EDGE for kind, _ in each) for each in found) <= len(seeds) // 10


def test_on_pure_noise_it_is_said_that_nothing_shows():
    told = [searched(lambda _: 0.0, 62, noise=1.0, seed=seed)[0] for seed in range(8)]
    assert sum((NOTHING_MATTERS, None) in each for each in told) >= 7


@pytest.mark.parametrize("seed", range(4))
def test_a_best_inside_of_all_ranges_is_no_reason_for_a_remark(seed):
    told, _ = searched(bowl(a=0.5, b=0.9, c=0.6, d=1.0), 62, noise=0.05, seed=seed, strategy="Bayesian")
    assert told == set()


def test_two_ranges_that_are_too_narrow_are_found_with_several_at_a_time():
    """The best ten of 60 lie at the lower ends of two logarithmic ranges."""
    decades = Continuous(1e-3, 1.0, scaling="Logarithmic")
    space = {"x": decades, "y": decades, "z": Continuous(0.0, 1.0)}
    past = History(spec(space=space, seed=1, strategy="Bayesian", max_training_jobs=60), EPOCH)
    strategy, rng, running, at = policy_for(past.spec).strategy, np.random.default_rng(1), [], EPOCH
    for number in range(1, 61):
        at += timedelta(seconds=1)
        found = strategy.ask(past).hyperparameters
        past.record(Launched(at=at, number=number, name=str(number), hyperparameters=found))
        running.append((number, found))
        while len(running) >= (3 if number < 60 else 1):
            ended, found = running.pop(0)
            loss = sum(w * (math.log10(found[name]) + 3.6) ** 2 for name, w in (("x", 0.1), ("y", 0.05)))
            loss += 0.3 * (found["z"] - 0.5) ** 2 + 0.02 * rng.standard_normal()
            past.record(Ended(at=at, number=ended, status="Completed", objective=loss))
    assert about(past) == {(AT_EDGE, "x"), (AT_EDGE, "y")}
    sentence = remarks(past)[0].sentence
    assert sentence.startswith("9 of the best 9 lie at the lower end of x (0.001), as do ")
    wider, _ = proposed(remarks(past))
    assert {name: range_.low for name, range_ in wider.items()} == {"x": 3.2e-05, "y": 3.2e-05}


@pytest.mark.parametrize("goal", ["Minimize", "Maximize"])
def test_a_best_beyond_the_end_of_a_range_is_found_with_either_goal(goal):
    sign = 1 if goal == "Minimize" else -1
    truth = bowl(a=-0.5, b=0.9, c=0.6, d=2.5)
    told, past = searched(lambda x: sign * truth(x), 40, strategy="Bayesian", goal=goal, noise=0.02)
    assert {(AT_EDGE, "a"), (AT_EDGE, "d")} <= told
    assert all(kind == AT_EDGE for kind, _ in told)
    sentences = {each.hyperparameter: each.sentence for each in remarks(past)}
    assert "at the upper end of d (1.5)" in sentences["d"]
    assert "a range from 0 to 2.2 may have better ones" in sentences["d"]
    assert "natural end" in sentences["a"]  # it begins at 0


def test_hyperparameters_without_influence_are_found_and_no_others():
    space = {**CUBE, "kind": Categorical(["x", "y", "z"])}
    told, past = searched(bowl(a=0.5, b=0.9, c=0.6), 80, noise=0.02, space=space, seed=1)
    assert told == {(NO_INFLUENCE, "d"), (NO_INFLUENCE, "kind")}
    ranges, fixed = proposed(remarks(past))
    assert ranges == {}
    assert fixed == {name: past.incumbent.hyperparameters[name] for name in fixed}
    assert {*fixed} <= {"d", "kind"}


def test_few_results_say_nothing():
    assert searched(bowl(a=-0.5), 24, strategy="Bayesian")[0] == set()


def test_equal_objectives_ask_whether_training_uses_its_hyperparameters():
    told, past = searched(lambda _: 0.25, 30)
    assert told == {(NOTHING_MATTERS, None)}
    assert "The first 25 objectives are all 0.25" in remarks(past)[0].sentence


def test_a_conditional_hyperparameter_is_judged_where_it_is_active():
    space = {
        "optimizer": Categorical(["sgd", "adam"]),
        "momentum": Continuous(0.0, 0.9, requires={"optimizer": "sgd"}),
        "eta": Continuous(0.01, 1, scaling="Logarithmic"),
    }
    truth = lambda x: (np.log10(x["eta"]) + 1) ** 2 + (0.9 - x["momentum"] if "momentum" in x else 0.4)  # noqa: E731
    told, past = searched(truth, 80, space=space, strategy="Bayesian", noise=0.01)
    assert (AT_EDGE, "momentum") in told
    assert {name for kind, name in told if kind == AT_EDGE} == {"momentum"}
    assert not any(each.fixed for each in remarks(past) if each.hyperparameter in ("optimizer", "momentum"))


def test_it_is_a_function_of_the_facts_alone():
    _, past = searched(bowl(a=2.5, b=0.9), 40, strategy="Bayesian", seed=1)
    assert remarks(past) == remarks(past.upto(len(past.facts)))
    assert remarks(past)[0].kind == AT_EDGE


def test_a_small_space_is_told_once_half_of_it_is_used_up():
    space = {"depth": Integer(3, 6), "rate": Categorical(["0.1", "0.2", "0.3"])}
    told, past = searched(bowl(depth=5), 5, space=space, max_training_jobs=None)
    assert told == set()
    _, past = searched(bowl(depth=5), 9, space=space, max_training_jobs=None)
    (remark,) = remarks(past)
    assert remark.kind == FEW
    assert remark.ranges == {"depth": Integer(1, 8)}
    assert "Wider ranges give more: depth from 1 to 8" in remark.sentence
    _, past = searched(lambda x: float(x["rate"]), 3, space={"rate": space["rate"]}, max_training_jobs=None)
    assert "instead of the list of values of rate" in remarks(past)[0].sentence


def test_a_space_as_large_as_the_budget_is_not_too_small_and_what_is_forbidden_is_not_widened():
    space = {"depth": Integer(3, 6), "rate": Categorical(["0.1", "0.2", "0.3"])}
    told, _ = searched(bowl(depth=5), 9, space=space, max_training_jobs=12)
    assert told == set()
    _, past = searched(bowl(depth=5), 8, space=space, max_training_jobs=None, forbid="depth > 5")
    (remark,) = remarks(past)
    assert remark.ranges == {}
    assert "instead of the list of values of rate" in remark.sentence


def test_the_proposed_request_is_a_job_that_may_be_started_from_the_old_one():
    _, past = searched(bowl(a=0.5, b=2.5, c=0.6), 62, noise=0.02, strategy="Bayesian", seed=3)
    found = remarks(past)
    assert about(past) >= {(AT_EDGE, "b")}
    asked = next_request(request(space=CUBE), past, [each for each in found if each.kind == AT_EDGE])
    new = read_spec(asked)
    assert new.name == "job-2"
    assert new.space.ranges["b"] == Continuous(0.0, 2.2)
    assert (new.warm_start, new.parents) == ("IdenticalDataAndAlgorithm", ("job",))


@pytest.mark.parametrize(
    ("name", "then"), [("a", "a-2"), ("a-2", "a-3"), ("a" * 32, "a" * 30 + "-2"), ("a-99", "a-100")]
)
def test_the_next_name(name, then):
    assert next_name(name) == then


@given(
    st.floats(1e-6, 1e3),
    st.floats(1.01, 1e6),
    st.sampled_from(["Linear", "Logarithmic", "Auto"]),
    st.booleans(),
    st.booleans(),
)
def test_a_stretched_range_has_all_of_the_old_one_and_more(low, ratio, scaling, whole, upper):
    old = (
        Integer(max(1, int(low)), max(1, int(low)) + max(1, int(ratio)), scaling=scaling)
        if whole
        else Continuous(low, low * ratio, scaling=scaling)
    )
    new = stretched(old, upper=upper)
    if new is None:
        assert old.low in (0, 1) or old.high == 1
        return
    assert not list(new.faults("range"))
    assert new.low <= old.low
    assert old.high <= new.high
    assert new != old
    assert new.low > 0 or old.high <= 1  # of a share, 0 is an end like another


def test_what_goes_from_0_to_1_keeps_its_natural_ends():
    assert stretched(Continuous(0.0, 1.0), upper=True) is None
    assert stretched(Continuous(0.0, 1.0), upper=False) is None
    assert stretched(Continuous(0.2, 0.8), upper=True) == Continuous(0.2, 1.0)
    wider = stretched(Continuous(0.9, 0.999, scaling="ReverseLogarithmic"), upper=True)
    assert 0.999 < wider.high < 1.0


def test_the_likelihood_of_noise_does_not_grow_with_the_kernel():
    rng = np.random.default_rng(0)
    y, theta = rng.standard_normal(40), np.array([0.0, 0.0, -9.0, -9.0, 0.0, 0.0])
    x = rng.random(40)
    r2 = ((x[:, None] - x[None, :]) ** 2).ravel()
    mere_noise = -0.5 * 40 * np.log(y.var())
    assert likelihood(theta, r2, y) - mere_noise < 2.0
    assert likelihood(theta, 4 * r2, np.sin(6 * x)) > likelihood(theta, 4 * r2, rng.permutation(np.sin(6 * x))) + 20
