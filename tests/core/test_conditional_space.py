"""Conditional hyperparameters and forbidden combinations, as the space knows them."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alfine import Categorical, Continuous, Integer, InvalidSpec
from alfine.core.conditions import Clause, alternatives, combination
from alfine.core.read_spec import read_spec
from alfine.core.space import ParameterSpace
from tests.building import request, several, spec

NETWORK = {
    "optimizer": Categorical(["adam", "sgd"]),
    "momentum": Continuous(0, 0.99, requires={"optimizer": "sgd"}),
    "layers": Integer(1, 3),
    "width2": Integer(8, 64, requires={"layers": ">= 2"}),
    "width3": Integer(8, 64, requires="layers >= 3"),
    "gate": Categorical(["on", "off", "auto"], requires=[{"optimizer": "adam", "layers": 3}, {"layers": 1}]),
}
FINITE = {
    "a": Categorical(["x", "y", "z"]),
    "n": Integer(1, 4, requires={"a": ["x", "y"]}),
    "c": Categorical([True, False], requires="n > 2"),
}
FORBIDDEN = ({"a": "x", "n": 1}, "n = 4 and c = true")


def space(ranges, *forbidden):
    return ParameterSpace(ranges, tuple(map(combination, forbidden)))


@st.composite
def spaces(draw):
    """A space of three to five ranges whose conditions are about earlier ones, and a few forbidden combinations."""
    ranges, clauses = {}, []
    for name in "abcde"[: draw(st.integers(3, 5))]:
        requires = (
            draw(st.lists(st.lists(st.sampled_from(clauses), min_size=1, max_size=2).map(tuple), max_size=2))
            if clauses
            else []
        )
        kind = draw(st.sampled_from([Integer, Continuous, Categorical]))
        if kind is Categorical:
            values = ["p", "q", "r"][: draw(st.integers(1, 3))]
            ranges[name] = Categorical(values, requires=tuple(requires))
            clauses += [Clause(name, draw(st.sampled_from(["is", "is-not"])), (value,)) for value in values]
        else:
            scaling = draw(st.sampled_from(["Linear", "Logarithmic"]))
            ranges[name] = kind(1, 5, scaling=scaling, requires=tuple(requires))
            orders = ["above", "below", "at-least", "at-most"] + (["is", "is-not"] if kind is Integer else [])
            clauses += [
                Clause(name, draw(st.sampled_from(orders)), (str(v),))
                for v in draw(st.lists(st.integers(1, 5), max_size=3))
            ]
    forbidden = (
        draw(st.lists(st.lists(st.sampled_from(clauses), min_size=1, max_size=2).map(tuple), max_size=2))
        if clauses
        else []
    )
    return ParameterSpace(ranges, tuple(forbidden))


def activity(found, values):
    """By the definition: what every hyperparameter requires, looked up again and again."""
    active = set()
    for _ in found.ranges:
        active = {
            name
            for name, r in found.ranges.items()
            if not r.requires
            or any(
                all(c.name in active and found.ranges[c.name].holds(c, values[c.name]) for c in each)
                for each in r.requires
            )
        }
    return active


@settings(max_examples=60)
@given(spaces(), st.integers(0, 2**32))
def test_a_point_is_a_configuration_of_its_active_hyperparameters(found, seed):
    points = np.random.default_rng(seed).random((12, found.dimension))
    snapped = found.snap(points)
    assert np.array_equal(found.snap(snapped), snapped)
    assert np.array_equal(found.settle(snapped), snapped)
    for point in snapped:
        values = found.from_unit(point)
        assert list(values) == [name for name in found.names if name in values]
        assert set(values) == activity(found, {**dict.fromkeys(found.names, math.nan), **values})
        assert np.allclose(found.to_unit(values), point, atol=1e-9)
        assert found.from_text(found.to_text(values)) == values
        if found.allows(values):
            found.check(values)


@settings(max_examples=60)
@given(spaces(), st.integers(0, 2**32))
def test_what_is_said_of_many_points_at_once_is_what_is_said_of_each(found, seed):
    points = np.random.default_rng(seed).random((30, found.dimension))
    feasible = {point.tobytes() for point in found.feasible(points)}
    active = found.active(points)
    for point, settled, on in zip(points, found.settle(points), active, strict=True):
        values = found.from_unit(point)
        assert set(values) == {name for name, is_on in zip(found.names, on, strict=True) if is_on}
        assert found.allows(values) == (settled.tobytes() in feasible)


@settings(max_examples=60)
@given(spaces())
def test_the_survey_counts_what_the_grid_lists_and_what_draws_find(found):
    if found.structure is None:
        return
    survey = found.structure.survey
    points = np.random.default_rng(1).random((4000, found.dimension))
    assert survey.exact
    assert math.isclose(len(found.feasible(points)) / 4000, survey.share, abs_tol=0.04)
    estimated = found.structure._estimated()
    assert math.isclose(estimated.share, survey.share, abs_tol=0.02)
    assert np.allclose(estimated.forbidding, survey.forbidding, atol=0.02)
    if found.size is not None and all(r.cells < math.inf for r in found.ranges.values()):
        listed = [tuple(each.items()) for each in found.grid()]
        assert len(listed) == len(set(listed)) == found.size
        for each in listed:
            found.check(dict(each))


def test_the_size_of_a_large_space_is_exact():
    for scaling in ("Linear", "Logarithmic"):
        assert (
            space({"n": Integer(1, 10**9, scaling=scaling), "c": Categorical(["x", "y"], requires={"n": 1})}).size
            == 10**9 + 1
        )


def test_inactive_hyperparameters_are_left_out():
    found = space(NETWORK)
    small = {"optimizer": "adam", "layers": 1, "gate": "on"}
    found.check(small)
    assert found.to_text(small) == {"optimizer": "adam", "layers": "1", "gate": "on"}
    assert found.from_text({**found.to_text(small), "momentum": "0.3"}) == small
    full = {"optimizer": "sgd", "momentum": 0.5, "layers": 3, "width2": 9, "width3": 10}
    found.check(full)
    assert found.from_unit(found.to_unit(full)) == full


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"optimizer": "sgd", "layers": 1, "gate": "on"}, "momentum: this hyperparameter is missing"),
        (
            {"optimizer": "adam", "layers": 1, "gate": "on", "momentum": 0.5},
            "momentum: this hyperparameter is inactive here: it requires optimizer = sgd. Leave it out",
        ),
        ({"a": "x", "n": 1}, "«a = x and n = 1» is forbidden"),
    ],
)
def test_checking_names_what_conditions_and_constraints_are_broken(values, words):
    found = space(NETWORK) if "layers" in values else space(FINITE, *FORBIDDEN)
    with pytest.raises(InvalidSpec, match=re.escape(words)):
        found.check(values)


def test_a_grid_has_each_distinct_configuration_once():
    found = space(FINITE, *FORBIDDEN)
    assert [tuple(each.values()) for each in found.grid()] == [
        ("x", 2), ("x", 3, True), ("x", 3, False), ("x", 4, False),
        ("y", 1), ("y", 2), ("y", 3, True), ("y", 3, False), ("y", 4, False),
        ("z",),
    ]  # fmt: skip
    assert found.size == 10
    assert space(FINITE).size == 13


def test_a_category_is_drawn_as_often_as_another_where_it_is_active():
    found = space({"a": Categorical(["x", "y"]), "c": Categorical(["p", "q", "r"], requires={"a": "x"})})
    drawn = [found.sample(np.random.default_rng(seed)) for seed in range(900)]
    counts = [sum(each.get("c") == value for each in drawn) for value in ("p", "q", "r")]
    assert sum(counts) == pytest.approx(450, abs=60)
    assert all(count == pytest.approx(150, abs=45) for count in counts)


def test_little_that_is_allowed_is_found():
    found = space({"x": Continuous(0, 1), "y": Continuous(0, 1)}, "x > 0.03", "y > 0.03")
    assert found.structure.survey.share == pytest.approx(0.0009)
    drawn = found.draw(np.random.default_rng(0), 20)
    assert drawn.shape == (20, 2)
    assert drawn.max() <= 0.03
    parts = space(
        {"x": Continuous(0, 1), "n": Integer(1, 1000, scaling="Linear")}, "n != 3 and n != 600", "x > 0.5 and n = 3"
    )
    found = [parts.from_unit(point) for point in parts.draw(np.random.default_rng(0), 300)]
    assert {each["n"] for each in found} == {3, 600}
    assert sum(each["n"] == 3 for each in found) == pytest.approx(100, abs=30)
    one = space({"a": Integer(1, 300), "b": Integer(1, 300)}, "a != 7", "b != 8")
    assert one.sample(np.random.default_rng(0)) == {"a": 7, "b": 8}


def test_very_many_combinations_are_estimated():
    ranges = {f"c{i}": Categorical(list("abcde")) for i in range(12)}
    found = space(ranges, *({f"c{i}": "a", f"c{(i + 1) % 12}": v} for i in range(12) for v in "bcd"))
    survey = found.structure.survey
    assert not survey.exact
    assert 0.1 < survey.share < 0.5
    found.check(found.sample(np.random.default_rng(0)))


# -- in a request ----------------------------------------------------------------------------------------------------


def test_conditions_and_constraints_survive_the_request():
    found = spec(space=NETWORK, forbid=["optimizer = adam and layers = 3", {"momentum": "> 0.9"}])
    assert found.space.ranges["momentum"].requires == (combination({"optimizer": "sgd"}),)
    assert found.space.ranges["gate"].requires == NETWORK["gate"].requires
    assert found.space.forbidden == (combination("optimizer = adam and layers = 3"), combination("momentum > 0.9"))


def test_tags_say_them_in_words():
    given = request(space={name: r.requiring(()) for name, r in FINITE.items()})
    given["Tags"] = [
        {"Key": "alfine:requires", "Value": "n if a is x or y / c if n above 2"},
        {"Key": "alfine:forbid", "Value": "a=x n=1 / n is 4 and c is true"},
    ]
    assert read_spec(given).space.size == 10


def test_of_several_definitions_each_has_its_own():
    plain = {name: r.requiring(()) for name, r in FINITE.items()}
    job = several({"space": plain}, {"space": {"m": Integer(1, 9), "c": Integer(1, 9)}}, forbid="m = 3")
    job["Tags"].append({"Key": "alfine:requires", "Value": "c if n above 2"})
    first, second = read_spec(job).definition_specs
    assert (len(first.space.ranges["c"].requires), len(second.space.ranges["c"].requires)) == (1, 0)
    assert (first.space.forbidden, second.space.forbidden) == ((), (combination("m = 3"),))
    job["Tags"].append({"Key": "alfine:forbid-2", "Value": "/ other = 3"})
    with pytest.raises(InvalidSpec, match="no definition has all hyperparameters of «other = 3»"):
        read_spec(job)


@pytest.mark.parametrize(
    ("ranges", "forbid", "words"),
    [
        (
            {"a": Integer(1, 2, requires={"b": 1}), "c": Integer(1, 2)},
            (),
            "requires (a): there is no hyperparameter 'b'",
        ),
        ({"a": Integer(1, 2, requires={"a": 1})}, (), "requires (a): it requires itself"),
        ({"a": Integer(1, 2, requires={"b": 1}), "b": Integer(1, 2, requires={"a": 1})}, (), "a, b require each other"),
        ({"a": Integer(1, 2, requires={"b": "w"}), "b": Categorical(["u", "v"])}, (), "'w', which isn't one of u, v"),
        ({"a": Integer(1, 2, requires={"b": "> 3"}), "b": Categorical(["u", "v"])}, (), "only = and != compare it"),
        (
            {"a": Integer(1, 2, requires={"b": 7}), "b": Integer(1, 3)},
            (),
            "7 is no value of b, a whole number from 1 to 3",
        ),
        ({"a": Integer(1, 2, requires={"b": "> 3"}), "b": Integer(1, 3)}, (), "«b > 3» never holds: b is from 1 to 3"),
        ({"a": Integer(1, 2, requires={"b": 0.5}), "b": Continuous(0, 1)}, (), "Compare with < or >"),
        ({"a": Integer(1, 2, requires={"b": "> x"}), "b": Continuous(0, 1)}, (), "'x', which isn't a number"),
        (
            {"a": Integer(1, 2, requires={"b": 1, "c": 2}), "b": Integer(1, 2), "c": Integer(1, 2, requires={"b": 2})},
            (),
            "requires (a): this hyperparameter can never be active: «b = 1 and c = 2»",
        ),
        (
            {"a": Integer(1, 2, requires={"b": 1}), "b": Integer(1, 2)},
            {"b": 1},
            "requires (a): this hyperparameter can never be active",
        ),
        ({"a": Integer(1, 2)}, [{"a": 1}, {"a": 2}], "forbid: every configuration is forbidden"),
        ({"a": Integer(1, 2)}, {"b": 1}, "forbid: «b = 1»: there is no hyperparameter 'b'"),
        ({"a": Integer(1, 2)}, {"a": 3}, "forbid: «a = 3»: 3 is no value of a"),
        ({"a": Integer(1, 2)}, lambda values: values["a"] == 1, "must be combinations such as"),
    ],
)
def test_what_can_never_hold_is_a_fault(ranges, forbid, words):
    with pytest.raises(InvalidSpec, match=re.escape(words)):
        spec(space=ranges, forbid=forbid)


def test_a_faulty_space_blames_no_configuration():
    with pytest.raises(InvalidSpec) as error:
        spec(space={"n": Integer(1, 3), "x": Continuous(0, 1, requires="n > 9")}, start_with={"n": 1})
    assert [fault.path for fault in error.value.faults] == ["Tags.alfine:requires (x)"]


def test_ranges_and_spaces_are_printed_as_they_are_written():
    assert repr(NETWORK["momentum"]) == "Continuous(0, 0.99, requires='optimizer = sgd')"
    assert repr(NETWORK["optimizer"]) == "Categorical(['adam', 'sgd'])"
    assert repr(Integer(1, 9, scaling="Logarithmic")) == "Integer(1, 9, scaling='Logarithmic')"
    for each in NETWORK.values():
        assert eval(repr(each), {kind.__name__: kind for kind in (Categorical, Continuous, Integer)}) == each
    found = ParameterSpace({"n": Integer(1, 9)}, (combination("n > 8"),))
    assert repr(found) == "ParameterSpace({'n': Integer(1, 9)}, forbid=['n > 8'])"


def test_a_condition_that_is_none_says_where_it_stands():
    with pytest.raises(InvalidSpec, match="^requires: True must be combinations"):
        Continuous(0, 1, requires=True)


def test_a_configuration_to_start_with_must_be_allowed():
    with pytest.raises(InvalidSpec, match="«a = x and n = 1» is forbidden"):
        spec(space=FINITE, forbid=list(FORBIDDEN), start_with={"a": "x", "n": 1})
    with pytest.raises(InvalidSpec, match="n.*inactive here"):
        spec(space=FINITE, start_with={"a": "z", "n": 1})


def test_a_list_of_combinations_may_be_a_tuple():
    assert alternatives(({"a": "x"}, "n = 2")) == alternatives([{"a": "x"}, "n = 2"])
    assert alternatives(alternatives([{"a": "x"}])) == alternatives([{"a": "x"}])


def test_what_is_inactive_stays_at_its_one_place_when_points_are_snapped():
    network = space(NETWORK)
    points = np.random.default_rng(1).random((50, network.dimension))
    inactive = ~network.active(points)
    assert inactive.any()
    assert (network.snap(points)[inactive] == network.settle(points)[inactive]).all()


def test_values_with_signs_and_letters_of_any_kind_survive_the_request():
    odd = ["x y", "ü;=", "and", "@"]
    read = read_spec(request(space={"a": Categorical([*odd, "b"])}, forbid=[{"a": value} for value in odd]))
    assert [value for value in [*odd, "b"] if not read.space.allows({"a": value})] == odd


def test_categories_that_may_be_absent_keep_their_last_cell_for_it():
    structure = space(NETWORK).structure
    assert structure.stretch.tolist() == [1.0, 1.0, 1.0, 1.0, 1.0, 3 / 4]
    assert structure.inactive[[*NETWORK].index("gate")] == 3.5 / 4
