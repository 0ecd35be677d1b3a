"""The two data sets of the experiment, as a training and a validation channel of one .npz file each."""

from __future__ import annotations

import csv
import gzip
import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

VALIDATION_SHARE = 0.3
SPLIT_SEED = 0  # of the data, not of the search: every search must be judged on the same rows

BANK_SHA256 = "74adfc578bf77a7ff4bb1ba4a9f8709d9e3c6907342959c2c8416847e0afb4d8"
BANK_SOURCE = (
    "the direct-marketing data set: bank-additional-full.csv in bank-additional.zip of «Bank Marketing» (id 222),\n"
    "https://archive.ics.uci.edu/dataset/222/bank+marketing, 41,188 rows (Moro, Cortez & Rita 2014, CC BY 4.0)"
)
BANK_HEADER = (
    "age;job;marital;education;default;housing;loan;contact;month;day_of_week;duration;campaign;pdays;"
    "previous;poutcome;emp.var.rate;cons.price.idx;cons.conf.idx;euribor3m;nr.employed;y"
)
TARGET = "y"
UNKNOWN_IN_ADVANCE = "duration"  # of the call: known only once the answer is


class UnusableDataError(Exception):
    """The file isn't the expected one; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """The folders of the prepared data, and a line that describes them."""

    train: Path
    validation: Path
    description: str


def diabetes(folder: Path) -> Channels:
    """Write scikit-learn's diabetes data; no download is needed."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    return _split(x.astype(np.float32), y.astype(np.float32), folder, "diabetes (scikit-learn's own)")


def bank(path: Path, folder: Path) -> Channels:
    """Write the direct-marketing CSV (plain or .gz): `y` as 1 or 0, text columns one-hot. Raise UnusableDataError for another file."""
    raw = _read(path)
    try:
        rows = [row for row in csv.reader(raw.decode("utf-8-sig").splitlines(), delimiter=";") if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableDataError(
            f"{path} can't be read as a CSV file ({error}).\n--data needs {BANK_SOURCE}."
        ) from error
    _check(path, rows)
    if hashlib.sha256(raw).hexdigest() != BANK_SHA256:
        print(
            f"Warning: {path} isn't byte for byte the published file (its sha256 differs); figures may differ too.",
            file=sys.stderr,
        )
    columns: dict[str, tuple[str, ...]] = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
    y = np.array([answer == "yes" for answer in columns.pop(TARGET)], dtype=np.float32)
    del columns[UNKNOWN_IN_ADVANCE]
    features = np.column_stack([_encode(values) for values in columns.values()])
    return _split(features, y, folder, f"direct marketing ({path.name})")


def _read(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnusableDataError(f"{path} can't be read: {reason}.\n--data needs {BANK_SOURCE}.") from error


def _check(path: Path, rows: list[list[str]]) -> None:
    header = rows[0] if rows else []
    seen = ";".join(header)
    if seen != BANK_HEADER:
        hint = ""
        if len(header) == 1 and "," in header[0]:
            hint = " The columns must be separated by semicolons, not commas."
        elif seen == BANK_HEADER.replace(f"{UNKNOWN_IN_ADVANCE};", ""):
            hint = " Keep the column `duration`; it is left out here."
        elif "balance" in header:
            hint = " This is bank-full.csv, the older one; use the file of the same name with «additional»."
        raise UnusableDataError(
            f"{path} isn't the expected file: its header is «{seen[:60]}{'…' if len(seen) > 60 else ''}».{hint}\n"
            f"--data needs {BANK_SOURCE}."
        )
    odd = next((number for number, row in enumerate(rows, 1) if len(row) != len(header)), None)
    if odd is not None:
        raise UnusableDataError(
            f"{path}, line {odd}: {len(rows[odd - 1])} columns, not {len(header)}. Get the file again."
        )
    answers = {row[-1] for row in rows[1:]}
    if answers != {"yes", "no"}:
        raise UnusableDataError(
            f"{path}: column y must say yes or no in every row, not {', '.join(sorted(answers)[:3])}."
        )


def _encode(values: tuple[str, ...]) -> Array:
    """Return (n, k): numbers unchanged (k = 1), text as one 0/1 column a category."""
    try:
        return np.array(values, dtype=np.float32)[:, None]
    except ValueError:
        categories, codes = np.unique(np.array(values), return_inverse=True)
        return np.eye(len(categories), dtype=np.float32)[codes]


def _split(x: Array, y: Array, folder: Path, name: str) -> Channels:
    order: npt.NDArray[Any] = np.random.default_rng(SPLIT_SEED).permutation(len(y))
    held_out = round(VALIDATION_SHARE * len(y))
    paths = {}
    for channel, rows in (("train", order[held_out:]), ("validation", order[:held_out])):
        paths[channel] = folder / channel
        paths[channel].mkdir(parents=True, exist_ok=True)
        np.savez(paths[channel] / f"{channel}.npz", x=x[rows], y=y[rows])
    counts = f"{len(y) - held_out:,} rows to train, {held_out:,} to validate, {x.shape[1]} features"
    return Channels(train=paths["train"], validation=paths["validation"], description=f"{name}: {counts}")
