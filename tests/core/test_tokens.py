"""The tokenizer that conditions and criteria are read with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alfine.core.tokens import END, Tokens

SIGNS, BRACKETS = ("==", "!=", ">=", "<=", "=", ">", "<", "!"), ("(", ")", ",", "=")


def texts(text, marks):
    tokens = Tokens(text, marks)
    found = []
    while tokens:
        found.append(tokens.take().text)
    return found


@pytest.mark.parametrize(
    ("text", "marks", "found"),
    [
        ("lr>=0.5 and a != b", SIGNS, ["lr", ">=", "0.5", "and", "a", "!=", "b"]),
        ("f(x), (y)", SIGNS, ["f(x),", "(y)"]),
        ("AllOf(A 10, B delta=0.1)", BRACKETS, ["AllOf", "(", "A", "10", ",", "B", "delta", "=", "0.1", ")"]),
        ("""a = "x = 'y'" b""", SIGNS, ["a", "=", "x = 'y'", "b"]),
        ("""'' "unclosed""", BRACKETS, ["", '"unclosed']),
        ("  ", SIGNS, []),
    ],
)
def test_a_text_falls_into_words_marks_and_what_stands_in_quotes(text, marks, found):
    assert texts(text, marks) == found


@given(st.text())
def test_nothing_but_white_space_and_quotes_is_lost(text):
    joined = "".join(texts(text, BRACKETS))
    assert [c for c in joined if c not in "\"' " and not c.isspace()] == [
        c for c in text if c not in "\"' " and not c.isspace()
    ]


def test_what_stands_in_quotes_is_no_mark_and_no_keyword():
    tokens = Tokens("'and' and '='", SIGNS)
    assert [tokens.take().is_one_of("and", "=") for _ in range(3)] == [False, True, False]
    assert tokens.take() is END
    assert not END.is_one_of("")


def test_tokens_are_looked_at_taken_and_put_back():
    tokens = Tokens("a = b", SIGNS)
    assert (tokens.peek().text, tokens.peek(2).text, tokens.peek(3)) == ("a", "b", END)
    first = tokens.take()
    assert tokens.take_if(">", "=")
    assert not tokens.take_if("=")
    tokens.put_back(first)
    assert [tokens.take().text for _ in range(2)] == ["a", "b"]
    assert not tokens


def test_an_error_says_what_cannot_be_read_where_and_why():
    tokens = Tokens("a b", SIGNS, path="forbid")
    tokens.take()
    assert str(tokens.unreadable("an operator is missing.")) == (
        "forbid: 'a b' can't be read at «b» (character 3): an operator is missing."
    )
    tokens.take()
    assert tokens.where() == "at its end"
