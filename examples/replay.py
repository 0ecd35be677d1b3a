"""Replay a recorded search with other completion criteria: when they would have ended it, and what that would have missed.

    python examples/replay.py

The search runs once, to the end of its budget. Each criterion then judges the record, fact by fact, by the code that judges a running
job. So you can choose a criterion for the next job without running training jobs for it.
"""

from __future__ import annotations

import math
from typing import Any

import alfine

BUDGET = 100
SPACE = {"x": alfine.Continuous(-5, 10), "y": alfine.Continuous(0, 15)}
CRITERIA = {
    "BestObjectiveNotImproving 5": alfine.BestObjectiveNotImproving(5),
    "BestObjectiveNotImproving 10": alfine.BestObjectiveNotImproving(10),
    "BestObjectiveNotImproving 20": alfine.BestObjectiveNotImproving(20),
    "TargetObjectiveMetricValue 0.4": alfine.TargetObjectiveMetricValue(0.4),
    "ConvergenceDetected": alfine.ConvergenceDetected(),
}


def branin(point: dict[str, Any]) -> float:
    """Return the value of Branin's function, a textbook example; its three minima are 0.397887."""
    x, y = point["x"], point["y"]
    bowl = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return bowl**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def main() -> None:
    tuner = alfine.Tuner(SPACE, goal="Minimize", max_training_jobs=BUDGET)
    for _ in range(BUDGET):
        training_job = tuner.ask()
        assert training_job is not None
        tuner.tell(training_job, branin(training_job.hyperparameters))
    assert tuner.best is not None
    print(f"{BUDGET} training jobs, best {tuner.best.objective:.4f} in training job {tuner.best.number}\n")
    for name, criterion in CRITERIA.items():
        then = tuner.replay([criterion])
        missed = "no objective" if then.missed is None else f"{then.missed:.4f} short of the best"
        print(f"{name}: {then.training_jobs} training jobs, {missed}.\n    {then.verdict.sentence}")


if __name__ == "__main__":
    main()
