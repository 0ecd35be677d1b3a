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
from typing import Any

import numpy as np
import numpy.typing as npt

from alfine.programs.algorithms import opt_ml
from alfine.programs.algorithms.linear.data import check_widths, read, scales_of
from alfine.programs.algorithms.linear.losses import losses, mean_loss
from alfine.programs.algorithms.linear.metrics import measured
from alfine.programs.algorithms.linear.model import Array, Data, LinearModel
from alfine.programs.algorithms.linear.parameters import LOSS_NAMES, LearnerParameters
from alfine.programs.algorithms.linear.selection import calibrated, to_minimise
from alfine.programs.algorithms.opt_ml import BadInput, say

SEED = 0
"""Seed of all random numbers: the same hyperparameters give the same model."""

LEARNING_RATES = {"adam": 0.1, "rmsprop": 0.05, "sgd": 0.1}
"""Learning rates for «auto», by optimizer."""

RMS_DECAY = 0.9
"""Decay of the mean squared gradient in RMSprop. Source: Hinton's lecture 6e, «Neural Networks for Machine Learning»."""

TINY = 1e-8
"""Added to a root of a mean squared gradient before dividing by it. Source: Adam, https://arxiv.org/abs/1412.6980."""


def train(texts: dict[str, str]) -> None:
    """Train a model, print its metrics and write it to `model/`.

    Args:
        texts: The hyperparameters, which were checked against the algorithm's specification when the job was created.
    """
    params = LearnerParameters(texts)
    data = {name: read(name, params) for name in ("train", "validation", "test") if opt_ml.has(name)}
    check_widths(data)
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


def _fitted(params: LearnerParameters, data: Mapping[str, Data]) -> LinearModel:
    """Return the model of the best epoch, in the units of the data."""
    scales = scales_of(params, data["train"])
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
        model = calibrated(params, draft.unscaled(scales), data[judged])
        for channel in data.keys() & {"train", "validation"}:
            loss = mean_loss(params, model, data[channel])
            say(f"#quality_metric: host=algo-1, epoch={epoch}, {channel} {name}_objective <loss>={loss}")
        say(f"#progress_metric: host=algo-1, completed {round(100 * (epoch + 1) / epochs)} % of epochs")
        value = to_minimise(params, model, data[judged])
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


if __name__ == "__main__":
    opt_ml.run(train)
