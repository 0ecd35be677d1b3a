"""The bodies of requests to a hosted model as xgboost.DMatrix."""

import io
import tempfile
from typing import Any

import numpy as np
import xgboost

from .data_utils import get_dmatrix


def csv_to_dmatrix(body: Any, dtype: Any = None) -> Any:
    """Return the rows of CSV, without labels."""
    text = body.decode() if isinstance(body, bytes) else body
    return xgboost.DMatrix(np.atleast_2d(np.genfromtxt(io.StringIO(text), delimiter=",", dtype=dtype or float)))


def libsvm_to_dmatrix(body: Any) -> Any:
    """Return the rows of a libsvm body."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body.encode() if isinstance(body, str) else body)
        file.flush()
        return get_dmatrix(file.name, "libsvm")


def decode(body: Any, content_type: str) -> Any:
    """Return the rows of a body."""
    return csv_to_dmatrix(body) if content_type.partition(";")[0].endswith("csv") else libsvm_to_dmatrix(body)
