"""AWS's JSON protocol: requests are checked and answers written by botocore's service model alone.

Each shape of the model is compiled once into two closures: one reads and checks a JSON value, the other writes the answer's. No
operation is listed here by hand. Where alfine accepts more than AWS (its own places and machines), TAKEN_TOO lists it with the reason.

There are two kinds of refusal, as in AWS: a value of the wrong JSON type ends the reading (SerializationException); violated
constraints are collected over the whole request and reported together (ValidationException).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from alfine.aws.json_size import MAX_VALUES, has_too_many_values
from alfine.aws.service_models import service_model
from alfine.aws.shape_readers import (
    Faults,
    Plain,
    Reader,
    list_reader,
    map_reader,
    number_reader,
    read_boolean,
    read_text,
    read_timestamp,
    string_reader,
    structure_reader,
)
from alfine.aws.shape_writers import (
    Writer,
    epoch_seconds,
    list_writer,
    map_writer,
    structure_writer,
    write_as_is,
    write_finite,
)
from alfine.aws.wire_error import not_readable, unknown_operation, validation_error

MAX_DEPTH = 64
"""Largest depth of nested objects and lists; the model's deepest is below 20."""

# Values that AWS refuses and alfine accepts: shape -> (further enum values, a further pattern).
TAKEN_TOO: Mapping[str, tuple[tuple[str, ...], str]] = {
    "TrainingInstanceType": (("local", "local_gpu"), ""),  # the SDK's local mode
    "S3Uri": ((), r"(file:///.*)?"),  # files of this machine; the SDK's local mode also sends an empty output path
}


class Written(dict[str, Any]):
    """An answer that already went through its operation's `write`."""


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
        self.model = service_model(service)
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
    """Return the model of a service, loaded once."""
    return Api(service)


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
                return structure_reader(members, shape.get("required", ()))
            case "list":
                member = shape["member"]["shape"]
                return list_reader(self.reader(member), shape, inline=self._is_simple(member))
            case "map":
                return map_reader(self.reader(shape["key"]["shape"]), self.reader(shape["value"]["shape"]), shape)
            case "string":
                return string_reader(shape, *TAKEN_TOO.get(name, ((), "")))
            case "boolean":
                return read_boolean
            case "timestamp":
                return read_timestamp
            case "blob":
                return read_text
            case kind:
                return number_reader(shape, kind)

    def _is_simple(self, name: str) -> bool:
        return self._shapes[name]["type"] not in ("structure", "list", "map")

    def _writer_of(self, name: str) -> Writer:
        shape = self._shapes[name]
        match shape["type"]:
            case "structure":
                return structure_writer({key: self.writer(member["shape"]) for key, member in shape["members"].items()})
            case "list":
                return list_writer(self.writer(shape["member"]["shape"]))
            case "map":
                return map_writer(self.writer(shape["value"]["shape"]))
            case "timestamp":
                return epoch_seconds
            case "float" | "double":
                return write_finite
            case _:
                return write_as_is


def _no_members(value: Any, path: str, faults: Faults) -> Plain:  # noqa: ARG001 - a Reader's signature
    return {}


def _nothing(value: Any) -> Plain:  # noqa: ARG001 - a Writer's signature
    return {}
