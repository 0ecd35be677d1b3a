"""The specification of the image sagemaker-xgboost in its built-in mode: hyperparameters, metrics, channels.

Names, types and ranges are those of SageMaker's documentation («XGBoost hyperparameters», «Tune an XGBoost Model») and of its container
(1.7 to 3.0), with xgboost's own aliases. `train_xgboost.py` computes the metrics that xgboost lacks, as the container does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alfine.core.errors import Fault
from alfine.programs.algorithms.specification import categorical, continuous, integer, recommended, text

ABOVE_ZERO = 1e-9
"""The least value where xgboost doesn't allow 0 itself: the range of a specification includes its ends."""

BELOW_TWO = 2 - 1e-8
"""The greatest value where xgboost doesn't allow 2 itself."""

MAXIMISED = (
    *("accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg"),
    *("precision", "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro"),
)
MINIMISED = (
    *("aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy"),
    *("logloss", "mae", "mape", "merror", "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle"),
    "tweedie-nloglik",
)
METRICS = (*MAXIMISED, *MINIMISED)

WITH_THRESHOLD = ("error", "ndcg", "map")
"""Metrics that may have a threshold, as in error@0.7 and ndcg@5."""

OF_TRAINING = ("rmse", "mae", "error", "logloss", "merror", "mlogloss")
"""Metrics that are also read on the training data. AMT allows 40 metric definitions, so not all can be."""
OBJECTIVES = (
    *("binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax", "multi:softprob"),
    *("rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic", "reg:gamma"),
    *("reg:pseudohubererror", "reg:squaredlogerror", "reg:absoluteerror", "reg:tweedie"),
    *("survival:aft", "survival:cox"),
)
CONTENT_TYPES = ("text/csv", "csv", "text/libsvm", "text/x-libsvm", "libsvm")
NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"

RANGES = {
    "num_round": ("1", "4000"),
    "alpha": ("0", "1000"),
    "colsample_bylevel": ("0.1", "1"),
    "colsample_bynode": ("0.1", "1"),
    "colsample_bytree": ("0.5", "1"),
    "eta": ("0.1", "0.5"),
    "gamma": ("0", "5"),
    "lambda": ("0", "1000"),
    "max_delta_step": ("0", "10"),
    "max_depth": ("0", "10"),
    "min_child_weight": ("0", "120"),
    "subsample": ("0.5", "1"),
}
"""The ranges that AWS's documentation recommends."""

HYPERPARAMETERS = recommended(
    [
        integer("num_round", 1, tunable=True, required=True),
        continuous("alpha", 0, tunable=True),
        continuous("reg_alpha", 0, tunable=True),
        continuous("colsample_bylevel", ABOVE_ZERO, 1, tunable=True, above=0),
        continuous("colsample_bynode", ABOVE_ZERO, 1, tunable=True, above=0),
        continuous("colsample_bytree", ABOVE_ZERO, 1, tunable=True, above=0),
        continuous("eta", 0, 1, tunable=True),
        continuous("learning_rate", 0, 1, tunable=True),
        continuous("gamma", 0, tunable=True),
        continuous("min_split_loss", 0, tunable=True),
        continuous("lambda", 0, tunable=True),
        continuous("reg_lambda", 0, tunable=True),
        continuous("max_delta_step", 0, tunable=True),
        integer("max_depth", 0, tunable=True),
        continuous("min_child_weight", 0, tunable=True),
        continuous("subsample", ABOVE_ZERO, 1, tunable=True, above=0),
        text("eval_metric"),
        categorical("objective", *OBJECTIVES),
        integer("num_class", 2),
        integer("early_stopping_rounds", 1),
        integer("csv_weights", 0, 1),
        integer("seed", -(2**31) + 1),
        integer("nthread", 1),
        integer("verbosity", 0, 3),
        categorical("booster", "gbtree", "gblinear", "dart"),
        categorical("tree_method", "auto", "exact", "approx", "hist", "gpu_hist"),
        categorical("process_type", "default"),  # `update` needs an earlier model, for which there is no channel
        categorical("grow_policy", "depthwise", "lossguide"),
        categorical("sampling_method", "uniform", "gradient_based"),
        categorical("sample_type", "uniform", "weighted"),
        categorical("normalize_type", "tree", "forest"),
        text("updater"),
        text("monotone_constraints"),
        text("interaction_constraints"),
        integer("max_leaves", 0),
        integer("max_bin", 0),
        integer("num_parallel_tree", 1),
        integer("refresh_leaf", 0, 1),
        integer("one_drop", 0, 1),
        continuous("rate_drop", 0, 1),
        continuous("skip_drop", 0, 1),
        continuous("lambda_bias", 0, 1),
        continuous("scale_pos_weight", ABOVE_ZERO, above=0),
        continuous("base_score", 0),
        continuous("tweedie_variance_power", 1 + 1e-8, BELOW_TWO),
        categorical("aft_loss_distribution", "normal", "logistic", "extreme"),
        continuous("aft_loss_distribution_scale", 0),
        categorical("save_model_on_termination", "true", "false"),
        categorical("use_dask_gpu_training", "false"),
        # xgboost no longer has these. They are allowed, and the training job's log says that they have no effect.
        categorical("deterministic_histogram", "true", "false"),
        categorical("dsplit", "row"),
        categorical("predictor", "auto", "cpu_predictor", "gpu_predictor"),
        continuous("sketch_eps", ABOVE_ZERO, 1, above=0),
        integer("prob_buffer_row", 1),
    ],
    RANGES,
)


