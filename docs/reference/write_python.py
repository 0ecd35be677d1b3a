"""Write docs/reference/python.md from the signatures and docstrings of alfine's public names: python docs/reference/write_python.py."""

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import dedent, fill

import alfine
from alfine.api.job_words import job_request

PAGE = Path(__file__).parent / "python.md"
INTEGRATIONS = Path(alfine.__file__).parent / "integrations"
HEAD = """# Python

`docs/reference/write_python.py` writes this page from the source; `help(alfine.tune)` shows the same. All names are imported from `alfine`.

Names in the signatures:

| name | meaning |
| --- | --- |
| `Range` | Continuous, Integer or Categorical |
| `Given` | a completion criterion, its text (`"MaxCost 20"`), or a list of these |
| `Parent` | the name of a tuning job, a Job, a Tuner, or the path of a table |
| `Curve` | intermediate objectives: a list of values, or a mapping from step to value |
| `Hyperparameters` | a configuration: a dictionary of values by name |
| `IDENTICAL` | `"IdenticalDataAndAlgorithm"`; the other type of warm start is `"TransferLearning"` |
| `MAX_TRAINING_JOBS` | 750 |
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
    "What comes out": (
        *("TrainingJob", "Verdict", "Outlook", "History"),
        *("Launched", "Started", "Reported", "StopAsked", "Ended"),
    ),
    "In Optuna's studies": ("optuna.StopWhen", "optuna.Sampler", "optuna.Pruner"),
    "In scikit-learn": ("sklearn.AlfineSearchCV",),
    "In Ray Tune": ("raytune.RaySearch", "raytune.StopExperiment"),
    "In training programs": (
        *("reporter.Reporter", "xgboost.XGBoost", "lightgbm.LightGBM", "catboost.CatBoost"),
        *("lightning.Lightning", "huggingface.HuggingFace", "keras.Keras"),
    ),
    "Errors": ("AlfineError", "InvalidSpec", "MissingExtra"),
    "Figures": ("Plots", "Chart", "compare"),
    "The folder of all jobs": ("Home",),
    "The words of a job": ("job_request",),
}
NOTES = {
    "A tuning job in this process": "The `settings` of `tune` are [the keys of job files](job-file.md#every-key).",
    "Completion criteria": "[Completion criteria](criteria.md) says what each one does.",
    "What comes out": "Strategies and criteria of your own receive a `History` ([add a criterion](../how-to/add-a-criterion.md)). Its facts, "
    "`History.facts`, are the last five of these classes.",
    "In Optuna's studies": "[Stop Optuna's studies when they are done](../how-to/optuna.md) shows them at work.",
    "Figures": "A Job and a Tuner have them as `plot`. PNG and HTML files are drawn by an extra: `pip install 'alfine[plots]'`.",
    "In Ray Tune": "[End an experiment of Ray Tune when it is done](../how-to/ray-tune.md) shows them at work.",
    "In training programs": "[Report how a training goes](../how-to/report-progress.md) shows them at work. They are imported from "
    "`alfine.callbacks`.",
    "In scikit-learn": "[Search in scikit-learn until it's worth no more](../how-to/scikit-learn.md) shows it at work.",
    "The words of a job": "From `alfine.api.job_words`. The words are [the keys of job files](job-file.md#every-key).",
}
WIDTH = 140
"""Characters of a line of the page's source."""

SECTION = re.compile(r"(Args|Attributes|Example|Raises|Returns):")
"""What begins a section of a docstring, as Google's style has them."""

CODE = re.compile(r"(`[^`]+`)")
DOCUMENT = re.compile(r"docs/((?:[\w-]+/)*[\w-]+\.md)")
MARKUP = re.compile(r"[*<]")
Method = tuple[ast.FunctionDef, list[str]]
"""A method, with the lines of the source that it is in."""

CONSTRUCTED_BY_ALFINE = {"Chart", "Job", "Plots", "TrainingJob", "Verdict", "History", "InvalidSpec"}


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for title, names in SECTIONS.items():
        parts += [f"## {title}\n", *([f"{NOTES[title]}\n"] if title in NOTES else [])]
        parts += [_of_integration(name) if "." in name else _entry(name, _thing(name)) for name in names]
    return "\n".join(parts)


