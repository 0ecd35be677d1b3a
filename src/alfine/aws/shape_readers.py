"""Readers of the values in a request: each checks one kind of shape of botocore's service model."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import regex

from alfine.aws.wire_error import WireError, not_readable

Plain = dict[str, Any]
Faults = list[str]
Reader = Callable[[Any, str, Faults], Any]
"""Checks a value and returns it; called with the value, its path in the request, and the list to which it adds faults."""

MAX_FAULTS = 100
"""Largest number of faults that one answer names."""

SHOWN_CHARACTERS = 1024
"""Largest number of characters of a value in a message."""

PATTERN_SECONDS = 1.0
"""Time limit of one match; the model's patterns need microseconds."""

INTEGERS = {"integer": 2**31, "long": 2**63}


def structure_reader(members: Mapping[str, Reader], required: Sequence[str]) -> Reader:
    """Return a reader of objects.

    Args:
        members: The reader of each.
        required: The names of those that must be there.
    """

    def read(value: Any, path: str, faults: Faults) -> Plain:
        if not isinstance(value, dict):
            raise _wrong_type(value, "a structure", path)
        for name in required:
            if value.get(name) is None:
                _fault(faults, None, _member(path, name), "Member must not be null")
        found = {}
        for name, each in value.items():
            reader = members.get(name)
            if reader is None:
                _fault(faults, each, _member(path, name), f"Member must be one of the model's: [{', '.join(members)}]")
            elif each is not None:
                found[name] = reader(each, _member(path, name), faults)
        return found

    return read


def list_reader(member: Reader, shape: Mapping[str, Any], *, inline: bool) -> Reader:
    """Return a reader of lists.

    Args:
        inline: Their members are plain values, whose faults AWS names in the list's own message.
    """
    least, most = shape.get("min", 0), shape.get("max", math.inf)

    def read(value: Any, path: str, faults: Faults) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong_type(value, "a list", path)
        _check_length(value, path, faults, least, most)
        if len(value) > most:
            return value  # refused already: the members of a list that is too long aren't read
        if inline:
            return _inline_members(value, member, path, faults)
        found = []
        for index, each in enumerate(value, 1):
            where = f"{path}.{index}.member"
            if each is None:
                _fault(faults, None, where, "Member must not be null")
            else:
                found.append(member(each, where, faults))
        return found

    return read


def _inline_members(value: list[Any], member: Reader, path: str, faults: Faults) -> list[Any]:
    """Read the members of a list of plain values: AWS names their faults in the list's own message."""
    inner: Faults = []
    found = []
    for each in value:
        if each is None:
            inner.append("Member must not be null")
        else:
            found.append(member(each, "", inner))
    if inner:
        _fault(faults, value, path, f"Member must satisfy constraint: [{_constraints(inner)}]")
    return found


def map_reader(key: Reader, member: Reader, shape: Mapping[str, Any]) -> Reader:
    """Return a reader of objects with any keys, whose values are of one shape."""
    least, most = shape.get("min", 0), shape.get("max", math.inf)

    def read(value: Any, path: str, faults: Faults) -> Plain:
        if not isinstance(value, dict):
            raise _wrong_type(value, "a map", path)
        _check_length(value, path, faults, least, most)
        if len(value) > most:
            return value
        keys: Faults = []
        values: Faults = []
        found = {}
        for name, each in value.items():
            if each is None:
                values.append("Member must not be null")
            else:
                found[key(name, "", keys)] = member(each, "", values)
        if keys:
            _fault(faults, value, path, f"Map keys must satisfy constraint: [{_constraints(keys)}]")
        if values:
            _fault(faults, value, path, f"Map value must satisfy constraint: [{_constraints(values)}]")
        return found

    return read


