"""Run a tuning job that is tracked: HOME TRACKER COUNT SECONDS, for tests that kill it."""

import sys
import time

import alfine

home, tracker, count, seconds = sys.argv[1:]


def objective(hyperparameters, report):
    for epoch in range(4):
        time.sleep(float(seconds) / 4)
        report(epoch, 1 / (epoch + 1) + hyperparameters["x"])
    return hyperparameters["x"]


if __name__ == "__main__":
    alfine.tune(
        objective,
        {"x": alfine.Continuous(0, 1), "kind": alfine.Categorical(["a", "b"])},
        max_training_jobs=int(count),
        criteria=["BestObjectiveNotImproving 100"],
        name="tracked",
        seed=1,
        home=home,
        track=tracker,
        progress=False,
    )
