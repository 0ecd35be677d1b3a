import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alfine import Categorical, Continuous, Integer

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


def test_true_and_one_are_different_categories():
    r = Categorical([True, 1, "1"])
    assert r.faults("r") is not None
    assert r.from_unit(r.to_unit(True)) is True
    assert [f.message for f in r.faults("r")] == ["the values must differ from each other; 1 appears more than once."]
