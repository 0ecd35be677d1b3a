"""Known configurations are tried first."""

import pytest

import alfine
from alfine import Categorical, Continuous, Integer, InvalidSpec
from alfine.core.read_spec import read_spec
from alfine.strategies import STRATEGIES, strategy_for
from tests.building import SPACE, history, one_job, request, several, spec

FINITE = {"a": Categorical(["x", "y", "z"]), "n": Integer(1, 2)}
CATEGORIES = {"a": Categorical(["x", "y", "z"]), "n": Categorical(["1", "2"])}
FIRST, SECOND = {"eta": 0.3, "depth": 6, "booster": "dart"}, {"eta": 0.1, "depth": 3, "booster": "gbtree"}


def asked(past, count, failing=()):
    strategy, found = strategy_for(past.spec), []
    for number in range(count):
        suggestion = strategy.ask(past)
        if suggestion is None:
            break
        found.append(suggestion.hyperparameters)
        value, status = (None, "Failed") if number in failing else (float(number), "Completed")
        for fact in one_job(past, value, status=status, hyperparameters=suggestion.hyperparameters):
            past.record(fact)
    return found


@pytest.mark.parametrize("name", ["Bayesian", "Random", "Hyperband"])
def test_they_are_tried_in_their_order_and_once(name):
    words = {"max_resource": 9} if name == "Hyperband" else {}
    found = asked(history(strategy=name, start_with=[FIRST, SECOND], **words), 6, failing=[0])
    assert found[:2] == [FIRST, SECOND]
    assert FIRST not in found[2:]
    assert SECOND not in found[2:]


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_finite_space_is_still_exhausted_exactly_once(name):
    words = {"max_resource": 9} if name == "Hyperband" else {}
    space = CATEGORIES if name == "Grid" else FINITE
    first = {"a": "z", "n": "2" if name == "Grid" else 2}
    found = asked(history(strategy=name, space=space, start_with=first, **words), 20, failing=[0, 3])
    assert found[0] == first
    assert len(found) == len({tuple(each.items()) for each in found}) == 6


def test_launched_side_by_side_they_are_still_tried_once():
    past, strategy = history(start_with=[FIRST, SECOND]), strategy_for(spec(start_with=[FIRST, SECOND]))
    found = []
    for _ in range(4):
        found.append(strategy.ask(past).hyperparameters)
        past = past.with_launch(found[-1])
    assert found[:2] == [FIRST, SECOND]
    assert len({tuple(each.items()) for each in found}) == 4
    assert strategy.ask(history(start_with=[FIRST, SECOND])).hyperparameters == FIRST


def test_a_tuner_does_not_ask_for_what_it_was_told():
    tuner = alfine.Tuner(SPACE, start_with=[FIRST, SECOND])
    tuner.observe(FIRST, 0.5)
    assert tuner.ask().hyperparameters == SECOND


def test_categories_keep_their_own_types():
    space = {"bias": Categorical([True, False, None]), "n": Integer(1, 9)}
    tuner = alfine.Tuner(space, start_with={"bias": None, "n": 3})
    assert tuner.ask().hyperparameters == {"bias": None, "n": 3}


def test_a_tag_says_them_in_words():
    given = request()
    given["Tags"] = [
        {"Key": "alfine:start-with", "Value": "eta=0.3 depth=6 booster=dart / eta is 0.1"},
        {"Key": "alfine:start-with-2", "Value": "and depth is 3 and booster is gbtree"},
    ]
    found = read_spec(given)
    assert [found.space.from_text(each) for each in found.start_with] == [FIRST, SECOND]


def test_a_long_list_takes_several_tags():
    many = [{**FIRST, "eta": 0.01 + i / 100} for i in range(40)]
    given = request(start_with=many)
    assert all(len(tag["Value"]) <= 256 for tag in given["Tags"])
    found = read_spec(given)
    assert [found.space.from_text(each) for each in found.start_with] == many


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"eta": 0.3, "depth": 6}, "booster.*missing"),
        ({**FIRST, "x": 1}, "x.*no such hyperparameter"),
        ({**FIRST, "depth": 99}, "depth.*99 lies outside"),
        ({**FIRST, "depth": 2.5}, "depth.*2.5' lies outside"),
        ({**FIRST, "booster": "tree"}, "booster.*'tree' lies outside '\\w+', '\\w+'"),
        ("eta above 0.3", "must give each hyperparameter one value"),
        ("eta 0.3", "after eta"),
        ([3], "must be a configuration"),
        (5, "5 must be a configuration"),
    ],
)
def test_what_the_space_does_not_have_is_told(given, words):
    with pytest.raises(InvalidSpec, match=words):
        spec(start_with=given)


def test_of_several_definitions_each_begins_with_what_is_its_own():
    job = several({}, {"space": {"c": Integer(1, 9)}}, start_with=["eta=0.3 depth=6 booster=dart", {"c": 4}])
    found = read_spec(job)
    assert [len(part.start_with) for part in found.definition_specs] == [1, 1]
    with pytest.raises(InvalidSpec, match="no definition has all hyperparameters"):
        read_spec(several({}, {}, start_with={"other": 4}))


def test_a_definition_whose_hyperparameters_another_has_too_can_begin_with_its_own():
    space = {"eta": Continuous(0, 1)}
    job = several(
        {"space": space}, {"space": {**space, "c": Integer(1, 9)}}, start_with=[{"eta": 0.25}, {"eta": 0.5, "c": 4}]
    )
    found = read_spec(job)
    assert [[*part.start_with] for part in found.definition_specs] == [[{"eta": "0.25"}], [{"eta": "0.5", "c": "4"}]]
    with pytest.raises(
        InvalidSpec, match="«c = 4» is a whole configuration of no definition: each hyperparameter needs a value"
    ):
        read_spec(several({"space": space}, {"space": {**space, "c": Integer(1, 9)}}, start_with={"c": 4}))
