"""No error is swallowed without a sentence at its place that says why nobody needs to know, or who is told."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "src/alfine"
FEWEST_WORDS = 3
BROAD = {"Exception", "BaseException", ""}


def names_in(caught: ast.expr | None) -> set[str]:
    """The exceptions of a handler; "" for one that catches everything."""
    if isinstance(caught, ast.Tuple):
        return set().union(*map(names_in, caught.elts))
    return {"" if caught is None else ast.unparse(caught).rpartition(".")[2]}


def says_nothing(body: list[ast.stmt]) -> bool:
    """Whether a handler only goes on, or returns a value in place of an answer."""
    constant = ast.Constant | ast.List | ast.Tuple | ast.Dict
    return all(
        isinstance(each, ast.Pass | ast.Continue)
        or (isinstance(each, ast.Return) and (each.value is None or isinstance(each.value, constant)))
        for each in body
    )


def raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(each, ast.Raise) for each in ast.walk(handler))


def swallowing(tree: ast.Module) -> Iterator[tuple[ast.AST, int, int]]:
    """What may swallow an error, with the lines at which its sentence can stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With | ast.AsyncWith):
            calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
            if any(ast.unparse(call.func).rpartition(".")[2] == "suppress" for call in calls):
                yield node, node.lineno - 1, node.body[0].end_lineno or node.lineno
        elif isinstance(node, ast.ExceptHandler) and not raises(node):
            caught = names_in(node.type)
            if caught & BROAD:
                yield node, node.lineno - 1, node.body[0].lineno
            elif "OSError" in caught and says_nothing(node.body):
                yield node, node.lineno - 1, node.body[-1].end_lineno or node.lineno
        elif isinstance(node, ast.Call):
            for word in node.keywords:
                if (word.arg, ast.unparse(word.value)) in (("ignore_errors", "True"), ("errors", "'ignore'")):
                    yield node, node.lineno - 1, node.end_lineno or node.lineno


def sentences(text: str) -> dict[int, str]:
    """The comments of a module by line, without directions for linters."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comment = token.string.lstrip("# ")
            for direction in ("noqa", "type: ignore"):
                if comment.startswith(direction):
                    comment = comment.partition(" - ")[2]
            found[token.start[0]] = comment
    return found


def unexplained(text: str) -> list[int]:
    """The lines that may swallow an error without a sentence."""
    said = sentences(text)
    return [
        node.lineno
        for node, first, last in swallowing(ast.parse(text))
        if not any(len(said.get(line, "").split()) >= FEWEST_WORDS for line in range(first, last + 1))
    ]


def test_whatever_swallows_an_error_says_why_nobody_needs_to_know():
    found = {str(path.relative_to(ROOT)): unexplained(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "code",
    [
        "with suppress(OSError):\n    f()",
        "try:\n    f()\nexcept Exception:\n    g()",
        "try:\n    f()\nexcept:\n    pass",
        "try:\n    f()\nexcept (OSError, ValueError):\n    pass",
        "shutil.rmtree(x, ignore_errors=True)",
        "with suppress(OSError):  # noqa: SIM117\n    f()",
    ],
)
def test_the_rule_bites(code):
    assert unexplained(code) == [1 if "try" not in code else 3]
    assert unexplained(f"# it may be gone by now\n{code}") == ([] if "try" not in code else [4])
