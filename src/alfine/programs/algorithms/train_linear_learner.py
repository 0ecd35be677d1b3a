"""Train a linear model as the image linear-learner does, by mini-batch gradient descent in NumPy; runs in a training job.

Channels `train`, `validation`, `test`: CSV, label first, or RecordIO-protobuf. Each epoch's loss and the final model's metrics are lines of the log in
AWS's form. The model is `model/linear-learner.json`, in the units of the data: score = features · weights + bias.

Unlike SageMaker's: one model is trained, as under tuning, never several side by side; «auto» means the constants below.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alfine.programs.algorithms import opt_ml
from alfine.programs.algorithms.opt_ml import BadInput
from alfine.programs.algorithms.recordio import read_recordio

Array = npt.NDArray[np.float64]

SEED = 0  # the same hyperparameters give the same model
DEFAULTS = {  # of a hyperparameter that isn't given, or says «auto»
    "accuracy_top_k": 3,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "bias_lr_mult": 1,
    "bias_wd_mult": 0,
    "early_stopping_patience": 3,
    "early_stopping_tolerance": 0.001,
    "epochs": 15,
    "f_beta": 1,
    "feature_dim": 0,  # as many as there are
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
LEARNING_RATES = {"adam": 0.1, "rmsprop": 0.05, "sgd": 0.1}
LOSS_NAMES = {
    "squared_loss": "mse",
    "logistic": "binary_classification_cross_entropy",
    "softmax_loss": "multiclass_cross_entropy",
}


class Words(dict[str, str]):
    """The hyperparameters as texts, with what holds for those that aren't given or say «auto»."""

    def number(self, name: str) -> float:
        text = self.get(name, "auto")
        return float(text) if text != "auto" else float(DEFAULTS[name])

    def flag(self, name: str, *, auto: bool) -> bool:
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
    """features: (n, d); labels: (n,)."""

    features: Array
    labels: Array


@dataclass(frozen=True, slots=True)
class Scales:
    """What the features and the labels are shifted and scaled by while training."""

    center: Array
    width: Array
    label_center: float
    label_width: float


@dataclass(frozen=True, slots=True)
class LinearModel:
    """score = features @ weights + bias; weights: (d, outputs). threshold: of a binary classifier's score."""

    weights: Array
    bias: Array
    threshold: float = 0.0

    def scores(self, features: Array) -> Array:
        """(n, outputs)."""
        scores: Array = features @ self.weights + self.bias
        return scores

    def unscaled(self, scales: Scales) -> LinearModel:
        """The same model for features and labels as they are in the data."""
        weights = self.weights / scales.width[:, None] * scales.label_width
        bias = self.bias * scales.label_width + scales.label_center - scales.center @ weights
        return replace(self, weights=weights, bias=bias)


def train(texts: dict[str, str]) -> None:
    """texts: the hyperparameters, checked against the algorithm's specification when the job was made."""
    words = Words(texts)
    data = {name: read(name, words) for name in ("train", "validation", "test") if opt_ml.has(name)}
    _check_widths(data)
    model = _fitted(words, data)
    for name, each in data.items():
        for metric, value, larger in measured(words, model, each):
            say(f"#quality_metric: host=algo-1, {name} {metric} <{'score' if larger else 'loss'}>={value}")
    shown: dict[str, Any] = {
        "predictor_type": words.kind,
        "weights": model.weights.T.tolist(),
        "bias": model.bias.tolist(),
    }
    if words.kind == "binary_classifier":
        shown["threshold"] = model.threshold
    (opt_ml.model_folder() / "linear-learner.json").write_text(json.dumps(shown), encoding="utf-8")


def say(line: str) -> None:
    print(f"[{time.strftime('%m/%d/%Y %H:%M:%S')} INFO {os.getpid()}] {line}", flush=True)  # noqa: T201


# ---- data --------------------------------------------------------------------------------------------------------------


