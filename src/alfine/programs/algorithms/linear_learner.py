"""The specification of the image linear-learner: hyperparameters, metrics, channels.

They are those of SageMaker's documentation («Linear learner hyperparameters», «Tune a linear learner model»).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alfine.core.errors import Fault
from alfine.programs.algorithms.recordio_channels import CSV_OR_RECORDIO, HOST, channel
from alfine.programs.algorithms.specification import categorical, continuous, integer, recommended

ABOVE_ZERO = 1e-12
"""The least value where 0 itself isn't allowed: the range of a specification includes its ends."""

FLAG = ("true", "false", "True", "False")
OF_REGRESSION = ("squared_loss", "absolute_loss", "eps_insensitive_squared_loss", "eps_insensitive_absolute_loss")
LOSSES = {
    "regressor": ("auto", *OF_REGRESSION, "quantile_loss", "huber_loss"),
    "binary_classifier": ("auto", "logistic", "hinge_loss"),
    "multiclass_classifier": ("auto", "softmax_loss"),
}
SELECTIONS = ("accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function")

RANGES = {
    "wd": ("1e-7", "1"),
    "l1": ("1e-7", "1"),
    "learning_rate": ("1e-5", "1"),
    "mini_batch_size": ("100", "5000"),
    "use_bias": ("True", "False"),
}
"""The ranges that AWS's documentation recommends. positive_example_weight_mult is left out: it is for binary classifiers only."""

HYPERPARAMETERS = recommended(
    [
        categorical("predictor_type", *LOSSES, required=True),
        continuous("wd", 0, tunable=True, words=("auto",)),
        continuous("l1", 0, tunable=True, words=("auto",)),
        continuous("learning_rate", ABOVE_ZERO, tunable=True, words=("auto",), above=0),
        integer("mini_batch_size", 1, tunable=True),
        categorical("use_bias", *FLAG, tunable=True),
        continuous("positive_example_weight_mult", ABOVE_ZERO, tunable=True, words=("auto", "balanced"), above=0),
        integer("feature_dim", 1, words=("auto",)),
        integer("num_classes", 3, 1_000_000),
        integer("accuracy_top_k", 1),
        categorical("balance_multiclass_weights", *FLAG),
        continuous("beta_1", 0, 1, words=("auto",)),
        continuous("beta_2", 0, 1, words=("auto",)),
        continuous("bias_lr_mult", ABOVE_ZERO, words=("auto",), above=0),
        continuous("bias_wd_mult", 0, words=("auto",)),
        categorical("binary_classifier_model_selection_criteria", *SELECTIONS),
        integer("early_stopping_patience", 1),
        continuous("early_stopping_tolerance", ABOVE_ZERO, above=0),
        integer("epochs", 1),
        continuous("f_beta", ABOVE_ZERO, above=0),
        continuous("huber_delta", ABOVE_ZERO, above=0),
        continuous("init_bias", -1e30),
        categorical("init_method", "uniform", "normal"),
        continuous("init_scale", ABOVE_ZERO, above=0),
        continuous("init_sigma", ABOVE_ZERO, above=0),
        categorical("loss", *dict.fromkeys(loss for losses in LOSSES.values() for loss in losses)),
        continuous("loss_insensitivity", ABOVE_ZERO, above=0),
        continuous("lr_scheduler_factor", ABOVE_ZERO, 1, words=("auto",), above=0),
        continuous("lr_scheduler_minimum_lr", ABOVE_ZERO, words=("auto",), above=0),
        integer("lr_scheduler_step", 1, words=("auto",)),
        continuous("margin", ABOVE_ZERO, above=0),
        continuous("momentum", 0, 1, words=("auto",)),
        categorical("normalize_data", "auto", *FLAG),
        categorical("normalize_label", "auto", *FLAG),
        integer("num_calibration_samples", 1, words=("auto",)),
        integer("num_models", 1, words=("auto",)),
        integer("num_point_for_scaler", 1),
        categorical("optimizer", "auto", "adam", "sgd", "rmsprop"),
        continuous("quantile", ABOVE_ZERO, 1, above=0),
        continuous("target_precision", ABOVE_ZERO, 1, above=0),
        continuous("target_recall", ABOVE_ZERO, 1, above=0),
        categorical("unbias_data", "auto", *FLAG),
        categorical("unbias_label", "auto", *FLAG),
        categorical("use_lr_scheduler", *FLAG),
    ],
    RANGES,
)

