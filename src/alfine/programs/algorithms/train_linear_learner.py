"""Trains a linear model as the image linear-learner does, by mini-batch gradient descent in NumPy. Runs in a training job.

The channels `train`, `validation` and `test` have CSV (the label first) or RecordIO-protobuf. The loss of each epoch and the metrics of
the final model are printed to the log in AWS's form. The model is `model/linear-learner.json`, in the units of the data:
score = features · weights + bias.

SageMaker's image can train several models side by side; this script trains one, as SageMaker's does when it is tuned. «auto» means the
constants below.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alfine.core.wording import number
from alfine.programs.algorithms import opt_ml
from alfine.programs.algorithms.opt_ml import BadInput, say
from alfine.programs.algorithms.recordio import read_recordio

Array = npt.NDArray[np.float64]

SEED = 0
"""Seed of all random numbers: the same hyperparameters give the same model."""

DEFAULTS = {
    "accuracy_top_k": 3,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "bias_lr_mult": 1,
    "bias_wd_mult": 0,
    "early_stopping_patience": 3,
    "early_stopping_tolerance": 0.001,
    "epochs": 15,
    "f_beta": 1,
    "feature_dim": 0,  # all features of the data
    "huber_delta": 1,
    "init_bias": 0,
    "init_scale": 0.07,
    "init_sigma": 0.01,
    "l1": 0,
    "loss_insensitivity": 0.01,
    "lr_scheduler_factor": 0.99,
    "lr_scheduler_minimum_lr": 1e-5,
    "lr_scheduler_step": 100,
    "margin": 1,
    "mini_batch_size": 1000,
    "momentum": 0.9,
    "num_calibration_samples": 1e9,  # all
    "num_point_for_scaler": 10_000,
    "positive_example_weight_mult": 1,
    "quantile": 0.5,
    "target_precision": 0.8,
    "target_recall": 0.8,
    "wd": 0,
}
"""Values of hyperparameters that aren't given, or are «auto». Where SageMaker's documentation has a number it is that."""

LEARNING_RATES = {"adam": 0.1, "rmsprop": 0.05, "sgd": 0.1}
"""Learning rates for «auto», by optimizer."""

RMS_DECAY = 0.9
"""Decay of the mean squared gradient in RMSprop. Source: Hinton's lecture 6e, «Neural Networks for Machine Learning»."""

TINY = 1e-8
"""Added to a root of a mean squared gradient before dividing by it. Source: Adam, https://arxiv.org/abs/1412.6980."""

LOSS_NAMES = {
    "squared_loss": "mse",
    "logistic": "binary_classification_cross_entropy",
    "softmax_loss": "multiclass_cross_entropy",
}


"""Names of losses in the log, where it isn't by the loss's own name."""


class LearnerParameters(dict[str, str]):
    """The hyperparameters as texts, with default values for those that aren't given or are «auto»."""

    def number(self, name: str) -> float:
        """Return the value of a numerical hyperparameter."""
        text = self.get(name, "auto")
        return float(text) if text != "auto" else float(DEFAULTS[name])

    def flag(self, name: str, *, auto: bool) -> bool:
        """Return whether a hyperparameter is true; auto: its value when it isn't given or is «auto»."""
        text = self.get(name, "auto").lower()
        return auto if text == "auto" else text == "true"

    @property
    def kind(self) -> str:
        return self["predictor_type"]

    @property
    def loss(self) -> str:
        auto = {"regressor": "squared_loss", "binary_classifier": "logistic", "multiclass_classifier": "softmax_loss"}
        text = self.get("loss", "auto")
        return auto[self.kind] if text == "auto" else text

    @property
    def outputs(self) -> int:
        return int(self["num_classes"]) if self.kind == "multiclass_classifier" else 1


@dataclass(frozen=True, slots=True)
class Data:
    """The data of a channel: features (n, d) and labels (n,)."""

    features: Array
    labels: Array


