"""Measure the house: rooms, floors, arrows, import circles, docstrings and lines of src/alfine, from its source alone.

    python docs/measure_house.py                              # this clone
    python docs/measure_house.py ./ path/to/older/clone/ optuna   # side by side: clones of alfine, and installed packages

docs/architecture.md has these figures. A room is a package directly in `alfine`, or a module there that isn't one of the three which belong
there. An arrow is a pair of rooms of which the first imports from the second. A circle is a set of modules that import each other, directly
or through others. Imports for type checkers (`if TYPE_CHECKING:`) don't count.
"""

from __future__ import annotations

import ast
import importlib.util
import statistics
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NO_ROOM = {"__init__", "__main__", "_version"}  # modules that may lie directly in the package
LONGEST = 10  # files that are listed by name
RETURN = ("Return ", "Yield ")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of a package: the package's name, the file's dotted name without it, its text and its syntax tree.

    is_package: it is an `__init__.py`.
    """

    package: str
    name: str
    text: str
    tree: ast.Module
    is_package: bool = False

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]

    @property
    def file(self) -> str:
        """Its path in the package."""
        return self.name.replace(".", "/") + ("/__init__.py" if self.is_package else ".py")

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes of the syntax tree, listed once: to walk through the trees of the whole house takes seconds."""
        return tuple(ast.walk(self.tree))

    def base_of(self, node: ast.ImportFrom) -> str:
        """Return the dotted name that `from … import` imports from, also where it's relative to this module."""
        if not node.level:
            return node.module or ""
        above = self.name.split(".")
        above = above[: len(above) - node.level + self.is_package]
        return ".".join([self.package, *above, *([node.module] if node.module else [])])


@dataclass(frozen=True)
class House:
    """A package.

    package: its name. modules: by dotted name. layers: the rooms of each floor, the top floor first, as pyproject.toml gives them to
    import-linter; empty for other packages.
    """

    package: str
    modules: Mapping[str, Module]
    layers: tuple[frozenset[str], ...] = ()

    @classmethod
    def of(cls, clone: Path) -> House:
        """Read the house of a clone of alfine."""
        return cls("alfine", _modules(clone / "src" / "alfine"), _layers(clone / "pyproject.toml"))

    @classmethod
    def floors(cls, clone: Path) -> dict[str, int]:
        """Return the floor of each room of a clone, without reading its modules."""
        return cls("alfine", {}, _layers(clone / "pyproject.toml")).floor

    @classmethod
    def installed(cls, name: str) -> House:
        """Read an installed package."""
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise SystemExit(f"{name} isn't installed here.")
        return cls(name, _modules(Path(found.origin).parent))

    @cached_property
    def rooms(self) -> set[str]:
        return {module.room for module in self.modules.values()} - NO_ROOM

    @cached_property
    def loose(self) -> list[str]:
        """Modules directly in the package that aren't the three which belong there."""
        packages = {module.room for module in self.modules.values() if "." in module.name}
        return sorted(self.rooms - packages)

    def imports(self, *, deferred: bool) -> dict[str, set[str]]:
        """Return which modules each module imports. deferred: imports inside functions, too."""
        return {name: set(self._imported(module, deferred=deferred)) for name, module in self.modules.items()}

    def _imported(self, module: Module, *, deferred: bool) -> Iterator[str]:
        for node in _statements(module.tree, into_functions=deferred):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{module.base_of(node)}.{alias.name}" for alias in node.names]
            else:
                continue
            yield from (target for target in map(self._module_named, names) if target and target != module.name)

    def _module_named(self, dotted: str) -> str | None:
        """The module of ours that `dotted` is, or that has it as a name."""
        package, _, name = dotted.partition(".")
        if package != self.package:
            return None
        while name and name not in self.modules:
            name = name.rpartition(".")[0]
        return name or "__init__"

    @cached_property
    def arrows(self) -> set[tuple[str, str]]:
        found = {
            (self.modules[name].room, self.modules[target].room)
            for name, targets in self.imports(deferred=True).items()
            for target in targets
        }
        return {(start, end) for start, end in found if start != end and not {start, end} & NO_ROOM}

    @cached_property
    def floor(self) -> dict[str, int]:
        """The floor of each room; the lowest is 1."""
        return {room: len(self.layers) - place for place, rooms in enumerate(self.layers) for room in rooms}

    @property
    def wrong_arrows(self) -> list[tuple[str, str]]:
        """Arrows that don't point to a lower floor."""
        return sorted(
            (start, end)
            for start, end in self.arrows
            if start in self.floor and end in self.floor and self.floor[start] <= self.floor[end]
        )


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the sets of nodes that reach each other, the largest first (Tarjan 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        path.append(node)
        for target in graph.get(node, ()):
            if target not in order:
                visit(target)
                lowest[node] = min(lowest[node], lowest[target])
            elif target in path:
                lowest[node] = min(lowest[node], order[target])
        if lowest[node] == order[node]:
            circle = path[path.index(node) :]
            del path[path.index(node) :]
            if len(circle) > 1:
                found.append(sorted(circle))

    for node in graph:
        if node not in order:
            visit(node)
    return sorted(found, key=len, reverse=True)


def public(module: Module) -> Iterator[ast.ClassDef | Function]:
    """Yield the classes, functions and methods of a module whose names, and whose classes' names, don't begin with an underscore."""
    waiting: list[ast.stmt] = list(module.tree.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                waiting = [*node.body, *waiting]


def functions(modules: Iterable[Module]) -> Iterator[tuple[Module, Function]]:
    for module in modules:
        yield from ((module, node) for node in module.nodes if isinstance(node, Function))


def code_lines(function: Function, module: Module) -> int:
    """The lines of a function without blank lines, comments and its docstring."""
    lines = module.text.splitlines()
    numbers = set(range(function.lineno, (function.end_lineno or function.lineno) + 1))
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        numbers -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return sum(bool(lines[number - 1].strip()) and not lines[number - 1].lstrip().startswith("#") for number in numbers)


def _code_lines_of(module: Module) -> int:
    """The lines of a module without blank lines, comments and docstrings."""
    said: set[int] = set()
    for node in module.nodes:
        has_docstring = isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node) is not None
        if has_docstring and isinstance(node.body[0], ast.Expr):
            said |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = enumerate(module.text.splitlines(), 1)
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for number, line in lines if number not in said)


