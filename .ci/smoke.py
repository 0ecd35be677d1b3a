"""Tune a function with the alfine that is installed, and fail unless a criterion ends it: what each Python and system must manage."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import alfine


def objective(hyperparameters: Mapping[str, Any]) -> float:
    """Return a loss with its least value at x = 0.3."""
    return float((hyperparameters["x"] - 0.3) ** 2)


with tempfile.TemporaryDirectory() as home:
    job = alfine.tune(
        objective,
        {"x": alfine.Continuous(-1, 1)},
        criteria=["BestObjectiveNotImproving 10"],
        max_training_jobs=60,
        home=home,
    )
    sys.stdout.write(f"alfine {alfine.__version__} on Python {sys.version.split()[0]}: {job.verdict.sentence}\n")
    sys.exit(0 if job.verdict.criterion == "BestObjectiveNotImproving" else "No criterion ended the job.")
