"""Settings in the tags of a request: texts that are longer than a tag, the order of hyperparameters, repeats, numbers of GPUs."""

import math

import pytest

from alfine import InvalidSpec
from alfine.core.settings import (
    LONGEST_TAG,
    Repeats,
    gpu_count_trouble,
    in_order,
    is_number,
    kept_for_repeats,
    put_order,
    put_setting,
    put_text,
    setting_of,
    settings_in,
    text_of,
    without_order,
)

TEAM = {"Key": "team", "Value": "vision"}


def tag(name, text):
    return {"Key": f"alfine:{name}", "Value": text}


def test_a_setting_is_written_in_place_of_an_earlier_one_and_other_tags_stay():
    request = {"Tags": [TEAM, tag("warm", "on")]}
    put_setting(request, "warm", "off")
    put_setting(request, "threads", "2")
    assert request["Tags"] == [TEAM, tag("warm", "off"), tag("threads", "2")]
    assert settings_in(request) == {"warm": "off", "threads": "2"}
    assert (setting_of(request, "threads"), setting_of(request, "gpus"), setting_of({}, "gpus")) == ("2", None, None)
    put_setting(request, "warm", None)
    put_setting(request, "threads", None)
    assert request == {"Tags": [TEAM]}
    request = {"Tags": [tag("warm", "on")]}
    put_setting(request, "warm", None)
    assert request == {}, "no empty list of tags is left"


def test_a_long_text_continues_in_further_tags_at_white_space():
    request, word = {}, "two-parts" + "c" * 91
    put_text(request, "forbid", " ".join([word] * 5))
    settings = settings_in(request)
    assert [*settings] == ["forbid", "forbid-2", "forbid-3"]
    assert settings["forbid"] == f"{word} {word}"
    assert text_of(settings, "forbid") == " ".join([word] * 5)
    assert text_of({"forbid-2": "x"}, "forbid") is None, "it begins without a number"
    assert text_of({"forbid": "x", "forbid-3": "y"}, "forbid") == "x", "it ends where a number is missing"


def test_a_word_may_be_as_long_as_a_tag_and_no_longer():
    request = {}
    put_text(request, "start-with", "x" * LONGEST_TAG)
    assert settings_in(request) == {"start-with": "x" * 256}
    with pytest.raises(InvalidSpec) as caught:
        put_text(request, "start-with", "y" * 257)
    assert str(caught.value) == f"start_with: '{'y' * 40}'… has 257 characters; a tag of AWS has at most 256."


def test_the_order_of_hyperparameters_is_kept_where_their_names_can_be_written():
    request = {"Tags": [TEAM]}
    put_order(request, ["b", "a", "x" * 256])
    assert [*in_order(request, {"a": "1", "x" * 256: "2", "b": "3", "c": "4"})] == ["b", "a", "x" * 256, "c"]
    assert without_order(request) == {"Tags": [TEAM]}
    for odd in ("a b", "", "x" * 257):
        request = {"Tags": [], "other": 1}
        put_order(request, ["a", odd])
        assert request == {"Tags": [], "other": 1}
    put_order(request, ["a"])
    assert without_order(request) == {"other": 1}


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        (1, True),
        ("1e3", True),
        (0, False),
        (True, False),
        ("x", False),
        (None, False),
        (10**400, False),
        ("nan", False),
    ],
)
def test_a_number_may_be_a_text(value, is_one):
    assert is_number(value, lambda x: x > 0) is is_one


@pytest.mark.parametrize("count", [0, 0.5, 1, 1.0, 2, 8.0])
def test_gpus_may_be_whole_or_a_part_of_one(count):
    assert gpu_count_trouble(count) == ""


@pytest.mark.parametrize("count", [-1, -0.5, 1.5, math.inf, -math.inf, math.nan])
def test_other_numbers_of_gpus_are_refused(count):
    assert gpu_count_trouble(count) == f"{count} must be a whole number from 0 on, or a part of one GPU, such as 0.5."


@pytest.mark.parametrize(
    ("given", "best", "times"),
    [
        (4, 3, 4),
        ("best=100 times=100", 100, 100),
        ({"best": 1}, 1, 5),
        ({"times": 1, "best": 2}, 2, 1),
        (Repeats(2, 7), 2, 7),
    ],
)
def test_repeats_are_given_in_several_ways(given, best, times):
    repeats = Repeats.of(given)
    assert (repeats, repeats.training_jobs) == (Repeats(best=best, times=times), best * times)
    assert Repeats.read(str(repeats)) == repeats
    assert kept_for_repeats({"repeats": str(repeats)}) == best * times


@pytest.mark.parametrize(
    "given", [True, False, 0, 101, 1000, "", {}, {"best": 0}, {"best": 101}, {"of": 3}, "best", None]
)
def test_other_repeats_are_refused(given):
    with pytest.raises(InvalidSpec, match="must be as «best=3 times=5», two whole numbers from 1 to 100"):
        Repeats.of(given)
    assert kept_for_repeats({}) == 0
