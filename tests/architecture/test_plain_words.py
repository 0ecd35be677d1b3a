"""Docstrings are read alone, and numbers for people are written in one place."""

from __future__ import annotations

import ast
import re

QUESTIONS = re.compile(
    r"(What|Whether|How|Which|Who|Where|When|Why|Of|Those|The same|As|Its|From|By|In|At|None|Each of|All of|That) "
)
"""Beginnings of an answer without its question, such as «What the guard lets in.»"""

NOUNS = re.compile(r"(The|A|An) ")


def test_no_docstring_begins_like_an_answer_without_its_question(house):
    found = [place for place, summary, _ in summaries(house) if QUESTIONS.match(summary)]
    assert found == [], "say what it does («Return whether …»), or of a class what it is"


def test_the_docstring_of_a_function_begins_with_what_it_does(house):
    found = [place for place, summary, is_function in summaries(house) if is_function and NOUNS.match(summary)]
    assert found == [], "begin with a verb: «Return the …»"


def summaries(house):
    """Place, first line and whether it's a function's, for every docstring; a property is a value, no function."""
    for module in house.modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node) or ""
                name = getattr(node, "name", "")
                yield f"{module.name}.{name}: {text[:80]}", text, is_function(node)


def is_function(node):
    decorators = [ast.unparse(decorator) for decorator in getattr(node, "decorator_list", [])]
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not any(
        "property" in decorator for decorator in decorators
    )