@dataclass(frozen=True, slots=True)
class Scales:
    """The normalisation during training: a feature becomes (feature - center) / width, and so does a label."""

    center: Array
    width: Array
    label_center: float
    label_width: float


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A linear model: score = features @ weights + bias.

    Attributes:
        weights: (d, outputs).
        bias: (outputs,).
        threshold: A binary classifier says yes to scores above it.
    """

    weights: Array
    bias: Array
    threshold: float = 0.0

    def scores(self, features: Array) -> Array:
        """Return the scores (n, outputs) of features (n, d)."""
        scores: Array = features @ self.weights + self.bias
        return scores

    def unscaled(self, scales: Scales) -> LinearModel:
        """Return the same model for features and labels without normalisation."""
        weights = self.weights / scales.width[:, None] * scales.label_width
        bias = self.bias * scales.label_width + scales.label_center - scales.center @ weights
        return replace(self, weights=weights, bias=bias)


def train(texts: dict[str, str]) -> None:
    """Train a model, print its metrics and write it to `model/`.

    Args:
        texts: The hyperparameters, which were checked against the algorithm's specification when the job was created.
    """
    params = LearnerParameters(texts)
    data = {name: read(name, params) for name in ("train", "validation", "test") if opt_ml.has(name)}
    _check_widths(data)
    model = _fitted(params, data)
    for name, channel in data.items():
        for metric, value, larger in measured(params, model, channel):
            say(f"#quality_metric: host=algo-1, {name} {metric} <{'score' if larger else 'loss'}>={value}")
    shown: dict[str, Any] = {
        "predictor_type": params.kind,
        "weights": model.weights.T.tolist(),
        "bias": model.bias.tolist(),
    }
    if params.kind == "binary_classifier":
        shown["threshold"] = model.threshold
    (opt_ml.model_folder() / "linear-learner.json").write_text(json.dumps(shown), encoding="utf-8")


# ---- data --------------------------------------------------------------------------------------------------------------


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


def _check_widths(data: Mapping[str, Data]) -> None:
    widths = {name: channel.features.shape[1] for name, channel in data.items()}
    if len(set(widths.values())) > 1:
        raise BadInput(f"the channels differ in their number of features: {widths}.")


def _scales(params: LearnerParameters, data: Data) -> Scales:
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


# ---- losses: of scores (n, outputs) and labels (n,), with the gradient by the scores -----------------------------------


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


# ---- descent -----------------------------------------------------------------------------------------------------------


def _fitted(params: LearnerParameters, data: Mapping[str, Data]) -> LinearModel:
    """Return the model of the best epoch, in the units of the data."""
    scales = _scales(params, data["train"])
    scaled = Data(
        (data["train"].features - scales.center) / scales.width,
        (data["train"].labels - scales.label_center) / scales.label_width,
    )
    judged = "validation" if "validation" in data else "train"
    name = LOSS_NAMES.get(params.loss, params.loss)
    best, best_value, waited, asked = None, np.inf, 0, _asked_to_end()
    epochs = int(params.number("epochs"))
    started = time.monotonic()
    for epoch, draft in enumerate(_epochs(params, scaled)):
        model = _calibrated(params, draft.unscaled(scales), data[judged])
        for channel in data.keys() & {"train", "validation"}:
            loss = _mean_loss(params, model, data[channel])
            say(f"#quality_metric: host=algo-1, epoch={epoch}, {channel} {name}_objective <loss>={loss}")
        say(f"#progress_metric: host=algo-1, completed {round(100 * (epoch + 1) / epochs)} % of epochs")
        value = _to_minimise(params, model, data[judged])
        improved = value < best_value - params.number("early_stopping_tolerance") * abs(best_value)
        if best is None or value < best_value:
            best, best_value = model, value
        waited = 0 if improved or epoch == 0 else waited + 1
        if waited >= params.number("early_stopping_patience") or asked():
            break
    throughput = (epoch + 1) * len(scaled.labels) / max(time.monotonic() - started, 1e-6)
    say(f"#throughput_metric: host=algo-1, train throughput={throughput:.1f} records/second")
    if best is None or not np.isfinite(best_value):
        raise BadInput("the loss isn't a finite number: the learning rate is too high for this data.")
    return best


def _asked_to_end() -> Callable[[], bool]:
    """Return a function that says whether a SIGTERM has come: then the training ends after the epoch and the model is saved."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    return lambda: bool(asked)


def _epochs(params: LearnerParameters, data: Data) -> Iterator[LinearModel]:
    """Yield the model after each epoch, in the units of the scaled data."""
    random = np.random.default_rng(SEED)
    shape = (data.features.shape[1], params.outputs)
    weights = (
        random.normal(0, params.number("init_sigma"), shape)
        if params.get("init_method") == "normal"
        else random.uniform(-params.number("init_scale"), params.number("init_scale"), shape)
    )
    values = np.vstack([weights, np.full((1, shape[1]), params.number("init_bias"))])
    if not params.flag("use_bias", auto=True):
        values[-1] = 0
    step = _optimizer(params, values.shape)
    examples = _example_weights(params, data.labels)
    size = min(int(params.number("mini_batch_size")), len(data.labels))
    for _ in range(int(params.number("epochs"))):
        order = random.permutation(len(data.labels))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            with np.errstate(all="ignore"):  # an overflow is reported at the end
                values = values - step(_gradient(params, values, data, rows, examples))
        yield LinearModel(values[:-1], values[-1])


