"""AWS's JSON protocol: requests are checked and answers written by botocore's service model alone.

Each shape of the model is compiled once into two closures: one reads and checks a JSON value, the other writes the answer's. No
operation is listed here by hand. Where alfine accepts more than AWS (its own places and machines), TAKEN_TOO lists it with the reason.

There are two kinds of refusal, as in AWS: a value of the wrong JSON type ends the reading (SerializationException); violated
constraints are collected over the whole request and reported together (ValidationException).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import regex
from botocore.loaders import Loader

from alfine.aws.json_size import MAX_VALUES, has_too_many_values
from alfine.core.errors import AlfineError

Plain = dict[str, Any]
Faults = list[str]
Reader = Callable[[Any, str, Faults], Any]
Writer = Callable[[Any], Any]

MAX_DEPTH = 64
"""Largest depth of nested objects and lists; the model's deepest is below 20."""

MAX_FAULTS = 100
"""Largest number of faults that one answer names."""

SHOWN_CHARACTERS = 1024
"""Largest number of characters of a value in a message."""

PATTERN_SECONDS = 1.0
"""Time limit of one match; the model's patterns need microseconds."""

INTEGERS = {"integer": 2**31, "long": 2**63}

# Values that AWS refuses and alfine accepts: shape -> (further enum values, a further pattern).
TAKEN_TOO: Mapping[str, tuple[tuple[str, ...], str]] = {
    "TrainingInstanceType": (("local", "local_gpu"), ""),  # the SDK's local mode
    "S3Uri": ((), r"(file:///.*)?"),  # files of this machine; the SDK's local mode also sends an empty output path
}


class WireError(AlfineError):
    """An error for the caller: AWS's code, AWS's text, the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Written(dict[str, Any]):
    """An answer that already went through its operation's `write`."""


def validation_error(message: str) -> WireError:
    """Return the error for a request that violates the model."""
    return WireError("ValidationException", message)


def not_readable(message: str) -> WireError:
    """Return the error for a body that can't be read as JSON."""
    return WireError("SerializationException", message)


class Operation:
    """One operation of a service: how its request is read and its answer written."""

    def __init__(self, name: str, read: Reader, write: Writer) -> None:
        self.name = name
        self._read = read
        self.write = write

    def faults(self, value: Any) -> Faults:
        """Return everything that violates the model, one sentence each.

        Raises:
            WireError: A value has the wrong type.
        """
        found: Faults = []
        self._read(value, "", found)
        return found

    def check(self, value: Any) -> Plain:
        """Return the request with its timestamps as datetimes.

        Raises:
            WireError: With everything that violates the model.
        """
        faults: Faults = []
        request: Plain = self._read(value, "", faults)
        if faults:
            raise validation_error(_detected(faults))
        return request


class Api:
    """One service by botocore's model: its operations by name."""

    def __init__(self, service: str) -> None:
        self.model = Loader().load_service_model(service, "service-2")
        metadata = self.model["metadata"]
        self.target_prefix: str = metadata.get("targetPrefix", "")
        self.signing_name: str = metadata.get("signingName", metadata["endpointPrefix"])
        self.shapes = _Shapes(self.model["shapes"])
        self._operations: dict[str, Operation] = {}

    def operation(self, name: str) -> Operation:
        """Return an operation. Raise WireError for one that the model doesn't have."""
        if name not in self._operations:
            known = self.model["operations"].get(name)
            if known is None:
                raise unknown_operation(name)
            read = self.shapes.reader(known["input"]["shape"]) if "input" in known else _no_members
            write = self.shapes.writer(known["output"]["shape"]) if "output" in known else _nothing
            self._operations[name] = Operation(name, read, write)
        return self._operations[name]


@cache
def api(service: str) -> Api:
    """Return the model of a service, loaded once: SageMaker's takes a quarter of a second."""
    return Api(service)


def unknown_operation(name: str) -> WireError:
    """Return the error for an operation that the service doesn't have."""
    return WireError("UnknownOperationException", f"alfine doesn't have the operation {name[:80]!r}.")


# ---- bodies ------------------------------------------------------------------------------------------------------------


def parse(body: bytes) -> Any:
    """Return the JSON value of a body.

    Raises:
        WireError: It isn't JSON, has too many values, is nested too deeply, or has a number that isn't finite.
    """
    if has_too_many_values(body):
        raise not_readable(f"The request body has more than {MAX_VALUES} values.")
    try:
        value = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise not_readable(f"The request body isn't JSON: {error}"[:300]) from error
    _check_depth(value, MAX_DEPTH)
    return value


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} isn't a JSON number.")


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise not_readable(f"The request body is nested more than {MAX_DEPTH} levels deep.")
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inside:
        if isinstance(each, dict | list):
            _check_depth(each, left - 1)


