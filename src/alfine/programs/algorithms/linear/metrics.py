"""The metrics of a linear model that linear-learner prints at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from alfine.programs.algorithms.linear.losses import mean_loss
from alfine.programs.algorithms.linear.model import Array, Data, LinearModel
from alfine.programs.algorithms.linear.parameters import LOSS_NAMES, LearnerParameters


def measured(params: LearnerParameters, model: LinearModel, data: Data) -> Iterator[tuple[str, float, bool]]:
    """Yield the metrics of a model: the name, the value, and whether a larger value is better."""
    yield f"{LOSS_NAMES.get(params.loss, params.loss)}_objective", mean_loss(params, model, data), False
    scores, labels = model.scores(data.features), data.labels
    if params.kind == "regressor":
        error = scores[:, 0] - labels
        yield "mse", float((error**2).mean()), False
        yield "absolute_loss", float(np.abs(error).mean()), False
    elif params.kind == "binary_classifier":
        yield from _of_binary(params, scores[:, 0], labels, model.threshold)
    else:
        yield from _of_classes(params, scores, labels.astype(int))


def _of_binary(
    params: LearnerParameters, score: Array, labels: Array, threshold: float
) -> Iterator[tuple[str, float, bool]]:
    predicted = score > threshold
    precision, recall, f = _precision_recall_f(predicted, labels > 0, params.number("f_beta"))
    yield "binary_classification_accuracy", float((predicted == (labels > 0)).mean()), True
    yield f"binary_f_{params.number('f_beta'):.3f}", f, True
    yield "precision", precision, True
    yield "recall", recall, True
    positive = int(labels.sum())
    negative = len(labels) - positive
    if positive and negative:
        _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[place][labels > 0].sum()  # equal scores share their mean rank
        yield "roc_auc_score", float((ranks - positive * (positive + 1) / 2) / (positive * negative)), True


def _of_classes(
    params: LearnerParameters, scores: Array, labels: npt.NDArray[np.int64]
) -> Iterator[tuple[str, float, bool]]:
    classes, beta, k = scores.argmax(axis=1), params.number("f_beta"), int(params.number("accuracy_top_k"))
    place = (scores > scores[np.arange(len(labels)), labels][:, None]).sum(
        axis=1
    )  # 0: the true class has the highest score
    by_class = np.array([_precision_recall_f(classes == one, labels == one, beta) for one in range(params.outputs)])
    yield "multiclass_accuracy", float((classes == labels).mean()), True
    yield f"multiclass_top_k_accuracy_{k}", float((place < k).mean()), True
    yield "dcg", float((1 / np.log2(place + 2)).mean()), True
    for name, value in zip(("precision", "recall", f"f_{beta:.3f}"), by_class.mean(axis=0), strict=True):
        yield f"macro_{name}", float(value), True


def _precision_recall_f(predicted: Any, true: Any, beta: float) -> tuple[float, float, float]:
    hits = float((predicted & true).sum())
    precision, recall = hits / max(float(predicted.sum()), 1.0), hits / max(float(true.sum()), 1.0)
    both = beta**2 * precision + recall
    return precision, recall, (1 + beta**2) * precision * recall / both if both else 0.0
