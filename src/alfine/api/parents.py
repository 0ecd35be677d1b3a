"""The parents of a warm start, as Python callers give them.

A parent is a tuning job (its name, or a Job), a Tuner, or a table of results (*.csv). `alfine.tune` writes the names of
its parents into the request, and the home looks them up. A Tuner, which isn't kept in a home, reads their results at
once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeAlias, cast

from alfine.core import warm_start
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.inherited import Inherited
from alfine.core.spec import PARENTS, TuningJobSpec
from alfine.jobs.analysis import results_table

WANTED = "must be a tuning job (its name, or the Job itself), a Tuner or a table (*.csv), or a list of these."


class HasHistory(Protocol):
    """A Job or a Tuner."""

    @property
    def history(self) -> History:
        """Return the recorded facts."""


Parent: TypeAlias = str | Path | HasHistory


def listed(given: Parent | Iterable[Parent]) -> list[Parent]:
    """Return one parent or many of them as a list. Raise InvalidSpec for what can't be a parent.

    Args:
        given: A name, a path, a Job, a Tuner, or several of them.
    """
    is_one = isinstance(given, str | Path | Mapping) or hasattr(given, "history") or not isinstance(given, Iterable)
    parents = [given] if is_one else list(cast(Iterable[Parent], given))
    for parent in parents:
        if not (isinstance(parent, str | Path) or hasattr(parent, "history")):
            raise InvalidSpec([Fault("warm_start", f"{parent!r} {WANTED}")])
    return cast(list[Parent], parents)


def names(parents: Sequence[Parent]) -> list[str]:
    """Return the name of each parent: a tuning job's own, a table's URI, «tuner-3» for a Tuner in the third place."""
    return [_name(parent, f"tuner-{place}") for place, parent in enumerate(parents, 1)]


def stored(parents: Sequence[Parent]) -> list[str]:
    """Return the names of parents that a home can look up. Raise InvalidSpec for a Tuner, which isn't in any home."""
    if not all(_name(parent, "") for parent in parents):
        message = "a Tuner isn't kept in a home. Write its results to a table, tuner.dataframe().to_csv('results.csv'), and give that."
        raise InvalidSpec([Fault("warm_start", message)])
    return names(parents)


def results(spec: TuningJobSpec, parents: Sequence[Parent], home: str | Path | None = None) -> list[Inherited]:
    """Return the results that a Tuner takes over, parent by parent.

    Args:
        spec: The Tuner's spec; its parents have the names of `names(parents)`.
        parents: The parents themselves.
        home: The folder in which parents that are names are looked up.

    Raises:
        InvalidSpec: With every reason why one of them can't be a parent.
    """
    faults: list[Fault] = []
    inherited: list[Inherited] = []
    for name, parent in zip(spec.parents, parents, strict=True):
        try:
            inherited += _results(spec, name, parent, home)
        except InvalidSpec as error:
            faults += error.faults
    if faults:
        raise InvalidSpec(list(dict.fromkeys(faults)))
    return inherited


def _results(spec: TuningJobSpec, name: str, parent: Parent, home: str | Path | None) -> list[Inherited]:
    path = f"WarmStartConfig.{PARENTS}"
    if isinstance(parent, str | Path) and results_table.is_results_table(name):
        from alfine.runners.storage.locations import local

        if (file := local(name)) is None:
            raise InvalidSpec([Fault(name, "isn't a file of this machine.")])
        return results_table.read_results(file, spec, name)
    if isinstance(parent, str | Path):
        from alfine.jobs.home import Home, is_home
        from alfine.store.home_folder import home_folder

        folder = home_folder(home)
        if not is_home(folder):
            raise InvalidSpec([Fault(path, f"there is no tuning job called {name}: {folder} has none.")])
        with Home(folder) as opened:
            history = opened.service.parent(name, path)
    else:
        history = parent.history
    if faults := [*warm_start.function_faults(spec, history.spec, path)]:
        raise InvalidSpec(faults)
    return [replace(result, parent=name) for result in warm_start.inheritance(spec, history)]


def _name(parent: Parent, of_a_tuner: str) -> str:
    if isinstance(parent, Path) or (
        isinstance(parent, str) and results_table.is_results_table(parent) and "://" not in parent
    ):
        return Path(parent).expanduser().absolute().as_uri()
    return parent if isinstance(parent, str) else str(getattr(parent, "name", of_a_tuner))
