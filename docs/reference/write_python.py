"""Write docs/reference/python.md from the signatures and docstrings of alfine's public names: python docs/reference/write_python.py."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

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
    return f"### {shown}\n\n```python\n" + "\n".join([*_face(node, lines), *_shared_init(node)]) + "\n```\n"


def _shared_init(node: ast.stmt) -> Iterator[str]:
    """The constructor that callbacks share, of a class that has it from MetricCallback."""
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)] if isinstance(node, ast.ClassDef) else []
    own = {method.name for method in node.body if isinstance(method, ast.FunctionDef)}
    if "MetricCallback" not in bases or "__init__" in own:
        return
    lines = (INTEGRATIONS / "reporter.py").read_text().splitlines()
    (base,) = [each for each in ast.parse("\n".join(lines)).body if getattr(each, "name", "") == "MetricCallback"]
    (init,) = [method for method in base.body if getattr(method, "name", "") == "__init__"]
    yield ""
    yield from _face(init, lines)


def _entry(name: str, thing: type | object) -> str:
    lines = inspect.getsource(thing).splitlines()  # type: ignore[arg-type]  # a class or a function
    (node,) = ast.parse("\n".join(lines)).body
    return f"### {name}\n\n```python\n" + "\n".join([*_face(node, lines), *_inherited(thing, node)]) + "\n```\n"


def _inherited(thing: type | object, node: ast.stmt) -> Iterator[str]:
    """The public methods and properties that a class has from alfine's own bases, unless it has its own."""
    if not isinstance(thing, type) or not isinstance(node, ast.ClassDef):
        return
    own = {method.name for method in node.body if isinstance(method, ast.FunctionDef)}
    for base in thing.__mro__[1:]:
        if not base.__module__.startswith("alfine.api"):
            continue
        lines = inspect.getsource(base).splitlines()
        (parent,) = ast.parse("\n".join(lines)).body
        for method in parent.body if isinstance(parent, ast.ClassDef) else ():
            if isinstance(method, ast.FunctionDef) and method.name not in own and _is_public(method, base.__name__):
                yield ""
                yield from _face(method, lines)


def _face(node: ast.stmt, lines: list[str]) -> Iterator[str]:
    """The lines of a class or function that its users need: head, docstring, and the public fields and methods of a class."""
    if not isinstance(node, ast.ClassDef | ast.FunctionDef):
        return
    yield from _head(node, lines)
    if isinstance(node, ast.ClassDef):
        for place, field in enumerate(_fields(node)):
            yield from [] if place else [""]
            yield from lines[field.lineno - 1 : field.end_lineno]
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and _is_public(method, node.name):
                yield ""
                yield from _face(method, lines)


def _fields(node: ast.ClassDef) -> list[ast.AnnAssign | ast.Assign]:
    """The public fields of a class; what it says of itself as a class (ClassVar) isn't one."""
    assigned = [item for item in node.body if isinstance(item, ast.AnnAssign | ast.Assign)]
    return [
        field
        for field in assigned
        if not _name(field).startswith("_")
        and not (isinstance(field, ast.AnnAssign) and "ClassVar" in ast.unparse(field.annotation))
    ]


def _head(node: ast.ClassDef | ast.FunctionDef, lines: list[str]) -> list[str]:
    """From the decorators to the docstring, or to the signature's end where it has none."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    last = node.body[0].end_lineno if ast.get_docstring(node) else node.body[0].lineno - 1
    return lines[first - 1 : last]


def _is_public(method: ast.FunctionDef, owner: str) -> bool:
    if method.name == "__init__":
        return owner not in CONSTRUCTED_BY_ALFINE
    return not method.name.startswith("_") and ast.get_docstring(method) is not None


def _name(field: ast.AnnAssign | ast.Assign) -> str:
    target = field.target if isinstance(field, ast.AnnAssign) else field.targets[0]
    return target.id if isinstance(target, ast.Name) else "_"


if __name__ == "__main__":
    PAGE.write_text(page())
