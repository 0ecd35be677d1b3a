"""Read the parameter space of one definition of a request, and the configurations to try first.

The ranges are AMT's fields. Conditions, forbidden combinations and configurations to try first are alfine's, in tags: the settings
REQUIRES, FORBID, STEP and START_WITH, in the words of core/conditions.py. With several definitions an entry of such a setting holds for
the definitions that have its hyperparameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from alfine.core.conditional_space import faults as conditional_faults
from alfine.core.conditions import Combination, Entry, number_of, read, words
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.messages import naming
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical, Continuous, Integer, single_value_fault
from alfine.core.read_values import FaultCollector
from alfine.core.settings import FORBID, REQUIRES, START_WITH, STEP, TAG_PREFIX, text_of
from alfine.core.space import ParameterSpace

DRAWN_FROM = "DrawnFrom"
"""alfine's own key in a continuous range that begins at a number its hyperparameter can't have: the least value that is drawn."""

MAX_TUNABLE = 30  # hyperparameters with a range, AMT's quota


def read_space(
    lists: Mapping[str, Any],
    path: str,
    settings: Mapping[str, str],
    faults: FaultCollector,
    *,
    several: bool,
    required: bool,
) -> ParameterSpace:
    """Return the parameter space of a definition as it was understood.

    Args:
        lists: The ranges as the request has them, one list for each kind of range.
        path: The path of `lists` in the request.
        settings: Alfine's settings, by name.
        faults: Takes what is wrong with them.
        several: Whether the request has several definitions, so that entries of settings may be about another one.
        required: Whether there must be a range; a training job on its own has none.
    """
    if lists.get("AutoParameters"):
        faults.add(f"{path}.AutoParameters", "needs Autotune with Mode Enabled, which chooses their ranges.")
    known = len(faults.faults)
    ranges = _with_steps(_read_ranges(lists, path, faults), settings, faults, several=several)
    if required and not any(lists.values()):
        faults.add(path, "at least one hyperparameter needs a range.")
    if len(ranges) > MAX_TUNABLE:
        faults.add(path, f"{len(ranges)} tunable hyperparameters; at most {MAX_TUNABLE} can be tuned. Fix the others.")
    if len(faults.faults) > known:
        _read_conditions(ranges, settings, faults, several=several)
        return ParameterSpace(ranges)
    return _with_conditions(ranges, settings, faults, several=several)


def read_start_with(
    space: ParameterSpace, path: str, settings: Mapping[str, str], faults: FaultCollector, *, several: bool
) -> Iterator[Mapping[str, str]]:
    """Yield the configurations of a definition to try first, in AMT's strings.

    Args:
        space: The definition's parameter space.
        path: The path of its ranges in the request.
        settings: Alfine's settings, by name.
        faults: Takes what is wrong with them; where the space has faults, configurations aren't judged.
        several: As for `read_space`.
    """
    of_the_space = (path, _path_of(REQUIRES), _path_of(FORBID), _path_of(STEP))
    if any(fault.path.startswith(of_the_space) for fault in faults.faults):
        return
    for entry in read_entries(START_WITH, settings, faults):
        if several and not is_whole(entry, space):
            continue
        values = {clause.name: clause.values[0] for clause in entry.clauses}
        compared = [clause for clause in entry.clauses if clause.operator != "is" or len(clause.values) > 1]
        if compared or entry.subject or len(values) < len(entry.clauses):
            message = f"«{words(entry.clauses)}» must give each hyperparameter one value, as «eta = 0.3»."
            faults.add(_path_of(START_WITH), message)
            continue
        try:
            space.check(_typed(space, values))
            yield values
        except InvalidSpec as error:
            for fault in error.faults:
                name = f" ({fault.path})" if fault.path else ""
                faults.add(f"{_path_of(START_WITH)}{name}", fault.message)


def check_all_used(spaces: Sequence[ParameterSpace], settings: Mapping[str, str], faults: FaultCollector) -> None:
    """Note a fault for each entry of a setting that is about none of several definitions.

    Args:
        spaces: The parameter space of each definition.
        settings: Alfine's settings, by name.
        faults: Takes the faults.
    """
    for setting in (REQUIRES, FORBID, STEP, START_WITH):
        fits = is_whole if setting == START_WITH else is_about
        for entry in read_entries(setting, settings, faults):
            if any(fits(entry, space) for space in spaces):
                continue
            text = words(entry.clauses)
            incomplete = setting == START_WITH and any(is_about(entry, space) for space in spaces)
            faults.add(
                _path_of(setting),
                f"«{text}» is a whole configuration of no definition: each hyperparameter needs a value."
                if incomplete
                else f"no definition has all hyperparameters of «{text}».",
            )


def read_entries(setting: str, settings: Mapping[str, str], faults: FaultCollector) -> list[Entry]:
    """Return the entries of a setting that is written in the words of core/conditions.py; none where it can't be read."""
    text = text_of(settings, setting)
    if text is None:
        return []
    try:
        return read(text)
    except InvalidSpec as error:
        for fault in error.faults:
            faults.add(_path_of(setting), fault.message)
        return []


