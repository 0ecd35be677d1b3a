"""The specification of the image kmeans: hyperparameters, metrics, channels.

They are those of SageMaker's documentation («K-Means Hyperparameters», «Tune a K-Means Model»).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from alfine.core.errors import Fault
from alfine.programs.algorithms.recordio_channels import CSV_OR_RECORDIO, channel, quality_metric
from alfine.programs.algorithms.specification import categorical, continuous, integer, recommended, text

MEASURES = ("msd", "ssd")
"""The mean and the sum of squared distances between each record and the closest center."""

RANGES = {
    "epochs": ("1", "10"),
    "extra_center_factor": ("4", "10"),
    "init_method": ("kmeans++", "random"),
    "mini_batch_size": ("3000", "15000"),
}
"""The ranges that AWS's documentation recommends."""

HYPERPARAMETERS = recommended(
    [
        integer("feature_dim", 1, required=True),
        integer("k", 1, required=True),
        integer("epochs", 1, tunable=True),
        integer("extra_center_factor", 1, tunable=True, words=("auto",)),
        categorical("init_method", "kmeans++", "random", tunable=True),
        integer("mini_batch_size", 1, tunable=True),
        text("eval_metrics"),
        integer("half_life_time_size", 0),
        categorical("local_lloyd_init_method", "kmeans++", "random"),
        integer("local_lloyd_max_iter", 1),
        integer("local_lloyd_num_trials", 1, words=("auto",)),
        continuous("local_lloyd_tol", 0, 1),
        categorical("force_dense", "True", "False", "true", "false"),  # SDK 2 sends it; AWS doesn't document it
    ],
    RANGES,
)

SPECIFICATION: Mapping[str, Any] = {
    "TrainingImage": "kmeans",
    "SupportedHyperParameters": HYPERPARAMETERS,
    "SupportsDistributedTraining": True,
    "MetricDefinitions": [quality_metric(data, name, "loss") for data in ("train", "test") for name in MEASURES],
    "TrainingChannels": [
        channel("train", CSV_OR_RECORDIO, required=True),
        channel("test", CSV_OR_RECORDIO),
    ],
    "SupportedTuningJobObjectiveMetrics": [{"Type": "Minimize", "MetricName": f"test:{name}"} for name in MEASURES],
}


def faults(
    static: Mapping[str, str], channels: Mapping[str, str | None], objective: tuple[str, str] | None, where: str
) -> Iterator[Fault]:
    """Yield what doesn't fit together. Arguments: see `BuiltInAlgorithm.faults`."""
    wanted = eval_metrics(static.get("eval_metrics", ""))
    if not set(wanted) <= set(MEASURES):
        message = f'{static["eval_metrics"]!r} must be a JSON list of {", ".join(MEASURES)}, as ["msd"].'
        yield Fault(f"{where}.StaticHyperParameters.eval_metrics", message)
    if objective is not None and "test" not in channels:
        yield Fault(f"{where}.InputDataConfig", f"{objective[1]} is measured on the channel 'test', which is missing.")


def eval_metrics(given: str) -> list[str]:
    """Return the measures in the hyperparameter eval_metrics; ["msd"] where there is none, [""] where it can't be read."""
    try:
        wanted = json.loads(given or '["msd"]')
    except ValueError:
        return [""]
    return wanted if isinstance(wanted, list) and all(isinstance(name, str) for name in wanted) else [""]
