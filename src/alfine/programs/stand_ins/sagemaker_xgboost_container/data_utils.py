"""Reads the data of a channel for XGBoost."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import xgboost

CSV = "csv"
LIBSVM = "libsvm"
PARQUET = "parquet"


def get_content_type(content_type: str) -> str:
    """Return csv, libsvm or parquet for a content type such as «text/csv; label_size=1»."""
    text = (content_type or LIBSVM).partition(";")[0].strip().lower()
    for known in (CSV, LIBSVM, PARQUET):
        if text.endswith(known):
            return known
    message = f"the content type {content_type!r} can't be read here. Use csv, libsvm or parquet."
    raise ValueError(message)


def get_dmatrix(data_path: str, content_type: str, csv_weights: int = 0, *_: Any, **__: Any) -> Any:
    """Return the data of a file or a folder as an xgboost.DMatrix; None where there are none.

    Args:
        data_path: The file or folder, such as the one in SM_CHANNEL_TRAIN.
        content_type: What the files are: CSV and Parquet have the label in their first column.
        csv_weights: 1: the second column of CSV files has weights.
    """
    paths = sorted(_files(data_path))
    if not paths:
        return None
    kind = get_content_type(content_type)
    if kind == LIBSVM:
        return _libsvm(paths)
    table = np.concatenate([_parquet(path) if kind == PARQUET else _csv(path) for path in paths])
    if csv_weights == 1:
        return xgboost.DMatrix(table[:, 2:], label=table[:, 0], weight=table[:, 1])
    return xgboost.DMatrix(table[:, 1:], label=table[:, 0])


def _files(path: str) -> Iterator[str]:
    if os.path.isfile(path):
        yield path
    for folder, _, names in os.walk(path, followlinks=True):
        yield from (os.path.join(folder, name) for name in names if not name.startswith((".", "_")))


def _csv(path: str) -> Any:
    with open(path, encoding="utf-8-sig") as file:
        delimiter = next((each for each in ",;\t|" if each in file.readline()), None)
    return np.atleast_2d(np.genfromtxt(path, delimiter=delimiter, encoding="utf-8-sig"))


def _parquet(path: str) -> Any:
    import pandas as pd

    return pd.read_parquet(path).to_numpy(dtype=float)


def _libsvm(paths: list[str]) -> Any:
    from scipy import sparse
    from sklearn.datasets import load_svmlight_files

    parts = load_svmlight_files(paths, zero_based=True)
    return xgboost.DMatrix(sparse.vstack(parts[0::2]).tocsr(), label=np.concatenate(parts[1::2]))
