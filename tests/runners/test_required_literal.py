"""The text that every match of a regex contains."""

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from alfine.runners.required_literal import required_literal
from tests.runners.test_log_metrics import XGBOOST


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        (XGBOOST, "#011validation-rmse:"),
        (r"loss=(\S+)", "loss="),
        (r"(?i)Loss=(\S+)", ""),
        (r"(?i:Loss)=(\S+)", "="),
        (r"a?(bc)d?e", "bc"),
        (r"foo|bar(\d)", ""),
        (r"(?:foo)?bar=(\d)", "bar="),
        (r"(?<!x)acc: (\d)", "acc: "),
        (r"\bacc\b=(\d)", "acc="),
        (r"(abc){2}x", "abc"),
        (r"[[a]--[b]](c", ""),
        (r"a\.b\[(\d)\]", "a.b["),
        (r"ab+c=(\d)", "c="),
        (r"a{0,2}bc{2}", "b"),
        (r"a(b|cdef)g?", "a"),
        (r"a((b)c)??d", "a"),
        (r"[]a](\d)[^]bc]", ""),
        (r"\x41bc(\d)", ""),
        (r"(?x) a b # )", ""),
        (r"(?x: a # )q( \n w)", ""),
        (r"(?:foo){e<=1}(\d)", ""),
        (r"(a)\1b", ""),
        (r"(?P<n>ab)(?P=n)c", ""),
        (r"ab)c", ""),
    ],
)
def test_the_literal_that_a_match_needs(text, literal):
    assert required_literal(text) == literal


PIECES = st.sampled_from(
    [
        *("a", "b", "ab", "a?", "(ab)?", "(?:ab|b)", "[ab]", "b+", "(a)", "(?:ab){2}", "^", r"\b", "(?i:A)", "(?=a)"),
        *(r"\ ", "[^]b]", "(?:a|b)?", "b{0,1}", "a*?", "(?!b)", "(?<n>b)", "((a)b)??", "|", "(", ")", "(?>a)"),
    ]
)


@given(st.lists(PIECES, min_size=1, max_size=6).map("".join), st.text("abAB ", max_size=12))
def test_a_line_that_matches_holds_the_literal(text, line):
    try:
        match = regex.search(text, line)
    except regex.error:  # the pieces' parentheses don't match
        return
    if match:
        assert required_literal(text) in line
