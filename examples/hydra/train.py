"""A sweep of Hydra that ends by itself: the sweeper is alfine's.

    pip install alfine hydra-core
    python examples/hydra/train.py --multirun

The program is Hydra's alone: config.yaml beside it names the sweeper, the search space and the completion criteria.
"""

from __future__ import annotations

import math

import hydra
from omegaconf import DictConfig


@hydra.main(version_base=None, config_path=".", config_name="config")
def train(config: DictConfig) -> float:
    return 0.2 + math.log10(config.rate / 0.02) ** 2 / 10 + 0.01 * (config.layers - 3) ** 2  # stands for real training


if __name__ == "__main__":
    train()