FINAL: Mapping[str, Mapping[str, tuple[str, bool]]] = {
    "binary_classifier": {
        "binary_classification_accuracy": ("binary_classification_accuracy", True),
        "binary_f_beta": (r"binary_f_\S+", True),
        "precision": ("precision", True),
        "recall": ("recall", True),
        "roc_auc_score": ("roc_auc_score", True),
    },
    "regressor": {"mse": ("mse", False), "absolute_loss": ("absolute_loss", False)},
    "multiclass_classifier": {
        "multiclass_accuracy": ("multiclass_accuracy", True),
        "multiclass_top_k_accuracy": (r"multiclass_top_k_accuracy_\S+", True),
        "dcg": ("dcg", True),
        "macro_recall": ("macro_recall", True),
        "macro_precision": ("macro_precision", True),
        "macro_f_beta": (r"macro_f_\S+", True),
    },
}
"""Metrics of the final model: how the log names each, and whether a larger value is better."""

ALL = {name: metric for group in FINAL.values() for name, metric in group.items()}
OF_TRAINING = ("binary_classification_accuracy", "binary_f_beta", "precision", "recall", "mse", "absolute_loss")


def _final(data: str, metric: str) -> dict[str, str]:
    printed, larger = ALL[metric]
    kind = "score" if larger else "loss"
    return {"Name": f"{data}:{metric}", "Regex": rf"#quality_metric: {HOST}, {data} {printed} <{kind}>=(\S+)"}


def _loss(name: str, data: str, *, every_epoch: bool) -> dict[str, str]:
    epoch = r"epoch=\S+, " if every_epoch else ""
    return {"Name": name, "Regex": rf"#quality_metric: {HOST}, {epoch}{data} \S+_objective <loss>=(\S+)"}


SPECIFICATION: Mapping[str, Any] = {
    "TrainingImage": "linear-learner",
    "SupportedHyperParameters": HYPERPARAMETERS,
    "SupportsDistributedTraining": True,
    "MetricDefinitions": [
        {"Name": "train:progress", "Regex": rf"#progress_metric: {HOST}, completed (\S+) %"},
        {"Name": "train:throughput", "Regex": rf"#throughput_metric: {HOST}, train throughput=(\S+) records/second"},
        _loss("train:objective_loss", "train", every_epoch=True),
        _loss("train:objective_loss:final", "train", every_epoch=False),
        _loss("validation:objective_loss", "validation", every_epoch=True),
        _loss("validation:objective_loss:final", "validation", every_epoch=False),
        _loss("test:objective_loss", "test", every_epoch=False),
        *(_final("train", metric) for metric in OF_TRAINING),
        *(_final(data, metric) for data in ("validation", "test") for metric in ALL),
    ],
    "TrainingChannels": [
        channel("train", CSV_OR_RECORDIO, required=True),
        channel("validation", CSV_OR_RECORDIO),
        channel("test", CSV_OR_RECORDIO),
    ],
    "SupportedTuningJobObjectiveMetrics": [
        {"Type": "Maximize" if larger else "Minimize", "MetricName": f"{data}:{metric}"}
        for data in ("validation", "test")
        for metric, (_, larger) in {"objective_loss": ("", False), **ALL}.items()
    ],
}


def faults(
    static: Mapping[str, str], channels: Mapping[str, str | None], objective: tuple[str, str] | None, where: str
) -> Iterator[Fault]:
    """Yield what doesn't fit together. Arguments: see `BuiltInAlgorithm.faults`."""
    kind, path = static.get("predictor_type", ""), f"{where}.StaticHyperParameters"
    if kind == "multiclass_classifier" and "num_classes" not in static:
        yield Fault(f"{path}.num_classes", "multiclass_classifier needs the number of classes, num_classes.")
    loss = static.get("loss", "auto")
    if kind in LOSSES and loss not in LOSSES[kind]:
        yield Fault(f"{path}.loss", f"{loss!r} isn't a loss of {kind}. Use {', '.join(LOSSES[kind])}.")
    if objective is not None:
        yield from _objective_faults(objective[1], kind, channels, where)


def _objective_faults(objective: str, kind: str, channels: Mapping[str, str | None], where: str) -> Iterator[Fault]:
    data, _, metric = objective.partition(":")
    if data in ("validation", "test") and data not in channels:
        yield Fault(f"{where}.InputDataConfig", f"{objective} is measured on the channel {data!r}, which is missing.")
    if metric in ALL and kind in FINAL and metric not in FINAL[kind]:
        known = ", ".join(f"{data}:{name}" for name in ("objective_loss", *FINAL[kind]))
        yield Fault(f"{where}.StaticHyperParameters.predictor_type", f"a {kind} has no {objective}. It has {known}.")
