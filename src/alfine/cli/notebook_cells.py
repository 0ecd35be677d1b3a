"""The code cells of a notebook, or the parts of a Python file: Python apart from the lines for a shell."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from alfine.core.errors import Fault, InvalidSpec

SHELL = re.compile(r"^\s*(?:[\w, ]+=\s*)?[!]\s*(.*)")
"""A line that IPython gives to a shell, also as `files = !ls`."""

MAGIC = re.compile(r"^\s*(?:[\w, ]+=\s*)?%\w")
"""A line with a magic of IPython."""

HELP = re.compile(r"^\s*\?*[\w.]+\?+\s*$")
"""A line that asks IPython for help."""

SHELLS = ("%%bash", "%%sh", "%%!")
"""Beginning of a cell that is for a shell."""

FILE = "%%writefile"
"""Beginning of a cell that is written to a file: a training script, most often."""

OTHERS = ("%%html", "%%javascript", "%%js", "%%latex", "%%markdown", "%%writetemplate", "%%R", "%%sql")
"""Beginnings of cells in other languages."""

PARTS = re.compile(r"^# (?:%%|In\[)", re.MULTILINE)
"""The line with which editors and nbconvert divide a Python file into cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One code cell.

    Attributes:
        number: Its place among the code cells, from 1.
        tree: Its Python; None where that can't be read.
        trouble: Why it can't be read.
        shell: The lines for a shell, each with its number in the cell.
        script: Whether it is written to a file, so that it runs elsewhere: as a training script, most often.
    """

    number: int
    tree: ast.Module | None
    trouble: str = ""
    shell: list[tuple[int, str]] = field(default_factory=list)
    script: bool = False


def cells_of(path: Path) -> list[Cell]:
    """Return the code cells of a notebook (*.ipynb), or the parts of a Python file.

    Raises:
        InvalidSpec: The file can't be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        sources = list(_of_notebook(text) if path.suffix == ".ipynb" else _of_file(text))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidSpec([Fault(str(path), f"can't be read: {error}.")]) from error
    return [_cell(number, source) for number, source in enumerate(sources, 1)]


def _of_notebook(text: str) -> Iterator[str]:
    document = json.loads(text)
    cells = document["cells"] if "cells" in document else document["worksheets"][0]["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            source = cell.get("source", cell.get("input", ""))
            yield source if isinstance(source, str) else "".join(source)


def _of_file(text: str) -> Iterator[str]:
    """Yield the parts of a file. Lines before keep their place, so that numbers of lines are those of the file."""
    starts = [found.start() for found in PARTS.finditer(text)] or [0]
    bounds = [*([0] if text[: starts[0]].strip() else []), *starts, len(text)]
    for begin, end in pairwise(bounds):
        yield "\n" * text.count("\n", 0, begin) + text[begin:end]


def _cell(number: int, source: str) -> Cell:
    first = source.lstrip().partition("\n")[0]
    if first.startswith(SHELLS):
        lines = source.splitlines()
        return Cell(number=number, tree=None, shell=[*enumerate(lines[1:], 2)])
    if first.startswith(OTHERS):
        return Cell(number=number, tree=None)
    script = first.startswith(FILE)
    if script and not first.rstrip().endswith(".py"):
        return Cell(number=number, tree=None)
    python, shell = _divided(source)
    try:
        return Cell(number=number, tree=ast.parse(python), shell=shell, script=script)
    except SyntaxError as error:
        return Cell(number=number, tree=None, trouble=f"line {error.lineno} isn't Python: {error.msg}.", shell=shell)


def _divided(source: str) -> tuple[str, list[tuple[int, str]]]:
    """Return the Python of a cell, with empty statements in place of other lines, and its lines for a shell."""
    python, shell = [], []
    for number, line in enumerate(source.splitlines(), 1):
        indent = line[: len(line) - len(line.lstrip())]
        if found := SHELL.match(line):
            shell.append((number, found[1]))
            python.append(f"{indent}pass")
        elif MAGIC.match(line) or line.lstrip().startswith("%%") or HELP.match(line):
            python.append(f"{indent}pass")
        else:
            python.append(line)
    return "\n".join(python) + "\n", shell
