import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alfine import Categorical, Continuous, Integer, InvalidSpec
from alfine.core.space import ParameterSpace
from tests.core.test_ranges import categorical, continuous, integer


@given(continuous(), integer(), categorical, st.integers(0, 2**32))
def test_every_sample_lies_in_its_space_and_survives_text(c, i, k, seed):
    space = ParameterSpace({"c": c, "i": i, "k": k})
    point = space.sample(np.random.default_rng(seed))
    space.check(point)
    assert space.from_text(space.to_text(point)) == point


@given(continuous(), integer(), categorical, st.integers(0, 2**32))
def test_snapping_twice_is_snapping_once(c, i, k, seed):
    space = ParameterSpace({"c": c, "i": i, "k": k})
    snapped = space.snap(np.random.default_rng(seed).random((20, 3)))
    assert np.array_equal(space.snap(snapped), snapped)
    for point in snapped:
        assert np.allclose(space.to_unit(space.from_unit(point)), point, atol=1e-9)


def test_the_grid_has_every_configuration_once_the_last_hyperparameter_fastest():
    space = ParameterSpace({"a": Categorical(["x", "y"]), "n": Integer(1, 3)})
    assert [tuple(p.values()) for p in space.grid()] == [("x", 1), ("x", 2), ("x", 3), ("y", 1), ("y", 2), ("y", 3)]
    assert space.size == 6


def test_a_space_says_which_coordinates_are_on_a_logarithmic_scale():
    logarithmic, linear = Continuous(0.01, 1, scaling="Logarithmic"), Continuous(0.01, 1, scaling="Linear")
    space = ParameterSpace({"a": logarithmic, "b": linear, "c": Categorical(["x", "y"])})
    assert space.logarithmic.tolist() == [True, False, False]


def test_a_space_with_a_continuous_range_has_no_size():
    assert ParameterSpace({"a": Continuous(0, 1), "n": Integer(1, 3)}).size is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"eta": 0.5}, "depth: this hyperparameter is missing"),
        ({"eta": 2.0, "depth": 3}, r"eta: 2.0 lies outside [\d.e-]+ to [\d.]+\."),
        ({"eta": 0.5, "depth": 2.5}, r"depth: 2.5 lies outside the whole numbers \d+ to \d+\."),
        ({"eta": 0.5, "depth": 3, "x": 1}, "x: the space has no such hyperparameter"),
    ],
)
def test_checking_names_what_is_wrong_with_a_configuration(values, words):
    space = ParameterSpace({"eta": Continuous(0, 1), "depth": Integer(1, 10)})
    with pytest.raises(InvalidSpec, match=words):
        space.check(values)
