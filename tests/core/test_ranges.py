import math
from inspect import Parameter, signature

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alfine import Categorical, Continuous, Integer
from alfine.core.conditions import alternatives
from alfine.core.ranges import values_of

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


def test_true_one_and_the_text_of_one_are_different_categories():
    values = [True, 1, "1", "true"]
    r = Categorical(values)
    assert [*r.faults("r")] == []
    assert [r.from_unit(r.to_unit(value)) for value in values] == values
    assert [r.to_text(value) for value in values] == ["true", "1", '"1"', '"true"']
    assert [type(r.from_text(r.to_text(value))) for value in values] == [bool, int, str, str]
    assert Categorical([1, "a"]).to_text("1") == "1", "a string reads like another value only where that is a category"
    twice = Categorical([1, 1.0, 1]).faults("r")
    assert [f.message for f in twice] == ["the values must differ from each other; 1 appears more than once."]


@pytest.mark.parametrize("kind", [Continuous, Integer, Categorical])
def test_options_of_a_range_are_given_by_name(kind):
    values = 1 if kind is Categorical else 2
    options = [*signature(kind).parameters.values()][values:]
    assert [option.name for option in options] == ["scaling", "step", "requires", "optional"][-len(options) :]
    assert {option.kind for option in options} == {Parameter.KEYWORD_ONLY}


def test_categories_are_kept_as_they_were_given():
    given = ["a", "b"]
    r = Categorical(given)
    given.append("c")
    assert (r, r.cells, hash(r)) == (Categorical(("a", "b")), 2, hash(Categorical(letter for letter in "ab")))


@st.composite
def stepped(draw):
    whole = draw(st.booleans())
    kind = draw(st.sampled_from(["Auto", "Linear", "Logarithmic"]))
    low = draw(st.integers(1 if kind == "Logarithmic" else -50, 50))
    step, count = draw(st.integers(1, 20)), draw(st.integers(2, 40))
    beyond = draw(st.integers(0, step - 1))  # the high end needn't be a value
    high = low + step * (count - 1) + beyond
    if whole:
        return Integer(low, high, scaling=kind, step=step), count
    return Continuous(low / 8, high / 8, scaling=kind, step=step / 8), count


@given(stepped(), st.data())
def test_the_values_of_a_step_survive_the_cube_and_text_and_are_all_that_a_range_has(drawn, data):
    r, count = drawn
    values = values_of(r)
    assert r.cells == len(values) == count
    value = data.draw(st.sampled_from(values))
    assert r.contains(value)
    assert r.from_unit(r.to_unit(value)) == value
    assert r.from_text(r.to_text(value)) == value
    assert r.from_unit(data.draw(st.floats(0, 1))) in values
    assert not r.contains(value + r.step / 2)
    assert [*r.faults("r")] == []


@given(stepped(), st.sampled_from([">", "<", ">=", "<=", "=", "!="]), st.data())
def test_a_comparison_holds_on_the_axis_for_the_values_of_a_step_for_which_it_holds(drawn, sign, data):
    r, _ = drawn
    ((clause,),) = alternatives({"x": f"{sign} {data.draw(st.sampled_from(values_of(r)))}"})
    for value in values_of(r):
        on_axis = any(low <= r.to_unit(value) < high for low, high in r.where(clause))
        assert on_axis == r.holds(clause, value)


@pytest.mark.parametrize("sign", [">", "<", ">=", "<=", "=", "!="])
def test_a_comparison_with_each_value_of_a_step_holds_for_the_same_values_on_the_axis(sign):
    r = Integer(0, 10, step=2)
    for bound in values_of(r):
        ((clause,),) = alternatives({"x": f"{sign} {bound}"})
        for value in values_of(r):
            on_axis = any(low <= r.to_unit(value) < high for low, high in r.where(clause))
            assert on_axis == r.holds(clause, value)


def test_a_step_makes_decimal_numbers():
    assert values_of(Continuous(0, 0.5, step=0.1)) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert Continuous(0, 1, step=0.1).contains(0.1 + 0.2)
    assert not Continuous(0, 1, step=0.001).contains(0.0015)
    assert repr(Continuous(0, 1, step=0.1, optional=True)) == "Continuous(0, 1, step=0.1, optional=True)"


@pytest.mark.parametrize(
    "r", [Continuous(3.5, 3.5), Integer(7, 7), Continuous(1e-9, 1e-9, scaling="Logarithmic"), Continuous(0, 0)]
)
def test_a_range_may_have_one_value(r):
    assert [*r.faults("r")] == []
    assert (r.cells, r.from_unit(0.0), r.from_unit(1.0)) == (1, r.low, r.low)
    assert r.to_unit(r.low) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("r", "message"),
    [
        (Continuous(0, 1, step=0), "the step 0 must be a number above 0."),
        (Integer(0, 9, step=1.5), "the step 1.5 must be a whole number above 0."),
        (Continuous(0, 1, step=2), "the step 2 is longer than the range from 0 to 1"),
        (Continuous(0, 1e308, step=1e-10), "the step 1e-10 is too short for the range from 0 to 1e+308"),
        (Continuous(0, 1, step="x"), "the step 'x' must be a number above 0."),
    ],
)
def test_a_step_that_is_none_is_a_fault(r, message):
    (fault,) = r.faults("r")
    assert fault.message.startswith(message)
