"""Writes docs/reference/python.md from the public face's own signatures and docstrings: python docs/reference/write_python.py."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import alfine
from alfine.api.job_words import job_request

PAGE = Path(__file__).parent / "python.md"
HEAD = """# Python

Written by `docs/reference/write_python.py` from the source; `help(alfine.tune)` says the same. All of it is imported from `alfine`.

In signatures, `Range` is one of Continuous, Integer and Categorical; `Given` a completion criterion, its text (`"MaxCost 20"`), or a list of
these; `Parent` the name of a tuning job, a Job, a Tuner, or the path of a table; `IDENTICAL` is `"IdenticalDataAndAlgorithm"`, the other
kind `"TransferLearning"`; `MAX_TRAINING_JOBS` is 750.
"""
SECTIONS = {
    "A tuning job in this process": ("tune", "Job", "attach", "change"),
    "Your own loop": ("Tuner",),
    "The search space": ("Continuous", "Integer", "Categorical"),
    "Completion criteria": (
        *("MaxNumberOfTrainingJobs", "MaxRuntimeInSeconds", "TargetObjectiveMetricValue", "BestObjectiveNotImproving"),
        *("ConvergenceDetected", "MaxCost", "MarginalValue", "Deadline", "NotBefore", "Steady", "Shadow"),
        *("AllOf", "AnyOf", "AtLeast"),
    ),
    "What comes out": ("TrainingJob", "Verdict", "Outlook", "History"),
    "Errors": ("AlfineError", "InvalidSpec"),
    "The folder of all jobs": ("Home",),
    "The words of a job": ("job_request",),
}
NOTES = {
    "A tuning job in this process": "The `settings` of `tune` are [the keys of job files](job-file.md#every-key).",
    "Completion criteria": "What each one does, and when it's worth having: [completion criteria](criteria.md).",
    "What comes out": "`History` is what strategies and criteria of your own are given ([add a criterion](../how-to/add-a-criterion.md)).",
    "The words of a job": "Of `alfine.api.job_words`. The words are [the keys of job files](job-file.md#every-key).",
}
HANDED_OUT = {
    "Job",
    "TrainingJob",
    "Verdict",
    "History",
    "InvalidSpec",
}  # by alfine: their constructors are its own affair


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, names in SECTIONS.items():
        parts += [f"## {title}\n", *([f"{NOTES[title]}\n"] if title in NOTES else [])]
        parts += [_entry(name, job_request if name == "job_request" else getattr(alfine, name)) for name in names]
    return "\n".join(parts)


def _entry(name: str, thing: type | object) -> str:
    lines = inspect.getsource(thing).splitlines()  # type: ignore[arg-type]  # a class or a function
    (node,) = ast.parse("\n".join(lines)).body
    return f"### {name}\n\n```python\n" + "\n".join(_face(node, lines)) + "\n```\n"


def _face(node: ast.stmt, lines: list[str]) -> Iterator[str]:
    """The lines of a class or function that its users see: its head, its docstring, and of a class what is public."""
    if not isinstance(node, ast.ClassDef | ast.FunctionDef):
        return
    yield from _head(node, lines)
    if isinstance(node, ast.ClassDef):
        fields = [
            each
            for each in node.body
            if isinstance(each, ast.AnnAssign | ast.Assign) and not _name(each).startswith("_")
        ]
        for place, each in enumerate(fields):
            yield from [] if place else [""]
            yield from lines[each.lineno - 1 : each.end_lineno]
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and _is_public(method, node.name):
                yield ""
                yield from _face(method, lines)


def _head(node: ast.ClassDef | ast.FunctionDef, lines: list[str]) -> list[str]:
    """From the decorators to the docstring, or to the signature's end where it has none."""
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    last = node.body[0].end_lineno if ast.get_docstring(node) else node.body[0].lineno - 1
    return lines[first - 1 : last]


def _is_public(method: ast.FunctionDef, owner: str) -> bool:
    if method.name == "__init__":
        return owner not in HANDED_OUT
    return not method.name.startswith("_") and ast.get_docstring(method) is not None


def _name(field: ast.AnnAssign | ast.Assign) -> str:
    target = field.target if isinstance(field, ast.AnnAssign) else field.targets[0]
    return target.id if isinstance(target, ast.Name) else "_"


if __name__ == "__main__":
    PAGE.write_text(page())
