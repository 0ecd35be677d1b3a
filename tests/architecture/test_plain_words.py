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
        for node in module.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node) or ""
                name = getattr(node, "name", "")
                yield f"{module.name}.{name}: {text[:80]}", text, is_function(node)


def is_function(node):
    decorators = [ast.unparse(decorator) for decorator in getattr(node, "decorator_list", [])]
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not any(
        "property" in decorator for decorator in decorators
    )


FLOATS_FORMATTED = {
    "core.range_words": "a range as Python writes it",
    "core.wording": "the formatter itself",
    "figures.sparkline": "coordinates of a drawing",
    "figures.svg_marks": "coordinates of a drawing",
    "figures.svg_scales": "ticks, which need as many digits as their distance, and colours",
    "programs.algorithms.specification": "bounds as AWS's CreateAlgorithm has them, in texts",
    "programs.algorithms.train_lightgbm": "the log of SageMaker's container, which regexes read",
    "programs.algorithms.linear.metrics": "the log and metric names of SageMaker's container, which regexes read",
    "programs.algorithms.train_linear_learner": "the log and metric names of SageMaker's container, which regexes read",
    "programs.algorithms.train_xgboost": "the log of SageMaker's container, which regexes read",
    "programs.samples.tables": "files of data sets",
    "surrogate.wider_space": "rounds a bound that it proposes",
}
"""Modules that write a number with a format of their own, and why it isn't `alfine.core.wording`'s. Runners stand beside core and don't import it."""

FLOAT = re.compile(r"[<>=^]?[-+ ]?#?0?\d*[,_]?(\.(\d+|\{\w*\}))?[eEfFgGn%]")
FLOAT_IN_TEXT = re.compile(r"\{[^{}:]*:" + FLOAT.pattern + r"\}")


def test_numbers_for_people_are_written_in_one_place(house):
    others = [module for module in house.modules.values() if module.room != "runners"]
    found = {module.name for module in others if any(float_formats(module.nodes))}
    assert found == set(FLOATS_FORMATTED)


def float_formats(nodes):
    """The formats of floats in f-strings, and in the texts that `str.format` and its like are given."""
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    inside = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in nodes:
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            spec = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.format_spec.values)
            if FLOAT.fullmatch(spec):
                yield spec
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | inside:
            yield from FLOAT_IN_TEXT.findall(node.value)
