"""Single changes of Python code («mutants»), as a mistake would make them: another comparison, sign, number, condition or result.

Left out are docstrings, annotations, decorators, texts, log messages and what is only read by type checkers: to change these breaks nothing
that a test should notice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
"""What takes a comparison's place."""

WORDS = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}
"""How each is written."""

SIGNS = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.BitOr: "&",
    ast.BitAnd: "|",
}
"""What takes a sign's place."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the bytes from `begin` to `end` of a file become `after`."""

    path: str
    line: int
    begin: int
    end: int
    before: str
    after: str
    kind: str

    def apply(self, text: str) -> str:
        """Return the file with the change."""
        data = text.encode()
        return (data[: self.begin] + self.after.encode() + data[self.end :]).decode()


def mutants_of(path: str, text: str) -> list[Mutant]:
    """Return every single change of a module, in the order of its text."""
    found = _Finder(path, text).found(ast.parse(text))
    return sorted(set(found), key=lambda mutant: (mutant.begin, mutant.end, mutant.after))


class _Finder:
    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.starts = [0]
        for line in text.encode().split(b"\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)

    def found(self, node: ast.AST) -> Iterator[Mutant]:
        for child in self._children(node):
            for kind, place, after in self._changes(child):
                yield self._mutant(kind, place, after)
            yield from self.found(child)

    def _children(self, node: ast.AST) -> Iterator[ast.AST]:
        skipped: set[int] = set()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            skipped = {id(each) for each in [node.returns, *node.decorator_list] if each}
        elif isinstance(node, ast.ClassDef):
            skipped = {id(each) for each in node.decorator_list}
        elif isinstance(node, ast.AnnAssign | ast.arg):
            skipped = {id(node.annotation)}
        elif isinstance(node, ast.Raise):
            skipped = {id(each) for each in (node.exc, node.cause)}
        for child in ast.iter_child_nodes(node):
            if id(child) not in skipped and not _is_left_out(child):
                yield child

    def _changes(self, node: ast.AST) -> Iterator[tuple[str, ast.AST, str]]:
        yield from self._of_operators(node)
        yield from self._of_statements(node)

    def _of_operators(self, node: ast.AST) -> Iterator[tuple[str, ast.AST, str]]:
        match node:
            case ast.Compare():
                yield from self._comparisons(node)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in SIGNS and not _has_text(node):
                yield "sign", node, f"(({self._of(left)}) {SIGNS[type(op)]} ({self._of(right)}))"
            case ast.AugAssign(target=target, op=op, value=value) if type(op) in SIGNS:
                yield "sign", node, f"{self._of(target)} {SIGNS[type(op)]}= {self._of(value)}"
            case ast.BoolOp(op=op, values=values):
                word = " or " if isinstance(op, ast.And) else " and "
                yield "and/or", node, f"({word.join(f'({self._of(value)})' for value in values)})"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield "not", node, f"({self._of(operand)})"
            case ast.Constant(value=bool(value)):
                yield "truth", node, str(not value)
            case ast.Constant(value=int() | float() as value) if value + 1 != value:
                yield "number", node, repr(value + 1)

    def _of_statements(self, node: ast.AST) -> Iterator[tuple[str, ast.AST, str]]:
        match node:
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield "condition", test, f"(not ({self._of(test)}))"
            case ast.Return(value=ast.expr() as value) if not _is_none(value):
                yield "result", value, "None"
            case ast.Expr(value=ast.Call() as call):
                yield "statement", call, "None"
            case ast.Break():
                yield "loop", node, "continue"
            case ast.Continue():
                yield "loop", node, "break"

    def _comparisons(self, node: ast.Compare) -> Iterator[tuple[str, ast.AST, str]]:
        parts = [self._of(each) for each in (node.left, *node.comparators)]
        for changed in range(len(node.ops)):
            words = [
                COMPARISONS[type(op)] if place == changed else WORDS[type(op)] for place, op in enumerate(node.ops)
            ]
            rest = "".join(f" {word} ({part})" for word, part in zip(words, parts[1:], strict=True))
            yield "comparison", node, f"(({parts[0]}){rest})"

    def _of(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text, node) or ast.unparse(node)

    def _mutant(self, kind: str, place: ast.AST, after: str) -> Mutant:
        begin = self.starts[place.lineno - 1] + place.col_offset
        end = self.starts[place.end_lineno - 1] + place.end_col_offset
        return Mutant(self.path, place.lineno, begin, end, self._of(place), after, kind)


def _is_left_out(node: ast.AST) -> bool:
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return True
    if isinstance(node, ast.Expr):
        if isinstance(node.value, ast.Constant):
            return True
        return isinstance(node.value, ast.Call) and ast.unparse(node.value.func).startswith("log.")
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.FunctionDef) and node.name == "__repr__")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _has_text(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.JoinedStr) or (isinstance(each, ast.Constant) and isinstance(each.value, str))
        for each in ast.walk(node)
    )