def _channel(name: str, *, required: bool) -> dict[str, Any]:
    return {
        "Name": name,
        "IsRequired": required,
        "SupportedContentTypes": [*CONTENT_TYPES],
        "SupportedCompressionTypes": ["None", "Gzip"],
        "SupportedInputModes": ["File", "FastFile"],
    }


def _definition(data: str, metric: str) -> dict[str, str]:
    """Return the metric's definition as AWS describes it. For tweedie-nloglik xgboost also prints the power."""
    printed = rf"{metric}(?:@[0-9.]+)?" if metric == "tweedie-nloglik" else metric
    return {"Name": f"{data}:{metric}", "Regex": rf".*\[[0-9]+\].*#011{data}-{printed}:{NUMBER}.*"}


SPECIFICATION: Mapping[str, Any] = {
    "TrainingImage": "sagemaker-xgboost",
    "SupportedHyperParameters": HYPERPARAMETERS,
    "SupportsDistributedTraining": True,
    "MetricDefinitions": [
        *(_definition("train", metric) for metric in OF_TRAINING),
        *(_definition("validation", metric) for metric in METRICS),
    ],
    "TrainingChannels": [_channel("train", required=True), _channel("validation", required=False)],
    "SupportedTuningJobObjectiveMetrics": [
        *({"Type": "Maximize", "MetricName": f"validation:{metric}"} for metric in MAXIMISED),
        *({"Type": "Minimize", "MetricName": f"validation:{metric}"} for metric in MINIMISED),
    ],
}


def faults(
    static: Mapping[str, str], channels: Mapping[str, str | None], objective: tuple[str, str] | None, where: str
) -> Iterator[Fault]:
    """Yield what doesn't fit together. Arguments: see `BuiltInAlgorithm.faults`."""
    if static.get("objective", "").startswith("multi:") and "num_class" not in static:
        yield Fault(
            f"{where}.StaticHyperParameters.num_class", f"{static['objective']} needs the number of classes, num_class."
        )
    for metric in filter(None, static.get("eval_metric", "").split(",")):
        yield from _eval_metric_faults(metric.strip(), f"{where}.StaticHyperParameters.eval_metric")
    if objective is not None and "validation" not in channels:
        yield Fault(
            f"{where}.InputDataConfig", f"{objective[1]} is measured on the channel 'validation', which is missing."
        )


def _eval_metric_faults(metric: str, path: str) -> Iterator[Fault]:
    name, _, threshold = metric.partition("@")
    if name not in METRICS:
        yield Fault(path, f"{metric!r} isn't a metric of sagemaker-xgboost. It has {', '.join(METRICS)}.")
    elif threshold and name not in WITH_THRESHOLD:
        yield Fault(path, f"{metric!r}: only {', '.join(WITH_THRESHOLD)} take a threshold.")
