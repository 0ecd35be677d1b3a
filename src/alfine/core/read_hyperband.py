"""Reading StrategyConfig, the resources of Hyperband, in a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alfine.core.field import Face
from alfine.core.messages import naming
from alfine.core.read_values import FaultCollector
from alfine.core.spec import (
    EPOCH_NAMES,
)

MAX_RESOURCE = 20_000
"""Hyperband's largest MaxResource, an AMT quota: its API reference."""

MAX_RESOURCE_MISSING = "MaxResource parameter is not provided and could not be inferred from provided static hyperparameters of TrainingJobDefinition."
"""AMT's own sentence, which AWS clients get."""

STRATEGY_CONFIG = (
    "is for Strategy Hyperband, not {}. This parameter should be provided only if Hyperband is selected as the strategy for "
    "HyperParameterTuningJobConfig. Leave it out."
)
"""AMT's own sentence, which AWS clients get."""


def read_hyperband(
    job_config: Mapping[str, Any], strategy: str, static: Mapping[str, str], faults: FaultCollector
) -> tuple[int, int | None]:
    """Return MinResource and MaxResource: 1 and None for other strategies.

    Args:
        job_config: The HyperParameterTuningJobConfig.
        strategy: The job's strategy.
        static: The static hyperparameters; MaxResource may be said there as the number of epochs.
        faults: Collects what is wrong.
    """
    path = "HyperParameterTuningJobConfig.StrategyConfig"
    config = job_config.get("StrategyConfig")
    if strategy != "Hyperband":
        if config:
            message = naming(
                "is for {strategy} Hyperband, not {}. Leave it out.",
                strategy,
                instead={Face.AWS: STRATEGY_CONFIG.format(strategy)},
            )
            faults.add(path, message)
        return 1, None
    bounds = (config or {}).get("HyperbandStrategyConfig") or {}
    least = faults.whole_number(bounds, "MinResource", 1, f"{path}.HyperbandStrategyConfig") or 1
    most = faults.whole_number(bounds, "MaxResource", 1, f"{path}.HyperbandStrategyConfig")
    if most is None:
        texts = [static[name].strip('"') for name in EPOCH_NAMES if isinstance(static.get(name), str)]
        most = next((int(text) for text in texts if text.isdigit()), None)
    if most is None:
        faults.add(
            f"{path}.HyperbandStrategyConfig.MaxResource",
            naming(
                "is missing: how many values of the metric a training job reports at the most. Give it, or say it in {static} "
                "as epochs.",
                instead={Face.AWS: MAX_RESOURCE_MISSING},
            ),
        )
    elif not least <= most <= MAX_RESOURCE:
        faults.add(
            path, naming("needs {min_resource} <= {max_resource} <= {}, not {} and {}.", MAX_RESOURCE, least, most)
        )
    return least, most
