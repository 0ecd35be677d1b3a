"""Reads RecordIO-protobuf, the format that SageMaker's SDK writes for its built-in algorithms: records of a label and features.

A file is a sequence of frames: a magic number, a length, the record, padding to four bytes. A record is a protobuf message
`aialgs.data.Record` with two maps, features and label. The entry «values» of each is a tensor: dense, or sparse with keys and shape.
This file reads the few fields that matter itself, because the schema doesn't change and a protobuf library would be the largest
dependency.

Sources: MXNet's recordio.h, SageMaker's record.proto («Common Data Formats for Training»), and protobuf's «Encoding».
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from alfine.programs.algorithms.opt_ml import BadInput, Matrix, files
from alfine.programs.algorithms.parsed_files import Arrays, parsed

MAGIC = 0xCED7230A
"""Beginning of each frame."""

LENGTH = (1 << 29) - 1
"""The bits of a frame's length. The upper three bits mean that a record goes on in the next frame."""

# Numbers of the fields in aialgs.data's messages.

FEATURES, LABEL = 1, 2
"""Field numbers of Record."""

KEY, VALUE = 1, 2
"""Field numbers of an entry of a map."""

TENSORS = {2: "<f4", 3: "<f8", 7: ""}
"""Field numbers of Value: float32_tensor, float64_tensor and int32_tensor, with their types in NumPy's notation; "" for varints."""

VALUES, KEYS, SHAPE = 1, 2, 3
"""Field numbers of a tensor."""

NAME = memoryview(b"values")
"""The entry of the maps with the numbers."""

Field = tuple[int, int | memoryview]


def read_recordio(channel: str, *, labelled: bool = True) -> tuple[Matrix, Matrix]:
    """Read all files of a channel.

    Args:
        channel: Its name.
        labelled: Whether each record must have a label. Otherwise the labels are NaN.

    Returns:
        Features (n, d) and labels (n,).

    Raises:
        BadInput: A file has another format, or a record has no features or not one label.
    """
    parts = [_read_file(path, labelled=labelled) for path in files(channel)]
    if not sum(len(part["labels"]) for part in parts):
        raise BadInput(f"there are no records in the channel {channel!r}.")
    width = max(part["features"].shape[1] for part in parts)
    tables = [np.pad(part["features"], ((0, 0), (0, width - part["features"].shape[1]))) for part in parts]
    return np.concatenate(tables), np.concatenate([part["labels"] for part in parts])


def _read_file(path: Path, *, labelled: bool) -> Arrays:
    content = path.read_bytes()
    form = "recordio" if labelled else "unlabelled"
    return parsed(form, content, lambda: _parse_file(content, path, labelled=labelled))


def _parse_file(content: bytes, path: Path, *, labelled: bool) -> Arrays:
    records = [_record(frame, path, labelled=labelled) for frame in _frames(content, path)]
    table = np.zeros((len(records), max((features.width for features, _ in records), default=0)))
    for row, (features, _) in zip(table, records, strict=True):
        row[features.places] = features.values
    return {"features": table, "labels": np.array([label for _, label in records])}


def _frames(content: bytes, path: Path) -> Iterator[memoryview]:
    data = memoryview(content)
    start = 0
    while start < len(data):
        magic, length = struct.unpack_from("<II", data, start) if start + 8 <= len(data) else (0, 0)
        if magic != MAGIC:
            raise BadInput(
                f"{path.name} isn't RecordIO-protobuf, the format of a channel without a ContentType. For CSV set its ContentType "
                "to text/csv."
            )
        if length > LENGTH or start + 8 + length > len(data):
            raise BadInput(f"{path.name} has a record in several parts, or ends within one: byte {start}.")
        yield data[start + 8 : start + 8 + length]
        start += 8 + (length + 3) // 4 * 4


class _Tensor:
    """A row of numbers: `values` at the indices `places`; the row has `width` columns."""

    def __init__(self, data: memoryview, kind: str) -> None:
        values: list[npt.NDArray[np.float64]] = []
        keys: list[int] = []
        shape: list[int] = []
        for number, value in _fields(data):
            if number == VALUES:
                values.append(_numbers(value, kind))
            elif number in (KEYS, SHAPE):
                (keys if number == KEYS else shape).extend(_varints(value))
        self.values = np.concatenate(values) if values else np.zeros(0)
        self.places = np.array(keys, dtype=np.int64) if keys else np.arange(len(self.values))
        self.width = shape[-1] if keys and shape else int(self.places.max(initial=-1)) + 1


def _record(data: memoryview, path: Path, *, labelled: bool) -> tuple[_Tensor, float]:
    try:
        tensors = _named_values(data)
        features, label = tensors[FEATURES], tensors[LABEL] if labelled else None
    except (KeyError, ValueError, IndexError, TypeError) as error:
        needed = "features and a label" if labelled else "features"
        raise BadInput(f"{path.name} has a record that can't be read: it needs {needed} named «values».") from error
    if (label and len(label.values) != 1) or len(features.places) != len(features.values):
        raise BadInput(f"{path.name} has a record without one label, or with fewer keys than values.")
    return features, float(label.values[0]) if label else np.nan


def _named_values(data: memoryview) -> dict[int, _Tensor]:
    """Return the tensors of a record, by the number of their field: FEATURES and LABEL."""
    tensors: dict[int, _Tensor] = {}
    for number, entry in _fields(data):
        if number in (FEATURES, LABEL):
            parts = dict(_fields(entry))
            if parts[KEY] == NAME:
                tensors[number] = _value(parts[VALUE])
    return tensors


def _value(data: int | memoryview) -> _Tensor:
    for number, tensor in _fields(data):
        if isinstance(tensor, memoryview) and number in TENSORS:
            return _Tensor(tensor, TENSORS[number])
    raise ValueError


def _numbers(value: int | memoryview, kind: str) -> npt.NDArray[np.float64]:
    """Read packed numbers. kind: their type in NumPy's notation; "" for varints."""
    if not kind:
        return np.array(_varints(value), dtype=np.float64)
    if isinstance(value, int):
        raise TypeError
    return np.frombuffer(value, kind).astype(np.float64)


# ---- protobuf's encoding -----------------------------------------------------------------------------------------------


def _fields(data: int | memoryview) -> Iterator[Field]:
    """Yield the number and the value of each field: a number for a varint, the bytes for anything else."""
    if isinstance(data, int):
        raise TypeError
    start = 0
    while start < len(data):
        tag, start = _varint(data, start)
        kind = tag & 7
        if kind == 0:
            value, start = _varint(data, start)
            yield tag >> 3, value
            continue
        size, start = _varint(data, start) if kind == 2 else ({1: 8, 5: 4}[kind], start)
        if start + size > len(data):
            raise ValueError
        yield tag >> 3, data[start : start + size]
        start += size


def _varint(data: memoryview, start: int) -> tuple[int, int]:
    """Return the varint that begins at `start`, and where the next field begins."""
    number = shift = 0
    while True:
        byte = data[start]
        number |= (byte & 0x7F) << shift
        start, shift = start + 1, shift + 7
        if byte < 0x80:
            return number, start


def _varints(value: int | memoryview) -> list[int]:
    if isinstance(value, int):
        return [value]
    numbers, start = [], 0
    while start < len(value):
        number, start = _varint(value, start)
        numbers.append(number)
    return numbers
