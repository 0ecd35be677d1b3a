"""The losses of linear-learner, with their gradients by the scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alfine.programs.algorithms.linear.model import Array, Data, LinearModel
from alfine.programs.algorithms.linear.parameters import LearnerParameters


def losses(params: LearnerParameters, scores: Array, labels: Array) -> tuple[Array, Array]:
    """Return the loss of each example and its gradient by the scores.

    Args:
        params: The hyperparameters, which name the loss.
        scores: (n, outputs).
        labels: (n,).

    Returns:
        (n,) and (n, outputs).
    """
    if params.kind == "multiclass_classifier":
        return _softmax(scores, labels.astype(int))
    score = scores[:, 0]
    if params.kind == "binary_classifier":
        sign = 2 * labels - 1
        if params.loss == "hinge_loss":
            slack = params.number("margin") - sign * score
            return np.maximum(slack, 0), np.where(slack > 0, -sign, 0.0)[:, None]
        return np.logaddexp(0, -sign * score), (-sign * _sigmoid(-sign * score))[:, None]
    loss, gradient = _of_regression(params, score - labels)
    return loss, gradient[:, None]


def _of_regression(params: LearnerParameters, error: Array) -> tuple[Array, Array]:
    size = np.abs(error)
    beyond = np.maximum(size - params.number("loss_insensitivity"), 0)
    match params.loss:
        case "absolute_loss":
            return size, np.sign(error)
        case "eps_insensitive_absolute_loss":
            return beyond, np.sign(error) * (beyond > 0)
        case "eps_insensitive_squared_loss":
            return beyond**2, 2 * beyond * np.sign(error)
        case "quantile_loss":
            q = params.number("quantile")
            return np.where(error < 0, -q * error, (1 - q) * error), np.where(error < 0, -q, 1 - q)
        case "huber_loss":
            delta = params.number("huber_delta")
            inside = size <= delta
            return np.where(inside, error**2 / 2, delta * (size - delta / 2)), np.clip(error, -delta, delta)
        case _:
            return error**2, 2 * error


def _softmax(scores: Array, labels: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    shifted = scores - scores.max(axis=1, keepdims=True)
    total = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    gradient = np.exp(shifted - total)
    gradient[rows, labels] -= 1
    return (total[:, 0] - shifted[rows, labels]), gradient


def _sigmoid(x: Array) -> Array:
    half: Array = 0.5 * (1 + np.tanh(0.5 * x))
    return half


def mean_loss(params: LearnerParameters, model: LinearModel, data: Data) -> float:
    """Return the mean loss of a model."""
    with np.errstate(all="ignore"):
        return float(losses(params, model.scores(data.features), data.labels)[0].mean())
