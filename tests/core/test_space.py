import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alfine import Categorical, Continuous, Integer, InvalidSpec
from alfine.core.space import ParameterSpace

finite = st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def continuous(draw):
    scaling = draw(st.sampled_from(["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]))
    if scaling == "ReverseLogarithmic":
        low, high = sorted(draw(st.lists(st.floats(0, 0.9999), min_size=2, max_size=2, unique=True)))
    elif scaling == "Logarithmic":
        low, high = sorted(draw(st.lists(st.floats(1e-9, 1e6), min_size=2, max_size=2, unique=True)))
    else:
        low, high = sorted(draw(st.lists(finite, min_size=2, max_size=2, unique=True)))
    return Continuous(low, high, scaling=scaling)


@st.composite
def integer(draw):
    scaling = draw(st.sampled_from(["Auto", "Linear", "Logarithmic"]))
    low = draw(st.integers(1 if scaling == "Logarithmic" else -1000, 1000))
    return Integer(low, low + draw(st.integers(1, 5000)), scaling=scaling)


categorical = st.lists(
    st.one_of(st.text(max_size=8), st.integers(-9, 9), st.booleans(), st.none()), min_size=1, max_size=8
).map(lambda values: Categorical(list({Categorical(values).to_text(v): v for v in values}.values())))


@given(integer(), st.data())
def test_an_integer_survives_the_cube_exactly(r, data):
    value = data.draw(st.integers(r.low, r.high))
    assert r.from_unit(r.to_unit(value)) == value


@given(continuous(), st.floats(0, 1))
def test_a_real_survives_the_cube_to_rounding(r, u):
    value = r.from_unit(u)
    assert r.low <= value <= r.high
    again = r.from_unit(r.to_unit(value))
    assert math.isclose(again, value, rel_tol=1e-9, abs_tol=1e-9 * max(abs(r.low), abs(r.high), r.high - r.low))


@given(categorical, st.data())
def test_a_category_survives_the_cube_and_text(r, data):
    value = data.draw(st.sampled_from(r.values))
    assert r.from_unit(r.to_unit(value)) is value or r.from_unit(r.to_unit(value)) == value
    assert r.to_text(r.from_text(r.to_text(value))) == r.to_text(value)


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


def test_integers_are_equally_likely_under_linear_scaling():
    r = Integer(1, 4)
    assert [r.from_unit(u) for u in (0.0, 0.24, 0.26, 0.49, 0.51, 0.74, 0.76, 1.0)] == [1, 1, 2, 2, 3, 3, 4, 4]


def test_reverse_logarithmic_is_uniform_in_log_of_one_minus_x():
    r = Continuous(0.9, 0.999, scaling="ReverseLogarithmic")
    assert math.isclose(r.from_unit(0.5), 0.99)


@pytest.mark.parametrize(
    ("r", "scaling"),
    [
        (Continuous(0.001, 0.1), "Logarithmic"),
        (Continuous(0.01, 0.5), "Linear"),
        (Continuous(0, 100), "Linear"),
        (Integer(1, 500), "Linear"),
        (Integer(1, 1000), "Logarithmic"),
    ],
)
def test_auto_scaling_is_decided_by_the_ratio_of_the_bounds(r, scaling):
    assert r.effective_scaling == scaling


def test_the_grid_has_every_configuration_once_the_last_hyperparameter_fastest():
    space = ParameterSpace({"a": Categorical(["x", "y"]), "n": Integer(1, 3)})
    assert [tuple(p.values()) for p in space.grid()] == [("x", 1), ("x", 2), ("x", 3), ("y", 1), ("y", 2), ("y", 3)]
    assert space.size == 6


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


def test_true_and_one_are_different_categories():
    r = Categorical([True, 1, "1"])
    assert r.faults("r") is not None
    assert r.from_unit(r.to_unit(True)) is True
    assert [f.message for f in r.faults("r")] == ["the values must differ from each other; 1 appears more than once."]