def read(channel: str, words: Words) -> Data:
    features, labels = _table(channel)
    if not features.shape[1]:
        raise BadInput(f"the channel {channel!r} has one column; it needs a label and features.")
    if not (np.isfinite(features).all() and np.isfinite(labels).all()):
        raise BadInput(f"the channel {channel!r} has empty or infinite fields, which linear-learner can't use.")
    if words.kind != "regressor":
        classes = max(words.outputs, 2)
        odd = labels[(labels != labels.astype(int)) | (labels < 0) | (labels >= classes)]
        if odd.size:
            raise BadInput(
                f"the channel {channel!r} has the label {odd[0]:g}; the labels of {classes} classes begin at 0."
            )
    dimensions = words.number("feature_dim")
    if dimensions and dimensions != features.shape[1]:
        raise BadInput(f"feature_dim is {dimensions:g}, and the channel {channel!r} has {features.shape[1]} features.")
    return Data(features, labels)


def _table(channel: str) -> tuple[Array, Array]:
    if not opt_ml.content_type(channel, "application/x-recordio-protobuf").endswith("csv"):
        return read_recordio(channel)
    table = opt_ml.read_csv(channel)
    return table[:, 1:], table[:, 0]


def _check_widths(data: Mapping[str, Data]) -> None:
    widths = {name: each.features.shape[1] for name, each in data.items()}
    if len(set(widths.values())) > 1:
        raise BadInput(f"the channels differ in their number of features: {widths}.")


def _scales(words: Words, data: Data) -> Scales:
    """As told by the first rows: mean and standard deviation, or the mean alone to take away a bias, or nothing."""
    rows = slice(int(words.number("num_point_for_scaler")))
    features, labels = data.features[rows], data.labels[rows]
    bias = words.flag("use_bias", auto=True)
    scale, center = words.flag("normalize_data", auto=True), bias and words.flag("unbias_data", auto=bias)
    regression = words.kind == "regressor"
    scale_label = regression and words.flag("normalize_label", auto=True)
    center_label = regression and bias and words.flag("unbias_label", auto=bias)
    width = features.std(axis=0) if scale else np.ones(features.shape[1])
    label_width = float(labels.std()) if scale_label else 1.0
    return Scales(
        # Without a bias term nothing could take a shift back.
        features.mean(axis=0) if center else np.zeros(features.shape[1]),
        np.where(width > 0, width, 1.0),
        float(labels.mean()) if center_label else 0.0,
        label_width if label_width > 0 else 1.0,
    )


# ---- losses: of scores (n, outputs) and labels (n,), with the gradient by the scores -----------------------------------


def losses(words: Words, scores: Array, labels: Array) -> tuple[Array, Array]:
    """(n,) losses and their (n, outputs) gradients."""
    if words.kind == "multiclass_classifier":
        return _softmax(scores, labels.astype(int))
    score = scores[:, 0]
    if words.kind == "binary_classifier":
        sign = 2 * labels - 1
        if words.loss == "hinge_loss":
            slack = words.number("margin") - sign * score
            return np.maximum(slack, 0), np.where(slack > 0, -sign, 0.0)[:, None]
        return np.logaddexp(0, -sign * score), (-sign * _sigmoid(-sign * score))[:, None]
    loss, gradient = _of_regression(words, score - labels)
    return loss, gradient[:, None]


def _of_regression(words: Words, error: Array) -> tuple[Array, Array]:
    size = np.abs(error)
    beyond = np.maximum(size - words.number("loss_insensitivity"), 0)
    match words.loss:
        case "absolute_loss":
            return size, np.sign(error)
        case "eps_insensitive_absolute_loss":
            return beyond, np.sign(error) * (beyond > 0)
        case "eps_insensitive_squared_loss":
            return beyond**2, 2 * beyond * np.sign(error)
        case "quantile_loss":
            q = words.number("quantile")
            return np.where(error < 0, -q * error, (1 - q) * error), np.where(error < 0, -q, 1 - q)
        case "huber_loss":
            delta = words.number("huber_delta")
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


