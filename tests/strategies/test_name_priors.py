"""What is known of hyperparameters by their names shapes the initial design, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alfine import Categorical, Continuous, Integer
from alfine.core.space import ParameterSpace
from alfine.strategies.bayesian import Bayesian
from alfine.strategies.name_priors import FAMILIES, name_priors
from tests.strategies.test_bayesian import empty, launch, searched

TREES = {
    "eta": Continuous(0.001, 1.0, scaling="Logarithmic"),
    "max_depth": Integer(1, 20),
    "gain": Continuous(0.0, 1.0),
}


def first(space: dict, **more):
    return Bayesian().ask(empty(ParameterSpace(space), **more)).hyperparameters


def test_the_first_training_job_takes_the_middle_of_what_is_mostly_good() -> None:
    found = first(TREES)
    assert found["eta"] == pytest.approx(math.sqrt(0.02 * 0.3))
    assert found["max_depth"] in (6, 7)


def test_a_category_that_is_mostly_good_is_tried_first() -> None:
    space = {
        "kernel": Categorical(["poly", "sigmoid", "rbf"]),
        "C": Continuous(1e-3, 1e3, scaling="Logarithmic"),
        "gamma": Continuous(1e-5, 1.0, scaling="Logarithmic"),
    }
    assert first(space)["kernel"] == "rbf"


@pytest.mark.parametrize(
    "space",
    [
        {"x": Continuous(0, 1), "y": Integer(1, 9)},
        {"learning_rate": Continuous(1e-5, 1.0)},  # of trees, nets or linear models?
        {"learning_rate": Categorical(["constant", "adaptive"]), "eta0": Categorical(["a", "b"])},
    ],
)
def test_nothing_is_believed_of_what_is_not_known(space: dict) -> None:
    assert name_priors(ParameterSpace(space)).guess == {}


def test_where_all_that_is_mostly_good_lies_beyond_the_range_its_nearer_end_is_the_guess() -> None:
    found = first({"eta": Continuous(0.5, 1.0), "n_estimators": Integer(5, 60), "subsample": Continuous(0.5, 1.0)})
    assert (found["eta"], found["n_estimators"]) == (0.5, 60)


@pytest.mark.parametrize("name", ["--Learning-Rate", "model__learning_rate", "learning_rate"])
def test_names_are_known_however_a_program_spells_them(name: str) -> None:
    space = {name: Continuous(1e-4, 1.0, scaling="Logarithmic"), "subsample": Continuous(0.1, 1.0)}
    assert set(name_priors(ParameterSpace(space)).guess) == {0, 1}


@given(st.sampled_from(range(len(FAMILIES))), st.floats(1e-3, 1.0), st.floats(1.0, 1e3))
def test_every_part_of_every_range_stays_in_reach(family: int, below: float, above: float) -> None:
    """At least half as dense as an even design, whatever is believed."""
    numbers = {name: known for name, known in FAMILIES[family].items() if not isinstance(known, str)}
    space = ParameterSpace({n: Continuous(below * low, above * high + 1e-3) for n, (low, high) in numbers.items()})
    even = np.linspace(0.0, 1.0, 101)[:, None].repeat(space.dimension, axis=1)
    drawn = name_priors(space).applied(even)
    assert (np.diff(drawn, axis=0) >= 0).all()
    assert (drawn[0] == 0.0).all()
    assert (drawn[-1] == 1.0).all()
    assert np.diff(drawn, axis=0).max() <= 2 * 0.01 + 1e-3


def test_most_of_the_design_lies_where_good_values_mostly_lie() -> None:
    history, inside = empty(ParameterSpace(TREES), jobs=400), []
    even = np.random.default_rng(0).random((4000, 3))
    eta = name_priors(history.spec.space).applied(even)[:, 0]
    low, high = (TREES["eta"].to_unit(v) for v in (0.02, 0.3))
    inside = ((eta > low) & (eta < high)).mean()
    assert 0.5 < inside < 0.75  # evenly it would be .39


def test_a_wrong_belief_does_not_keep_the_search_from_the_best() -> None:
    def loss(h: dict) -> float:
        return abs(math.log10(h["eta"]) + 2.9) + 0.05 * abs(h["max_depth"] - 19) + abs(h["gain"] - 0.8)

    history = searched(empty(ParameterSpace(TREES)), loss, 40)
    assert history.incumbent.objective < 0.15


def test_conditions_are_kept() -> None:
    space = ParameterSpace(
        {
            "kernel": Categorical(["linear", "rbf"]),
            "C": Continuous(1e-3, 1e3, scaling="Logarithmic"),
            "gamma": Continuous(1e-5, 1.0, scaling="Logarithmic", requires={"kernel": "rbf"}),
        }
    )
    history = empty(space)
    for _ in range(5):
        found = Bayesian().ask(history).hyperparameters
        space.check(found)
        launch(history, found)
