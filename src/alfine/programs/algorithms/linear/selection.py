"""Selects the best epoch of a linear model, and the best threshold of a binary classifier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from alfine.programs.algorithms.linear.losses import mean_loss
from alfine.programs.algorithms.linear.model import Array, Data, LinearModel
from alfine.programs.algorithms.linear.parameters import LearnerParameters


def to_minimise(params: LearnerParameters, model: LinearModel, data: Data) -> float:
    """Return the quantity by which epochs are compared: the loss, or minus the criterion that selects a binary classifier."""
    chosen = params.get("binary_classifier_model_selection_criteria", "loss_function")
    if params.kind != "binary_classifier" or chosen == "loss_function":
        return mean_loss(params, model, data)
    score = model.scores(data.features)[:, 0]
    return -float(_worth(params, chosen, data.labels, score, np.array([model.threshold]))[0])


def calibrated(params: LearnerParameters, model: LinearModel, data: Data) -> LinearModel:
    """Return a binary classifier with the threshold that is best by its selection criterion; of several, the one nearest to 0."""
    chosen = params.get("binary_classifier_model_selection_criteria", "accuracy")
    if params.kind != "binary_classifier" or chosen == "loss_function":
        return model
    rows = slice(int(params.number("num_calibration_samples")))
    score, labels = model.scores(data.features[rows])[:, 0], data.labels[rows]
    if not np.isfinite(score).all():
        return model
    values = np.unique(score)
    between = np.concatenate([[values[0] - 1.0], (values[1:] + values[:-1]) / 2, [values[-1]], [0.0]])
    worth = _worth(params, chosen, labels, score, between)
    good = between[worth >= worth.max()]
    return replace(model, threshold=float(good[np.abs(good).argmin()]))


def _worth(params: LearnerParameters, chosen: str, labels: Array, score: Array, thresholds: Array) -> Array:
    """Return the value of the selection criterion at each threshold: (thresholds,). It sorts the n scores once: O(n log n)."""
    order = np.argsort(score)
    above = len(score) - np.searchsorted(score[order], thresholds, side="right")
    positives = np.concatenate([np.cumsum(labels[order][::-1])[::-1], [0.0]])
    hits = positives[len(score) - above]
    total = labels.sum()
    precision, recall = hits / np.maximum(above, 1), hits / max(total, 1.0)
    match chosen:
        case "f_beta":
            beta = params.number("f_beta") ** 2
            worth: Array = (1 + beta) * precision * recall / np.maximum(beta * precision + recall, 1e-300)
            return worth
        case "precision_at_target_recall":
            return np.where(recall >= params.number("target_recall"), precision, recall - 1.0)
        case "recall_at_target_precision":
            return np.where(precision >= params.number("target_precision"), recall, precision - 1.0)
        case _:
            right: Array = (hits + (len(labels) - total) - (above - hits)) / len(labels)
            return right