def string_reader(shape: Mapping[str, Any], more_values: Sequence[str], more_pattern: str) -> Reader:
    """Return a reader of texts; what alfine accepts beyond AWS: more_values and more_pattern."""
    enum = (*shape.get("enum", ()), *more_values)
    least, most = shape.get("min", 0), shape.get("max", math.inf)
    patterns = [regex.compile(text) for text in (shape.get("pattern", ""), more_pattern) if text]

    def read(value: Any, path: str, faults: Faults) -> str:
        text: str = read_text(value, path, faults)
        if enum and text not in enum:
            _fault(faults, text, path, f"Member must satisfy enum value set: [{', '.join(enum)}]")
        _check_length(text, path, faults, least, most)
        if patterns and len(text) <= max(most, SHOWN_CHARACTERS) and not any(_matches(each, text) for each in patterns):
            _fault(faults, text, path, f"Member must satisfy regular expression pattern: {shape['pattern']}")
        return text

    return read


def _matches(pattern: regex.Pattern[str], text: str) -> bool:
    try:
        return pattern.fullmatch(text, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        return False


def read_text(value: Any, path: str, faults: Faults) -> str:  # noqa: ARG001 - a Reader's signature
    """Return a text that can be written as UTF-8."""
    if not isinstance(value, str):
        raise _wrong_type(value, "a String", path)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise not_readable(f"The text at '{path}' has half a surrogate pair.") from error
    return value


def read_boolean(value: Any, path: str, faults: Faults) -> bool:  # noqa: ARG001 - a Reader's signature
    """Return a boolean."""
    if not isinstance(value, bool):
        raise _wrong_type(value, "a Boolean", path)
    return value


def number_reader(shape: Mapping[str, Any], kind: str) -> Reader:
    """Return a reader of numbers.

    Args:
        kind: `integer`, `long`, `float` or `double`.
    """
    whole = kind in INTEGERS
    limit = INTEGERS.get(kind, 0)
    least, most = shape.get("min"), shape.get("max")
    what = "a Double" if not whole else "a Long" if kind == "long" else "an Integer"

    def read(value: Any, path: str, faults: Faults) -> float:
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise _wrong_type(value, what, path)
        if whole and not -limit <= value < limit:
            raise not_readable(f"The number at '{path}' doesn't fit into {what}.")
        if not whole:
            value = _as_float(value, path)
        if least is not None and value < float(least):
            _fault(faults, value, path, f"Member must have value greater than or equal to {least}")
        if most is not None and value > float(most):
            _fault(faults, value, path, f"Member must have value less than or equal to {most}")
        number: float = value
        return number

    return read


def _as_float(value: float, path: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise not_readable(f"The number at '{path}' doesn't fit into a Double.")
    return number


def read_timestamp(value: Any, path: str, faults: Faults) -> datetime:  # noqa: ARG001 - a Reader's signature
    """Return the instant of a number of epoch seconds, or of a text in ISO 8601."""
    try:
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
        if not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise not_readable(f"The value at '{path}' isn't a timestamp: {error}"[:300]) from error
    raise _wrong_type(value, "a Timestamp", path)


def _check_length(value: Any, path: str, faults: Faults, least: float, most: float) -> None:
    if len(value) < least:
        _fault(faults, value, path, f"Member must have length greater than or equal to {least}")
    if len(value) > most:
        _fault(faults, value, path, f"Member must have length less than or equal to {most}")


def _member(path: str, name: str) -> str:
    """Return the path of a member as AWS writes it in messages, with a small first letter."""
    small = name[:1].lower() + name[1:]
    return f"{path}.{small}" if path else small


def _fault(faults: Faults, value: Any, path: str, constraint: str) -> None:
    if len(faults) < MAX_FAULTS:
        shown = "null" if value is None else f"'{_shown(value)}'"
        where = f"Value {shown} at '{path[:SHOWN_CHARACTERS]}' failed to satisfy constraint: " if path else ""
        faults.append(where + constraint)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode(errors="replace").decode()[:SHOWN_CHARACTERS]


def _constraints(inner: Faults) -> str:
    return ", ".join(dict.fromkeys(inner))


def _wrong_type(value: Any, wanted: str, path: str) -> WireError:
    kinds = {
        dict: "START_OBJECT",
        list: "START_ARRAY",
        str: "STRING_VALUE",
        bool: "TRUE_VALUE",
        type(None): "NULL_VALUE",
    }
    kind = kinds.get(type(value), "NUMBER_VALUE")
    return not_readable(
        f"{kind} can not be converted to {wanted}" + (f" (at '{path[:SHOWN_CHARACTERS]}')" if path else "")
    )
