"""alfine.surrogate.influence: importance, effects and surfaces, on functions whose truth is known."""

from __future__ import annotations

import pytest

import alfine
from alfine.surrogate.influence import effect, influences, surface

SPACE = {
    "a": alfine.Continuous(0, 1),
    "b": alfine.Continuous(0, 1),
    "nothing": alfine.Continuous(0.001, 1, scaling="Logarithmic"),
    "k": alfine.Categorical(["u", "v", "w"]),
}
STEP = {"u": 0.0, "v": 0.3, "w": 0.6}


def searched(goal="Minimize", count=60, space=SPACE):
    sign = 1 if goal == "Minimize" else -1
    tuner = alfine.Tuner(space, goal=goal, max_training_jobs=count, strategy="Random")
    while job := tuner.ask():
        x = job.hyperparameters
        tuner.tell(job, sign * (3 * x["a"] + x.get("b", 0.0) ** 2 + STEP[x["k"]]))
    return tuner.history


@pytest.mark.parametrize("goal", ["Minimize", "Maximize"])
def test_importance_is_the_share_of_the_variance(goal):
    # Var 3a = 9/12, Var b^2 = 1/5 - 1/9, Var of the steps = 0.06
    truth = {"a": 0.834, "b": 0.099, "k": 0.067, "nothing": 0.0}
    found = influences(searched(goal))
    assert [each.name for each in found] == list(truth)
    for each in found:
        assert each.share == pytest.approx(truth[each.name], abs=0.03)
        assert 0 <= each.low <= each.share <= each.high <= 1


def test_few_results_leave_more_doubt_than_many():
    (few, *_), (many, *_) = influences(searched(count=12)), influences(searched(count=60))
    assert few.high - few.low > 2 * (many.high - many.low)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_with_fewer_than_ten_results_nothing_is_said(count):
    history = searched(count=count) if count else alfine.Tuner(SPACE).history
    assert influences(history) == ()
    assert effect(history, "a") is None
    assert surface(history, "a", "b") is None


def test_an_effect_follows_the_function_around_the_best_configuration():
    history = searched()
    best, found = history.incumbent.hyperparameters, effect(history, "a")
    rest = best["b"] ** 2 + STEP[best["k"]]
    assert [found.values[0], found.values[-1]] == [0.0, 1.0]
    assert found.mean == pytest.approx([3 * a + rest for a in found.values], abs=0.1)
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    assert effect(history, "k").values == ("u", "v", "w")


def test_a_surface_follows_the_function_of_two_hyperparameters():
    history = searched()
    found = surface(history, "k", "a")
    assert found.mean.shape == (3, len(found.values[1]))
    assert found.mean[2] - found.mean[0] == pytest.approx(0.6, abs=0.15)


def test_a_conditional_hyperparameter_is_looked_at_where_it_is_active():
    space = {**SPACE, "b": alfine.Continuous(0, 1, requires={"k": "w"})}
    history = searched(space=space)
    assert {each.name for each in influences(history)} == set(space)
    assert effect(history, "b") is not None