def is_about(entry: Entry, space: ParameterSpace) -> bool:
    """Return whether the space has every hyperparameter that the entry names."""
    names = [clause.name for clause in entry.clauses] + ([entry.subject] if entry.subject is not None else [])
    return set(names) <= set(space.names)


def is_whole(entry: Entry, space: ParameterSpace) -> bool:
    """Return whether the entry is about the space and has every hyperparameter that is always active there."""
    named = {clause.name for clause in entry.clauses}
    return is_about(entry, space) and all(range_.requires or name in named for name, range_ in space.ranges.items())


# -- ranges ----------------------------------------------------------------------------------------------------------


def _read_ranges(lists: Mapping[str, Any], path: str, faults: FaultCollector) -> dict[str, Range]:
    ranges: dict[str, Range] = {}
    for kind, read_range in _READERS:
        for index, entry in enumerate(lists.get(kind) or []):
            name = str(entry.get("Name"))
            where = f"{path}.{kind}[{index}] ({name})"
            try:
                range_ = read_range(entry)
            except (KeyError, TypeError, ValueError) as error:
                faults.add(where, _unreadable(kind, entry, error))
                continue
            faults.extend([*range_.faults(where), *single_value_fault(where, range_)])
            if name in ranges:
                faults.add(where, f"hyperparameter {name!r} has two ranges. Keep one.")
            ranges[name] = range_
    return ranges


def _with_steps(
    ranges: dict[str, Range], settings: Mapping[str, str], faults: FaultCollector, *, several: bool
) -> dict[str, Range]:
    """Return the ranges with the steps that the setting gives them; without those that can't be."""
    stepped = dict(ranges)
    for entry in read_entries(STEP, settings, faults):
        clause, range_ = entry.clauses[0], ranges.get(entry.clauses[0].name)
        step = number_of(clause.values[0])
        if range_ is None and several:
            continue
        if len(entry.clauses) > 1 or clause.operator != "is" or len(clause.values) > 1 or entry.subject or step is None:
            faults.add(_path_of(STEP), f"«{words(entry.clauses)}» must be a name and its step, as «eta = 0.25».")
        elif isinstance(range_, Continuous | Integer):
            with_step = replace(range_, step=step)  # type: ignore[arg-type]  # Integer makes an integer of a whole one
            faults.extend(Fault(_path_of(STEP), f"{clause.name}: {f.message}") for f in with_step.faults("step"))
            stepped[clause.name] = with_step
        else:
            message = f"there is no range of numbers for {clause.name!r}. Known: {', '.join(ranges)}."
            faults.add(_path_of(STEP), message)
    return stepped


def _integer(entry: Mapping[str, Any]) -> Range:
    return Integer(int(entry["MinValue"]), int(entry["MaxValue"]), scaling=entry.get("ScalingType", "Auto"))