def render(value: Any) -> bytes:
    """Return an answer as JSON."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def error_body(code: str, message: str) -> bytes:
    """Return an error as JSON."""
    return render({"__type": code, "Message": message})


def _detected(faults: Sequence[str]) -> str:
    plural = "" if len(faults) == 1 else "s"
    return f"{len(faults)} validation error{plural} detected: {'; '.join(faults)}"


# ---- the model's shapes as closures ------------------------------------------------------------------------------------


class _Shapes:
    """Compiles shapes when they are first needed; a recursive shape refers to itself by name."""

    def __init__(self, shapes: Mapping[str, Any]) -> None:
        self._shapes = shapes
        self._readers: dict[str, Reader] = {}
        self._writers: dict[str, Writer] = {}

    def reader(self, name: str) -> Reader:
        if name not in self._readers:
            self._readers[name] = lambda value, path, faults: self._readers[name](value, path, faults)  # noqa: PLW0108
            self._readers[name] = self._reader_of(name)
        return self._readers[name]

    def writer(self, name: str) -> Writer:
        if name not in self._writers:
            self._writers[name] = lambda value: self._writers[name](value)  # noqa: PLW0108 - looked up when it's called
            self._writers[name] = self._writer_of(name)
        return self._writers[name]

    def _reader_of(self, name: str) -> Reader:
        shape = self._shapes[name]
        match shape["type"]:
            case "structure":
                members = {key: self.reader(member["shape"]) for key, member in shape["members"].items()}
                return _structure_reader(members, shape.get("required", ()))
            case "list":
                member = shape["member"]["shape"]
                return _list_reader(self.reader(member), shape, inline=self._is_simple(member))
            case "map":
                return _map_reader(self.reader(shape["key"]["shape"]), self.reader(shape["value"]["shape"]), shape)
            case "string":
                return _string_reader(shape, *TAKEN_TOO.get(name, ((), "")))
            case "boolean":
                return _boolean
            case "timestamp":
                return _timestamp
            case "blob":
                return _text
            case kind:
                return _number_reader(shape, kind)

    def _is_simple(self, name: str) -> bool:
        return self._shapes[name]["type"] not in ("structure", "list", "map")

    def _writer_of(self, name: str) -> Writer:
        shape = self._shapes[name]
        match shape["type"]:
            case "structure":
                return _structure_writer(
                    {key: self.writer(member["shape"]) for key, member in shape["members"].items()}
                )
            case "list":
                return _list_writer(self.writer(shape["member"]["shape"]))
            case "map":
                return _map_writer(self.writer(shape["value"]["shape"]))
            case "timestamp":
                return epoch_seconds
            case "float" | "double":
                return _finite
            case _:
                return _as_is


def _no_members(value: Any, path: str, faults: Faults) -> Plain:  # noqa: ARG001 - a Reader's signature
    return {}


def _nothing(value: Any) -> Plain:  # noqa: ARG001 - a Writer's signature
    return {}


def _structure_reader(members: Mapping[str, Reader], required: Sequence[str]) -> Reader:
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


def _list_reader(member: Reader, shape: Mapping[str, Any], *, inline: bool) -> Reader:
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


def _map_reader(key: Reader, member: Reader, shape: Mapping[str, Any]) -> Reader:
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


def _string_reader(shape: Mapping[str, Any], more_values: Sequence[str], more_pattern: str) -> Reader:
    enum = (*shape.get("enum", ()), *more_values)
    least, most = shape.get("min", 0), shape.get("max", math.inf)
    patterns = [regex.compile(text) for text in (shape.get("pattern", ""), more_pattern) if text]

    def read(value: Any, path: str, faults: Faults) -> str:
        text: str = _text(value, path, faults)
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


def _text(value: Any, path: str, faults: Faults) -> str:  # noqa: ARG001 - a Reader's signature
    if not isinstance(value, str):
        raise _wrong_type(value, "a String", path)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise not_readable(f"The text at '{path}' has half a surrogate pair.") from error
    return value


def _boolean(value: Any, path: str, faults: Faults) -> bool:  # noqa: ARG001 - a Reader's signature
    if not isinstance(value, bool):
        raise _wrong_type(value, "a Boolean", path)
    return value


def _number_reader(shape: Mapping[str, Any], kind: str) -> Reader:
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


def _timestamp(value: Any, path: str, faults: Faults) -> datetime:  # noqa: ARG001 - a Reader's signature
    """Read epoch seconds, or ISO 8601."""
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


# ---- answers -----------------------------------------------------------------------------------------------------------


def _structure_writer(members: Mapping[str, Writer]) -> Writer:
    def write(value: Mapping[str, Any]) -> Plain:
        return {name: members[name](each) for name, each in value.items() if each is not None and name in members}

    return write


def _list_writer(member: Writer) -> Writer:
    return lambda value: [member(each) for each in value]


def _map_writer(member: Writer) -> Writer:
    return lambda value: {str(key): member(each) for key, each in value.items() if each is not None}


def epoch_seconds(at: datetime | float) -> float:
    """Return epoch seconds in whole milliseconds, as AWS has them; a number is returned unchanged."""
    return round(at.timestamp(), 3) if isinstance(at, datetime) else at


def _finite(value: float) -> float:
    """Return the value, with the largest double in place of infinity: JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else math.copysign(1.7976931348623157e308, value)


def _as_is(value: Any) -> Any:
    return value
