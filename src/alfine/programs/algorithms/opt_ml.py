"""Reading and writing /opt/ml in a built-in algorithm's training job: hyperparameters, channels, model, failure.

This module and the train_*.py files run inside training jobs. A warm launcher imports them once and forks each training job
from that process, so nothing here may read the environment or a folder at import: each training job has its own.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from alfine.programs.algorithms.parsed_files import parsed
from alfine.programs.hyperparameter_text import unquoted

Matrix = npt.NDArray[np.float64]

DELIMITERS = (",", ";", "\t", "|")
"""Delimiters of CSV files: the first of them that occurs in a file's first line is the file's."""

BOOLEAN = re.compile(rb"(?<![^,;\t|\r\n\" ])(?:(true)|false)(?![^,;\t|\r\n\" ])", re.IGNORECASE)
"""A field that is a boolean. pandas 2 writes the columns of get_dummies as True and False."""

INSTANCES = "ALFINE_INSTANCE_COUNT"
"""The variable with the number of instances that the request asks for, where it is more than the one that trains."""

HIDDEN = (".", "_")
"""Beginnings of the names of files that aren't data, such as Spark's _SUCCESS."""


class BadInput(Exception):
    """The data or the hyperparameters can't be used. The message says which, and what to do."""


def base_folder() -> Path:
    """Return this training job's /opt/ml: the folder in SAGEMAKER_BASE_DIR, which alfine sets for each training job."""
    return Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def model_folder() -> Path:
    """Return the folder whose content becomes the training job's model artifact."""
    return base_folder() / "model"


def run(train: Callable[[dict[str, str]], None]) -> NoReturn:
    """Train and end the process. An exception is written to `output/failure`, from where the FailureReason is taken.

    Args:
        train: Called with the hyperparameters.
    """
    if instances := os.environ.get(INSTANCES):
        print(f"The request has {instances} instances. Here one trains, once, on all the data.", flush=True)  # noqa: T201
    try:
        train(hyperparameters())
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes the FailureReason
        if isinstance(error, BadInput):
            print(error, file=sys.stderr)  # noqa: T201
        else:
            traceback.print_exc()
        (base_folder() / "output" / "failure").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        sys.exit(1)
    sys.exit(0)


def say(line: str) -> None:
    """Print a line in the form of the logs of AWS's algorithms."""
    print(f"[{time.strftime('%m/%d/%Y %H:%M:%S')} INFO {os.getpid()}] {line}", flush=True)  # noqa: T201


def hyperparameters() -> dict[str, str]:
    """Return the training job's hyperparameters as texts, without the JSON quotes that some clients put around them."""
    texts: dict[str, str] = json.loads(
        (base_folder() / "input/config/hyperparameters.json").read_text(encoding="utf-8")
    )
    return {name: unquoted(text) for name, text in texts.items()}


def content_type(channel: str, default: str) -> str:
    """Return a channel's content type without its parameters («text/csv; label_size=1» is text/csv), or the default."""
    config = json.loads((base_folder() / "input/config/inputdataconfig.json").read_text(encoding="utf-8"))
    return str(config.get(channel, {}).get("ContentType") or default).partition(";")[0].strip().lower()


def has(channel: str) -> bool:
    """Return whether the training job has a channel."""
    return (base_folder() / "input" / "data" / channel).is_dir()


def files(channel: str) -> list[Path]:
    """Return the files of a channel and its folders, sorted by path, without hidden ones and markers such as _SUCCESS.

    Raises:
        BadInput: There are none.
    """
    paths = sorted(_walk(base_folder() / "input" / "data" / channel))
    if not paths:
        raise BadInput(f"there are no files in the channel {channel!r}.")
    return paths


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(HIDDEN)]
        yield from (Path(place, name) for name in names if not name.startswith(HIDDEN))


def read_csv(channel: str) -> Matrix:
    """Read all CSV files of a channel, which have no header.

    Returns:
        (rows, columns); an empty field is NaN, True is 1 and False is 0.

    Raises:
        BadInput: A file isn't all numbers, or the files differ in their number of columns.
    """
    parts = [_read_csv_file(path) for path in files(channel)]
    widths = {part.shape[1]: path for part, path in zip(parts, files(channel), strict=True)}
    if len(widths) > 1:
        shown = ", ".join(f"{path.name} has {width}" for width, path in widths.items())
        raise BadInput(f"the files of the channel {channel!r} differ in their number of columns: {shown}.")
    return np.concatenate(parts)


def _read_csv_file(path: Path) -> Matrix:
    content = path.read_bytes()
    return parsed("csv", content, lambda: {"table": _parse_csv(path.name, content)})["table"]


def _parse_csv(name: str, content: bytes) -> Matrix:
    first = content.partition(b"\n")[0].decode("utf-8-sig", errors="replace").strip()
    delimiter = next((delimiter for delimiter in DELIMITERS if delimiter in first), None)
    if not first:
        raise BadInput(f"{name} is empty, or begins with an empty line.")
    try:
        return _loaded(content, delimiter)
    except ValueError:
        numbers = BOOLEAN.sub(lambda found: b"1" if found[1] else b"0", content)
    try:
        return _loaded(numbers, delimiter)
    except ValueError:
        return _read_fields(name, numbers, delimiter)


def _loaded(content: bytes, delimiter: str | None) -> Matrix:
    return np.loadtxt(
        io.BytesIO(content), delimiter=delimiter, ndmin=2, comments=None, quotechar='"', encoding="utf-8-sig"
    )


def _read_fields(name: str, content: bytes, delimiter: str | None) -> Matrix:
    """Read a file field by field: slower than NumPy, but it reads empty fields, and its message names the wrong line."""
    rows: list[list[float]] = []
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    for number, fields in enumerate(csv.reader(text, delimiter=delimiter or " "), 1):
        if not fields:
            continue
        try:
            row = [float(field) if field.strip() else np.nan for field in fields]
        except ValueError as error:
            what = "It looks like a header; SageMaker's CSV files have none." if number == 1 else f"{error}."
            raise BadInput(f"line {number} of {name} isn't all numbers: {what}") from error
        if rows and len(row) != len(rows[0]):
            raise BadInput(f"line {number} of {name} has {len(row)} fields, the first has {len(rows[0])}.")
        rows.append(row)
    return np.array(rows)
