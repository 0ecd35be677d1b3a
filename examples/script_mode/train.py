"""A training script for SageMaker: hyperparameters are arguments, the metric is printed, the model goes to SM_MODEL_DIR."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--depth", type=int, default=6)
    settings, _ = parser.parse_known_args()
    loss = 0.2 + math.log10(settings.rate / 0.05) ** 2 + 0.01 * (settings.depth - 4) ** 2  # stands for real training
    print(f"loss={loss}")
    (Path(os.environ["SM_MODEL_DIR"]) / "model.txt").write_text(f"rate {settings.rate}, depth {settings.depth}\n")


if __name__ == "__main__":
    main()
