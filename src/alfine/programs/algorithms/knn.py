"""The specification of the image knn: hyperparameters, metrics, channels.

They are those of SageMaker's documentation («k-NN Hyperparameters», «Tune a k-NN Model»).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alfine.core.errors import Fault
from alfine.programs.algorithms.recordio_channels import CSV_OR_RECORDIO, channel, quality_metric
from alfine.programs.algorithms.specification import categorical, integer, recommended

SUBVECTORS = ("1", "2", "3", "4", "8", "12", "16", "20", "24", "28", "32", "40", "48", "56", "64", "96")
"""Values of faiss_index_pq_m."""

RANGES = {"k": ("1", "1024"), "sample_size": ("256", "20000000")}
"""The ranges that AWS's documentation recommends."""

HYPERPARAMETERS = recommended(
    [
        integer("feature_dim", 1, required=True),
        integer("k", 1, tunable=True, required=True),
        categorical("predictor_type", "classifier", "regressor", required=True),
        integer("sample_size", 1, tunable=True, required=True),
        integer("dimension_reduction_target", 1),
        categorical("dimension_reduction_type", "sign", "fjlt"),
        integer("faiss_index_ivf_nlists", 1, words=("auto",)),
        categorical("faiss_index_pq_m", *SUBVECTORS),
        categorical("index_metric", "COSINE", "INNER_PRODUCT", "L2"),
        categorical("index_type", "faiss.Flat", "faiss.IVFFlat", "faiss.IVFPQ"),
        integer("mini_batch_size", 1),
    ],
    RANGES,
)

METRICS = {"classifier": ("accuracy", "score", "Maximize"), "regressor": ("mse", "loss", "Minimize")}
"""The metric of each predictor_type: its name, how the log calls its kind, and the goal."""

SPECIFICATION: Mapping[str, Any] = {
    "TrainingImage": "knn",
    "SupportedHyperParameters": HYPERPARAMETERS,
    "SupportsDistributedTraining": True,
    "MetricDefinitions": [quality_metric("test", name, kind) for name, kind, _ in METRICS.values()],
    "TrainingChannels": [
        channel("train", CSV_OR_RECORDIO, required=True),
        channel("test", CSV_OR_RECORDIO),
    ],
    "SupportedTuningJobObjectiveMetrics": [
        {"Type": goal, "MetricName": f"test:{name}"} for name, _, goal in METRICS.values()
    ],
}


def faults(
    static: Mapping[str, str], channels: Mapping[str, str | None], objective: tuple[str, str] | None, where: str
) -> Iterator[Fault]:
    """Yield what doesn't fit together. Arguments: see `BuiltInAlgorithm.faults`."""
    path, kind = f"{where}.StaticHyperParameters", static.get("predictor_type", "")
    target, dimensions = static.get("dimension_reduction_target"), static.get("feature_dim", "")
    if "dimension_reduction_type" in static and target is None:
        yield Fault(f"{path}.dimension_reduction_target", "dimension_reduction_type needs the number of dimensions.")
    if target and target.isdigit() and dimensions.isdigit() and int(target) >= int(dimensions):
        yield Fault(f"{path}.dimension_reduction_target", f"{target} must be below feature_dim, {dimensions}.")
    if objective is not None and "test" not in channels:
        yield Fault(f"{where}.InputDataConfig", f"{objective[1]} is measured on the channel 'test', which is missing.")
    if objective is not None and kind in METRICS and objective[1] != f"test:{METRICS[kind][0]}":
        yield Fault(f"{path}.predictor_type", f"a {kind} has no {objective[1]}. It has test:{METRICS[kind][0]}.")
