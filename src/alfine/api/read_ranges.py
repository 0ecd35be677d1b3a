"""The ranges of a job file: `{min: 0.01, max: 1.0}` or a list of categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alfine.api.read_values import ValueReader, is_scalar, shown
from alfine.core.axis import SCALINGS
from alfine.core.field import Face
from alfine.core.fields import RANGE_WORDS, unknown
from alfine.core.messages import spelled
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical, Continuous, Integer, single_value_fault

TYPES = ("continuous", "integer")
"""Values of `type` in a range of numbers."""

OF_NUMBERS = ("min", "max", "scaling", "step", "type")
"""The keys that only ranges of numbers have."""


def read_space(reader: ValueReader, path: str, value: Any) -> dict[str, Range]:
    """Return the range of each hyperparameter. What can't be read as one is left out, and a fault of the reader.

    Args:
        reader: Collects the faults.
        path: Where the space stands in the file.
        value: What the file has there.
    """
    entries = reader.values(path, value)
    if not entries and isinstance(value, dict):
        reader.fault(path, "is empty. Give at least one hyperparameter a range.")
    ranges = {name: _range(reader, f"{path}.{name}", entry) for name, entry in entries.items()}
    return {name: range_ for name, range_ in ranges.items() if range_ is not None}


def _range(reader: ValueReader, path: str, value: Any) -> Range | None:
    if isinstance(value, list):
        return _categories(reader, path, value)
    if not isinstance(value, dict):
        wanted = "must be {min: …, max: …}, or a list of categories. A fixed value belongs in `static`."
        reader.fault(path, f"{shown(value)} {wanted}")
        return None
    before = len(reader.faults)
    for key in value:
        if key not in RANGE_WORDS:
            reader.fault(f"{path}.{key}", unknown(str(key), RANGE_WORDS))
    requires = reader.combinations(f"{path}.requires", value.get("requires"))
    if "values" in value:
        range_ = _listed(reader, path, value)
        return range_ and range_.requiring(requires)
    return _numbers(reader, path, value, requires, before)


def _listed(reader: ValueReader, path: str, value: Mapping[str, Any]) -> Range | None:
    """Return the categories of `{values: […], requires: …}`."""
    if odd := [key for key in OF_NUMBERS if key in value]:
        reader.fault(f"{path}.{odd[0]}", "is of a range of numbers, and there are values. Keep one of the two.")
    values = value["values"]
    if not isinstance(values, list):
        reader.fault(f"{path}.values", f"{shown(values)} must be a list of categories.")
        return None
    return _categories(reader, f"{path}.values", values)


def _numbers(reader: ValueReader, path: str, value: Mapping[str, Any], requires: Any, before: int) -> Range | None:
    """Return a range of numbers: of integers when both ends and the step are written as integers, unless `type` says otherwise.

    before: how many faults there were before the range was looked at.
    """
    scaling = reader.choice(f"{path}.scaling", value.get("scaling", "Auto"), SCALINGS)
    kind = reader.choice(f"{path}.type", str(value["type"]).lower(), TYPES) if "type" in value else None
    low, high = (_end(reader, f"{path}.{key}", key, value) for key in ("min", "max"))
    if len(reader.faults) > before:
        return None
    are_whole = isinstance(low, int) and isinstance(high, int)
    if kind == "integer" and not are_whole:
        reader.fault(path, f"{low} and {high} must be whole numbers, since type is integer.")
        return None
    step = value.get("step")
    are_whole = are_whole and (kind == "integer" or not isinstance(step, float))
    range_: Range = (
        Integer(low, high, scaling=scaling, step=step, requires=requires)
        if are_whole and kind != "continuous"
        else Continuous(float(low), float(high), scaling=scaling, step=step, requires=requires)
    )
    faults = [*range_.faults(path), *single_value_fault(path, range_)]
    reader.faults += [spelled(fault, Face.JOB_FILE) for fault in faults]
    return range_


def _end(reader: ValueReader, path: str, key: str, value: Mapping[str, Any]) -> Any:
    end = value.get(key)
    if key not in value:
        reader.fault(path, "is missing. A range needs min and max; for categories write a list.")
    elif isinstance(end, bool) or not isinstance(end, int | float):
        reader.fault(path, f"{shown(end)} must be a number.")
    return end


def _categories(reader: ValueReader, path: str, values: list[Any]) -> Range | None:
    if odd := [value for value in values if not (is_scalar(value) or value is None)]:
        reader.fault(path, f"{shown(odd[0])} can't be a category. Use texts, numbers, true or false.")
        return None
    range_ = Categorical(values)
    reader.faults += range_.faults(path)
    return range_
