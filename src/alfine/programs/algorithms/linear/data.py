"""Reads the channels of linear-learner, and finds the normalisation of their data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from alfine.core.wording import number
from alfine.programs.algorithms import opt_ml
from alfine.programs.algorithms.linear.model import Array, Data, Scales
from alfine.programs.algorithms.linear.parameters import LearnerParameters
from alfine.programs.algorithms.opt_ml import BadInput
from alfine.programs.algorithms.recordio import read_recordio


def read(channel: str, params: LearnerParameters) -> Data:
    """Read a channel.

    Args:
        channel: Its name.
        params: The hyperparameters.

    Raises:
        BadInput: The data can't be used.
    """
    features, labels = _table(channel)
    if not features.shape[1]:
        raise BadInput(f"the channel {channel!r} has one column; it needs a label and features.")
    if not (np.isfinite(features).all() and np.isfinite(labels).all()):
        raise BadInput(f"the channel {channel!r} has empty or infinite fields, which linear-learner can't use.")
    if params.kind != "regressor":
        classes = max(params.outputs, 2)
        odd = labels[(labels != labels.astype(int)) | (labels < 0) | (labels >= classes)]
        if odd.size:
            raise BadInput(
                f"the channel {channel!r} has the label {number(float(odd[0]))}; the labels of {classes} classes begin at 0."
            )
    dimensions = params.number("feature_dim")
    if dimensions and dimensions != features.shape[1]:
        raise BadInput(
            f"feature_dim is {number(dimensions)}, and the channel {channel!r} has {features.shape[1]} features."
        )
    return Data(features, labels)


def _table(channel: str) -> tuple[Array, Array]:
    if not opt_ml.content_type(channel, "application/x-recordio-protobuf").endswith("csv"):
        return read_recordio(channel)
    table = opt_ml.read_csv(channel)
    return table[:, 1:], table[:, 0]


def check_widths(data: Mapping[str, Data]) -> None:
    """Raise BadInput where the channels differ in their number of features."""
    widths = {name: channel.features.shape[1] for name, channel in data.items()}
    if len(set(widths.values())) > 1:
        raise BadInput(f"the channels differ in their number of features: {widths}.")


def scales_of(params: LearnerParameters, data: Data) -> Scales:
    """Return the normalisation from the first rows: by mean and standard deviation, by the mean alone to remove a bias, or none."""
    rows = slice(int(params.number("num_point_for_scaler")))
    features, labels = data.features[rows], data.labels[rows]
    bias = params.flag("use_bias", auto=True)
    scale, center = params.flag("normalize_data", auto=True), bias and params.flag("unbias_data", auto=bias)
    regression = params.kind == "regressor"
    scale_label = regression and params.flag("normalize_label", auto=True)
    center_label = regression and bias and params.flag("unbias_label", auto=bias)
    width = features.std(axis=0) if scale else np.ones(features.shape[1])
    label_width = float(labels.std()) if scale_label else 1.0
    return Scales(
        # Only a bias term can undo a shift of the features.
        features.mean(axis=0) if center else np.zeros(features.shape[1]),
        np.where(width > 0, width, 1.0),
        float(labels.mean()) if center_label else 0.0,
        label_width if label_width > 0 else 1.0,
    )