def _thing(name: str) -> type | object:
    return job_request if name == "job_request" else getattr(alfine, name)


def _of_integration(name: str) -> str:
    """The entry of a class in src/alfine/integrations, read without the tool that it belongs to."""
    module, _, own = name.partition(".")
    lines = (INTEGRATIONS / f"{module}.py").read_text().splitlines()
    (node,) = [each for each in ast.parse("\n".join(lines)).body if getattr(each, "name", "") == own]
    shown = f"alfine.{name}" if module in ("optuna", "raytune", "sklearn") else f"alfine.callbacks.{own}"
    return "\n\n".join([f"### {shown}", *_face(node, lines, own), *_shared_init(node)]) + "\n"


def _shared_init(node: ast.stmt) -> Iterator[str]:
    """The constructor that callbacks share, of a class that has it from MetricCallback."""
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)] if isinstance(node, ast.ClassDef) else []
    own = {method.name for method in node.body if isinstance(method, ast.FunctionDef)}
    if "MetricCallback" not in bases or "__init__" in own:
        return
    lines = (INTEGRATIONS / "reporter.py").read_text().splitlines()
    (base,) = [each for each in ast.parse("\n".join(lines)).body if getattr(each, "name", "") == "MetricCallback"]
    (init,) = [method for method in base.body if getattr(method, "name", "") == "__init__"]
    yield from _face(init, lines, "")


def _entry(name: str, thing: type | object) -> str:
    lines = inspect.getsource(thing).splitlines()  # type: ignore[arg-type]  # a class or a function
    (node,) = ast.parse("\n".join(lines)).body
    return "\n\n".join([f"### {name}", *_face(node, lines, name, _inherited(thing, node))]) + "\n"


def _inherited(thing: type | object, node: ast.stmt) -> list[Method]:
    """The public methods and properties that a class has from alfine's own bases, unless it has its own."""
    if not isinstance(thing, type) or not isinstance(node, ast.ClassDef):
        return []
    own = {method.name for method in node.body if isinstance(method, ast.FunctionDef)}
    bases = [base for base in thing.__mro__[1:] if base.__module__.startswith("alfine.api")]
    sources = [(base.__name__, inspect.getsource(base).splitlines()) for base in bases]
    return [
        (method, lines)
        for name, lines in sources
        for method in _methods(ast.parse("\n".join(lines)).body[0], name)
        if method.name not in own
    ]


def _methods(node: ast.stmt, name: str) -> list[ast.FunctionDef]:
    """The public methods and properties of a class."""
    body = node.body if isinstance(node, ast.ClassDef) else []
    return [method for method in body if isinstance(method, ast.FunctionDef) and _is_public(method, name)]


def _face(node: ast.stmt, lines: list[str], name: str, inherited: list[Method] | None = None) -> Iterator[str]:
    """The parts of a class or function that its users need: head, docstring, and the public fields and methods of a class."""
    if not isinstance(node, ast.ClassDef | ast.FunctionDef):
        return
    yield _block(
        [*_head(node, lines), *(line for field in _fields(node) for line in lines[field.lineno - 1 : field.end_lineno])]
    )
    yield from _prose_of(ast.get_docstring(node) or "")
    own: list[Method] = [(method, lines) for method in _methods(node, node.name)]
    methods = [*own, *(inherited or [])]
    for method, source in methods:
        if method.name == "__init__":
            yield from _face(method, source, "")
    properties = [method for method, _ in methods if _is_property(method)]
    if properties:
        yield "Properties:"
        yield "\n".join(map(_item_of, properties))
    for method, source in methods:
        if method.name != "__init__" and not _is_property(method):
            yield f"#### {name}.{method.name}"
            yield from _face(method, source, "")


def _is_property(method: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator).endswith("property") for decorator in method.decorator_list)


def _item_of(method: ast.FunctionDef) -> str:
    """A property as an item of a list."""
    kind = f": {ast.unparse(method.returns)}" if method.returns is not None else ""
    text = re.sub(r"Example: >>> (.+)", r"Example: `\1`", " ".join((ast.get_docstring(method) or "").split()))
    return _wrapped(f"- `{method.name}{kind}`: {_marked(text)}", "  ")


