"""Which scripts may start warm: forked from a launcher that has their imports loaded.

A warm start must give what a fresh one gives, so only imports that come before anything else in the script are loaded ahead:
what follows a statement that acts (`os.environ[...] = ...`, a call) is left to the script. Modules of the script's own
folder are left to it too, as they may act or change. The launcher judges the rest once it has imported (threads, GPUs, code
that isn't installed); where it says no, or here, the training job starts cold and the reason is recorded.

Known differences from a fresh start: what imports print goes to the launcher's log, hash seeds are shared by the forks.
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

from alfine.runners.job_environment import shared_environment
from alfine.runners.job_folder import requirements_of
from alfine.runners.protocol import Launch

__all__ = ["Cold", "Warm", "plan"]

Imports = tuple[tuple[str, tuple[str, ...]], ...]
"""In the script's order: a module, and the names that are taken from it."""

HARMLESS_CALLS = frozenset({"warnings.filterwarnings", "warnings.simplefilter", "matplotlib.use", "logging.getLogger"})
"""Calls that scripts make between imports and that change nothing for the imports after them."""
PER_JOB_PREFIXES = ("SM_", "AWS_", "TRAINING_JOB_", "SAGEMAKER_")
"""Variables that no import reads: they may differ between training jobs of one launcher."""


@dataclass(frozen=True, slots=True)
class Warm:
    """What a warm launcher is made of; equal plans share one.

    local: module names of the script's folder.
    environment: sorted pairs.
    around: the command line of the sandbox that the launcher itself is in; () when it's in none.
    sandbox: one like those that it will make for training jobs, to be tried.
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
        """What stays when the script is edited: a new plan in the same slot replaces the old one."""
        return self.python, self.script, self.environment


@dataclass(frozen=True, slots=True)
class Cold:
    """Why a training job starts cold; "" when nobody asked for warmth, so that nobody need be told."""

    reason: str = ""


def plan(launch: Launch) -> Warm | Cold:
    """Decide from the Launch and the script's text; cheap, as it is asked for every training job."""
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
    """A variable that makes the interpreter behave in a way that a fork can't repeat."""
    if not all(Path(path).is_absolute() for path in environment.get("PYTHONPATH", "/").split(os.pathsep)):
        return "a relative PYTHONPATH"
    names = ("PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONPROFILEIMPORTTIME")
    return next((name for name in names if environment.get(name)), None)


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
    """Names that an import would find in the folder; a folder without __init__.py hides no installed module."""
    for entry in os.scandir(folder):
        name, _, ending = entry.name.partition(".")
        if ending.endswith(("py", "pyc", "so")) or Path(entry.path, "__init__.py").exists():
            yield name


@lru_cache(maxsize=64)
def _imports_of(script: Path, changed_at: int, size: int) -> Imports:  # noqa: ARG001 - the cache looks at them
    """Parse the script again only when it changed."""
    return tuple(leading_imports(ast.parse(script.read_bytes())))


def leading_imports(module: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The imports that run before anything acts."""
    for statement in module.body:
        if _is_import(statement):
            yield from _modules([statement])
        elif isinstance(statement, ast.Try) and all(map(_is_import, statement.body)):
            yield from _modules(statement.body)  # `try: import xgboost`, whatever the script does without it
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
    """Whether the statement can't change what a later import does."""
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