def _fitted(words: Words, data: Mapping[str, Data]) -> LinearModel:
    """The best epoch's model, in the units of the data."""
    scales = _scales(words, data["train"])
    scaled = Data(
        (data["train"].features - scales.center) / scales.width,
        (data["train"].labels - scales.label_center) / scales.label_width,
    )
    judged = "validation" if "validation" in data else "train"
    name = LOSS_NAMES.get(words.loss, words.loss)
    best, best_value, waited, asked = None, np.inf, 0, _asked_to_end()
    epochs = int(words.number("epochs"))
    started = time.monotonic()
    for epoch, draft in enumerate(_epochs(words, scaled)):
        model = _calibrated(words, draft.unscaled(scales), data[judged])
        for channel in data.keys() & {"train", "validation"}:
            loss = _mean_loss(words, model, data[channel])
            say(f"#quality_metric: host=algo-1, epoch={epoch}, {channel} {name}_objective <loss>={loss}")
        say(f"#progress_metric: host=algo-1, completed {round(100 * (epoch + 1) / epochs)} % of epochs")
        value = _to_minimise(words, model, data[judged])
        improved = value < best_value - words.number("early_stopping_tolerance") * abs(best_value)
        if best is None or value < best_value:
            best, best_value = model, value
        waited = 0 if improved or epoch == 0 else waited + 1
        if waited >= words.number("early_stopping_patience") or asked():
            break
    throughput = (epoch + 1) * len(scaled.labels) / max(time.monotonic() - started, 1e-6)
    say(f"#throughput_metric: host=algo-1, train throughput={throughput:.1f} records/second")
    if best is None or not np.isfinite(best_value):
        raise BadInput("the loss isn't a finite number: the learning rate is too high for this data.")
    return best


