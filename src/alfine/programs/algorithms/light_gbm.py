"""The specification of the algorithm lightgbm: hyperparameters, metrics, channels.

They are those of SageMaker's documentation («LightGBM hyperparameters», «Tune a LightGBM model»). The file isn't called lightgbm.py,
because a script in this folder imports the package of that name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alfine.core.errors import Fault
from alfine.programs.algorithms.recordio_channels import channel
from alfine.programs.algorithms.specification import categorical, continuous, integer, recommended

OF_REGRESSION = ("rmse", "l1", "l2", "huber", "fair")
OF_BINARY = ("binary_logloss", "binary_error", "auc", "average_precision", "cross_entropy")
OF_CLASSES = ("multi_logloss", "multi_error", "auc_mu")
METRICS = (*OF_REGRESSION, *OF_BINARY, *OF_CLASSES)
MAXIMISED = ("auc", "average_precision", "auc_mu")
ABOVE_ZERO = 1e-9
"""The least value where lightgbm doesn't allow 0 itself."""

RANGES = {
    "learning_rate": ("0.001", "0.01"),
    "num_leaves": ("10", "100"),
    "feature_fraction": ("0.1", "1"),
    "bagging_fraction": ("0.1", "1"),
    "bagging_freq": ("0", "10"),
    "max_depth": ("15", "100"),
    "min_data_in_leaf": ("10", "200"),
}
"""The ranges that AWS's documentation recommends."""

HYPERPARAMETERS = recommended(
    [
        continuous("learning_rate", ABOVE_ZERO, 1, above=0, tunable=True),
        integer("num_leaves", 2, 131_072, tunable=True),
        continuous("feature_fraction", ABOVE_ZERO, 1, above=0, tunable=True),
        continuous("bagging_fraction", ABOVE_ZERO, 1, above=0, tunable=True),
        integer("bagging_freq", 0, tunable=True),
        integer("max_depth", -1, tunable=True),
        integer("min_data_in_leaf", 0, tunable=True),
        integer("num_boost_round", 1),
        integer("early_stopping_rounds", 1),
        categorical("metric", "auto", *METRICS),
        continuous("max_delta_step", 0),
        continuous("lambda_l1", 0),
        continuous("lambda_l2", 0),
        categorical("boosting", "gbdt", "dart"),
        continuous("min_gain_to_split", 0),
        continuous("scale_pos_weight", ABOVE_ZERO, above=0),
        categorical("tree_learner", "serial", "feature", "data", "voting"),
        continuous("feature_fraction_bynode", ABOVE_ZERO, 1, above=0),
        categorical("is_unbalance", "True", "False", "true", "false"),
        integer("max_bin", 2),
        continuous("tweedie_variance_power", 1, 2 - 1e-8),
        integer("num_threads", 0),
        integer("verbosity", -1),
        categorical("use_dask", "True", "False", "true", "false"),
    ],
    RANGES,
)


CSV = ("text/csv", "csv")

SPECIFICATION: Mapping[str, Any] = {
    "TrainingImage": "lightgbm",
    "SupportedHyperParameters": HYPERPARAMETERS,
    "SupportsDistributedTraining": True,
    "MetricDefinitions": [{"Name": metric, "Regex": rf"{metric}: ([0-9\.e+-]+)"} for metric in METRICS],
    "TrainingChannels": [channel("train", CSV, required=True), channel("validation", CSV)],
    "SupportedTuningJobObjectiveMetrics": [
        {"Type": "Maximize" if metric in MAXIMISED else "Minimize", "MetricName": metric} for metric in METRICS
    ],
}


def faults(
    static: Mapping[str, str], channels: Mapping[str, str | None], objective: tuple[str, str] | None, where: str
) -> Iterator[Fault]:
    """Yield what doesn't fit together. Arguments: see `BuiltInAlgorithm.faults`."""
    del channels  # without a validation channel, rows of the training data are kept for it
    metric = static.get("metric", "auto")
    if objective is None or metric == "auto" or objective[1] not in METRICS:
        return
    if _task(metric) != _task(objective[1]):
        message = (
            f"{metric} is a metric of {_task(metric)}, and the objective {objective[1]} one of {_task(objective[1])}."
        )
        yield Fault(f"{where}.StaticHyperParameters.metric", message)


def _task(metric: str) -> str:
    return "regression" if metric in OF_REGRESSION else "two classes" if metric in OF_BINARY else "several classes"
