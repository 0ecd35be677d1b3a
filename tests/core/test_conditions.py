import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alfine import InvalidSpec
from alfine.core.conditions import OPERATORS, Clause, Entry, alternatives, combination, read, write

TAG_VALUE = re.compile(r"[\w\s.:/=+\-@]*")  # what AWS lets a tag have
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["and", "or", "if", "/", "is", "="]
)
clauses = st.builds(Clause, texts, st.sampled_from(OPERATORS), st.lists(texts, min_size=1, max_size=3).map(tuple))
entries = st.builds(Entry, st.lists(clauses, min_size=1, max_size=3).map(tuple), st.none() | texts)


@given(st.lists(entries, min_size=1, max_size=4))
def test_what_was_written_into_a_tag_is_read_again(given):
    text = write(given)
    assert TAG_VALUE.fullmatch(text)
    assert read(text) == given


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("optimizer = sgd", [Clause("optimizer", "is", ("sgd",))]),
        ("lr>0.5 and optimizer=sgd", [Clause("lr", "above", ("0.5",)), Clause("optimizer", "is", ("sgd",))]),
        ("kernel is rbf or poly", [Clause("kernel", "is", ("rbf", "poly"))]),
        ('a = "x y" and b != 3', [Clause("a", "is", ("x y",)), Clause("b", "is-not", ("3",))]),
        ("a at-least -3 b below 1e-3", [Clause("a", "at-least", ("-3",)), Clause("b", "below", ("1e-3",))]),
    ],
)
def test_a_combination_is_read_from_words_and_signs(text, found):
    assert combination(text) == tuple(found)


def test_a_mapping_says_the_same():
    assert combination({"lr": "> 0.5", "kernel": ["rbf", "poly"], "bias": True, "n": 3}) == (
        Clause("lr", "above", ("0.5",)),
        Clause("kernel", "is", ("rbf", "poly")),
        Clause("bias", "is", ("true",)),
        Clause("n", "is", ("3",)),
    )
    assert alternatives([{"a": 1}, "b = 2"]) == (combination({"a": 1}), combination("b = 2"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("optimizer sgd", "at «sgd» (character 11): there is no operator after optimizer. Use one of =, "),
        ("optimizer =", "at its end: a value of optimizer is missing"),
        ("= sgd", "at «=» (character 1): the name of a hyperparameter is missing"),
        ("a = 1 and", "at its end: the name of a hyperparameter is missing"),
        ("a = 1 /", "at its end: there is no clause. Write one as «name = value»."),
        ("a ! 1", "at «!» (character 3): there is no operator after a."),
        ("a = 1 / b = 2", "must be one combination"),
        ({}, "must be a mapping"),
        ({"a": []}, "is no value of a"),
        (3, "must be a mapping"),
    ],
)
def test_what_cannot_be_read_is_told(given, words):
    with pytest.raises(InvalidSpec, match=re.escape(words)):
        combination(given)
