"""What a warm start begins with, as Python names it: a tuning job, by its name or its Job; a Tuner; a table of results (*.csv).

`alfine.tune` names its parents in the request, for the home to look up. A Tuner, which is kept nowhere, takes their results at once.
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
from alfine.programs.data.locations import local

WANTED = "must be a tuning job (its name, or the Job itself), a Tuner or a table (*.csv), or a list of these."


class Known(Protocol):
    """A Job or a Tuner."""

    @property
    def history(self) -> History: ...


Parent: TypeAlias = str | Path | Known


def listed(given: Parent | Iterable[Parent]) -> list[Parent]:
    """One parent or many of them, as a list. Raise InvalidSpec for what is none."""
    one = isinstance(given, str | Path | Mapping) or hasattr(given, "history") or not isinstance(given, Iterable)
    found = [given] if one else list(cast(Iterable[Parent], given))
    for each in found:
        if not (isinstance(each, str | Path) or hasattr(each, "history")):
            raise InvalidSpec([Fault("warm_start", f"{each!r} {WANTED}")])
    return cast(list[Parent], found)


def names(parents: Sequence[Parent]) -> list[str]:
    """A tuning job by its name, a table by its URI, a Tuner by its place among them."""
    return [_name(each, f"tuner-{place}") for place, each in enumerate(parents, 1)]


def stored(parents: Sequence[Parent]) -> list[str]:
    """The names of parents that a home can look up. Raise InvalidSpec for a Tuner, which it can't."""
    if not all(_name(each, "") for each in parents):
        message = "a Tuner is kept nowhere. Write a table of it, tuner.dataframe().to_csv('results.csv'), and begin with that."
        raise InvalidSpec([Fault("warm_start", message)])
    return names(parents)


def results(spec: TuningJobSpec, parents: Sequence[Parent], home: str | Path | None = None) -> list[Inherited]:
    """What a Tuner of this spec takes over, parent by parent; those that are names are in the home.

    Raise InvalidSpec with every reason why it can't.
    """
    faults: list[Fault] = []
    found: list[Inherited] = []
    for name, parent in zip(spec.parents, parents, strict=True):
        try:
            found += _results(spec, name, parent, home)
        except InvalidSpec as error:
            faults += error.faults
    if faults:
        raise InvalidSpec(list(dict.fromkeys(faults)))
    return found


def _results(spec: TuningJobSpec, name: str, parent: Parent, home: str | Path | None) -> list[Inherited]:
    path = f"WarmStartConfig.{PARENTS}"
    if isinstance(parent, str | Path) and results_table.is_table(name):
        if (file := local(name)) is None:
            raise InvalidSpec([Fault(name, "isn't a file of this machine.")])
        return results_table.inherited(file, spec, name)
    if isinstance(parent, str | Path):
        from alfine.jobs.home import Home, home_folder, is_home

        folder = home_folder(home)
        if not is_home(folder):
            raise InvalidSpec([Fault(path, f"there is no tuning job called {name}: {folder} has none.")])
        with Home(folder) as opened:
            history = opened.service.parent(name, path)
    else:
        history = parent.history
    if faults := [*warm_start.function_faults(spec, history.spec, path)]:
        raise InvalidSpec(faults)
    return [replace(each, parent=name) for each in warm_start.inheritance(spec, history)]


def _name(parent: Parent, of_a_tuner: str) -> str:
    if isinstance(parent, Path) or (isinstance(parent, str) and results_table.is_table(parent) and "://" not in parent):
        return Path(parent).expanduser().absolute().as_uri()
    return parent if isinstance(parent, str) else str(getattr(parent, "name", of_a_tuner))
