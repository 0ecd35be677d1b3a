"""Warm starts: choose the scripts that may start as forks of a launcher that has imported their modules before.

A warm start must give the same result as a fresh one. So a launcher imports only what stands before anything else in the script:
whatever follows a statement with an effect (`os.environ[...] = ...`, a call) is left to the script. So are the modules in the
script's own folder, since they may have effects or change. The launcher checks the rest after its imports: threads, GPUs, files
outside site-packages, variables of the training job that were read. Where it refuses, or this module does, the training job starts
cold, and the reason is recorded.

Known differences from a fresh start: the output of imports goes to the launcher's log, and all forks have the same hash seed.
"""

from __future__ import annotations

import ast
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from alfine.runners.executor import LocalLaunch
from alfine.runners.job_environment import shared_environment
from alfine.runners.job_folder import requirements_of

Imports = tuple[tuple[str, tuple[str, ...]], ...]
"""Imports in the script's order: a module, and the names that are imported from it."""

HARMLESS_CALLS = frozenset({"warnings.filterwarnings", "warnings.simplefilter", "matplotlib.use", "logging.getLogger"})
"""Calls that scripts make between imports, without an effect on the imports after them."""

PER_JOB_PREFIXES = ("SM_", "AWS_", "TRAINING_JOB_", "SAGEMAKER_", "CUDA_VISIBLE_DEVICES")
"""Beginnings of the names of variables that a launcher doesn't get: they may differ between its training jobs."""

SET_PER_JOB = ("SM_", "TRAINING_JOB_", "SAGEMAKER_BASE_DIR", "CUDA_VISIBLE_DEVICES")
"""Beginnings of those that differ for certain (see job_environment.py): an import that reads one makes the start cold."""

UNUSUAL_VARIABLES = ("PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONPROFILEIMPORTTIME")
"""Variables that change what the interpreter does at its start or end, which a fork can't repeat."""

PLANS_KEPT = 64
"""Scripts whose imports are remembered, so that a script isn't parsed again for every training job."""


@dataclass(frozen=True, slots=True)
class Warm:
    """The plan of a warm start: what a launcher needs. Training jobs with equal plans share a launcher.

    Attributes:
        python: The interpreter.
        script: The script.
        imports: What it imports first.
        local: The names of modules in the script's own folder.
        environment: Name and value of each variable that all training jobs have in common, sorted.
        around: The command line of the sandbox that the launcher itself runs in; () where it runs in none.
        sandbox: The command line of a sandbox like those of the training jobs; the launcher tries whether it can enter it.
    """

    python: str
    script: Path
    imports: Imports
    local: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    around: tuple[str, ...] = ()
    sandbox: tuple[str, ...] = ()

    @property
    def slot(self) -> tuple[object, ...]:
        """Return the part of the plan that stays the same when the script is edited. A new plan replaces the old one of its slot."""
        return self.python, self.script, self.environment


@dataclass(frozen=True, slots=True)
class Cold:
    """A training job that starts cold.

    Attributes:
        reason: Why. "" where it was never to start warm, so that there is nothing to report.
    """

    reason: str = ""


def plan(launch: LocalLaunch) -> Warm | Cold:
    """Return how a training job may start, from its LocalLaunch and the script's text. It costs little: every training job asks."""
    if not launch.warm or launch.script is None:
        return Cold()
    if any(channel.piped for channel in launch.channels):
        return Cold("its channels are pipes")
    if requirements_of(launch) is not None:
        return Cold("it has a requirements.txt")
    if not sys.platform.startswith("linux"):
        return Cold("warm starts need Linux")
    if launch.script.suffix != ".py":
        return Cold("not a Python script")
    environment = shared_environment(launch)
    python = shutil.which(launch.python, path=environment.get("PATH"))
    if python is None:
        return Cold("no such interpreter")
    unusual = _unusual_variable(environment)
    if unusual:
        return Cold(f"{unusual} is set")
    script = launch.script if launch.source_dir is None else launch.source_dir / launch.script
    return _plan_script(str(Path(python).absolute()), script, environment)


def _unusual_variable(environment: dict[str, str]) -> str | None:
    """Return a variable because of which a fork would differ from a fresh start; None where there is none."""
    if not all(Path(path).is_absolute() for path in environment.get("PYTHONPATH", "/").split(os.pathsep)):
        return "a relative PYTHONPATH"
    return next((name for name in UNUSUAL_VARIABLES if environment.get(name)), None)


def _plan_script(python: str, script: Path, environment: dict[str, str]) -> Warm | Cold:
    real = script.resolve()
    try:
        state = real.stat()
        imports = _imports_of(real, state.st_mtime_ns, state.st_size)
    except (OSError, SyntaxError, ValueError) as error:
        return Cold(f"its imports can't be read ({error})")
    shared = {name: value for name, value in environment.items() if not name.startswith(PER_JOB_PREFIXES)}
    local = tuple(sorted(_local_modules(real.parent)))
    return Warm(python, real, imports, local, tuple(sorted(shared.items())))


def _local_modules(folder: Path) -> Iterator[str]:
    """Return the names of the modules in a folder. A folder without __init__.py isn't one: it hides no installed module."""
    for entry in os.scandir(folder):
        name, _, ending = entry.name.partition(".")
        if ending.endswith(("py", "pyc", "so")) or Path(entry.path, "__init__.py").exists():
            yield name


@lru_cache(maxsize=PLANS_KEPT)
def _imports_of(script: Path, changed_at: int, size: int) -> Imports:  # noqa: ARG001 - they are keys of the cache
    """Return the imports of a script, which is parsed again only when it has changed."""
    return tuple(leading_imports(ast.parse(script.read_bytes())))


def leading_imports(module: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the imports that come before any statement with an effect: each a module and the names imported from it."""
    for statement in module.body:
        if _is_import(statement):
            yield from _modules([statement])
        elif isinstance(statement, ast.Try) and all(map(_is_import, statement.body)):
            yield from _modules(statement.body)  # `try: import xgboost`: its `except` doesn't matter here
        elif not _is_quiet(statement):
            return


def _is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _modules(statements: Iterable[ast.stmt]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from ((alias.name, ()) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            yield statement.module, tuple(alias.name for alias in statement.names if alias.name != "*")


def _is_quiet(statement: ast.stmt) -> bool:
    """Return whether a statement has no effect on a later import."""
    match statement:
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return True
        case ast.Expr(value=ast.Call(func=function)):
            return ast.unparse(function) in HARMLESS_CALLS
        case ast.Assign(targets=targets, value=value):
            return all(isinstance(target, ast.Name) for target in targets) and _is_quiet_value(value)
        case ast.AnnAssign(target=ast.Name(), value=value):
            return value is None or _is_quiet_value(value)
        case ast.FunctionDef(decorator_list=[]):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            return True
    return False


def _is_quiet_value(value: ast.expr) -> bool:
    return all(ast.unparse(node.func) in HARMLESS_CALLS for node in ast.walk(value) if isinstance(node, ast.Call))