def _fields(node: ast.ClassDef | ast.FunctionDef) -> list[ast.AnnAssign | ast.Assign]:
    """The public fields of a class; what it says of itself as a class (ClassVar) isn't one."""
    if isinstance(node, ast.FunctionDef):
        return []
    assigned = [item for item in node.body if isinstance(item, ast.AnnAssign | ast.Assign)]
    return [
        field
        for field in assigned
        if not _name(field).startswith("_")
        and not (isinstance(field, ast.AnnAssign) and "ClassVar" in ast.unparse(field.annotation))
    ]


def _head(node: ast.ClassDef | ast.FunctionDef, lines: list[str]) -> list[str]:
    """From the decorators to the signature's end."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    last = node.body[0].lineno - 1 if node.body[0].lineno > node.lineno else node.lineno
    head = lines[first - 1 : last]
    while head and not head[-1].strip():
        head.pop()
    return head


def _block(lines: list[str]) -> str:
    return "\n".join(["```python", *dedent("\n".join(lines)).split("\n"), "```"])


# -- docstrings as Markdown --------------------------------------------------------------------------------------------


def _prose_of(docstring: str) -> Iterator[str]:
    """The paragraphs and sections of a docstring."""
    lines = docstring.split("\n")
    starts = [index for index, line in enumerate(lines) if SECTION.fullmatch(line)]
    yield from _paragraphs(lines[: starts[0] if starts else None])
    for start, end in pairwise([*starts, len(lines)]):
        after = next((at for at in range(start + 1, end) if lines[at] and not lines[at].startswith(" ")), end)
        body = dedent("\n".join(lines[start + 1 : after])).strip("\n")
        title = lines[start].removesuffix(":")
        if title == "Example":
            yield "Example:"
            yield _block(body.split("\n"))
        elif title == "Returns":
            yield _wrapped(f"Returns: {_marked(' '.join(body.split()))}")
        else:
            yield {"Args": "Arguments:", "Raises": "Raises:", "Attributes": "Attributes:"}[title]
            yield "\n".join(map(_entry_of, re.split(r"\n(?=\S)", body)))
        yield from _paragraphs([line.strip() for line in lines[after:end]])


def _paragraphs(lines: list[str]) -> Iterator[str]:
    """Paragraphs of text; what is indented is code."""
    for paragraph in filter(None, re.split(r"\n{2,}", "\n".join(lines).strip("\n"))):
        if paragraph.startswith("    "):
            yield "\n".join(["```text", *dedent(paragraph).split("\n"), "```"])
        else:
            yield _wrapped(_marked(" ".join(paragraph.split())))


def _entry_of(text: str) -> str:
    """An argument, an attribute or an error as an item of a list."""
    name, _, meaning = " ".join(text.split()).partition(": ")
    return _wrapped(f"- `{name}`: {_marked(meaning)}", "  ")


def _marked(text: str) -> str:
    """Text as Markdown: documents as links, and nothing else as markup."""
    return "".join(part if part.startswith("`") else _linked(part) for part in CODE.split(text))


def _linked(text: str) -> str:
    escaped = MARKUP.sub(lambda sign: f"\\{sign[0]}", text)
    return DOCUMENT.sub(lambda found: f"[{found[0]}]({_place(found[1])})", escaped)


def _place(path: str) -> str:
    return path.removeprefix("reference/") if path.startswith("reference/") else f"../{path}"


def _wrapped(text: str, indent: str = "") -> str:
    return fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _is_public(method: ast.FunctionDef, owner: str) -> bool:
    if method.name == "__init__":
        return owner not in CONSTRUCTED_BY_ALFINE
    return not method.name.startswith("_") and ast.get_docstring(method) is not None


def _name(field: ast.AnnAssign | ast.Assign) -> str:
    target = field.target if isinstance(field, ast.AnnAssign) else field.targets[0]
    return target.id if isinstance(target, ast.Name) else "_"


if __name__ == "__main__":
    PAGE.write_text(page())