def _gradient(
    params: LearnerParameters, values: Array, data: Data, rows: npt.NDArray[np.int64], examples: Array
) -> Array:
    """Return the gradient (d + 1, outputs) of the mean loss of some rows with its L1 and L2 penalties; the bias is the last row."""
    features = data.features[rows]
    _, by_score = losses(params, features @ values[:-1] + values[-1], data.labels[rows])
    by_score = by_score * examples[rows, None] / len(rows)
    wd, l1 = params.number("wd"), params.number("l1")
    by_weights = features.T @ by_score + wd * values[:-1] + l1 * np.sign(values[:-1])
    by_bias = by_score.sum(axis=0) + wd * params.number("bias_wd_mult") * values[-1]
    return np.vstack([by_weights, by_bias])


def _example_weights(params: LearnerParameters, labels: Array) -> Array:
    if params.kind == "binary_classifier":
        text = params.get("positive_example_weight_mult", "1")
        positive = labels.sum()
        balance = (len(labels) - positive) / positive if positive else 1.0
        weight = balance if text == "balanced" else params.number("positive_example_weight_mult")
        return np.where(labels > 0, weight, 1.0)
    if params.kind == "multiclass_classifier" and params.flag("balance_multiclass_weights", auto=False):
        counts = np.bincount(labels.astype(int), minlength=params.outputs)
        weights: Array = len(labels) / (np.count_nonzero(counts) * counts[labels.astype(int)])
        return weights
    return np.ones(len(labels))


def _optimizer(params: LearnerParameters, shape: tuple[int, int]) -> Callable[[Array], Array]:
    """Return a function from a gradient to the step that is subtracted. It keeps the state of the optimizer."""
    kind = params.get("optimizer", "auto").replace("auto", "adam")
    rate = params.number("learning_rate") if params.get("learning_rate", "auto") != "auto" else LEARNING_RATES[kind]
    rates = np.full(shape, rate)
    rates[-1] *= params.number("bias_lr_mult") if params.flag("use_bias", auto=True) else 0.0
    b1, b2, momentum = params.number("beta_1"), params.number("beta_2"), params.number("momentum")
    first, second, count = np.zeros(shape), np.zeros(shape), 0

    def step(gradient: Array) -> Array:
        nonlocal first, second, count
        count += 1
        now = _scheduled(params, rate, count) / rate * rates
        if kind == "sgd":
            first = momentum * first + gradient
            return now * first
        if kind == "rmsprop":
            second = RMS_DECAY * second + (1 - RMS_DECAY) * gradient**2
            return now * gradient / (np.sqrt(second) + TINY)
        first = b1 * first + (1 - b1) * gradient
        second = b2 * second + (1 - b2) * gradient**2
        return now * (first / (1 - b1**count)) / (np.sqrt(second / (1 - b2**count)) + TINY)

    return step


def _scheduled(params: LearnerParameters, rate: float, count: int) -> float:
    """Return the learning rate of a step; count: its number, from 1."""
    if not params.flag("use_lr_scheduler", auto=True):
        return rate
    times = (count - 1) // int(params.number("lr_scheduler_step"))
    least = min(rate, params.number("lr_scheduler_minimum_lr"))
    return float(max(least, rate * params.number("lr_scheduler_factor") ** times))


# ---- metrics of the final model ----------------------------------------------------------------------------------------


def _mean_loss(params: LearnerParameters, model: LinearModel, data: Data) -> float:
    with np.errstate(all="ignore"):
        return float(losses(params, model.scores(data.features), data.labels)[0].mean())


def measured(params: LearnerParameters, model: LinearModel, data: Data) -> Iterator[tuple[str, float, bool]]:
    """Yield the metrics of a model: the name, the value, and whether a larger value is better."""
    yield f"{LOSS_NAMES.get(params.loss, params.loss)}_objective", _mean_loss(params, model, data), False
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


# ---- which epoch and which threshold -----------------------------------------------------------------------------------


def _to_minimise(params: LearnerParameters, model: LinearModel, data: Data) -> float:
    """Return the quantity by which epochs are compared: the loss, or minus the criterion that selects a binary classifier."""
    chosen = params.get("binary_classifier_model_selection_criteria", "loss_function")
    if params.kind != "binary_classifier" or chosen == "loss_function":
        return _mean_loss(params, model, data)
    score = model.scores(data.features)[:, 0]
    return -float(_worth(params, chosen, data.labels, score, np.array([model.threshold]))[0])


def _calibrated(params: LearnerParameters, model: LinearModel, data: Data) -> LinearModel:
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


if __name__ == "__main__":
    opt_ml.run(train)