def _asked_to_end() -> Callable[[], bool]:
    """Asked to end, it lets the epoch end and the model be saved."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    return lambda: bool(asked)


def _epochs(words: Words, data: Data) -> Iterator[LinearModel]:
    """The model after each epoch, in the units of the scaled data."""
    random = np.random.default_rng(SEED)
    shape = (data.features.shape[1], words.outputs)
    weights = (
        random.normal(0, words.number("init_sigma"), shape)
        if words.get("init_method") == "normal"
        else random.uniform(-words.number("init_scale"), words.number("init_scale"), shape)
    )
    values = np.vstack([weights, np.full((1, shape[1]), words.number("init_bias"))])
    if not words.flag("use_bias", auto=True):
        values[-1] = 0
    step = _optimizer(words, values.shape)
    examples = _example_weights(words, data.labels)
    size = min(int(words.number("mini_batch_size")), len(data.labels))
    for _ in range(int(words.number("epochs"))):
        order = random.permutation(len(data.labels))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            with np.errstate(all="ignore"):  # what overflows is told at the end
                values = values - step(_gradient(words, values, data, rows, examples))
        yield LinearModel(values[:-1], values[-1])


def _gradient(words: Words, values: Array, data: Data, rows: npt.NDArray[np.int64], examples: Array) -> Array:
    """(d + 1, outputs), the bias last: of the mean loss over the rows, and of L1 and L2."""
    features = data.features[rows]
    _, by_score = losses(words, features @ values[:-1] + values[-1], data.labels[rows])
    by_score = by_score * examples[rows, None] / len(rows)
    wd, l1 = words.number("wd"), words.number("l1")
    by_weights = features.T @ by_score + wd * values[:-1] + l1 * np.sign(values[:-1])
    by_bias = by_score.sum(axis=0) + wd * words.number("bias_wd_mult") * values[-1]
    return np.vstack([by_weights, by_bias])


def _example_weights(words: Words, labels: Array) -> Array:
    if words.kind == "binary_classifier":
        text = words.get("positive_example_weight_mult", "1")
        positive = labels.sum()
        balance = (len(labels) - positive) / positive if positive else 1.0
        weight = balance if text == "balanced" else words.number("positive_example_weight_mult")
        return np.where(labels > 0, weight, 1.0)
    if words.kind == "multiclass_classifier" and words.flag("balance_multiclass_weights", auto=False):
        counts = np.bincount(labels.astype(int), minlength=words.outputs)
        weights: Array = len(labels) / (np.count_nonzero(counts) * counts[labels.astype(int)])
        return weights
    return np.ones(len(labels))


def _optimizer(words: Words, shape: tuple[int, int]) -> Callable[[Array], Array]:
    """A function from a gradient to the step to take back; it remembers the steps before."""
    kind = words.get("optimizer", "auto").replace("auto", "adam")
    rate = words.number("learning_rate") if words.get("learning_rate", "auto") != "auto" else LEARNING_RATES[kind]
    rates = np.full(shape, rate)
    rates[-1] *= words.number("bias_lr_mult") if words.flag("use_bias", auto=True) else 0.0
    b1, b2, momentum = words.number("beta_1"), words.number("beta_2"), words.number("momentum")
    first, second, count = np.zeros(shape), np.zeros(shape), 0

    def step(gradient: Array) -> Array:
        nonlocal first, second, count
        count += 1
        now = _scheduled(words, rate, count) / rate * rates
        if kind == "sgd":
            first = momentum * first + gradient
            return now * first
        if kind == "rmsprop":
            second = 0.9 * second + 0.1 * gradient**2
            return now * gradient / (np.sqrt(second) + 1e-8)
        first = b1 * first + (1 - b1) * gradient
        second = b2 * second + (1 - b2) * gradient**2
        return now * (first / (1 - b1**count)) / (np.sqrt(second / (1 - b2**count)) + 1e-8)

    return step


def _scheduled(words: Words, rate: float, count: int) -> float:
    """The learning rate of the count-th step."""
    if not words.flag("use_lr_scheduler", auto=True):
        return rate
    times = (count - 1) // int(words.number("lr_scheduler_step"))
    least = min(rate, words.number("lr_scheduler_minimum_lr"))
    return float(max(least, rate * words.number("lr_scheduler_factor") ** times))


# ---- what the final model is worth -------------------------------------------------------------------------------------


def _mean_loss(words: Words, model: LinearModel, data: Data) -> float:
    with np.errstate(all="ignore"):
        return float(losses(words, model.scores(data.features), data.labels)[0].mean())


def measured(words: Words, model: LinearModel, data: Data) -> Iterator[tuple[str, float, bool]]:
    """(metric, value, whether a larger one is better)."""
    yield f"{LOSS_NAMES.get(words.loss, words.loss)}_objective", _mean_loss(words, model, data), False
    scores, labels = model.scores(data.features), data.labels
    if words.kind == "regressor":
        error = scores[:, 0] - labels
        yield "mse", float((error**2).mean()), False
        yield "absolute_loss", float(np.abs(error).mean()), False
    elif words.kind == "binary_classifier":
        yield from _of_binary(words, scores[:, 0], labels, model.threshold)
    else:
        yield from _of_classes(words, scores, labels.astype(int))


def _of_binary(words: Words, score: Array, labels: Array, threshold: float) -> Iterator[tuple[str, float, bool]]:
    said = score > threshold
    precision, recall, f = _precision_recall_f(said, labels > 0, words.number("f_beta"))
    yield "binary_classification_accuracy", float((said == (labels > 0)).mean()), True
    yield f"binary_f_{words.number('f_beta'):.3f}", f, True
    yield "precision", precision, True
    yield "recall", recall, True
    positive = int(labels.sum())
    negative = len(labels) - positive
    if positive and negative:
        _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[place][labels > 0].sum()  # equal scores share their mean rank
        yield "roc_auc_score", float((ranks - positive * (positive + 1) / 2) / (positive * negative)), True


def _of_classes(words: Words, scores: Array, labels: npt.NDArray[np.int64]) -> Iterator[tuple[str, float, bool]]:
    classes, beta, k = scores.argmax(axis=1), words.number("f_beta"), int(words.number("accuracy_top_k"))
    place = (scores > scores[np.arange(len(labels)), labels][:, None]).sum(axis=1)  # 0: the true class comes first
    each = np.array([_precision_recall_f(classes == one, labels == one, beta) for one in range(words.outputs)])
    yield "multiclass_accuracy", float((classes == labels).mean()), True
    yield f"multiclass_top_k_accuracy_{k}", float((place < k).mean()), True
    yield "dcg", float((1 / np.log2(place + 2)).mean()), True
    for name, value in zip(("precision", "recall", f"f_{beta:.3f}"), each.mean(axis=0), strict=True):
        yield f"macro_{name}", float(value), True


def _precision_recall_f(said: Any, true: Any, beta: float) -> tuple[float, float, float]:
    hits = float((said & true).sum())
    precision, recall = hits / max(float(said.sum()), 1.0), hits / max(float(true.sum()), 1.0)
    both = beta**2 * precision + recall
    return precision, recall, (1 + beta**2) * precision * recall / both if both else 0.0


# ---- which epoch and which threshold -----------------------------------------------------------------------------------


def _to_minimise(words: Words, model: LinearModel, data: Data) -> float:
    """What decides which epoch is the best: the loss, or minus the measure that a binary classifier is selected by."""
    chosen = words.get("binary_classifier_model_selection_criteria", "loss_function")
    if words.kind != "binary_classifier" or chosen == "loss_function":
        return _mean_loss(words, model, data)
    score = model.scores(data.features)[:, 0]
    return -float(_worth(words, chosen, data.labels, score, np.array([model.threshold]))[0])


def _calibrated(words: Words, model: LinearModel, data: Data) -> LinearModel:
    """A binary classifier with the threshold that serves its selection criterion best; of equal ones the nearest to 0."""
    chosen = words.get("binary_classifier_model_selection_criteria", "accuracy")
    if words.kind != "binary_classifier" or chosen == "loss_function":
        return model
    rows = slice(int(words.number("num_calibration_samples")))
    score, labels = model.scores(data.features[rows])[:, 0], data.labels[rows]
    if not np.isfinite(score).all():
        return model
    values = np.unique(score)
    between = np.concatenate([[values[0] - 1.0], (values[1:] + values[:-1]) / 2, [values[-1]], [0.0]])
    worth = _worth(words, chosen, labels, score, between)
    good = between[worth >= worth.max()]
    return replace(model, threshold=float(good[np.abs(good).argmin()]))


def _worth(words: Words, chosen: str, labels: Array, score: Array, thresholds: Array) -> Array:
    """The criterion at each threshold; (thresholds,). Sorted once, so that a million examples are no matter."""
    order = np.argsort(score)
    above = len(score) - np.searchsorted(score[order], thresholds, side="right")
    positives = np.concatenate([np.cumsum(labels[order][::-1])[::-1], [0.0]])
    hits = positives[len(score) - above]
    total = labels.sum()
    precision, recall = hits / np.maximum(above, 1), hits / max(total, 1.0)
    match chosen:
        case "f_beta":
            beta = words.number("f_beta") ** 2
            worth: Array = (1 + beta) * precision * recall / np.maximum(beta * precision + recall, 1e-300)
            return worth
        case "precision_at_target_recall":
            return np.where(recall >= words.number("target_recall"), precision, recall - 1.0)
        case "recall_at_target_precision":
            return np.where(precision >= words.number("target_precision"), recall, precision - 1.0)
        case _:
            right: Array = (hits + (len(labels) - total) - (above - hits)) / len(labels)
            return right


if __name__ == "__main__":
    opt_ml.run(train)