def _continuous(entry: Mapping[str, Any]) -> Range:
    low, high, scaling = float(entry["MinValue"]), float(entry["MaxValue"]), entry.get("ScalingType", "Auto")
    if DRAWN_FROM in entry:  # Auto means Linear, as for the bound that was asked for, which has no logarithm
        return Continuous(float(entry[DRAWN_FROM]), high, scaling="Linear" if scaling == "Auto" else scaling)
    return Continuous(low, high, scaling=scaling)


def _categorical(entry: Mapping[str, Any]) -> Range:
    return Categorical(tuple(entry["Values"]))


_READERS: tuple[tuple[str, Callable[[Mapping[str, Any]], Range]], ...] = (
    ("IntegerParameterRanges", _integer),
    ("ContinuousParameterRanges", _continuous),
    ("CategoricalParameterRanges", _categorical),
)
_WANTED = {
    "IntegerParameterRanges": "whole numbers",
    "ContinuousParameterRanges": "numbers",
    "CategoricalParameterRanges": "a list of texts",
}


def _unreadable(kind: str, entry: Mapping[str, Any], error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing."
    given = entry.get("Values", (entry.get("MinValue"), entry.get("MaxValue")))
    return f"{given!r} must be {_WANTED[kind]}."


# -- conditions and forbidden combinations ---------------------------------------------------------------------------


def _with_conditions(
    ranges: Mapping[str, Range], settings: Mapping[str, str], faults: FaultCollector, *, several: bool
) -> ParameterSpace:
    """Return the space of ranges without faults; where its conditions are impossible together, without them."""
    requires, forbidden = _read_conditions(ranges, settings, faults, several=several)
    if not requires and not forbidden:
        return ParameterSpace(ranges)
    conditional = {name: range_.requiring(tuple(requires.get(name, ()))) for name, range_ in ranges.items()}
    impossible = [*conditional_faults(conditional, forbidden, _path_of(REQUIRES), _path_of(FORBID))]
    faults.extend(impossible)
    return ParameterSpace(ranges) if impossible else ParameterSpace(conditional, tuple(forbidden))


def _read_conditions(
    ranges: Mapping[str, Range], settings: Mapping[str, str], faults: FaultCollector, *, several: bool
) -> tuple[dict[str, list[Combination]], list[Combination]]:
    """Return the combinations that each hyperparameter requires, by its name, and the forbidden combinations."""
    space, requires, forbidden = ParameterSpace(ranges), dict[str, list[Combination]](), list[Combination]()
    for entry in read_entries(REQUIRES, settings, faults):
        if several and not is_about(entry, space):
            continue
        if entry.subject is None:
            message = f"«{words(entry.clauses)}» must say of what it's a condition, as «momentum if …»."
            faults.add(_path_of(REQUIRES), message)
        elif entry.subject in ranges:
            requires.setdefault(entry.subject, []).append(entry.clauses)
        else:
            message = f"there is no hyperparameter {entry.subject!r} with a range. Known: {', '.join(ranges)}."
            faults.add(_path_of(REQUIRES), message)
    for entry in read_entries(FORBID, settings, faults):
        if entry.subject is not None:
            faults.add(_path_of(FORBID), naming("«{} if …» is a condition: it belongs in {requires}.", entry.subject))
        elif not several or is_about(entry, space):
            forbidden.append(entry.clauses)
    return requires, forbidden


def _path_of(setting: str) -> str:
    return f"Tags.{TAG_PREFIX}{setting}"


def _typed(space: ParameterSpace, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the values that AMT's strings mean, as far as they can be read; `space.check` names what can't."""

    def value(name: str, text: str) -> Any:
        try:
            return space.ranges[name].from_text(text)
        except (KeyError, ValueError):  # InvalidSpec too
            return text

    return {name: value(name, text) for name, text in texts.items()}
