"""The data of a channel as a table of finite numbers, from CSV or RecordIO-protobuf."""

from __future__ import annotations

import numpy as np

from alfine.programs.algorithms import opt_ml
from alfine.programs.algorithms.opt_ml import BadInput, Matrix
from alfine.programs.algorithms.recordio import read_recordio

RECORDIO = "application/x-recordio-protobuf"
"""The content type of a channel without a ContentType."""


def labelled_table(channel: str, width: int) -> tuple[Matrix, Matrix]:
    """Return the features (n, width) and the labels (n,) of a channel. In CSV the label is the first column.

    Raises:
        BadInput: The data can't be used.
    """
    if not opt_ml.content_type(channel, RECORDIO).endswith("csv"):
        features, labels = read_recordio(channel)
        return _checked(channel, features, width), labels
    table = opt_ml.read_csv(channel)
    return _checked(channel, table[:, 1:], width), _finite(channel, table[:, 0])


def unlabelled_table(channel: str, width: int) -> Matrix:
    """Return the features (n, width) of a channel. CSV has no label; the labels of RecordIO are ignored.

    Raises:
        BadInput: The data can't be used.
    """
    if not opt_ml.content_type(channel, RECORDIO).endswith("csv"):
        return _checked(channel, read_recordio(channel, labelled=False)[0], width)
    return _checked(channel, opt_ml.read_csv(channel), width)


def _checked(channel: str, features: Matrix, width: int) -> Matrix:
    if features.shape[1] != width:
        raise BadInput(f"feature_dim is {width}, and the channel {channel!r} has {features.shape[1]} features.")
    return _finite(channel, features)


def _finite(channel: str, values: Matrix) -> Matrix:
    if not np.isfinite(values).all():
        raise BadInput(f"the channel {channel!r} has empty or infinite fields, which this algorithm can't use.")
    return values