def report(house: House) -> dict[str, str]:
    """Return the figures of a package, by what they are."""
    modules = house.modules.values()
    lengths = sorted(code_lines(function, module) for module, function in functions(modules))
    longest = max(modules, key=lambda module: module.lines)
    return {
        "packages, loose modules at the top": f"{len(house.rooms - set(house.loose))}, {len(house.loose)}",
        "floors": str(len(house.layers) or "–"),
        "arrows between these": f"{len(house.arrows)}",
        "arrows that don't point downwards": str(len(house.wrong_arrows)) if house.layers else "–",
        "modules in import circles": str(_in_circles(house.imports(deferred=False))),
        "… with imports inside functions": str(_in_circles(house.imports(deferred=True))),
        "files": f"{len(house.modules)}",
        "lines": f"{sum(module.lines for module in modules):,}",
        "lines of code (no comments, docstrings, blank lines)": f"{sum(map(_code_lines_of, modules)):,}",
        "longest file": f"{longest.lines:,}",
        "code lines of a function: median, 95th percentile, longest": (
            f"{statistics.median(lengths):g}, {lengths[int(0.95 * len(lengths))]}, {lengths[-1]}"
        ),
        **_report_docstrings(house),
    }


def _report_docstrings(house: House) -> dict[str, str]:
    faces = [(node, ast.get_docstring(node) or "") for module in house.modules.values() for node in public(module)]
    taking = [text for node, text in faces if isinstance(node, Function) and _arguments(node)]
    returning = [text for node, text in faces if isinstance(node, Function) and _returns(node)]
    return {
        "public classes, functions and methods": f"{len(faces):,}",
        "… with a docstring": _share(sum(bool(text) for _, text in faces), len(faces)),
        "those with arguments: docstring has Args": _share(sum("Args:" in text for text in taking), len(taking)),
        "those that return something: docstring has Returns, or begins with Return": _share(
            sum("Returns:" in text or text.startswith(RETURN) for text in returning), len(returning)
        ),
    }


def details(house: House) -> Iterator[str]:
    """Yield the names behind some of the figures, a line each."""
    yield f"packages: {', '.join(sorted(house.rooms - set(house.loose)))}"
    yield f"loose modules: {', '.join(house.loose) or 'none'}"
    wrong = ", ".join(f"{start} → {end}" for start, end in house.wrong_arrows)
    yield f"arrows that don't point downwards: {wrong or 'none'}"
    found = circles(house.imports(deferred=True))
    yield f"import circles: {'; '.join(', '.join(circle) for circle in found) or 'none'}"
    longest = sorted(house.modules.values(), key=lambda module: module.lines, reverse=True)[:LONGEST]
    yield f"longest files: {', '.join(f'{module.name} {module.lines}' for module in longest)}"


def _in_circles(graph: Mapping[str, Iterable[str]]) -> int:
    return sum(map(len, circles(graph)))


def _arguments(function: Function) -> list[str]:
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [argument.arg for argument in given if argument.arg not in {"self", "cls"}]


def _returns(function: Function) -> bool:
    return function.returns is not None and ast.unparse(function.returns) not in {"None", "NoReturn"}


def _statements(tree: ast.AST, *, into_functions: bool) -> Iterator[ast.AST]:
    """Walk a module as its import runs it; into_functions: what its functions run, too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.expr):  # nothing is imported there
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, Function) and not into_functions:
            continue
        yield node
        yield from _statements(node, into_functions=into_functions)


def _modules(package: Path) -> dict[str, Module]:
    """The modules of a package by their dotted names; tests that are installed with it don't count."""
    files = [
        file for file in sorted(package.rglob("*.py")) if not {"tests", "test"} & set(file.relative_to(package).parts)
    ]
    found = {}
    for file in files:
        text, name = file.read_text(), _dotted(file.relative_to(package))
        found[name] = Module(
            package.name, name, text, ast.parse(text), file.name == "__init__.py" and name != "__init__"
        )
    return found


def _dotted(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _layers(pyproject: Path) -> tuple[frozenset[str], ...]:
    contracts = tomllib.loads(pyproject.read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract.get("exhaustive"))
    return tuple(frozenset(room.strip() for room in layer.split("|")) for layer in layers)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.0f} %"


def main(words: list[str]) -> None:
    """Print a table with a column for each package, and names for the first one."""
    houses = {word: House.of(Path(word)) if "/" in word or word == "." else House.installed(word) for word in words}
    columns = [report(house) for house in houses.values()]
    titles = [house.package for house in houses.values()]
    lines = [f"| | {' | '.join(titles)} |", f"| --- |{' --- |' * len(houses)}"]
    lines += [f"| {what} | {' | '.join(column[what] for column in columns)} |" for what in columns[0]]
    sys.stdout.write("\n".join([*lines, "", *details(next(iter(houses.values())))]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:] or [f"{ROOT}/"])
